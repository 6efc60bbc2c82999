"""What we tell a person about bad input: a place, a severity, a sentence and a next step.

Everything that reads text (named.conf, zone files) reports through :class:`Diagnostic`, so that every
message prints as ``FILE:LINE:COL: severity: message`` and an editor can jump to it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import field

from bindpy.deferred import dataclass


class BindpyError(Exception):
    """The root of every error that bindpy raises on purpose."""


class Severity(enum.IntEnum):
    """How bad it is. ``ERROR`` means the input is refused."""

    NOTE = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True, order=True)
class SourceSpan:
    """A place in a text file. ``line`` and ``column`` count from 1; 0 means "the file as a whole"."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``notes`` point at related places; ``hint`` is the next step, where one is known."""

    severity: Severity
    message: str
    span: SourceSpan | None = None
    hint: str = ""
    notes: tuple[Diagnostic, ...] = ()

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        return f"{place}{self.severity.name.lower()}: {self._text()}"

    def _text(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def log_lines(self) -> Iterator[str]:
        """Yield the finding and its notes for a log, which has its own word for the severity."""
        yield f"{self.span}: {self._text()}" if self.span else self._text()
        for note in self.notes:
            yield from note.lines()

    def lines(self) -> Iterator[str]:
        """Yield the finding and its notes, one printable line each."""
        yield str(self)
        for note in self.notes:
            yield from note.lines()

    def as_json(self) -> dict[str, object]:
        """Return the finding as plain JSON values (the shape of ``--json`` outputs)."""
        return {
            "severity": self.severity.name.lower(),
            "message": self.message,
            "file": self.span.file if self.span else None,
            "line": self.span.line if self.span else None,
            "column": self.span.column if self.span else None,
            "hint": self.hint or None,
            "notes": [note.as_json() for note in self.notes],
        }


@dataclass(slots=True)
class Diagnostics:
    """A collector, so that one run shows every finding and not only the first."""

    items: list[Diagnostic] = field(default_factory=list)

    def error(
        self,
        message: str,
        span: SourceSpan | None = None,
        *,
        hint: str = "",
        notes: Iterable[Diagnostic] = (),
    ) -> None:
        """Add an error."""
        self.items.append(Diagnostic(Severity.ERROR, message, span, hint, tuple(notes)))

    def warning(
        self,
        message: str,
        span: SourceSpan | None = None,
        *,
        hint: str = "",
        notes: Iterable[Diagnostic] = (),
    ) -> None:
        """Add a warning."""
        self.items.append(Diagnostic(Severity.WARNING, message, span, hint, tuple(notes)))

    def note(self, message: str, span: SourceSpan | None = None, *, hint: str = "") -> None:
        """Add a note: something worth knowing that changes no verdict."""
        self.items.append(Diagnostic(Severity.NOTE, message, span, hint))

    def extend(self, items: Iterable[Diagnostic]) -> None:
        """Add findings made elsewhere."""
        self.items.extend(items)

    @property
    def has_errors(self) -> bool:
        """Whether anything here refuses the input."""
        return any(item.severity is Severity.ERROR for item in self.items)
