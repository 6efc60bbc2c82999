"""While the worker reads zones, those that it has read are published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bindpy.answer.policy import Publication
from bindpy.engine import Zone
from bindpy.reload.table import ZoneEntry
from bindpy.zone import names
from tests.unit.reload.keeping import HeldReader, Recorder, read_toy, running, scenario, zone_config


class Ordered(Recorder):
    """An answerer that notes what it is told, and when the worker was given something to read."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def publish_all(self, publications: Iterable[Publication]) -> None:
        super().publish_all(publications)
        self.calls.append("publish")

    def published_data(self, _entry: ZoneEntry, before: Zone | None, after: Zone) -> None:
        self.changes.append((before.serial if before is not None else None, after.serial))


class Worker(ThreadPoolExecutor):
    def __init__(self, calls: list[str]) -> None:
        super().__init__(1)
        self._calls = calls

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self._calls.append("read")
        return super().submit(fn, *args, **kwargs)


def test_the_next_zones_are_read_while_others_are_published(tmp_path: Path) -> None:
    configs = []
    for number in range(7):
        (tmp_path / f"{number}").write_text(f"{number} 192.0.2.1")
        configs.append(zone_config(tmp_path / f"{number}", origin=names.from_text(f"{number}.example.")))

    async def steps() -> None:
        recorder = Ordered()
        async with running(read_toy, recorder, Worker(recorder.calls)) as (keeper, _):
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
    read, recorder = HeldReader(), Ordered()

    async def steps() -> None:
        async with running(read, recorder, Worker(recorder.calls)) as (keeper, _):
            keeper.configure([zone_config(path)])
            await asyncio.to_thread(read.began.wait, 10)
            keeper.files_changed([str(path)])
            assert keeper.waiting == 2
            read.go_on.set()
            await keeper.idle()
            assert recorder.calls == ["publish", "read", "publish", "read"], "the second finds nothing new"
            assert recorder.changes == [(None, 7)]

    scenario(steps)
