"""The keeper: what is served follows the files, and nothing good is ever lost to something bad."""

from __future__ import annotations

import asyncio
import gc
import struct
import threading
import time
from pathlib import Path

import pytest

from bindpy.config.changes import ZoneChanges
from bindpy.config.model import MATCH_NONE, ZoneChecks, ZoneSettings
from bindpy.reload.bind_journal import journal_beyond
from bindpy.reload.table import ZoneState
from bindpy.zone import names
from bindpy.zone.loaded import LoadedZone
from tests.unit.reload.keeping import ID, ORIGIN, counted, read_toy, running, scenario, zone_config


def test_a_good_file_is_published(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            assert recorder.unavailables == ["zone has no data yet"]
            assert recorder.serials == [7]

    scenario(steps)


def test_many_zones_are_published_together_and_none_twice(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")
    zones = [zone_config(path, origin=names.from_text(f"z{number}.example.")) for number in range(300)]

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure(zones)
            assert len(recorder.unavailables) == 300
            assert recorder.batches == 1
            await keeper.idle()
            assert recorder.serials == [7] * 300
            assert recorder.changes == [(None, 7)] * 300
            assert recorder.batches < 100, "few changes of what is served, each of which empties caches"
            keeper.reload(force=True)
            await keeper.idle()
            assert recorder.serials == [7] * 300, "the same data"

    scenario(steps)


def test_a_file_that_goes_bad_leaves_the_old_data_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            path.write_text("bad")
            keeper.files_changed({str(path)})
            await keeper.idle()
            entry = keeper.table.get(ID)
            assert entry is not None
            assert entry.state is ZoneState.SERVED
            assert [str(error) for error in entry.errors] == [f"{path}:1:1: error: bad file"]
            assert recorder.serials == [7]
            assert "still serving serial 7" in caplog.text

            path.write_text("8 192.0.2.1")
            keeper.files_changed({str(path)})
            await keeper.idle()
            assert recorder.serials == [7, 8]
            assert entry.errors == ()

    scenario(steps)


def test_a_zone_that_never_loaded_answers_servfail(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(tmp_path / "absent")])
            await keeper.idle()
            assert recorder.serials == []
            assert recorder.unavailables[-1] == "zone is not loaded because of errors"
            entry = keeper.table.get(ID)
            assert entry is not None
            assert entry.state is ZoneState.FAILED

    scenario(steps)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7 192.0.2.2", "the serial (7) is unchanged"), ("5 192.0.2.2", "the serial (5) went backwards from 7")],
)
def test_a_serial_that_did_not_rise_is_served_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, expected: str
) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            path.write_text(text)
            keeper.files_changed({str(path)})
            await keeper.idle()
            assert recorder.serials == [7, int(text.split()[0])]
            assert expected in caplog.text
            assert str(path) in caplog.text

    scenario(steps)


def test_a_touched_file_publishes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            path.write_text("7  192.0.2.1\n")
            keeper.files_changed({str(path)})
            await keeper.idle()
            assert recorder.serials == [7]

    scenario(steps)


