"""While the worker reads zones, those that it has read are published."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bindpy.answer.policy import Publication
from bindpy.config.model import ZoneChecks
from bindpy.engine import Zone
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry
from bindpy.zone import names
from bindpy.zone.loaded import LoadedZone
from tests.unit.reload.keeping import Recorder, read_toy, scenario, zone_config


class Ordered(Recorder):
    """An answerer that notes what it is told, and when the worker was given something to read."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def publish_all(self, publications: Iterable[Publication]) -> None:
        super().publish_all(publications)
        self.calls.append("publish")

    def published(self, _entry: ZoneEntry, before: Zone | None, after: Zone) -> None:
        self.changes.append((before.serial if before is not None else None, after.serial))


class Worker(ThreadPoolExecutor):
    def __init__(self, calls: list[str]) -> None:
        super().__init__(1)
        self._calls = calls

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self._calls.append("read")
        return super().submit(fn, *args, **kwargs)


@asynccontextmanager
async def keeping(reader: Callable[..., LoadedZone]) -> AsyncIterator[tuple[ZoneKeeper, Ordered]]:
    recorder = Ordered()
    with Worker(recorder.calls) as worker:
        keeper = ZoneKeeper(recorder, reader, worker, lambda _id, _files: None, recorder.published)
        task = asyncio.create_task(keeper.run())
        try:
            yield keeper, recorder
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_the_next_zones_are_read_while_others_are_published(tmp_path: Path) -> None:
    configs = []
    for number in range(7):
        (tmp_path / f"{number}").write_text(f"{number} 192.0.2.1")
        configs.append(zone_config(tmp_path / f"{number}", origin=names.from_text(f"{number}.example.")))

    async def steps() -> None:
        async with keeping(read_toy) as (keeper, recorder):
            keeper.configure(configs)
            await keeper.idle()
            assert recorder.serials == [*range(7)]
            # That they are not there yet; then one zone, two, and four.
            assert recorder.calls == ["publish", "read", "read", "publish", "read", "publish", "publish"]

    scenario(steps)


def test_a_zone_is_not_read_again_before_what_was_read_is_published(tmp_path: Path) -> None:
    """Else the second reading would not know what is served, and would have to be repeated."""
    path = tmp_path / "zone"
    path.write_text("7")
    began, go_on = threading.Event(), threading.Event()

    def read(file: str, origin: names.Name, rdclass: int, checks: ZoneChecks) -> LoadedZone:
        began.set()
        assert go_on.wait(10)
        return read_toy(file, origin, rdclass, checks)

    async def steps() -> None:
        async with keeping(read) as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await asyncio.to_thread(began.wait, 10)
            keeper.files_changed([str(path)])
            assert keeper.waiting == 2
            go_on.set()
            await keeper.idle()
            assert recorder.calls == ["publish", "read", "publish", "read"], "the second finds nothing new"
            assert recorder.changes == [(None, 7)]

    scenario(steps)
