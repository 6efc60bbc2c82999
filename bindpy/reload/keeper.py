"""Loads zones one after the other in a worker thread and publishes what is good.

The event loop owns the table and decides; the worker only reads files. A zone that does not load keeps
serving its last good data.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import NamedTuple

from bindpy.answer.policy import EXPIRED, Publication, ZonePolicy
from bindpy.config.changes import ZoneChanges
from bindpy.config.model import ZoneConfig, ZoneSettings, ZoneType
from bindpy.diagnostics import Severity
from bindpy.engine import Answerer, Zone, ZoneFileReader
from bindpy.files import FileStamp
from bindpy.reload import reports
from bindpy.reload.bulk import Bulk
from bindpy.reload.collector import without_collector
from bindpy.reload.loading import Load, Outcome, ZoneLoader, absolute_files, must_load_anew
from bindpy.reload.queue import Loading, LoadQueue, Wish
from bindpy.reload.table import ZoneEntry, ZoneId, ZoneTable
from bindpy.zone.loaded import LoadedZone

log = logging.getLogger("bindpy.zoneload")

MOST_ZONES = 500
"""How many zones are handed to the worker, and published, at once; publishing them takes about 20 ms."""

MANY_ZONES = 100
"""From how many zones on, loaded one after the other, Python's collector does not look at what they make."""

OnFiles = Callable[[ZoneId, Mapping[str, FileStamp | None]], None]
_Change = tuple[ZoneEntry, Zone | None, Zone, Outcome | None]
OnPublished = Callable[[ZoneEntry, Zone | None, Zone], None]
IsExpired = Callable[[ZoneEntry, Zone, LoadedZone], bool]


class _Batch(NamedTuple):
    """Zones that the worker is reading."""

    loads: list[Load]
    zones: frozenset[ZoneId]
    outcomes: asyncio.Future[list[Outcome]]


def _never_expired(_entry: ZoneEntry, _zone: Zone, _loaded: LoadedZone) -> bool:
    return False


def _never_written(path: str) -> bool:  # noqa: ARG001 - where nothing is watched
    return False


