"""RFC 8482: minimal answers to QTYPE=ANY, which BIND calls ``minimal-any``."""

from __future__ import annotations

import pytest

from bindpy.answer.policy import AnswerPolicy, ViewPolicy
from bindpy.native import EngineChoice
from tests.support.asking import Asker
from tests.support.signed import signed

ZONE = """
@    300 SOA  ns1 h 1 2 3 4 300
@    300 NS   ns1
ns1  300 A    192.0.2.1
ns1  300 AAAA 2001:db8::1
ns1  300 TXT  hi
"""
MINIMAL = AnswerPolicy(views=(ViewPolicy("_default", minimal_responses="yes", minimal_any=True),))


@pytest.fixture(scope="module", params=["plain", "signed"])
def server(engine: EngineChoice, request: pytest.FixtureRequest) -> Asker:
    return Asker({"example.": ZONE if request.param == "plain" else signed("example.", ZONE)}, MINIMAL)


def test_4_1_over_udp_one_rrset_is_chosen(server: Asker) -> None:
    assert len({line.split()[2] for line in server.ask("ns1.example.", "ANY").answer}) == 1


def test_4_1_with_do_its_signatures_go_with_it(server: Asker) -> None:
    types = server.ask("ns1.example.", "ANY", do=True).types("answer")
    assert types in (["ns1.example. A"], ["ns1.example. A", "ns1.example. RRSIG(A)"])


def test_6_over_udp_the_signatures_of_one_rrset_are_chosen(engine: EngineChoice) -> None:
    """BIND treats RRSIG as it treats ANY, but for what is put beside the answer."""
    server = Asker({"example.": signed("example.", ZONE)}, MINIMAL)
    reply = server.ask("ns1.example.", "RRSIG")
    assert len({line.split()[3] for line in reply.answer}) == len(reply.answer) == 1
    assert len({line.split()[3] for line in server.ask("ns1.example.", "RRSIG", tcp=True).answer}) > 1
    full = AnswerPolicy(views=(ViewPolicy("_default", minimal_responses="no", minimal_any=True),))
    beside = Asker({"example.": signed("example.", ZONE)}, full).ask("ns1.example.", "RRSIG")
    assert (len(beside.answer), beside.types("authority")) == (1, ["example. NS"])


def test_over_tcp_all_is_given(server: Asker) -> None:
    types = {line.split()[2] for line in server.ask("ns1.example.", "ANY", tcp=True).answer}
    assert {"A", "AAAA", "TXT"} <= types


def test_4_4_a_name_without_data_is_answered_as_ever(server: Asker) -> None:
    assert server.ask("no.example.", "ANY").rcode == "NXDOMAIN"
    assert server.ask("ns1.example.", "SRV").types("authority") == ["example. SOA"]


def test_without_minimal_any_everything_is_given() -> None:
    reply = Asker({"example.": ZONE}).ask("ns1.example.", "ANY")
    assert reply.types("answer") == ["ns1.example. A", "ns1.example. AAAA", "ns1.example. TXT"]
    assert reply.additional == [], "as BIND: no addresses beside an answer to ANY"
