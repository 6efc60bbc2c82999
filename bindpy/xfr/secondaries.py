"""All secondary zones: one clockwork that refreshes each when it is due, wanted or told of.

No zone has a task or a timer of its own: a heap holds when each is due next, another the order in which
those that are due begin. A refresh is a task; how many run at once is bounded, so that 10,000 zones may be
due at one moment.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
import random
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import field

from bindpy.config.model import Config, ViewConfig, ZoneType
from bindpy.deferred import dataclass
from bindpy.engine import Zone, Zones
from bindpy.filter.script import NO_SCRIPT
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry, ZoneId
from bindpy.server.tasks import TaskSet
from bindpy.state.db import StateDb, ZoneTimes
from bindpy.xfr.behind import WriteBehind
from bindpy.xfr.peers import primaries_of
from bindpy.xfr.quotas import QueryRate, TransferSlots
from bindpy.xfr.refresh import (
    Cause,
    Expired,
    Held,
    Life,
    NoData,
    NotifyVerdict,
    Random,
    Running,
    Timers,
    Wanted,
    known_times,
)
from bindpy.xfr.refresher import Outcome, Refresher, in_order, soa_of
from bindpy.xfr.secondary import Clocks, Secondary, SecondaryStatus
from bindpy.xfr.unwritten import Unwritten
from bindpy.zone.loaded import LoadedZone

log = logging.getLogger("bindpy.general")

_AT_ONCE = {Cause.OPERATOR: math.inf, Cause.NOTIFY: 800, Cause.REFRESH: 400}
"""A refresh begins only while fewer than so many run; what is more urgent finds room."""
_MAX_SLEEP_S = 3600.0


@dataclass(frozen=True, slots=True)
class Activity:
    """How many transfers in are under way, how many wait for a place, and how many primaries are asked."""

    transfers: int
    waiting: int
    questions: int


@dataclass(slots=True)
class _Saving:
    """Zones whose times are to be written to the database."""

    ids: set[ZoneId] = field(default_factory=set)
    wanted: asyncio.Event = field(default_factory=asyncio.Event)


class Secondaries:
    """Keeps every secondary zone fresh. All methods belong to the event loop's thread.

    Call `configure` and `restore` before the keeper reads files; `is_expired` is for the keeper; `run` is the
    task that does the work.
    """

    def __init__(
        self,
        keeper: ZoneKeeper,
        executor: Executor,
        zones: Zones,
        *,
        clocks: Clocks | None = None,
        random_source: Random = random.random,
        behind: WriteBehind | None = None,
    ) -> None:
        self._keeper = keeper
        self._state: StateDb | None = None
        self._clocks = clocks or Clocks()
        self._random = random_source
        self._changed = asyncio.Event()
        self._unread = asyncio.Event()
        self._rate = QueryRate(20, self._changed.set)
        self._slots = TransferSlots(10)
        self._refresher = Refresher(
            keeper,
            self._rate,
            self._slots,
            executor,
            zones,
            behind=behind or WriteBehind(keeper, executor, zones, Unwritten(zones)),
            clock=self._clocks.steady,
        )
        self._views: dict[str, ViewConfig] = {}
        self._transfers_per_ns = 2
        self._zones: dict[ZoneId, Secondary] = {}
        self._saved: dict[ZoneId, ZoneTimes] = {}
        self._saving = _Saving()
        self._due: list[tuple[float, int, ZoneId]] = []
        self._queue: list[tuple[Cause, int, ZoneId]] = []
        self._numbers = itertools.count()
        self._tasks = TaskSet(log)
        self._running: Counter[Cause] = Counter()

    async def restore(self, state: StateDb) -> None:
        """Read from *state* when each zone was last refreshed, and keep it up to date from now on."""
        self._state = state
        self._saved = await state.load_times()

    # --- which zones there are --------------------------------------------------------------------

    def configure(self, config: Config, changed: Iterable[ZoneId] | None = None) -> None:
        """Take over *config*, after the keeper has; zones that stay keep their timers.

        *changed* are the zones that are new, gone or have another statement; None: any may.
        """
        options = config.options
        self._rate.per_s = max(1, options.serial_query_rate)
        self._slots.resize(max(1, options.transfers_in))
        self._transfers_per_ns = options.transfers_per_ns
        self._views = {view.name: view for view in config.views}
        if changed is not None:
            for zone_id in changed:
                self.update(zone_id)
            return
        wanted = {entry.id: entry for entry in self._keeper.table if entry.config.type is ZoneType.SECONDARY}
        for gone in self._zones.keys() - wanted.keys():
            self._forget(gone)
        for entry in wanted.values():
            self._take_over(entry)

    def update(self, zone_id: ZoneId) -> None:
        """Take over what the keeper has of one zone now."""
        entry = self._keeper.table.get(zone_id)
        if entry is not None and entry.config.type is ZoneType.SECONDARY:
            self._take_over(entry)
        elif zone_id in self._zones:
            self._forget(zone_id)

    def _take_over(self, entry: ZoneEntry) -> None:
        now = self._clocks.steady()
        zone = self._zones.get(entry.id)
        if zone is None:
            self._add(entry, now)
            return
        soa = soa_of(entry.zone) if entry.zone is not None else None
        zone.life.set_bounds(entry.config.settings.refresh, soa, now)
        if zone.script != entry.config.settings.lua_axfr_script:
            zone.script = entry.config.settings.lua_axfr_script
            zone.life.want()  # `Refresher` sees that another script filters it now
        if zone.primaries != entry.config.primaries:
            zone.primaries = entry.config.primaries
            zone.life.want()
        self._touch(zone)

    def _add(self, entry: ZoneEntry, now: float) -> None:
        zone = Secondary(
            entry.id,
            next(self._numbers),
            Life(entry.config.settings.refresh, now, self._random),
            entry.config.primaries,
            entry.config.settings.lua_axfr_script,
            is_read=entry.config.file is None or entry.zone is not None,
        )
        if entry.zone is not None:  # it was not a secondary zone until now
            soa = soa_of(entry.zone)
            zone.life.loaded(soa, *known_times(Timers.of(soa, zone.life.bounds), now, None, None), now)
        self._zones[entry.id] = zone
        if zone.is_read:
            self._touch(zone)
        else:
            self._unread.set()

    def _forget(self, zone_id: ZoneId) -> None:
        zone = self._zones.pop(zone_id)
        if zone.task is not None:
            zone.task.cancel()
        zone.release(all_of_them=True)

    # --- what others tell -------------------------------------------------------------------------

    def is_expired(self, entry: ZoneEntry, data: Zone, loaded: LoadedZone) -> bool:
        """Take note that *entry*'s file holds *data*; return whether it is too old to be served."""
        zone = self._zones.get(entry.id)
        if zone is None:
            return False
        now = self._clocks.steady()
        soa = soa_of(data)
        timers = Timers.of(soa, zone.life.bounds)
        stamp = loaded.stamps[0]
        file_time = self._clocks.to_steady(stamp.mtime_ns / 1e9) if stamp is not None else None
        saved = self._saved.pop(entry.id, None)
        times: tuple[float, float] | None = None
        sent: int | None = data.serial
        filtered_by: bytes | None = NO_SCRIPT
        if zone.life.serial is not None and zone.life.filtered_by != NO_SCRIPT:
            sent, filtered_by = zone.life.serial, zone.life.filtered_by
        elif saved is not None and saved.is_about(data.serial):
            sent, filtered_by = saved.primary_serial, saved.filtered_by
        elif entry.config.settings.lua_axfr_script is not None and zone.life.serial is None:
            filtered_by = None  # the serial may be the script's
        if saved is not None and saved.is_about(data.serial):
            latest = now + timers.expire_s  # a clock that was set back must not prolong a zone's life
            expires_at = min(self._clocks.to_steady(saved.expires_at), latest)
            times = self._clocks.to_steady(saved.refreshed_at), expires_at
            zone.good_primary = saved.last_primary
        before = zone.life.data
        known = known_times(timers, now, file_time, times)
        zone.life.loaded(soa, *known, now, serial=sent, filtered_by=filtered_by)
        zone.is_read = True
        self._touch(zone)
        if not isinstance(zone.life.data, Expired):
            return False
        if isinstance(before, NoData):
            log.warning(
                "zone %s: expired while this server was down; not served until a primary sends it",
                entry.label,
            )
        return True

    def notified(self, zone_id: ZoneId, source: str, serial: int | None) -> NotifyVerdict | None:
        """Take note of a NOTIFY that may be followed; None where *zone_id* is no secondary zone."""
        zone = self._zones.get(zone_id)
        if zone is None:
            return None
        verdict = zone.life.notified(source, serial)
        self._touch(zone)
        return verdict

    def refresh(self, zone_id: ZoneId, *, whole: bool = False) -> bool:
        """Ask the primaries at once; *whole*: transfer all, whatever the serial. False: no secondary zone."""
        zone = self._zones.get(zone_id)
        if zone is None:
            return False
        zone.life.want(whole=whole)
        self._touch(zone)
        return True

    def next_end(self, zone_id: ZoneId) -> asyncio.Future[None] | None:
        """Return what is done when the next refresh that begins from now on has ended, or the zone is gone.

        None where *zone_id* is no secondary zone.
        """
        zone = self._zones.get(zone_id)
        return zone.next_end() if zone is not None else None

    def resume(self, zone_id: ZoneId) -> None:
        """Begin with what was wanted while the zone was frozen."""
        zone = self._zones.get(zone_id)
        if zone is not None:
            self._touch(zone)

    def status(self, zone_id: ZoneId) -> SecondaryStatus | None:
        """Return how a zone stands; None where *zone_id* is no secondary zone."""
        zone = self._zones.get(zone_id)
        if zone is None:
            return None
        return zone.status(self._clocks)

    def expires_in(self, zone_id: ZoneId) -> int | None:
        """Return in how many seconds a zone expires; None where it has no data that is good."""
        zone = self._zones.get(zone_id)
        if zone is None or not isinstance(zone.life.data, Held):
            return None
        return max(0, int(zone.life.data.expires_at - self._clocks.steady()))

    def activity(self) -> Activity:
        """Return what is going on."""
        transfers, waiting = self._slots.busy, self._slots.waiting
        return Activity(transfers, waiting, max(0, self._running.total() - transfers - waiting))

    # --- the clockwork ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Refresh zones until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_time(), name="refresh timers")
                tasks.create_task(self._start_unread(), name="zones without a readable file")
                tasks.create_task(self._save(), name="saving of refresh times")
        finally:
            self._rate.close()
            await self._tasks.close()
            await self._save_now()

    async def _keep_time(self) -> None:
        while True:
            self._changed.clear()
            now = self._clocks.steady()
            self._wake_due(now)
            self._start_wanted()
            sleep_s = min(self._due[0][0] - now, _MAX_SLEEP_S) if self._due else _MAX_SLEEP_S
            try:
                async with asyncio.timeout(max(0.0, sleep_s)):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _start_unread(self) -> None:
        """Begin with the zones whose files are not there or bad, once all have been looked at."""
        while True:
            await self._unread.wait()
            self._unread.clear()
            await self._keeper.idle()
            for zone in self._zones.values():
                if not zone.is_read:
                    zone.is_read = True
                    self._touch(zone)

    def _wake_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            due, number, zone_id = heapq.heappop(self._due)
            zone = self._zones.get(zone_id)
            if zone is None or zone.number != number or zone.wake_at != due:
                continue  # forgotten, or due at another time since
            zone.wake_at = math.inf
            if zone.life.wake(now):
                self._expire(zone)
            self._touch(zone)

    def _expire(self, zone: Secondary) -> None:
        entry = self._keeper.table.get(zone.id)
        if entry is not None:
            log.warning(
                "zone %s: expired: no primary could be reached in time; answered with SERVFAIL from now on, "
                "and the primaries are asked further%s",
                entry.label,
                f" ({zone.outcome.trouble})" if zone.outcome.trouble else "",
            )
            self._keeper.expire(zone.id)

    def _touch(self, zone: Secondary) -> None:
        """Put a zone whose life has changed into its place."""
        if not zone.is_read:
            return
        wake_at = zone.life.next_wake
        if wake_at is None:
            zone.wake_at = math.inf
        elif wake_at != zone.wake_at:
            zone.wake_at = wake_at
            heapq.heappush(self._due, (wake_at, zone.number, zone.id))
        work = zone.life.work
        if isinstance(work, Wanted) and zone.queued != work.cause:
            zone.queued = work.cause
            heapq.heappush(self._queue, (work.cause, next(self._numbers), zone.id))
        self._changed.set()

    def _start_wanted(self) -> None:
        while self._queue:
            cause, _, zone_id = self._queue[0]
            zone = self._zones.get(zone_id)
            if zone is None or zone.queued != cause or not isinstance(zone.life.work, Wanted):
                heapq.heappop(self._queue)  # forgotten, or queued again with another cause
                continue
            if self._running.total() >= _AT_ONCE[cause] or (
                cause is Cause.REFRESH and not self._rate.is_free
            ):
                return
            heapq.heappop(self._queue)
            zone.queued = None
            entry = self._keeper.table.get(zone_id)
            if entry is not None and entry.frozen:
                continue  # `resume` puts it back
            job = zone.life.begin()
            zone.begun += 1
            self._running[job.cause] += 1
            zone.task = self._tasks.spawn(self._refresh(zone, job), f"refresh of {zone_id}")

    async def _refresh(self, zone: Secondary, job: Wanted) -> None:
        try:
            entry = self._keeper.table.get(zone.id)
            if entry is None:
                return
            try:
                primaries = primaries_of(entry.config, self._views[zone.id[0]], self._transfers_per_ns)
                primaries = in_order(primaries, zone.good_primary, job.source)
                outcome = await self._refresher.refresh(
                    entry, zone.life, job, primaries, on_begin=zone.transfer_begins
                )
            except Exception:
                # A fault of ours in one zone must not keep it, or others, from being refreshed.
                log.exception("zone %s: fault in bindpy while refreshing; please report it", entry.label)
                zone.ended(Outcome(trouble="a fault in bindpy; its log says more"))
                if isinstance(zone.life.work, Running):
                    zone.life.failed(self._clocks.steady(), answered=True)
                return
            zone.ended(outcome)
            if outcome.primary:
                self._saving.ids.add(zone.id)
                self._saving.wanted.set()
        finally:
            self._running[job.cause] -= 1
            zone.task = None
            zone.release()
            self._touch(zone)

    # --- what survives a restart ------------------------------------------------------------------

    async def _save(self) -> None:
        while True:
            await self._saving.wanted.wait()
            self._saving.wanted.clear()
            await self._save_now()

    async def _save_now(self) -> None:
        ids, self._saving.ids = self._saving.ids, set()
        rows = [row for zone_id in ids if (row := self._times(zone_id)) is not None]
        if rows and self._state is not None:
            try:
                await self._state.save_times(*rows)
            except asyncio.CancelledError:
                self._saving.ids |= ids  # it may not have been begun with; `run` saves once more at the end
                raise

    def _times(self, zone_id: ZoneId) -> ZoneTimes | None:
        zone, entry = self._zones.get(zone_id), self._keeper.table.get(zone_id)
        served = entry.zone if entry is not None else None
        return zone.times(self._clocks, served) if zone is not None else None
