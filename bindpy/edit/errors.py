"""Why a zone was not changed."""

from __future__ import annotations

from collections.abc import Iterable

from bindpy.diagnostics import BindpyError, Diagnostic


class EditError(BindpyError):
    """A change that was refused; nothing was written. ``diagnostics`` say what is wrong in the file."""

    def __init__(self, message: str, diagnostics: Iterable[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.diagnostics = tuple(diagnostics)
