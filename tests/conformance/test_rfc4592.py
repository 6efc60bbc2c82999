"""RFC 4592: wildcards. The zone is that of section 2.2.1, grown by the cases of sections 3 and 4."""

from __future__ import annotations

import pytest

from bindpy.native import EngineChoice
from tests.support.asking import Asker

ZONE = """
@                    SOA   ns1 h 1 2 3 4 300
@                    NS    ns1
ns1                  A     192.0.2.1
*                    TXT   "this is a wildcard"
*                    MX    10 host1
sub.*                TXT   "this is not a wildcard"
host1                A     192.0.2.2
_ssh._tcp.host1      SRV   0 0 22 host1
_ssh._tcp.host2      SRV   0 0 22 host1
subdel               NS    ns.example.com.
subdel               NS    ns.example.net.
*.alias              CNAME host1
*.lost               CNAME gone.host1
x.ent                A     192.0.2.3
*.deep               A     192.0.2.4
a.b.deep             A     192.0.2.5
"""


@pytest.fixture(scope="module")
def server(engine: EngineChoice) -> Asker:
    return Asker({"example.": ZONE})


@pytest.mark.parametrize(
    ("qname", "qtype", "answer"),
    [
        ("host3.example.", "MX", ["host3.example. 3600 MX 10 host1.example."]),
        ("foo.bar.example.", "TXT", ['foo.bar.example. 3600 TXT "this is a wildcard"']),
        ("*.example.", "TXT", ['*.example. 3600 TXT "this is a wildcard"']),
        ("sub.*.example.", "TXT", ['sub.*.example. 3600 TXT "this is not a wildcard"']),
    ],
)
def test_2_2_1_would_be_synthesized(server: Asker, qname: str, qtype: str, answer: list[str]) -> None:
    reply = server.ask(qname, qtype)
    assert (reply.rcode, reply.aa, reply.answer) == ("NOERROR", True, answer)


@pytest.mark.parametrize(
    ("qname", "qtype", "rcode", "why"),
    [
        ("host3.example.", "A", "NOERROR", "there is no A RRset at '*.example.'"),
        ("host1.example.", "MX", "NOERROR", "because host1.example. exists"),
        ("sub.*.example.", "MX", "NOERROR", "because sub.*.example. exists"),
        ("_telnet._tcp.host1.example.", "SRV", "NXDOMAIN", "because _tcp.host1.example. exists"),
        ("ghost.*.example.", "MX", "NXDOMAIN", "because *.example. exists"),
        ("_tcp.host2.example.", "TXT", "NOERROR", "an empty non-terminal exists"),
        ("host2.example.", "TXT", "NOERROR", "an empty non-terminal exists"),
        ("other.host2.example.", "TXT", "NXDOMAIN", "its closest encloser has no wildcard"),
        ("y.ent.example.", "A", "NXDOMAIN", "because ent.example. exists"),
    ],
)
def test_2_2_1_would_not_be_synthesized(server: Asker, qname: str, qtype: str, rcode: str, why: str) -> None:
    reply = server.ask(qname, qtype)
    assert (reply.rcode, reply.answer) == (rcode, []), why
    assert reply.types("authority") == ["example. SOA"]


def test_2_2_1_a_name_below_a_delegation_is_referred(server: Asker) -> None:
    reply = server.ask("host.subdel.example.")
    assert (reply.rcode, reply.aa, reply.answer) == ("NOERROR", False, [])
    assert reply.types("authority") == ["subdel.example. NS"]


def test_3_3_1_the_closest_encloser_decides(server: Asker) -> None:
    assert server.ask("q.deep.example.").answer == ["q.deep.example. 3600 A 192.0.2.4"]
    assert server.ask("q.r.deep.example.").answer == ["q.r.deep.example. 3600 A 192.0.2.4"]
    assert server.ask("q.b.deep.example.").rcode == "NXDOMAIN"
    assert server.ask("b.deep.example.").rcode == "NOERROR"


def test_4_5_cname_at_a_wildcard_is_followed(server: Asker) -> None:
    reply = server.ask("q.alias.example.")
    assert reply.answer == ["q.alias.example. 3600 CNAME host1.example.", "host1.example. 3600 A 192.0.2.2"]
    assert server.ask("q.alias.example.", "CNAME").answer == ["q.alias.example. 3600 CNAME host1.example."]


def test_4_5_cname_at_a_wildcard_to_nowhere(server: Asker) -> None:
    reply = server.ask("q.lost.example.")
    assert reply.rcode == "NXDOMAIN"
    assert reply.answer == ["q.lost.example. 3600 CNAME gone.host1.example."]


def test_3_3_3_all_types_of_a_wildcard_are_synthesized_for_any(server: Asker) -> None:
    assert server.ask("q.example.", "ANY").types("answer") == ["q.example. MX", "q.example. TXT"]


def test_synthesized_owners_have_the_case_of_the_question(server: Asker) -> None:
    assert server.ask("HoSt3.example.", "TXT").answer == ['HoSt3.example. 3600 TXT "this is a wildcard"']
