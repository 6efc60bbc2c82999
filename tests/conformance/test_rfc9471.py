"""RFC 9471: glue in referrals."""

from __future__ import annotations

import pytest

from bindpy.native import EngineChoice
from tests.support.asking import Asker

LONG = "n" * 50
ZONE = (
    "@ SOA ns1 h 1 2 3 4 300\n@ NS ns1\nns1 A 192.0.2.1\n"
    + "".join(
        f"in NS {LONG}{i}.in\n{LONG}{i}.in A 192.0.2.{i}\n{LONG}{i}.in AAAA 2001:db8::{i}\n" for i in range(6)
    )
    + "".join(f"sib NS {LONG}{i}.other\n{LONG}{i}.other AAAA 2001:db8::{i}\n" for i in range(7))
    + "other NS ns.elsewhere.test.\n"
    + "mixed NS ns.mixed\nns.mixed A 192.0.2.50\n"
    + "".join(f"mixed NS {LONG}{i}.other\n" for i in range(5))
)


@pytest.fixture(scope="module")
def server(engine: EngineChoice) -> Asker:
    return Asker({"example.": ZONE})


def test_3_1_all_glue_for_in_domain_name_servers_or_tc(server: Asker) -> None:
    whole = server.ask("www.in.example.", edns=True)
    assert not whole.tc
    assert len(whole.additional) == 12
    cut = server.ask("www.in.example.")
    assert cut.tc
    assert len(cut.authority) == 6
    assert len(cut.additional) < 12


def test_3_2_glue_for_sibling_domain_name_servers_may_be_left_out(server: Asker) -> None:
    whole = server.ask("www.sib.example.", edns=True)
    assert len(whole.additional) == 7
    cut = server.ask("www.sib.example.")
    assert not cut.tc
    assert len(cut.authority) == 7
    assert len(cut.additional) < 7


def test_3_1_in_domain_glue_goes_before_sibling_glue(server: Asker) -> None:
    reply = server.ask("www.mixed.example.")
    assert not reply.tc
    assert reply.additional[0] == "ns.mixed.example. 3600 A 192.0.2.50"
    assert len(reply.additional) < 6


def test_over_tcp_nothing_is_left_out(server: Asker) -> None:
    assert len(server.ask("www.in.example.", tcp=True).additional) == 12
    assert len(server.ask("www.mixed.example.", tcp=True).additional) == 6
