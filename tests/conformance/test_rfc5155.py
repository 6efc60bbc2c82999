"""RFC 5155 section 7.2: serving a zone signed with NSEC3, with and without Opt-Out."""

from __future__ import annotations

import dns.name
import pytest

from bindpy.answer.policy import AnswerPolicy, ViewPolicy
from bindpy.native import EngineChoice
from bindpy.zone.denial import MAX_NSEC3_ITERATIONS
from tests.support.asking import Asker, Reply
from tests.support.signed import Denials, nsec3_hash, signed

ZONE = """
@                 3600 SOA   ns1 h 1 2 3 4 300
@                 3600 NS    ns1
ns1               3600 A     192.0.2.1
www               3600 CNAME web
web               3600 A     192.0.2.2
*.wild            3600 A     192.0.2.4
deep.er.ent       3600 A     192.0.2.5
secure            3600 NS    ns.secure
secure            3600 DS    12345 8 2 0000000000000000000000000000000000000000000000000000000000000000
ns.secure         3600 A     192.0.2.6
insecure          3600 NS    ns.insecure
ns.insecure       3600 A     192.0.2.7
far.only.insecure2 3600 NS   ns1
"""
MINIMAL = AnswerPolicy(views=(ViewPolicy("_default", minimal_responses="yes"),))


