"""The journal: what changed from version to version of each zone, for IXFR out.

Deltas come from comparing snapshots, whatever changed the zone. Those of a zone are a chain: each starts
where the one before it ended, by serial and by a digest of the whole zone's data. At the first load the
chain is cut to what leads to exactly the data in the zone file, or discarded; so a file that was edited or
restored while nobody looked can never be joined to deltas that do not lead to it.

A serial that has stood for different data begins no delta: nobody knows which of it a secondary has, and what
leads from one would leave the other wrong for good. Such secondaries get the whole zone at the next serial.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace

from bindpy.config.model import JournalSettings
from bindpy.deferred import dataclass
from bindpy.engine import Zone, Zones
from bindpy.state import links
from bindpy.state.codec import DeltaFormatError, decode_delta, encode_delta
from bindpy.state.db import StateDb
from bindpy.state.links import JournalStatus, Link, ZoneId
from bindpy.zone.diff import Delta, condense
from bindpy.zone.digest import ZoneDigest
from bindpy.zone.names import Key, to_text
from bindpy.zone.rdata import class_to_text
from bindpy.zone.serials import is_newer

MAX_DELTAS = 1000
"""The most that is kept for a zone. A secondary that missed more changes than this is sent the zone."""

AT_HAND_RECORDS = 50
"""A zone's last delta is kept in memory, too, if it has no more than these."""
SMALL_RECORDS = 2000
"""Zones of up to so many records are compared at once: asking a worker thread for it takes longer."""

MIN_OCTETS = 16384
"""What is kept of a small zone, of which twice its size would not hold a handful of changes."""

log = logging.getLogger("bindpy.xfer-out")


@dataclass(frozen=True, slots=True)
class _Tip:
    """The version that a zone's chain ends with, or that one may begin from; ``last`` led to it, if short.

    Who is told of a change asks for it at once, and mostly has the version before.
    """

    zone: Zone
    digest: ZoneDigest
    last: Delta | None = None


