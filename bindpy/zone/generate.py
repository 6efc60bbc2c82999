"""``$GENERATE``: BIND's templates that make many records of one line."""

from __future__ import annotations

import re

from bindpy.diagnostics import BindpyError
from bindpy.zone.lexer import shown

_RANGE = re.compile(r"\+?([0-9]{1,10})-\+?([0-9]{1,10})(?:/\+?([0-9]{1,10})?.*)?", re.DOTALL)
_MODIFIER = re.compile(r"\{[ \t]*([+-]?[0-9]{1,10})(?:,[ \t]*([0-9]{1,4})(?:,([doxXnN]))?)?\}")
_MAX_NUMBER = 0x7FFFFFFF
_MAX_WIDTH = 127


class GenerateError(BindpyError):
    """A range or a template that is refused; ``offset`` is the place in its text."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


def parse_range(text: str) -> range:
    """Return the numbers that ``START-STOP[/STEP]`` means, STOP included. Raises `GenerateError`."""
    m = _RANGE.fullmatch(text)
    if m is None:
        raise GenerateError(f"{shown(text)} is not a range, START-STOP or START-STOP/STEP is expected")
    start, stop = int(m[1]), int(m[2])
    step = 1
    if "/" in text:
        if m[3] is None:
            raise GenerateError(f"range {shown(text)} has no step after '/'")
        step = int(m[3])
    if start > stop or step < 1 or max(start, stop, step) > _MAX_NUMBER:
        raise GenerateError(
            f"bad range {shown(text)}: START is at most STOP, STEP at least 1, all at most {_MAX_NUMBER}"
        )
    return range(start, stop + 1, step)


class Template:
    """One side of a ``$GENERATE`` line.

    ``$`` is the number, ``${OFFSET[,WIDTH[,BASE]]}`` the number plus OFFSET, padded with zeros to WIDTH, in
    base d, o, x, X, or as reversed nibbles n, N. ``$$`` and ``\\$`` are a dollar sign; other escapes stay.
    Raises `GenerateError` for a bad modifier.
    """

    def __init__(self, text: str) -> None:
        parts: list[str | tuple[int, int, str]] = []
        pos = 0
        while pos < len(text):
            char = text[pos]
            if char == "\\":
                parts.append(text[pos : pos + 2])
                pos += 2
            elif char != "$":
                end = _PLAIN_RUN.match(text, pos)
                assert end is not None
                parts.append(end[0])
                pos = end.end()
            elif text.startswith("$$", pos):
                parts.append("\\$")
                pos += 2
            elif text.startswith("${", pos):
                m = _MODIFIER.match(text, pos + 1)
                if m is None:
                    raise GenerateError(
                        "bad modifier; ${OFFSET[,WIDTH[,BASE]]} is expected, BASE one of d, o, x, X, n, N",
                        pos,
                    )
                width = int(m[2] or 0)
                if width > _MAX_WIDTH:
                    raise GenerateError(f"width {width} is over {_MAX_WIDTH}", pos)
                parts.append((int(m[1]), width, m[3] or "d"))
                pos = m.end()
            else:
                parts.append((0, 0, "d"))
                pos += 1
        self._parts = parts

    def render(self, number: int) -> str:
        """Return the text for *number*. Raises `GenerateError` when a result cannot be printed."""
        return "".join([p if isinstance(p, str) else _format(number + p[0], p[1], p[2]) for p in self._parts])


_PLAIN_RUN = re.compile(r"[^$\\]+")


def _format(value: int, width: int, base: str) -> str:
    if not -_MAX_NUMBER - 1 <= value <= _MAX_NUMBER:
        raise GenerateError(f"{value} is out of range")
    if base == "d":
        return f"{value:0{width}d}" if width else str(value)
    if base in "nN":
        if value < 0:
            raise GenerateError(f"negative number {value} has no nibbles")
        return _nibbles(value, width, "0123456789abcdef" if base == "n" else "0123456789ABCDEF")
    return f"{value & 0xFFFFFFFF:0{width}{base}}" if width else f"{value & 0xFFFFFFFF:{base}}"


def _nibbles(value: int, width: int, digits: str) -> str:
    """Return the hexadecimal digits from the lowest up, dots between them, *width* characters at least."""
    out = []
    while True:
        out.append(digits[value & 15])
        value >>= 4
        width -= 1
        if width <= 0 and not value:
            return "".join(out)
        out.append(".")
        width -= 1
        if width <= 0 and not value:
            return "".join(out)
