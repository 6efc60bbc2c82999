"""A keeper with a toy reader of zone files, for the tests of the keeper."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from bindpy.answer.policy import AnswerPolicy, Outcome, Publication, Transport, ZonePolicy
from bindpy.config.model import ZoneChecks, ZoneConfig, ZoneSettings, ZoneType
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.engine import Zone
from bindpy.files import FileStamp
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry, ZoneId
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


def counted() -> tuple[list[str], Callable[[str, names.Name, int, ZoneChecks], LoadedZone]]:
    """Return `read_toy`, and the list of the files that it was given."""
    reads: list[str] = []

    def counting(path: str, origin: names.Name, rdclass: int, checks: ZoneChecks) -> LoadedZone:
        reads.append(path)
        return read_toy(path, origin, rdclass, checks)

    return reads, counting


class HeldReader:
    """`read_toy`, which begins and then waits until it may go on."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, path: str, origin: names.Name, rdclass: int, checks: ZoneChecks) -> LoadedZone:
        self.began.set()
        assert self.go_on.wait(10)
        return read_toy(path, origin, rdclass, checks)


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
async def running(
    reader: Callable[..., LoadedZone] = read_toy,
    recorder: Recorder | None = None,
    worker: ThreadPoolExecutor | None = None,
) -> AsyncIterator[tuple[ZoneKeeper, Recorder]]:
    recorder = recorder or Recorder()
    with worker or ThreadPoolExecutor(1) as executor:
        keeper = ZoneKeeper(recorder, reader, executor, lambda zone_id, files: None, recorder.published_data)
        task = asyncio.create_task(keeper.run())
        try:
            yield keeper, recorder
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def scenario(steps: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(steps(), 20))  # type: ignore[arg-type]
