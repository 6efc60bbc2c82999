"""RFC 4035 section 3: serving a zone signed with NSEC."""

from __future__ import annotations

import pytest

from bindpy.answer.policy import AnswerPolicy, ViewPolicy
from bindpy.native import EngineChoice
from tests.support.asking import Asker, Reply
from tests.support.signed import Denials, signed

CHILD = "@ SOA ns h 1 2 3 4 300\n@ NS ns\nns A 192.0.2.77\n"
ZONE = """
@              3600 SOA   ns1 h 1 2 3 4 300
@              3600 NS    ns1
ns1            3600 A     192.0.2.1
www            3600 CNAME web
web            3600 A     192.0.2.2
web            3600 A     192.0.2.3
gone           3600 CNAME no.such
*.wild         3600 A     192.0.2.4
*.alias        3600 CNAME web
deep.er.ent    3600 A     192.0.2.5
secure         3600 NS    ns.secure
secure         3600 DS    12345 8 2 0000000000000000000000000000000000000000000000000000000000000000
ns.secure      3600 A     192.0.2.6
insecure       3600 NS    ns.insecure
ns.insecure    3600 A     192.0.2.7
here           3600 NS    ns.here
here           3600 DS    12345 8 2 0000000000000000000000000000000000000000000000000000000000000000
ns.here        3600 A     192.0.2.8
moved          3600 DNAME wild
"""
FULL = AnswerPolicy(views=(ViewPolicy("_default", minimal_responses="no"),))


@pytest.fixture(scope="module")
def server(engine: EngineChoice) -> Asker:
    return Asker({"example.": signed("example.", ZONE), "here.example.": CHILD, "alone.test.": CHILD}, FULL)


def _denials(reply: Reply) -> Denials:
    return Denials(reply.message.authority, "example.")


def test_3_1_without_do_there_is_no_dnssec_record(server: Asker) -> None:
    for qname in ("web.example.", "no.example.", "q.wild.example.", "insecure.example.", "secure.example."):
        reply = server.ask(qname, edns=True)
        seen = {line.split()[2] for line in reply.answer + reply.authority + reply.additional}
        assert not seen & {"RRSIG", "NSEC", "DS"}, reply


def test_3_1_do_is_copied(server: Asker) -> None:
    assert server.ask("web.example.", do=True).message.ednsflags == 0x8000
    assert server.ask("web.example.", edns=True).message.ednsflags == 0


def test_3_1_1_rrsigs_go_with_what_they_cover_in_every_section(server: Asker) -> None:
    reply = server.ask("web.example.", do=True)
    assert reply.types("answer") == ["web.example. A", "web.example. RRSIG(A)"]
    assert reply.types("authority") == ["example. NS", "example. RRSIG(NS)"]
    assert reply.types("additional") == ["ns1.example. A", "ns1.example. RRSIG(A)"]


def test_3_1_1_space_that_is_missing_in_the_additional_section_is_no_truncation() -> None:
    filler = "".join(f"many 3600 A 10.0.0.{i}\n" for i in range(20))
    server = Asker({"example.": signed("example.", ZONE + filler)}, FULL)
    full = server.ask("many.example.", do=True)
    assert full.types("additional") == ["ns1.example. A", "ns1.example. RRSIG(A)"]
    assert full.size_octets > 512
    reply = server.ask("many.example.", do=True, payload=full.size_octets - 1)
    assert not reply.tc
    assert reply.types("additional") == ["ns1.example. A"]


def test_3_1_1_space_that_is_missing_in_the_authority_section_is_truncation() -> None:
    zones = {"example.": signed("example.", ZONE + "".join(f"many 3600 A 10.0.0.{i}\n" for i in range(40)))}
    answer_octets = Asker(zones).ask("many.example.", flags="RD", do=True).size_octets
    reply = Asker(zones, FULL).ask("many.example.", do=True, payload=answer_octets + 30)
    assert (reply.tc, reply.types("authority"), reply.additional) == (True, ["example. NS"], [])
    assert reply.types("answer") == ["many.example. A", "many.example. RRSIG(A)"]


def test_3_1_3_1_no_data(server: Asker) -> None:
    reply = server.ask("web.example.", "AAAA", do=True)
    denials = _denials(reply)
    assert (reply.rcode, len(denials), denials.match("web.example.")) == ("NOERROR", 1, True)
    assert {"example. SOA", "example. RRSIG(SOA)", "web.example. RRSIG(NSEC)"} <= set(
        reply.types("authority")
    )


def test_the_signature_of_a_negative_answers_soa_has_its_ttl(server: Asker) -> None:
    reply = server.ask("no.example.", do=True)
    soa = [line.split()[:4] for line in reply.authority[:2]]
    assert soa == [["example.", "300", "SOA", "ns1.example."], ["example.", "300", "RRSIG", "SOA"]]


def test_3_1_3_1_no_data_at_an_empty_non_terminal(server: Asker) -> None:
    reply = server.ask("er.ent.example.", do=True)
    denials = _denials(reply)
    assert (reply.rcode, len(denials), denials.cover("er.ent.example.")) == ("NOERROR", 1, True)


@pytest.mark.parametrize(
    ("qname", "wildcard"),
    [
        ("no.example.", "*.example."),
        ("zz.example.", "*.example."),
        ("a.example.", "*.example."),
        ("far.down.no.example.", "*.example."),
        ("x.web.example.", "*.web.example."),
        ("x.er.ent.example.", "*.er.ent.example."),
    ],
)
def test_3_1_3_2_name_error(server: Asker, qname: str, wildcard: str) -> None:
    reply = server.ask(qname, do=True)
    denials = _denials(reply)
    assert reply.rcode == "NXDOMAIN"
    assert denials.cover(qname)
    assert denials.cover(wildcard)
    assert len(denials) <= 2
    assert len(reply.types("authority")) == 2 + 2 * len(denials), "each once, with its signature"


