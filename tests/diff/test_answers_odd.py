"""Malformed and unusual queries: silence, rcode and flags as BIND has them, or as NSD and Knot both have."""

from __future__ import annotations

import contextlib
from typing import TypeAlias

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest

from bindpy.answer.policy import Transport, ZonePolicy
from bindpy.config.model import ZoneChecks
from bindpy.engine import Answerer
from bindpy.native import EngineChoice
from bindpy.zone import names
from bindpy.zone.records import IN
from tests.diff.judge import VOTERS
from tests.diff.oddities import MESSAGES
from tests.peers.client import exchange_udp
from tests.peers.process import ServedZone
from tests.peers.require import require_peer
from tests.peers.servers import PEERS
from tests.support.engines import make_engine

ZONE = """\
@ 60 SOA ns hostmaster 1 2 3 4 5
@ 60 NS ns
ns 60 A 127.0.0.1
www 60 A 192.0.2.1
"""
ACCEPTED = {
    # RFC 1035 section 4.1.4: a pointer goes to a prior occurrence of a name, and the header holds none.
    "pointer into the header": "FORMERR QR QUERY",
    # RFC 1034 section 3.7.1: QCLASS * gets data, and the answer "can never be authoritative".
    "class ANY": "NOERROR QR QUERY",
}
"""Title → what we answer where all three differ from each other, or BIND breaks an RFC."""

SILENCE = "silence"
Outcomes: TypeAlias = dict[str, dict[str, str]]


def outcome(reply: bytes | None) -> str:
    """Return rcode, flags and opcode as words."""
    if reply is None:
        return SILENCE
    flags = int.from_bytes(reply[2:4], "big")
    low = flags & 0xF
    with contextlib.suppress(dns.exception.DNSException):
        low = int(dns.message.from_wire(reply).rcode())
    rcode = dns.rcode.to_text(dns.rcode.Rcode(low))
    return f"{rcode} {dns.flags.to_text(flags & 0x87B0)} {dns.opcode.to_text(dns.opcode.from_flags(flags))}"


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> ServedZone:
    path = tmp_path_factory.mktemp("odd") / "odd.zone"
    path.write_text(ZONE)
    return ServedZone("odd.test.", path)


@pytest.fixture(scope="module")
def theirs(zone: ServedZone) -> Outcomes:
    outcomes: Outcomes = {title: {} for title in MESSAGES}
    for name in VOTERS:
        require_peer(name)
        with PEERS[name]([zone]) as server:
            replies = exchange_udp(server.address, list(MESSAGES.values()), timeout_s=0.5, attempts=2)
        for title, reply in zip(MESSAGES, replies, strict=True):
            outcomes[title][name] = outcome(reply)
    return outcomes


@pytest.fixture(scope="module")
def answerer(zone: ServedZone, engine: EngineChoice) -> Answerer:
    made = make_engine()
    loaded = made.zones.read_file(str(zone.path), names.from_text(zone.origin), IN, ZoneChecks())
    assert loaded.zone is not None
    made.answerer.publish("_default", loaded.zone, ZonePolicy())
    return made.answerer


@pytest.mark.parametrize("title", MESSAGES)
def test_odd_query(title: str, theirs: Outcomes, answerer: Answerer) -> None:
    reply = answerer.answer(MESSAGES[title], "127.0.0.1", "127.0.0.1", Transport.UDP)
    ours = outcome(reply if isinstance(reply, bytes) else None)
    peers = theirs[title]
    right = {ACCEPTED[title]} if title in ACCEPTED else {peers["named"]}
    if peers["nsd"] == peers["knot"]:
        right.add(peers["nsd"])
    assert ours in right, f"{title}: bindpy {ours!r}, peers {peers}"


def test_accepted_exceptions_are_still_needed(theirs: Outcomes) -> None:
    """An entry of ACCEPTED that BIND agrees with has had its day."""
    assert [title for title, ours in ACCEPTED.items() if theirs[title]["named"] == ours] == []
