"""A single question to a primary: by UDP and TCP, with EDNS and without, and what is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest

from bindpy.config.model import ANY_SOURCE, RemoteServer
from bindpy.xfr.client import QueryTiming
from bindpy.xfr.failure import XferFailure
from bindpy.xfr.peers import Primary
from bindpy.xfr.refresher import in_order
from bindpy.xfr.soaquery import ask_version
from tests.faults.primary import Action
from tests.support.ports import free_port
from tests.unit.xfr.honest import ORIGIN, Honest, rrsets, version
from tests.unit.xfr.replicating import scenario

pytestmark = pytest.mark.usefixtures("engine")


def lone(remote: RemoteServer, *, edns: bool = True, tcp_only: bool = False) -> Primary:
    return Primary(remote, None, "", ANY_SOURCE, edns, tcp_only, True, True, 2)


QUICK = QueryTiming(udp_s=0.1, udp_attempts=1, connect_s=5, tcp_s=5)


def test_silence_by_udp_leads_to_tcp_unless_forbidden() -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary:
            answer = primary.answer
            primary.instead = lambda packet, over_tcp: answer(packet, over_tcp) if over_tcp else []
            asked = lone(primary.remote)
            found = await ask_version(asked, ORIGIN, 1, signed=False, try_tcp=True, timing=QUICK)
            assert found.serial == 5
            with pytest.raises(XferFailure, match="did not answer by UDP"):
                await ask_version(asked, ORIGIN, 1, signed=False, try_tcp=False, timing=QUICK)
            asked = lone(primary.remote, tcp_only=True)
            found = await ask_version(asked, ORIGIN, 1, signed=False, try_tcp=False, timing=QUICK)
            assert found.serial == 5

    scenario(steps)


def test_nobody_there_is_what_udp_said() -> None:
    with pytest.raises(XferFailure, match="refused the UDP packet"):
        asyncio.run(
            ask_version(lone(RemoteServer("127.0.0.1", free_port())), ORIGIN, 1, signed=False, try_tcp=True)
        )


def test_a_primary_that_does_not_know_edns_is_asked_without() -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary:
            primary.knows_edns = False
            found = await ask_version(lone(primary.remote), ORIGIN, 1, signed=True, try_tcp=True)
            assert (found.serial, found.signatures, found.expire_s) == (5, frozenset(), None)
            assert primary.asked == ["SOA", "SOA"]

    scenario(steps)


def test_expire_is_asked_for_and_heard() -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary:
            seen: list[bool] = []

            def answer(packet: bytes, over_tcp: bool) -> Iterable[Action]:
                query = dns.message.from_wire(packet)
                seen.append(any(option.otype == 9 for option in query.options))
                reply = dns.message.make_response(query)
                reply.flags |= dns.flags.AA
                reply.use_edns(0, options=[dns.edns.GenericOption(9, (1234).to_bytes(4))])
                reply.answer = rrsets(primary.zone, list(primary.zone.rrs())[:1])
                return [reply.to_wire()]

            primary.instead = answer
            found = await ask_version(lone(primary.remote), ORIGIN, 1, signed=False, try_tcp=True)
            assert found.expire_s == 1234
            await ask_version(lone(primary.remote, edns=False), ORIGIN, 1, signed=False, try_tcp=True)
            assert seen == [True, False]

    scenario(steps)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda reply: setattr(reply, "flags", reply.flags & ~dns.flags.AA), "without authority"),
        (lambda reply: reply.answer.clear(), "no SOA"),
        (lambda reply: setattr(reply.answer[0], "name", dns.name.from_text("example.org")), "no SOA"),
        (lambda reply: reply.set_rcode(dns.rcode.NOTAUTH), "NOTAUTH"),
    ],
)
def test_what_is_no_answer_is_none(spoil: Callable[[dns.message.Message], None], reason: str) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary:
            answer = primary.answer

            def spoiled(packet: bytes, over_tcp: bool) -> Iterable[Action]:
                (octets,) = answer(packet, over_tcp)
                assert isinstance(octets, bytes)
                reply = dns.message.from_wire(octets)
                spoil(reply)
                return [reply.to_wire()]

            primary.instead = spoiled
            with pytest.raises(XferFailure, match=reason):
                await ask_version(lone(primary.remote), ORIGIN, 1, signed=False, try_tcp=True)

    scenario(steps)


def test_who_is_asked_first() -> None:
    one, two, three = (lone(RemoteServer(f"192.0.2.{n}", 53)) for n in (1, 2, 3))
    assert in_order([one, two, three], "", "") == [one, two, three]
    assert in_order([one, two, three], "192.0.2.3#53", "") == [three, one, two]
    assert in_order([one, two, three], "192.0.2.3#53", "192.0.2.2") == [two, three, one]
