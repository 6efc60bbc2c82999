"""Deltas that are served and not yet in their zone's file: noted on the disk, and played onto it at a start.

A large zone takes a second or more to be written as a file, and its deltas a millisecond to be noted in the
state database. So they are noted there first, lastingly, and then served; `bindpy.xfr.behind` writes the file
later. Whoever reads the file meanwhile, the next start above all, plays the deltas onto it: only onto a file
that looks as it did when they were noted. With any other file they are discarded, with a warning.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from bindpy.config.model import ZoneChecks
from bindpy.deferred import dataclass
from bindpy.engine import ManyFilesReader, PlainLoad, Zones
from bindpy.reload.table import ZoneEntry, ZoneId
from bindpy.state import unwritten
from bindpy.state.codec import DeltaFormatError, decode_delta, encode_delta
from bindpy.state.db import StateDb
from bindpy.state.unwritten import Look
from bindpy.zone.diff import Delta, DeltaDoesNotFitError
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.names import Name
from bindpy.zone.snapshot import ZoneTooLargeError

log = logging.getLogger("bindpy.general")


@dataclass(frozen=True, slots=True)
class Noted:
    """What is noted of one zone; deltas have the numbers of their rows."""

    looks: dict[Look, int]
    deltas: tuple[tuple[int, Delta], ...]

    def after(self, look: Look) -> list[Delta] | None:
        """Return the deltas that a file with *look* lacks; None: nobody knows that file."""
        known = self.looks.get(look)
        if known is None:
            return None
        return [delta for number, delta in self.deltas if number > known]

    def number_of(self, serial: int) -> int | None:
        """Return the number of the delta that leads to *serial*, None where none does."""
        return next((number for number, delta in self.deltas if delta.new_serial == serial), None)

    @property
    def records(self) -> int:
        """How many records the deltas have."""
        return sum(len(delta) for _, delta in self.deltas)


class Unwritten:
    """All zones' deltas that their files lack. `read_file` is for worker threads, the rest for the loop's."""

    def __init__(self, zones: Zones) -> None:
        self._zones = zones
        self._state: StateDb | None = None
        self._noted: dict[ZoneId, Noted] = {}
        self._changing = asyncio.Lock()

    async def open(self, state: StateDb) -> None:
        """Read what is noted. Call it before any zone is read."""
        self._state = state
        nothing: dict[ZoneId, unwritten.Rows] = {}
        for zone_id, (looks, rows) in (await state.run(unwritten.load, nothing)).items():
            try:
                deltas = tuple((number, decode_delta(data)) for number, data in rows)
            except DeltaFormatError as error:
                log.warning("zone %s: deltas that its file lacks are damaged: %s", zone_id, error)
                deltas = ()
            if looks and deltas:
                self._noted[zone_id] = Noted(looks, deltas)
            else:
                await self.forget(zone_id)

    def of(self, zone_id: ZoneId) -> Noted | None:
        """Return what is noted of a zone, None where its file holds all that is served."""
        return self._noted.get(zone_id)

    # --- reading ----------------------------------------------------------------------------------

    def read_file(self, path: str, origin: Name, rdclass: int, checks: ZoneChecks) -> LoadedZone:
        """Read a zone file as the engine does, and play onto the zone what is noted of just this file."""
        loaded = self._zones.read_file(path, origin, rdclass, checks)
        stamp, zone = loaded.stamps[0], loaded.zone
        if not self._noted or stamp is None or zone is None or checks.primary:
            return loaded
        look, key = Look.of(stamp), origin.lower()
        for (_, noted_key), noted in list(self._noted.items()):
            deltas = noted.after(look) if noted_key == key else None
            if deltas:
                try:
                    return replace(loaded, zone=self._zones.apply(zone, deltas, may_repeat=True))
                except (DeltaDoesNotFitError, ZoneTooLargeError) as error:
                    log.warning("%s: the deltas that were noted for this file do not fit it: %s", path, error)
        return loaded

    @property
    def read_files(self) -> ManyFilesReader | None:
        """What reads many files, as the engine has it: those that are noted are left to `read_file`."""
        return None if self._zones.read_files is None else self._read_files

    def _read_files(
        self, files: Sequence[tuple[str, Name]], checks: ZoneChecks, *, within_s: float
    ) -> list[PlainLoad | None]:
        assert self._zones.read_files is not None, "see read_files"
        found = self._zones.read_files(files, checks, within_s=within_s)
        noted = {key for _, key in list(self._noted)}
        if not noted:
            return found
        return [None if files[at][1].lower() in noted else one for at, one in enumerate(found)]

    def fits(self, entry: ZoneEntry) -> bool:
        """Return whether what is noted belongs to the file of *entry*, and the served zone has all of it."""
        noted = self._noted.get(entry.id)
        stamp = entry.loaded.stamps[0] if entry.loaded is not None else None
        if noted is None or entry.zone is None or stamp is None or Look.of(stamp) not in noted.looks:
            return False
        return entry.zone.serial == noted.deltas[-1][1].new_serial

    # --- noting -----------------------------------------------------------------------------------

    async def note(self, entry: ZoneEntry, deltas: tuple[Delta, ...]) -> bool:
        """Note *deltas*, which lead on from what is served of *entry*; False: that cannot be done."""
        try:
            rows = [encode_delta(delta) for delta in deltas]
        except DeltaFormatError:
            return False
        state = self._state
        if state is None or state.path is None:
            return False
        async with self._changing:
            before = self._noted.get(entry.id)
            base = None if before is not None else _look_of_file(entry)
            if before is not None:
                looks, earlier = before.looks, before.deltas
                if earlier[-1][1].new_serial != deltas[0].old_serial:
                    return False  # what was noted last was never served: a refresh was cancelled
            elif base is not None:
                looks, earlier = {base: 0}, ()
            else:
                return False
            after = earlier[-1][0] if earlier else 0
            numbers: list[int] = await state.run(
                lambda db: unwritten.add(db, entry.id, base, after, rows), [], lasting=True
            )
            if numbers:
                self._noted[entry.id] = Noted(looks, (*earlier, *zip(numbers, deltas, strict=True)))
            return bool(numbers)

    async def is_to_be(self, zone_id: ZoneId, look: Look, after: int) -> bool:
        """Note that a file with *look* is about to get the zone's name; it holds all up to the delta *after*.

        False: it must not get it.
        """
        async with self._changing:
            noted = self._noted.get(zone_id)
            if self._state is None or noted is None:
                return False
            done: bool = await self._state.run(
                lambda db: unwritten.add_look(db, zone_id, look, after), False, lasting=True
            )
            if done:
                self._noted[zone_id] = Noted(noted.looks | {look: after}, noted.deltas)
            return done

    async def written(self, zone_id: ZoneId, after: int) -> None:
        """Forget what the file holds that has the zone's name for good now."""
        async with self._changing:
            noted = self._noted.get(zone_id)
            if self._state is None or noted is None:
                return
            deltas = tuple(one for one in noted.deltas if one[0] > after)
            if deltas:
                looks = {look: known for look, known in noted.looks.items() if known >= after}
                self._noted[zone_id] = Noted(looks, deltas)
            else:
                del self._noted[zone_id]
            await self._state.run(lambda db: unwritten.written(db, zone_id, after), None)

    def let_go(self, zone_id: ZoneId) -> Coroutine[Any, Any, None]:
        """Play nothing onto the zone any more; return what forgets it in the database, too."""
        noted, state = self._noted.pop(zone_id), self._state
        assert state is not None, "noted without a database"
        last, _ = noted.deltas[-1]
        return state.run(lambda db: unwritten.drop(db, zone_id, last), None)

    def retain(self, zones: Collection[ZoneId]) -> None:
        """Let go of all zones but *zones*, of which the database has nothing any more."""
        for zone_id in self._noted.keys() - set(zones):
            del self._noted[zone_id]

    async def forget(self, zone_id: ZoneId) -> None:
        """Forget all that is noted of a zone: its file holds other data now."""
        self._noted.pop(zone_id, None)
        if self._state is not None:
            await self._state.run(lambda db: unwritten.forget(db, zone_id), None)


def _look_of_file(entry: ZoneEntry) -> Look | None:
    """Return the look of the file that holds exactly what is served of *entry*, None where none does."""
    loaded = entry.loaded
    if loaded is None or loaded.zone is None or entry.errors or len(loaded.stamps) != 1:
        return None
    stamp = loaded.stamps[0]
    return Look.of(stamp) if stamp is not None else None
