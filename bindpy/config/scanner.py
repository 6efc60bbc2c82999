"""Text → statement tree. One compiled expression finds the tokens, one loop builds the tree.

The lexical rules are BIND's: ``//`` and ``#`` to the end of the line and ``/* */`` are comments anywhere
but in quotes (a word ends where one begins); the characters ``{ } ; ! /`` and the double quote end a word
and stand for themselves; a quoted string may go over the end of its line.
"""

from __future__ import annotations

import re
import sys
from typing import Final, NamedTuple, cast

from bindpy.config.tree import Block, Item, Source, Statement, Token
from bindpy.diagnostics import Diagnostics, SourceSpan

MAX_DEPTH = 24
"""How deep braces may nest. BIND's own statements need six; acl lists may nest further."""

_ZONE: Final = "zone"
_GAP = r"(?: [ \t\r\n]++ | //[^\n]*+ | \#[^\n]*+ | /\*(?:[^*]++|\*(?!/))*+\*/ )*+"
# Possessive throughout, so that no input makes it try twice. The last groups are what cannot be a token.
_TOKEN = re.compile(
    _GAP
    + r"""
    (?: ([^\ \t\r\n{};!/"\#\0]++)               # 1: a bare word
      | ([{};])                                 # 2: structure
      | "((?:[^"\\\0]++|\\[^\0])*+)"            # 3: a quoted string
      | (/\*)                                   # 4: a comment without an end
      | ([!/])                                  # 5: a sign
      | (")                                     # 6: a string without an end
      | (\0)                                    # 7: not text
      | (\Z)                                    # 8: the end
    )
    """,
    re.VERBOSE,
)
# A zone statement whose body has a `file`, at most one level of braces in it, and no comment. What stands
# around the two quoted words is its shape. The name has letters and digits, so that no check knows it.
_PIECES = r"""(?: [^{}";/\#\0]++ | /(?![/*]) | "[^"\\\0]++" | \{[^{}\#\\\0]*+\} )++"""
_PLAIN_ZONE = re.compile(
    _GAP
    + rf"""
    (zone) [ \t]++ "([A-Za-z0-9_-][A-Za-z0-9_.-]*+)"
    ( [ \tA-Za-z]*+ \{{
      (?: [ \t\r\n]*+ (?!file[ \t]) {_PIECES} ; )*+
      [ \t\r\n]*+ file [ \t]++ )
    "([^"\\\0]++)"
    ( [ \t]*+ ; (?: {_PIECES} ; )*+ [ \t\r\n]*+ \}} [ \t]*+ ; )
    """,
    re.VERBOSE,
)
_WORD, _STRUCTURE, _QUOTED, _OPEN_COMMENT, _SIGN, _OPEN_STRING, _NUL, _END = range(1, 9)
_WHY_STOPPED = {
    _OPEN_COMMENT: ("comment is never closed", "add '*/' where it ends"),
    _OPEN_STRING: ("quoted string is never closed", "add the closing '\"'"),
    _NUL: ("NUL character: this is not a text file", ""),
}


Shape = tuple[str, str]
"""What a zone statement says besides its name and its file: the text around these two."""


class PlainZone(Statement):
    """A ``zone`` statement of a shape that was scanned before, without findings: so this one has none.

    ``name`` and ``file`` are its two quoted words, ``end`` is where it ends in the source. Its ``items`` are
    made when somebody asks for them: where there are 100,000 zones, nobody does.
    """

    __slots__ = ("_start", "end", "file", "name", "shape")

    # Those of a statement are not set here: there are many, and `__getattr__` makes them.
    def __init__(self, source: Source, match: re.Match[str], shape: Shape) -> None:
        self.source = source
        self.keyword = _ZONE
        self.name = match[2]
        self.file = match[4]
        self.shape = shape
        self._start, self.end = match.start(1), match.end()

    def __getattr__(self, attribute: str) -> list[Item]:
        if attribute != "items":
            raise AttributeError(attribute)
        [statement] = scan(self.source, Diagnostics(), start=self._start, end=self.end)
        self.items = statement.items
        return self.items

    @property
    def offset(self) -> int:
        """Where the statement begins."""
        return self._start

    @property
    def span(self) -> SourceSpan:
        """Where the statement begins, for people."""
        return self.source.span(self._start)


class _Trial(NamedTuple):
    """A shape that is new: where it ends, and what there was before it."""

    shape: Shape
    end: int
    statements: list[Statement]
    before: int
    findings: int

    def is_passed(self, at: int, statements: list[Statement], diagnostics: Diagnostics) -> bool:
        """Return whether it was read, up to *at*, as one statement of *statements* with nothing to say of it.

        Files that it includes would not be in its text.
        """
        return (
            at == self.end
            and statements is self.statements
            and len(statements) == self.before + 1
            and len(diagnostics.items) == self.findings
            and not any("include" in part.lower() for part in self.shape)
        )


