"""RFC 1034: the algorithm of section 4.3.2, referrals, aliases, and what is outside."""

from __future__ import annotations

import pytest

from bindpy.answer.policy import AnswerPolicy, ViewPolicy
from bindpy.native import EngineChoice
from tests.support.asking import Asker

ZONES = {
    "example.": """
@           SOA   ns1 hostmaster 1 7200 900 1209600 300
@           NS    ns1
@           NS    ns.elsewhere.test.
@           MX    10 mail
ns1         A     192.0.2.1
ns1         AAAA  2001:db8::1
mail        A     192.0.2.2
www         CNAME web
web         A     192.0.2.3
web         A     192.0.2.4
self        CNAME self
ping        CNAME pong
pong        CNAME ping
out         CNAME www.not-ours.test.
across      CNAME www.other.
dangling    CNAME missing
into        CNAME host.sub
down        CNAME www.broken.
sub         NS    ns.sub
sub         NS    ns.sibling
sub         NS    ns1
ns.sub      A     192.0.2.10
host.sub    A     192.0.2.11
deeper.sub  NS    ns.sub
sibling     NS    ns.sibling
ns.sibling  A     192.0.2.12
a.b.c       A     192.0.2.20
""",
    "other.": """
@     SOA ns1 hostmaster 1 7200 900 1209600 60
@     NS  ns1
ns1   A   192.0.2.101
www   A   192.0.2.102
""",
    "child.example.": """
@     SOA ns1 hostmaster 1 7200 900 1209600 60
@     NS  ns1
ns1   A   192.0.2.111
""",
}


@pytest.fixture(scope="module")
def server(engine: EngineChoice) -> Asker:
    asker = Asker(ZONES)
    asker.unavailable("broken.", "not loaded")
    return asker


def test_4_3_2_3a_the_whole_of_qname_is_matched(server: Asker) -> None:
    reply = server.ask("web.example.")
    assert reply.rcode == "NOERROR"
    assert reply.aa
    assert reply.answer == ["web.example. 3600 A 192.0.2.3", "web.example. 3600 A 192.0.2.4"]
    assert reply.authority == ["example. 3600 NS ns1.example.", "example. 3600 NS ns.elsewhere.test."]
    assert reply.additional == ["ns1.example. 3600 A 192.0.2.1", "ns1.example. 3600 AAAA 2001:db8::1"]


def test_4_3_2_2_the_zone_which_is_the_nearest_ancestor_answers(server: Asker) -> None:
    assert server.ask("ns1.child.example.").answer == ["ns1.child.example. 3600 A 192.0.2.111"]
    assert server.ask("child.example.", "SOA").aa


def test_4_3_2_3a_cname_is_followed_unless_it_is_asked_for(server: Asker) -> None:
    followed = server.ask("www.example.")
    assert followed.answer == [
        "www.example. 3600 CNAME web.example.",
        "web.example. 3600 A 192.0.2.3",
        "web.example. 3600 A 192.0.2.4",
    ]
    assert server.ask("www.example.", "CNAME").answer == ["www.example. 3600 CNAME web.example."]


def test_4_3_2_3a_cname_goes_on_in_another_zone_that_is_served(server: Asker) -> None:
    reply = server.ask("across.example.")
    assert reply.rcode == "NOERROR"
    assert reply.answer == ["across.example. 3600 CNAME www.other.", "www.other. 3600 A 192.0.2.102"]
    assert reply.authority == ["other. 3600 NS ns1.other."]


def test_4_3_2_3a_cname_to_a_name_that_is_not_ours_ends_there(server: Asker) -> None:
    reply = server.ask("out.example.")
    assert (reply.rcode, reply.answer, reply.authority) == (
        "NOERROR",
        ["out.example. 3600 CNAME www.not-ours.test."],
        [],
    )
    assert reply.aa


def test_4_3_2_3a_cname_into_a_zone_without_data_ends_there(server: Asker) -> None:
    reply = server.ask("down.example.")
    assert (reply.rcode, reply.answer) == ("NOERROR", ["down.example. 3600 CNAME www.broken."])


def test_4_3_2_3c_an_alias_to_a_missing_name_is_a_name_error(server: Asker) -> None:
    reply = server.ask("dangling.example.")
    assert reply.rcode == "NXDOMAIN"
    assert reply.aa
    assert reply.answer == ["dangling.example. 3600 CNAME missing.example."]
    assert [line.split()[2] for line in reply.authority] == ["SOA"]


def test_4_3_2_3b_an_alias_into_a_delegated_zone_ends_in_a_referral(server: Asker) -> None:
    reply = server.ask("into.example.")
    assert reply.answer == ["into.example. 3600 CNAME host.sub.example."]
    assert reply.aa, "AA is about the first owner name in the answer section (RFC 1035 section 4.1.1)"
    assert reply.types("authority") == ["sub.example. NS"]
    assert "ns.sub.example. 3600 A 192.0.2.10" in reply.additional


