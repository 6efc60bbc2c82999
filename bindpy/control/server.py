"""What verbs need of the running server; `bindpy.app.Server` has it all."""

from __future__ import annotations

from typing import Protocol

from bindpy.control.jobs import Jobs


class ControlledServer(Protocol):
    """The running server, for verbs. Everything belongs to the event loop's thread."""

    @property
    def jobs(self) -> Jobs:
        """Work that was started by commands."""