# One loop on purpose: a call for every token would double the time.
def scan(  # noqa: PLR0912, PLR0915
    source: Source,
    diagnostics: Diagnostics,
    *,
    shapes: dict[Shape, Shape] | None = None,
    start: int = 0,
    end: int = sys.maxsize,
) -> list[Statement]:
    """Return the statements of ``source.text``; what is wrong with it goes into *diagnostics*.

    Never raises. After an error the scan goes on where that makes sense, so that later errors show as well; a
    string or comment without an end stops it. ``include`` is a statement like all others here.

    Zones outside of braces and in views that have one of *shapes* become `PlainZone`; those that are found
    are added. With None there are no such zones. *start* and *end* are the part of the text to look at.
    """
    top: list[Statement] = []
    statements, items = top, cast(list[Item], [])
    open_blocks: list[tuple[Block, list[Statement], list[Item]]] = []

    after_stray = -1  # where a '}' too many ends: the ';' behind it is not another error
    in_zones = shapes is not None
    on_trial: _Trial | None = None

    def error(message: str, offset: int, hint: str = "") -> None:
        diagnostics.error(message, source.span(offset), hint=hint, notes=source.chain())

    text, at, next_token, next_zone = source.text, start, _TOKEN.match, _PLAIN_ZONE.match
    while True:
        if in_zones and not items and shapes is not None:
            zone = next_zone(text, at, end)
            if zone is not None:
                shape = zone[3], zone[5]
                known = shapes.get(shape)
                if known is not None:
                    statements.append(PlainZone(source, zone, known))
                    at = zone.end()
                    continue
                on_trial = _Trial(shape, zone.end(), statements, len(statements), len(diagnostics.items))
        match = cast(re.Match[str], next_token(text, at, end))
        at = match.end()
        kind = match.lastindex
        if kind == _WORD:
            items.append(Token(match[1], match.start(1)))
        elif kind == _STRUCTURE:
            char, offset = match[2], match.start(2)
            if char == ";":
                if items:
                    statements.append(Statement(source, items))
                    items = []
                    if on_trial is not None and shapes is not None and at >= on_trial.end:
                        if on_trial.is_passed(at, statements, diagnostics):
                            shapes[on_trial.shape] = on_trial.shape
                        on_trial = None
                elif match.start() != after_stray:
                    error("unexpected ';': there is no statement before it", offset, "remove it")
            elif char == "{":
                block = Block([], offset)
                items.append(block)
                if len(open_blocks) == MAX_DEPTH:
                    error(f"braces are nested more than {MAX_DEPTH} deep", offset)
                    return top
                in_zones = in_zones and not open_blocks and _is_view(items)
                open_blocks.append((block, statements, items))
                statements, items = block.statements, []
            elif open_blocks:
                if items:
                    error("missing ';' before '}'", offset)
                    statements.append(Statement(source, items))
                block, statements, items = open_blocks.pop()
                block.end = offset
                in_zones = shapes is not None and all(_is_view(outer) for _, _, outer in open_blocks)
            else:
                error(
                    "unexpected '}': no '{' is open here", offset, "remove it, or look for one too many above"
                )
                items = []
                after_stray = match.end()
        elif kind == _QUOTED:
            items.append(Token(match[3].replace('\\"', '"'), match.start(3) - 1, True))
        elif kind == _SIGN:
            items.append(Token(match[5], match.start(5)))
        elif kind == _END:
            break
        else:
            message, hint = _WHY_STOPPED[cast(int, kind)]
            if kind == _OPEN_STRING and (line := _first_long_string(source)):
                # With an odd number of quotes every string after the mistake is inside out.
                hint = f"a string that begins on line {line} goes over its end: a '\"' may be missing there"
            error(message, match.start(cast(int, kind)), hint)
            return top
    if open_blocks:
        error("'{' is never closed", open_blocks[-1][0].offset, "add '};' where the block ends")
        while open_blocks:
            if items:
                statements.append(Statement(source, items))
            block, statements, items = open_blocks.pop()
            block.end = len(source.text)
    elif items:
        error("missing ';' at the end of the file", items[0].offset)
    if items:
        top.append(Statement(source, items))
    return top


def _is_view(items: list[Item]) -> bool:
    """Return whether a block that is the last of *items* is that of a view."""
    first = items[0]
    return isinstance(first, Token) and not first.quoted and first.text.lower() == "view"


def zone_name(statement: Statement) -> str:
    """Return the name in a ``zone`` statement as it is written, "" where there is none."""
    if isinstance(statement, PlainZone):
        return statement.name
    match statement.items:
        case [_, Token(text=text), *_]:
            return text
    return ""


def end_of_block(text: str, keyword: str) -> int | None:
    """Return where the first top-level statement *keyword*, blocks and all, ends; None: there is none."""
    depth, begins, found = 0, True, False
    for match in _TOKEN.finditer(text):
        kind = match.lastindex
        if kind == _STRUCTURE:
            depth += {"{": 1, "}": -1, ";": 0}[match[2]]
            begins = match[2] == ";" and depth <= 0
            if begins and found:
                return match.end()
        elif begins:
            found = kind == _WORD and match[1].lower() == keyword
            begins = False
    return None


def _first_long_string(source: Source) -> int | None:
    """Return the line on which the first quoted string begins that goes over a line's end, or None."""
    for match in _TOKEN.finditer(source.text):
        if match.lastindex == _QUOTED and "\n" in match[_QUOTED]:
            return source.span(match.start(_QUOTED)).line
    return None
