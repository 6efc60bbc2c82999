"""Address match lists: every name in them is defined, and no acl contains itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address

from bindpy.config.check_keys import KeyTable
from bindpy.config.check_report import Report, did_you_mean, inside, name_of, word
from bindpy.config.tree import Block, Statement, Token
from bindpy.zone.names import BadNameError

BUILTIN_ACLS = frozenset({"any", "none", "localhost", "localnets"})

_LIST_STATEMENTS = """
    allow-notify allow-query allow-query-cache allow-query-cache-on allow-query-on allow-recursion
    allow-recursion-on allow-transfer allow-update allow-update-forwarding blackhole deny-answer-addresses
    keep-response-order listen-on listen-on-v6 match-clients match-destinations no-case-compress
    response-padding sortlist
"""
LIST_STATEMENTS = frozenset(_LIST_STATEMENTS.split())
"""Statements whose first block is an address match list."""

_NESTED_LISTS = {
    "rate-limit": frozenset({"exempt-clients"}),
    "dns64": frozenset({"clients", "exclude", "mapped"}),
}

_PARTIAL_IPV4 = re.compile(r"(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){0,3}")


@lru_cache(maxsize=4096)
def looks_like_address(text: str) -> bool:
    """Return whether *text* is an address or the start of an IPv4 one, so that it cannot name an acl."""
    if _PARTIAL_IPV4.fullmatch(text):
        return True
    if ":" not in text:
        return False
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


class AclChecks:
    """Follows names from the lists that are used into the ``acl`` statements."""

    def __init__(self, report: Report, definitions: Iterable[Statement], keys: KeyTable) -> None:
        self.report = report
        self.keys = keys
        self.definitions: dict[str, Statement] = {}
        self._open: list[str] = []
        self._done: set[str] = set()
        self._complain = report.error
        for statement in definitions:
            self._define(statement)

    def _define(self, statement: Statement) -> None:
        name = word(statement)
        key = name.lower()
        if not name:
            return
        if key in BUILTIN_ACLS:
            self.report.at(f"acl '{name}' is built in: it cannot be defined again", statement)
        elif key in self.definitions:
            self.report.repeated(
                f"acl '{name}' is already defined (names of acls have no case)",
                statement,
                self.definitions[key],
            )
        else:
            self.definitions[key] = statement

    def check_statements(self, statements: Iterable[Statement]) -> None:
        """Check the lists that *statements* (the body of options, a view or a zone) hold."""
        for statement in statements:
            keyword = statement.keyword
            if keyword in LIST_STATEMENTS:
                self.check_list(statement)
            elif keyword in _NESTED_LISTS:
                for inner in inside(statement):
                    if inner.keyword in _NESTED_LISTS[keyword]:
                        self.check_list(inner)

    def check_list(self, statement: Statement) -> None:
        """Check the first block of *statement*."""
        for item in statement.items:
            if isinstance(item, Block):
                self._walk(item)
                return

    def check_unused(self) -> None:
        """Warn of what is wrong with acls that nothing uses; BIND does not look at them.

        All that is checked after this gives warnings only.
        """
        self._complain = self.report.warning
        for key, statement in self.definitions.items():
            if key not in self._done:
                self._follow(key, statement)

    def _walk(self, block: Block) -> None:
        for element in block.statements:
            at = 0
            while (
                isinstance(item := element.items[at], Token)
                and item.text == "!"
                and at + 1 < len(element.items)
            ):
                at += 1
            if isinstance(item, Block):
                self._walk(item)
            elif not item.quoted and item.text.lower() == "key":
                self._check_key(element, at + 1)
            elif len(element.items) == at + 1 and (item.quoted or not looks_like_address(item.text)):
                self._check_name(element, item)

    def _check_key(self, element: Statement, index: int) -> None:
        name = word(element, index)
        try:
            name_of(name or ".")
        except BadNameError as exc:
            offset = element.items[index].offset
            self._complain(f"key name '{name}' is not a valid domain name: {exc}", element.source, offset)
            return
        if name and not self.keys.has(name):
            self.report.warn_at(f"key '{name}' is not defined: nothing can be signed with it", element, index)

    def _check_name(self, element: Statement, name: Token) -> None:
        key = name.text.lower()
        if key in BUILTIN_ACLS or key in self._done:
            return
        definition = self.definitions.get(key)
        if definition is None:
            hint = did_you_mean(key, [*self.definitions, *BUILTIN_ACLS])
            self._complain(f"undefined ACL '{name.text}'", element.source, name.offset, hint=hint)
        elif key in self._open:
            circle = [*self._open[self._open.index(key) :], key]
            self._complain(
                f"acl loop: {' contains '.join([word(self.definitions[step]) for step in circle])}",
                element.source,
                name.offset,
                related=[("the acl is defined here", definition)],
            )
        else:
            self._follow(key, definition)

    def _follow(self, key: str, definition: Statement) -> None:
        self._open.append(key)
        self.check_list(definition)
        self._open.pop()
        self._done.add(key)
