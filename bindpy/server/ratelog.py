"""Log lines that peers can cause, held to a rate, so that nobody fills a disk from outside."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias

BURST_LINES = 10
LINES_PER_S = 1.0

ExcInfo: TypeAlias = (
    bool | tuple[type[BaseException], BaseException, TracebackType | None] | BaseException | None
)


class RateLimitedLog:
    """Writes at most *burst* lines at once and *lines_per_s* over time; one instance for each kind of line.

    The first line after a silence says how many were left out. Safe to use from many threads. A kind is a
    fixed text of the program, never a peer's address, so the number of instances does not grow with peers.
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        burst: int = BURST_LINES,
        lines_per_s: float = LINES_PER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._burst = float(burst)
        self._lines_per_s = lines_per_s
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = self._burst
        self._at = clock()
        self._suppressed = 0

    def log(self, level: int, message: str, *args: object, exc_info: ExcInfo = None) -> None:
        """Write one line as `logging.Logger.log` does, unless the rate is used up."""
        if not self._logger.isEnabledFor(level):
            return
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._lines_per_s)
            self._at = now
            if self._tokens < 1.0:
                self._suppressed += 1
                return
            self._tokens -= 1.0
            suppressed, self._suppressed = self._suppressed, 0
        if suppressed:
            message += " (%d similar messages suppressed)"
            args = (*args, suppressed)
        self._logger.log(level, message, *args, exc_info=exc_info)
