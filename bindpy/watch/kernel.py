"""watchdog's reader of inotify, with one watch a directory and no thread but its own.

watchdog's `Observer` is not used: it runs a thread for every directory, and holds back a file that was
moved away (and all that follows) for half a second to find out where to. Its `InotifyFD` below does neither.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Final

from watchdog.observers.inotify_c import (
    DEFAULT_EVENT_BUFFER_SIZE,
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

# An entry of a watched directory: its name, "" for the directory itself; and the inotify mask.
EventSink = Callable[[str, int], None]

MODIFY: Final = int(InotifyConstants.IN_MODIFY)
ATTRIB: Final = int(InotifyConstants.IN_ATTRIB)
CLOSE_WRITE: Final = int(InotifyConstants.IN_CLOSE_WRITE)
MOVED_FROM: Final = int(InotifyConstants.IN_MOVED_FROM)
MOVED_TO: Final = int(InotifyConstants.IN_MOVED_TO)
CREATE: Final = int(InotifyConstants.IN_CREATE)
DELETE: Final = int(InotifyConstants.IN_DELETE)
REPLACED: Final = CREATE | DELETE | MOVED_FROM | MOVED_TO  # the name stands for something else now
GONE: Final = int(
    InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_UNMOUNT
    | InotifyConstants.IN_IGNORED
)

_ANY: Final = int(
    InotifyConstants.IN_ONLYDIR | InotifyConstants.IN_EXCL_UNLINK | InotifyConstants.IN_MASK_ADD
)
_SELF_MASK: Final = _ANY | int(InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF)
_ENTRIES_MASK: Final = _SELF_MASK | MODIFY | ATTRIB | CLOSE_WRITE | REPLACED

# While nothing but writing happens, events are read this much later: the kernel merges equal ones that wait.
_WRITING_PAUSE_S: Final = 0.002
# But not before it has been so for as many readings: what is short is over then, and not heard of any later.
_UNPAUSED_READINGS: Final = 8


class _Reader(InotifyFD):
    """Reads more slowly while a file is being written: thousands of events would all say the same."""

    _readings_of_writing = 0  # in a row

    def read_events(self, *, event_buffer_size: int = DEFAULT_EVENT_BUFFER_SIZE) -> list[InotifyEvent]:
        if self._readings_of_writing >= _UNPAUSED_READINGS:
            self.stopped_event.wait(_WRITING_PAUSE_S)
        events = super().read_events(event_buffer_size=event_buffer_size)
        only_writing = bool(events) and all(event.mask & MODIFY for event in events)
        self._readings_of_writing = self._readings_of_writing + 1 if only_writing else 0
        return events


class DirectoryWatch:
    """The inotify watch of one directory. The methods named ``on_…`` run on watchdog's thread."""

    __slots__ = ("_id", "_overflow", "_reader", "_sink", "_wd", "entries")

    def __init__(
        self, reader: InotifyFD, path: str, *, entries: bool, sink: EventSink, overflow: Callable[[], None]
    ) -> None:
        self._reader = reader
        self._id = CallbackId(id(self))
        self._sink = sink
        self._overflow = overflow
        self.entries = entries
        mask = Mask(_ENTRIES_MASK if entries else _SELF_MASK)
        self._wd = reader.add_callback(os.fsencode(path), mask, self, self._id)
        if self._wd == -1:  # what watchdog makes of EACCES
            self.remove()
            raise PermissionError(f"no permission to watch {path}")

    def remove(self) -> None:
        """End the watch; events of it that were read already may still come."""
        self._reader.remove_callbacks([(self._wd, self._id)])

    def on_event(self, event: InotifyEvent) -> None:
        """Pass an event on."""
        if event.name:
            if self.entries:
                self._sink(os.fsdecode(event.name), event.mask)
        elif event.mask & GONE:
            self._sink("", event.mask)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:  # noqa: ARG002  # watchdog's signature
        """Pass on that the kernel has dropped the watch, the directory being gone."""
        self._sink("", int(InotifyConstants.IN_IGNORED))

    def on_queue_overflow(self) -> None:
        """Pass on that events were lost."""
        self._overflow()


class Kernel:
    """One inotify instance. Its methods are for one thread; *overflow* and sinks are called on another."""

    def __init__(self, overflow: Callable[[], None]) -> None:
        self._overflow = overflow
        self._reader: InotifyFD | None = None

    @property
    def ended(self) -> bool:
        """Whether the thread that reads events has ended although nobody asked it to."""
        return self._reader is not None and not self._reader.is_alive()

    def watch(self, path: str, entries: bool, sink: EventSink) -> DirectoryWatch:
        """Watch the directory with the real path *path*: itself, and with *entries* all that it holds.

        Raises: OSError (ENOSPC: no more watches; EMFILE: no more inotify instances; ENOENT, ENOTDIR, EACCES).
        """
        if self._reader is None:
            reader = _Reader()
            reader.name = "inotify"
            reader.start()
            self._reader = reader
        return DirectoryWatch(self._reader, path, entries=entries, sink=sink, overflow=self._overflow)

    def close(self) -> None:
        """End all watches and the thread; a later `watch` starts anew. May be called twice."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()
            if reader.is_alive():
                reader.join()


# What watchdog has to say about lost events is said by the watcher, with the consequence.
logging.getLogger("watchdog.observers.inotify_c").addFilter(lambda record: record.levelno >= logging.ERROR)
