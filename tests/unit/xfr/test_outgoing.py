"""Who gets a transfer, in which form, and how many at a time."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from ipaddress import ip_network
from pathlib import Path

import dns.edns
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest

from bindpy.answer.policy import AnswerPolicy, Transport, ViewPolicy
from bindpy.answer.query import Query, read_query
from bindpy.config.acl import LocalAddresses
from bindpy.config.model import (
    MATCH_ANY,
    AddressMatchList,
    JournalSettings,
    MatchKey,
    MatchNetwork,
    TransferSettings,
    TransferWay,
    ZoneConfig,
    ZoneSettings,
    ZoneType,
)
from bindpy.diagnostics import SourceSpan
from bindpy.reload.table import ZoneEntry, ZoneTable
from bindpy.server.endpoint import Endpoint
from bindpy.server.request import BrokenStreamError, CheckedRequest, Reply, Stream
from bindpy.xfr.outgoing import TransferLimits, TransfersOut
from bindpy.zone import names
from bindpy.zone.diff import Delta
from bindpy.zone.names import Key
from bindpy.zone.protocol import Zone
from bindpy.zone.records import IN
from bindpy.zone.snapshot import SnapshotBuilder
from tests.support.engines import make_engine, make_zone, zone_of
from tests.support.floods import Flood
from tests.unit.server.test_control_plane import configuration

pytestmark = pytest.mark.usefixtures("engine")

CLIENT = Endpoint("192.0.2.9", 4321)
SPAN = SourceSpan("named.conf")


def zone(serial: int = 3, hosts: int = 20) -> Zone:
    lines = "".join(f"h{number} A 192.0.2.{number}\n" for number in range(hosts + serial))
    return make_zone("example.com.", f"@ SOA ns h {serial} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n{lines}")


class Versions:
    """A journal made of whole versions of one zone."""

    def __init__(self, *versions: Zone) -> None:
        self.versions = {version.serial: version for version in versions}

    async def chain(self, view: str, key: Key, from_serial: int, to_serial: int) -> list[Delta] | None:
        assert (view, key) == ("_default", names.from_text("example.com."))
        if from_serial not in self.versions:
            return None
        zones = make_engine().zones
        serials = [serial for serial in self.versions if from_serial <= serial <= to_serial]
        return [zones.diff(self.versions[a], self.versions[b]) for a, b in itertools.pairwise(serials)]


class World:
    """Transfers out of one zone, ``example.com``."""

    def __init__(
        self,
        served: Zone | None = None,
        *,
        allow: AddressMatchList = MATCH_ANY,
        way: TransferWay | None = None,
        transfer: TransferSettings | None = None,
        journal: Versions | None = None,
        journal_settings: JournalSettings | None = None,
        views: tuple[ViewPolicy, ...] = (ViewPolicy("_default"),),
    ) -> None:
        settings = ZoneSettings(
            allow_transfer=allow,
            transfer_way=way or TransferWay(),
            transfer=transfer or TransferSettings(),
            journal=journal_settings or JournalSettings(),
        )
        origin = names.from_text("example.com.")
        config = ZoneConfig(origin, IN, "_default", ZoneType.PRIMARY, None, (), settings, SPAN)
        self.table = ZoneTable()
        self.entry = ZoneEntry(config, zone=served)
        self.table.add(self.entry)
        self.now = 0.0
        engine = make_engine()
        engine.answerer.configure(AnswerPolicy(views))
        self.out = TransfersOut(
            engine.answerer, self.table, journal, zones=engine.zones, clock=lambda: self.now
        )

    def configure(self, folder: Path, text: str) -> None:
        """Take over what *text*, a named.conf, says of transfers out."""
        self.out.configure(configuration(folder, text), LocalAddresses())

    def request(
        self,
        name: str = "example.com",
        qtype: str = "AXFR",
        *,
        tcp: bool = True,
        serial: int | None = None,
        edns: int | bool = 0,
        payload: int = 1232,
        key: str | None = None,
        client: Endpoint = CLIENT,
        rdclass: str = "IN",
    ) -> Awaitable[Reply]:
        message = dns.message.make_query(name, qtype, rdclass, use_edns=edns, payload=payload)
        if serial is not None:
            text = f". . {serial} 0 0 0 0"
            message.authority.append(dns.rrset.from_text(dns.name.from_text(name), 0, rdclass, "SOA", text))
        wire = message.to_wire()
        query = read_query(wire, wire[2] << 8 | wire[3])
        assert isinstance(query, Query)
        transport = Transport.TCP if tcp else Transport.UDP
        return self.out(
            CheckedRequest(wire, client, "192.0.2.1", transport, key, 100 if key else 0, 5300), query
        )


async def messages_of(reply: Reply) -> list[dns.message.Message]:
    if isinstance(reply, bytes):
        return [dns.message.from_wire(reply, one_rr_per_rrset=True)]
    assert isinstance(reply, Stream)
    async with aclosing(reply.messages):
        return [dns.message.from_wire(one, one_rr_per_rrset=True) async for one in reply.messages]


def ask(
    world: World, name: str = "example.com", qtype: str = "AXFR", **how: object
) -> list[dns.message.Message]:
    request: Callable[..., Awaitable[Reply]] = world.request

    async def run() -> list[dns.message.Message]:
        return await messages_of(await request(name, qtype, **how))

    return asyncio.run(run())


def serials(answers: list[dns.message.Message]) -> list[int]:
    """Return the serials of the SOA records, in order."""
    records = [rrset for answer in answers for rrset in answer.answer]
    return [rrset[0].serial for rrset in records if rrset.rdtype == dns.rdatatype.SOA]


def record_count(answers: list[dns.message.Message]) -> int:
    return sum(len(answer.answer) for answer in answers)


def refusal(answers: list[dns.message.Message]) -> tuple[str, list[int]]:
    """Return the RCODE and the Extended DNS Errors of an answer of one message without records."""
    (answer,) = answers
    assert not answer.answer
    edes = [int(option.code) for option in answer.options if option.otype == dns.edns.OptionType.EDE]
    return dns.rcode.to_text(answer.rcode()), edes


# --- AXFR ------------------------------------------------------------------------------------------------


def test_axfr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(zone())
    answers = ask(world)
    assert serials(answers) == [3, 3]
    assert record_count(answers) == zone().rr_count + 1
    started, ended = [record.getMessage() for record in caplog.records]
    head = "client 192.0.2.9#4321 (example.com): transfer of 'example.com/IN': "
    assert started == head + "AXFR started (serial 3)"
    assert ended.startswith(head + "AXFR ended: 1 messages, 27 records, ")
    assert {record.name for record in caplog.records} == {"bindpy.xfer-out"}
    assert world.out.running == 0


def test_the_version_at_the_start_is_sent_whatever_is_published_meanwhile() -> None:
    world = World(zone(1, hosts=200), transfer=TransferSettings(format="one-answer"))

    async def run() -> None:
        reply = await world.request()
        assert isinstance(reply, Stream)
        got = []
        async for one in reply.messages:
            got.append(dns.message.from_wire(one))
            world.entry.zone = zone(2, hosts=1)
        assert serials(got) == [1, 1]
        assert record_count(got) == zone(1, hosts=200).rr_count + 1

    asyncio.run(run())


def test_transfer_format_of_the_zone_and_of_the_server(tmp_path: Path) -> None:
    world = World(zone(), transfer=TransferSettings(format="one-answer"))
    assert len(ask(world)) == zone().rr_count + 1
    world.configure(tmp_path, "server 192.0.2.9 { transfer-format many-answers; };")
    assert len(ask(world)) == 1
    assert len(ask(world, client=Endpoint("192.0.2.10", 1))) > 1


def test_messages_leave_room_for_a_signature() -> None:
    builder = SnapshotBuilder(names.from_text("example.com."))
    for rr in zone().rrs():
        builder.add(*rr)
    builder.add(names.from_text("big.example.com."), 65280, 1, bytes(65535 - 100 - 29 - 6 - 10))
    world = World(zone_of(make_engine(), builder.finish()))
    answers = ask(world, key="k.", edns=False)
    assert record_count(answers) == zone().rr_count + 2


# --- who gets none ---------------------------------------------------------------------------------------


def test_denied_by_default_with_a_line_that_says_what_would_allow_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(zone(), allow=ZoneSettings().allow_transfer)
    assert refusal(ask(world)) == ("REFUSED", [18])
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("bindpy.security", logging.ERROR)
    assert record.getMessage() == (
        "client 192.0.2.9#4321 (example.com): zone transfer 'example.com/AXFR/IN' denied: allow-transfer is "
        "'none', the default; allow-transfer { 192.0.2.9; } would allow it"
    )
    assert refusal(ask(world, edns=False)) == ("REFUSED", [])
    assert refusal(ask(world, qtype="IXFR", serial=1)) == ("REFUSED", [18])


@pytest.mark.parametrize(
    ("client", "key", "allowed"),
    [
        ("192.0.2.9", None, True),
        ("192.0.2.10", None, False),
        ("192.0.2.10", "k.", True),
        ("192.0.2.10", "other.", False),
        ("::ffff:192.0.2.9", None, True),
    ],
)
def test_allowed_by_address_or_by_key_from_any_address(client: str, key: str | None, allowed: bool) -> None:
    allow: AddressMatchList = (MatchNetwork(ip_network("192.0.2.9/32")), MatchKey("k."))
    answers = ask(World(zone(), allow=allow), client=Endpoint(client, 1), key=key)
    assert (record_count(answers) > 0) == allowed


@pytest.mark.parametrize(
    ("way", "by_tcp", "by_udp", "why"),
    [
        (TransferWay(5300), True, True, ""),
        (TransferWay(5300, tcp_only=True), True, False, "has 'transport tcp'; this request came by UDP"),
        (TransferWay(853), False, False, "has 'port 853'; this request came to port 5300"),
    ],
)
def test_allow_transfer_for_one_port_and_transport(
    way: TransferWay, by_tcp: bool, by_udp: bool, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(zone(), way=way)
    for tcp, allowed in ((True, by_tcp), (False, by_udp)):
        (answer,) = ask(world, qtype="IXFR", serial=zone().serial, tcp=tcp)
        assert (dns.rcode.to_text(answer.rcode()) == "NOERROR") == allowed
    assert why in caplog.text


def test_a_denied_key_is_named(caplog: pytest.LogCaptureFixture) -> None:
    ask(World(zone(), allow=(MatchKey("k."),)), key="other.")
    assert "does not match 192.0.2.9 signed with 'other'; " in caplog.text
    assert "allow-transfer { key other; } would allow it" in caplog.text


@pytest.mark.parametrize("name", ["www.example.com", "com", "elsewhere.test", "."])
def test_only_the_apex_of_a_zone_of_ours_can_be_transferred(name: str) -> None:
    assert refusal(ask(World(zone()), name)) == ("NOTAUTH", [20])


def test_another_class_is_not_ours() -> None:
    assert refusal(ask(World(zone()), rdclass="CH")) == ("NOTAUTH", [20])


def test_a_zone_without_data_is_servfail() -> None:
    assert refusal(ask(World(None))) == ("SERVFAIL", [14])
    world = World(zone())
    world.entry.expired = True
    assert refusal(ask(world)) == ("SERVFAIL", [24])


def test_who_has_no_view_is_refused() -> None:
    views = (ViewPolicy("_default", match_clients=(MatchKey("k."),)),)
    assert refusal(ask(World(zone(), views=views))) == ("REFUSED", [18])
    assert record_count(ask(World(zone(), views=views), key="k.")) > 0


def test_axfr_over_udp_is_formerr() -> None:
    assert refusal(ask(World(zone()), tcp=False)) == ("FORMERR", [])


def test_unknown_edns_version() -> None:
    assert refusal(ask(World(zone()), edns=1)) == ("BADVERS", [])


def test_a_flood_of_denials_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    world = World(zone(), allow=())
    flood = Flood()
    for _ in range(200):
        ask(world)
    assert 0 < len(caplog.records) <= flood.lines_at_most()


# --- IXFR ------------------------------------------------------------------------------------------------


def test_without_a_journal_an_ixfr_is_answered_like_an_axfr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answers = ask(World(zone()), qtype="IXFR", serial=1)
    assert serials(answers) == [3, 3]
    assert record_count(answers) == zone().rr_count + 1
    assert "AXFR-style IXFR started (serial 3)" in caplog.text


@pytest.mark.parametrize("serial", [3, 4, 2**31 + 2])
@pytest.mark.parametrize("tcp", [True, False])
def test_a_current_client_gets_the_soa_alone(serial: int, tcp: bool) -> None:
    """RFC 1995 section 4; also where the client is ahead, or in no order with us (RFC 1982)."""
    answers = ask(World(zone(), journal=Versions(zone(1), zone(3))), qtype="IXFR", serial=serial, tcp=tcp)
    assert serials(answers) == [3]
    assert record_count(answers) == 1


@pytest.mark.parametrize("tcp", [True, False])
def test_deltas_are_sent_in_order(tcp: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(zone(), journal=Versions(zone(1), zone(2), zone(3)))
    answers = ask(world, qtype="IXFR", serial=1, tcp=tcp)
    assert serials(answers) == [3, 1, 2, 2, 3, 3]
    assert record_count(answers) == 8
    assert ("IXFR started (serial 1 -> 3)" in caplog.text) == tcp


def test_deltas_that_fit_no_datagram_mean_tcp() -> None:
    """RFC 1995 section 2: the SOA alone tells the client to come by TCP."""
    world = World(zone(40), journal=Versions(zone(1), zone(40)))
    for payload, fits in ((1232, True), (512, False)):
        answers = ask(world, qtype="IXFR", serial=1, tcp=False, payload=payload)
        assert serials(answers) == ([40, 1, 40, 40] if fits else [40])
    signed = ask(world, qtype="IXFR", serial=1, tcp=False, payload=1100, key="k.")
    assert len(signed[0].to_wire()) <= 1000 or serials(signed) == [40]


def test_a_serial_of_long_ago_gets_everything() -> None:
    world = World(zone(), journal=Versions(zone(2), zone(3)))
    assert record_count(ask(world, qtype="IXFR", serial=1)) == zone().rr_count + 1
    assert serials(ask(world, qtype="IXFR", serial=1, tcp=False)) == [3]


def test_a_journal_that_leads_elsewhere_is_not_used() -> None:
    other = make_zone("example.com.", "@ SOA other h 3 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
    world = World(zone(), journal=Versions(zone(1), other))
    assert record_count(ask(world, qtype="IXFR", serial=1)) == zone().rr_count + 1


def test_provide_ixfr_of_the_zone_and_of_the_server(tmp_path: Path) -> None:
    journal = Versions(zone(2), zone(3))
    world = World(zone(), journal=journal, transfer=TransferSettings(provide_ixfr=False))
    assert serials(ask(world, qtype="IXFR", serial=2)) == [3, 3]
    world.configure(tmp_path, "server 192.0.2.9 { provide-ixfr yes; };")
    assert serials(ask(world, qtype="IXFR", serial=2)) == [3, 2, 3, 3]
    world = World(zone(), journal=journal)
    world.configure(tmp_path, "server 192.0.2.9 { provide-ixfr no; };")
    assert serials(ask(world, qtype="IXFR", serial=2)) == [3, 3]


@pytest.mark.parametrize(("percent", "incremental"), [(None, True), (100, False), (1, False)])
def test_max_ixfr_ratio(percent: int | None, incremental: bool) -> None:
    world = World(
        zone(40, hosts=0),
        journal=Versions(zone(1, hosts=0), zone(40, hosts=0)),
        journal_settings=JournalSettings(max_ratio_percent=percent),
    )
    # 42 records of 42 change place if percent is 100: both SOAs and 39 more are 41 of 42.
    answers = ask(world, qtype="IXFR", serial=1)
    assert (serials(answers)[1] == 1) == (incremental or percent == 100)


@pytest.mark.parametrize("missing", ["no SOA", "another owner"])
def test_an_ixfr_request_without_the_client_s_soa_is_formerr(missing: str) -> None:
    world = World(zone())
    message = dns.message.make_query("example.com", "IXFR", use_edns=False)
    if missing == "another owner":
        message.authority.append(dns.rrset.from_text("elsewhere.test.", 0, "IN", "SOA", ". . 1 0 0 0 0"))
    wire = message.to_wire()
    query = read_query(wire, wire[2] << 8 | wire[3])
    assert isinstance(query, Query)
    request = CheckedRequest(wire, CLIENT, "192.0.2.1", Transport.TCP)
    reply = asyncio.run(_awaited(world.out(request, query)))
    assert isinstance(reply, bytes)
    assert reply[3] & 15 == dns.rcode.FORMERR


async def _awaited(reply: Awaitable[Reply]) -> Reply:
    return await reply


# --- limits ----------------------------------------------------------------------------------------------


async def start(world: World, client: str) -> Stream | None:
    """Start a transfer and read its first message; None when it was refused."""
    reply = await world.request(client=Endpoint(client, 1))
    if isinstance(reply, bytes):
        assert reply[3] & 15 == dns.rcode.REFUSED
        return None
    assert isinstance(reply, Stream)
    await anext(reply.messages)
    return reply


def test_transfers_out_and_the_place_that_one_client_leaves_for_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(zone())
    world.configure(tmp_path, "options { transfers-out 3; };")

    async def run() -> None:
        running = [await start(world, "192.0.2.1"), await start(world, "192.0.2.1")]
        assert all(running)
        assert await start(world, "192.0.2.1") is None
        assert "quota reached (of this client: 2)" in caplog.text
        running.append(await start(world, "192.0.2.2"))
        assert running[-1] is not None
        assert await start(world, "192.0.2.3") is None
        assert "AXFR request denied: quota reached (transfers-out: 3)" in caplog.text
        for stream in running:
            assert stream is not None
            await stream.messages.aclose()
        assert world.out.running == 0
        assert await start(world, "192.0.2.1") is not None

    asyncio.run(run())


def test_polls_take_no_place(tmp_path: Path) -> None:
    world = World(zone())
    world.configure(tmp_path, "options { transfers-out 1; };")

    async def run() -> None:
        assert await start(world, "192.0.2.1") is not None
        assert serials(await messages_of(await world.request(qtype="IXFR", serial=3))) == [3]

    asyncio.run(run())


def test_an_abandoned_transfer_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(zone(), transfer=TransferSettings(format="one-answer", max_time_out_s=60))

    async def run(seconds: float) -> None:
        stream = await start(world, "192.0.2.1")
        assert stream is not None
        assert (stream.time_s, stream.idle_s) == (60, TransferSettings().max_idle_out_s)
        world.now += seconds
        await stream.messages.aclose()

    asyncio.run(run(5))
    assert "AXFR aborted: the client closed the connection or did not read: 1 messages, 1 rec" in caplog.text
    asyncio.run(run(60))
    assert "AXFR aborted: max-transfer-time-out has passed: 1 messages" in caplog.text
    assert "AXFR ended" not in caplog.text


def test_a_record_that_fits_no_message_breaks_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    builder = SnapshotBuilder(names.from_text("example.com."))
    for rr in zone().rrs():
        builder.add(*rr)
    builder.add(names.from_text("big.example.com."), 65280, 1, bytes(65535))
    world = World(zone_of(make_engine(), builder.finish()))
    with pytest.raises(BrokenStreamError):
        ask(world)
    assert "aborted: the record 'big.example.com.' of type 65280" in caplog.text
    assert world.out.running == 0


def test_limits_come_from_the_options(tmp_path: Path) -> None:
    config = configuration(
        tmp_path,
        "options { transfers-out 7; transfer-message-size 1000; edns-udp-size 1400; max-udp-size 1300; };",
    )
    limits = TransferLimits.from_options(config.options)
    assert limits == TransferLimits(7, 1000, 1400, 1300)
    assert limits.per_client == 6
    assert TransferLimits(transfers_out=1).per_client == 1


def test_transfer_message_size(tmp_path: Path) -> None:
    world = World(zone(hosts=200))
    assert len(ask(world)) == 1
    world.configure(tmp_path, "options { transfer-message-size 600; };")
    answers = ask(world)
    assert len(answers) > 5
    assert record_count(answers) == zone(hosts=200).rr_count + 1
