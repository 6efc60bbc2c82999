"""Additional section processing, type by type, each with the RFC that asks for it."""

from __future__ import annotations

import pytest

from bindpy.answer.policy import AnswerPolicy, ViewPolicy
from bindpy.native import EngineChoice
from tests.support.asking import Asker

TLSA = "TLSA 3 1 1 " + "00" * 32
ZONE = f"""
@               SOA   ns1 h 1 2 3 4 300
@               NS    ns1
ns1             A     192.0.2.1
host            A     192.0.2.2
host            AAAA  2001:db8::2
host            HTTPS 1 .
host            TXT   "not additional"
alias           CNAME host
_25._tcp.host   {TLSA}
_853._tcp.host  {TLSA}
*.wild          A     192.0.2.3
sub             NS    ns.sub
ns.sub          A     192.0.2.4
moved           DNAME host
ns              NS    host
mx              MX    0 host
mx-root         MX    0 .
mx-alias        MX    0 alias
mx-wild         MX    0 any.wild
mx-sub          MX    0 ns.sub
mx-moved        MX    0 x.moved
mx-missing      MX    0 missing
mx-other        MX    0 www.other.
srv             SRV   0 0 853 host
srv-none        SRV   0 0 0 .
afdb            AFSDB  1 host
kx              KX    1 host
rt              RT    1 host
naptr-s         NAPTR 1 1 "S" "x" "" srv
naptr-a         NAPTR 1 1 "a" "x" "" host
naptr-u         NAPTR 1 1 "u" "x" "!^.*$!sip:a@b!" .
svcb            SVCB  1 host
svcb-cname      SVCB  1 alias
svcb-self       SVCB  1 .
svcb-self       A     192.0.2.5
svcb-alias      SVCB  0 svcb-self
svcb-far        SVCB  0 svcb-alias
svcb-none       SVCB  0 .
svcb-loop       SVCB  0 svcb-loop
https           HTTPS 0 host
https-alias     HTTPS 0 alias
lp              LP    10 locator
locator         L32   10 10.0.0.1
locator         L64   10 2001:0DB8:1140:1000
ptr             PTR   host
"""
HOST = ["host.example. A", "host.example. AAAA"]


@pytest.fixture(scope="module")
def server(engine: EngineChoice) -> Asker:
    policy = AnswerPolicy(views=(ViewPolicy("_default", minimal_responses="no-auth"),))
    other = "@ SOA ns1 h 1 2 3 4 300\n@ NS ns1\nns1 A 192.0.2.101\nwww A 192.0.2.102\n"
    return Asker({"example.": ZONE, "other.": other}, policy)


@pytest.mark.parametrize(
    ("owner", "qtype", "additional"),
    [
        ("mx", "MX", ["_25._tcp.host.example. TLSA", *HOST]),  # RFC 1035 section 3.3.9, RFC 7672
        ("mx-root", "MX", []),
        ("mx-alias", "MX", []),  # RFC 2181 section 10.3: an exchange is no alias
        ("mx-wild", "MX", ["any.wild.example. A"]),
        ("mx-sub", "MX", []),  # glue is for referrals
        ("mx-moved", "MX", []),
        ("mx-missing", "MX", []),
        ("mx-other", "MX", []),  # only the zone that answers
        ("srv", "SRV", ["_853._tcp.host.example. TLSA", *HOST]),  # RFC 2782, RFC 7673
        ("srv-none", "SRV", []),
        ("afdb", "AFSDB", HOST),  # RFC 1183 section 1
        ("kx", "KX", HOST),  # RFC 2230 section 4
        ("rt", "RT", HOST),  # RFC 1183 section 3.3
        ("naptr-s", "NAPTR", [*HOST, "srv.example. SRV"]),  # RFC 3403 section 4.2
        ("naptr-a", "NAPTR", HOST),
        ("naptr-u", "NAPTR", []),
        ("svcb", "SVCB", HOST),  # RFC 9460 section 4.1
        ("svcb-cname", "SVCB", ["alias.example. CNAME", *HOST]),
        ("svcb-self", "SVCB", ["svcb-self.example. A"]),
        ("svcb-alias", "SVCB", ["svcb-self.example. A", "svcb-self.example. SVCB"]),
        (
            "svcb-far",
            "SVCB",
            ["svcb-alias.example. SVCB", "svcb-self.example. A", "svcb-self.example. SVCB"],
        ),
        ("svcb-none", "SVCB", []),
        ("svcb-loop", "SVCB", []),
        ("https", "HTTPS", [*HOST, "host.example. HTTPS"]),
        ("https-alias", "HTTPS", ["alias.example. CNAME", *HOST, "host.example. HTTPS"]),
        ("lp", "LP", ["locator.example. L32", "locator.example. L64"]),  # RFC 6742 section 2.4.3
        ("ptr", "PTR", []),
        ("alias", "CNAME", []),
    ],
)
def test_what_is_added(server: Asker, owner: str, qtype: str, additional: list[str]) -> None:
    reply = server.ask(f"{owner}.example.", qtype)
    assert len(reply.answer) == 1
    assert reply.types("additional") == additional


def test_nothing_is_sent_twice(server: Asker) -> None:
    reply = server.ask("svcb-loop.example.", "SVCB")
    assert (len(reply.answer), reply.additional) == (1, [])
