"""A notifier, and a receiver on loopback that behaves as the test wants."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from bindpy.config.acl import LocalAddresses
from bindpy.config.load import load_config
from bindpy.config.model import Config
from bindpy.reload.table import ZoneEntry, ZoneTable
from bindpy.server.endpoint import Endpoint
from bindpy.state.db import StateDb
from bindpy.tsig import Keyring, sign, verify
from bindpy.xfr.notify import Notifier
from bindpy.xfr.notify_queue import NotifyState, TargetStatus
from bindpy.xfr.wire import Message, read_message
from bindpy.zone import names
from bindpy.zone.records import Soa
from bindpy.zone.snapshot import ZoneSnapshot
from tests.support.zones import zone_from_text

ZONE_ID = ("_default", names.from_text("example.com."))
NO_HOSTS: dict[str, tuple[str, ...]] = {}
QUICK_S = (0.2, 0.2, 0.2)
"""Pauses between tries where none, or not the first, is acknowledged."""
PATIENT_S = (10.0, 10.0, 10.0)
"""Where the first is: a busy machine's delay is not taken for a lost packet."""
SECRET = b"0123456789abcdef"


def zone(serial: int, records: str = "") -> ZoneSnapshot:
    """Return a version of example.com whose NS set names nobody who could be told."""
    return zone_from_text("example.com.", f"@ SOA ns1 host {serial} 2 3 4 5\n@ NS ns1\n{records}")


Answer = Callable[[bytes], bytes | None]


def noerror(packet: bytes) -> bytes:
    """Acknowledge."""
    return packet[:2] + bytes([packet[2] | 0x80, packet[3]]) + packet[4:]


def refusing(rcode: int) -> Answer:
    """Return an answer with *rcode*."""
    return lambda packet: packet[:2] + bytes([packet[2] | 0x80, rcode]) + packet[4:]


def silent(packet: bytes) -> None:
    """Say nothing."""


def signing(packet: bytes, *, answer_secret: bytes = SECRET) -> bytes | None:
    """Acknowledge what is signed with the key, signed with one of its name; say nothing to others."""
    key = KEYS.keys["k1."]
    verified = verify(packet, Keyring({"k1.": key}), int(time.time()))
    if verified is None:
        return None
    answer_key = replace(key, secret=answer_secret)
    return sign(noerror(verified.plain), answer_key, int(time.time()), request_mac=verified.mac).wire


def unsigned(packet: bytes) -> bytes:
    """Answer with the question alone."""
    header = packet[:2] + bytes([packet[2] | 0x80, 9]) + b"\0\1" + bytes(6)
    return header + packet[12 : 12 + len(ZONE_ID[1]) + 4]


class Receiver(asyncio.DatagramProtocol):
    """A server that takes NOTIFYs; `answer` says what it does with the next."""

    def __init__(self) -> None:
        self.answer: Answer = noerror
        self.packets: list[bytes] = []
        self.times: list[float] = []
        self.senders: list[str] = []
        self.from_elsewhere = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.packets.append(data)
        self.times.append(asyncio.get_running_loop().time())
        self.senders.append(addr[0])
        reply = self.answer(data)
        if reply is None:
            return
        if self.from_elsewhere:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.sendto(reply, addr)
        else:
            self.transport.sendto(reply, addr)

    @property
    def port(self) -> int:
        port: int = self.transport.get_extra_info("sockname")[1]
        return port

    @property
    def messages(self) -> list[Message]:
        return [read_message(packet) for packet in self.packets]

    @property
    def serials(self) -> list[int]:
        return [Soa.from_rdata(message.answer[0][4]).serial for message in self.messages]


def config_of(folder: Path, text: str) -> Config:
    path = folder / "named.conf"
    path.write_text(
        f'key k1 {{ algorithm hmac-sha256; secret "MDEyMzQ1Njc4OWFiY2RlZg=="; }};\n'
        f'options {{ directory "{folder}"; notify-delay 0; }};\n{text}'
    )
    result = load_config(str(path))
    assert result.config is not None, result.diagnostics
    return result.config


def one_zone(settings: str) -> str:
    return f'zone "example.com" {{ type primary; file "example.com.zone"; {settings} }};\n'


KEYS: Config


@pytest.fixture(autouse=True)
def keys(tmp_path: Path) -> None:
    global KEYS  # noqa: PLW0603 - answers are plain functions of a packet
    KEYS = config_of(tmp_path, one_zone(""))


@dataclass
class World:
    """One receiver and a notifier that tells it of example.com."""

    folder: Path
    receiver: Receiver
    state: StateDb
    table: ZoneTable
    notifier: Notifier
    entry: ZoneEntry

    def configure(self, text: str) -> None:
        """Use another configuration; PORT in it is the receiver's."""
        config = config_of(self.folder, text.replace("PORT", str(self.receiver.port)))
        for zone_config in config.zones():
            known = self.table.get((zone_config.view, zone_config.origin.lower()))
            if known is None:
                self.table.add(ZoneEntry(zone_config))
            else:
                known.config = zone_config
        self.entry = self.table.get(ZONE_ID) or self.entry
        self.notifier.configure(config, [Endpoint("127.0.0.1", 1)], LocalAddresses())

    def publish(self, after: ZoneSnapshot) -> None:
        before, self.entry.zone = self.entry.zone, after
        self.notifier.zone_changed(self.entry, before, after)

    @property
    def status(self) -> TargetStatus:
        (status,) = self.notifier.status(ZONE_ID)
        return status

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - the condition is about many things
                await asyncio.sleep(0.005)

    async def until_acknowledged(self, serial: int) -> None:
        await self.until(lambda: [s.acknowledged for s in self.notifier.status(ZONE_ID)] == [serial])

    async def until_failed(self) -> None:
        await self.until(lambda: [s.state for s in self.notifier.status(ZONE_ID)] == [NotifyState.FAILED])

    async def settled(self) -> None:
        """Wait until a NOTIFY that should not be there would have come."""
        await self.until(lambda: not self.notifier._to_plan)
        for _ in range(20):
            await asyncio.sleep(0.005)


ALSO = one_zone("also-notify { 127.0.0.1 port PORT; };")


@asynccontextmanager
async def world(
    folder: Path,
    conf: str = ALSO,
    *,
    hosts: dict[str, tuple[str, ...]] = NO_HOSTS,
    all_loaded: bool = True,
    pauses_s: tuple[float, ...] = PATIENT_S,
) -> AsyncIterator[World]:
    loop = asyncio.get_running_loop()
    transport, receiver = await loop.create_datagram_endpoint(Receiver, ("127.0.0.1", 0))
    state = StateDb.open(str(folder))
    table = ZoneTable()

    def lookup(host: str) -> tuple[str, ...]:
        if host not in hosts:
            raise OSError(-2, "Name or service not known")
        return hosts[host]

    notifier = Notifier(table, state, lookup=lookup, pauses_s=pauses_s)
    built = World(folder, receiver, state, table, notifier, ZoneEntry(KEYS.zones()[0]))
    built.configure(conf)
    if all_loaded:
        notifier.all_loaded()
    task = asyncio.create_task(notifier.run())
    try:
        yield built
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})
        transport.close()
        await state.close()
