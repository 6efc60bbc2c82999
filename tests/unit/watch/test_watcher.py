"""The watcher and real files: every way in which editors and tools save."""

# ruff: noqa: ASYNC240  # small local files, and nothing else runs on the loop

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from bindpy.files import FileStamp
from bindpy.watch import FileWatcher, Timing, observe
from bindpy.watch.layout import Directory
from tests.unit.watch import support
from tests.unit.watch.support import NEW, OLD, QUICK, Watching, looks, on_loop, replace, watch

zone, beacon = support.zone, support.beacon  # the fixtures


# --- complete when it happens --------------------------------------------------------------------


@on_loop
async def test_renamed_into_place(zone: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        replace(zone, NEW)
        await watching.sees(zone, NEW)
        assert watching.contents(zone) == [NEW]


@on_loop
async def test_written_in_place_and_closed(zone: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        zone.write_text(NEW)
        await watching.sees(zone, NEW)
        assert watching.contents(zone) == [NEW]


@on_loop
async def test_appended(zone: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        with zone.open("a") as file:
            file.write("more\n")
        await watching.sees(zone, OLD + "more\n")


@on_loop
async def test_a_backup_by_rename_then_a_new_file(zone: Path) -> None:
    """As vim saves by default: 4913 to try, the old file to a backup name, a new one, the backup removed."""
    async with Watching() as watching:
        watch(watching, zone)
        swap = zone.with_name(f".{zone.name}.swp")
        swap.write_text("swap")
        probe = zone.with_name("4913")
        probe.touch()
        probe.unlink()
        backup = zone.rename(f"{zone}~")
        zone.write_text(NEW)
        backup.unlink()
        swap.unlink()
        await watching.sees(zone, NEW)
        assert watching.contents(zone) == [NEW]


@on_loop
async def test_deleted_and_created_again(zone: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        zone.unlink()
        zone.write_text(NEW)
        await watching.sees(zone, NEW)
        assert watching.contents(zone) == [NEW]


@on_loop
async def test_a_hard_link_in_its_place(zone: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        fresh = zone.with_name("fresh")
        fresh.write_text(NEW)
        zone.unlink()
        zone.hardlink_to(fresh)
        await watching.sees(zone, NEW)
        assert watching.contents(zone) == [NEW]


@on_loop
async def test_moved_in_from_a_directory_that_is_not_watched(zone: Path, tmp_path: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        fresh = tmp_path / "fresh"
        fresh.write_text(NEW)
        fresh.replace(zone)
        await watching.sees(zone, NEW)


@on_loop
async def test_made_readable_again(zone: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        zone.chmod(0o640)
        await watching.sees(zone, OLD)


@on_loop
async def test_deleted_for_good(zone: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        zone.unlink()
        await watching.sees(zone, None)
        zone.write_text(NEW)
        await watching.sees(zone, NEW)


@on_loop
async def test_created_at_last(zone: Path) -> None:
    async with Watching() as watching:
        missing = zone.with_name("missing.db")
        watch(watching, missing)
        missing.write_text(NEW)
        await watching.sees(missing, NEW)


# --- not complete yet ----------------------------------------------------------------------------


@on_loop
async def test_truncated_and_written_slowly(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        with zone.open("w") as file:
            for number in range(5):
                file.write(f"chunk {number}\n")
                file.flush()
                await looks(monkeypatch, 2)
        whole = "".join(f"chunk {number}\n" for number in range(5))
        await watching.sees(zone, whole)
        assert watching.contents(zone) == [whole]


@on_loop
async def test_written_slowly_where_writers_cannot_be_known(
    zone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to a lease, as when the files belong to another user."""
    monkeypatch.setattr(observe, "open_for_writing", lambda path: None)
    async with Watching(Timing(quiet_s=0.02, unknown_idle_s=20)) as watching:
        watch(watching, zone)
        with zone.open("w") as file:
            for number in range(5):
                file.write(f"chunk {number}\n")
                file.flush()
                await looks(monkeypatch, 2)
        whole = "".join(f"chunk {number}\n" for number in range(5))
        await watching.sees(zone, whole)
        assert watching.contents(zone) == [whole]


@on_loop
async def test_written_and_never_closed(zone: Path) -> None:
    async with Watching(Timing(quiet_s=0.02, idle_s=0.1, unknown_idle_s=0.1)) as watching:
        watch(watching, zone)
        with zone.open("w") as file:
            file.write(NEW)
            file.flush()
            await watching.sees(zone, NEW)


@on_loop
async def test_emptied_and_filled_later(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Watching(Timing(quiet_s=0.02, empty_s=20)) as watching:
        watch(watching, zone)
        zone.write_text("")
        await looks(monkeypatch, 1)
        zone.write_text(NEW)
        await watching.sees(zone, NEW)
        assert watching.contents(zone) == [NEW]


@on_loop
async def test_emptied_for_good(zone: Path) -> None:
    async with Watching() as watching:
        watch(watching, zone)
        zone.write_text("")
        await watching.sees(zone, "")


@on_loop
async def test_renamed_into_place_before_it_was_flushed(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A common mistake: the temporary file is closed, and so written, after the rename."""
    if observe.open_for_writing(str(zone)) is None:
        pytest.skip("no leases on this file system")
    async with Watching() as watching:
        watch(watching, zone)
        fresh = zone.with_name("fresh")
        with fresh.open("w") as file:
            file.write(NEW[:5])
            file.flush()
            fresh.replace(zone)
            await looks(monkeypatch, 2)
            file.write(NEW[5:])
        await watching.sees(zone, NEW)
        assert watching.contents(zone) == [NEW]


@on_loop
async def test_two_writes_within_a_clock_tick(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second leaves size and times as the first left them; it must be reported nevertheless."""
    async with Watching() as watching:
        watch(watching, zone)
        zone.write_text("version 1\n")
        times = zone.stat()
        frozen = observe.observe(str(zone))
        monkeypatch.setattr("bindpy.watch.watcher.observe", lambda path: frozen._replace(racy=True))
        await watching.sees(zone, "version 1\n")
        zone.write_text("version 2\n")
        os.utime(zone, ns=(times.st_atime_ns, times.st_mtime_ns))
        await watching.sees(zone, "version 2\n")


# --- many files, owners --------------------------------------------------------------------------


@on_loop
async def test_many_files_in_a_directory_need_one_watch(tmp_path: Path, beacon: Path) -> None:
    directory = tmp_path / "zones"
    directory.mkdir()
    paths = [directory / f"{number}.db" for number in range(5000)]
    for path in paths:
        path.touch()
    async with Watching() as watching:
        watch(watching, beacon)
        before = watching.watcher.status()
        for number, path in enumerate(paths):
            watching.watcher.watch(number, [str(path)])
        after = watching.watcher.status()
        assert (after.files, after.directories) == (before.files + 5000, before.directories + 1)
        replace(paths[0], "first")
        replace(paths[-1], "last")
        await watching.sees(paths[0], "first")
        await watching.sees(paths[-1], "last")
        for number in range(5000):
            watching.watcher.watch(number, ())
        assert watching.watcher.status() == before


@on_loop
async def test_events_of_other_files_go_no_further(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[str] = []
    real = FileWatcher._arrived

    def recorded(self: FileWatcher, directory: Directory, name: str, mask: int) -> None:
        arrived.append(name)
        real(self, directory, name, mask)

    monkeypatch.setattr(FileWatcher, "_arrived", recorded)
    async with Watching() as watching:
        watch(watching, zone)
        for number in range(200):
            zone.with_name(f"other{number}").write_text("x")
        replace(zone, NEW)
        await watching.sees(zone, NEW)
        assert set(arrived) == {zone.name}


@on_loop
async def test_a_file_of_two_owners(zone: Path, beacon: Path) -> None:
    async with Watching() as watching:
        include = zone.with_name("include")
        include.write_text(OLD)
        watching.watcher.watch("a", [str(zone), str(include)])
        watching.watcher.watch("b", [str(beacon), str(include)])
        watching.watcher.watch("a", [str(zone)])
        replace(include, NEW)
        await watching.sees(include, NEW)
        watching.watcher.watch("b", [str(beacon)])
        replace(include, "newest")
        await watching.settles(beacon)
        assert watching.contents(include) == [NEW]


@on_loop
async def test_a_file_that_changed_between_reading_and_watching(zone: Path, beacon: Path) -> None:
    async with Watching() as watching:
        include = zone.with_name("include")
        appeared = zone.with_name("appeared")
        include.write_text(OLD)
        stamps = {str(path): FileStamp.of(str(path)) for path in (zone, include, appeared)}
        include.write_text(NEW)
        appeared.write_text(NEW)
        watching.watcher.watch("zone", map(str, (zone, include, appeared, beacon)), read=stamps)
        await watching.sees(include, NEW)
        await watching.sees(appeared, NEW)
        await watching.settles(beacon)
        assert watching.contents(zone) == []


@on_loop
async def test_after_close_nothing_is_reported(zone: Path) -> None:
    watching = Watching()
    watcher = FileWatcher(watching._changed, timing=QUICK)
    watcher.watch("zone", [str(zone)])
    reader = watcher._kernel._reader
    assert reader is not None
    assert reader.is_alive()
    watcher.close()
    watcher.close()
    assert not reader.is_alive()
    replace(zone, NEW)
    async with Watching() as other:
        replace(zone, "newer")
        watch(other, zone)
        replace(zone, "newest")
        await other.sees(zone, "newest")
    assert watching.reports == []


@pytest.mark.parametrize("seed", range(3))
@on_loop
async def test_whatever_is_done_the_last_content_is_reported(tmp_path: Path, seed: int) -> None:
    """Many edits of many kinds at random: in the end the last report of each file has its last content."""
    print(f"seed {seed}")
    choose = random.Random(seed)
    directories = [tmp_path / "zones", tmp_path / "more"]
    for directory in directories:
        directory.mkdir()
    paths = [directory / f"{number}.db" for directory in directories for number in range(4)]
    for path in paths:
        path.write_text(OLD)

    def edit(path: Path, content: str) -> None:
        match choose.randrange(6):
            case 0:
                replace(path, content)
            case 1:
                path.write_text(content)
            case 2:
                path.unlink(missing_ok=True)
                path.write_text(content)
            case 3:
                target = path.with_name(f"target{choose.randrange(3)}")
                target.write_text(content)
                fresh = path.with_name("fresh")
                fresh.symlink_to(target.name)
                fresh.replace(path)
            case 4:
                path.rename(f"{path}~")
                path.write_text(content)
            case _:
                aside = path.parent.rename(f"{path.parent}.aside")
                aside.rename(path.parent)
                path.write_text(content)

    async with Watching() as watching:
        watch(watching, *paths)
        for number in range(150):
            edit(choose.choice(paths), f"edit {number}\n" * choose.randrange(1, 50))
            if choose.random() < 0.3:
                await asyncio.sleep(0)
        for number, path in enumerate(paths):
            replace(path, f"end of {number}")
        for number, path in enumerate(paths):
            await watching.sees(path, f"end of {number}")


@on_loop
async def test_a_file_that_many_share(zone: Path) -> None:
    async with Watching() as watching:
        for owner in range(3):
            watching.watcher.watch(owner, [str(zone)])
        for owner in range(2):
            watching.watcher.watch(owner, [])
        replace(zone, NEW)
        await watching.sees(zone, NEW)
        assert len(watching.reports) == 1, "once, whoever wants to know"
        watching.watcher.watch(2, [])
        assert watching.watcher.status().files == 0
