"""Where the kernel says nothing, or not all: polling, lost events, a reader that ends."""

# ruff: noqa: ASYNC240  # small local files, and nothing else runs on the loop

from __future__ import annotations

import dataclasses
import errno
import itertools
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bindpy.watch.kernel import DirectoryWatch, EventSink, Kernel, _Reader
from bindpy.watch.mounts import MountTable
from bindpy.watch.watcher import FileWatcher
from tests.unit.watch.support import QUICK, Watching, on_loop, replace, until

OFTEN = dataclasses.replace(QUICK, rescan_s=0.05)


@pytest.fixture(name="zone")
def _zone(tmp_path: Path) -> Path:
    path = tmp_path / "zones/example.db"
    path.parent.mkdir()
    path.write_text("old")
    return path


class Refusing(Kernel):
    """A kernel that has nothing left to watch with, until ``error`` is set to None."""

    error: OSError | None = None

    def watch(self, path: str, entries: bool, sink: EventSink) -> DirectoryWatch:
        if self.error is not None:
            raise self.error
        return super().watch(path, entries, sink)


class Deaf(Kernel):
    """A kernel whose events all get lost."""

    def watch(self, path: str, entries: bool, sink: EventSink) -> DirectoryWatch:
        return super().watch(path, entries, lambda name, mask: None)


def refusing(number: int) -> Callable[[Callable[[], None]], Kernel]:
    def make(overflow: Callable[[], None]) -> Kernel:
        kernel = Refusing(overflow)
        kernel.error = OSError(number, os.strerror(number))
        return kernel

    return make


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "fs.inotify.max_user_watches"),
        (errno.EMFILE, "fs.inotify.max_user_instances"),
        (errno.EACCES, "Permission denied"),
    ],
)
@on_loop
async def test_without_inotify_files_are_polled(
    zone: Path, caplog: pytest.LogCaptureFixture, number: int, advice: str
) -> None:
    async with Watching(kernel=refusing(number)) as watching:
        watching.watcher.watch("zone", [str(zone), str(zone.with_name("other.db"))])
        await until(lambda: caplog.records, "a warning")
        [record] = caplog.records
        assert (record.name, record.levelno) == ("bindpy.general", logging.WARNING)
        assert advice in record.getMessage()
        assert str(zone.parent) in record.getMessage()
        assert sum(watching.watcher.status().polled.values()) == 1
        replace(zone, "new")
        await watching.sees(zone, "new")
        zone.write_text("newer")
        await watching.sees(zone, "newer")
        zone.unlink()
        await watching.sees(zone, None)
        zone.write_text("newest")
        await watching.sees(zone, "newest")
        assert len(caplog.records) == 1, "said once"


@on_loop
async def test_a_polled_file_that_grows_is_waited_for(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bindpy.watch.observe.open_for_writing", lambda path: None)
    async with Watching(kernel=refusing(errno.ENOSPC)) as watching:
        watching.watcher.watch("zone", [str(zone)])
        with zone.open("w") as file:
            for number in range(5):
                file.write(f"chunk {number} ")
                file.flush()
                pending = in_motion(watching.watcher, zone)
                moved = pending()
                await until(lambda moved=moved, pending=pending: pending() != moved, "the growth is seen")
        await watching.sees(zone, "chunk 0 chunk 1 chunk 2 chunk 3 chunk 4 ")
        assert len(watching.contents(zone)) == 1


def in_motion(watcher: FileWatcher, path: Path) -> Callable[[], object]:
    """Return a function that returns what was seen of *path* in motion."""

    def seen() -> object:
        file = watcher._layout.find(str(path))
        assert file is not None
        pending = watcher._pending.get(file)
        return pending and pending.seen

    return seen


@on_loop
async def test_watches_that_become_free_are_used(zone: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bindpy")
    async with Watching(timing=OFTEN, kernel=refusing(errno.ENOSPC)) as watching:
        watching.watcher.watch("zone", [str(zone)])
        await until(lambda: len(caplog.records) == 1)
        kernel = watching.watcher._kernel
        assert isinstance(kernel, Refusing)
        kernel.error = None
        await until(lambda: len(caplog.records) == 2, "the news that all is well")
        assert not watching.watcher.status().polled
        assert watching.watcher.status().directories
        replace(zone, "new")
        await watching.sees(zone, "new")


@on_loop
async def test_network_file_systems_are_polled(
    zone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    info = tmp_path / "mountinfo"
    info.write_text(
        f"1 1 0:1 / / rw - ext4 /dev/x rw\n2 1 0:2 / {zone.parent.resolve()} rw - nfs4 server:/ rw\n"
    )
    async with Watching(kernel=Deaf, mounts=MountTable(str(info))) as watching:
        watching.watcher.watch("zone", [str(zone)])
        replace(zone, "new")
        await watching.sees(zone, "new")
        assert "nfs4" in caplog.text


@on_loop
async def test_the_rescan_finds_what_events_did_not_tell(zone: Path, tmp_path: Path) -> None:
    async with Watching(timing=OFTEN, kernel=Deaf) as watching:
        watching.watcher.watch("zone", [str(zone)])
        replace(zone, "new")
        await watching.sees(zone, "new")
        zone.parent.rename(tmp_path / "away")
        zone.parent.mkdir()
        zone.write_text("elsewhere")
        await watching.sees(zone, "elsewhere")
        [directory] = {
            directory.path
            for place in watching.watcher._layout.places
            for directory in place.directories
            if directory.places
        }
        assert directory == str(zone.parent.resolve())


@on_loop
async def test_lost_events_lead_to_a_look_at_all(
    zone: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real overflow: the reader is held up while more happens than the kernel's queue holds."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 50_000:
        pytest.skip("the kernel's queue is too long to fill")
    held = threading.Event()
    entered = threading.Event()
    real = _Reader.read_events

    def slow(self: _Reader, **options: int) -> object:
        entered.set()
        held.wait(60)
        return real(self, **options)

    monkeypatch.setattr(_Reader, "read_events", slow)
    async with Watching() as watching:
        watching.watcher.watch("zone", [str(zone)])
        await until(entered.is_set)
        other = str(zone.with_name("other"))
        for number in itertools.count():
            os.mkdir(other)  # noqa: PTH102  # many thousand times
            os.rmdir(other)  # noqa: PTH106
            if number * 2 > limit:
                break
        replace(zone, "new")
        held.set()
        await watching.sees(zone, "new")
        assert "too many changes at once" in caplog.text
        replace(zone, "newer")
        await watching.sees(zone, "newer")


@on_loop
async def test_a_reader_that_ends_is_replaced(zone: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Watching() as watching:
        watching.watcher.watch("zone", [str(zone)])
        reader = watching.watcher._kernel._reader
        assert reader is not None
        reader.stop()
        await until(lambda: not reader.is_alive())
        replace(zone, "unseen")
        watching.watcher.rescan()
        await watching.sees(zone, "unseen")
        assert "has ended" in caplog.text
        replace(zone, "seen")
        await watching.sees(zone, "seen")
