"""The keeper and zones that come from elsewhere: secondaries, transfers, expiry."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bindpy.answer.policy import EXPIRED
from bindpy.config.model import MATCH_NONE, ZoneChecks, ZoneConfig, ZoneSettings, ZoneType
from bindpy.diagnostics import SourceSpan
from bindpy.engine import Zone
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneState
from bindpy.zone.loaded import LoadedZone
from tests.unit.reload.keeping import ID, ORIGIN, Recorder, counted, read_toy, running, scenario, zone_config


def test_a_secondary_without_its_file_waits_without_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def steps() -> None:
        async with running() as (keeper, _recorder):
            keeper.configure([zone_config(tmp_path / "absent", type=ZoneType.SECONDARY)])
            await keeper.idle()
            entry = keeper.table.get(ID)
            assert entry is not None
            assert entry.state is ZoneState.WAITING
            assert "no data yet" in caplog.text
            assert not [r for r in caplog.records if r.levelno >= logging.WARNING]

    scenario(steps)


def secondary(path: Path | None, **changes: object) -> ZoneConfig:
    return zone_config(
        path or Path(), type=ZoneType.SECONDARY, file=str(path) if path is not None else None, **changes
    )


def store(path: Path, text: str) -> LoadedZone:
    """Put a new file in place as a transfer does, and read it back."""
    temporary = path.with_name("temporary")
    temporary.write_text(text)
    temporary.rename(path)
    return read_toy(str(path), ORIGIN, 1, ZoneChecks())


def toy(text: str, tmp_path: Path) -> Zone:
    loaded = store(tmp_path / "toy", text)
    assert loaded.zone is not None
    return loaded.zone


def test_a_transferred_zone_is_served_and_its_file_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")
    reads, counting = counted()

    async def steps() -> None:
        async with running(counting) as (keeper, recorder):
            keeper.configure([secondary(path)])
            await keeper.idle()
            assert len(reads) == 1
            with keeper.storing(ID):
                loaded = store(path, "8 192.0.2.1")
                keeper.files_changed({str(path)})  # the watcher may be quicker than we are
                await asyncio.sleep(0)
                assert loaded.zone is not None
                assert keeper.take(ID, loaded.zone, loaded)
            keeper.files_changed({str(path)})
            await keeper.idle()
            keeper.reload()
            await keeper.idle()
            assert len(reads) == 1
            assert recorder.changes == [(None, 7), (7, 8)]

    scenario(steps)


def test_a_read_that_a_transfer_overtakes_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")
    reading, go_on = threading.Event(), threading.Event()

    def slow(*args: object) -> LoadedZone:
        loaded = read_toy(*args)  # type: ignore[arg-type]
        if loaded.zone is not None and loaded.zone.serial == 7:
            reading.set()
            go_on.wait(10)
        return loaded

    async def steps() -> None:
        async with running(slow) as (keeper, recorder):
            keeper.configure([secondary(path)])
            await asyncio.to_thread(reading.wait, 10)
            loaded = store(tmp_path / "other", "8 192.0.2.1")
            assert loaded.zone is not None
            keeper.take(ID, loaded.zone, loaded)
            go_on.set()
            await keeper.idle()
            assert recorder.changes == [(None, 8)]

    scenario(steps)


def test_a_file_edited_by_hand_after_a_transfer_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "zone"

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([secondary(path)])
            await keeper.idle()
            with keeper.storing(ID):
                loaded = store(path, "8 192.0.2.1")
                assert loaded.zone is not None
                keeper.take(ID, loaded.zone, loaded)
            path.write_text("9 192.0.2.1 192.0.2.2")
            keeper.files_changed({str(path)})
            await keeper.idle()
            assert recorder.changes == [(None, 8), (8, 9)]
            assert f"{path} was changed by hand: served, but the next transfer will replace it" in caplog.text

    scenario(steps)


def test_a_zone_kept_in_memory_only(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([secondary(None)])
            await keeper.idle()
            assert recorder.unavailables == ["zone has no data yet"]
            assert keeper.take(ID, toy("7", tmp_path))
            keeper.reload()
            await keeper.idle()
            assert recorder.changes == [(None, 7)]
            keeper.configure([secondary(None, span=SourceSpan("named.conf", 2, 1))])
            assert recorder.serials == [7], "the statement has only moved"
            entry = keeper.table.get(ID)
            assert entry is not None
            assert entry.config.span.line == 2
            keeper.configure([secondary(None, settings=ZoneSettings(allow_query=MATCH_NONE))])
            assert recorder.serials == [7, 7]
            keeper.configure([])
            assert not keeper.take(ID, toy("8", tmp_path))

    scenario(steps)


def test_an_expired_zone_keeps_its_data_and_is_not_served(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([secondary(path)])
            await keeper.idle()
            keeper.expire(ID)
            entry = keeper.table.get(ID)
            assert entry is not None
            assert entry.state is ZoneState.EXPIRED
            assert entry.zone is not None
            assert recorder.unavailables[-1] == EXPIRED
            keeper.configure([secondary(path, settings=ZoneSettings(allow_query=MATCH_NONE))])
            keeper.reload(force=True)
            await keeper.idle()
            assert recorder.unavailables[-2:] == [EXPIRED, EXPIRED]
            assert recorder.serials == [7]
            keeper.take(ID, toy("3", tmp_path))
            assert entry.state is ZoneState.SERVED
            assert recorder.changes == [(None, 7), (7, 3)]

    scenario(steps)


def test_a_secondary_s_useless_file_waits_for_a_transfer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "zone"
    path.write_text("bad")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([secondary(path)])
            await keeper.idle()
            assert f"no data yet: {path} cannot be used and will be replaced by a transfer" in caplog.text
            assert not [line for line in caplog.records if line.levelno >= logging.ERROR]
            with keeper.storing(ID):
                loaded = store(path, "8")
                assert loaded.zone is not None
                keeper.take(ID, loaded.zone, loaded)
            await keeper.idle()
            assert recorder.changes == [(None, 8)]

    scenario(steps)


def test_data_that_is_too_old_is_loaded_and_not_served(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")
    told: list[tuple[int | None, int]] = []

    async def steps() -> None:
        recorder = Recorder()
        with ThreadPoolExecutor(1) as executor:
            keeper = ZoneKeeper(
                recorder,
                read_toy,
                executor,
                lambda zone_id, files: None,
                lambda entry, before, after: told.append((before and before.serial, after.serial)),
                is_expired=lambda entry, zone, loaded: zone.serial == 7,
            )
            task = asyncio.create_task(keeper.run())
            keeper.configure([secondary(path)])
            await keeper.idle()
            assert recorder.serials == []
            assert recorder.unavailables[-1] == EXPIRED
            assert told == [(None, 7)]
            path.write_text("8 192.0.2.1")
            keeper.files_changed({str(path)})
            await keeper.idle()
            assert recorder.serials == [8]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    scenario(steps)
