"""NOTIFY in: who may, what is said to the others (as BIND 9.18 does), and what it leads to."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import pytest

from bindpy.answer.policy import Transport
from bindpy.config.acl import LocalAddresses
from bindpy.policy import answer_policy
from bindpy.reload.table import ZoneEntry, ZoneId, ZoneTable
from bindpy.server.endpoint import Endpoint
from bindpy.server.querylog import read_question
from bindpy.server.request import CheckedRequest
from bindpy.xfr.autoprimary import AutoprimaryZones
from bindpy.xfr.notify_in import NotifyIn
from bindpy.xfr.provision import ProvisionRequest
from bindpy.xfr.refresh import NotifyVerdict
from bindpy.zone import names
from tests.support.engines import make_engine
from tests.unit.server.test_control_plane import configuration

pytestmark = pytest.mark.usefixtures("engine")

CONF = """
key "k" { algorithm hmac-sha256; secret "c2VjcmV0"; };
zone "primary.test" { type primary; file "p"; };
zone "native.test" { type native; file "n"; };
zone "secondary.test" {
    type secondary; file "s"; primaries { 192.0.2.1 port 5300; 192.0.2.2 key "k"; };
    allow-notify { 192.0.2.3; key "k"; };
};
"""


class FakeSecondaries:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[ZoneId, str, int | None]] = []
        self.verdict = NotifyVerdict.CHECK

    def notified(self, zone_id: ZoneId, source: str, serial: int | None) -> NotifyVerdict | None:
        self.told.append((zone_id, source, serial))
        return self.verdict


class World:
    def __init__(self, folder: Path, conf: str = CONF) -> None:
        config = configuration(folder, conf)
        answerer = make_engine().answerer
        answerer.configure(answer_policy(config, LocalAddresses()))
        table = ZoneTable()
        for zone in config.zones():
            table.add(ZoneEntry(zone))
        self.secondaries = FakeSecondaries()
        autoprimaries = AutoprimaryZones(table, self.provision, lambda *_: None)
        autoprimaries.configure(config)
        self.notify_in = NotifyIn(answerer, table, self.secondaries, autoprimaries)  # type: ignore[arg-type]
        self.notify_in.configure(config, LocalAddresses())

    async def provision(self, request: ProvisionRequest) -> ZoneId:
        raise AssertionError(f"nobody may have {request} added")

    def send(self, packet: bytes, client: str, key: str | None = None) -> dns.message.Message:
        request = CheckedRequest(packet, Endpoint(client, 4321), "192.0.2.9", Transport.UDP, key)
        question = read_question(packet)
        assert question is not None
        reply = asyncio.run(self.notify_in(request, question))
        assert isinstance(reply, bytes)
        return dns.message.from_wire(reply)

    def notify(
        self,
        zone: str = "secondary.test.",
        client: str = "192.0.2.1",
        *,
        key: str | None = None,
        serial: int | None = 7,
        rtype: str = "SOA",
        rdclass: str = "IN",
        edns: bool = False,
    ) -> str:
        """Return the answer in words: its rcode, and its flags and EDNS."""
        message = dns.message.make_query(zone, rtype, rdclass, use_edns=0 if edns else None)
        message.flags = dns.flags.AA
        message.set_opcode(dns.opcode.NOTIFY)
        if serial is not None:
            message.answer.append(dns.rrset.from_text(zone, 0, "IN", "SOA", f"n. h. {serial} 1 1 1 1"))
        reply = self.send(message.to_wire(), client, key)
        assert reply.id == message.id
        assert reply.opcode() == dns.opcode.NOTIFY
        assert reply.question == message.question
        words = [dns.rcode.to_text(reply.rcode()), *dns.flags.to_text(reply.flags).split()]
        return " ".join(words + ["EDNS"] * (reply.edns >= 0))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("client", ["192.0.2.1", "192.0.2.2", "192.0.2.3", "::ffff:192.0.2.1"])
def test_primaries_and_allow_notify_are_followed(world: World, client: str) -> None:
    assert world.notify(client=client) == "NOERROR QR AA"
    assert world.secondaries.told == [(("_default", names.from_text("secondary.test.")), client, 7)]


def test_a_key_of_allow_notify_passes_from_anywhere(world: World) -> None:
    assert world.notify(client="203.0.113.5", key="k.") == "NOERROR QR AA"
    assert world.notify(client="203.0.113.5", key="other.") == "REFUSED QR"
    assert len(world.secondaries.told) == 1


def test_the_serial_is_a_hint_that_may_be_missing(world: World) -> None:
    world.notify(serial=None)
    assert world.secondaries.told[0][2] is None


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"client": "203.0.113.5"}, "REFUSED QR"),
        ({"zone": "primary.test."}, "NOERROR QR AA"),
        ({"zone": "native.test."}, "REFUSED QR"),
        ({"zone": "unknown.test."}, "NOTAUTH QR"),
        ({"zone": "below.secondary.test."}, "NOTAUTH QR"),
        ({"rtype": "A", "serial": None}, "FORMERR QR"),
        ({"rtype": "A", "serial": None, "zone": "unknown.test."}, "FORMERR QR"),
        ({"rdclass": "CH", "serial": None}, "NOTAUTH QR"),
    ],
)
def test_nothing_comes_of_others(world: World, changes: dict[str, str], answer: str) -> None:
    assert world.notify(**changes) == answer  # type: ignore[arg-type]
    assert world.secondaries.told == []


def test_edns_is_answered_with_edns(world: World) -> None:
    assert world.notify(edns=True) == "NOERROR QR AA EDNS"
    assert world.notify(edns=True, zone="unknown.test.") == "NOTAUTH QR EDNS"


def test_a_malformed_notify_is_told_so(world: World) -> None:
    message = dns.message.make_query("secondary.test.", "SOA", use_edns=None)
    message.set_opcode(dns.opcode.NOTIFY)
    packet = bytearray(message.to_wire())
    packet[7] = 1  # an answer that is not there
    assert world.send(bytes(packet), "192.0.2.1").rcode() == dns.rcode.FORMERR
    assert world.secondaries.told == []


def test_a_refusal_says_what_would_allow_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        world.notify(client="203.0.113.5")
        world.notify(client="203.0.113.5", key="other.")
        world.notify(zone="native.test.")
    assert [record.getMessage() for record in caplog.records] == [
        "client 203.0.113.5#4321: refused notify for zone 'secondary.test': not from one of the zone's "
        "primaries; allow-notify { 203.0.113.5; } would allow it",
        "client 203.0.113.5#4321: refused notify for zone 'secondary.test': TSIG 'other': not from one of "
        "the zone's primaries; allow-notify { key other.; } would allow it",
        "client 192.0.2.1#4321: refused notify for zone 'native.test': the zone is native: it changes by its "
        "file only",
    ]


@pytest.mark.parametrize(
    ("verdict", "serial", "end"),
    [
        (NotifyVerdict.CHECK, 7, "serial 7"),
        (NotifyVerdict.CHECK, None, "no serial"),
        (NotifyVerdict.UP_TO_DATE, 7, "zone is up to date (serial 7)"),
        (NotifyVerdict.LATER, 7, "refresh in progress, refresh check queued (serial 7)"),
    ],
)
def test_the_log_speaks_as_bind_does(
    world: World, verdict: NotifyVerdict, serial: int | None, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.secondaries.verdict = verdict
    with caplog.at_level(logging.INFO):
        world.notify(serial=serial)
    assert caplog.messages == [f"zone secondary.test/IN: notify from 192.0.2.1#4321: {end}"]


def test_a_flood_of_refusals_does_not_fill_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(100):
        world.notify(client="203.0.113.5")
    assert len(caplog.records) <= 12


def test_a_client_that_is_in_no_view_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    conf = f"view inside {{ match-clients {{ 10.0.0.0/8; }}; {CONF} }};"
    assert World(tmp_path, conf).notify() == "REFUSED QR"
    assert "no view's match-clients matches this client" in caplog.text
