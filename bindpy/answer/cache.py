"""Whole answers, kept by the octets of the queries they answer.

One `AnswerCache` lives as long as the data that its answers were made from: when anything changes, a new
one takes its place, so an answer made from old data can only end up where nobody looks any more.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from bindpy.answer.policy import Transport

ENTRY_OVERHEAD_OCTETS: Final = 250
"""What an entry costs besides its octets: two objects' headers and a place in a dictionary."""

Table: TypeAlias = dict[bytes, bytes]
"""Query without its ID → response without its ID."""

TableKey: TypeAlias = tuple[int, Transport]
"""The number of a client class, and the transport: answers over TCP may be longer."""


class AnswerCache:
    """Bounded by *capacity_octets*, in two halves.

    Answers go into the young half. When it is full it becomes the old half, and what was the old half is
    forgotten; whatever is asked for again moves from the old half to the young one. So a flood of names
    that nobody asks for twice passes through, and what is popular stays.
    """

    __slots__ = ("_half_octets", "_octets", "_old", "_young")

    def __init__(self, capacity_octets: int) -> None:
        self._half_octets = capacity_octets // 2
        self._octets = 0
        self._young: dict[TableKey, Table] = {}
        self._old: dict[TableKey, Table] = {}

    def table(self, key: TableKey) -> Table:
        """Return the young table of *key*. It is another one when the halves have changed places."""
        table = self._young.get(key)
        return table if table is not None else self._young.setdefault(key, {})

    def get(self, key: TableKey, query: bytes) -> bytes | None:
        """Return the answer to *query* (both without the ID), if it is known."""
        young = self._young.get(key)
        found = young.get(query) if young is not None else None
        if found is None:
            old = self._old.get(key)
            found = old.get(query) if old is not None else None
            if found is not None:
                self.put(key, query, found)
        return found

    def put(self, key: TableKey, query: bytes, answer: bytes) -> None:
        """Keep *answer*."""
        cost = len(query) + len(answer) + ENTRY_OVERHEAD_OCTETS
        if self._octets + cost > self._half_octets:
            self._old, self._young = self._young, {}
            self._octets = 0
        if cost <= self._half_octets:
            self.table(key)[query] = answer
            self._octets += cost

    def __len__(self) -> int:
        """Return the number of answers kept."""
        return sum(len(table) for half in (self._young, self._old) for table in half.values())