def test_reload_reads_only_what_changed(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")
    reads, counting = counted()

    async def steps() -> None:
        async with running(counting) as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            keeper.reload()
            await keeper.idle()
            assert len(reads) == 1
            keeper.reload(force=True)
            await keeper.idle()
            assert len(reads) == 2
            path.write_text("8 192.0.2.1")
            keeper.reload()
            await keeper.idle()
            assert len(reads) == 3
            assert recorder.serials == [7, 8]

    scenario(steps)


def test_a_file_written_to_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    def disturbed(*args: object) -> LoadedZone:
        loaded = read_toy(*args)  # type: ignore[arg-type]
        if path.read_text().startswith("7"):
            path.write_text("8 192.0.2.1 192.0.2.2")
        return loaded

    async def steps() -> None:
        async with running(disturbed) as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            assert recorder.serials == [8]

    scenario(steps)


def test_a_removed_zone_is_withdrawn_and_a_late_load_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await asyncio.sleep(0)  # the job is with the worker now
            keeper.configure([])
            await keeper.idle()
            assert recorder.withdrawn == [ORIGIN]
            assert recorder.serials == []
            assert len(keeper.table) == 0

    scenario(steps)


def test_a_changed_policy_is_published_without_reading(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            path.unlink()
            keeper.configure([zone_config(path, settings=ZoneSettings(allow_query=()))])
            await keeper.idle()
            assert recorder.serials == [7, 7]

    scenario(steps)


def test_another_file_takes_over_only_once_it_is_good(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("7 192.0.2.1")
    new.write_text("bad")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(old)])
            await keeper.idle()
            keeper.configure([zone_config(new)])
            await keeper.idle()
            assert recorder.unavailables == ["zone has no data yet"]
            assert recorder.serials[-1] == 7
            new.write_text("9 192.0.2.1")
            keeper.files_changed({str(new)})
            await keeper.idle()
            assert recorder.serials[-1] == 9

    scenario(steps)


def test_a_fault_in_the_reader_hits_one_zone_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    def faulty(*args: object) -> LoadedZone:
        if path.read_text().startswith("666"):
            raise RuntimeError("a fault")
        return read_toy(*args)  # type: ignore[arg-type]

    async def steps() -> None:
        async with running(faulty) as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            path.write_text("666")
            keeper.files_changed({str(path)})
            await keeper.idle()
            assert recorder.serials == [7]
            assert "fault in bindpy" in caplog.text
            path.write_text("8 192.0.2.1")
            keeper.files_changed({str(path)})
            await keeper.idle()
            assert recorder.serials == [7, 8]

    scenario(steps)


def test_changes_are_told_with_what_was_before(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            for text in ("8 192.0.2.1", "8  192.0.2.1", "bad", "9"):
                path.write_text(text)
                keeper.files_changed({str(path)})
                await keeper.idle()
            assert recorder.changes == [(None, 7), (7, 8), (8, 9)]

    scenario(steps)


def test_data_that_was_replaced_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    async def steps() -> None:
        async with running() as (keeper, _):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            entry = keeper.table.get(ID)
            assert entry is not None
            assert entry.zone is not None
            old = entry.zone.apex  # type: ignore[attr-defined]
            gc.disable()
            try:
                path.write_text("8 192.0.2.1")
                keeper.files_changed({str(path)})
                await keeper.idle()
                deadline = time.monotonic() + 10
                while holders := [type(one) for one in gc.get_referrers(old) if one is not locals()]:
                    assert time.monotonic() < deadline, holders
                    await asyncio.sleep(0.01)  # the worker thread lets go of its work in its own time
            finally:
                gc.enable()

    scenario(steps)


@pytest.mark.parametrize(("last", "warned"), [(9, True), (7, False), (6, False)])
def test_bind_s_journal_is_recognised_and_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, last: int, warned: bool
) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")
    header = struct.pack(">16sIIII", b";BIND LOG V9.2\n", 5, 64, last, 4000)
    path.with_name("zone.jnl").write_bytes(header + b"\0" * 100)

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            assert recorder.serials == [7]
            assert ("rndc sync -clean" in caplog.text) == warned

    scenario(steps)


@pytest.mark.parametrize(
    "octets",
    [b"", b";BIND LOG V9\n", b"x" * 64, struct.pack(">16sIIII", b";BIND LOG V9\n", 9, 64, 9, 64)],
    ids=["empty", "short", "other", "emptied"],
)
def test_what_is_no_journal_of_bind_s_is_passed_over(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "zone.jnl").write_bytes(octets)
    assert journal_beyond(str(tmp_path / "zone"), 1) is None
    assert journal_beyond(str(tmp_path / "none"), 1) is None


def test_one_zone_is_put_changed_and_removed_while_others_stay(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "zone"
    other.write_text("1")
    path.write_text("7 192.0.2.1")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(other, origin=names.from_text("example.net."))])
            await keeper.idle()
            keeper.put(zone_config(path), urgent=True)
            await keeper.settled(ID)
            assert recorder.serials == [1, 7]
            keeper.put(zone_config(path))
            assert recorder.serials == [1, 7], "nothing has changed"
            keeper.put(zone_config(path, settings=ZoneSettings(allow_query=MATCH_NONE)))
            assert recorder.serials == [1, 7, 7]
            gone = keeper.remove(ID)
            assert gone is not None
            assert gone.zone is not None
            assert recorder.withdrawn == [ORIGIN]
            assert keeper.remove(ID) is None
            await keeper.settled(ID)
            assert [entry.config.file for entry in keeper.table] == [str(other)]

    scenario(steps)


def test_waiting_for_one_zone_is_not_waiting_for_all(tmp_path: Path) -> None:
    path, slow = tmp_path / "zone", tmp_path / "slow"
    path.write_text("7")
    slow.write_text("1")
    go_on = threading.Event()

    def reader(file: str, origin: names.Name, rdclass: int, checks: ZoneChecks) -> LoadedZone:
        if file == str(slow):
            assert go_on.wait(10)
        return read_toy(file, origin, rdclass, checks)

    async def steps() -> None:
        async with running(reader) as (keeper, recorder):
            keeper.put(zone_config(slow, origin=names.from_text("slow.example.")))
            keeper.put(zone_config(path), urgent=True)
            await keeper.settled(ID)
            assert recorder.serials == [7]
            go_on.set()
            await keeper.idle()
            assert recorder.serials == [7, 1]

    scenario(steps)


def test_only_what_is_different_is_touched(tmp_path: Path) -> None:
    path, other = tmp_path / "zone", tmp_path / "other"
    path.write_text("7")
    other.write_text("8")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(path), zone_config(path, origin=names.from_text("example.net."))])
            await keeper.idle()
            change = ZoneChanges((zone_config(other),), (("_default", names.from_text("example.net.")),))
            keeper.change(change)
            await keeper.idle()
            assert recorder.serials[-1] == 8
            assert recorder.withdrawn == [names.from_text("example.net.")]
            assert [entry.id for entry in keeper.table] == [ID]

    scenario(steps)
