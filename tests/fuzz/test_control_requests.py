"""Spoiled transfers, NOTIFYs, UPDATEs and signed queries: the control plane answers them or is silent.

``BINDPY_FUZZ_REQUESTS`` is how many (20,000 unless set), ``BINDPY_FUZZ_SEED`` where to begin.
"""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import aclosing
from pathlib import Path

import dns.message
import dns.opcode
import dns.rrset
import dns.tsig
import dns.update
import pytest

from bindpy.answer.policy import Transport, ZonePolicy
from bindpy.config.acl import LocalAddresses
from bindpy.config.model import TsigKey
from bindpy.diagnostics import SourceSpan
from bindpy.reload.table import ZoneEntry, ZoneTable
from bindpy.server.control_plane import ControlPlane
from bindpy.server.endpoint import Endpoint
from bindpy.server.request import Request, Stream
from bindpy.tsig import sign
from bindpy.xfr.outgoing import TransfersOut
from tests.support.engines import make_engine, make_zone
from tests.support.packets import spoil
from tests.unit.server.test_control_plane import configuration

REQUESTS = int(os.environ.get("BINDPY_FUZZ_REQUESTS", "20000"))
SEED = int(os.environ.get("BINDPY_FUZZ_SEED", "20261122"))
NOW = 1_800_000_000
CLIENT = Endpoint("192.0.2.53", 4321)

pytestmark = pytest.mark.usefixtures("engine")

CONF = """\
key k { algorithm hmac-sha256; secret "MDEyMzQ1Njc4OWFiY2RlZg=="; };
zone example.com { type primary; file "none.db"; allow-transfer { any; }; };
"""
ZONE = "@ SOA ns h 3 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nwww CNAME ns\n"


@pytest.fixture
def plane(tmp_path: Path) -> ControlPlane:
    config = configuration(tmp_path, CONF)
    answerer = make_engine().answerer
    zone = make_zone("example.com.", ZONE)
    answerer.publish("_default", zone, ZonePolicy())
    table = ZoneTable()
    table.add(ZoneEntry(config.zones()[0], zone=zone))
    transfers = TransfersOut(answerer, table)
    transfers.configure(config, LocalAddresses())
    plane = ControlPlane(answerer, transfers, clock=lambda: float(NOW))
    plane.configure(config)
    return plane


def corpus() -> list[bytes]:
    """Return good requests of all kinds, without and with a signature."""
    axfr = dns.message.make_query("example.com", "AXFR")
    ixfr = dns.message.make_query("example.com", "IXFR", use_edns=False)
    ixfr.authority.append(dns.rrset.from_text("example.com.", 0, "IN", "SOA", ". . 1 0 0 0 0"))
    notify = dns.message.make_query("example.com", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    update = dns.update.UpdateMessage("example.com")
    update.add("www", 60, "A", "192.0.2.7")
    plain = dns.message.make_query("www.example.com", "A", want_dnssec=True)
    wires = [message.to_wire() for message in (axfr, ixfr, notify, update, plain)]
    key = TsigKey("k.", "hmac-sha256", b"0123456789abcdef", SourceSpan("named.conf"))
    return wires + [sign(wire, key, NOW).wire for wire in wires]


async def replies(plane: ControlPlane, request: Request) -> list[bytes]:
    reply = await plane.handle(request)
    if isinstance(reply, Stream):
        assert request.transport is Transport.TCP
        async with aclosing(reply.messages):
            return [message async for message in reply.messages]
    return [] if reply is None else [reply]


def test_spoiled_requests(plane: ControlPlane) -> None:
    good = corpus()
    rng = random.Random(SEED)

    async def run() -> int:
        answered = 0
        for number in range(REQUESTS):
            packet = spoil(good[number % len(good)], rng)
            transport = Transport.TCP if number % 3 else Transport.UDP
            try:
                for reply in await replies(plane, Request(packet, CLIENT, "192.0.2.1", transport)):
                    assert len(reply) <= (65535 if transport is Transport.TCP else 1232)
                    assert reply[:2] == packet[:2]
                    assert reply[2] & 0xF8 == 0x80 | packet[2] & 0x78
                    as_query = bytes(
                        [reply[2] & 0x87]
                    )  # dnspython judges what an UPDATE asks, not only its form
                    dns.message.from_wire(reply[:2] + as_query + reply[3:], keyring=False)
                    answered += 1
            except Exception as exc:
                exc.add_note(f"seed {SEED}, request {number}: {packet.hex()} over {transport.value}")
                raise
        return answered

    assert asyncio.run(run()) > REQUESTS // 2
