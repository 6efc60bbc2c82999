"""The life of a secondary zone: when to ask its primaries, what to take from them, when to stop serving.

Pure: no clock, no I/O. Times are seconds of one clock that never jumps, given by the caller; the random
source is a parameter. What a zone has (`Data`) and what is being done about it (`Work`) are two values that
change independently: a zone may expire while it is transferred. A zone cannot be forgotten: either it
waits for a moment (`Idle`), or for its turn (`Wanted`), or somebody works on it (`Running`).

::

    NoData ──transferred──▶ Fresh ──failed──▶ Stale ──expiry──▶ Expired
                              ▲ ◀──confirmed────┘                  │
                              └──────────transferred───────────────┘
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, TypeAlias

from bindpy.config.model import RefreshSettings
from bindpy.deferred import dataclass
from bindpy.filter.script import NO_SCRIPT
from bindpy.zone.records import Soa
from bindpy.zone.serials import is_newer

MAX_EXPIRE_S = 24 * 7 * 86400
"""An SOA's expire counts up to this only, as in BIND."""
EARLY = 0.25
"""Refreshes and retries come up to this part of their interval early, as in BIND, so that zones spread."""
FIRST_RETRY_S = 10
FIRST_RESUMED_S = 1
"""A transfer that was cut off, a primary that restarts for example, is tried again after this; the wait
doubles up to the retry interval."""
MAX_BLIND_RETRY_S = 3600
"""A zone that cannot be answered is in a hurry: retries begin with the one and double up to the other, or
up to the zone's own retry interval where that is known and shorter."""

Random: TypeAlias = Callable[[], float]
"""Returns numbers from 0.0 up to, but not, 1.0."""


class Cause(enum.IntEnum):
    """Who wants a zone refreshed; the lower goes first."""

    OPERATOR = 0
    NOTIFY = 1
    REFRESH = 2


class NotifyVerdict(enum.Enum):
    """What a NOTIFY led to."""

    UP_TO_DATE = "zone is up to date"
    CHECK = "refresh"
    LATER = "refresh in progress, refresh check queued"


@dataclass(frozen=True, slots=True)
class Timers:
    """The intervals of a zone, in seconds, already within their bounds."""

    refresh_s: int
    retry_s: int
    expire_s: int

    @classmethod
    def of(cls, soa: Soa, bounds: RefreshSettings) -> Timers:
        """Return what *soa* says within *bounds*. A zone never expires before it was asked for twice."""
        refresh_s = min(max(soa.refresh, bounds.min_refresh_s, 1), max(bounds.max_refresh_s, 1))
        retry_s = min(max(soa.retry, bounds.min_retry_s, 1), max(bounds.max_retry_s, 1))
        expire_s = max(min(soa.expire, MAX_EXPIRE_S), refresh_s + retry_s)
        return cls(refresh_s, retry_s, expire_s)


# --- what the zone has ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoData:
    """There is no version of the zone here, and there was none since we started."""

    name: ClassVar[str] = "no data yet"


@dataclass(frozen=True, slots=True)
class Held:
    """A version that is served; a primary last confirmed or sent it at ``refreshed_at``."""

    name: ClassVar[str] = "served"
    serial: int  # as the primary sent it; a filter may have rewritten the one that is served
    timers: Timers
    refreshed_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Fresh(Held):
    """The last word from the primaries was good."""

    name: ClassVar[str] = "fresh"


@dataclass(frozen=True, slots=True)
class Stale(Held):
    """The last attempt to ask or to transfer failed."""

    name: ClassVar[str] = "stale"


@dataclass(frozen=True, slots=True)
class Expired:
    """A version that may not be served any more (RFC 1034 section 4.3.5); any serial may follow it."""

    name: ClassVar[str] = "expired"
    serial: int
    timers: Timers


Data: TypeAlias = NoData | Fresh | Stale | Expired

# --- what is done about it ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """A check that waits for its turn.

    ``whole``: the operator wants the zone transferred in full, whatever its serial. ``source`` is the address
    that sent the NOTIFY, "" for other causes: it knows, so it is asked first. ``hint`` is the serial that
    will do; None: not known.
    """

    cause: Cause
    whole: bool = False
    source: str = ""
    hint: int | None = None

    def and_also(self, other: Wanted) -> Wanted:
        """Return one check that does for both, *other* being the later one."""
        first = other if other.cause <= self.cause else self
        hint = None
        if self.hint is not None and other.hint is not None:
            hint = self.hint if is_newer(self.hint, other.hint) else other.hint
        return replace(first, whole=self.whole or other.whole, hint=hint)


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do before ``next_at``."""

    next_at: float


@dataclass(frozen=True, slots=True)
class Running:
    """*job* is being done; *then* is what was asked for meanwhile: one more check for all of it."""

    job: Wanted
    then: Wanted | None = None


Work: TypeAlias = Idle | Wanted | Running


