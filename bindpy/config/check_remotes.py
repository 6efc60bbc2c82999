"""Lists of servers (``primaries``, ``also-notify``, ``parental-agents``): names resolve, none is empty."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from bindpy.config.check_keys import KeyTable
from bindpy.config.check_report import Report, after, did_you_mean, having, name_of, word
from bindpy.config.tree import Block, Statement, Token
from bindpy.config.words import is_address
from bindpy.deferred import dataclass
from bindpy.zone.names import BadNameError

LIST_KINDS = {
    "primaries": "primaries",
    "masters": "primaries",
    "remote-servers": "primaries",
    "also-notify": "primaries",
    "parental-agents": "parental-agents",
}
"""In which kind of named list the names in a statement are looked up."""


@dataclass(slots=True)
class _Walk:
    """What a walk over one statement looks up, and what it has seen."""

    kind: str
    keys: KeyTable
    seen: set[str] = field(default_factory=set)
    addresses: int = 0
    undefined: int = 0


class RemoteLists:
    """The named lists of the configuration, and the checks of the statements that use them."""

    def __init__(self, report: Report, top: Iterable[Statement], tls: Iterable[str]) -> None:
        self.report = report
        self.tls = {*tls, "ephemeral"}
        self.lists: dict[tuple[str, str], Statement] = {}
        self._faulty: set[tuple[str, int]] = set()
        for statement in having(top, "primaries", "masters", "remote-servers", "parental-agents"):
            self._define(statement)

    def _define(self, statement: Statement) -> None:
        name = word(statement)
        key = (LIST_KINDS[statement.keyword], name.lower())
        if not name:
            return
        if key in self.lists:
            message = f"{statement.keyword} list '{name}' is already defined"
            self.report.repeated(message, statement, self.lists[key])
        else:
            self.lists[key] = statement

    def check(self, statement: Statement, keys: KeyTable, *, may_be_empty: bool = False) -> None:
        """Check the list that *statement* ends with, the lists that it names included."""
        body = statement.body()
        if body is None:
            return
        walk = _Walk(LIST_KINDS[statement.keyword], keys)
        self._walk(body, walk)
        if not (walk.addresses or walk.undefined or may_be_empty):
            self.report.at(f"empty '{statement.keyword}' entry: no address is in it", statement)

    def _walk(self, body: Block, walk: _Walk) -> None:
        for element in body.statements:
            first = element.items[0]
            if not isinstance(first, Token):
                continue
            # A list may have any other name, ``10`` or ``10.1`` too.
            if not first.quoted and is_address(first.text):
                walk.addresses += 1
                self._check_tail(element, walk.keys)
            else:
                self._check_name(element, first, walk)

    def _check_name(self, element: Statement, name: Token, walk: _Walk) -> None:
        key = name.text.lower()
        if key in walk.seen:
            return
        walk.seen.add(key)
        definition = self.lists.get((walk.kind, key))
        if definition is None:
            walk.undefined += 1
            if self._first_time(element, name.offset):
                hint = did_you_mean(key, [known for kind, known in self.lists if kind == walk.kind])
                message = f"unable to find {walk.kind} list '{name.text}'"
                self.report.error(message, element.source, name.offset, hint=hint)
        elif (body := definition.body()) is not None:
            self._walk(body, walk)

    def _check_tail(self, element: Statement, keys: KeyTable) -> None:
        if len(element.items) < 3:
            return
        if index := after(element, "key"):
            self._check_key(element, index, keys)
        index = after(element, "tls")
        name = word(element, index) if index else ""
        if name and name.lower() not in self.tls and self._first_time(element, element.items[index].offset):
            self.report.at(f"tls '{name}' is not defined", element, index, hint=did_you_mean(name, self.tls))

    def _check_key(self, element: Statement, index: int, keys: KeyTable) -> None:
        name = word(element, index)
        try:
            name_of(name)
        except BadNameError as exc:
            if self._first_time(element, element.items[index].offset):
                self.report.at(f"'{name}' is not a valid name of a key: {exc}", element, index)
            return
        if not keys.has(name) and self._first_time(element, element.items[index].offset):
            hint = did_you_mean(name, keys.texts)
            message = f"key '{name}' is not defined: messages to this server cannot be signed"
            self.report.warn_at(message, element, index, hint=hint)

    def _first_time(self, element: Statement, offset: int) -> bool:
        """A list that many zones use is reported once."""
        place = (element.source.name, offset)
        if place in self._faulty:
            return False
        self._faulty.add(place)
        return True
