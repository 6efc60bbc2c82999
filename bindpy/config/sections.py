"""Statement tree → sections: every statement is known by its clause and its value is read.

This is where names that BIND does not have, values that a clause does not take, repeated statements and
missing semicolons are found, and where each known name that bindpy does not act on is reported, once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import field

from bindpy.config.clause_table import contexts, where_known
from bindpy.config.clauses import ALIASES, ANYTHING, Clause, Status
from bindpy.config.plain_values import parse_value
from bindpy.config.tree import Block, Item, Statement, Token, text_of
from bindpy.config.values import EMPTY, BadValueError, Value
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan

SERVED_TYPES = frozenset(("primary", "master", "secondary", "slave", "native"))
"""Zone types as written that bindpy serves."""


@dataclass(slots=True, eq=False)
class Entry:
    """A statement, its clause, and its value. ``section`` is the block that it opens, where it opens one."""

    statement: Statement
    clause: Clause
    value: Value
    section: Section | None = None

    @property
    def span(self) -> SourceSpan:
        """Where the statement begins."""
        return self.statement.span


@dataclass(slots=True, eq=False)
class Section:
    """What a block says: its entries by today's clause name, each list in the order of the text.

    ``context`` is the name of the clause table that it was read by: "top", "options", "zone", "channel" …
    """

    context: str
    entries: dict[str, list[Entry]] = field(default_factory=dict)

    def all(self, name: str) -> list[Entry]:
        """Return the entries of clause *name*."""
        return self.entries.get(name, [])

    def first(self, name: str) -> Entry | None:
        """Return the first entry of clause *name*, or None."""
        found = self.entries.get(name)
        return found[0] if found else None

    def sections(self, name: str) -> Iterator[tuple[Entry, Section]]:
        """Yield each entry of clause *name* that opened a block, with it."""
        for entry in self.all(name):
            if entry.section is not None:
                yield entry, entry.section


@dataclass(slots=True)
class _Reading:
    """A section that is being read. ``left_over`` are statements found behind a missing ``;``."""

    context: str
    table: dict[str, Clause]
    quiet: bool
    left_over: list[Statement] = field(default_factory=list)


class SectionReader:
    """Reads sections; findings go into *diagnostics*."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self._diagnostics = diagnostics
        self._reported: set[str] = set()

    def read(self, context: str, statements: list[Statement], *, quiet: bool = False) -> Section:
        """Return the section that *statements* make in *context*.

        With *quiet*, clauses without effect are not reported (their zone as a whole is).
        """
        reading = _Reading(context, contexts()[context], quiet)
        section = Section(context)
        queue = statements
        while queue:
            for statement in queue:
                entry = self._entry(statement, reading)
                if entry is None:
                    continue
                known = section.entries.setdefault(entry.clause.name, [])
                if known and not entry.clause.multi:
                    self._redefined(statement, known[0])
                else:
                    known.append(entry)
            queue, reading.left_over = reading.left_over, []
        return section

    def _entry(self, statement: Statement, reading: _Reading) -> Entry | None:
        keyword = statement.keyword
        clause = reading.table.get(keyword) or reading.table.get(ALIASES.get(keyword, ""))
        if clause is None:
            self._unknown(statement, reading)
            return None
        if clause.value == ANYTHING:
            self._report_status(statement, clause, "")
            return Entry(statement, clause, EMPTY)
        if clause.body:
            return self._block_entry(statement, clause, reading)
        items = statement.items[1:]
        value = self._value(statement, clause, items, reading)
        if value is None:
            return None
        if not reading.quiet and clause.status is not Status.SUPPORTED:
            self._report_status(statement, clause, text_of(items).lower())
        return Entry(statement, clause, value)

    def _block_entry(self, statement: Statement, clause: Clause, reading: _Reading) -> Entry | None:
        items = self._split_after_block(statement, reading)
        body = items[-1]
        if not isinstance(body, Block):
            self._error(statement, f"'{{' expected after '{body}'", body.offset)
            return None
        value = self._value(statement, clause, items[1:-1], reading)
        if not reading.quiet:
            self._report_status(statement, clause, "")
        # What is in a block that does nothing as a whole need not be reported piece by piece.
        idle = clause.status is not Status.SUPPORTED or (clause.body == "zone" and not _is_served(body))
        inner = self.read(clause.body, body.statements, quiet=reading.quiet or idle)
        return None if value is None else Entry(statement, clause, value, inner)

    def _split_after_block(self, statement: Statement, reading: _Reading) -> list[Item]:
        """Return the items up to the first block; what follows is a statement behind a missing ``;``."""
        items = statement.items
        for at, item in enumerate(items[:-1]):
            if isinstance(item, Block):
                self._missing_semicolon(statement, items[at + 1])
                reading.left_over.append(Statement(statement.source, items[at + 1 :]))
                return items[: at + 1]
        return items

    def _value(
        self, statement: Statement, clause: Clause, items: list[Item], reading: _Reading
    ) -> Value | None:
        value = _plain_value(clause.value, items)
        if value is not None:
            return value
        try:
            return parse_value(clause.value, text_of(items))
        except BadValueError as exc:
            value = self._value_before_next(statement, clause, items, reading)
            if value is None:
                offset = _offset_in_source(statement, items, exc.offset)
                self._error(statement, f"'{statement.keyword}': {exc}", offset)
            return value

    def _value_before_next(
        self, statement: Statement, clause: Clause, items: list[Item], reading: _Reading
    ) -> Value | None:
        """Return the value if it is only the ``;`` after it that is missing, and report that."""
        for at in range(1, len(items)):
            item = items[at]
            if isinstance(item, Token) and not item.quoted and item.text.lower() in reading.table:
                try:
                    value = parse_value(clause.value, text_of(items[:at]))
                except BadValueError:
                    continue
                self._missing_semicolon(statement, item)
                reading.left_over.append(Statement(statement.source, items[at:]))
                return value
        return None

    # --- findings ---------------------------------------------------------------------------------

    def _error(self, statement: Statement, message: str, offset: int, *, hint: str = "") -> None:
        source = statement.source
        self._diagnostics.error(message, source.span(offset), hint=hint, notes=source.chain())

    def _missing_semicolon(self, statement: Statement, item: Item) -> None:
        shown = str(item) if isinstance(item, Token) else "{"
        self._error(statement, f"missing ';' before '{shown}'", item.offset)

    def _redefined(self, statement: Statement, first: Entry) -> None:
        note = Diagnostic(Severity.NOTE, "it is here first", first.span)
        self._diagnostics.error(
            f"'{statement.keyword}' is given twice",
            statement.span,
            notes=(note, *statement.source.chain()),
        )

    def _unknown(self, statement: Statement, reading: _Reading) -> None:
        first = statement.items[0]
        if isinstance(first, Block):
            self._error(statement, "unexpected '{': a statement begins with its name", first.offset)
            return
        where = "at the top of the file" if reading.context == "top" else f"in '{reading.context}'"
        keyword = statement.keyword
        message = f"unknown statement '{first.text[:60]}' {where}"
        hint = ""
        if first.text.startswith("\ufeff"):
            hint = "the file begins with a byte order mark: save it as plain UTF-8"
        elif known := where_known(ALIASES.get(keyword, keyword)):
            hint = f"BIND has it {_listed(known)}"
        elif near := difflib.get_close_matches(keyword, [*reading.table, *ALIASES], 1, 0.75):
            hint = f"'{near[0]}' is meant?"
        self._error(statement, message, first.offset, hint=hint)

    def _report_status(self, statement: Statement, clause: Clause, text: str) -> None:
        """Report, once a name, that a clause does nothing here; *text* is its value in lower case."""
        name = clause.name
        if clause.status is Status.SUPPORTED or name in self._reported or (text and text in clause.silent):
            return
        self._reported.add(name)
        span = statement.span
        shown = f"'{statement.keyword}'"
        old = "; BIND has deprecated it" if clause.deprecated else ""
        if clause.status is Status.REMOVED:
            self._diagnostics.warning(
                f"{shown} no longer exists in BIND and is ignored", span, hint="remove it"
            )
        elif clause.security:
            why = (
                "has no effect here"
                if clause.status is Status.NO_EFFECT
                else "is not supported yet and is ignored"
            )
            self._diagnostics.warning(f"{shown} {why}: what it allows or forbids is not in force{old}", span)
        elif clause.status is Status.NOT_YET:
            self._diagnostics.warning(f"{shown} is not supported yet and is ignored{old}", span)
        elif clause.deprecated:
            self._diagnostics.warning(f"{shown} has no effect here{old}", span)
        else:
            self._diagnostics.note(
                f"{shown} has no effect here: bindpy only answers from its own zones", span
            )


