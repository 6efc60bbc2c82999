"""The judge finds each kind of wrong answer, and the list of accepted differences is the documented one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from tests.diff.accepted import RULES
from tests.diff.judge import Case, ZoneFacts, judge
from tests.diff.replies import parse
from tests.generate.queries import Query
from tests.generate.zones import ZoneText

ORIGIN = ("zone", "test")
DOCUMENT = Path(__file__).parents[2] / "docs" / "differences-from-bind.md"


def _zone() -> ZoneText:
    zone = ZoneText(ORIGIN)
    zone.add(ORIGIN, "NS", 300, "ns.zone.test.")
    zone.add(("ns", *ORIGIN), "A", 300, "192.0.2.1")
    zone.add(("www", *ORIGIN), "A", 300, "192.0.2.2", "192.0.2.3")
    zone.add(("sub", *ORIGIN), "NS", 300, "ns.sub.zone.test.")
    zone.add(("ns", "sub", *ORIGIN), "A", 300, "192.0.2.4", "192.0.2.5")
    return zone


def _query(name: bytes, *, tcp: bool = False, edns: int | None = None) -> Query:
    return Query(name, 1, 0, edns, dnssec_ok=False, tcp=tcp)


def _positive() -> tuple[Query, dns.message.Message]:
    query = _query(b"\3www\4zone\4test\0")
    message = dns.message.make_response(dns.message.from_wire(query.wire()))
    message.flags |= dns.flags.AA
    message.answer.append(dns.rrset.from_text("www.zone.test.", 300, "IN", "A", "192.0.2.2", "192.0.2.3"))
    message.authority.append(dns.rrset.from_text("zone.test.", 300, "IN", "NS", "ns.zone.test."))
    message.additional.append(dns.rrset.from_text("ns.zone.test.", 300, "IN", "A", "192.0.2.1"))
    return query, message


def _referral() -> tuple[Query, dns.message.Message]:
    query = _query(b"\1x\3sub\4zone\4test\0")
    message = dns.message.make_response(dns.message.from_wire(query.wire()))
    message.authority.append(dns.rrset.from_text("sub.zone.test.", 300, "IN", "NS", "ns.sub.zone.test."))
    glue = dns.rrset.from_text("ns.sub.zone.test.", 300, "IN", "A", "192.0.2.4", "192.0.2.5")
    message.additional.append(glue)
    return query, message


def _findings(query: Query, theirs: dns.message.Message, ours: bytes) -> list[str]:
    peer = parse(theirs.to_wire(want_shuffle=False))
    case = Case(0, query, dict.fromkeys(("named", "nsd", "knot"), peer), ZoneFacts([_zone()]))
    return [finding.aspect for finding in judge(case, parse(ours), RULES)]


def _rcode(message: dns.message.Message) -> None:
    message.set_rcode(dns.rcode.NXDOMAIN)


def _aa(message: dns.message.Message) -> None:
    message.flags &= ~dns.flags.AA


def _ad(message: dns.message.Message) -> None:
    message.flags |= dns.flags.AD


def _ttl(message: dns.message.Message) -> None:
    message.answer[0].ttl = 299


def _record(message: dns.message.Message) -> None:
    message.answer[0] = dns.rrset.from_text("www.zone.test.", 300, "IN", "A", "192.0.2.2")


def _authority(message: dns.message.Message) -> None:
    message.authority.clear()


def _soa(message: dns.message.Message) -> None:
    message.authority.append(dns.rrset.from_text("zone.test.", 300, "IN", "SOA", "a. b. 1 2 3 4 5"))


def _foreign(message: dns.message.Message) -> None:
    message.additional.append(dns.rrset.from_text("other.test.", 300, "IN", "A", "192.0.2.9"))


def _needless_tc(message: dns.message.Message) -> None:
    message.flags |= dns.flags.TC


def _edns(message: dns.message.Message) -> None:
    message.use_edns(0, payload=1232)


WRONG: tuple[tuple[Callable[[dns.message.Message], None], str], ...] = (
    (_rcode, "rcode"), (_aa, "flags"), (_ad, "AD"), (_ttl, "answer"), (_record, "answer"),
    (_authority, "courtesy NS"), (_soa, "authority"), (_foreign, "foreign data"),
    (_needless_tc, "truncation"), (_edns, "edns"),
)  # fmt: skip


@pytest.mark.parametrize(("spoil", "aspect"), WRONG, ids=lambda v: getattr(v, "__name__", v))
def test_a_spoiled_answer_is_found(spoil: Callable[[dns.message.Message], None], aspect: str) -> None:
    query, theirs = _positive()
    assert _findings(query, theirs, theirs.to_wire()) == []
    _, ours = _positive()
    spoil(ours)
    assert aspect in _findings(query, theirs, ours.to_wire())


def test_each_address_of_in_domain_glue_is_required() -> None:
    query, theirs = _referral()
    assert _findings(query, theirs, theirs.to_wire()) == []
    theirs.additional[0] = dns.rrset.from_text("ns.sub.zone.test.", 300, "IN", "A", "192.0.2.4")
    assert _findings(query, theirs, theirs.to_wire()) == ["glue"]


def test_the_question_must_come_back_as_it_was_sent() -> None:
    query, theirs = _positive()
    spoiled = theirs.to_wire().replace(b"\3www", b"\3wWw", 1)
    assert _findings(query, theirs, spoiled) == ["question"]


def test_a_record_may_be_there_only_once() -> None:
    query, theirs = _positive()
    wire = bytearray(theirs.to_wire(want_shuffle=False))
    owner = wire.index(b"\xc0", 12)
    wire[owner:owner] = wire[owner : owner + 16]
    wire[7] += 1
    assert "repeated" in _findings(query, theirs, bytes(wire))


def test_one_peer_against_two_loses() -> None:
    query, right = _positive()
    _, wrong = _positive()
    _record(wrong)
    peers = {name: parse(right.to_wire()) for name in ("nsd", "knot")}
    case = Case(0, query, {**peers, "named": parse(wrong.to_wire())}, ZoneFacts([_zone()]))
    assert judge(case, parse(right.to_wire()), RULES) == []
    assert [f.aspect for f in judge(case, parse(wrong.to_wire()), RULES)] == ["answer"]


def test_every_rule_is_documented_and_every_documented_rule_exists() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    sections = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    documented = {}
    for section in sections:
        heading = section.splitlines()[0].lower().replace(" ", "-")
        rule = re.search(r"\*\(rule `([^`]+)`\)\*", section)
        if rule is not None:
            documented[rule.group(1)] = heading
    assert set(documented) == {rule.anchor for rule in RULES}
    assert all(rule == heading for rule, heading in documented.items())