@pytest.mark.parametrize(
    ("qname", "answer"),
    [
        ("self.example.", ["self.example. 3600 CNAME self.example."]),
        (
            "ping.example.",
            ["ping.example. 3600 CNAME pong.example.", "pong.example. 3600 CNAME ping.example."],
        ),
    ],
)
def test_3_6_2_cname_loops_are_noticed(server: Asker, qname: str, answer: list[str]) -> None:
    reply = server.ask(qname)
    assert (reply.rcode, reply.answer) == ("NOERROR", answer)


def test_5_2_2_a_cname_chain_is_followed_eleven_times() -> None:
    chain = "".join(f"c{i} CNAME c{i + 1}\n" for i in range(40))
    server = Asker(
        {"example.": f"@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n{chain}c40 A 192.0.2.9\n"}
    )
    assert len(server.ask("c0.example.", tcp=True).answer) == 12
    complete = server.ask("c29.example.", tcp=True)
    assert complete.answer[-1] == "c40.example. 3600 A 192.0.2.9"


@pytest.mark.parametrize(
    "qname", ["sub.example.", "host.sub.example.", "no.such.sub.example.", "x.deeper.sub.example."]
)
@pytest.mark.parametrize("qtype", ["A", "NS", "ANY", "SOA", "CNAME"])
def test_4_3_2_3b_below_a_cut_the_answer_is_a_referral(server: Asker, qname: str, qtype: str) -> None:
    reply = server.ask(qname, qtype)
    assert (reply.rcode, reply.answer, reply.aa) == ("NOERROR", [], False)
    assert reply.authority == [
        "sub.example. 3600 NS ns.sub.example.",
        "sub.example. 3600 NS ns.sibling.example.",
        "sub.example. 3600 NS ns1.example.",
    ], "the topmost cut wins"
    assert reply.additional == [
        "ns.sub.example. 3600 A 192.0.2.10",
        "ns.sibling.example. 3600 A 192.0.2.12",
    ], "glue and only glue: the address of ns1 is authoritative data"


def test_4_3_2_3c_a_missing_name_is_an_authoritative_name_error(server: Asker) -> None:
    reply = server.ask("missing.example.")
    assert (reply.rcode, reply.aa, reply.answer) == ("NXDOMAIN", True, [])
    assert reply.authority == ["example. 300 SOA ns1.example. hostmaster.example. 1 7200 900 1209600 300"]


@pytest.mark.parametrize("qname", ["c.example.", "b.c.example."])
def test_4_3_1_a_name_with_names_below_it_exists(server: Asker, qname: str) -> None:
    reply = server.ask(qname)
    assert (reply.rcode, reply.answer) == ("NOERROR", [])
    assert reply.types("authority") == ["example. SOA"]


@pytest.mark.parametrize("qname", ["not-ours.test.", ".", "xexample.", "ample."])
def test_4_3_2_2_outside_all_zones_is_refused_without_a_referral_upwards(server: Asker, qname: str) -> None:
    reply = server.ask(qname, "NS")
    assert (reply.rcode, reply.aa) == ("REFUSED", False)
    assert reply.answer == reply.authority == reply.additional == []


def test_3_7_1_additional_addresses_follow_the_names_in_the_answer(server: Asker) -> None:
    reply = server.ask("example.", "MX", flags="RD")
    assert reply.answer == ["example. 3600 MX 10 mail.example."]
    assert reply.additional == ["mail.example. 3600 A 192.0.2.2"]


@pytest.mark.parametrize(
    ("mode", "flags", "authority", "additional"),
    [
        ("yes", "", 0, 0),
        ("yes", "RD", 0, 0),
        ("no", "", 2, 3),
        ("no", "RD", 2, 3),
        ("no-auth", "", 0, 1),
        ("no-auth", "RD", 0, 1),
        ("no-auth-recursive", "", 2, 3),
        ("no-auth-recursive", "RD", 0, 1),
    ],
)
def test_minimal_responses_as_bind_fills_them(mode: str, flags: str, authority: int, additional: int) -> None:
    server = Asker(ZONES, AnswerPolicy(views=(ViewPolicy("_default", minimal_responses=mode),)))
    reply = server.ask("example.", "MX", flags=flags)
    assert (len(reply.authority), len(reply.additional)) == (authority, additional)
    assert len(server.ask("missing.example.", flags=flags).authority) == 1, "a negative answer has its SOA"
    assert len(server.ask("sub.example.", flags=flags).additional) == 2, "a referral has its glue"
    servers = server.ask("example.", "NS", flags=flags)
    assert (len(servers.authority), len(servers.additional)) == (0, 2), "NS: always with addresses"
    assert not server.ask("example.", "DNSKEY", flags=flags).additional


@pytest.mark.parametrize("mode", ["no", "no-auth", "no-auth-recursive"])
def test_clients_with_small_buffers_get_minimal_responses(mode: str) -> None:
    server = Asker(ZONES, AnswerPolicy(views=(ViewPolicy("_default", minimal_responses=mode),)))
    for qtype in ("MX", "NS"):
        cramped = server.ask("example.", qtype, edns=True, payload=512)
        assert (cramped.authority, cramped.additional) == ([], [])
        assert server.ask("example.", qtype).additional, "not without EDNS"
        assert server.ask("example.", qtype, edns=True, payload=513).additional
        assert server.ask("example.", qtype, edns=True, payload=512, tcp=True).additional
