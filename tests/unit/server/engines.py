"""Listeners that serve a real zone, with threads of the server's own or with the engine's."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.message
import dns.rdata
import pytest

from bindpy.answer.policy import AnswerPolicy, ZonePolicy
from bindpy.engine import Engine
from bindpy.native import EngineChoice, choose_engine
from bindpy.server.endpoint import Endpoint
from bindpy.server.listeners import Listeners
from bindpy.server.tcp_limits import TcpSettings
from bindpy.zone.names import Name, from_text
from bindpy.zone.records import IN
from tests.unit.server.fakes import Client, FakeHandler, Served

ORIGIN: Name = from_text("example.com.")
BIG_OCTETS = 20_000
REQUIRE_VARIABLE = "BINDPY_REQUIRE_ENGINE"
RECORDS = (
    ("example.com.", "SOA", "ns.example.com. hostmaster.example.com. 1 3600 600 86400 60"),
    ("example.com.", "NS", "ns.example.com."),
    ("www.example.com.", "A", "192.0.2.1"),
    *(("big.example.com.", "TXT", f'"{number:04}{"x" * 246}"') for number in range(BIG_OCTETS // 250)),
)


@dataclass(slots=True)
class Faults:
    """What was told of faults: of queries, and of threads."""

    queries: list[tuple[bytes, Exception]] = field(default_factory=list)
    threads: list[tuple[Endpoint, BaseException]] = field(default_factory=list)


class ServedZone(Served):
    """`Served`, with an engine behind it instead of a fake."""

    def __init__(self, listeners: Listeners, engine: Engine, handler: FakeHandler, faults: Faults) -> None:
        self.listeners = listeners
        self.engine = engine
        self.handler = handler
        self.faults = faults


@asynccontextmanager
async def serving_zone(
    choice: EngineChoice,
    *,
    policy: AnswerPolicy | None = None,
    settings: TcpSettings | None = None,
    address: str = "127.0.0.1",
    port: int = 0,
    udp_workers: int = 1,
) -> AsyncIterator[ServedZone]:
    """Serve example.com on a port of the kernel's choice, or on *port* (see `fakes.serving`)."""
    require(choice)
    faults = Faults()
    engine = choose_engine(choice, lambda query, error: faults.queries.append((query, error)))
    engine.answerer.configure(policy or AnswerPolicy())
    builder = engine.zones.builder(ORIGIN, IN)
    for owner, rtype, text in RECORDS:
        rdata = dns.rdata.from_text("IN", rtype, text)
        builder.add(from_text(owner), rdata.rdtype, 60, rdata.to_wire() or b"")
    engine.answerer.publish("_default", builder.finish(), ZonePolicy())
    handler = FakeHandler()
    listeners = Listeners(
        engine.answerer,
        handler,
        settings or TcpSettings(),
        start_service=engine.start_service,
        udp_workers=udp_workers,
        on_failure=lambda endpoint, error: faults.threads.append((endpoint, error)),
    )
    await listeners.apply([Endpoint(address, port)])
    try:
        yield ServedZone(listeners, engine, handler, faults)
    finally:
        await listeners.close()
    assert faults == Faults()


def answers_in(response: bytes) -> int:
    """Return how many records the answer section of *response*, which must be NOERROR, has."""
    message = dns.message.from_wire(response)
    assert message.rcode() == 0
    return sum(len(rrset) for rrset in message.answer)


async def ask(client: Client, packet: bytes) -> bytes:
    """Send *packet*; return what comes next."""
    client.send(packet)
    return await client.receive()


def require(choice: EngineChoice) -> None:
    """Skip the test where *choice* is not installed; fail it where BINDPY_REQUIRE_ENGINE=1."""
    if choice is EngineChoice.RUST and importlib.util.find_spec("bindpy_engine") is None:
        message = "the Rust engine is not installed; next: make engine"
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(message)
        pytest.skip(message)
