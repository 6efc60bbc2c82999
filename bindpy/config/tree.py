"""The statement tree: what a configuration file says, with every token's place, before it means anything.

A `Statement` is a run of tokens and blocks up to its ``;``. A `Block` is what stands between two braces,
itself a run of statements. Nothing here knows which statements exist.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import NamedTuple, TypeAlias

from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan


class Token(NamedTuple):
    """A bare word, a quoted string (``quoted``, text without its quotes) or one of ``! /``.

    In a quoted string ``\\"`` stands for a quote; every other backslash is kept, as BIND keeps it.
    ``offset`` counts characters from the start of the source's text.
    """

    text: str
    offset: int
    quoted: bool = False

    def __str__(self) -> str:
        return '"' + self.text.replace('"', '\\"') + '"' if self.quoted else self.text


@dataclass(slots=True, eq=False)
class Source:
    """A file's text, or the part of it that was read. ``name`` is the path as given or as the include
    names it. ``is_kept``: the server itself writes the file."""

    name: str
    text: str
    path: str = ""  # absolute
    included_from: SourceSpan | None = None
    includer: Source | None = None
    is_kept: bool = False
    _line_starts: list[int] | None = field(default=None, repr=False)

    def span(self, offset: int) -> SourceSpan:
        """Return the line and column (both from 1) of the character at *offset*."""
        starts = self._line_starts
        if starts is None:
            starts = self._line_starts = [0]
            find, at = self.text.find, 0
            while at := find("\n", at) + 1:
                starts.append(at)
        line = bisect_right(starts, offset)
        return SourceSpan(self.name, line, offset - starts[line - 1] + 1)

    def offset(self, span: SourceSpan) -> int:
        """Return which character of the text stands at *span*: what `span` was made from."""
        at = 0
        for _ in range(span.line - 1):
            at = self.text.index("\n", at) + 1
        return at + span.column - 1

    def forget_lines(self) -> None:
        """Let go of what makes finding places quick: it is worked out again when it is needed."""
        self._line_starts = None

    def chain(self) -> tuple[Diagnostic, ...]:
        """Return one note for each ``include`` that led here, the innermost first."""
        notes = []
        source: Source | None = self
        while source is not None and source.included_from is not None:
            notes.append(Diagnostic(Severity.NOTE, "included from here", source.included_from))
            source = source.includer
        return tuple(notes)


@dataclass(slots=True, eq=False)
class Block:
    """What stands between ``{`` at ``offset`` and ``}`` at ``end``."""

    statements: list[Statement]
    offset: int
    end: int = -1


Item: TypeAlias = Token | Block


@dataclass(slots=True, eq=False)
class Statement:
    """Tokens and blocks up to a ``;``. ``items`` is never empty and stays as it is.

    ``keyword`` is the lower-cased first word, "" where the statement begins with anything else.
    """

    source: Source
    items: list[Item]
    keyword: str = field(init=False)

    def __post_init__(self) -> None:
        first = self.items[0]
        self.keyword = first.text.lower() if isinstance(first, Token) and not first.quoted else ""

    @property
    def offset(self) -> int:
        """Where the statement begins."""
        return self.items[0].offset

    @property
    def span(self) -> SourceSpan:
        """Where the statement begins, for people."""
        return self.source.span(self.items[0].offset)

    def body(self) -> Block | None:
        """Return the last item if it is a block."""
        last = self.items[-1]
        return last if isinstance(last, Block) else None

    def tokens(self) -> Iterator[Token]:
        """Yield the statement's own tokens and those of the blocks in it, in the order of the text."""
        stack: list[Iterator[Item]] = [iter(self.items)]
        while stack:
            for item in stack[-1]:
                if isinstance(item, Token):
                    yield item
                else:
                    stack.append(i for statement in item.statements for i in statement.items)
                    break
            else:
                stack.pop()


def with_body(statement: Statement, statements: list[Statement]) -> Statement:
    """Return *statement*, which ends with a block, with *statements* in that."""
    body = statement.body()
    assert body is not None, "it has no body"
    return Statement(statement.source, [*statement.items[:-1], Block(statements, body.offset, body.end)])


def text_of(items: Iterable[Item]) -> str:
    """Return *items* in a canonical form: one space between tokens, comments gone, quotes kept.

    Reading the result again gives the same items, places aside. Equal values have equal text, which is
    what makes it a key for remembering what a value means.
    """
    parts: list[str] = []
    stack: list[Iterator[Item | str]] = [iter(items)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, str):
                parts.append(item)
            elif isinstance(item, Token):
                parts.append(str(item))
            else:
                parts.append("{")
                stack.append(_flat(item))
                break
        else:
            stack.pop()
    return " ".join(parts)


def _flat(block: Block) -> Iterator[Item | str]:
    for statement in block.statements:
        yield from statement.items
        yield ";"
    yield "}"


def print_statements(statements: Iterable[Statement]) -> str:
    """Return the text of *statements*, one line for each."""
    return "".join([f"{text_of(statement.items)} ;\n" for statement in statements])
