"""Telling other servers of changes, over loopback, to receivers that behave as the test wants."""

from __future__ import annotations

import asyncio
import logging
import re
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
from bindpy.config.model import Config, RemoteServer, ZoneType
from bindpy.reload.table import ZoneEntry, ZoneTable
from bindpy.server.endpoint import Endpoint
from bindpy.state.db import StateDb
from bindpy.tsig import Keyring, sign, verify
from bindpy.xfr.notify import Notifier
from bindpy.xfr.notify_exchange import NotNotifiedError, notify_message
from bindpy.xfr.notify_queue import NotifyState, TargetStatus
from bindpy.xfr.wire import Message, read_message
from bindpy.zone import names
from bindpy.zone.records import RRType, Soa
from bindpy.zone.snapshot import ZoneSnapshot
from tests.peers.process import free_port
from tests.support.zones import zone_from_text

ZONE_ID = ("_default", names.from_text("example.com."))
NO_HOSTS: dict[str, tuple[str, ...]] = {}
QUICK_S = (0.05, 0.1, 0.1)
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
def _keys(tmp_path: Path) -> None:
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
    folder: Path, conf: str = ALSO, *, hosts: dict[str, tuple[str, ...]] = NO_HOSTS, all_loaded: bool = True
) -> AsyncIterator[World]:
    loop = asyncio.get_running_loop()
    transport, receiver = await loop.create_datagram_endpoint(Receiver, ("127.0.0.1", 0))
    state = StateDb.open(str(folder))
    table = ZoneTable()

    def lookup(host: str) -> tuple[str, ...]:
        if host not in hosts:
            raise OSError(-2, "Name or service not known")
        return hosts[host]

    notifier = Notifier(table, state, lookup=lookup, pauses_s=QUICK_S)
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


def test_a_change_is_told_with_its_soa_and_acknowledged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> int:
        async with world(tmp_path) as w:
            w.publish(zone(5))
            await w.until_acknowledged(5)
            (message,) = w.receiver.messages
            assert (message.opcode, message.is_response, bool(message.flags & 0x0400)) == (4, False, True)
            assert message.question is not None
            assert (message.question.name, message.question.rtype) == (ZONE_ID[1], RRType.SOA)
            assert w.receiver.serials == [5]
            assert w.status.state is NotifyState.ACKNOWLEDGED
            return w.receiver.port

    with caplog.at_level(logging.INFO, "bindpy.notify"):
        port = asyncio.run(run())
    assert caplog.messages == [
        "zone example.com/IN: sending notifies (serial 5)",
        f"zone example.com/IN: notify to 127.0.0.1#{port}: acknowledged (serial 5)",
    ]


def test_lost_packets_are_sent_again_until_it_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> int:
        async with world(tmp_path) as w:
            w.receiver.answer = silent
            w.publish(zone(5))
            await w.until_failed()
            assert len(w.receiver.packets) == len(QUICK_S)
            assert (w.status.reason, w.status.tries) == ("timed out", 3)
            ids = {message.id for message in w.receiver.messages}
            assert len(ids) > 1
            w.receiver.answer = noerror
            w.publish(zone(6))
            await w.until_acknowledged(6)
            return w.receiver.port

    with caplog.at_level(logging.WARNING, "bindpy.notify"):
        port = asyncio.run(run())
    assert caplog.messages == [
        f"zone example.com/IN: notify to 127.0.0.1#{port} failed: timed out (given up after 3 tries)"
    ]


def test_a_second_try_is_enough(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            w.receiver.answer = lambda packet: noerror(packet) if len(w.receiver.packets) > 1 else None
            w.publish(zone(5))
            await w.until_acknowledged(5)
            assert len(w.receiver.packets) == 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("rcode", "expected"),
    [
        (5, "REFUSED: it takes no NOTIFY for this zone from us"),
        (9, "NOTAUTH: it does not serve this zone"),
        (4, "NOTIMP: it does not know NOTIFY"),
        (2, "SERVFAIL: it could not process our NOTIFY"),
        (3, "NXDOMAIN: it does not take our NOTIFY"),
    ],
)
def test_a_refusal_is_explained_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rcode: int, expected: str
) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            w.receiver.answer = refusing(rcode)
            w.publish(zone(5))
            await w.until_failed()
            assert len(w.receiver.packets) == len(QUICK_S)
            assert w.status.reason.startswith(expected)

    asyncio.run(run())
    assert len(caplog.messages) == 1
    assert expected in caplog.text
    assert caplog.messages[0].endswith("; trying again")