class ZoneKeeper:
    """Keeps what is served true to the zone files.

    *on_files* is told which files a zone is made of and how they were when they were read, after each load;
    with nothing when the zone is gone or its files are not to be watched. *on_published* is told of each
    change of a zone's data, after it is served: the entry, the data before (None: there was none), the data
    now. *is_expired* is asked whether data that was read from a secondary's file may not be served any more.
    All methods belong to the event loop's thread; `run` is the task that does the work.
    """

    def __init__(
        self,
        answerer: Answerer,
        reader: ZoneFileReader,
        executor: Executor,
        on_files: OnFiles,
        on_published: OnPublished,
        *,
        is_expired: IsExpired = _never_expired,
        bulk: Bulk | None = None,
    ) -> None:
        self.table = ZoneTable()
        self._answerer = answerer
        self._bulk = bulk
        self._loader = ZoneLoader(reader, None if bulk is None else bulk.read_files)
        self._executor = executor
        self._on_files = on_files
        self._on_published = on_published
        self._is_expired = is_expired
        self._policy = ZonePolicy()
        self._publishing: tuple[list[Publication], list[_Change]] | None = None
        self._stored: dict[ZoneId, int] = {}
        self._queue = LoadQueue()
        self._loading: frozenset[ZoneId] = frozenset()
        self._batch_zones = 1
        self._moved = asyncio.Event()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    # --- which zones there are --------------------------------------------------------------------

    def configure(self, zones: Iterable[ZoneConfig]) -> None:
        """Serve exactly *zones*: withdraw those that are gone, load new ones and those with another file."""
        wanted = {zone.id: zone for zone in zones}
        for gone in [entry.id for entry in self.table if entry.id not in wanted]:
            self.remove(gone)
        with self._together():
            for zone_id, config in wanted.items():
                self._put(zone_id, config, urgent=False)

    def change(self, changes: ZoneChanges) -> None:
        """Serve what *changes* make of the zones that are served."""
        for gone in changes.removed:
            self.remove(gone)
        with self._together():
            for config in changes.put:
                self.put(config)

    def put(self, config: ZoneConfig, *, urgent: bool = False) -> None:
        """Serve one zone that is new or has another statement; one that stays as it is costs nothing.

        *urgent*: load it before all that a start or a reload has to load.
        """
        self._put(config.id, config, urgent=urgent)

    def _put(self, zone_id: ZoneId, config: ZoneConfig, *, urgent: bool) -> None:
        entry = self.table.get(zone_id)
        if entry is None:
            self._start(config, None, urgent=urgent)
        elif entry.config == config:
            entry.config = config  # it may stand elsewhere in its file now
        elif must_load_anew(entry.config, config):
            self._start(config, entry, urgent=urgent)
        else:
            entry.config = config
            self._publish(entry)
            self._tell_files(entry)

    def remove(self, zone_id: ZoneId) -> ZoneEntry | None:
        """Serve a zone no longer; return what there was of it."""
        entry = self.table.remove(zone_id)
        if entry is not None:
            self._answerer.withdraw(entry.config.view, entry.config.origin)
            self._on_files(entry.id, {})
            log.info("zone %s: removed", entry.label)
        return entry

    def _start(self, config: ZoneConfig, before: ZoneEntry | None, *, urgent: bool) -> None:
        """Take a new or changed zone in; what was served before stays until the new data is there."""
        entry = ZoneEntry(config)
        if before is not None:
            entry.zone, entry.loaded_at, entry.expired = before.zone, before.loaded_at, before.expired
            entry.frozen = before.frozen
        self.table.add(entry)
        self._publish(entry)
        self._want(Wish(entry.id, urgent, only_if_changed=False))

    # --- data that a transfer brought -------------------------------------------------------------

    @contextmanager
    def storing(self, zone_id: ZoneId) -> Iterator[None]:
        """Do not read the zone's files inside the ``with``: its file is being replaced by us.

        Call `take` inside of it. Afterwards the files are looked at if something happened to them, and read
        only if they are not as `take` was told.
        """
        self._stored[zone_id] = self._stored.get(zone_id, 0) + 1
        try:
            yield
        finally:
            self._stored[zone_id] -= 1
            if not self._stored[zone_id]:
                del self._stored[zone_id]
                self._work.set()
                self._pulse()

    def take(self, zone_id: ZoneId, zone: Zone, loaded: LoadedZone | None = None) -> bool:
        """Serve *zone*, which came by a transfer, in place of what there was; False: there is no such zone.

        *loaded* says which file it was stored in and how that file was when it was read back; None where the
        zone is kept in memory only. An expired zone is served again.
        """
        entry = self.table.get(zone_id)
        if entry is None:
            return False
        before, entry.zone, entry.loaded_at = entry.zone, zone, time.time()
        entry.errors, entry.expired = (), False
        if loaded is not None:
            self._note_files(entry, loaded)
            entry.is_stored = True
        self._publish(entry, (entry, before, zone, None))
        return True

    def stored(self, zone_id: ZoneId, zone: Zone, loaded: LoadedZone) -> None:
        """Take notice of the file that *zone*, which is served or was, has been written to; see `take`."""
        entry = self.table.get(zone_id)
        if entry is not None:
            self._note_files(entry, replace(loaded, zone=zone))
            entry.is_stored = True

    def expire(self, zone_id: ZoneId) -> None:
        """Answer SERVFAIL for a zone that could not be refreshed in time; its data stays in the table."""
        entry = self.table.get(zone_id)
        if entry is not None and entry.zone is not None and not entry.expired:
            entry.expired = True
            self._publish(entry)

    # --- zones that people edit in peace ----------------------------------------------------------

    async def freeze(self, zone_id: ZoneId) -> None:
        """Let a zone's file be, until `thaw`: neither read it nor write it, except by order.

        Returns when nothing is being done to it any more.
        """
        entry = self.table.get(zone_id)
        if entry is not None:
            entry.frozen = True
        while zone_id in self._stored or zone_id in self._loading:
            await self._moved.wait()

    async def thaw(self, zone_id: ZoneId) -> Loading:
        """End what `freeze` began, and load what is in the file now."""
        entry = self.table.get(zone_id)
        if entry is not None:
            entry.frozen = False
        return await self.load(zone_id)

    # --- what is to be loaded ---------------------------------------------------------------------

    def files_changed(self, paths: Iterable[str]) -> None:
        """Load the zones that *paths* are part of, before everything else."""
        for zone_id in self.table.made_of(paths):
            entry = self.table.get(zone_id)
            # We hear of our own renaming too.
            ours = entry is not None and entry.is_stored
            self._want(Wish(zone_id, urgent=True, only_if_changed=ours or zone_id in self._stored))

    def reload(self, *, force: bool = False, being_written: Callable[[str], bool] = _never_written) -> None:
        """Look at all zones; read those whose files changed or that have errors (all of them if *force*).

        Zones with a file that is *being_written* are left to their watcher, which tells when it is complete.
        """
        for entry in self.table:
            if any(being_written(path) for path in entry.files):
                continue
            self._want(Wish(entry.id, urgent=False, only_if_changed=not (force or entry.is_unsound)))

    async def load(self, zone_id: ZoneId, *, force: bool = False) -> Loading:
        """Look at one zone at once, also when it is frozen; return what came of it.

        It is read if its files changed, if it has errors or no data, or with *force*.
        """
        entry = self.table.get(zone_id)
        if entry is None:
            return Loading.GONE
        answer: asyncio.Future[Loading] = asyncio.get_running_loop().create_future()
        only_if_changed = not (force or entry.is_unsound)
        self._want(
            Wish(zone_id, urgent=True, only_if_changed=only_if_changed, by_order=True, waiting=(answer,))
        )
        return await answer

    @property
    def waiting(self) -> int:
        """How many zones are to be loaded or are being loaded."""
        return len(self._queue) + len(self._loading)

    async def idle(self) -> None:
        """Wait until nothing is left to load."""
        await self._idle.wait()

    async def settled(self, zone_id: ZoneId) -> None:
        """Wait until nothing is left to load of one zone."""
        while zone_id in self._queue or zone_id in self._loading:
            await self._moved.wait()

    def _want(self, wish: Wish) -> None:
        self._queue.add(wish)
        self._idle.clear()
        self._work.set()

    def _pulse(self) -> None:
        """Wake all who wait now."""
        self._moved.set()
        self._moved.clear()

    # --- loading ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Load what is asked for until cancelled."""
        while True:
            with without_collector() if len(self._queue) >= MANY_ZONES else nullcontext():
                await self._load_all()
            self._idle.set()
            self._work.clear()
            await self._work.wait()

    async def _load_all(self) -> None:
        """Load until nothing is left. While what was read is published the worker reads what comes next."""
        batch = self._begin_batch()
        while batch is not None:
            batch = self._end_batch(batch, await batch.outcomes)
        self._pulse()

    def _begin_batch(self) -> _Batch | None:
        """Have the worker read what comes first, but no zone that it has just read; None: there is none."""
        while wishes := self._queue.next_batch(self._batch_zones, but=self._loading.union(self._stored)):
            loads = [load for wish in wishes if (load := self._begin(wish)) is not None]
            if loads:
                zones = frozenset([load.entry.id for load in loads])
                self._loading |= zones
                loop = asyncio.get_running_loop()
                outcomes = loop.run_in_executor(self._executor, self._loader.read_some, loads)
                return _Batch(loads, zones, outcomes)
        return None

    def _end_batch(self, batch: _Batch, outcomes: list[Outcome]) -> _Batch | None:
        """Publish what was read and begin the next batch. What is known of zones is let go at the end."""
        for load in batch.loads[len(outcomes) :]:
            self._want(load.wish)
        # Those that time does not suffice for have been taken out of the queue for nothing.
        self._batch_zones = min(2 * len(outcomes), MOST_ZONES)
        following = self._begin_batch()
        now = time.time()  # one object for all of them
        with self._together():
            for outcome in outcomes:
                self._settle(outcome, now)
        self._loading = following.zones if following is not None else frozenset()
        self._pulse()
        return following or self._begin_batch()

    def _begin(self, wish: Wish) -> Load | None:
        """Return what is to be read, None where that is nothing."""
        entry = self.table.get(wish.zone_id)
        if entry is None or entry.config.file is None:
            wish.end(Loading.GONE)
        elif entry.frozen and not wish.by_order:
            wish.end(Loading.CURRENT)
        else:
            config, file = entry.config, entry.config.file
            expected = None
            if entry.loaded is None and self._bulk is not None and config.settings.watch:
                expected = self._bulk.expect_file(entry.id, file)
            return Load(wish, entry, config, file, entry.zone, expected)
        return None

    # --- what became of it ------------------------------------------------------------------------

    def _settle(self, outcome: Outcome, now: float) -> None:
        load, loaded = outcome.load, outcome.loaded
        entry, wish = load.entry, load.wish
        if self.table.get(entry.id) is not entry:
            if wish.waiting:  # else it is gone, or has another statement by now, and a wish for that
                self._want(wish)
        elif loaded is None or (entry.frozen and not wish.by_order):
            wish.end(Loading.CURRENT)
        elif entry.zone is not load.served or entry.id in self._stored:
            # A transfer was quicker, or is about to be: what was read may be from before.
            wish.urgent = wish.only_if_changed = True
            self._want(wish)
        else:
            self._note_files(entry, loaded, outcome)
            if loaded.zone is None:
                wish.end(self._failed(entry, loaded))
            else:
                self._loaded(entry, loaded, loaded.zone, outcome, now)
                if wish.waiting:
                    wish.end(Loading.LOADED)

    def _note_files(self, entry: ZoneEntry, loaded: LoadedZone, outcome: Outcome | None = None) -> None:
        entry.loaded, entry.is_stored = loaded, False
        self.table.set_files(entry, absolute_files(loaded))
        if outcome is not None and outcome.is_file and self._bulk is not None and entry.config.settings.watch:
            self._bulk.file_read(entry.id, entry.files[0], loaded.stamps[0], outcome.load.expected)
        else:
            self._tell_files(entry)

    def _tell_files(self, entry: ZoneEntry) -> None:
        loaded = entry.loaded
        if loaded is not None and entry.config.settings.watch:
            self._on_files(entry.id, dict(zip(entry.files, loaded.stamps, strict=True)))
        else:
            self._on_files(entry.id, {})

    def _failed(self, entry: ZoneEntry, loaded: LoadedZone) -> Loading:
        if entry.config.type is ZoneType.SECONDARY and loaded.is_missing and entry.zone is None:
            reports.report_missing(entry)
            return Loading.CURRENT
        entry.errors = tuple(item for item in loaded.diagnostics if item.severity is Severity.ERROR)
        reports.report_failure(entry)
        if entry.zone is None:
            self._publish(entry)
        return Loading.FAILED

    def _loaded(self, entry: ZoneEntry, loaded: LoadedZone, zone: Zone, outcome: Outcome, now: float) -> None:
        before, had_errors = entry.zone, bool(entry.errors)
        entry.errors = ()
        if before is not None and outcome.same_data:
            if had_errors:
                reports.report_good_again(entry, zone)
            return
        if loaded.diagnostics:
            reports.report_warnings(entry, loaded)
        entry.zone, entry.loaded_at = zone, now
        entry.expired = entry.config.type is ZoneType.SECONDARY and self._is_expired(entry, zone, loaded)
        self._publish(entry, (entry, before, zone, outcome))

    # --- what is answered -------------------------------------------------------------------------

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Publish all that is published inside of the ``with`` at its end, at once, which costs far less."""
        publications: list[Publication] = []
        changes: list[_Change] = []
        self._publishing = publications, changes
        try:
            yield
        finally:
            self._publishing = None
            if publications:
                self._answerer.publish_all(publications)
        self._tell_changes(changes)

    def _publish(self, entry: ZoneEntry, change: _Change | None = None) -> None:
        """Serve what there is of *entry*, and tell of the *change* of its data then."""
        zone, reason = entry.zone, ""
        if zone is None or entry.expired:
            zone = None
            reason = "zone is not loaded because of errors" if entry.errors else "zone has no data yet"
            reason = EXPIRED if entry.expired else reason
        config = entry.config
        what = Publication(config.view, config.origin, zone, self._policy_of(config.settings), reason)
        if self._publishing is None:
            self._answerer.publish_all((what,))
            self._tell_changes(() if change is None else (change,))
            return
        publications, changes = self._publishing
        publications.append(what)
        if change is not None:
            changes.append(change)

    def _tell_changes(self, changes: Sequence[_Change]) -> None:
        """Tell of data that is served now."""
        reports.report_all_loaded(changes)
        for entry, before, zone, _ in changes:
            self._on_published(entry, before, zone)

    def _policy_of(self, settings: ZoneSettings) -> ZonePolicy:
        """Return who may ask; the same object for zones with the same lists, which most have."""
        known = self._policy
        if (
            known.allow_query is not settings.allow_query
            or known.allow_query_on is not settings.allow_query_on
        ):
            self._policy = known = ZonePolicy(settings.allow_query, settings.allow_query_on)
        return known
