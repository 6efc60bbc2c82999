"""Zone files that are written after their zones are served: large zones, of which deltas came.

What is not in the file yet is noted in the state database (`bindpy.xfr.unwritten`). Writing begins at once,
and takes the deltas that come meanwhile together. A file that cannot be written is tried again with the next
change of its zone, or at the next start.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Iterable
from concurrent.futures import Executor

from bindpy.config.model import CheckMode, ZoneChecks, ZoneType
from bindpy.diagnostics import Severity
from bindpy.engine import Zone, Zones
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry, ZoneId
from bindpy.server.tasks import TaskSet
from bindpy.state.unwritten import Look
from bindpy.xfr.store import LARGE_RECORDS, StoreError, make_lasting, store_zone
from bindpy.xfr.unwritten import Unwritten
from bindpy.zone.diff import Delta
from bindpy.zone.names import Key

log = logging.getLogger("bindpy.xfer-in")

MOST_RECORDS = 10_000
"""Deltas of more records than these are stored as all other transfers are: before they are served."""
AT_ONCE_RECORDS = 500
"""Deltas of so few records are judged at once, which takes milliseconds; others in a worker thread."""
MOST_WAITING = 1000
"""Where a file cannot be written, changes are noted until there are so many; then they are stored as all
other transfers are, and what cannot be stored is not served."""
MOST_WAITING_RECORDS = 50_000
"""And until they have so many records."""
NOTING_TIMEOUT_S = 60.0
"""How long a worker thread waits for the loop, which may have ended for good."""


class WriteBehind:
    """Writes the files of zones whose deltas were noted. Belongs to the event loop; *executor* works."""

    def __init__(self, keeper: ZoneKeeper, executor: Executor, zones: Zones, unwritten: Unwritten) -> None:
        self._keeper = keeper
        self._executor = executor
        self._zones = zones
        self._unwritten = unwritten
        self._tasks = TaskSet(log)
        self._wanted: set[ZoneId] = set()
        self._writing: dict[ZoneId, asyncio.Task[None]] = {}

    async def note(self, entry: ZoneEntry, zone: Zone, deltas: tuple[Delta, ...]) -> bool:
        """Note *deltas*, which make *zone* of what is served of *entry*, so that they may be served at once.

        Then serve *zone* and call `begin`. False: it has to be stored before that.
        """
        records = sum(map(len, deltas))
        if not deltas or zone.rr_count < LARGE_RECORDS or records > MOST_RECORDS:
            return False
        noted = self._unwritten.of(entry.id)
        if noted is not None and (len(noted.deltas) >= MOST_WAITING or noted.records >= MOST_WAITING_RECORDS):
            return False
        judge = functools.partial(self._may_be_served, zone, entry.config.settings.checks, deltas)
        if records <= AT_ONCE_RECORDS:
            may_be = judge()
        else:
            may_be = await asyncio.get_running_loop().run_in_executor(self._executor, judge)
        if not may_be:
            return False
        return await self._unwritten.note(entry, deltas)

    def _may_be_served(self, zone: Zone, checks: ZoneChecks, deltas: Iterable[Delta]) -> bool:
        """Return whether *zone* would be stored: of owners that stay as they were, nothing gets refused now.

        Only targets of their records may have changed, which is warned of, unless the settings say more.
        """
        if CheckMode.FAIL in (checks.mx, checks.mx_cname, checks.srv_cname):
            return False
        owners: dict[Key, None] = {}
        for delta in deltas:
            owners.update((rr.owner.lower(), None) for rr in delta.removed)
            owners.update((rr.owner.lower(), None) for rr in delta.added)
        found = self._zones.check(zone, checks, owners)
        return not any(item.severity is Severity.ERROR for item in found)

    def begin(self, entry: ZoneEntry) -> None:
        """Write the file of *entry*'s zone; the version that is served has all that is noted."""
        self._wanted.add(entry.id)
        if entry.id not in self._writing:
            writing = self._write(entry.id)
            self._writing[entry.id] = self._tasks.spawn(writing, f"writing of zone {entry.label}")

    def published(self, entry: ZoneEntry) -> None:
        """Take notice of other data of *entry*: write its file, or forget what does not fit it."""
        if self._unwritten.of(entry.id) is None:
            return
        if entry.loaded is None:
            return  # its statement is another one now: when its file has been read this is called again
        if entry.config.type is ZoneType.SECONDARY and self._unwritten.fits(entry):
            self.begin(entry)
            return
        log.warning(
            "zone %s: deltas that were received and not yet written to %s do not belong to that file as it "
            "is now: discarded",
            entry.label,
            entry.config.file,
        )
        self._tasks.spawn(self._unwritten.let_go(entry.id), f"forgetting deltas of {entry.label}")

    async def rest(self, zone_id: ZoneId) -> None:
        """Wait until the file of a zone is not being written."""
        task = self._writing.get(zone_id)
        if task is not None:
            await asyncio.wait([task])

    async def replaced(self, zone_id: ZoneId) -> None:
        """Take notice that the file holds another version now, whole."""
        if self._unwritten.of(zone_id) is not None:
            await self._unwritten.forget(zone_id)

    async def finish(self, timeout_s: float) -> None:
        """Wait until all files are written; after *timeout_s*, leave the rest to the next start."""
        await self._tasks.finish(timeout_s)

    async def _write(self, zone_id: ZoneId) -> None:
        try:
            with self._keeper.storing(zone_id):
                while zone_id in self._wanted:
                    self._wanted.discard(zone_id)
                    await self._write_once(zone_id)
        finally:
            del self._writing[zone_id]

    async def _write_once(self, zone_id: ZoneId) -> None:
        entry, noted = self._keeper.table.get(zone_id), self._unwritten.of(zone_id)
        if entry is None or entry.zone is None or entry.config.file is None or noted is None:
            return
        number = noted.number_of(entry.zone.serial)
        if number is None:
            return  # the next one is noted and about to be served: `begin` follows
        try:
            await self._store(entry, entry.zone, entry.config.file, number)
        except StoreError as error:
            if self._unwritten.of(zone_id) is None:
                return  # the zone is gone, or its file is another one: there is nothing left to write
            log.error(
                "zone %s: serial %d is served and was not stored: %s; it is kept in the state database, and "
                "stored with the next change or at the next start",
                entry.label,
                entry.zone.serial,
                error,
            )
        else:
            await self._unwritten.written(zone_id, number)

    async def _store(self, entry: ZoneEntry, zone: Zone, path: str, number: int) -> None:
        """Write *zone*, which has all up to the delta *number*, to *path*. Raises `StoreError`."""
        loop = asyncio.get_running_loop()

        def before_rename(look: Look) -> None:
            """Runs in the worker thread."""
            noting = asyncio.run_coroutine_threadsafe(self._unwritten.is_to_be(entry.id, look, number), loop)
            try:
                is_noted = noting.result(NOTING_TIMEOUT_S)
            except TimeoutError:
                is_noted = False
            if not is_noted:
                raise StoreError("the state database cannot take note of it")

        store = functools.partial(
            store_zone,
            zone,
            path,
            zones=self._zones,
            checks=entry.config.settings.checks,
            origin_of_data="its primary by IXFR",
            raw=entry.config.settings.masterfile_format == "raw",
            before_rename=before_rename,
        )
        loaded = await loop.run_in_executor(self._executor, store)
        self._keeper.stored(entry.id, zone, loaded)
        await loop.run_in_executor(self._executor, make_lasting, path)