def _plain_value(notation: str, items: list[Item]) -> Value | None:
    """Read the two forms that are different in every zone without the grammars, which would remember them
    all."""
    match items:
        case [Token(quoted=True) as token] if notation == "<quoted>":
            return Value((token.text,), EMPTY.named)
        case [Token() as token] if notation == "<string> [ <string> ]" and (
            token.quoted or token.text not in "!/"
        ):
            return Value((token.text,), EMPTY.named)
        case [] if not notation:
            return EMPTY
    return None


def _is_served(body: Block) -> bool:
    """Return whether a zone's block has a type that bindpy serves, or none at all."""
    for statement in body.statements:
        match statement.items:
            case [Token(text=name), Token(text=kind)] if name.lower() == "type":
                return kind.lower() in SERVED_TYPES
            case [Token(text=name), *_] if name.lower() == "in-view":
                return False
    return True


def _offset_in_source(statement: Statement, items: list[Item], offset: int) -> int:
    """Return the place in the source of what begins at *offset* in the canonical text of *items*."""
    at = 0
    for shown, place in _places(items):
        if offset < at + len(shown) + 1:
            return place
        at += len(shown) + 1
    last = statement.items[-1]
    return last.offset if isinstance(last, Token) else last.end


def _places(items: list[Item]) -> Iterator[tuple[str, int]]:
    """Yield the pieces of the canonical text of *items* with their places; a ``;`` follows its statement."""
    for item in items:
        if isinstance(item, Token):
            yield str(item), item.offset
            continue
        yield "{", item.offset
        for statement in item.statements:
            yield from _places(statement.items)
            yield ";", _end(statement)
        yield "}", item.end


def _end(statement: Statement) -> int:
    last = statement.items[-1]
    return last.end + 1 if isinstance(last, Block) else last.offset + len(str(last))


def _listed(names: list[str]) -> str:
    shown = ["at the top of the file" if name == "top" else f"in '{name}'" for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
