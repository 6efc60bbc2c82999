"""Loads zones one after the other in a worker thread and publishes what is good.

The event loop owns the table and decides; the worker only reads files. A zone that does not load keeps
serving its last good data. Edits go before the bulk of a start or a reload.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bindpy.answer.policy import EXPIRED, ZonePolicy
from bindpy.config.model import ZoneConfig, ZoneType
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.engine import Answerer, Zone, ZoneFileReader
from bindpy.files import FileStamp
from bindpy.reload.bind_journal import journal_beyond
from bindpy.reload.collector import without_collector
from bindpy.reload.table import ZoneEntry, ZoneId, ZoneTable
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.serials import is_newer

log = logging.getLogger("bindpy.zoneload")

BATCH_S = 0.05
"""How long the worker reads before it hands over what it has: zones appear early, hand-overs stay few."""
BATCH_ZONES = 500
TORN_READS = 5
"""How often a file that changed while it was read is tried again at once; then its watcher decides."""

LARGE_OCTETS = 1 << 20
"""From which size on a zone file is worth keeping Python's collector from its records."""

OnFiles = Callable[[ZoneId, Mapping[str, FileStamp | None]], None]
OnPublished = Callable[[ZoneEntry, Zone | None, Zone], None]
IsExpired = Callable[[ZoneEntry, Zone, LoadedZone], bool]


def _never_expired(_entry: ZoneEntry, _zone: Zone, _loaded: LoadedZone) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _Job:
    entry: ZoneEntry
    config: ZoneConfig
    served: Zone | None
    only_if_changed: bool


@dataclass(frozen=True, slots=True)
class _Outcome:
    job: _Job
    loaded: LoadedZone | None  # None: the files are as they were
    same_data: bool
    seconds: float
    beyond: tuple[str, int] | None = None  # BIND's journal with changes that the file lacks, and its serial


def _never_written(path: str) -> bool:  # noqa: ARG001 - where nothing is watched
    return False