def test_a_server_that_gets_the_zone_in_the_meantime_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            first = refusing(9)
            w.receiver.answer = lambda p: noerror(p) if len(w.receiver.packets) > 1 else first(p)
            w.publish(zone(5))
            await w.until_acknowledged(5)

    asyncio.run(run())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda packet: bytes([packet[0] ^ 1]) + noerror(packet)[1:],
        lambda packet: noerror(packet).replace(b"\x07example", b"\x07exemple", 1),
        lambda packet: packet,
        lambda packet: noerror(packet)[:11],
    ],
    ids=["another ID", "another question", "a request", "cut short"],
)
def test_what_is_no_answer_to_us_acknowledges_nothing(tmp_path: Path, spoil: Answer) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            w.receiver.answer = spoil
            w.publish(zone(5))
            await w.until_failed()
            assert w.status.acknowledged is None

    asyncio.run(run())


def test_an_answer_from_another_source_counts_for_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            w.receiver.from_elsewhere = True
            w.publish(zone(5))
            await w.until_failed()
            assert (w.status.acknowledged, w.status.reason) == (None, "timed out")

    asyncio.run(run())


def test_signed_with_the_key_of_the_list(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, one_zone("also-notify { 127.0.0.1 port PORT key k1; };")) as w:
            w.receiver.answer = signing
            w.publish(zone(5))
            await w.until_acknowledged(5)
            assert w.status.target == f"127.0.0.1#{w.receiver.port} key k1."

    asyncio.run(run())


def test_signed_with_the_key_of_the_server_statement(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, "server 127.0.0.0/8 { keys k1; };\n" + ALSO) as w:
            w.receiver.answer = signing
            w.publish(zone(5))
            await w.until_acknowledged(5)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda packet: signing(packet, answer_secret=b"x" * 16), "the signature is wrong"),
        (unsigned, "without a signature"),
    ],
    ids=["signed wrongly", "unsigned"],
)
def test_a_badly_signed_answer_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: Answer, reason: str
) -> None:
    async def run() -> None:
        async with world(tmp_path, one_zone("also-notify { 127.0.0.1 port PORT key k1; };")) as w:
            w.receiver.answer = answer
            w.publish(zone(5))
            await w.until_failed()
            assert w.status.acknowledged is None
            assert w.status.tries == 3
            assert reason in w.status.reason

    asyncio.run(run())
    assert len(caplog.messages) == 1
    assert reason in caplog.text


def test_from_the_source_that_is_configured(tmp_path: Path) -> None:
    async def run() -> None:
        conf = one_zone("notify-source 127.0.0.2; also-notify { 127.0.0.1 port PORT; };")
        async with world(tmp_path, conf) as w:
            w.publish(zone(5))
            await w.until_acknowledged(5)
            assert w.receiver.senders == ["127.0.0.2"]

    asyncio.run(run())


def test_a_source_that_is_not_ours_is_said(tmp_path: Path) -> None:
    async def run() -> None:
        conf = one_zone("notify-source 192.0.2.1; also-notify { 127.0.0.1 port PORT; };")
        async with world(tmp_path, conf) as w:
            w.publish(zone(5))
            await w.until_failed()
            assert "cannot be asked from 192.0.2.1" in w.status.reason

    asyncio.run(run())


