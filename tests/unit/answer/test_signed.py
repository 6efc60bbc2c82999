"""Signed queries at the Answerer: keys in access lists and views, and room for the signature."""

from __future__ import annotations

from ipaddress import ip_network

import dns.message
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
