"""The keeper and very many zones that are new."""

from __future__ import annotations

import asyncio
import dataclasses
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bindpy.config.model import ZoneChecks, ZoneSettings
from bindpy.engine import PlainLoad
from bindpy.files import FileStamp
from bindpy.reload.bulk import Bulk
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneId
from bindpy.zone import names
from tests.unit.reload.keeping import Recorder, read_toy, scenario, zone_config


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
