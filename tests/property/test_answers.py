"""Properties of answers: to any octets, and for any zone and question against a plain reading of RFCs."""

from __future__ import annotations

import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindpy.answer.policy import AnswerPolicy, Transport, ViewPolicy, ZonePolicy
from bindpy.engine import Answerer
from bindpy.native import EngineChoice
from bindpy.zone import names
from bindpy.zone.records import RR, RRType
from bindpy.zone.snapshot import build_snapshot
from tests.support.engines import make_engine, zone_of
from tests.support.packets import check_reply, corpus, fuzzed_answerer

CORPUS = corpus()


@pytest.fixture(scope="module")
def answerer(engine: EngineChoice) -> Answerer:
    return fuzzed_answerer(make_engine())


@given(st.binary(max_size=600), st.sampled_from(Transport))
def test_any_octets(answerer: Answerer, data: bytes, transport: Transport) -> None:
    check_reply(data, answerer.answer(data, "192.0.2.53", "192.0.2.1", transport), transport)


@given(
    query=st.sampled_from(CORPUS),
    tail=st.binary(max_size=80),
    additional=st.integers(0, 3),
    transport=st.sampled_from(Transport),
    data=st.data(),
)
def test_any_records_behind_a_question(
    answerer: Answerer,
    *,
    query: bytes,
    tail: bytes,
    additional: int,
    transport: Transport,
    data: st.DataObject,
) -> None:
    cut = data.draw(st.integers(12, len(query)))
    octets = query[:10] + additional.to_bytes(2, "big") + query[12:cut] + tail
    check_reply(octets, answerer.answer(octets, "192.0.2.53", "192.0.2.1", transport), transport)


# --- against an oracle ----------------------------------------------------------------------------------
#
# The oracle knows a zone as a set of (labels, type) and reads RFC 1034 section 4.3.2 and RFC 4592 word for
# word: no nodes, no marks, no dictionary of suffixes. It says what kind of answer there must be.

LABELS = st.sampled_from(["a", "b", "c", "*"])
OWNERS = st.lists(LABELS, max_size=4).map(tuple)
TYPES = st.sampled_from(["A", "TXT", "NS", "DNAME"])
RDATA = {
    "A": b"\xc0\0\2\1",
    "TXT": b"\1x",
    "NS": names.from_text("ns.elsewhere."),
    "DNAME": names.from_text("elsewhere."),
}
ORIGIN = names.from_text("zone.")


def _oracle(zone: set[tuple[tuple[str, ...], str]], sname: tuple[str, ...], qtype: str) -> str:
    """Return the kind of answer; labels stand from the root's side here."""
    for depth in range(len(sname) + 1):
        owner = sname[:depth]
        if depth and (owner, "NS") in zone:
            return "referral"
        if depth < len(sname) and (owner, "DNAME") in zone:
            return "dname"
    owners = {owner for owner, _ in zone}
    existing = {owner[:depth] for owner in owners for depth in range(len(owner) + 1)} | {()}
    source = sname
    if sname not in existing:
        encloser = next(sname[:depth] for depth in range(len(sname), -1, -1) if sname[:depth] in existing)
        source = (*encloser, "*")
        if source not in owners and source not in existing:
            return "nxdomain"
    return "answer" if (source, qtype) in zone else "nodata"


@settings(max_examples=300)
@given(st.sets(st.tuples(OWNERS, TYPES), max_size=8), OWNERS, st.sampled_from(["A", "TXT", "DNAME"]))
def test_the_kind_of_answer_is_the_oracles(
    engine: EngineChoice, zone: set[tuple[tuple[str, ...], str]], sname: tuple[str, ...], qtype: str
) -> None:
    # Wildcards that own NS or DNAME have no agreed meaning (RFC 4592 sections 4.2 and 4.4).
    zone = {
        (owner, rtype)
        for owner, rtype in zone
        if not (owner and owner[-1] == "*" and rtype in {"NS", "DNAME"}) and not (rtype == "NS" and not owner)
    }
    apex = [
        RR(ORIGIN, RRType.SOA, 60, ORIGIN + ORIGIN + bytes(20)),
        RR(ORIGIN, RRType.NS, 60, names.from_text("ns.elsewhere.")),
    ]
    records = [RR(_name(owner), int(RRType[rtype]), 60, RDATA[rtype]) for owner, rtype in sorted(zone)]
    made = make_engine()
    answerer = made.answerer
    answerer.configure(AnswerPolicy(views=(ViewPolicy("_default", minimal_responses="yes"),)))
    answerer.publish("_default", zone_of(made, build_snapshot(ORIGIN, apex + records)), ZonePolicy())
    question = _name(sname) + int(RRType[qtype]).to_bytes(2, "big") + b"\0\1"
    reply = answerer.answer(b"\0\0\0\0\0\1\0\0\0\0\0\0" + question, "192.0.2.53", "192.0.2.1", Transport.UDP)
    assert isinstance(reply, bytes)
    assert _kind(dns.message.from_wire(reply)) == _oracle(zone, sname, qtype)


def _name(owner: tuple[str, ...]) -> bytes:
    return names.from_labels([label.encode() for label in reversed(owner)])[:-1] + ORIGIN


def _kind(reply: dns.message.Message) -> str:
    if reply.rcode() == 3:
        return "nxdomain"
    if not reply.answer:
        return "nodata" if reply.authority[0].rdtype == RRType.SOA else "referral"
    return "dname" if len(reply.answer) > 1 else "answer"
