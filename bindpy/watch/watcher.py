"""Notices that files were edited, and says so once each is fit to be read."""

# Paths are plain strings here: 100,000 of them are looked at in one scan.
# ruff: noqa: PTH114

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from bindpy.deferred import dataclass
from bindpy.files import FileStamp
from bindpy.watch.kernel import ATTRIB, CLOSE_WRITE, CREATE, GONE, MODIFY, MOVED_TO, REPLACED, Kernel
from bindpy.watch.layout import Directory, File, Layout, Place
from bindpy.watch.mounts import MountTable
from bindpy.watch.observe import Known, Observation, is_racy, known_of, observe, stamp_of
from bindpy.watch.settle import Hint, Pending, Timing, Verdict, judge

_log = logging.getLogger("bindpy.general")

_CHUNK: Final = 500  # files looked at in one go by a worker thread: about a millisecond
_AT_ONCE: Final = 64  # files of a replaced directory looked at without a worker thread
_POLL_SHARE: Final = 20  # polling takes at most one part in so many of a worker's time

OnChange = Callable[[set[str]], None]


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """What is watched, for people: ``polled`` maps each reason to the number of directories polled for it."""

    files: int
    directories: int
    polled: Mapping[str, int]


class FileWatcher:
    """Watches files for *owners* (a zone, the configuration) and calls ``on_change`` on the event loop.

    ``on_change`` gets the paths of changed files, as they were given to `watch`. A change is reported when
    the file was renamed into place or closed after writing, in the next turn of the loop; else once nobody
    writes it any more (`Timing`). A deleted file is a change too, unless it is soon there again. What is
    reported may turn out to be the same content; what is not reported has not changed.

    The kernel is asked to watch directories, not files: 100,000 zones in one directory are one watch.
    Symbolic links are watched at every step. Where the kernel cannot tell (network file systems, no
    watches left), files are polled, and the log says so. All methods are for the thread of *loop*.
    """

    def __init__(
        self,
        on_change: OnChange,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        timing: Timing | None = None,
        kernel: Callable[[Callable[[], None]], Kernel] = Kernel,
        mounts: MountTable | None = None,
    ) -> None:
        self._on_change = on_change
        self._loop = loop or asyncio.get_running_loop()
        self._timing = timing or Timing()
        # Where no event says that a file is complete, it must look the same in two polls.
        self._blind_timing = replace(self._timing, quiet_s=max(self._timing.quiet_s, self._timing.poll_s))
        self._kernel = kernel(self._overflowed)
        self._layout = Layout(self._kernel, self._arrived, mounts)
        self._count = 0  # of files
        self._owned: dict[Hashable, str | tuple[str, ...]] = {}  # nearly always one
        self._pending: dict[File, Pending] = {}
        self._timers: dict[File, asyncio.TimerHandle] = {}
        self._changed: set[str] = set()
        self._arrivals: deque[tuple[Directory, str, int]] = deque()
        self._drain_due = False
        self._reported_blind: set[str] = set()
        self._blind_report_due = False
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="file-watch")
        self._rescan_now = asyncio.Event()
        self._closed = False

    # --- what to watch -------------------------------------------------------------------------------

    def watch(
        self, owner: Hashable, paths: Iterable[str], read: Mapping[str, FileStamp | None] | None = None
    ) -> None:
        """Watch exactly *paths* (absolute) for *owner*, in place of those watched for it before; () for none.

        A path need not exist: its appearance is a change. *read* says how files were when their owner read
        them: one that is not so any more is reported, so nothing is missed between reading and watching.
        Costs a comparison of the two sets, and some 20 µs for each path that is new.
        """
        wanted = tuple(dict.fromkeys(paths))
        owned = self._owned.pop(owner, ())
        before = (owned,) if isinstance(owned, str) else owned
        if wanted:
            self._owned[owner] = wanted if len(wanted) > 1 else wanted[0]
        if wanted != before:
            for path in set(before).difference(wanted):
                self._disown(path)
            for path in set(wanted).difference(before):
                self._own(path)
        for path, stamp in (read or {}).items():
            file = self._layout.find(path)
            if file is None:
                continue
            self._see(file)
            if file.stamp == stamp:
                file.stamp = stamp  # one object for both: there may be many
            else:
                file.known = Known(stamp, False)
                self._hint(file, Hint.LOOK)
                self._look(file)
        self._blind_changed()

    def expect(self, owner: Hashable, path: str) -> object:
        """Watch *path* for *owner*, which watches nothing yet and tells by `was_read` what it has read there.

        From here on no change goes unnoticed, so that nobody need look at the file a second time. Returns
        what `was_read` wants. May be called again before that, when the reading was put off.
        """
        if owner in self._owned:
            known = self._layout.find(path) if self._owned[owner] == path else None
            return known if known is not None and known.is_expected else None
        file = self._layout.expect(path)
        if file is not None:
            self._count += 1
            self._owned[owner] = path
            file.owners = 1
        return file

    def was_read(self, owner: Hashable, path: str, stamp: FileStamp | None, expected: object) -> None:
        """Take in how *path*, no symbolic link, was when *owner* read it, which watches nothing else.

        *expected* is what `expect` has returned.
        """
        if (
            isinstance(expected, File)
            and expected.is_expected
            and stamp is not None
            and self._owned.get(owner) == expected.path == path
        ):
            expected.stamp, expected.racy = stamp, is_racy(stamp)
        else:
            self.watch(owner, (path,), {path: stamp})

    def is_settling(self, path: str) -> bool:
        """Return whether *path* has changed and is not yet fit to be read; its change will be told."""
        file = self._layout.find(path)
        return file is not None and file in self._pending

    def rescan(self) -> None:
        """Look at every file soon, as after lost events."""
        self._rescan_now.set()

    def status(self) -> WatchStatus:
        """Return what is watched, and how."""
        return WatchStatus(self._count, self._layout.watched, self._blind_reasons())

    # --- life ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look at the files now and then: those whose changes go unreported often, the others seldom.

        Runs until cancelled, then closes the watcher. `watch` may be called before.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._rescan_forever(), name="file watch: rescan")
                tasks.create_task(self._poll_forever(), name="file watch: poll")
        finally:
            self.close()

    def close(self) -> None:
        """Stop watching. May be called twice; `on_change` is not called afterwards."""
        self._closed = True
        self._kernel.close()
        self._workers.shutdown(wait=False, cancel_futures=True)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._pending.clear()

    # --- files ---------------------------------------------------------------------------------------

    def _own(self, path: str) -> None:
        file = self._layout.find(path)
        if file is None:
            file = File(path)
            self._count += 1
            self._layout.attach(file)
            file.known = known_of(path)
        else:
            self._see(file)
        file.owners += 1

    def _see(self, file: File) -> None:
        """Look at a file that was expected to be read, and is watched as any other from now on."""
        if file.is_expected:
            self._layout.attach(file)
            file.known = known_of(file.path)

    def _disown(self, path: str) -> None:
        file = self._layout.find(path)
        assert file is not None, "it is owned"
        file.owners -= 1
        if not file.owners:
            self._count -= 1
            self._layout.detach(file)
            self._settled(file)

    # --- events --------------------------------------------------------------------------------------

    def _arrived(self, directory: Directory, name: str, mask: int) -> None:
        """Take an event on watchdog's thread to the event loop."""
        self._arrivals.append((directory, name, mask))
        if not self._drain_due:
            self._drain_due = True
            self._call_loop(self._drain)

    def _overflowed(self) -> None:
        """Take the news of lost events to the event loop. Called once for each watch."""
        if not self._rescan_now.is_set():
            self._call_loop(self._lost_events)

    def _call_loop(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _lost_events(self) -> None:
        if not self._rescan_now.is_set() and not self._closed:
            _log.warning(
                "watching files: too many changes at once, some were not reported: looking at all files"
            )
            self._rescan_now.set()

    def _drain(self) -> None:
        # Cleared first: an event that comes while this runs is either taken here or starts another run.
        self._drain_due = False
        moved: dict[Place, None] = {}
        unseen: dict[Place, None] = {}
        touched: dict[File, None] = {}
        while self._arrivals and not self._closed:
            directory, name, mask = self._arrivals.popleft()
            if not name:
                if mask & GONE:
                    # From here until they are located again, what happens there goes unseen.
                    self._layout.renew(directory)
                    unseen.update(dict.fromkeys(directory.users))
                continue
            if mask & REPLACED:
                moved.update(dict.fromkeys(directory.turns.get(name, ())))
            for place in directory.places:
                for file in place.files(name):
                    self._event(file, mask)
                    if mask & ~MODIFY:
                        touched[file] = None
        self._relocate(unseen, unseen=True)
        self._relocate(moved)
        for file in touched:
            if file in self._pending:
                self._look(file)

    def _event(self, file: File, mask: int) -> None:
        if mask & REPLACED and (file.links or os.path.islink(file.path)):
            self._layout.attach(file)
        if mask & (CLOSE_WRITE | MOVED_TO):
            self._hint(file, Hint.COMPLETE)
        elif mask & (MODIFY | CREATE):
            self._hint(file, Hint.WRITTEN)
        elif mask & (ATTRIB | REPLACED):
            self._hint(file, Hint.LOOK)

    def _relocate(self, places: Iterable[Place], *, unseen: bool = False) -> None:
        """Find out where *places* are now; look at the files of those that moved, or of all if *unseen*."""
        replaced: list[Place] = []
        appeared: list[Place] = []
        for place in places:
            was_there = place.route.real is not None
            if self._layout.locate(place) or unseen:
                (replaced if was_there else appeared).append(place)
        # Files in a new directory may still be written; a directory that replaces another was made ready.
        self._look_at_all(self._layout.files_of(replaced), Hint.COMPLETE)
        self._look_at_all(self._layout.files_of(appeared), Hint.LOOK)
        self._blind_changed()

    def _look_at_all(self, files: list[File], hint: Hint) -> None:
        for file in files:
            self._layout.attach(file)
        if len(files) > _AT_ONCE:
            self._rescan_now.set()
            return
        for file in files:
            self._hint(file, hint)
            self._look(file)

    # --- one file in motion --------------------------------------------------------------------------

    def _hint(self, file: File, hint: Hint) -> None:
        now = self._loop.time()
        pending = self._pending.get(file)
        if pending is None:
            pending = self._pending[file] = Pending(now)
        pending.note(hint, now)
        if file not in self._timers:
            self._arm(file, self._timing_of(file).quiet_s)

    def _arm(self, file: File, wait_s: float) -> None:
        timer = self._timers.pop(file, None)
        if timer is not None:
            timer.cancel()
        self._timers[file] = self._loop.call_later(wait_s, self._timer_fired, file)

    def _timer_fired(self, file: File) -> None:
        del self._timers[file]
        self._look(file)

    def _look(self, file: File) -> None:
        if not file.blind:
            self._judge(file, observe(file.path))
            return
        # A network file system may take its time.
        look = self._loop.run_in_executor(self._workers, observe, file.path)
        look.add_done_callback(lambda done: None if done.cancelled() else self._judge(file, done.result()))

    def _judge(self, file: File, seen: Observation) -> None:
        pending = self._pending.get(file)
        if pending is None:
            return
        verdict = judge(pending, file.known, seen, self._loop.time(), self._timing_of(file))
        if isinstance(verdict, float):
            self._arm(file, verdict)
            return
        self._settled(file)
        if verdict is Verdict.REPORT:
            file.known = Known(seen.stamp, seen.racy)
            if not self._changed:
                self._loop.call_soon(self._tell)
            self._changed.add(file.path)

    def _settled(self, file: File) -> None:
        self._pending.pop(file, None)
        timer = self._timers.pop(file, None)
        if timer is not None:
            timer.cancel()

    def _tell(self) -> None:
        changed, self._changed = self._changed, set()
        if not self._closed:
            self._on_change(changed)

    def _timing_of(self, file: File) -> Timing:
        return self._blind_timing if file.blind else self._timing

    # --- looking without events ----------------------------------------------------------------------

    async def _rescan_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timing.rescan_s):
                    await self._rescan_now.wait()
            hurried = self._rescan_now.is_set()
            self._rescan_now.clear()
            self._revive()
            await self._rescan_places()
            polled = set(self._layout.files_of(self._layout.blind))
            files = [file for file in self._layout.files_of(self._layout.places) if file not in polled]
            chunks = -(-len(files) // _CHUNK)
            pause_s = 0.0 if hurried or not chunks else min(0.05, self._timing.rescan_s / 2 / chunks)
            await self._scan(files, pause_s)

    async def _poll_forever(self) -> None:
        pause_s = self._timing.poll_s
        while True:
            await asyncio.sleep(pause_s)
            began = self._loop.time()
            await self._scan(self._layout.files_of(self._layout.blind), 0.0)
            pause_s = max(self._timing.poll_s, _POLL_SHARE * (self._loop.time() - began))

    async def _scan(self, files: list[File], pause_s: float) -> None:
        for start in range(0, len(files), _CHUNK):
            chunk = files[start : start + _CHUNK]
            for file in await self._loop.run_in_executor(self._workers, _changed_files, chunk):
                if file.owners and file not in self._pending:
                    self._hint(file, Hint.LOOK)
                    self._look(file)
            await asyncio.sleep(pause_s)

    async def _rescan_places(self) -> None:
        places = self._layout.places
        for start in range(0, len(places), _CHUNK):
            chunk = places[start : start + _CHUNK]
            moved = await self._loop.run_in_executor(self._workers, _moved_places, chunk)
            # Those that inotify could not watch get another chance: there may be watches left now.
            self._relocate(
                place for place in (*moved, *self._layout.blind.intersection(chunk)) if place.entries
            )

    def _revive(self) -> None:
        if self._kernel.ended:
            _log.error("watching files: the thread that reads inotify has ended; starting another")
            self._kernel.close()
            self._layout.forget_watches()
            for place in self._layout.places:
                self._layout.locate(place)

    # --- what cannot be watched ----------------------------------------------------------------------

    def _blind_reasons(self) -> dict[str, int]:
        return dict(Counter(place.blind for place in self._layout.blind))

    def _blind_changed(self) -> None:
        if not self._blind_report_due:
            self._blind_report_due = True
            self._loop.call_soon(self._report_blind)

    def _report_blind(self) -> None:
        self._blind_report_due = False
        reasons = self._blind_reasons()
        for reason in reasons.keys() - self._reported_blind:
            example = min(place.path for place in self._layout.blind if place.blind == reason)
            _log.warning(
                "watching files: changes in %d directories (%s) are looked for every %g s: %s",
                reasons[reason],
                example,
                self._timing.poll_s,
                reason,
            )
        for reason in self._reported_blind - reasons.keys():
            _log.info("watching files: no directory needs to be polled any more for: %s", reason)
        self._reported_blind = set(reasons)


def _changed_files(files: list[File]) -> list[File]:
    return [file for file in files if not file.is_expected and stamp_of(file.path) != file.stamp]


def _moved_places(places: Iterable[Place]) -> list[Place]:
    return [place for place in places if place.present_identity() != place.identity]
