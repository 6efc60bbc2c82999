"""The keeper: what is served follows the files, and nothing good is ever lost to something bad."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bindpy.answer.policy import AnswerPolicy, Outcome, Transport, ZonePolicy
from bindpy.config.model import ZoneChecks, ZoneConfig, ZoneSettings, ZoneType
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.engine import Zone
from bindpy.files import FileStamp
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneId, ZoneState
from bindpy.zone import names
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.records import RRType
from bindpy.zone.snapshot import SnapshotBuilder

ORIGIN = names.from_text("example.com.")
ID: ZoneId = ("_default", ORIGIN)


def read_toy(path: str, origin: names.Name, rdclass: int, checks: ZoneChecks) -> LoadedZone:
    """Read "SERIAL ADDRESS…"; the word "bad" is an error. A whole reader is not this test's business."""
    stamp = FileStamp.of(path)
    builder = SnapshotBuilder(origin, rdclass)
    error = Diagnostic(Severity.ERROR, "bad file", SourceSpan(path, 1, 1))
    if stamp is None:
        return LoadedZone(None, (error,), (path,), (None,))
    words = Path(path).read_text().split()
    if "bad" in words:
        return LoadedZone(None, (error,), (path,), (stamp,))
    builder.add(origin, RRType.SOA, 60, b"\0\0" + int(words[0]).to_bytes(4, "big") + b"\0" * 16)
    for word in words[1:]:
        builder.add(origin, RRType.A, 60, bytes(map(int, word.split("."))))
    return LoadedZone(builder.finish(), (), (path,), (stamp,))


class Recorder:
    """An answerer that notes what it is told."""

    def __init__(self) -> None:
        self.serials: list[int] = []
        self.unavailables: list[str] = []
        self.withdrawn: list[names.Name] = []

    def configure(self, policy: AnswerPolicy) -> None: ...

    def publish(self, view: str, zone: Zone, policy: ZonePolicy) -> None:
        self.serials.append(zone.serial)

    def unavailable(self, view: str, origin: names.Name, policy: ZonePolicy, reason: str) -> None:
        self.unavailables.append(reason)

    def withdraw(self, view: str, origin: names.Name) -> None:
        self.withdrawn.append(origin)

    def answer(self, query: bytes, client: str, local: str, transport: Transport) -> bytes | Outcome:
        return Outcome.DROP


def zone_config(path: Path, **changes: object) -> ZoneConfig:
    config = ZoneConfig(
        ORIGIN, 1, "_default", ZoneType.PRIMARY, str(path), (), ZoneSettings(), SourceSpan("named.conf", 1, 1)
    )
    return dataclasses.replace(config, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def running(reader: Callable[..., LoadedZone] = read_toy) -> AsyncIterator[tuple[ZoneKeeper, Recorder]]:
    recorder = Recorder()
    with ThreadPoolExecutor(1) as executor:
        keeper = ZoneKeeper(recorder, reader, executor, lambda zone_id, files: None)
        task = asyncio.create_task(keeper.run())
        try:
            yield keeper, recorder
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def scenario(steps: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(steps(), 20))  # type: ignore[arg-type]


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
    reads = []

    def counting(*args: object) -> LoadedZone:
        reads.append(args[0])
        return read_toy(*args)  # type: ignore[arg-type]

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