class ZoneKeeper:
    """Keeps what is served true to the zone files.

    *on_files* is told which files a zone is made of and how they were when they were read, after each load;
    with nothing when the zone is gone or its files are not to be watched. *on_published* is told of each
    change of a zone's data, after it is served: the entry, the data before (None: there was none), the data
    now. *is_expired* is asked whether data that was read from a file may not be served any more. All methods
    belong to the event loop's thread; `run` is the task that does the work.
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
    ) -> None:
        self.table = ZoneTable()
        self._answerer = answerer
        self._reader = reader
        self._executor = executor
        self._on_files = on_files
        self._on_published = on_published
        self._is_expired = is_expired
        self._stored: dict[ZoneId, int] = {}
        self._urgent: dict[ZoneId, bool] = {}
        self._bulk: dict[ZoneId, bool] = {}
        self._loading: frozenset[ZoneId] = frozenset()
        self._batch_done = asyncio.Event()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    # --- which zones there are --------------------------------------------------------------------

    def configure(self, zones: Iterable[ZoneConfig]) -> None:
        """Serve exactly *zones*: withdraw those that are gone, load new ones and those with another file."""
        wanted = {(zone.view, zone.origin.lower()): zone for zone in zones}
        for gone in [entry.id for entry in self.table if entry.id not in wanted]:
            self.remove(gone)
        for config in wanted.values():
            self.put(config)

    def put(self, config: ZoneConfig, *, urgent: bool = False) -> None:
        """Serve one zone that is new or has another statement; one that stays as it is costs nothing.

        *urgent*: load it before all that a start or a reload has to load.
        """
        entry = self.table.get((config.view, config.origin.lower()))
        if entry is None:
            self._start(config, None, urgent=urgent)
        elif entry.config == config:
            entry.config = config  # it may stand elsewhere in its file now
        elif _must_load_anew(entry.config, config):
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
        self.table.add(entry)
        self._publish(entry)
        self._request(entry.id, urgent=urgent, only_if_changed=False)

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
        self._publish(entry)
        self._on_published(entry, before, zone)
        return True

    def expire(self, zone_id: ZoneId) -> None:
        """Answer SERVFAIL for a zone that could not be refreshed in time; its data stays in the table."""
        entry = self.table.get(zone_id)
        if entry is not None and entry.zone is not None and not entry.expired:
            entry.expired = True
            self._publish(entry)

    # --- what is to be loaded ---------------------------------------------------------------------

    def files_changed(self, paths: Iterable[str]) -> None:
        """Load the zones that *paths* are part of, before everything else."""
        for zone_id in self.table.made_of(paths):
            entry = self.table.get(zone_id)
            # We hear of our own renaming too.
            ours = entry is not None and entry.is_stored
            self._request(zone_id, urgent=True, only_if_changed=ours or zone_id in self._stored)

    def reload(self, *, force: bool = False, being_written: Callable[[str], bool] = _never_written) -> None:
        """Look at all zones; read those whose files changed or that have errors (all of them if *force*).

        Zones with a file that is *being_written* are left to their watcher, which tells when it is complete.
        """
        for entry in self.table:
            if any(being_written(path) for path in entry.files):
                continue
            retry = force or entry.zone is None or bool(entry.errors)
            self._request(entry.id, urgent=False, only_if_changed=not retry)

    async def idle(self) -> None:
        """Wait until nothing is left to load."""
        await self._idle.wait()

    async def settled(self, zone_id: ZoneId) -> None:
        """Wait until nothing is left to load of one zone."""
        while zone_id in self._urgent or zone_id in self._bulk or zone_id in self._loading:
            await self._batch_done.wait()

    def _request(self, zone_id: ZoneId, *, urgent: bool, only_if_changed: bool) -> None:
        queue = self._urgent if urgent else self._bulk
        queue[zone_id] = queue.get(zone_id, True) and only_if_changed
        self._idle.clear()
        self._work.set()

    # --- loading ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Load what is asked for until cancelled."""
        while True:
            while await self._load_next():
                pass
            self._idle.set()
            self._work.clear()
            await self._work.wait()

    async def _load_next(self) -> bool:
        """Load what comes first; False when there is nothing. What it knew of zones is let go at its end."""
        jobs = self._next_jobs()
        if not jobs:
            return False
        loop = asyncio.get_running_loop()
        self._loading = frozenset(job.entry.id for job in jobs)
        outcomes = await loop.run_in_executor(self._executor, self._read_some, jobs)
        for job in jobs[len(outcomes) :]:
            self._request(job.entry.id, urgent=False, only_if_changed=job.only_if_changed)
        for outcome in outcomes:
            self._settle(outcome)
        self._loading = frozenset()
        self._batch_done.set()  # wakes who waits now
        self._batch_done.clear()
        return True

    def _next_jobs(self) -> list[_Job]:
        jobs: list[_Job] = []
        for queue in (self._urgent, self._bulk):
            self._take_jobs(queue, jobs)
            if jobs:
                break
        return jobs

    def _take_jobs(self, queue: dict[ZoneId, bool], jobs: list[_Job]) -> None:
        stored = {zone_id: queue.pop(zone_id) for zone_id in self._stored if zone_id in queue}
        while queue and len(jobs) < BATCH_ZONES:
            zone_id = next(iter(queue))
            only_if_changed = queue.pop(zone_id)
            entry = self.table.get(zone_id)
            if entry is not None and entry.config.file is not None:
                jobs.append(_Job(entry, entry.config, entry.zone, only_if_changed))
        queue.update(stored)  # until `storing` ends

    def _read_some(self, jobs: list[_Job]) -> list[_Outcome]:
        """Read zones until time is up, one at least. Runs in the worker thread."""
        if len(jobs) > 1 or _is_large(jobs[0]):
            with without_collector():
                return self._read_in_turn(jobs)
        return self._read_in_turn(jobs)

    def _read_in_turn(self, jobs: list[_Job]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        deadline = time.monotonic() + BATCH_S
        for job in jobs:
            outcomes.append(self._read(job))
            if time.monotonic() > deadline:
                break
        return outcomes

    def _read(self, job: _Job) -> _Outcome:
        started = time.monotonic()
        if job.only_if_changed and job.entry.loaded is not None and not job.entry.loaded.is_outdated():
            return _Outcome(job, None, same_data=True, seconds=0.0)
        config = job.config
        assert config.file is not None  # _next_jobs leaves zones without a file out
        for _ in range(TORN_READS):
            loaded = self._read_file(job, config.file)
            if not loaded.is_outdated():
                break
        same_data = loaded.zone is not None and job.served is not None and job.served.same_data(loaded.zone)
        beyond = None
        if loaded.zone is not None and job.entry.loaded is None and config.type is not ZoneType.SECONDARY:
            beyond = journal_beyond(config.file, loaded.zone.serial)
        return _Outcome(job, loaded, same_data, time.monotonic() - started, beyond)

    def _read_file(self, job: _Job, path: str) -> LoadedZone:
        config = job.config
        try:
            return self._reader(path, config.origin, config.rdclass, config.settings.checks)
        except Exception:
            # A fault of ours in one zone must not take the others down with it.
            log.exception(
                "zone %s: fault in bindpy while reading %s; please report it", job.entry.label, path
            )
            found = Diagnostic(Severity.ERROR, "not read because of a fault in bindpy", SourceSpan(path))
            return LoadedZone(None, (found,), (path,), (FileStamp.of(path),))

    # --- what became of it ------------------------------------------------------------------------

    def _settle(self, outcome: _Outcome) -> None:
        entry, loaded = outcome.job.entry, outcome.loaded
        if loaded is None or self.table.get(entry.id) is not entry:
            return
        if entry.zone is not outcome.job.served or entry.id in self._stored:
            # A transfer was quicker, or is about to be: what was read may be from before.
            self._request(entry.id, urgent=True, only_if_changed=True)
            return
        self._note_files(entry, loaded)
        if loaded.zone is None:
            self._failed(entry, loaded)
        else:
            self._loaded(entry, loaded, loaded.zone, outcome)

    def _note_files(self, entry: ZoneEntry, loaded: LoadedZone) -> None:
        entry.loaded, entry.is_stored = loaded, False
        self.table.set_files(entry, _absolute(loaded))
        self._tell_files(entry)

    def _tell_files(self, entry: ZoneEntry) -> None:
        loaded = entry.loaded
        if loaded is not None and entry.config.settings.watch:
            self._on_files(entry.id, dict(zip(_absolute(loaded), loaded.stamps, strict=True)))
        else:
            self._on_files(entry.id, {})

    def _failed(self, entry: ZoneEntry, loaded: LoadedZone) -> None:
        secondary = entry.config.type is ZoneType.SECONDARY
        if secondary and loaded.is_missing and entry.zone is None:
            log.info("zone %s: no data yet: %s is not there", entry.label, entry.config.file)
            return
        entry.errors = tuple(item for item in loaded.diagnostics if item.severity is Severity.ERROR)
        for item in entry.errors:
            _log_lines(logging.WARNING if secondary else logging.ERROR, entry, item)
        if entry.zone is None and secondary:
            log.warning(
                "zone %s: no data yet: %s cannot be used and will be replaced by a transfer",
                entry.label,
                entry.config.file,
            )
            self._publish(entry)
        elif entry.zone is None:
            log.error("zone %s: not loaded due to errors; its names are answered with SERVFAIL", entry.label)
            self._publish(entry)
        else:
            log.error("zone %s: reload failed, still serving serial %d", entry.label, entry.zone.serial)

    def _loaded(self, entry: ZoneEntry, loaded: LoadedZone, zone: Zone, outcome: _Outcome) -> None:
        before, had_errors = entry.zone, bool(entry.errors)
        entry.errors = ()
        if before is not None and outcome.same_data:
            if had_errors:
                log.info("zone %s: good again, data as served (serial %d)", entry.label, zone.serial)
            return
        for item in loaded.diagnostics:
            if item.severity is Severity.WARNING:
                _log_lines(logging.WARNING, entry, item)
        entry.zone, entry.loaded_at = zone, time.time()
        entry.expired = self._is_expired(entry, zone, loaded)
        self._publish(entry)
        log.info(
            "zone %s: loaded serial %d (%d records, %.3f s)",
            entry.label,
            zone.serial,
            zone.rr_count,
            outcome.seconds,
        )
        if before is not None and not is_newer(zone.serial, before.serial):
            _warn_of_serial(entry, before.serial, zone.serial)
        if before is not None and entry.config.type is ZoneType.SECONDARY:
            log.warning(
                "zone %s: %s was changed by hand: served, but the next transfer will replace it",
                entry.label,
                entry.config.file,
            )
        if outcome.beyond is not None:
            log.warning(
                "zone %s: BIND's journal %s has changes up to serial %d that the zone file (serial %d) "
                "lacks; it is not read here: run 'rndc sync -clean' in BIND first",
                entry.label,
                *outcome.beyond,
                zone.serial,
            )
        self._on_published(entry, before, zone)

    def _publish(self, entry: ZoneEntry) -> None:
        settings = entry.config.settings
        policy = ZonePolicy(settings.allow_query, settings.allow_query_on)
        if entry.zone is not None and not entry.expired:
            self._answerer.publish(entry.config.view, entry.zone, policy)
        else:
            reason = "zone is not loaded because of errors" if entry.errors else "zone has no data yet"
            reason = EXPIRED if entry.expired else reason
            self._answerer.unavailable(entry.config.view, entry.config.origin, policy, reason)


def _is_large(job: _Job) -> bool:
    stamp = FileStamp.of(job.config.file or "")
    return stamp is not None and stamp.size >= LARGE_OCTETS


def _absolute(loaded: LoadedZone) -> tuple[str, ...]:
    """Return the zone's files as the watcher names them; `$INCLUDE` counts from the working directory."""
    try:
        return tuple(os.path.abspath(path) for path in loaded.files)  # noqa: PTH100 - for 100,000 zones
    except FileNotFoundError:  # the working directory has been deleted: beside the zone file, most likely
        place = Path(loaded.files[0]).parent
        return tuple(str(place / path) for path in loaded.files)


def _must_load_anew(old: ZoneConfig, new: ZoneConfig) -> bool:
    """Return whether the zone's data may come out differently under the *new* statement."""
    return (old.file, old.type, old.rdclass, old.settings.checks, old.settings.masterfile_format) != (
        new.file,
        new.type,
        new.rdclass,
        new.settings.checks,
        new.settings.masterfile_format,
    )


def _log_lines(level: int, entry: ZoneEntry, item: Diagnostic) -> None:
    for line in item.log_lines():
        log.log(level, "zone %s: %s", entry.label, line)


def _warn_of_serial(entry: ZoneEntry, old: int, new: int) -> None:
    what = "is unchanged" if old == new else f"went backwards from {old}"
    log.warning(
        "zone %s: the content changed but the serial (%d) %s; the zone is served, but secondaries will not "
        "take it; raise the serial in %s",
        entry.label,
        new,
        what,
        entry.config.file,
    )
