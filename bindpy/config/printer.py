"""Statement tree → text again: comments gone, includes in place, one statement a line, blocks indented."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bindpy.config.tree import Block, Item, Statement, Token

SECRETS = frozenset({"secret", "cookie-secret"})
"""Statements whose value is not for everybody's eyes."""


def print_config(statements: Iterable[Statement], *, hide_secrets: bool = False) -> str:
    """Return *statements* as text that reads back as the same tree.

    With *hide_secrets*, every character of a secret is a question mark; the text then still reads back, with
    other secrets.
    """
    return "".join([f"{line}\n" for line in _lines(statements, "", hide_secrets)])


def _lines(statements: Iterable[Statement], indent: str, hide: bool) -> Iterator[str]:
    for statement in statements:
        items: list[Item] = statement.items
        if hide and statement.keyword in SECRETS:
            items = [items[0], *[_hidden(item) for item in items[1:]]]
        line = indent
        for item in items:
            if isinstance(item, Block):
                yield f"{line}{{"
                yield from _lines(item.statements, f"{indent}\t", hide)
                line = f"{indent}}} "
            else:
                line += str(item) if item.text in ("!", "/") and not item.quoted else f"{item} "
                if item.text == "/" and not item.quoted:
                    line = f"{line[: -len(' /')]}/"
        yield f"{line.rstrip(' ')};"


def _hidden(item: Item) -> Item:
    return item._replace(text="?" * len(item.text)) if isinstance(item, Token) else item