def test_a_serial_that_does_not_rise_is_not_told(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            w.publish(zone(5))
            await w.until_acknowledged(5)
            w.publish(zone(5, "www A 192.0.2.1\n"))
            w.publish(zone(4))
            await w.settled()
            w.publish(zone(6))
            await w.until_acknowledged(6)
            assert w.receiver.serials == [5, 6]

    asyncio.run(run())


def test_going_back_ends_what_was_being_told(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            w.receiver.answer = silent
            w.publish(zone(5))
            await w.until(lambda: len(w.receiver.packets) == 1)
            w.publish(zone(4))
            assert w.notifier.status(ZONE_ID) == ()
            await asyncio.sleep(2 * sum(QUICK_S))
            assert w.receiver.serials == [5]

    asyncio.run(run())


def test_serials_wrap_round(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            w.publish(zone(2**32 - 1))
            await w.until_acknowledged(2**32 - 1)
            w.publish(zone(1))
            await w.until_acknowledged(1)

    asyncio.run(run())


def test_changes_within_the_delay_are_told_as_one(tmp_path: Path) -> None:
    async def run() -> None:
        conf = one_zone("notify-delay 1; also-notify { 127.0.0.1 port PORT; };")
        async with world(tmp_path, conf) as w:
            w.publish(zone(5))
            await w.until_acknowledged(5)
            for serial in (6, 7, 8):
                w.publish(zone(serial))
                await asyncio.sleep(0.01)
            await w.until_acknowledged(8)
            assert w.receiver.serials == [5, 8]
            assert w.receiver.times[1] - w.receiver.times[0] > 0.95

    asyncio.run(run())


def test_a_start_tells_only_those_who_do_not_know(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            await w.state.save_ack(*ZONE_ID, f"127.0.0.1#{w.receiver.port}", 5)
            w.notifier.zone_changed(w.entry, None, zone(1))  # forgotten again: the entry has no zone
            w.entry.zone = None
            w.publish(zone(5))
            await w.until(lambda: bool(w.notifier.status(ZONE_ID)))
            await w.settled()
            first = list(w.receiver.packets)
            w.publish(zone(6))
            await w.until_acknowledged(6)
            acks = await w.state.load_acks()
            assert acks == {(*ZONE_ID, f"127.0.0.1#{w.receiver.port}"): 6}
            assert first == []
            assert w.receiver.serials == [6]

    asyncio.run(run())


def test_what_was_acknowledged_outlives_a_restart(tmp_path: Path) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        transport, receiver = await loop.create_datagram_endpoint(Receiver, ("127.0.0.1", 0))
        config = config_of(tmp_path, ALSO.replace("PORT", str(receiver.port)))
        for serial in (5, 5, 6):
            state, table = StateDb.open(str(tmp_path)), ZoneTable()
            notifier = Notifier(table, state, pauses_s=QUICK_S)
            entry = ZoneEntry(config.zones()[0], zone(serial))
            table.add(entry)
            notifier.configure(config, [], LocalAddresses())
            notifier.zone_changed(entry, None, zone(serial))
            task = asyncio.create_task(notifier.run())
            async with asyncio.timeout(10):
                while {s.acknowledged for s in notifier.status(ZONE_ID)} != {serial}:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            assert list((await state.load_acks()).values()) == [serial]
            task.cancel()
            await asyncio.wait({task})
            await state.close()
        transport.close()
        assert receiver.serials == [5, 6]

    asyncio.run(run())


def test_a_zone_that_is_gone_is_not_told_of(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            w.receiver.answer = silent
            w.publish(zone(5))
            await w.until(lambda: len(w.receiver.packets) == 1)
            w.configure('zone "example.org" { type primary; file "x"; };')
            w.table.remove(ZONE_ID)
            await w.settled()
            assert w.notifier.status(ZONE_ID) == ()
            assert len(w.receiver.packets) == 1

    asyncio.run(run())


def test_an_expired_zone_is_not_told_of(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            w.entry.expired = True
            w.publish(zone(5))
            await w.settled()
            assert (w.receiver.packets, w.notifier.status(ZONE_ID)) == ([], ())

    asyncio.run(run())


def test_a_target_that_is_configured_later_is_told_of_the_serial_that_is(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, one_zone("")) as w:
            w.publish(zone(5))
            await w.settled()
            assert w.notifier.status(ZONE_ID) == ()
            w.configure(ALSO)
            await w.until_acknowledged(5)
            w.configure(ALSO)
            await w.settled()
            assert w.receiver.serials == [5]
            w.configure(one_zone("type native;").replace("type primary;", ""))
            await w.until(lambda: w.notifier.status(ZONE_ID) == ())
            assert w.entry.config.type is ZoneType.NATIVE

    asyncio.run(run())


def test_name_servers_are_found_in_our_zones_and_by_the_system(tmp_path: Path) -> None:
    async def run() -> None:
        hosts = {"ns3.example.net": ("127.0.0.1",)}
        async with world(tmp_path, one_zone(""), hosts=hosts) as w:
            config = config_of(w.folder, one_zone(""))
            config = replace(config, options=replace(config.options, port=w.receiver.port))
            w.notifier.configure(config, [], LocalAddresses())
            w.publish(zone(5, "@ NS ns2\nns2 A 127.0.0.3\n@ NS ns3.example.net.\n@ NS gone.example.net.\n"))
            port = w.receiver.port
            wanted = {f"127.0.0.1#{port}", f"127.0.0.3#{port}"}
            await w.until(lambda: {s.target for s in w.notifier.status(ZONE_ID)} == wanted)
            await w.until(lambda: 5 in {s.acknowledged for s in w.notifier.status(ZONE_ID)})
            assert w.receiver.serials == [5]

    asyncio.run(run())


def test_a_name_server_that_cannot_be_resolved_at_first_is_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bindpy.xfr.resolver.RETRY_S", (0.02,))

    async def run() -> None:
        hosts: dict[str, tuple[str, ...]] = {}
        text = one_zone("") + 'zone "example.org" { type primary; file "other.zone"; };\n'
        async with world(tmp_path, text, hosts=hosts) as w:
            config = config_of(w.folder, text)
            config = replace(config, options=replace(config.options, port=w.receiver.port))
            w.notifier.configure(config, [], LocalAddresses())
            w.publish(zone(5, "@ NS ns.example.net.\n@ NS ns.example.org.\n"))
            await w.settled()
            assert w.notifier.status(ZONE_ID) == ()
            hosts["ns.example.net"] = ("127.0.0.1",)
            await w.until_acknowledged(5)
            other = w.table.get(("_default", names.from_text("example.org.")))
            assert other is not None
            other.zone = zone_from_text("example.org.", "@ SOA ns host 1 2 3 4 5\nns A 127.0.0.3\n")
            await w.until(lambda: len(w.notifier.status(ZONE_ID)) == 2)
            assert w.receiver.serials == [5]

    asyncio.run(run())


def test_a_name_is_not_looked_up_while_a_zone_that_has_it_may_still_come(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        text = one_zone("") + 'zone "example.org" { type primary; file "other.zone"; };\n'
        hosts = {"ns.example.net": ("127.0.0.4",)}
        async with world(tmp_path, text, hosts=hosts, all_loaded=False) as w:
            config = config_of(w.folder, text)
            config = replace(config, options=replace(config.options, port=w.receiver.port))
            w.notifier.configure(config, [], LocalAddresses())
            w.publish(zone(5, "@ NS ns.example.org.\n@ NS ns.example.net.\n"))
            await w.settled()
            assert w.notifier.status(ZONE_ID) == ()
            other = w.table.get(("_default", names.from_text("example.org.")))
            assert other is not None
            other.zone = zone_from_text("example.org.", "@ SOA ns host 1 2 3 4 5\nns A 127.0.0.1\n")
            w.notifier.zone_changed(other, None, other.zone)
            w.notifier.all_loaded()
            await w.until(lambda: len(w.notifier.status(ZONE_ID)) == 2)
            await w.until(lambda: w.receiver.serials == [5])

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert caplog.text == ""


def test_an_soa_that_udp_cannot_carry_stays_at_home() -> None:
    long = ".".join(["x" * 60] * 3) + ".example."
    big = zone_from_text(long, "@ SOA ns host 5 2 3 4 5\n@ NS ns\n")
    message = notify_message(big)
    assert len(message) <= 512
    assert read_message(message).question is not None
    assert read_message(message).answer == []
    assert len(read_message(notify_message(zone(5))).answer) == 1


# --- by hand ------------------------------------------------------------------------------------------


def test_by_hand_also_those_are_told_who_know(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, one_zone("also-notify { 127.0.0.1 port PORT; };")) as w:
            assert not w.notifier.notify(ZONE_ID), "there is nothing to tell of"
            w.publish(zone(5))
            await w.until_acknowledged(5)
            assert w.notifier.notify(ZONE_ID)
            await w.until(lambda: w.receiver.serials == [5, 5])
            assert not w.notifier.notify(("_default", names.from_text("other.example.")))

    asyncio.run(run())


def test_any_server_can_be_told(tmp_path: Path) -> None:
    hosts = {"both": ("127.0.0.1", "127.0.0.2"), "nobody": ()}

    async def run() -> None:
        async with world(tmp_path, one_zone(""), hosts=hosts) as w:
            w.publish(zone(5))
            port = w.receiver.port

            async def tell(host: str, key: str = "", to: int = port) -> list[str]:
                return await w.notifier.notify_host(ZONE_ID, RemoteServer(host, to, key))

            assert await tell("127.0.0.1") == [f"127.0.0.1#{port}"]
            assert f"127.0.0.1#{port}" in await tell("both"), "one address is enough"
            w.receiver.answer = signing
            assert await tell("127.0.0.1", "k1.") == [f"127.0.0.1#{port} key k1."]
            w.receiver.answer = refusing(5)
            for host, key, why in (
                ("127.0.0.1", "", f"127.0.0.1#{port}: REFUSED: "),
                ("127.0.0.1", "k2.", "there is no 'key' statement for \"k2.\""),
                ("nobody", "", "nobody cannot be resolved: it has no address"),
                ("else", "", "else cannot be resolved: "),
            ):
                with pytest.raises(NotNotifiedError, match=re.escape(why)):
                    await tell(host, key)
            with pytest.raises(NotNotifiedError, match="no server there"):
                await tell("127.0.0.1", to=free_port())
            with pytest.raises(NotNotifiedError, match="the zone is gone"):
                await w.notifier.notify_host(("_default", b"\0"), RemoteServer("127.0.0.1", port))

    asyncio.run(run())
