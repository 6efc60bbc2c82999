"""Which server is to be told of which zone next, and when. Pure: the clock is a parameter, in seconds.

Everything that is to be sent waits in one place, whatever the number of zones: in a heap until its moment,
then in one of two lanes, each with its rate, for its turn. Changes go before what a start finds to do.
"""

from __future__ import annotations

import enum
import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import field
from typing import TypeAlias

from bindpy.deferred import dataclass
from bindpy.reload.table import ZoneId
from bindpy.xfr.targets import Target

PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""How long each try may last before the next; after the last one the target is given up."""
MAX_WAIT_S = 3.0
"""How long an answer is listened for; what is left of the pause is spent without a socket."""
MAX_PER_TARGET = 16
MAX_PER_SILENT_TARGET = 1
"""How many NOTIFYs of a start may be under way to a server that answers, and to one that did not."""
DEFAULT_RATE = 20.0
_BURST_S = 1.0
"""After a pause so many seconds' worth may go at once."""


class NotifyState(enum.Enum):
    """What became of telling one target."""

    PENDING = "pending"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """How one target stands, for people.

    ``serial`` is what it is to know; ``acknowledged`` the serial that it last acknowledged (None: never);
    ``since`` is when it got into this state (seconds since 1970); ``reason`` is why the last try failed.
    """

    target: str
    state: NotifyState
    serial: int
    acknowledged: int | None
    since: float
    tries: int
    reason: str


class Lane(enum.IntEnum):
    """The order of turns."""

    CHANGE = 0
    START = 1


class Rate:
    """At most *per_s* in a second, on average; a second's worth may come at once."""

    def __init__(self, per_s: float) -> None:
        self.per_s = per_s
        self._next_at = float("-inf")

    def take(self, now: float) -> bool:
        """Take a turn if there is one at *now*."""
        if now < self.free_at():
            return False
        interval_s = 1.0 / self.per_s
        self._next_at = max(self._next_at, now - max(0.0, _BURST_S - interval_s)) + interval_s
        return True

    def free_at(self) -> float:
        """Return from when on there is a turn."""
        return self._next_at


@dataclass(slots=True, eq=False)
class Errand:
    """One target that has to know one zone's serial. Made and changed by the `NotifyQueue` only."""

    zone_id: ZoneId
    target: Target
    serial: int = 0
    news: int = 0  # the number of the change that it is about
    lane: Lane = Lane.START
    state: NotifyState = NotifyState.PENDING
    acknowledged: int | None = None
    since: float = 0.0
    tries: int = 0
    reason: str = ""
    logged: str = ""  # the reason that the log has already
    under_way: bool = False
    sent_at: float = float("-inf")
    delay_s: float = 0.0
    due_at: float = 0.0
    ticket: int = 0  # which of its entries in heap and lanes counts; 0: none


_Entry: TypeAlias = tuple[int, Errand]


@dataclass(slots=True)
class _Place:
    """One server, for all zones."""

    under_way: int = 0
    silent: bool = False
    waiting: tuple[deque[_Entry], ...] = field(default_factory=lambda: (deque(), deque()))

    def free(self, lane: Lane) -> int:
        """Return how many more errands of *lane* may be under way there; not positive when it is full."""
        slow = self.silent and lane is Lane.START
        return (MAX_PER_SILENT_TARGET if slow else MAX_PER_TARGET) - self.under_way


