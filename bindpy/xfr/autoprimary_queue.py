"""Which NOTIFY for an unknown zone is looked into next, and how many are: the bound of what a flood costs.

Whoever sends NOTIFYs under an autoprimary's address, which takes no more than a forged UDP packet, makes us
ask that autoprimary. So what waits is bounded, for each source and in all; so is how many are begun in a
second and how many run at once; and who was asked in vain is not asked again for a while. A NOTIFY that
comes within that while is not lost: it is looked into at the end of it. No source can hold up another. No
I/O.
"""

from __future__ import annotations

import enum
from collections import Counter

from bindpy.deferred import dataclass
from bindpy.reload.table import ZoneId
from bindpy.zone.names import Name

MEMORY_S = 60.0
"""How long a source is not asked again about a zone for which it was asked in vain.

As no more than so many are begun in a second, this bounds what is remembered, too.
"""
MAX_WAITING_OF_SOURCE = 10_000
MAX_WAITING = 20_000
MAX_RUNNING_OF_SOURCE = 8
MAX_RUNNING = 32
MAX_TRIES = 3
"""How often a source that does not answer is asked because of one NOTIFY."""
_BURST_S = 1.0
"""After a pause so many seconds' worth may begin at once."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A zone that a NOTIFY from ``source`` told of. ``key`` is the key that signed it, "" for none.

    ``origin`` is in lower case.
    """

    origin: Name
    view: str
    source: str
    key: str

    @property
    def zone_id(self) -> ZoneId:
        """The zone's id, were it there."""
        return self.view, self.origin


class Offer(enum.Enum):
    """What became of a NOTIFY."""

    QUEUED = enum.auto()
    KNOWN = enum.auto()  # it waits or is being looked into already, or will be
    FULL = enum.auto()  # there is no room: it is forgotten


class Result(enum.Enum):
    """What came of looking into a candidate."""

    DONE = enum.auto()  # the zone is there
    NO = enum.auto()  # the source has answered, and the conditions are not met
    SILENT = enum.auto()  # no answer, or a trouble that may pass


@dataclass(slots=True)
class _Memory:
    until: float
    tries: int
    again: bool


class CandidateQueue:
    """The candidates that wait, run or are remembered. *now* is a steady clock's, in seconds."""

    def __init__(self, per_s: float) -> None:
        self.per_s = per_s
        """How many are begun in a second; for one source half of it."""
        self._waiting: dict[str, dict[Candidate, int]] = {}
        self._waiting_count = 0
        self._running: dict[Candidate, int] = {}
        self._running_of: Counter[str] = Counter()
        self._memory: dict[Candidate, _Memory] = {}  # in the order of their ends
        self._free_at = 0.0
        self._free_at_of: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many candidates are kept in all."""
        return self._waiting_count + len(self._running) + len(self._memory)

    def forget(self) -> None:
        """Forget who was asked in vain: the conditions may be others now."""
        memory, self._memory = self._memory, {}
        for candidate, remembered in memory.items():
            if remembered.again:
                self._enqueue(candidate, 0)

    def offer(self, candidate: Candidate, now: float) -> Offer:
        """Take *candidate* in, if there is room."""
        self._expire(now)
        memory = self._memory.get(candidate)
        if memory is not None:
            memory.again = True
            return Offer.KNOWN
        if candidate in self._running or candidate in self._waiting.get(candidate.source, ()):
            return Offer.KNOWN
        return Offer.QUEUED if self._enqueue(candidate, 0) else Offer.FULL

    def _enqueue(self, candidate: Candidate, tries: int) -> bool:
        waiting = self._waiting.get(candidate.source, {})
        if self._waiting_count >= MAX_WAITING or len(waiting) >= MAX_WAITING_OF_SOURCE:
            return False
        waiting[candidate] = tries
        self._waiting[candidate.source] = waiting
        self._waiting_count += 1
        return True

    def take(self, now: float) -> Candidate | None:
        """Return the candidate to be looked into now, None where none may be. Tell `done` of its end."""
        self._expire(now)
        if len(self._running) >= MAX_RUNNING or self._start(self._free_at, now) > now:
            return None
        for source, waiting in self._waiting.items():
            if self._ready_at(source, now) > now:
                continue
            candidate = next(iter(waiting))
            self._running[candidate] = waiting.pop(candidate) + 1
            self._running_of[source] += 1
            self._waiting_count -= 1
            self._free_at = self._start(self._free_at, now) + 1 / self.per_s
            free_at = self._start(self._free_at_of.get(source, 0.0), now)
            self._free_at_of[source] = free_at + 2 / self.per_s
            # To the end of the round; the loop over the dictionary ends here.
            del self._waiting[source]
            if waiting:
                self._waiting[source] = waiting
            return candidate
        return None

    def done(self, candidate: Candidate, result: Result, now: float) -> None:
        """Note what came of a candidate that was taken."""
        tries = self._running.pop(candidate)
        self._running_of[candidate.source] -= 1
        if not self._running_of[candidate.source]:
            del self._running_of[candidate.source]
        if result is not Result.DONE:
            again = result is Result.SILENT and tries < MAX_TRIES
            self._memory[candidate] = _Memory(now + MEMORY_S, tries, again)

    def next_wake(self, now: float) -> float | None:
        """Return when to call `take` again unless `offer` or `done` is called before; None: not at all."""
        moments = [memory.until for memory in list(self._memory.values())[:1]]
        if self._waiting and len(self._running) < MAX_RUNNING:
            sources = [
                self._ready_at(source, now)
                for source in self._waiting
                if self._running_of[source] < MAX_RUNNING_OF_SOURCE
            ]
            moments += [max(self._start(self._free_at, now), at) for at in sources]
        return min(moments, default=None)

    def _ready_at(self, source: str, now: float) -> float:
        if self._running_of[source] >= MAX_RUNNING_OF_SOURCE:
            return float("inf")
        return self._start(self._free_at_of.get(source, 0.0), now)

    def _start(self, free_at: float, now: float) -> float:
        return max(free_at, now - _BURST_S)

    def _expire(self, now: float) -> None:
        while self._memory:
            candidate = next(iter(self._memory))
            memory = self._memory[candidate]
            if memory.until > now:
                break
            del self._memory[candidate]
            if memory.again:
                self._enqueue(candidate, memory.tries if memory.tries < MAX_TRIES else 0)
        for source in [s for s, at in self._free_at_of.items() if at < now - _BURST_S]:
            del self._free_at_of[source]
