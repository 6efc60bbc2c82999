"""NOTIFYs for zones that we do not have: what autoprimaries bring, and what nobody can make us do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import dns.tsigkeyring
import pytest

from bindpy.answer.policy import Outcome, Transport
from bindpy.config.acl import LocalAddresses
from bindpy.config.load import load_config
from bindpy.config.model import Config, ProvisionedBy
from bindpy.policy import answer_policy
from bindpy.reload.table import ZoneEntry, ZoneId, ZoneTable
from bindpy.server.endpoint import Endpoint
from bindpy.server.querylog import read_question
from bindpy.server.request import CheckedRequest
from bindpy.xfr import autoprimary_queue
from bindpy.xfr.autoprimary import AutoprimaryZones
from bindpy.xfr.client import DEFAULT_TIMING, QueryTiming
from bindpy.xfr.notify_in import NotifyIn
from bindpy.xfr.provision import ProvisionError, ProvisionRequest
from bindpy.zone.names import from_text, to_text
from tests.faults.primary import Action, FaultyPrimary
from tests.support.engines import make_engine
from tests.support.zones import zone_from_text

pytestmark = pytest.mark.usefixtures("engine")

SECRET = "c2VjcmV0"
KEYS = "".join(f'key "{name}" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n' for name in ("k", "l"))
KEYRING = dns.tsigkeyring.from_text({"k": SECRET, "l": SECRET})
HERE = "127.0.0.1"
US = "ns2.example."
QUICK = QueryTiming(udp_s=0.1, udp_attempts=1, connect_s=0.5, tcp_s=0.2)
"""For a server that does not answer; one that does has more time, as what is not answered is asked again."""


class Provider(FaultyPrimary):
    """Has every zone, with *nameservers*; ``asked`` is what it was asked for, and with which key."""

    def __init__(self, *nameservers: str) -> None:
        super().__init__(self._answer)
        self.nameservers = nameservers or ("ns1.example.", US)
        self.asked: list[tuple[str, str, str]] = []
        self.rcode: int = dns.rcode.NOERROR
        self.flags = dns.flags.AA
        self.without: set[str] = set()
        self.silent = False
        self.signs = True

    def _answer(self, packet: bytes, over_tcp: bool) -> Iterable[Action]:
        query = dns.message.from_wire(packet, keyring=KEYRING)
        question = query.question[0]
        qtype = dns.rdatatype.to_text(question.rdtype)
        key = query.keyname.to_text() if query.keyname is not None else ""
        self.asked.append((question.name.to_text(), qtype, key))
        if self.silent:
            return []
        if not self.signs:
            query = dns.message.make_query(question.name, question.rdtype, id=query.id)
        reply = dns.message.make_response(query)
        reply.flags |= self.flags
        reply.set_rcode(self.rcode)
        records = {"SOA": ["n. h. 7 1 1 1 1"], "NS": self.nameservers}[qtype]
        if not self.rcode and qtype not in self.without:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", qtype, *records))
        return [reply.to_wire()]

    def entry(self, nameserver: str = US, more: str = "") -> str:
        return f'{HERE} port {self.remote.port} {more} nameserver "{nameserver}" account "them";'


class World:
    """Everything between a NOTIFY and the request that a zone be added."""

    def __init__(
        self,
        folder: Path,
        conf: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        timing: QueryTiming = DEFAULT_TIMING,
    ) -> None:
        self.folder = folder
        self.requests: list[ProvisionRequest] = []
        self.told: list[tuple[str, str]] = []
        self.trouble = ""
        self.table = ZoneTable()
        self.autoprimaries = AutoprimaryZones(
            self.table, self.provision, self.added_one, clock=clock, timing=timing
        )
        config = self.read(conf)
        self.answerer = make_engine().answerer
        self.answerer.configure(answer_policy(config, LocalAddresses()))
        self.notify_in = NotifyIn(self.answerer, self.table, None, self.autoprimaries)  # type: ignore[arg-type]
        for zone in config.zones():
            self.table.add(ZoneEntry(zone))
        self.autoprimaries.configure(config)

    def read(self, conf: str) -> Config:
        path = self.folder / "named.conf"
        path.write_text(conf)
        result = load_config(str(path))
        assert result.config is not None, result.diagnostics
        return result.config

    async def provision(self, request: ProvisionRequest) -> ZoneId:
        await asyncio.sleep(0)
        if self.trouble:
            raise ProvisionError(self.trouble)
        conf = self.folder / "zone.conf"
        conf.write_text(KEYS + request.statement_text)
        config = load_config(str(conf)).config
        assert config is not None
        entry = ZoneEntry(config.zones()[0])
        assert self.autoprimaries.is_adding((request.view, request.origin))
        self.table.add(entry)
        self.requests.append(request)
        return entry.id

    async def notify(
        self, zone: str = "new.test.", client: str = HERE, key: str | None = None, rdclass: str = "IN"
    ) -> str:
        """Return the rcode that a NOTIFY gets, "" for no answer."""
        message = dns.message.make_query(zone, "SOA", rdclass, use_edns=None)
        message.flags = dns.flags.AA
        message.set_opcode(dns.opcode.NOTIFY)
        packet = message.to_wire()
        question = read_question(packet)
        assert question is not None
        request = CheckedRequest(packet, Endpoint(client, 4321), "127.0.0.9", Transport.UDP, key)
        reply = await self.notify_in(request, question)
        if isinstance(reply, Outcome):
            assert reply is Outcome.DROP
            return ""
        return dns.rcode.to_text(dns.message.from_wire(reply).rcode())

    def added_one(self, zone_id: ZoneId, source: str) -> None:
        assert not self.autoprimaries.is_adding(zone_id)
        self.told.append((to_text(zone_id[1]), source))

    def added(self) -> list[str]:
        return [to_text(request.origin) for request in self.requests]


@asynccontextmanager
async def running(world: World) -> AsyncIterator[None]:
    task = asyncio.create_task(world.autoprimaries.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        left = [one.get_name() for one in asyncio.all_tasks() if "autoprimary" in one.get_name()]
        assert left == []


def options(folder: Path, *entries: str, more: str = "") -> str:
    return (
        f'{KEYS}options {{ directory "{folder}"; autoprimaries {{ {" ".join(entries)} }};'
        f' autoprimary-directory "auto"; autoprimary-config "auto.conf"; {more} }};\n'
    )


async def until_logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    async with asyncio.timeout(10):
        while True:
            if text in caplog.text:
                return
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_a_zone_comes_to_be_and_the_log_tells_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            world = World(tmp_path, options(tmp_path, provider.entry()))
            async with running(world):
                assert await world.notify("New.Test.") == "NOERROR"
                await until_logged(caplog, "created new secondary zone")
            assert [asked[1:] for asked in provider.asked] == [("SOA", ""), ("NS", "")]
            (request,) = world.requests
            assert (request.origin, request.view) == (from_text("new.test."), "_default")
            assert world.told == [("new.test.", HERE)]
            assert request.config_file == str(tmp_path / "auto.conf")
            entry = world.table.get(("_default", from_text("new.test.")))
            assert entry is not None
            assert entry.config.file == str(tmp_path / "auto" / "new.test")
            assert (tmp_path / "auto").is_dir()
            assert entry.config.primaries == (provider.remote,)
            assert entry.config.provisioned_by == ProvisionedBy(HERE, "them")
        assert caplog.messages == [
            f"zone new.test/IN: received NOTIFY from {HERE}#4321 for which we are not authoritative, trying "
            "autoprimary",
            f"zone new.test/IN: created new secondary zone from autoprimary {HERE} (account 'them'): it has "
            f"serial 7 and ns2.example. among its NS records; the statement is in {tmp_path}/auto.conf",
        ]

    asyncio.run(steps())


def test_of_several_entries_of_an_address_the_one_that_fits_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Provider("NS3.example.") as provider:
            other = provider.entry("ns3.example").replace("them", "others")
            world = World(tmp_path, options(tmp_path, provider.entry(), other))
            async with running(world):
                await world.notify()
                await until_logged(caplog, "(account 'others')")
            assert len(provider.asked) == 2, "the same server is asked once"

    asyncio.run(steps())


@pytest.mark.parametrize("listed", ["k", ""])
def test_all_is_signed_with_the_key(tmp_path: Path, listed: str, caplog: pytest.LogCaptureFixture) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            entry = provider.entry(more=f'key "{listed}"' if listed else "")
            world = World(tmp_path, options(tmp_path, entry))
            async with running(world):
                assert await world.notify(key="k.") == "NOERROR"
                await until_logged(caplog, "created new secondary zone")
            assert [asked[2] for asked in provider.asked] == ["k.", "k."]
            (new,) = [entry.config for entry in world.table]
            assert [primary.key for primary in new.primaries] == ["k."]

    asyncio.run(steps())


@pytest.mark.parametrize(("key", "how"), [(None, "it is not signed"), ("l.", "it is signed with 'l'")])
def test_who_has_to_sign_and_does_not_is_refused(
    tmp_path: Path, key: str | None, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            world = World(tmp_path, options(tmp_path, provider.entry(more='key "k"')))
            async with running(world):
                assert await world.notify(key=key) == "REFUSED"
            assert provider.asked == []
            assert f"autoprimary {HERE} has to sign with 'k': {how}" in caplog.text

    asyncio.run(steps())


def test_an_answer_that_is_not_signed_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            provider.signs = False
            world = World(tmp_path, options(tmp_path, provider.entry(more="key k")), timing=QUICK)
            async with running(world):
                assert await world.notify(key="k.") == "NOERROR"
                await until_logged(caplog, "without a signature")
            assert world.requests == []

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"rcode": dns.rcode.REFUSED}, "answered REFUSED"),
        ({"flags": 0}, "answered without authority (AA): the zone is not configured there"),
        ({"without": {"SOA"}}, "answered with no SOA records"),
        (
            {"without": {"NS"}},
            "has no NS records for it, so that ns2.example. cannot be among them",
        ),
        (
            {"nameservers": ("other.example.",)},
            "does not have ns2.example. among its NS records (other.example.)",
        ),
        (
            {"nameservers": tuple(f"n{number}.example." for number in range(7))},
            "(n0.example., n1.example., n2.example., n3.example., n4.example. and 2 more)",
        ),
        ({"silent": True}, "did not answer by UDP"),
    ],
)
def test_a_condition_that_is_not_met_is_named(
    tmp_path: Path, fault: dict[str, object], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            for name, value in fault.items():
                setattr(provider, name, value)
            timing = QUICK if provider.silent else DEFAULT_TIMING
            world = World(tmp_path, options(tmp_path, provider.entry()), timing=timing)
            async with running(world):
                assert await world.notify() == "NOERROR"
                await until_logged(caplog, "zone new.test/IN: not created from autoprimary 127.0.0.1: ")
                asked = len(provider.asked)
                assert await world.notify() == "NOERROR"
                await asyncio.sleep(0)
                assert len(provider.asked) == asked, "it is not asked again so soon"
            assert why in caplog.messages[-1]
            assert world.requests == []
            assert asked <= 4

    asyncio.run(steps())


def test_strangers_are_told_what_they_were_told_before(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            world = World(tmp_path, options(tmp_path, provider.entry()))
            async with running(world):
                assert await world.notify(client="192.0.2.9") == "NOTAUTH"
                assert await world.notify(rdclass="CH") == "NOTAUTH"
                assert await world.notify(".") == "REFUSED"
                assert await world.notify(client="::ffff:127.0.0.1") == "NOERROR"

    asyncio.run(steps())


PARENTS = """
zone "customer.test" { type primary; file "a"; };
zone "empty.test" { type primary; file "b"; };
zone "theirs.test" { type secondary; primaries { 127.0.0.1; }; };
zone "below.parent.test" { type primary; file "c"; };
"""
CUSTOMER = "@ 60 SOA n h 1 1 1 1 1\n@ 60 NS n\nn 60 A 192.0.2.1\nsub 60 NS ns.else.where.\n"


@pytest.mark.parametrize(
    ("zone", "why"),
    [
        (
            "www.customer.test.",
            "it is inside of our zone customer.test/IN, which is not from there and does not",
        ),
        ("a.b.customer.test.", "it is inside of our zone customer.test/IN"),
        ("sub.customer.test.", ""),
        ("www.sub.customer.test.", ""),
        (
            "x.empty.test.",
            "it is inside of our zone empty.test/IN, which is not from there and has no data yet",
        ),
        ("x.theirs.test.", ""),
        ("parent.test.", ""),
        ("notcustomer.test.", ""),
    ],
)
def test_no_autoprimary_takes_names_of_zones_that_are_here(
    tmp_path: Path, zone: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            world = World(tmp_path, options(tmp_path, provider.entry()) + PARENTS)
            customer = world.table.get(("_default", from_text("customer.test")))
            assert customer is not None
            customer.zone = zone_from_text("customer.test.", CUSTOMER)
            async with running(world):
                assert await world.notify(zone) == ("REFUSED" if why else "NOERROR")
                await until_logged(caplog, why or "created new secondary zone")
            assert world.added() == ([] if why else [zone])

    asyncio.run(steps())


def test_the_first_of_two_wins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            second = provider.entry().replace(HERE, "127.0.0.2")
            world = World(tmp_path, options(tmp_path, provider.entry(), second))
            async with running(world):
                assert await world.notify() == "NOERROR"
                await until_logged(caplog, "created new secondary zone")
                assert await world.notify(client="127.0.0.2") == "REFUSED"
            assert len(world.requests) == 1
            assert (
                f"refused notify for zone 'new.test': autoprimary {HERE} was first with this zone; "
                f"allow-notify {{ 127.0.0.2; }} in its statement would have {HERE} asked"
            ) in caplog.text

    asyncio.run(steps())


def test_two_at_the_same_moment_make_one_zone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            # Nobody answers at 127.0.0.2: what comes of it is known later.
            second = provider.entry().replace(HERE, "127.0.0.2")
            world = World(tmp_path, options(tmp_path, provider.entry(), second))
            await world.notify(client="127.0.0.2")
            await world.notify()
            await world.notify()
            async with running(world):
                await until_logged(caplog, "created new secondary zone")
                await until_logged(caplog, "not created from autoprimary 127.0.0.2")
            assert len(world.requests) == 1

    asyncio.run(steps())


def test_a_zone_that_somebody_configured_meanwhile_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            conf = options(tmp_path, provider.entry())
            world = World(tmp_path, conf)
            await world.notify()
            zone = world.read(f'{conf} zone "new.test" {{ type primary; file "f"; }};').zones()[0]
            world.table.add(ZoneEntry(zone))
            async with running(world):
                await until_logged(caplog, "the zone was configured")
            assert provider.asked == []
            assert world.requests == []

    asyncio.run(steps())


def test_a_file_of_another_zone_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            other = 'zone "other.test" { type primary; file "auto/new.test"; };'
            world = World(tmp_path, options(tmp_path, provider.entry()) + other)
            async with running(world):
                await world.notify()
                await until_logged(caplog, "auto/new.test is a file of zone other.test/IN already")
            assert world.requests == []

    asyncio.run(steps())


def test_what_cannot_be_added_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            world = World(tmp_path, options(tmp_path, provider.entry()))
            world.trouble = "the disk is full"
            async with running(world):
                await world.notify()
                await until_logged(caplog, "not created from autoprimary 127.0.0.1: the disk is full")
                world.trouble = ""
                await until_logged(caplog, "created new secondary zone")

    monkeypatch.setattr(autoprimary_queue, "MEMORY_S", 0.05)
    asyncio.run(steps())


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def steps() -> None:
        (tmp_path / "auto").write_text("a file")
        async with Provider() as provider:
            world = World(tmp_path, options(tmp_path, provider.entry()))
            async with running(world):
                await world.notify()
                await until_logged(caplog, f"cannot make the directory {tmp_path}/auto: File exists")

    asyncio.run(steps())


def test_a_full_house_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            world = World(tmp_path, options(tmp_path, provider.entry()))
            assert [await world.notify(f"{number}.test.") for number in range(4)] == ["NOERROR"] * 3 + [""]

    monkeypatch.setattr(autoprimary_queue, "MAX_WAITING_OF_SOURCE", 3)
    asyncio.run(steps())


def test_a_forged_flood_costs_a_bounded_number_of_queries(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Provider("other.example.") as provider:
            now = 100.0
            world = World(tmp_path, options(tmp_path, provider.entry()), clock=lambda: now)

            async def until_asked(count: int) -> None:
                while True:
                    if sum("not created" in message for message in caplog.messages) == count:
                        return
                    await asyncio.sleep(0.005)

            async with running(world), asyncio.timeout(20):
                for number in range(500):
                    assert await world.notify(f"{number}.test.") == "NOERROR"
                await until_asked(11)
                now += 0.95
                await until_asked(20)
            assert len(provider.asked) == 2 * 20

    asyncio.run(steps())


def test_the_list_in_a_file_is_read_again_when_it_has_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            listed = tmp_path / "list"
            listed.write_text("192.0.2.1 ns2.example.\n")
            conf = options(tmp_path).replace("autoprimaries {  }", 'autoprimaries file "list"')
            now = 0.0
            world = World(tmp_path, conf, clock=lambda: now)
            async with running(world):
                assert await world.notify() == "NOTAUTH"
                listed.write_text(f"nonsense\n{HERE}:{provider.remote.port} ns2.example. them\n")
                assert await world.notify() == "NOTAUTH"
                now += 2
                assert await world.notify() == "NOTAUTH"
                assert "list:1:1: 'nonsense' is not an address" in caplog.text
                assert "is in error: its autoprimaries stay as they were" in caplog.text
                now += 2
                assert await world.notify() == "NOTAUTH"
                assert caplog.text.count("nonsense") == 1, "it is not read over and over"
                listed.write_text(f"{HERE}:{provider.remote.port} ns2.example. them\n")
                now += 2
                assert await world.notify() == "NOERROR"
                await until_logged(caplog, "created new secondary zone")
                assert await world.notify("other.test.", "192.0.2.1") == "NOTAUTH"
                listed.unlink()
                now += 2
                assert await world.notify("third.test.") == "NOERROR"
                assert "cannot read the list of autoprimaries" in caplog.text

    asyncio.run(steps())


def test_a_list_that_was_mended_holds_at_once_for_who_was_asked_in_vain(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            now = 0.0
            listed = tmp_path / "list"
            listed.write_text(f"{HERE}:{provider.remote.port} ns9.example.\n")
            conf = options(tmp_path).replace("autoprimaries {  }", 'autoprimaries file "list"')
            world = World(tmp_path, conf, clock=lambda: now)
            async with running(world):
                assert await world.notify() == "NOERROR"
                await until_logged(caplog, "does not have ns9.example. among its NS records")
                listed.write_text(f"{HERE}:{provider.remote.port} {US}\n")
                assert await world.notify() == "NOERROR"
                now += 2
                assert await world.notify() == "NOERROR"
                await until_logged(caplog, "created new secondary zone")

    asyncio.run(steps())


VIEWS = """
view "inside" { match-clients { key "k"; }; };
view "chaos" chaos { match-clients { 127.0.0.9; }; };
view "out" { };
"""


def test_the_zone_is_added_to_the_view_that_the_notify_belongs_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            chaos = provider.entry().replace(HERE, "127.0.0.9")
            world = World(tmp_path, options(tmp_path, provider.entry(), chaos) + VIEWS)
            async with running(world):
                assert await world.notify(key="k.") == "NOERROR"
                await until_logged(caplog, "zone new.test/IN/inside: created new secondary zone")
                assert await world.notify(client="127.0.0.9") == "NOTAUTH"
                assert "autoprimaries provide zones of class IN only" in caplog.text
            (request,) = world.requests
            assert request.view == "inside"
            assert request.config_file == str(tmp_path / "auto.conf")
            assert f"the statement is in {tmp_path}/auto.conf.inside" in caplog.text
            assert f'file "{tmp_path}/auto/new.test%@inside";' in request.statement_text

    asyncio.run(steps())


def test_a_reload_that_takes_the_autoprimary_away_ends_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            world = World(tmp_path, options(tmp_path, provider.entry()))
            await world.notify()
            world.autoprimaries.configure(world.read(options(tmp_path)))
            async with running(world):
                assert await world.notify("other.test.") == "NOTAUTH"
                await until_logged(caplog, "is not an autoprimary any more")
            assert provider.asked == []

    asyncio.run(steps())


def test_a_bogus_server_is_not_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def steps() -> None:
        async with Provider() as provider:
            conf = options(tmp_path, provider.entry()) + f"server {HERE} {{ bogus yes; }};"
            world = World(tmp_path, conf)
            async with running(world):
                await world.notify()
                await until_logged(caplog, "is bogus, as its 'server' statement says")
            assert provider.asked == []

    asyncio.run(steps())
