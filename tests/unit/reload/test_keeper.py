"""The keeper: what is served follows the files, and nothing good is ever lost to something bad."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bindpy.answer.policy import EXPIRED, AnswerPolicy, Outcome, Publication, Transport, ZonePolicy
from bindpy.config.changes import ZoneChanges
from bindpy.config.model import MATCH_NONE, ZoneChecks, ZoneConfig, ZoneSettings, ZoneType
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.engine import PlainLoad, Zone
from bindpy.files import FileStamp
from bindpy.reload.bind_journal import journal_beyond
from bindpy.reload.bulk import Bulk
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry, ZoneId, ZoneState
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
        self.batches = 0
        self.serials: list[int] = []
        self.unavailables: list[str] = []
        self.withdrawn: list[names.Name] = []
        self.changes: list[tuple[int | None, int]] = []

    def published_data(self, entry: ZoneEntry, before: Zone | None, after: Zone) -> None:
        assert entry.zone is after
        assert self.serials[-1] == after.serial, "told of data before it is served"
        self.changes.append((before.serial if before is not None else None, after.serial))

    def configure(self, policy: AnswerPolicy) -> None: ...

    def publish(self, view: str, zone: Zone, policy: ZonePolicy) -> None:
        raise AssertionError("the keeper publishes all at once")

    def unavailable(self, view: str, origin: names.Name, policy: ZonePolicy, reason: str) -> None:
        raise AssertionError("the keeper publishes all at once")

    def publish_all(self, publications: Iterable[Publication]) -> None:
        self.batches += 1
        for publication in publications:
            if publication.zone is not None:
                self.serials.append(publication.zone.serial)
            else:
                self.unavailables.append(publication.reason)

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
        keeper = ZoneKeeper(recorder, reader, executor, lambda zone_id, files: None, recorder.published_data)
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


# --- what a transfer brings ------------------------------------------------------------------------


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


def test_a_transferred_zone_is_served_and_its_file_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")
    reads = []

    def counting(*args: object) -> LoadedZone:
        reads.append(args[0])
        return read_toy(*args)  # type: ignore[arg-type]

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


class Watched:
    """What the keeper says of files, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, object]] = []

    def expect(self, _id: ZoneId, path: str) -> object:
        self.said.append(("expect", Path(path).name))
        return path

    def was_read(self, _id: ZoneId, path: str, stamp: FileStamp | None, expected: object) -> None:
        assert (stamp, expected) == (FileStamp.of(path), path)
        self.said.append(("read", Path(path).name))

    def files(self, _id: ZoneId, files: Mapping[str, FileStamp | None]) -> None:
        self.said.append(("watch", [Path(path).name for path in files]))


def test_zones_that_are_new_are_read_many_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Those that the bulk reader leaves are read one by one; so are all of them later."""
    caplog.set_level("INFO")
    batches: list[list[str]] = []
    told: list[int] = []

    def read_many(
        files: Sequence[tuple[str, names.Name]], checks: ZoneChecks, *, within_s: float
    ) -> list[PlainLoad | None]:
        assert within_s >= 0
        batches.append([Path(path).name for path, _ in files])
        found = (
            PlainLoad(read_toy(path, origin, 1, checks), 0.001, "link" in path, True)
            for path, origin in files
        )
        return [one if one.loaded.zone is not None else None for one in found]

    configs = []
    for number, name in enumerate(("a", "b", "link", "bad", "c", "odd", "unwatched")):
        (tmp_path / name).write_text("bad" if name == "bad" else f"{number} 192.0.2.1")
        settings = ZoneSettings(checks=ZoneChecks(max_records=9)) if name == "odd" else ZoneSettings()
        settings = dataclasses.replace(settings, watch=name != "unwatched")
        origin = names.from_text(f"{name}.example.")
        configs.append(zone_config(tmp_path / name, origin=origin, settings=settings))
    header = struct.pack(">16sIIII", b";BIND LOG V9.2\n", 5, 64, 300, 4000)
    (tmp_path / "c.jnl").write_bytes(header + b"\0" * 100)

    async def steps() -> None:
        recorder, watched = Recorder(), Watched()
        with ThreadPoolExecutor(1) as executor:
            keeper = ZoneKeeper(
                recorder,
                read_toy,
                executor,
                watched.files,
                lambda entry, before, after: told.append(after.serial),
                bulk=Bulk(read_many, watched.expect, watched.was_read),
            )
            task = asyncio.create_task(keeper.run())
            keeper.configure(configs)
            await keeper.idle()
            assert sorted(recorder.serials) == sorted(told) == [0, 1, 2, 4, 5, 6]
            assert [name for batch in batches for name in batch] == [
                "a",
                "b",
                "link",
                "bad",
                "c",
                "odd",
                "unwatched",
            ]
            assert not any("odd" in batch and len(batch) > 1 for batch in batches)
            assert [name for what, name in watched.said if what == "expect"] == [
                "a",
                "b",
                "link",
                "bad",
                "c",
                "odd",
            ]
            assert [name for what, name in watched.said if what == "read"] == ["a", "b", "c", "odd"]
            assert [names for what, names in watched.said if what == "watch"] == [["link"], ["bad"], []]
            (tmp_path / "a").write_text("7 192.0.2.1")
            keeper.files_changed({str(tmp_path / "a")})
            await keeper.idle()
            assert recorder.serials[-1] == 7
            assert sum(map(len, batches)) == len(configs)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    scenario(steps)
    assert "zone a.example/IN: loaded serial 0 (2 records, 0.001 s)" in caplog.text
    assert "zone bad.example/IN: not loaded due to errors" in caplog.text
    assert caplog.text.count("run 'rndc sync -clean' in BIND first") == 1


def test_a_fault_of_the_bulk_reader_costs_nothing_but_time(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7 192.0.2.1")

    def read_many(*_: object, within_s: float) -> list[PlainLoad | None]:
        raise RuntimeError(f"within {within_s} s")

    async def steps() -> None:
        recorder, watched = Recorder(), Watched()
        with ThreadPoolExecutor(1) as executor:
            bulk = Bulk(read_many, watched.expect, watched.was_read)
            keeper = ZoneKeeper(
                recorder, read_toy, executor, watched.files, recorder.published_data, bulk=bulk
            )
            task = asyncio.create_task(keeper.run())
            keeper.configure([zone_config(path)])
            await keeper.idle()
            assert recorder.serials == [7]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

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
