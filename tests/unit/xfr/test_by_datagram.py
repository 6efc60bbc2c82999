"""IXFR by UDP: asked for after a NOTIFY where the primary has a key, taken where one datagram holds it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from bindpy.config.model import TsigKey
from bindpy.diagnostics import SourceSpan
from bindpy.tsig import Keyring, sign, verify
from bindpy.xfr import refresher
from bindpy.zone.diff import diff
from tests.faults.primary import Action
from tests.unit.xfr.honest import Honest, rrsets, version
from tests.unit.xfr.replicating import World, conf, rise, scenario, world

pytestmark = pytest.mark.usefixtures("engine")

SPAN = SourceSpan("named.conf")
KEY = TsigKey("k.", "hmac-sha256", b"a secret of many octets", SPAN)
OTHER_KEY = TsigKey("k.", "hmac-sha256", b"another secret", SPAN)
STATEMENTS = (
    'key "k" { algorithm hmac-sha256; secret "YSBzZWNyZXQgb2YgbWFueSBvY3RldHM="; };\n'
    'server 127.0.0.1 { keys { "k"; }; };'
)


class Signing(Honest):
    """A primary with a key. ``by_udp`` makes of its answer to IXFR by UDP what is sent, None: nothing is."""

    by_udp: Callable[[dns.message.Message], dns.message.Message | None] = staticmethod(lambda reply: reply)
    udp_key = KEY

    def _handle(self, packet: bytes, over_tcp: bool) -> Iterable[Action]:
        now = int(time.time())
        asked = verify(packet, Keyring({KEY.name: KEY}), now)
        assert asked is not None, "a request without a signature"
        for action in super()._handle(asked.plain, over_tcp):
            assert isinstance(action, bytes)
            reply: dns.message.Message | None = dns.message.from_wire(action, one_rr_per_rrset=True)
            key = KEY
            if not over_tcp and self.asked[-1] == "IXFR":
                self.asked[-1] = "IXFR by UDP"
                assert reply is not None
                key, reply = self.udp_key, self.by_udp(reply)
            if reply is not None:
                yield sign(reply.to_wire(), key, now, request_mac=asked.mac).wire


@asynccontextmanager
async def replicating(folder: Path, zone: str = 'file "copy.db";') -> AsyncIterator[tuple[Signing, World]]:
    """A primary with a key and its secondary, which has the version 1."""
    async with Signing(version(1)) as primary:
        config = conf(folder, primary.remote, zone=zone, more=STATEMENTS)
        async with world(config, folder) as here:
            await here.until_serial(1)
            yield primary, here


@pytest.mark.parametrize("storage", ['file "copy.db";', ""], ids=["in a file", "in memory"])
def test_a_notify_brings_the_deltas_in_one_datagram(tmp_path: Path, storage: str) -> None:
    async def steps() -> None:
        async with replicating(tmp_path, storage) as (primary, here):
            await rise(here, primary, 2, 3)
            assert primary.asked == ["SOA", "AXFR", "IXFR by UDP", "IXFR by UDP"]
            assert here.holds(primary.zone)
            assert here.status.transfer is not None
            assert (here.status.transfer.how, here.status.transfer.messages) == ("IXFR", 1)
            if storage:
                assert "serial 3, from" in (tmp_path / "copy.db").read_text()

    scenario(steps)


def test_a_soa_in_place_of_deltas_spares_the_query_for_it(tmp_path: Path) -> None:
    def only_soa(reply: dns.message.Message) -> dns.message.Message:
        del reply.answer[1:]
        return reply

    async def steps() -> None:
        async with replicating(tmp_path) as (primary, here):
            primary.by_udp = only_soa
            await rise(here, primary, 2)
            assert primary.asked == ["SOA", "AXFR", "IXFR by UDP", "IXFR"]
            assert here.holds(primary.zone)

    scenario(steps)


def refusal(reply: dns.message.Message) -> dns.message.Message:
    reply.set_rcode(dns.rcode.REFUSED)
    return reply


def half(reply: dns.message.Message) -> dns.message.Message:
    del reply.answer[3:]
    return reply


def bad_delta(reply: dns.message.Message) -> dns.message.Message:
    delta = diff(version(1), version(2))
    soa = list(version(2).rrs())[:1]
    gone = delta.removed[0]._replace(rdata=b"\1\2\3\4")
    reply.answer = rrsets(version(2), [*soa, delta.old_soa, gone, delta.new_soa, *soa])
    return reply


TROUBLES: dict[str, Callable[[dns.message.Message], dns.message.Message | None]] = {
    "silence": lambda reply: None,
    "refusal": refusal,
    "half of it": half,
    "bad delta": bad_delta,
}


@pytest.mark.parametrize("trouble", [*TROUBLES, "forged"])
def test_any_trouble_ends_in_the_usual_way_and_is_met_once(tmp_path: Path, trouble: str) -> None:
    async def steps() -> None:
        async with replicating(tmp_path) as (primary, here):
            if trouble == "forged":
                primary.udp_key = OTHER_KEY
            else:
                primary.by_udp = TROUBLES[trouble]
            await rise(here, primary, 2, 3)
            assert primary.asked == ["SOA", "AXFR", "IXFR by UDP", "SOA", "IXFR", "SOA", "IXFR"]

    scenario(steps)


def test_who_was_silent_is_asked_by_udp_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        async with replicating(tmp_path) as (primary, here):
            primary.by_udp = TROUBLES["silence"]
            await rise(here, primary, 2)
            primary.by_udp = lambda reply: reply
            await rise(here, primary, 3)
            assert primary.asked == ["SOA", "AXFR", "IXFR by UDP", "SOA", "IXFR", "IXFR by UDP"]

    monkeypatch.setattr(refresher, "NO_DATAGRAMS_S", 0.0)
    scenario(steps)


def test_a_serial_that_was_told_wrongly_changes_nothing(tmp_path: Path) -> None:
    def current(reply: dns.message.Message) -> dns.message.Message:
        reply.answer = rrsets(version(1), list(version(1).rrs())[:1])
        return reply

    async def steps() -> None:
        async with replicating(tmp_path) as (primary, here):
            primary.by_udp = current
            primary.publish(version(1))
            here.notify(2)
            await here.until(lambda: len(primary.asked) == 4)
            await here.until(lambda: not here.status.is_refreshing)
            assert primary.asked == ["SOA", "AXFR", "IXFR by UDP", "SOA"]
            assert (here.status.serial, here.status.trouble) == (1, "")

    scenario(steps)


def test_without_a_key_nothing_is_taken_from_a_datagram(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(1)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(1)
            await rise(here, primary, 2)
            assert primary.asked == ["SOA", "AXFR", "SOA", "IXFR"]

    scenario(steps)
