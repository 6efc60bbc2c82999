"""Text → statement tree. One compiled expression finds the tokens, one loop builds the tree.

The lexical rules are BIND's: ``//`` and ``#`` to the end of the line and ``/* */`` are comments anywhere
but in quotes (a word ends where one begins); the characters ``{ } ; ! /`` and the double quote end a word
and stand for themselves; a quoted string may go over the end of its line.
"""

from __future__ import annotations

import re
from typing import cast

from bindpy.config.tree import Block, Item, Source, Statement, Token
from bindpy.diagnostics import Diagnostics

MAX_DEPTH = 24
"""How deep braces may nest. BIND's own statements need six; acl lists may nest further."""

# Possessive throughout, so that no input makes it try twice. The last groups are what cannot be a token.
_TOKEN = re.compile(
    r"""
    (?: [ \t\r\n]++ | //[^\n]*+ | \#[^\n]*+ | /\*(?:[^*]++|\*(?!/))*+\*/ )*+
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
_WORD, _STRUCTURE, _QUOTED, _OPEN_COMMENT, _SIGN, _OPEN_STRING, _NUL, _END = range(1, 9)
_WHY_STOPPED = {
    _OPEN_COMMENT: ("comment is never closed", "add '*/' where it ends"),
    _OPEN_STRING: ("quoted string is never closed", "add the closing '\"'"),
    _NUL: ("NUL character: this is not a text file", ""),
}


# One loop on purpose: a call for every token would double the time.
def scan(source: Source, diagnostics: Diagnostics) -> list[Statement]:  # noqa: PLR0912, PLR0915
    """Return the statements of ``source.text``; what is wrong with it goes into *diagnostics*.

    Never raises. After an error the scan goes on where that makes sense, so that later errors show as well; a
    string or comment without an end stops it. ``include`` is a statement like all others here.
    """
    top: list[Statement] = []
    statements, items = top, cast(list[Item], [])
    open_blocks: list[tuple[Block, list[Statement], list[Item]]] = []

    after_stray = -1  # where a '}' too many ends: the ';' behind it is not another error

    def error(message: str, offset: int, hint: str = "") -> None:
        diagnostics.error(message, source.span(offset), hint=hint, notes=source.chain())

    for match in _TOKEN.finditer(source.text):
        kind = match.lastindex
        if kind == _WORD:
            items.append(Token(match[1], match.start(1)))
        elif kind == _STRUCTURE:
            char, offset = match[2], match.start(2)
            if char == ";":
                if items:
                    statements.append(Statement(source, items))
                    items = []
                elif match.start() != after_stray:
                    error("unexpected ';': there is no statement before it", offset, "remove it")
            elif char == "{":
                block = Block([], offset)
                items.append(block)
                if len(open_blocks) == MAX_DEPTH:
                    error(f"braces are nested more than {MAX_DEPTH} deep", offset)
                    return top
                open_blocks.append((block, statements, items))
                statements, items = block.statements, []
            elif open_blocks:
                if items:
                    error("missing ';' before '}'", offset)
                    statements.append(Statement(source, items))
                block, statements, items = open_blocks.pop()
                block.end = offset
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
