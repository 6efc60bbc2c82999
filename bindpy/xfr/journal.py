"""What transfers out need of whoever keeps the history of zones."""

from __future__ import annotations

from typing import Protocol

from bindpy.zone.diff import Delta
from bindpy.zone.names import Key


class Journal(Protocol):
    """Keeps the differences between the versions of zones. Used on the event loop."""

    async def chain(self, view: str, key: Key, from_serial: int, to_serial: int) -> list[Delta] | None:
        """Return what leads from one serial of a zone to another, in as few records as can be.

        Oldest first; each delta starts at the serial where the one before it ended. None: not known.
        """