def test_3_1_3_2_name_error_behind_an_alias(server: Asker) -> None:
    reply = server.ask("gone.example.", do=True)
    denials = _denials(reply)
    assert reply.rcode == "NXDOMAIN"
    assert reply.types("answer") == ["gone.example. CNAME", "gone.example. RRSIG(CNAME)"]
    assert denials.cover("no.such.example.")
    assert denials.cover("*.example.")


def test_3_1_3_3_wildcard_answer(server: Asker) -> None:
    reply = server.ask("q.wild.example.", do=True)
    assert reply.types("answer") == ["q.wild.example. A", "q.wild.example. RRSIG(A)"]
    assert _denials(reply).cover("q.wild.example.")
    assert len(_denials(reply)) == 1


def test_3_1_3_3_wildcard_alias_and_its_target(server: Asker) -> None:
    reply = server.ask("q.alias.example.", do=True)
    assert [line.split()[2] for line in reply.answer] == ["CNAME", "RRSIG", "A", "A", "RRSIG"]
    assert _denials(reply).cover("q.alias.example.")


def test_3_1_3_4_wildcard_no_data(server: Asker) -> None:
    reply = server.ask("q.wild.example.", "TXT", do=True)
    denials = _denials(reply)
    assert (reply.rcode, reply.answer) == ("NOERROR", [])
    assert denials.cover("q.wild.example.")
    assert denials.match("*.wild.example.")


def test_3_1_3_3_dname_to_a_wildcard(server: Asker) -> None:
    reply = server.ask("q.moved.example.", do=True)
    assert [line.split()[2] for line in reply.answer] == ["DNAME", "RRSIG", "CNAME", "A", "RRSIG"]
    assert _denials(reply).cover("q.wild.example.")


def test_3_1_4_a_referral_to_a_signed_zone_has_the_ds(server: Asker) -> None:
    reply = server.ask("www.secure.example.", do=True)
    assert reply.types("authority") == [
        "secure.example. DS",
        "secure.example. NS",
        "secure.example. RRSIG(DS)",
    ]
    assert reply.types("additional") == ["ns.secure.example. A"]


def test_3_1_4_a_referral_to_an_unsigned_zone_proves_that_there_is_no_ds(server: Asker) -> None:
    reply = server.ask("www.insecure.example.", do=True)
    assert reply.types("authority") == [
        "insecure.example. NS", "insecure.example. NSEC", "insecure.example. RRSIG(NSEC)",
    ]  # fmt: skip


def test_3_1_4_1_ds_is_answered_by_the_parent(server: Asker) -> None:
    reply = server.ask("secure.example.", "DS", do=True)
    assert reply.aa
    assert reply.types("answer") == ["secure.example. DS", "secure.example. RRSIG(DS)"]
    assert (reply.authority, reply.additional) == ([], [])


def test_3_1_4_1_no_ds_is_said_by_the_parent(server: Asker) -> None:
    reply = server.ask("insecure.example.", "DS", do=True)
    assert (reply.aa, reply.answer) == (True, [])
    assert "example. SOA" in reply.types("authority")
    assert _denials(reply).match("insecure.example.")


def test_3_1_4_1_where_parent_and_child_are_served_ds_is_the_parents(server: Asker) -> None:
    reply = server.ask("here.example.", "DS", do=True)
    assert reply.types("answer") == ["here.example. DS", "here.example. RRSIG(DS)"]
    assert server.ask("here.example.", "NS").types("answer") == ["here.example. NS"]


def test_3_1_4_1_where_only_the_child_is_served_it_says_no_data(server: Asker) -> None:
    reply = server.ask("alone.test.", "DS", do=True)
    assert (reply.rcode, reply.aa, reply.types("authority")) == ("NOERROR", True, ["alone.test. SOA"])


def test_2_5_nsec_beside_a_cname_is_not_followed(server: Asker) -> None:
    assert server.ask("www.example.", "NSEC", do=True).types("answer") == [
        "www.example. NSEC", "www.example. RRSIG(NSEC)",
    ]  # fmt: skip


def test_3_1_1_any_and_rrsig(server: Asker) -> None:
    signed_any = server.ask("web.example.", "ANY", do=True)
    assert signed_any.types("answer") == [
        "web.example. A", "web.example. NSEC", "web.example. RRSIG(A)", "web.example. RRSIG(NSEC)",
    ]  # fmt: skip
    assert server.ask("web.example.", "ANY").types("answer") == signed_any.types("answer")
    only = server.ask("web.example.", "RRSIG")
    assert only.types("answer") == ["web.example. RRSIG(A)", "web.example. RRSIG(NSEC)"]
    assert len(only.answer) == 2
    assert server.ask("er.ent.example.", "RRSIG", do=True).types("answer") == []


def test_ds_in_an_unsigned_zone_is_only_for_those_who_ask(server: Asker) -> None:
    plain = Asker({"example.": ZONE})
    assert plain.ask("www.secure.example.", do=True).types("authority") == ["secure.example. NS"]
    assert plain.ask("secure.example.", "DS", do=True).types("answer") == ["secure.example. DS"]


def test_an_unsigned_zone_has_no_proofs(server: Asker) -> None:
    reply = server.ask("no.alone.test.", do=True)
    assert (reply.rcode, reply.types("authority")) == ("NXDOMAIN", ["alone.test. SOA"])
