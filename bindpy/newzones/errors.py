"""Why a zone was not added, changed or removed."""

from __future__ import annotations

from collections.abc import Iterable

from bindpy.diagnostics import BindpyError, Diagnostic


class NewZoneError(BindpyError):
    """What was asked for was not done; everything is as it was.

    ``reason`` is BIND's word for why ("not found", "already exists", "failure" …), ``lines`` say more.
    """

    def __init__(self, reason: str, lines: Iterable[str] = (), findings: Iterable[Diagnostic] = ()) -> None:
        self.reason = reason
        self.lines = (*lines, *[line for item in findings for line in item.lines()])
        super().__init__("; ".join(self.lines) or reason)