class Journal:
    """Keeps the deltas of all zones. Its methods belong to the event loop's thread and never block it."""

    def __init__(self, db: StateDb, zones: Zones) -> None:
        self._db = db
        self._zones = zones
        self._tips: dict[ZoneId, _Tip] = {}
        self._doubtful: set[ZoneId] = set()
        self._kept: set[ZoneId] = set()
        self._locks: dict[ZoneId, tuple[asyncio.Lock, int]] = {}

    async def open(self) -> None:
        """Learn of which zones anything is kept. Call it before all else."""
        kept: list[ZoneId] = await self._db.run(links.zones_with_links, [])
        self._kept = set(kept)

    def is_new(self, zone_id: ZoneId, before: Zone | None) -> bool:
        """Return whether `record` has nothing to do: the first data of a zone of which nothing is kept.

        At the start that is nearly all of 100,000 zones.
        """
        return before is None and zone_id not in self._kept and zone_id not in self._locks

    async def record(
        self,
        view: str,
        settings: JournalSettings,
        before: Zone | None,
        after: Zone,
    ) -> None:
        """Note that *after* was published in place of *before* (None: nothing was served before).

        Call it for each change of a zone in the order of the changes; those of one zone wait for each other.
        """
        zone_id = (view, after.key)
        async with self._turn(zone_id):
            if not settings.from_differences:
                await self._discard(zone_id)
            elif before is None:
                await self._join(zone_id, after)
            elif is_newer(after.serial, before.serial):
                await self._append(zone_id, settings, before, after)
            else:
                # While it is not known, nobody is given what leads to *before*.
                tip = self._tips.pop(zone_id, None)
                if after.serial == before.serial and await asyncio.to_thread(after.same_data, before):
                    if tip is not None and tip.zone is before:
                        self._tips[zone_id] = replace(tip, zone=after)
                    return
                # No secondary can follow: to them this is no later version. What is in the database stays
                # until the serial rises, so that a restart before that finds out, too.
                self._doubtful.add(zone_id)

    async def chain(self, view: str, key: Key, from_serial: int, to_serial: int) -> list[Delta] | None:
        """Return what leads from one serial of a zone to another, in as few records as can be; None: unknown.

        Waits for changes that are being recorded.
        """
        zone_id = (view, key)
        last = self._last_delta(zone_id)
        if last is not None and (last.old_serial, last.new_serial) == (from_serial, to_serial):
            return [last]
        async with self._turn(zone_id):
            if from_serial == to_serial or zone_id in self._doubtful or zone_id not in self._kept:
                return None
            found: list[Link] = await self._db.run(
                lambda db: links.between(db, zone_id, from_serial, to_serial), []
            )
        if not found:
            return None
        try:
            return [await asyncio.to_thread(_condensed, found)]
        except DeltaFormatError as error:
            log.warning(
                "zone %s: the journal of IXFR deltas is damaged and was discarded: %s", _label(zone_id), error
            )
            async with self._turn(zone_id):
                await self._discard(zone_id)
            return None

    def _last_delta(self, zone_id: ZoneId) -> Delta | None:
        tip = self._tips.get(zone_id)
        return tip.last if tip is not None and zone_id not in self._doubtful else None

    async def status(self, zone_id: ZoneId) -> JournalStatus | None:
        """Return what is kept of a zone, None where that is nothing."""
        if zone_id not in self._kept:
            return None
        found: JournalStatus | None = await self._db.run(lambda db: links.summary(db, zone_id), None)
        return found

    async def discard(self, zone_id: ZoneId) -> None:
        """Forget all deltas of a zone: the next IXFR is answered with the whole of it."""
        async with self._turn(zone_id):
            await self._discard(zone_id)

    def retain(self, zones: Collection[ZoneId]) -> None:
        """Let go of all zones but *zones*, whose chains are no longer in the database."""
        for zone_id in self._tips.keys() - set(zones):
            del self._tips[zone_id]
        self._doubtful.intersection_update(zones)
        self._kept.intersection_update(zones)

    def forget(self, zone_id: ZoneId) -> None:
        """Let go of one zone, whose chain is no longer in the database."""
        self._tips.pop(zone_id, None)
        self._doubtful.discard(zone_id)
        self._note(zone_id, has_links=False)

    # --- one zone's chain -------------------------------------------------------------------------

    async def _join(self, zone_id: ZoneId, zone: Zone) -> None:
        """Keep of a chain from before the start what leads to *zone*."""
        if zone_id not in self._kept:
            return
        digest = await asyncio.to_thread(self._zones.digest, zone)
        end = (zone.serial, digest.to_bytes())
        if await self._db.run(lambda db: links.cut_after(db, zone_id, *end), False):
            self._tips[zone_id] = _Tip(zone, digest)
            return
        log.warning(
            "zone %s: the journal of IXFR deltas does not lead to the zone file (serial %d), which was "
            "changed while nobody looked: discarded; secondaries get the whole zone once",
            _label(zone_id, zone.rdclass),
            zone.serial,
        )
        await self._discard(zone_id)
        self._doubtful.add(zone_id)

    async def _append(self, zone_id: ZoneId, settings: JournalSettings, before: Zone, after: Zone) -> None:
        if zone_id in self._doubtful:
            self._doubtful.discard(zone_id)
            await self._discard(zone_id)
            return
        tip = self._tips.get(zone_id)
        known = tip.digest if tip is not None and tip.zone is before else None
        try:
            if max(before.rr_count, after.rr_count) <= SMALL_RECORDS:
                difference = self._difference(known, before, after)
            else:
                difference = await asyncio.to_thread(self._difference, known, before, after)
        except DeltaFormatError:  # too large to be of use
            await self._discard(zone_id)
            return
        start, end, delta, data = difference
        self._tips[zone_id] = _Tip(after, end, delta if len(delta) <= AT_HAND_RECORDS else None)
        link = Link(before.serial, start.to_bytes(), after.serial, end.to_bytes(), data)
        limit = max(2 * end.octets, MIN_OCTETS) if settings.max_octets is None else settings.max_octets
        kept = await self._db.run(lambda db: links.append(db, zone_id, link, limit, MAX_DELTAS), 0)
        if not kept:  # max-journal-size leaves no room for it
            self._tips[zone_id] = _Tip(after, end)
        self._note(zone_id, has_links=kept > 0)

    async def _discard(self, zone_id: ZoneId) -> None:
        self._tips.pop(zone_id, None)
        if zone_id in self._kept:
            await self._db.run(lambda db: links.delete(db, zone_id), None)
            self._note(zone_id, has_links=False)

    def _note(self, zone_id: ZoneId, *, has_links: bool) -> None:
        (self._kept.add if has_links else self._kept.discard)(zone_id)

    def _difference(
        self, start: ZoneDigest | None, before: Zone, after: Zone
    ) -> tuple[ZoneDigest, ZoneDigest, Delta, bytes]:
        """Return the digests of both versions, the delta, and that as octets. Raises `DeltaFormatError`."""
        delta = self._zones.diff(before, after)
        if start is None:
            start = self._zones.digest(before)
        return start, start.after(delta), delta, encode_delta(delta)

    @asynccontextmanager
    async def _turn(self, zone_id: ZoneId) -> AsyncIterator[None]:
        """Hold what is done about one zone in the order of its coming."""
        lock, users = self._locks.get(zone_id) or (asyncio.Lock(), 0)
        self._locks[zone_id] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[zone_id]
            if users > 1:
                self._locks[zone_id] = lock, users - 1
            else:
                del self._locks[zone_id]


def _condensed(found: list[Link]) -> Delta:
    """Return what all of *found* do as one delta. Raises `DeltaFormatError` when one is not what it says."""
    deltas = []
    reached = (found[0].old_serial, found[0].old_digest)
    for link in found:
        delta = decode_delta(link.data)
        led_to = ZoneDigest(int.from_bytes(link.old_digest, "big"), 0).after(delta)
        if (
            (link.old_serial, link.old_digest) != reached
            or (delta.old_serial, delta.new_serial) != (link.old_serial, link.new_serial)
            or led_to.to_bytes() != link.new_digest
        ):
            raise DeltaFormatError(f"the delta to serial {link.new_serial} is not the one that was stored")
        reached = (link.new_serial, link.new_digest)
        deltas.append(delta)
    return condense(deltas) if len(deltas) > 1 else deltas[0]


def _label(zone_id: ZoneId, rdclass: int | None = None) -> str:
    """Return how logs name the zone, with its class where that is known here."""
    view, key = zone_id
    name = to_text(key)[:-1] or "."
    if rdclass is not None:
        name += f"/{class_to_text(rdclass)}"
    return name if view == "_default" else f"{name}/{view}"
