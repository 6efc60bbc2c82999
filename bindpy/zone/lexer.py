"""Tokens of master files (RFC 1035 section 5.1), split as BIND splits them.

The text is latin-1: one character is one octet of the file.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bindpy.diagnostics import BindpyError


class Token(NamedTuple):
    """One word or quoted string: its text with escapes as written, where it begins, whether it was quoted.

    ``glued`` says that nothing stands between this token and the one before (``key="value"``).
    """

    text: str
    offset: int
    quoted: bool = False
    glued: bool = False


class Entry(NamedTuple):
    """The tokens of one entry, and where the next one begins; ``inherits`` when it starts with a blank."""

    tokens: list[Token]
    end: int
    inherits: bool


class LexError(BindpyError):
    """Text that cannot be split; ``offset`` is the place, ``resume`` where reading can go on."""

    def __init__(self, message: str, offset: int, resume: int, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.resume = resume
        self.hint = hint


class NeedMoreTextError(Exception):
    """The entry goes on after the end of the text."""

    def __init__(self, opened_at: int | None) -> None:
        super().__init__("entry is not complete")
        self.opened_at = opened_at
        """Offset of the outermost open parenthesis, if that is what is not complete."""


_TOKEN = re.compile(
    r"""[ \t]*+(?:
      ((?:[^ \t\r\n"();\\]|\\[^\r\n])++)  # 1: a word
    | "((?:[^"\\\n]|\\.)*+)"              # 2: a quoted string; a newline in it must be escaped
    | (;[^\n]*+)                          # 3: a comment
    | (\r\n?|\n)                          # 4: the end of the line
    | (.)                                 # 5: anything else
    )""",
    re.VERBOSE | re.DOTALL,
)
NEXT_LINE = re.compile(r"[^\n]*+\n?+")


def next_entry(text: str, start: int, *, at_end: bool) -> Entry:
    """Split the entry that begins at *start*, up to the end of its last line.

    Newlines count as blanks inside parentheses. An empty line gives an entry without tokens. *at_end* says
    that no text follows. Raises `LexError`, and `NeedMoreTextError` unless *at_end*.
    """
    tokens: list[Token] = []
    append = tokens.append
    opened: list[int] = []
    pos = start
    match = _TOKEN.match
    glue_at = -1
    while (m := match(text, pos)) is not None:
        pos = m.end()
        kind = m.lastindex
        if kind == 1:
            at = m.start(1)
            append(Token(m[1], at, False, at == glue_at))
            glue_at = pos
        elif kind == 2:
            at = m.start(2) - 1
            append(Token(m[2], at, True, at == glue_at))
            glue_at = pos
        elif kind == 4:
            if not opened:
                return Entry(tokens, pos, text[start] in " \t")
        elif kind == 5:
            _other(text, m.start(5), opened, at_end)
    if opened:
        if not at_end:
            raise NeedMoreTextError(opened[0])
        raise LexError("unbalanced parentheses: this '(' is never closed", opened[0], len(text))
    if not at_end:
        raise NeedMoreTextError(None)
    return Entry(tokens, len(text), start < len(text) and text[start] in " \t")


def _other(text: str, at: int, opened: list[int], at_end: bool) -> None:
    char = text[at]
    if char == "(":
        opened.append(at)
        return
    if char == ")":
        if not opened:
            raise LexError("unbalanced parentheses: ')' without '('", at, _next_line(text, at))
        opened.pop()
        return
    newline = text.find("\n", at)
    if newline < 0 and not at_end:
        raise NeedMoreTextError(None)
    if char == '"':
        if text.endswith("\\\n") and not at_end and "\n" not in text[at:-1].replace("\\\n", ""):
            raise NeedMoreTextError(None)
        raise LexError(
            "the quoted string that starts here is not closed on its line",
            at,
            _next_line(text, at),
            "add the closing '\"'",
        )
    raise LexError("'\\' at the end of a line", at, _next_line(text, at), "write the octet as \\DDD")


def _next_line(text: str, at: int) -> int:
    m = NEXT_LINE.match(text, at)
    return m.end() if m is not None else len(text)


_NOT_PLAIN = re.compile(r"\\[0-9]{3}|\\(.)|([^ -~])", re.DOTALL)


def to_ascii(text: str) -> str:
    """Return a token's text with every octet that is not printable ASCII written as ``\\DDD``."""
    if text.isascii() and text.isprintable():
        return text
    return _NOT_PLAIN.sub(_escape, text)


def _escape(m: re.Match[str]) -> str:
    char = m[1] or m[2]
    if char is None or " " <= char <= "~":
        return m[0]
    return f"\\{ord(char):03d}"


_ESCAPE = re.compile(r"\\([0-9]{1,3}|.)", re.DOTALL)


def to_octets(text: str) -> bytes | None:
    """Return the octets that a token's text means, or None when it has a bad ``\\DDD``."""
    if "\\" not in text:
        return text.encode("latin-1")
    try:
        return _ESCAPE.sub(_unescape, text).encode("latin-1")
    except ValueError:
        return None


def _unescape(m: re.Match[str]) -> str:
    escaped = m[1]
    if escaped[0] not in "0123456789":
        return escaped
    if len(escaped) != 3 or int(escaped) > 255:
        raise ValueError(escaped)
    return chr(int(escaped))