class NotifyQueue:
    """All errands. *pauses_s* are the times from each try to the next, *wall* is the clock for people."""

    def __init__(
        self, *, pauses_s: Sequence[float] = PAUSES_S, wall: Callable[[], float] = time.time
    ) -> None:
        self._pauses_s = tuple(pauses_s)
        self._rates = (Rate(DEFAULT_RATE), Rate(DEFAULT_RATE))
        self._wall = wall
        self._errands: dict[ZoneId, dict[Target, Errand]] = {}
        self._heap: list[tuple[float, int, Errand]] = []
        self._lanes: tuple[deque[_Entry], ...] = (deque(), deque())
        self._places: dict[Target, _Place] = {}
        self._tickets = itertools.count(1)

    def configure(self, rate: float, startup_rate: float) -> None:
        """Change the rates, per second; 0 counts as 1, as in BIND."""
        for mine, per_s in zip(self._rates, (rate, startup_rate), strict=True):
            mine.per_s = max(per_s, 1.0)

    # --- what is wanted ---------------------------------------------------------------------------

    def want(
        self,
        zone_id: ZoneId,
        target: Target,
        serial: int,
        now: float,
        *,
        news: int,
        lane: Lane,
        delay_s: float,
        acknowledged: int | None = None,
    ) -> bool:
        """See to it that *target* knows *serial*; return whether that is something new to do.

        *news* numbers the changes: for one that is known already nothing happens. In the `Lane.START` a
        target that has *acknowledged* this very serial need not be told.
        """
        errands = self._errands.setdefault(zone_id, {})
        errand = errands.get(target)
        if errand is None:
            errand = errands[target] = Errand(zone_id, target, acknowledged=acknowledged, since=self._wall())
        elif errand.news == news:
            return False
        errand.news, errand.serial, errand.delay_s = news, serial, delay_s
        errand.tries, errand.reason, errand.logged = 0, "", ""
        if lane is Lane.START and errand.acknowledged == serial:
            self._settle(errand, NotifyState.ACKNOWLEDGED)
            errand.ticket = 0
            return False
        self._settle(errand, NotifyState.PENDING)
        is_hurried = lane < errand.lane or not errand.ticket
        errand.lane = min(lane, errand.lane) if errand.ticket else lane
        if not errand.under_way:
            self._hurry(errand, now, anew=is_hurried)
        return True

    def _hurry(self, errand: Errand, now: float, *, anew: bool) -> None:
        """Schedule what has news; its place in a queue it keeps, unless it is to have one *anew*."""
        due_at = max(now, errand.sent_at + errand.delay_s)
        is_ripe = errand.due_at <= now and due_at <= now
        if anew or not (is_ripe or errand.due_at == due_at):
            self._schedule(errand, due_at)

    def keep(self, zone_id: ZoneId, targets: Collection[Target] = ()) -> None:
        """Forget all targets of the zone that are not among *targets*; what is under way comes to nothing."""
        errands = self._errands.get(zone_id, {})
        for target in [one for one in errands if one not in targets]:
            errands.pop(target).ticket = 0
        if not errands:
            self._errands.pop(zone_id, None)

    def drop_pending(self, zone_id: ZoneId) -> None:
        """Tell nobody of the zone's last change any more."""
        errands = self._errands.get(zone_id, {})
        self.keep(zone_id, [one.target for one in errands.values() if one.state is not NotifyState.PENDING])

    def status(self, zone_id: ZoneId) -> tuple[TargetStatus, ...]:
        """Return how the zone's targets stand."""
        return tuple(
            TargetStatus(e.target.text, e.state, e.serial, e.acknowledged, e.since, e.tries, e.reason)
            for e in self._errands.get(zone_id, {}).values()
        )

    def _settle(self, errand: Errand, state: NotifyState) -> None:
        if errand.state is not state:
            errand.state, errand.since = state, self._wall()

    def _schedule(self, errand: Errand, due_at: float) -> None:
        errand.ticket, errand.due_at = next(self._tickets), due_at
        heapq.heappush(self._heap, (due_at, errand.ticket, errand))

    # --- whose turn it is -------------------------------------------------------------------------

    def take(self, now: float) -> Errand | None:
        """Return an errand to send now, None when there is none. `finished` has to be called for each."""
        while self._heap and self._heap[0][0] <= now:
            _, ticket, errand = heapq.heappop(self._heap)
            if errand.ticket == ticket:
                self._lanes[errand.lane].append((ticket, errand))
        for lane, rate in zip(Lane, self._rates, strict=True):
            for errand in self._ready(lane):
                if not rate.take(now):
                    break
                self._lanes[lane].popleft()
                errand.ticket, errand.under_way, errand.sent_at = 0, True, now
                self._places.setdefault(errand.target, _Place()).under_way += 1
                return errand
        return None

    def _ready(self, lane: Lane) -> Iterator[Errand]:
        """Yield the first errand of *lane* that may go; those for busy servers step aside."""
        queue = self._lanes[lane]
        while queue:
            ticket, errand = queue[0]
            place = self._places.get(errand.target)
            if errand.ticket != ticket:
                queue.popleft()
                if place is not None:
                    self._let_in(place)
            elif place is not None and place.free(lane) <= 0:
                place.waiting[lane].append(queue.popleft())
            else:
                yield errand

    def next_at(self) -> float | None:
        """Return when to call `take` again, if nothing else happens before; None: not at all."""
        moments = [
            rate.free_at() for lane, rate in zip(Lane, self._rates, strict=True) if any(self._ready(lane))
        ]
        if self._heap:
            moments.append(self._heap[0][0])
        return min(moments, default=None)

    def wait_s(self, errand: Errand) -> float:
        """Return how long to listen for the answer to the try that is under way."""
        return min(self._pauses_s[min(errand.tries, len(self._pauses_s) - 1)], MAX_WAIT_S)

    # --- what became of it ------------------------------------------------------------------------

    def finished(
        self, errand: Errand, serial: int, now: float, *, failure: str = "", final: bool = False
    ) -> bool:
        """Take in how telling *serial* went; return whether the target is given up with that.

        *failure* is the reason, "" when it was acknowledged; *final* says that no other try would help.
        """
        self._leave(errand, silent=bool(failure) and not final)
        errand.under_way = False
        if self._errands.get(errand.zone_id, {}).get(errand.target) is not errand:
            return False
        if not failure:
            errand.acknowledged = serial
        if errand.serial != serial:
            self._schedule(errand, max(now, errand.sent_at + errand.delay_s))
            return False
        if not failure:
            self._settle(errand, NotifyState.ACKNOWLEDGED)
            return False
        pause_s = self._pauses_s[min(errand.tries, len(self._pauses_s) - 1)]
        errand.tries += 1
        errand.reason = failure
        if final or errand.tries >= len(self._pauses_s):
            self._settle(errand, NotifyState.FAILED)
            return True
        self._schedule(errand, max(now, errand.sent_at + pause_s))
        return False

    def _leave(self, errand: Errand, *, silent: bool) -> None:
        """Free the errand's place for those that wait for it."""
        place = self._places[errand.target]
        place.under_way -= 1
        place.silent = silent
        self._let_in(place)
        if not place.under_way and not place.silent and not any(place.waiting):
            del self._places[errand.target]

    def _let_in(self, place: _Place) -> None:
        """Put as many that wait for *place* as it has room for before all others in their lanes."""
        for lane in Lane:
            waiting, free = place.waiting[lane], place.free(lane)
            while waiting and free > 0:
                ticket, errand = waiting.popleft()
                if errand.ticket == ticket:
                    self._lanes[lane].appendleft((ticket, errand))
                    free -= 1
