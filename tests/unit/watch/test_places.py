"""The watcher and where files are: links, and directories that come and go."""

# ruff: noqa: ASYNC240  # small local files, and nothing else runs on the loop

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.watch.layout import Directory, Layout
from tests.unit.watch import support
from tests.unit.watch.support import NEW, OLD, Watching, on_loop, replace, until, watch

zone, beacon = support.zone, support.beacon  # the fixtures


# --- links ---------------------------------------------------------------------------------------


@on_loop
async def test_a_link_and_what_it_leads_to(zone: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a/first.db", tmp_path / "b/second.db"
    for path in (first, second):
        path.parent.mkdir()
        path.write_text(path.name)
    zone.unlink()
    zone.symlink_to("../a/first.db")
    async with Watching() as watching:
        watch(watching, zone)
        replace(first, NEW)
        await watching.sees(zone, NEW)
        fresh = zone.with_name("fresh")
        fresh.symlink_to(second)
        fresh.replace(zone)
        await watching.sees(zone, "second.db")
        second.write_text("second, edited")
        await watching.sees(zone, "second, edited")
        assert str(first.parent) not in {
            directory.path for place in watching.watcher._layout.places for directory in place.directories
        }, "what the link led to before is not watched any more"


@on_loop
async def test_a_kubernetes_volume(tmp_path: Path, beacon: Path) -> None:
    """file → ..data/file, ..data → ..2026_11_22: updated by renaming a link over ``..data``."""
    volume = tmp_path / "volume"
    volume.mkdir()

    def version(name: str, content: str) -> None:
        directory = volume / name
        directory.mkdir()
        for file in ("a.db", "b.db"):
            (directory / file).write_text(f"{file} {content}")

    def swap(name: str) -> None:
        (volume / "..data_tmp").symlink_to(name)
        (volume / "..data_tmp").replace(volume / "..data")

    version("..1", "one")
    swap("..1")
    names = ("a.db", "b.db")
    for file in names:
        (volume / file).symlink_to(f"..data/{file}")
    async with Watching() as watching:
        watch(watching, beacon, *(volume / file for file in names))
        for name, content, old in (("..2", "two", "..1"), ("..3", "three", "..2")):
            version(name, content)
            swap(name)
            for file in names:
                (volume / old / file).unlink()
            (volume / old).rmdir()
            for file in names:
                await watching.sees(volume / file, f"{file} {content}")
        await watching.settles(beacon)
        assert watching.contents(volume / "a.db") == ["a.db two", "a.db three"]


@on_loop
async def test_a_linked_directory(tmp_path: Path) -> None:
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "z.db").write_text(name)
    current = tmp_path / "current"
    current.symlink_to("v1")
    async with Watching() as watching:
        watch(watching, current / "z.db")
        fresh = tmp_path / "fresh"
        fresh.symlink_to("v2")
        fresh.replace(current)
        await watching.sees(current / "z.db", "v2")
        replace(tmp_path / "v2/z.db", NEW)
        await watching.sees(current / "z.db", NEW)


# --- directories that come and go ----------------------------------------------------------------


@on_loop
async def test_a_directory_that_is_made_later(tmp_path: Path) -> None:
    path = tmp_path / "not/yet/there/z.db"
    async with Watching() as watching:
        watch(watching, path)
        path.parent.mkdir(parents=True)
        path.write_text(NEW)
        await watching.sees(path, NEW)
        replace(path, "newer")
        await watching.sees(path, "newer")


@on_loop
async def test_a_directory_that_another_replaces(zone: Path, tmp_path: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        fresh = tmp_path / "fresh"
        fresh.mkdir()
        (fresh / zone.name).write_text(NEW)
        zone.parent.rename(tmp_path / "away")
        fresh.rename(zone.parent)
        await watching.sees(zone, NEW)
        replace(zone, "newer")
        await watching.sees(zone, "newer")


@on_loop
async def test_a_directory_that_is_removed_and_made_again(zone: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        zone.unlink()
        zone.parent.rmdir()
        await watching.sees(zone, None)
        zone.parent.mkdir()
        zone.write_text(NEW)
        await watching.sees(zone, NEW)


@on_loop
async def test_a_directory_far_above_that_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "a/b/c/z.db"
    path.parent.mkdir(parents=True)
    path.write_text(OLD)
    async with Watching() as watching:
        watch(watching, path)
        (tmp_path / "a").rename(tmp_path / "away")
        await watching.sees(path, None)
        (tmp_path / "away").rename(tmp_path / "a")
        await watching.sees(path, OLD)
        replace(path, NEW)
        await watching.sees(path, NEW)


@on_loop
async def test_an_edit_while_a_directory_is_watched_anew(
    zone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old watch is gone, the new one not there yet: no event tells of what happens now."""
    real = Layout.renew

    def renew(self: Layout, directory: Directory) -> None:
        real(self, directory)
        if zone.exists() and zone.read_text() == OLD:
            zone.write_text(NEW)

    monkeypatch.setattr(Layout, "renew", renew)
    async with Watching() as watching:
        watch(watching, zone)
        zone.parent.rename(tmp_path / "away")
        (tmp_path / "away").rename(zone.parent)
        await watching.sees(zone, NEW)


@on_loop
async def test_a_big_directory_that_another_replaces(tmp_path: Path) -> None:
    directory, fresh = tmp_path / "zones", tmp_path / "fresh"
    for place in (directory, fresh):
        place.mkdir()
        for number in range(200):
            (place / f"{number}.db").write_text(f"{place.name} {number}")
    async with Watching() as watching:
        watch(watching, *directory.iterdir())
        directory.rename(tmp_path / "away")
        fresh.rename(directory)
        await until(lambda: len(watching.reports) >= 200)
        assert {report.content for report in watching.reports} == {f"fresh {number}" for number in range(200)}
