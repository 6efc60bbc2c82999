"""Orders of RRsets: those that named's answers have under the same ``rrset-order`` are those of ours.

Sets of orders are compared: always the same one, each rotation, or more than these.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from tests.diff.configured import ByBindpy, ByNamed, Configured
from tests.peers.process import ServedZone, ServerProcess
from tests.peers.require import require_peer
from tests.support.ports import LOOPBACK

TIMES = 60
RECORDS = 4
OWNERS = ("a", "b.sub", "sub", "*.wild")
ZONE = "$TTL 300\n@ SOA ns h 1 3600 600 86400 300\n@ NS ns\nns A 127.0.0.1\n" + "".join(
    f"{owner} A 192.0.2.{i}\n{owner} TXT t{i}\ncut NS ns{i}.other.\nmx MX {i} many\nmany A 192.0.2.1{i}\n"
    for owner in OWNERS
    for i in range(RECORDS)
)
CYCLIC = "rrset-order { order cyclic; };"
QUESTIONS = (
    ("a.order.test.", "A"), ("A.order.TEST.", "TXT"), ("b.sub.order.test.", "A"), ("sub.order.test.", "TXT"),
    ("x.wild.order.test.", "A"), ("x.cut.order.test.", "A"), ("mx.order.test.", "MX"),
)  # fmt: skip
RULES = (
    "order cyclic;",
    "order none;",
    "order random;",
    'type A name "a.order.test" order cyclic; name "*.sub.order.test" order random; class CH order random; '
    'type TXT order cyclic; name "*.order.test" order none; order random;',
    'class IN type NS order cyclic; type MX name "*" order random; name "*.wild.order.test" order cyclic;',
    'name "X.Wild.order.test" order none; class ANY name "*.wild.order.test" order random; '
    'name "*" order cyclic;',
)


class _Configured(Configured):
    """A server with one ``rrset-order``, of the view in every second case."""

    def __init__(self, rules: str, in_view: bool) -> None:
        super().__init__([ServedZone("order.test.", Path("zone.db"))])
        self._rules = f"rrset-order {{ {rules} }};"
        self._in_view = in_view

    def statements(self, directory: Path) -> tuple[str, str]:
        (directory / "zone.db").write_text(ZONE)
        zone = 'zone order.test { type primary; file "zone.db"; };'
        view = f"view v {{ {self._rules} {zone} }};" if self._in_view else zone
        return "minimal-responses no; " + (CYCLIC if self._in_view else self._rules), view


class _Named(ByNamed, _Configured): ...


class _Bindpy(ByBindpy, _Configured): ...


def kinds(server: ServerProcess) -> dict[tuple[str, ...], str]:
    """Return how the RRsets of the answers are ordered, by question, section, owner and type."""
    seen: defaultdict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for _ in range(TIMES):
        for qname, qtype in QUESTIONS:
            query = dns.message.make_query(qname, qtype, flags=0)
            answer = dns.query.udp(query, LOOPBACK, port=server.port, timeout=10)
            for section in ("answer", "authority", "additional"):
                for rrset in getattr(answer, section):
                    if len(rrset) > 1:
                        owner = rrset.name.to_text().lower()
                        place = (qname, qtype, section, owner, dns.rdatatype.to_text(rrset.rdtype))
                        seen[place].append(tuple(rdata.to_text() for rdata in rrset))
    return {place: _kind(orders) for place, orders in seen.items()}


def _kind(orders: list[tuple[str, ...]]) -> str:
    first, different = orders[0], set(orders)
    rotations = {first[i:] + first[:i] for i in range(len(first))}
    if different == {first}:
        return "none"
    return "cyclic" if different == rotations else "random"


@pytest.mark.parametrize(("number", "rules"), list(enumerate(RULES)))
def test_orders_are_those_of_named(number: int, rules: str) -> None:
    require_peer("named")
    with ExitStack() as stack:
        theirs, ours = (stack.enter_context(kind(rules, number % 2 == 1)) for kind in (_Named, _Bindpy))
        assert kinds(ours) == kinds(theirs)
