"""Facts for people: aligned, coloured where a terminal shows it, times as moments and as distances."""

from __future__ import annotations

import enum
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., None])

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it."""
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_KIB = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Tone(enum.Enum):
    """What a value means; the value is how a terminal is told its colour (ECMA-48)."""

    PLAIN = ""
    GOOD = "32"
    WARNING = "33"
    BAD = "31"
    FAINT = "2"
    STRONG = "1"


def color_option(function: F) -> F:
    """Add ``--color``."""
    option = click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="Colours; auto: on a terminal, unless NO_COLOR is set.",
    )
    return option(function)


def wants_color(choice: str, environment: Mapping[str, str] | None = None) -> bool:
    """Return whether stdout is to be coloured, by the option's *choice* and by what is customary."""
    variables = os.environ if environment is None else environment
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not variables.get("NO_COLOR") and variables.get("TERM") != "dumb"


def ask(question: str, *, default: bool = False) -> None:
    """Ask for a yes. Anything else ends with exit status 1 (130 for Ctrl-C), and says what did not happen."""
    try:
        if click.confirm(question, default=default, err=True):
            return
    except click.Abort as error:
        click.echo(err=True)
        if isinstance(error.__context__, KeyboardInterrupt):
            click.echo("interrupted: nothing was written", err=True)
            sys.exit(INTERRUPTED)
        click.echo("error: nobody answers; nothing was written. With --yes no question is asked", err=True)
        sys.exit(1)
    click.echo("nothing was written", err=True)
    sys.exit(1)


class Painter:
    """Puts text into colours, or leaves it."""

    def __init__(self, is_on: bool) -> None:
        self._is_on = is_on

    def paint(self, text: str, tone: Tone) -> str:
        """Return *text* in the colour of *tone*. What could drive the terminal is taken out of it."""
        shown = _CONTROL.sub("�", text)
        return f"\x1b[{tone.value}m{shown}\x1b[0m" if self._is_on and tone is not Tone.PLAIN else shown


class Sheet:
    """Facts under each other: label, value; all values begin in the same column."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._rows: list[tuple[str, str, Tone]] = []

    def add(self, label: str, value: object, tone: Tone = Tone.PLAIN) -> None:
        """Add a fact, unless its *value* is None or empty. Each of several lines gets one of its own."""
        if value is None or value == "":
            return
        for line in str(value).splitlines():
            self._rows.append((label, line, tone))
            label = ""

    def add_all(self, label: str, values: Iterable[str], tone: Tone = Tone.PLAIN) -> None:
        """Add a fact that has several values, each on a line of its own."""
        self.add(label, "\n".join(values), tone)

    def lines(self) -> list[str]:
        """Return the lines to print."""
        width = max((_width(label) for label, _, _ in self._rows), default=0) + 2
        paint = self._painter.paint
        return [
            f"{paint(label, Tone.FAINT)}{' ' * (width - _width(label))}{paint(value, tone)}"
            for label, value, tone in self._rows
        ]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``2 d 3 h``, ``5 min 1 s``, ``0 s``."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for name, size in _UNITS:
        number, left = divmod(left, size)
        if number or parts:
            parts.append(f"{number} {name}" if number else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part) or "0 s"


def moment(text: str | None, now: float) -> str | None:
    """Return *text* (``2026-11-22T01:51:03Z``) in local time, and its distance from *now*."""
    if text is None:
        return None
    when = datetime.fromisoformat(text).astimezone(UTC)
    distance = when.timestamp() - now
    how_far = f"in {duration(distance)}" if round(distance) > 0 else f"{duration(-distance)} ago"
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S %Z} ({how_far})"


def octets_text(octets: int) -> str:
    """Return a number of octets for people."""
    size, units = float(octets), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= _KIB and len(units) > 1:
        size /= _KIB
        units.pop(0)
    return f"{octets} B" if units[0] == "B" else f"{size:.1f} {units[0]}"
