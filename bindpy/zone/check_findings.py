"""Collects what the zone checks find, each finding with its place in the text, up to a limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from bindpy.config.model import CheckMode
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.zone.names import Key

Locate: TypeAlias = Callable[[Key, int], Sequence[SourceSpan]]
"""Where the records of an owner's key and RRtype stand, in the order of the text; empty when not known."""

MAX_PER_RULE = 100
"""Findings of one rule and severity that are told one by one; of more only the number is told."""

_SEVERITY = {CheckMode.FAIL: Severity.ERROR, CheckMode.WARN: Severity.WARNING}


class At(NamedTuple):
    """The *nth* record (from 0) of an owner's key and RRtype."""

    key: Key
    rtype: int
    nth: int = 0


class Findings:
    """The findings of one run over one zone. Places are looked up only for what is told."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self._items: list[Diagnostic] = []
        self._counts: dict[tuple[str, Severity], int] = {}

    def tell(
        self,
        rule: str,
        severity: Severity,
        message: str,
        at: At,
        *,
        hint: str = "",
        note: tuple[str, At] | None = None,
    ) -> None:
        """Add a finding of *rule*; *note* is a text and the related record."""
        count = self._counts.get((rule, severity), 0) + 1
        self._counts[rule, severity] = count
        if count > MAX_PER_RULE:
            return
        notes = () if note is None else (Diagnostic(Severity.NOTE, note[0], self._place(note[1])),)
        self._items.append(Diagnostic(severity, message, self._place(at), hint, notes))

    def error(self, rule: str, message: str, at: At, *, hint: str = "") -> None:
        """Add an error."""
        self.tell(rule, Severity.ERROR, message, at, hint=hint)

    def warning(self, rule: str, message: str, at: At, *, hint: str = "") -> None:
        """Add a warning."""
        self.tell(rule, Severity.WARNING, message, at, hint=hint)

    def by_mode(self, mode: CheckMode, rule: str, message: str, at: At, *, hint: str = "") -> None:
        """Add what *mode* makes of the finding: an error, a warning or nothing."""
        severity = _SEVERITY.get(mode)
        if severity is not None:
            self.tell(rule, severity, message, at, hint=hint)

    def _place(self, at: At) -> SourceSpan | None:
        """Return the record's place, or the nearest one known."""
        spans = self._locate(at.key, at.rtype)
        if not spans:
            return None
        return spans[min(at.nth, len(spans) - 1)]

    def all(self) -> list[Diagnostic]:
        """Return the findings, and for each rule with too many of them their number."""
        rest = [
            Diagnostic(severity, f"{count - MAX_PER_RULE} more findings of this kind: {rule}")
            for (rule, severity), count in self._counts.items()
            if count > MAX_PER_RULE
        ]
        return self._items + rest
