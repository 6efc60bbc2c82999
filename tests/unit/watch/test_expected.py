"""Files that are watched from before they are read for the first time."""

# ruff: noqa: ASYNC240  # small local files, and nothing else runs on the loop

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bindpy.files import FileStamp
from tests.unit.watch import support
from tests.unit.watch.support import NEW, Watching, on_loop, replace, watch_beacon

zone, beacon = support.zone, support.beacon  # the fixtures


@on_loop
async def test_an_expected_file_is_watched_from_before_it_is_read(zone: Path, beacon: Path) -> None:
    async with Watching() as watching:
        expected = watching.watcher.expect("zone", str(zone))
        replace(zone, NEW)
        await watching.sees(zone, NEW)
        watching.watcher.was_read("zone", str(zone), FileStamp.of(str(zone)), expected)
        watch_beacon(watching, beacon)
        await watching.settles(beacon)
        assert watching.contents(zone) == [NEW]
        replace(zone, "newest")
        await watching.sees(zone, "newest")


@on_loop
@pytest.mark.parametrize("times", [1, 2])
async def test_an_expected_file_that_was_read_is_looked_at_no_more(
    zone: Path, beacon: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Also when it was to be read before, and time did not suffice."""
    stamp = FileStamp.of(str(zone))
    async with Watching() as watching:
        watching.watcher.watch("other", [str(zone.with_name("other"))])
        with monkeypatch.context() as patch:
            for name in ("stat", "lstat", "readlink", "open"):
                patch.setattr(os, name, lambda *_: pytest.fail("it was looked at"))
            for _ in range(times):
                expected = watching.watcher.expect("zone", str(zone))
            watching.watcher.was_read("zone", str(zone), stamp, expected)
        watch_beacon(watching, beacon)
        await watching.settles(beacon)
        assert watching.contents(zone) == []
        watching.watcher.watch("zone", ())
        assert watching.watcher.status().files == 2


@on_loop
async def test_an_expected_file_that_changed_after_it_was_read(zone: Path, beacon: Path) -> None:
    """The event comes before what was read, which is then not what is there."""
    async with Watching() as watching:
        expected = watching.watcher.expect("zone", str(zone))
        stamp = FileStamp.of(str(zone))
        replace(zone, NEW)
        watching.watcher.was_read("zone", str(zone), stamp, expected)
        await watching.sees(zone, NEW)
        watch_beacon(watching, beacon)
        await watching.settles(beacon)


@on_loop
async def test_an_expected_file_that_is_a_link_is_followed(zone: Path, tmp_path: Path) -> None:
    """Whoever read it has found that out, and so tells it as of any other file."""
    real = tmp_path / "real/example.db"
    real.parent.mkdir()
    zone.rename(real)
    zone.symlink_to(real)
    async with Watching() as watching:
        watching.watcher.expect("zone", str(zone))
        watching.watcher.watch("zone", [str(zone)], {str(zone): FileStamp.of(str(zone))})
        replace(real, NEW)
        await watching.sees(zone, NEW)


@on_loop
async def test_an_expected_file_that_another_zone_has_too(zone: Path) -> None:
    async with Watching() as watching:
        expected = watching.watcher.expect("zone", str(zone))
        again = watching.watcher.expect("another", str(zone))
        stamp = FileStamp.of(str(zone))
        watching.watcher.was_read("zone", str(zone), stamp, expected)
        watching.watcher.was_read("another", str(zone), stamp, again)
        watching.watcher.watch("zone", ())
        replace(zone, NEW)
        await watching.sees(zone, NEW)
