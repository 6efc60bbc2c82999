"""RFC 2308: negative answers."""

from __future__ import annotations

import pytest

from bindpy.native import EngineChoice
from tests.support.asking import Asker

ZONES = {
    "low.": "@ 300 SOA ns1 h 1 2 3 4 900\n@ NS ns1\nns1 A 192.0.2.1\n",
    "high.": "@ 900 SOA ns1 h 1 2 3 4 300\n@ NS ns1\nns1 A 192.0.2.1\nalias CNAME gone\n*.wild A 192.0.2.2\n",
}


@pytest.fixture(scope="module")
def server(engine: EngineChoice) -> Asker:
    return Asker(ZONES)


@pytest.mark.parametrize("zone", ["low.", "high."])
@pytest.mark.parametrize(("owner", "rcode"), [("gone", "NXDOMAIN"), ("ns1", "NOERROR")])
def test_3_the_soa_has_the_lower_of_its_ttl_and_minimum(
    server: Asker, zone: str, owner: str, rcode: str
) -> None:
    reply = server.ask(f"{owner}.{zone}", "AAAA")
    assert (reply.rcode, reply.aa, reply.answer) == (rcode, True, [])
    assert [line.split()[:3] for line in reply.authority] == [[zone, "300", "SOA"]]


def test_2_1_the_soa_that_is_asked_for_keeps_its_ttl(server: Asker) -> None:
    assert server.ask("high.", "SOA").answer[0].startswith("high. 900 SOA ")


def test_2_1_name_error_behind_an_alias(server: Asker) -> None:
    reply = server.ask("alias.high.")
    assert (reply.rcode, len(reply.answer)) == ("NXDOMAIN", 1)
    assert reply.types("authority") == ["high. SOA"]


def test_2_2_no_data_at_a_wildcard(server: Asker) -> None:
    reply = server.ask("x.wild.high.", "AAAA")
    assert (reply.rcode, reply.types("authority")) == ("NOERROR", ["high. SOA"])
