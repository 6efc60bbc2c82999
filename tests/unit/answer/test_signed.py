"""Signed queries at the Answerer: keys in access lists and views, and room for the signature."""

from __future__ import annotations

from ipaddress import ip_network

import dns.message
import dns.rcode
import pytest

from bindpy.answer.policy import AnswerPolicy, Outcome, Transport, ViewPolicy, ZonePolicy
from bindpy.config.model import MatchKey, MatchNetwork
from tests.support.asking import Asker

CLIENT, LOCAL = "192.0.2.53", "192.0.2.1"
ZONE = "@ SOA ns1 h 1 2 3 4 300\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.2\n"
SIGNED_ONLY = ZonePolicy(allow_query=(MatchKey("k."),))

pytestmark = pytest.mark.usefixtures("engine")


def test_a_key_opens_what_addresses_do_not() -> None:
    asker = Asker({"example.": ZONE}, zone_policy=SIGNED_ONLY)
    query = dns.message.make_query("www.example.", "A", use_edns=False).to_wire()

    def rcode(*keys: str) -> int:
        answer = asker.answerer.answer(query, CLIENT, LOCAL, Transport.UDP, keys=keys)
        assert isinstance(answer, bytes)
        return answer[3] & 15

    assert [rcode(), rcode("k."), rcode(), rcode("other."), rcode("k.")] == [5, 0, 5, 5, 0]


def test_views_by_key() -> None:
    views = (ViewPolicy("inside", match_clients=(MatchKey("k."),)), ViewPolicy("outside"))
    asker = Asker({}, AnswerPolicy(views=views))
    asker.publish("example.", ZONE, "inside")
    query = dns.message.make_query("www.example.", "A", use_edns=False).to_wire()
    signed = asker.answerer.answer(query, CLIENT, LOCAL, Transport.UDP, keys=("k.",))
    assert isinstance(signed, bytes)
    assert signed[3] & 15 == 0
    unsigned = asker.answerer.answer(query, CLIENT, LOCAL, Transport.UDP)
    assert isinstance(unsigned, bytes)
    assert unsigned[3] & 15 == 5
    assert asker.answerer.view_of(CLIENT, LOCAL, False, ("k.",)) == "inside"
    assert asker.answerer.view_of(CLIENT, LOCAL, False, ()) == "outside"


def test_no_view_for_whom_none_matches() -> None:
    asker = Asker({}, AnswerPolicy(views=(ViewPolicy("inside", match_clients=(MatchKey("k."),)),)))
    assert asker.answerer.view_of(CLIENT, LOCAL, False) is None


@pytest.mark.parametrize("key", ["k.", "unknown."])
def test_a_blackholed_client_is_not_answered_whatever_it_signs(key: str) -> None:
    policy = AnswerPolicy(blackhole=(MatchNetwork(ip_network("192.0.2.0/24")),))
    asker = Asker({"example.": ZONE}, policy)
    query = dns.message.make_query("www.example.", "A", use_edns=False).to_wire()
    assert asker.answerer.answer(query, CLIENT, LOCAL, Transport.UDP, keys=(key,)) is Outcome.DROP


def test_room_for_a_signature_is_left_free() -> None:
    records = "".join(f'txt TXT "{i}{"x" * 90}"\n' for i in range(3))
    asker = Asker({"example.": ZONE + records})
    query = dns.message.make_query("txt.example.", "TXT", use_edns=False).to_wire()
    whole = asker.answerer.answer(query, CLIENT, LOCAL, Transport.UDP)
    assert isinstance(whole, bytes)
    assert not whole[2] & 2
    for room, cut in ((512 - len(whole), False), (513 - len(whole), True)):
        answer = asker.answerer.answer(
            query, CLIENT, LOCAL, Transport.UDP, keys=("k.",), reserved_octets=room
        )
        assert isinstance(answer, bytes)
        assert bool(answer[2] & 2) == cut
        assert len(answer) <= 512 - room
    assert asker.answerer.answer(query, CLIENT, LOCAL, Transport.UDP) == whole


def tsig_record() -> bytes:
    """Return a TSIG record that looks well, whatever it is worth."""
    rdata = b"\x0bhmac-sha256\0" + bytes(6) + b"\x01\x2c\0\x20" + bytes(32) + b"\0\0\0\0\0\0"
    return b"\x01k\0" + b"\0\xfa\0\xff\0\0\0\0" + len(rdata).to_bytes(2) + rdata


@pytest.mark.parametrize(
    ("counts", "records", "expected"),
    [
        (b"\0\0\0\0\0\1", 1, "not-mine"),
        (b"\0\1\0\0\0\0", 1, "FORMERR"),
        (b"\0\0\0\1\0\0", 1, "FORMERR"),
        (b"\0\0\0\0\0\2", 2, "FORMERR"),
    ],
    ids=["last", "answer section", "authority section", "twice"],
)
def test_a_signature_is_the_last_record_of_the_additional_section(
    counts: bytes, records: int, expected: str
) -> None:
    """RFC 8945 section 5.1."""
    asker = Asker({"example.": ZONE})
    query = dns.message.make_query("www.example.", "A", use_edns=False).to_wire()
    packet = query[:6] + counts + query[12:] + records * tsig_record()
    answer = asker.answerer.answer(packet, CLIENT, LOCAL, Transport.UDP)
    if isinstance(answer, bytes):
        assert dns.rcode.to_text(dns.message.from_wire(answer).rcode()) == expected
    else:
        assert answer.value == expected


def test_a_signed_message_of_an_unknown_kind_is_for_who_can_sign_the_answer() -> None:
    asker = Asker({"example.": ZONE})
    query = dns.message.make_query("www.example.", "A", use_edns=False).to_wire()
    for tail, expected in ((b"", b"\4"), (tsig_record(), Outcome.NOT_MINE)):
        packet = query[:2] + b"\x18" + query[3:11] + bytes([bool(tail)]) + query[12:] + tail
        answer = asker.answerer.answer(packet, CLIENT, LOCAL, Transport.UDP)
        assert (answer if isinstance(answer, Outcome) else answer[3:4]) == expected