@pytest.fixture(scope="module", params=[False, True], ids=["all", "opt-out"])
def opt_out(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def server(engine: EngineChoice, opt_out: bool) -> Asker:
    return Asker({"example.": signed("example.", ZONE, nsec3=True, opt_out=opt_out)}, MINIMAL)


def _denials(reply: Reply) -> Denials:
    denials = Denials(reply.message.authority, "example.")
    signatures = [line for line in reply.authority if " RRSIG NSEC3 " in line]
    assert len(signatures) == len(denials), "each once, with its signature"
    return denials


@pytest.mark.parametrize(
    ("qname", "encloser", "next_closer"),
    [
        ("no.example.", "example.", "no.example."),
        ("far.down.no.example.", "example.", "no.example."),
        ("x.web.example.", "web.example.", "x.web.example."),
        ("y.x.er.ent.example.", "er.ent.example.", "x.er.ent.example."),
    ],
)
def test_7_2_2_name_error(server: Asker, qname: str, encloser: str, next_closer: str) -> None:
    reply = server.ask(qname, do=True)
    denials = _denials(reply)
    assert reply.rcode == "NXDOMAIN"
    assert denials.match(encloser)
    assert denials.cover(next_closer)
    assert denials.cover("*." + encloser if encloser != "." else "*.")
    assert len(denials) <= 3
    assert {"example. SOA", "example. RRSIG(SOA)"} <= set(reply.types("authority"))


@pytest.mark.parametrize(
    "qname", ["web.example.", "er.ent.example.", "ent.example.", "example.", "*.wild.example."]
)
def test_7_2_3_no_data(server: Asker, qname: str) -> None:
    reply = server.ask(qname, "TXT", do=True)
    denials = _denials(reply)
    assert (reply.rcode, reply.answer) == ("NOERROR", [])
    assert denials.match(qname)
    assert len(denials) == 1


def test_7_2_4_no_data_for_ds(server: Asker, opt_out: bool) -> None:
    reply = server.ask("insecure.example.", "DS", do=True)
    denials = _denials(reply)
    assert (reply.rcode, reply.aa) == ("NOERROR", True)
    if opt_out:
        assert denials.match("example.")
        assert denials.cover("insecure.example.")
    else:
        assert denials.match("insecure.example.")


def test_7_2_4_no_data_for_ds_below_a_name_that_opt_out_leaves_out(server: Asker, opt_out: bool) -> None:
    reply = server.ask("far.only.insecure2.example.", "DS", do=True)
    denials = _denials(reply)
    if opt_out:
        assert denials.match("example.")
        assert denials.cover("insecure2.example.")
        assert len(denials) <= 2
    else:
        assert denials.match("far.only.insecure2.example.")


def test_an_empty_non_terminal_of_insecure_delegations_is_no_data(server: Asker, opt_out: bool) -> None:
    reply = server.ask("only.insecure2.example.", do=True)
    denials = _denials(reply)
    assert reply.rcode == "NOERROR"
    if opt_out:
        assert denials.match("example.")
        assert denials.cover("insecure2.example.")
    else:
        assert denials.match("only.insecure2.example.")


def test_7_2_2_name_error_below_a_name_that_opt_out_leaves_out(server: Asker, opt_out: bool) -> None:
    reply = server.ask("x.only.insecure2.example.", do=True)
    denials = _denials(reply)
    assert reply.rcode == "NXDOMAIN"
    encloser, next_closer = "example.", "insecure2.example."
    if not opt_out:
        encloser, next_closer = "only.insecure2.example.", "x.only.insecure2.example."
    assert denials.match(encloser)
    assert denials.cover(next_closer)
    assert denials.cover(f"*.{encloser}"), "the wildcard of the closest provable encloser"
    assert len(denials) <= 3


def test_7_2_5_wildcard_no_data(server: Asker) -> None:
    reply = server.ask("b.a.wild.example.", "TXT", do=True)
    denials = _denials(reply)
    assert reply.rcode == "NOERROR"
    assert denials.match("wild.example.")
    assert denials.cover("a.wild.example.")
    assert denials.match("*.wild.example.")


def test_7_2_6_wildcard_answer(server: Asker) -> None:
    reply = server.ask("b.a.wild.example.", do=True)
    denials = _denials(reply)
    assert reply.types("answer") == ["b.a.wild.example. A", "b.a.wild.example. RRSIG(A)"]
    assert denials.cover("a.wild.example."), "the next closer name, not the name itself"
    assert len(denials) == 1


def test_7_2_7_referrals_to_unsigned_zones(server: Asker, opt_out: bool) -> None:
    reply = server.ask("www.insecure.example.", do=True)
    denials = _denials(reply)
    assert not reply.aa
    if opt_out:
        assert denials.match("example.")
        assert denials.cover("insecure.example.")
    else:
        assert denials.match("insecure.example.")
        assert len(denials) == 1
    assert reply.types("additional") == ["ns.insecure.example. A"]


def test_7_2_7_referrals_to_signed_zones(server: Asker) -> None:
    reply = server.ask("www.secure.example.", do=True)
    assert reply.types("authority") == [
        "secure.example. DS",
        "secure.example. NS",
        "secure.example. RRSIG(DS)",
    ]


@pytest.mark.parametrize("qtype", ["NSEC3", "A", "ANY", "RRSIG"])
def test_7_2_8_the_owners_of_nsec3_do_not_exist(server: Asker, qtype: str) -> None:
    owner = f"{nsec3_hash(dns.name.from_text('web.example.'))}.example."
    reply = server.ask(owner, qtype, do=True)
    denials = _denials(reply)
    assert (reply.rcode, reply.answer) == ("NXDOMAIN", [])
    assert denials.match("example.")
    assert denials.cover(owner)
    assert server.ask(f"below.{owner}", qtype).rcode == "NXDOMAIN"


def test_nsec3param_is_data_like_any_other(server: Asker) -> None:
    assert server.ask("example.", "NSEC3PARAM").answer == ["example. 0 NSEC3PARAM 1 0 2 aabbccdd"]


def test_chains_with_more_iterations_than_we_compute_are_left_alone() -> None:
    text = signed("example.", ZONE, nsec3=True).replace(
        "NSEC3PARAM 1 0 2", f"NSEC3PARAM 1 0 {MAX_NSEC3_ITERATIONS + 1}"
    )
    reply = Asker({"example.": text}, MINIMAL).ask("no.example.", do=True)
    assert (reply.rcode, reply.types("authority")) == ("NXDOMAIN", ["example. RRSIG(SOA)", "example. SOA"])


def test_4_1_2_parameters_with_flags_are_ignored() -> None:
    text = signed("example.", ZONE, nsec3=True)
    before = text.replace("@ 0 NSEC3PARAM", "@ 0 NSEC3PARAM") + "example. 0 NSEC3PARAM 1 1 2 AABBCCDD\n"
    assert "NSEC3PARAM 1 0" in before
    assert len(_denials(Asker({"example.": before}, MINIMAL).ask("no.example.", do=True))) >= 2
    only_flagged = text.replace("NSEC3PARAM 1 0 2", "NSEC3PARAM 1 1 2")
    assert len(_denials(Asker({"example.": only_flagged}, MINIMAL).ask("no.example.", do=True))) == 0


def test_8_a_chain_with_other_parameters_beside_the_one_in_use_is_not_mixed_in() -> None:
    text = signed("example.", ZONE, nsec3=True)
    stray = (
        "00000000000000000000000000000000.example. 300 NSEC3 1 0 7 EE 11111111111111111111111111111111 A\n"
    )
    reply = Asker({"example.": text + stray}, MINIMAL).ask("no.example.", do=True)
    assert "00000000000000000000000000000000.example." not in "".join(reply.authority)
