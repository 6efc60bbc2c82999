"""The journal: a chain of deltas leads to exactly the data that is served, or there is no chain."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bindpy.config.model import JournalSettings
from bindpy.engine import PYTHON_ZONES, Zones
from bindpy.state import journal as journal_module
from bindpy.state.db import FILE_NAME, StateDb
from bindpy.state.journal import Journal
from bindpy.zone import names
from bindpy.zone.diff import Delta, apply, diff
from bindpy.zone.records import RR, RRType
from bindpy.zone.snapshot import ZoneSnapshot, build_snapshot

ORIGIN = names.from_text("example.com.")
KEPT = JournalSettings()
_SETTINGS_NO = JournalSettings(from_differences=False)


def zone(serial: int, hosts: Iterable[int] = ()) -> ZoneSnapshot:
    """Return a zone with one address for each of *hosts*."""
    soa = RR(ORIGIN, RRType.SOA, 60, b"\0\0" + (serial % 2**32).to_bytes(4, "big") + b"\0" * 16)
    return build_snapshot(
        ORIGIN, [soa, *[RR(b"\4host" + ORIGIN, RRType.A, 60, host.to_bytes(4, "big")) for host in hosts]]
    )


def using(directory: Path, steps: Callable[[Journal], Awaitable[None]], zones: Zones = PYTHON_ZONES) -> None:
    """Open the journal, take *steps*, close it."""

    async def run() -> None:
        db = StateDb.open(str(directory))
        try:
            journal = Journal(db, zones)
            await journal.open()
            await asyncio.wait_for(steps(journal), 20)
        finally:
            await db.close()

    asyncio.run(run())


async def record(journal: Journal, *versions: ZoneSnapshot, settings: JournalSettings = KEPT) -> None:
    """Load the first version and change to each of the others."""
    await journal.record("_default", settings, None, versions[0])
    for before, after in itertools.pairwise(versions):
        await journal.record("_default", settings, before, after)


async def chain(journal: Journal, start: int, end: int) -> list[Delta] | None:
    return await journal.chain("_default", ORIGIN, start, end)


VERSIONS = [zone(serial, range(serial, serial + 10)) for serial in range(1, 6)]


def test_any_version_leads_to_the_last_in_one_condensed_delta(tmp_path: Path) -> None:
    async def steps(journal: Journal) -> None:
        await record(journal, *VERSIONS)
        for old in VERSIONS[:-1]:
            found = await chain(journal, old.serial, 5)
            assert found is not None
            assert len(found) == 1
            assert apply(old, found).same_data(VERSIONS[-1])
            assert set(found[0].added) == set(diff(old, VERSIONS[-1]).added)
        assert await chain(journal, 0, 5) is None
        assert await chain(journal, 5, 5) is None
        assert await chain(journal, 2, 9) is None

    using(tmp_path, steps)


def test_an_older_version_may_be_led_to_as_well(tmp_path: Path) -> None:
    async def steps(journal: Journal) -> None:
        await record(journal, *VERSIONS)
        found = await chain(journal, 2, 4)
        assert found is not None
        assert apply(VERSIONS[1], found).same_data(VERSIONS[3])

    using(tmp_path, steps)


def test_it_survives_a_restart_and_goes_on(tmp_path: Path) -> None:
    async def before(journal: Journal) -> None:
        await record(journal, *VERSIONS[:3])

    async def after(journal: Journal) -> None:
        await record(journal, zone(3, range(3, 13)), VERSIONS[3])  # read from the file: another object
        found = await chain(journal, 1, 4)
        assert found is not None
        assert apply(VERSIONS[0], found).same_data(VERSIONS[3])

    using(tmp_path, before)
    using(tmp_path, after)


@pytest.mark.parametrize(
    "found", [zone(3, [99]), zone(4, range(3, 13)), zone(1, range(1, 11))], ids=["edited", "risen", "oldest"]
)
def test_a_journal_that_does_not_lead_to_the_file_is_discarded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, found: ZoneSnapshot
) -> None:
    async def before(journal: Journal) -> None:
        await record(journal, *VERSIONS[:3])

    async def after(journal: Journal) -> None:
        await record(journal, found)
        assert await chain(journal, 1, found.serial) is None
        assert await chain(journal, 1, 3) is None
        later = [zone(found.serial + n, [99, n]) for n in (1, 2)]
        await journal.record("_default", KEPT, found, later[0])
        assert await chain(journal, found.serial, found.serial + 1) is None, (
            "there was other data by that serial"
        )
        await journal.record("_default", KEPT, *later)
        assert await chain(journal, found.serial + 1, found.serial + 2) is not None

    using(tmp_path, before)
    using(tmp_path, after)
    assert "zone example.com/IN: the journal of IXFR deltas does not lead to the zone file" in caplog.text


def test_the_first_data_of_a_zone_without_deltas_needs_no_record(tmp_path: Path) -> None:
    zone_id = ("_default", ORIGIN)

    async def before(journal: Journal) -> None:
        assert journal.is_new(zone_id, None)
        assert not journal.is_new(zone_id, VERSIONS[0])
        recording = asyncio.create_task(record(journal, *VERSIONS[:2]))
        await asyncio.sleep(0)
        assert not journal.is_new(zone_id, None), "something is being recorded"
        await recording
        assert not journal.is_new(zone_id, None)

    async def after(journal: Journal) -> None:
        assert not journal.is_new(zone_id, None), "kept from before the start"
        assert journal.is_new(("other", ORIGIN), None)

    using(tmp_path, before)
    using(tmp_path, after)


def test_a_restored_file_keeps_what_leads_to_it(tmp_path: Path) -> None:
    async def before(journal: Journal) -> None:
        await record(journal, *VERSIONS)

    async def after(journal: Journal) -> None:
        await record(journal, VERSIONS[2])
        assert await chain(journal, 1, 3) is not None
        assert await chain(journal, 3, 5) is None

    using(tmp_path, before)
    using(tmp_path, after)


@pytest.mark.parametrize("serial", [2, 0])
def test_a_serial_that_did_not_rise_cuts_the_chain(tmp_path: Path, serial: int) -> None:
    async def steps(journal: Journal) -> None:
        await record(journal, zone(1, [1]), zone(2, [2]), zone(serial, [3]))
        assert await chain(journal, 1, 2) is None
        await journal.record("_default", KEPT, zone(serial, [3]), zone(4, [4]))
        assert await chain(journal, 1, 4) is None
        assert await chain(journal, serial, 4) is None, "which of its data does a secondary have?"
        await journal.record("_default", KEPT, zone(4, [4]), zone(5, [5]))
        assert await chain(journal, 4, 5) is not None
        assert await chain(journal, serial, 5) is None

    using(tmp_path, steps)


def test_a_restart_does_not_make_a_serial_with_different_data_any_better(tmp_path: Path) -> None:
    async def before(journal: Journal) -> None:
        await record(journal, zone(1, [1]), zone(2, [2]), zone(2, [3]))

    async def after(journal: Journal) -> None:
        await record(journal, zone(2, [3]), zone(3, [4]))
        assert await chain(journal, 2, 3) is None
        assert await chain(journal, 1, 3) is None

    using(tmp_path, before)
    using(tmp_path, after)


def test_the_same_data_again_cuts_nothing(tmp_path: Path) -> None:
    async def steps(journal: Journal) -> None:
        await record(journal, zone(1, [1]), zone(2, [2]), zone(2, [2]), zone(3, [3]))
        assert await chain(journal, 1, 3) is not None

    using(tmp_path, steps)


def test_serials_wrap_round(tmp_path: Path) -> None:
    async def steps(journal: Journal) -> None:
        await record(journal, zone(-1, [1]), zone(0, [2]), zone(1, [3]))
        assert await chain(journal, 2**32 - 1, 1) is not None

    using(tmp_path, steps)


def test_ixfr_from_differences_no_keeps_nothing(tmp_path: Path) -> None:
    async def steps(journal: Journal) -> None:
        await record(journal, zone(1, [1]), zone(2, [2]))
        await journal.record("_default", _SETTINGS_NO, zone(2, [2]), zone(3, [3]))
        assert await chain(journal, 1, 2) is None
        assert await chain(journal, 2, 3) is None

    using(tmp_path, steps)


def _rows(directory: Path) -> list[tuple[int, int]]:
    db = sqlite3.connect(directory / FILE_NAME)
    try:
        return db.execute("SELECT old_serial, octets FROM deltas ORDER BY number").fetchall()
    finally:
        db.close()


def test_the_oldest_deltas_go_when_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "MAX_DELTAS", 3)

    async def steps(journal: Journal) -> None:
        await record(journal, *[zone(serial, range(serial, serial + 100)) for serial in range(1, 8)])
        assert await chain(journal, 3, 7) is None
        assert await chain(journal, 4, 7) is not None

    using(tmp_path, steps)
    assert [serial for serial, _ in _rows(tmp_path)] == [4, 5, 6]


@pytest.mark.parametrize("limit", [None, 20_000, 0])
def test_the_size_is_bounded(tmp_path: Path, limit: int | None) -> None:
    settings = JournalSettings(max_octets=limit)
    versions = [zone(serial, range(serial * 1000, serial * 1000 + 600)) for serial in range(1, 31)]

    async def steps(journal: Journal) -> None:
        await record(journal, *versions, settings=settings)
        assert (await chain(journal, 29, 30) is None) == (limit == 0)
        assert await chain(journal, 1, 30) is None

    using(tmp_path, steps)
    bound = 2 * PYTHON_ZONES.digest(versions[-1]).octets if limit is None else limit
    sizes = [octets for _, octets in _rows(tmp_path)]
    assert sum(sizes) <= bound
    assert limit == 0 or sum(sizes) + max(sizes) > bound


def test_a_small_zone_may_have_a_larger_journal(tmp_path: Path) -> None:
    async def steps(journal: Journal) -> None:
        await record(journal, *[zone(serial, [serial]) for serial in range(1, 20)])
        assert await chain(journal, 1, 19) is not None

    using(tmp_path, steps)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE deltas SET data = x'0123'",
        "UPDATE deltas SET data = (SELECT data FROM deltas WHERE old_serial = 2) WHERE old_serial = 1",
        "UPDATE deltas SET old_digest = zeroblob(16) WHERE old_serial = 2",
        "DELETE FROM deltas WHERE old_serial = 2",
    ],
)
def test_a_damaged_chain_is_discarded(tmp_path: Path, caplog: pytest.LogCaptureFixture, change: str) -> None:
    async def before(journal: Journal) -> None:
        await record(journal, *VERSIONS[:4])

    async def after(journal: Journal) -> None:
        await record(journal, VERSIONS[3])
        assert await chain(journal, 1, 4) is None
        assert await chain(journal, 3, 4) is None

    using(tmp_path, before)
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.execute(change)
    db.commit()
    db.close()
    using(tmp_path, after)
    assert "is damaged and was discarded" in caplog.text


def test_a_chain_waits_for_what_is_being_recorded(tmp_path: Path) -> None:
    async def steps(journal: Journal) -> None:
        old, new = zone(1, range(1000)), zone(2, range(5, 1000))
        recording = asyncio.create_task(journal.record("_default", KEPT, old, new))
        await asyncio.sleep(0)
        assert await chain(journal, 1, 2) is not None
        await recording

    using(tmp_path, steps)


def test_what_led_to_the_last_version_is_at_hand_before_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = asyncio.Event()
    real_run = StateDb.run

    async def run(db: StateDb, *work: Any) -> Any:
        await stored.wait()
        return await real_run(db, *work)

    async def steps(journal: Journal) -> None:
        monkeypatch.setattr(StateDb, "run", run)
        recording = asyncio.create_task(record(journal, *VERSIONS[:2]))
        await asyncio.sleep(0)
        found = await chain(journal, 1, 2)
        assert found is not None
        assert apply(VERSIONS[0], found).same_data(VERSIONS[1])
        stored.set()
        await recording
        assert await chain(journal, 1, 2) == found

    using(tmp_path, steps)


def test_what_is_not_to_be_kept_is_not_at_hand_either(tmp_path: Path) -> None:
    async def steps(journal: Journal) -> None:
        await record(journal, *VERSIONS[:2], settings=JournalSettings(max_octets=1))
        assert await chain(journal, 1, 2) is None

    using(tmp_path, steps)


def test_the_digest_is_worked_out_only_where_a_chain_needs_it(tmp_path: Path) -> None:
    digested: list[int] = []

    def digest(which: ZoneSnapshot) -> object:
        digested.append(which.serial)
        return PYTHON_ZONES.digest(which)

    counting = replace(PYTHON_ZONES, digest=digest)

    async def steps(journal: Journal) -> None:
        await record(journal, *VERSIONS)

    using(tmp_path, steps, counting)
    assert digested == [1]


def test_views_have_their_own_chains(tmp_path: Path) -> None:
    async def steps(journal: Journal) -> None:
        await record(journal, *VERSIONS[:2])
        assert await journal.chain("inner", ORIGIN, 1, 2) is None

    using(tmp_path, steps)


def test_what_is_kept_is_told_and_can_be_discarded(tmp_path: Path) -> None:
    async def steps(journal: Journal) -> None:
        place = ("_default", ORIGIN)
        assert await journal.status(place) is None
        await record(journal, zone(1), zone(2, [1]), zone(3, [1, 2]))
        found = await journal.status(place)
        assert found is not None
        assert (found.deltas, found.from_serial, found.to_serial) == (2, 1, 3)
        assert found.octets > 0
        await journal.discard(place)
        assert await journal.status(place) is None
        assert await chain(journal, 1, 3) is None
        await journal.record("_default", KEPT, zone(3, [1, 2]), zone(4, [1]))
        assert await chain(journal, 3, 4) is not None

    using(tmp_path, steps)


@pytest.mark.parametrize("is_same", [False, True], ids=["other data", "the same data"])
def test_what_leads_to_a_serial_waits_until_it_is_known_to_stand_for_the_same_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_same: bool
) -> None:
    async def steps(journal: Journal) -> None:
        await record(journal, *VERSIONS[:2])
        assert await chain(journal, 1, 2) is not None
        again = zone(2, range(2, 12) if is_same else [99])
        begun, known = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def same_data(_: ZoneSnapshot, other: ZoneSnapshot) -> bool:
            loop.call_soon_threadsafe(begun.set)
            return known.wait(20) and other is VERSIONS[1] and is_same

        monkeypatch.setattr(ZoneSnapshot, "same_data", same_data)
        recording = asyncio.create_task(journal.record("_default", KEPT, VERSIONS[1], again))
        await begun.wait()
        asking = asyncio.create_task(chain(journal, 1, 2))
        await asyncio.sleep(0)  # it would be done by now, were the answer at hand
        assert not asking.done()
        known.set()
        assert (await asking is not None) == is_same
        await recording
        await journal.record("_default", KEPT, again, VERSIONS[2])
        assert (await chain(journal, 2, 3) is not None) == is_same

    using(tmp_path, steps)
