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
    """The entry goes on after the end of the text.

    ``offset`` is the outermost open parenthesis if there is one (``in_parentheses``), else the entry's
    beginning.
    """

    def __init__(self, start: int, opened: list[int]) -> None:
        super().__init__("entry is not complete")
        self.in_parentheses = bool(opened)
        self.offset = opened[0] if opened else start


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
_STRING_BODY = re.compile(r'(?:[^"\\\n]|\\.)*+', re.DOTALL)


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
            if m[5] == '"' and not at_end and _reaches_end(text, pos):
                raise NeedMoreTextError(start, opened)
            _other(text, m.start(5), opened)
    if opened:
        if not at_end:
            raise NeedMoreTextError(start, opened)
        raise LexError("unbalanced parentheses: this '(' is never closed", opened[0], len(text))
    if not at_end:
        raise NeedMoreTextError(start, opened)
    return Entry(tokens, len(text), start < len(text) and text[start] in " \t")


_BLANK_LINES = re.compile(r"(?:[ \t]*+(?:;[^\n]*+)?\r?\n)*+")


def skip_blank_lines(text: str, pos: int) -> int:
    """Return where the first line begins, from *pos* on, that is more than blanks and a comment."""
    blank = _BLANK_LINES.match(text, pos)
    return blank.end() if blank is not None else pos


def _reaches_end(text: str, pos: int) -> bool:
    """Return whether a string's octets fill the rest of the text (its last newline is escaped then)."""
    body = _STRING_BODY.match(text, pos)
    return body is not None and body.end() == len(text)


def _other(text: str, at: int, opened: list[int]) -> None:
    """Take a character that begins neither a word nor a string: a parenthesis, or something that is wrong."""
    char = text[at]
    if char == "(":
        opened.append(at)
    elif char == ")":
        if not opened:
            raise LexError("unbalanced parentheses: ')' without '('", at, _next_line(text, at))
        opened.pop()
    elif char == '"':
        message = "the quoted string that begins here is not closed on its line"
        raise LexError(message, at, _next_line(text, at), "add the closing double quote")
    else:
        raise LexError("'\\' at the end of a line", at, _next_line(text, at), "write the octet as \\DDD")


def _next_line(text: str, at: int) -> int:
    newline = text.find("\n", at)
    return newline + 1 if newline >= 0 else len(text)


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


_MAX_SHOWN = 80


def shown(text: str) -> str:
    """Return a token's text for a message: in quotes, printable, not too long."""
    cut = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    return f"'{to_ascii(cut)}'"


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


def quoted(octets: bytes) -> str:
    """Return *octets* as a quoted string that means them, in printable ASCII."""
    text = octets.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        return '"' + "".join([_printable(octet) for octet in octets]) + '"'
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _printable(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"
