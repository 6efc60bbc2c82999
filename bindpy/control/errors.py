"""Why a command failed, in BIND's words: scripts read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bindpy.diagnostics import BindpyError

FAILURE = 25
_CODES = {
    "permission denied": 6,
    "shutting down": 22,
    "already exists": 18,
    "not found": 23,
    "unexpected end of input": 24,
    "failure": FAILURE,
    "not implemented": 27,
    "unbalanced quotes": 52,
    "not a valid number": 56,
    "zone not loaded": 123,
    "already frozen": 154,
    "unknown command": 172,
    "not dynamic": 181,
}
"""The results of BIND 9.18. They differ between its branches, so scripts go by the words."""


class VerbError(BindpyError):
    """A command that was not done: ``err`` is BIND's word for why, ``text`` is more about it, or "".

    ``data`` is what is known nevertheless, as JSON values.
    """

    def __init__(
        self, err: str, text: str = "", code: int | None = None, *, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{err}: {text}" if text else err)
        self.err = err
        self.text = text
        self.code = _CODES.get(err, FAILURE) if code is None else code
        self.data = data
