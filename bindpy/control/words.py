"""A command line as BIND's lexer takes it: words, "quoted strings", and configuration text from ``{`` on."""

from __future__ import annotations

import re

from bindpy.control.errors import VerbError
from bindpy.deferred import dataclass

_BLANK = " \t\r\n"
_WORD = re.compile(r"(?:\\[\s\S]|[^\s\"\\])+|\\")


@dataclass(frozen=True, slots=True)
class Line:
    """A command: its ``verb`` as written, the words after it, and all text after the verb as it came.

    Where configuration text was looked for, ``config`` is the text from the first ``{`` on and ``words`` are
    those before it.
    """

    verb: str
    words: tuple[str, ...]
    rest: str
    config: str = ""


def first_word(line: str) -> str:
    """Return the verb of *line*, "" where there is none."""
    return line.strip(_BLANK).split(maxsplit=1)[0] if line.strip(_BLANK) else ""


def split(line: str, *, with_config: bool = False) -> Line:
    """Return what *line* consists of; *with_config*: from ``{`` on it is configuration text.

    A backslash keeps what follows it in its word, as names need it; in a quoted string it only frees a
    quotation mark. Raises `VerbError` where a quoted string does not end.
    """
    verb = first_word(line)
    rest = line.strip(_BLANK)[len(verb) :].strip(_BLANK)
    words: list[str] = []
    at = 0
    while at < len(rest):
        if rest[at] in _BLANK:
            at += 1
        elif with_config and rest[at] == "{":
            return Line(verb, tuple(words), rest, rest[at:])
        elif rest[at] == '"':
            word, at = _quoted(rest, at + 1)
            words.append(word)
        else:
            found = _WORD.match(rest, at)
            assert found is not None, "neither blank nor quoted"
            word = found.group()
            if with_config and "{" in word:
                word = word[: word.index("{")]
            words.append(word)
            at += len(word)
    return Line(verb, tuple(words), rest)


def _quoted(text: str, at: int) -> tuple[str, int]:
    """Return the string whose first character is at *at*, and where the text goes on after it."""
    word: list[str] = []
    while at < len(text):
        if text[at] == '"':
            return "".join(word), at + 1
        if text.startswith('\\"', at):
            at += 1
        word.append(text[at])
        at += 1
    raise VerbError("unbalanced quotes")


def quoted(word: str) -> str:
    """Return *word* so that `split` gives it back as one word."""
    if word and _WORD.fullmatch(word) is not None and word[0] != "{":
        return word
    return '"' + word.replace('"', '\\"') + '"'