class Life:
    """Where one secondary zone stands. `next_wake` says when `wake` has to be called next."""

    __slots__ = ("_cut_off", "_failures", "_random", "bounds", "data", "filtered_by", "work")

    def __init__(self, bounds: RefreshSettings, now: float, random: Random) -> None:
        self.bounds = bounds
        self.data: Data = NoData()
        self.work: Work = Idle(now)
        self.filtered_by: bytes | None = NO_SCRIPT
        """The digest of the script that made what we have; None: nobody knows, so it is fetched whole."""
        self._random = random
        self._failures = 0
        self._cut_off = False

    # --- questions --------------------------------------------------------------------------------

    @property
    def serial(self) -> int | None:
        """The serial, as the primary sent it, of what is served, None when nothing is."""
        return self.data.serial if isinstance(self.data, Held) else None

    @property
    def next_refresh(self) -> float | None:
        """When the primaries are asked next; None: as soon as can be, or it is being done."""
        return self.work.next_at if isinstance(self.work, Idle) else None

    @property
    def next_wake(self) -> float | None:
        """When `wake` has something to do; None: not before another call here changes that."""
        times = [self.work.next_at] if isinstance(self.work, Idle) else []
        if isinstance(self.data, Held):
            times.append(self.data.expires_at)
        return min(times, default=None)

    def is_behind(self, job: Wanted) -> bool:
        """Return whether the NOTIFY that *job* goes back to told of a newer version than we have."""
        held = self.data
        return job.hint is not None and isinstance(held, Held) and is_newer(job.hint, held.serial)

    def accepts(self, serial: int) -> bool:
        """Return whether a version with *serial* may take the place of what we have.

        Only a newer one may (RFC 1982), unless there is nothing to lose (no data, or expired), or the
        operator asked for whatever there is.
        """
        if isinstance(self.work, Running) and self.work.job.whole:
            return True
        return not isinstance(self.data, Held) or is_newer(serial, self.data.serial)

    # --- time -------------------------------------------------------------------------------------

    def wake(self, now: float) -> bool:
        """Do what is due at *now*. Returns whether the zone has just expired."""
        if isinstance(self.work, Idle) and now >= self.work.next_at:
            self.work = Wanted(Cause.REFRESH)
        if isinstance(self.data, Held) and now >= self.data.expires_at:
            self.data = Expired(self.data.serial, self.data.timers)
            return True
        return False

    def set_bounds(self, bounds: RefreshSettings, soa: Soa | None, now: float) -> None:
        """Take over other settings; *soa* is that of the zone as it is served. Waits only get shorter."""
        self.bounds = bounds
        if soa is None or not isinstance(self.data, Held):
            return
        timers = Timers.of(soa, bounds)
        self.data = replace(self.data, timers=timers)
        if isinstance(self.work, Idle):
            self.work = Idle(min(self.work.next_at, now + timers.refresh_s))

    # --- what people and peers want ---------------------------------------------------------------

    def want(self, *, whole: bool = False) -> None:
        """Have the primaries asked at once, as the operator said; *whole*: transfer whatever they have."""
        self._failures = 0
        self._add(Wanted(Cause.OPERATOR, whole))

    def notified(self, source: str, serial: int | None) -> NotifyVerdict:
        """Take note of a NOTIFY from *source*; *serial* is the hint in it (RFC 1996 section 3.11), if any."""
        if serial is not None and isinstance(self.data, Held) and self.filtered_by is not None:
            if not is_newer(serial, self.data.serial):
                return NotifyVerdict.UP_TO_DATE
            self._failures = 0
        verdict = NotifyVerdict.LATER if isinstance(self.work, Running) else NotifyVerdict.CHECK
        self._add(Wanted(Cause.NOTIFY, source=source, hint=serial))
        return verdict

    def _add(self, wanted: Wanted) -> None:
        match self.work:
            case Idle():
                self.work = wanted
            case Wanted() as waiting:
                self.work = waiting.and_also(wanted)
            case Running(then=None) as running:
                self.work = replace(running, then=wanted)
            case Running(then=waiting) as running if waiting is not None:
                self.work = replace(running, then=waiting.and_also(wanted))

    # --- work -------------------------------------------------------------------------------------

    def begin(self) -> Wanted:
        """Begin the check that is `Wanted` and return it. One of the calls below has to end it."""
        assert isinstance(self.work, Wanted), "begun without being wanted"
        job = self.work
        if self.filtered_by is None:
            job = replace(job, whole=True)
        self.work = Running(job)
        return job

    def confirmed(self, now: float, expire_s: int | None = None) -> None:
        """End the work: a primary has the version that we have.

        *expire_s* is what is left until the primary's own copy expires, where it said so: our copy then lives
        as long, but never shorter than it would have (RFC 7314 section 4).
        """
        held = self.data
        if not isinstance(held, Held):  # it expired while they were asked
            self._end(now)
            return
        expires_at = now + _lifetime_s(held.timers, expire_s)
        self.data = Fresh(held.serial, held.timers, now, max(held.expires_at, expires_at))
        self._succeeded(now, held.timers)

    def transferred(
        self,
        now: float,
        soa: Soa,
        expire_s: int | None = None,
        *,
        serial: int | None = None,
        filtered_by: bytes = NO_SCRIPT,
    ) -> None:
        """End the work: the version with *soa* is in place. *expire_s* as in `confirmed`; *serial* is the
        primary's where the script *filtered_by* may have rewritten it.
        """
        timers = Timers.of(soa, self.bounds)
        expires_at = now + _lifetime_s(timers, expire_s)
        self.data = Fresh(soa.serial if serial is None else serial, timers, now, expires_at)
        self.filtered_by = filtered_by
        self._succeeded(now, timers)

    def failed(self, now: float, *, answered: bool, cut_off: bool = False) -> float:
        """End the work: nothing came of it. Returns in how many seconds the next attempt is due.

        While there is data to serve, the wait is the retry interval where a primary *answered*, and doubles
        each time that none did, up to the refresh interval. *cut_off*: there is a newer version at a primary,
        and the way to it broke; it is tried again soon, as long as nobody says anything else.
        """
        match self.data:
            case Fresh() as held:
                self.data = Stale(held.serial, held.timers, held.refreshed_at, held.expires_at)
            case Stale() | Expired() | NoData():
                pass
        self._cut_off = cut_off or (self._cut_off and not answered)
        in_vain = not answered or self._cut_off or not isinstance(self.data, Held)
        self._failures = self._failures + 1 if in_vain else 1
        delay_s = self._early(self._retry_s())
        self._end(now + delay_s)
        return delay_s if isinstance(self.work, Idle) else 0.0

    def _retry_s(self) -> float:
        match self.data:
            case NoData():
                first, most = FIRST_RETRY_S, min(MAX_BLIND_RETRY_S, self.bounds.max_retry_s)
            case Expired(timers=timers):
                first, most = FIRST_RETRY_S, min(MAX_BLIND_RETRY_S, timers.retry_s)
            case Fresh(timers=timers) | Stale(timers=timers):
                first, most = timers.retry_s, max(timers.retry_s, timers.refresh_s)
                if self._cut_off:
                    most = timers.retry_s
        if self._cut_off:
            first = FIRST_RESUMED_S
        return max(1.0, min(first * 2.0 ** min(self._failures - 1, 32), most))

    def _succeeded(self, now: float, timers: Timers) -> None:
        self._failures = 0
        self._cut_off = False
        self._end(now + self._early(timers.refresh_s))

    def _end(self, next_at: float) -> None:
        assert isinstance(self.work, Running), "ended without having begun"
        then = self.work.then
        if then is not None and self._is_done(then):
            then = None
        self.work = then if then is not None else Idle(next_at)

    def _is_done(self, wanted: Wanted) -> bool:
        """Return whether the version that we have is what a NOTIFY told of."""
        if wanted.cause is not Cause.NOTIFY or wanted.hint is None or not isinstance(self.data, Held):
            return False
        return not is_newer(wanted.hint, self.data.serial)

    def _early(self, interval_s: float) -> float:
        return interval_s * (1.0 - EARLY * self._random())

    # --- data that did not come from a transfer ---------------------------------------------------

    def loaded(
        self,
        soa: Soa,
        refreshed_at: float,
        expires_at: float,
        now: float,
        *,
        serial: int | None = None,
        filtered_by: bytes | None = NO_SCRIPT,
    ) -> None:
        """Take note of a version that was read from the zone's file.

        At a start, and whenever there was no data to serve, *refreshed_at* and *expires_at* are what is known
        of that version (`known_times`). A file that was edited under a zone that is served changes no timer.
        The first check is not put off: NOTIFYs may have been missed. *serial* is what the primary sent where
        the script *filtered_by* may have rewritten it.
        """
        serial = soa.serial if serial is None else serial
        self.filtered_by = filtered_by
        timers = Timers.of(soa, self.bounds)
        match self.data:
            case Fresh() | Stale() as held:
                self.data = replace(held, serial=serial, timers=timers)
            case NoData() | Expired():
                fresh = Fresh(serial, timers, refreshed_at, expires_at)
                self.data = fresh if now < expires_at else Expired(serial, timers)


def known_times(
    timers: Timers, now: float, file_time: float | None, saved: tuple[float, float] | None
) -> tuple[float, float]:
    """Return when a version read from a file was last confirmed, and when it expires.

    *saved* is what the state database has of that very version. Without it the file's time counts, as in
    BIND; since we do not touch the file at each confirmation, as BIND does, the zone then lives for one retry
    interval at least, in which the primaries can be asked. All times are of one clock.
    """
    if saved is not None:
        return saved
    refreshed_at = min(now, file_time if file_time is not None else now)
    return refreshed_at, max(refreshed_at + timers.expire_s, now + timers.retry_s)


def _lifetime_s(timers: Timers, expire_s: int | None) -> int:
    return timers.expire_s if expire_s is None else min(expire_s, timers.expire_s)
