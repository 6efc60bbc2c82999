"""The thread that writes log lines, so that no log call ever waits for a disk, a pipe or a daemon."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from bindpy.config.model import LogChannel
from bindpy.deferred import dataclass
from bindpy.logs.levels import OFF, threshold
from bindpy.logs.lines import Event, prefix
from bindpy.logs.sinks import Line, Sink, complain

LIMIT: Final = 10_000  # events that may wait; a fifth more for warnings and worse
_BATCH: Final = 1000
_FLUSH_S: Final = 1.0
_PAUSE_S: Final = 0.001  # after a batch: lets the next one grow, which costs far fewer changes of thread


@dataclass(slots=True, eq=False)
class Channel:
    """A channel at work: what it is, where its lines go, and the lowest level that it takes now.

    One that is *debug_only* takes nothing at all while the debug level is 0.
    """

    config: LogChannel
    sink: Sink
    debug_only: bool = False
    threshold: int = 0

    def set_debug_level(self, level: int) -> None:
        """Follow the server's debug level."""
        if self.debug_only and level == 0:
            self.threshold = OFF
        else:
            self.threshold = threshold(self.config.severity, self.config.debug_level, level)


_Item = tuple[Event, tuple[Channel, ...]] | Callable[[], None]


class Writer:
    """Takes events from any thread, in bounded number, and writes them in order on its own thread."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._dropped = 0
        self._held: set[Sink] = set()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, event: Event, channels: tuple[Channel, ...]) -> None:
        """Have *event* written to *channels*, or count it as dropped when too many are waiting."""
        waiting = self._queue.qsize()
        if waiting >= self._limit and (
            event.level < logging.WARNING or waiting >= self._limit + self._limit // 5
        ):
            self._dropped += 1
            return
        self._queue.put((event, channels))

    def call(self, action: Callable[[], None]) -> None:
        """Have *action* called on the writer's thread, after all that was put before."""
        self._queue.put(action)

    def wait(self, timeout_s: float) -> bool:
        """Wait until all that was put before is written; return False if that took longer."""
        done = threading.Event()
        self._queue.put(done.set)
        return done.wait(timeout_s)

    def stop(self, timeout_s: float) -> None:
        """Write what was put before and end the thread; give up after *timeout_s* (a pipe may be stuck)."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        going = True
        while going:
            items = self._next_items()
            if items is None:
                self._flush()
                continue
            pending: dict[Sink, list[Line]] = {}
            for item in items:
                if item is None:
                    going = False
                elif callable(item):
                    self._write(pending)
                    self._flush()
                    item()
                else:
                    event, channels = item
                    for channel in channels:
                        head = prefix(channel.config, event)
                        lines = pending.setdefault(channel.sink, [])
                        lines.append(Line(head + event.message, event.level, event.created))
                        lines += [Line(head + text, event.level, event.created) for text in event.more]
            self._write(pending)
            time.sleep(_PAUSE_S)
        self._flush()

    def _next_items(self) -> list[_Item | None] | None:
        """Wait for items; None when there has been nothing to do for a while and lines are held back."""
        try:
            items = [self._queue.get(timeout=_FLUSH_S if self._held else None)]
        except queue.Empty:
            return None
        while len(items) < _BATCH:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return items

    def _write(self, pending: dict[Sink, list[Line]]) -> None:
        dropped, self._dropped = self._dropped, 0
        if dropped:
            complain(f"{dropped} log messages were dropped: they came faster than they could be written")
        for sink, lines in pending.items():
            sink.write(lines)
            self._held.add(sink)
        pending.clear()

    def _flush(self) -> None:
        held, self._held = self._held, set()
        for sink in held:
            sink.flush()
