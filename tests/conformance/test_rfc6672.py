"""RFC 6672: DNAME."""

from __future__ import annotations

import pytest

from bindpy.native import EngineChoice
from tests.support.asking import Asker

LONG = ".".join(["l" * 60] * 3)
ZONES = {
    "example.": f"""
@            SOA   ns1 h 1 2 3 4 300
@            NS    ns1
ns1          A     192.0.2.1
moved        600   DNAME target
moved        600   A     192.0.2.2
below.moved  A     192.0.2.99
www.target   A     192.0.2.3
mail.target  CNAME www.target
away         DNAME not-ours.test.
other        DNAME other.
loop         DNAME loop.loop
long         DNAME {LONG}
wide         DNAME .
cut          NS    ns.cut
ns.cut       A     192.0.2.4
in.cut       DNAME target
over         DNAME target
in.over      NS    ns.in.over
ns.in.over   A     192.0.2.5
alias        CNAME www.moved
""",
    "other.": "@ SOA ns1 h 1 2 3 4 300\n@ NS ns1\nns1 A 192.0.2.101\nwww A 192.0.2.102\n",
    "apex.": "@ SOA ns1.other. h.other. 1 2 3 4 300\n@ NS ns1.other.\n@ DNAME other.\n@ A 192.0.2.103\n",
}


@pytest.fixture(scope="module")
def server(engine: EngineChoice) -> Asker:
    return Asker(ZONES)


def test_3_1_a_cname_with_the_ttl_of_the_dname_is_synthesized(server: Asker) -> None:
    reply = server.ask("www.moved.example.")
    assert (reply.rcode, reply.aa) == ("NOERROR", True)
    assert reply.answer == [
        "moved.example. 600 DNAME target.example.",
        "www.moved.example. 600 CNAME www.target.example.",
        "www.target.example. 3600 A 192.0.2.3",
    ]


def test_2_3_the_owner_itself_is_not_redirected(server: Asker) -> None:
    assert server.ask("moved.example.").answer == ["moved.example. 600 A 192.0.2.2"]
    assert server.ask("moved.example.", "DNAME").answer == ["moved.example. 600 DNAME target.example."]
    assert server.ask("moved.example.", "AAAA").types("authority") == ["example. SOA"]


def test_2_4_names_below_the_owner_are_occluded(server: Asker) -> None:
    reply = server.ask("below.moved.example.")
    assert reply.rcode == "NXDOMAIN"
    assert reply.answer[1] == "below.moved.example. 600 CNAME below.target.example."


def test_2_2_all_labels_below_the_owner_are_kept_in_their_case(server: Asker) -> None:
    reply = server.ask("A.b.WWW.moved.example.")
    assert reply.answer[1] == "A.b.WWW.moved.example. 600 CNAME A.b.WWW.target.example."


def test_3_2_the_way_goes_on_over_further_aliases_and_zones(server: Asker) -> None:
    assert [line.split()[2] for line in server.ask("mail.moved.example.").answer] == [
        "DNAME", "CNAME", "CNAME", "A",
    ]  # fmt: skip
    assert [line.split()[2] for line in server.ask("alias.example.").answer] == [
        "CNAME",
        "DNAME",
        "CNAME",
        "A",
    ]
    assert server.ask("www.other.example.").answer[-1] == "www.other. 3600 A 192.0.2.102"


def test_3_2_a_target_that_is_not_ours_ends_the_way(server: Asker) -> None:
    reply = server.ask("www.away.example.")
    assert (reply.rcode, reply.authority) == ("NOERROR", [])
    assert reply.answer == [
        "away.example. 3600 DNAME not-ours.test.",
        "www.away.example. 3600 CNAME www.not-ours.test.",
    ]


@pytest.mark.parametrize("qtype", ["CNAME", "ANY"])
def test_3_2_whoever_asks_for_the_cname_gets_the_synthesized_one(server: Asker, qtype: str) -> None:
    reply = server.ask("www.moved.example.", qtype)
    assert [line.split()[2] for line in reply.answer] == ["DNAME", "CNAME"]


def test_2_2_a_name_that_grows_too_long_is_yxdomain(server: Asker) -> None:
    fits = ".".join(["a" * 55, "x" * 6])  # with the target 255 octets
    reply = server.ask(f"{fits}.long.example.")
    assert reply.rcode == "NXDOMAIN"
    reply = server.ask(f"{fits}xxxx.long.example.")
    assert reply.rcode == "YXDOMAIN"
    assert reply.aa
    assert reply.types("answer") == ["long.example. DNAME"]


def test_a_dname_to_the_root(server: Asker) -> None:
    reply = server.ask("www.other.wide.example.")
    assert reply.answer[1:] == [
        "www.other.wide.example. 3600 CNAME www.other.",
        "www.other. 3600 A 192.0.2.102",
    ]


def test_a_dname_that_feeds_itself_ends(server: Asker) -> None:
    reply = server.ask("x.loop.example.", tcp=True)
    assert reply.rcode in {"NOERROR", "YXDOMAIN"}
    assert 2 <= len(reply.answer) <= 13


def test_the_topmost_of_cut_and_dname_counts(server: Asker) -> None:
    below_the_cut = server.ask("www.in.cut.example.")
    assert (below_the_cut.answer, below_the_cut.types("authority")) == ([], ["cut.example. NS"])
    below_the_dname = server.ask("www.in.over.example.")
    assert below_the_dname.types("answer")[:1] == ["over.example. DNAME"]


def test_2_3_dname_at_the_apex(server: Asker) -> None:
    assert server.ask("www.apex.").answer[-1] == "www.other. 3600 A 192.0.2.102"
    assert server.ask("apex.").answer == ["apex. 3600 A 192.0.2.103"]
    assert server.ask("apex.", "NS").answer == ["apex. 3600 NS ns1.other."]
