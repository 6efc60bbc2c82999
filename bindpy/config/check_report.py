"""What the checks share: a collector that knows statements, and small questions to the statement tree.

The checks run on the tree, before values are typed, and pass over what the grammars refuse: a statement that
is not well formed has its own error already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from difflib import get_close_matches

from bindpy.config.plain_values import parse_value
from bindpy.config.resolve import octets
from bindpy.config.tree import Block, Source, Statement, Token
from bindpy.config.values import BadValueError
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, Diagnostics, Severity
from bindpy.zone.names import BadNameError, Name, from_text

Related = tuple[str, Statement]
"""A note: what to say, and the statement to point at."""


@dataclass(slots=True)
class Report:
    """Collects findings; each carries the chain of files that included its place."""

    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    def error(
        self, message: str, source: Source, offset: int, *, hint: str = "", related: Iterable[Related] = ()
    ) -> None:
        """Add an error at *offset* of *source*."""
        self.diagnostics.error(message, source.span(offset), hint=hint, notes=_notes(source, related))

    def warning(
        self, message: str, source: Source, offset: int, *, hint: str = "", related: Iterable[Related] = ()
    ) -> None:
        """Add a warning at *offset* of *source*."""
        self.diagnostics.warning(message, source.span(offset), hint=hint, notes=_notes(source, related))

    def at(self, message: str, statement: Statement, index: int = 0, *, hint: str = "") -> None:
        """Add an error at the item *index* of *statement* (its start, where it has no such item)."""
        self.error(message, statement.source, offset_of(statement, index), hint=hint)

    def warn_at(self, message: str, statement: Statement, index: int = 0, *, hint: str = "") -> None:
        """Add a warning at the item *index* of *statement*."""
        self.warning(message, statement.source, offset_of(statement, index), hint=hint)

    def repeated(self, message: str, statement: Statement, first: Statement) -> None:
        """Add an error: *statement* defines once more what *first* defined."""
        self.error(message, statement.source, statement.offset, related=[("first defined here", first)])


def _notes(source: Source, related: Iterable[Related]) -> list[Diagnostic]:
    notes = [Diagnostic(Severity.NOTE, text, statement.span) for text, statement in related]
    return [*notes, *source.chain()]


def offset_of(statement: Statement, index: int) -> int:
    """Return where the item *index* starts, or the statement if it has no such item."""
    return statement.items[index].offset if index < len(statement.items) else statement.offset


def word(statement: Statement, index: int = 1) -> str:
    """Return the text of the item *index*; "" where there is none or it is a block."""
    item = statement.items[index] if index < len(statement.items) else None
    return item.text if isinstance(item, Token) else ""


def token(statement: Statement, index: int = 1) -> Token | None:
    """Return the item *index* if it is a token."""
    item = statement.items[index] if index < len(statement.items) else None
    return item if isinstance(item, Token) else None


def after(statement: Statement, keyword: str) -> int:
    """Return the index of the item that follows the bare word *keyword*; 0 where there is none."""
    for index, item in enumerate(statement.items[:-1]):
        if isinstance(item, Token) and not item.quoted and item.text.lower() == keyword:
            return index + 1
    return 0


def blocks(statement: Statement) -> list[Block]:
    """Return the blocks among the items of *statement*."""
    return [item for item in statement.items if isinstance(item, Block)]


def inside(statement: Statement) -> list[Statement]:
    """Return the statements of the block that ends *statement*; none where no block does."""
    body = statement.body()
    return body.statements if body is not None else []


def members(statement: Statement | None) -> dict[str, Statement]:
    """Return what the body of *statement* says, by keyword; the first where one is repeated."""
    found: dict[str, Statement] = {}
    if statement is not None:
        for inner in inside(statement):
            found.setdefault(inner.keyword, inner)
    return found


def having(statements: Iterable[Statement], *keywords: str) -> Iterator[Statement]:
    """Yield the statements that begin with one of *keywords*."""
    return (statement for statement in statements if statement.keyword in keywords)


def is_true(statement: Statement | None) -> bool | None:
    """Return the boolean that ``KEYWORD yes|no`` holds, None where there is none."""
    text = word(statement).lower() if statement is not None else ""
    if text in ("yes", "true", "1"):
        return True
    return False if text in ("no", "false", "0") else None


def name_of(text: str) -> Name:
    """Return the domain name that *text* (characters as the file's reader left them) means.

    Raises `bindpy.zone.names.BadNameError`.
    """
    return from_text(octets(text))


def number(text: str) -> int | None:
    """Return the number that *text* writes in C's notation, None where it is none."""
    lowered = text.lower()
    base = 16 if lowered.startswith("0x") else 8 if len(text) > 1 and text[0] == "0" else 10
    try:
        return int(lowered, base) if lowered.isalnum() else None
    except ValueError:
        return None


def seconds(statement: Statement) -> int | None:
    """Return the duration after the keyword of *statement*, None where there is none."""
    item = token(statement)
    if item is None or not item.text:
        return None
    try:
        value = parse_value("<duration>", str(item)).args[0]
    except BadValueError:
        return None
    return value if isinstance(value, int) else None


def out_of_range(report: Report, statement: Statement, low: int, high: int) -> None:
    """Add an error: the value of *statement* is not between *low* and *high*."""
    bounds = f"{low} to {high}" if high < 0xFFFFFFFF else f"{low} or more"
    message = f"'{statement.keyword}': '{word(statement)}' is out of range ({bounds})"
    report.at(message, statement, 1)


def check_name(report: Report, statement: Statement, index: int) -> None:
    """Add an error if the item *index* of *statement* is not a domain name."""
    text = word(statement, index)
    try:
        name_of(text)
    except BadNameError as exc:
        report.at(f"bad domain name '{text}': {exc}", statement, index)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint that names what is most like *name* in *known*, or ""."""
    close = get_close_matches(name.lower(), list(known), n=1, cutoff=0.7)
    return f"did you mean '{close[0]}'?" if close else ""
