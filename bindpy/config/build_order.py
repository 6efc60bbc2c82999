"""``rrset-order`` → the rules that an answer's RRsets are ordered by."""

from __future__ import annotations

from typing import Any, Final, Literal

from bindpy.config.class_and_type import class_number, type_number
from bindpy.config.model import OrderRule
from bindpy.config.resolve import Resolver, octets
from bindpy.config.sections import Entry
from bindpy.zone import names
from bindpy.zone.records import ANY_CLASS, IN, RRType

_Order = Literal["none", "cyclic", "random"]

_ORDERS: Final[dict[str, _Order]] = {"none": "none", "fixed": "none", "cyclic": "cyclic", "random": "random"}
"""The zone's order is kept anyway, so that ``fixed`` asks for nothing more than ``none``."""

_EVERY_NAME = "*"


def rrset_order(entry: Entry | None, resolver: Resolver) -> tuple[OrderRule, ...]:
    """Return the rules of an ``rrset-order`` that could be for data that is served; the first match holds.

    What no rule is for stands in the zone's order, so those at the end that ask for just that are left out.
    BIND shuffles where there is no statement: see ARCHITECTURE.md.
    """
    rules: list[OrderRule] = []
    for written in () if entry is None else entry.value.args[0]:
        assert entry is not None
        if class_number(written.named.get("class", "any")) not in (IN, ANY_CLASS):
            continue
        rule = _rule(entry, written.named, resolver)
        if rule is not None:
            rules.append(rule)
            if rule.name is None and rule.rtype is None:
                break
    while rules and rules[-1].order == "none":
        rules.pop()
    return tuple(rules)


def _rule(entry: Entry, written: Any, resolver: Resolver) -> OrderRule | None:
    """Return the rule that *written* is; what is wrong in it is reported."""
    order = _ORDERS.get(written["order"].lower())
    if order is None:
        resolver.error(
            entry.statement,
            f"invalid rrset-order '{written['order']}'",
            written["order"],
            hint="fixed, random, cyclic or none",
        )
        return None
    rtype = type_number(written.get("type", "any"))
    name = written.get("name", _EVERY_NAME)
    try:
        key = None if name == _EVERY_NAME else names.from_text(octets(name)).lower()
    except names.BadNameError as exc:
        resolver.error(entry.statement, f"bad domain name '{name}': {exc}", name)
        return None
    return OrderRule(order, None if rtype == RRType.ANY else rtype, key)
