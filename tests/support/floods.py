"""How many log lines a flood may cause."""

from __future__ import annotations

import time

from bindpy.server.ratelog import BURST_LINES, LINES_PER_S


class Flood:
    """A flood that begins now."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def lines_at_most(self) -> int:
        """Return how many lines of one kind may be logged by now: a flood takes a busy machine longer."""
        return int(BURST_LINES + LINES_PER_S * (time.monotonic() - self._began)) + 1
