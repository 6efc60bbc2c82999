"""Replication as a whole: one request, one change and one end go through all of its parts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import pytest

from bindpy.answer.policy import Transport
from bindpy.config.acl import LocalAddresses
from bindpy.policy import answer_policy
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneId
from bindpy.server.endpoint import Endpoint
from bindpy.server.request import Request, Stream
from bindpy.state.db import StateDb
from bindpy.xfr.provision import Provision, ProvisionRequest
from bindpy.xfr.service import Replication
from tests.faults.primary import FaultyPrimary
from tests.support.engines import make_engine
from tests.unit.server.test_control_plane import configuration
from tests.unit.xfr.honest import ORIGIN, Honest, version

pytestmark = pytest.mark.usefixtures("engine")

ID = ("_default", ORIGIN)


async def nobody_adds(request: ProvisionRequest) -> ZoneId:
    raise AssertionError(f"nobody may have {request} added")


@asynccontextmanager
async def replication(
    folder: Path, zone: str, options: str = "", provision: Provision = nobody_adds
) -> AsyncIterator[tuple[Replication, ZoneKeeper]]:
    """Run everything for one *zone* statement, and see to it that nothing is left behind."""
    before = asyncio.all_tasks()
    config = configuration(folder, f'options {{ directory "{folder}"; {options} }};\n{zone}')
    engine = make_engine()
    engine.answerer.configure(answer_policy(config, LocalAddresses()))
    service: Replication
    with ThreadPoolExecutor(1) as executor:
        keeper = ZoneKeeper(
            engine.answerer,
            engine.zones.read_file,
            executor,
            lambda zone_id, files: None,
            lambda *told: service.on_published(*told),  # noqa: PLW0108 - it is made below
            is_expired=lambda *told: service.is_expired(*told),  # noqa: PLW0108
        )
        service = Replication(engine, keeper, lambda: [Endpoint("192.0.2.1", 53)], provision)
        keeper.configure(config.zones())
        service.configure(config, LocalAddresses())
        state = StateDb.open(str(folder))
        await service.open(state)
        tasks = [asyncio.create_task(keeper.run()), asyncio.create_task(service.run())]
        try:
            yield service, keeper
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await service.close()
            await state.close()
            assert asyncio.all_tasks() == before


async def ask(service: Replication, message: dns.message.Message) -> list[dns.message.Message]:
    request = Request(message.to_wire(), Endpoint("127.0.0.1", 4321), "192.0.2.1", Transport.TCP)
    reply = await service.handler.handle(request)
    if isinstance(reply, Stream):
        return [dns.message.from_wire(one, xfr=True) async for one in reply.messages]
    assert reply is not None
    return [dns.message.from_wire(reply, keyring=message.keyring, request_mac=message.mac)]


def notify() -> dns.message.Message:
    message = dns.message.make_query("example.com", "SOA", use_edns=None)
    message.flags = dns.flags.AA
    message.set_opcode(dns.opcode.NOTIFY)
    return message


def test_a_notify_leads_to_a_transfer_a_journal_and_a_notify_to_others(tmp_path: Path) -> None:
    async def steps() -> None:
        told = asyncio.Event()

        def acknowledge(packet: bytes, over_tcp: bool) -> list[bytes]:
            told.set()
            return [dns.message.make_response(dns.message.from_wire(packet)).to_wire()]

        async with Honest(version(5)) as primary, FaultyPrimary(acknowledge) as downstream:
            zone = (
                f'zone "example.com" {{ type secondary; file "copy.db"; allow-transfer {{ any; }};'
                f" primaries {{ 127.0.0.1 port {primary.remote.port}; }};"
                f" notify explicit; also-notify {{ 127.0.0.1 port {downstream.remote.port}; }}; }};"
            )
            async with replication(tmp_path, zone) as (service, _):
                await until_serial(service, 5)
                await told.wait()
                primary.publish(version(6))
                (answer,) = await ask(service, notify())
                assert answer.rcode() == dns.rcode.NOERROR
                await until_serial(service, 6)
                query = dns.message.make_query("example.com", "IXFR", use_edns=None)
                query.authority = dns.message.from_text(
                    "id 1\n;AUTHORITY\nexample.com. 0 IN SOA n. h. 5 1 1 1 1\n"
                ).authority
                while True:  # until the change is in the journal, all of the zone is sent
                    replies = await ask(service, query)
                    if sum(len(rrset) for reply in replies for rrset in reply.answer) == 5:
                        break
                    await asyncio.sleep(0.005)
                status = service.status(ID)
                assert status.secondary is not None
                assert status.secondary.state == "fresh"
                assert [target.target for target in status.targets] == [f"127.0.0.1#{downstream.remote.port}"]

    asyncio.run(asyncio.wait_for(steps(), 20))


def expire_of(answer: dns.message.Message) -> list[int]:
    """Return what the EXPIRE options of *answer* say (RFC 7314)."""
    return [int.from_bytes(one.to_wire() or b"") for one in answer.options if one.otype == 9]


EXPIRE = dns.edns.GenericOption(dns.edns.OptionType(9), b"")


@pytest.mark.parametrize("secret", [None, "c2VjcmV0"], ids=["plain", "signed"])
def test_expire_is_what_is_left_of_a_copy_and_what_the_soa_says_of_our_own(
    tmp_path: Path, secret: str | None
) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary:
            zone = (
                'key "k" { algorithm hmac-sha256; secret "c2VjcmV0"; };'
                'zone "example.com" { type secondary; allow-transfer { any; };'
                f" primaries {{ 127.0.0.1 port {primary.remote.port}; }}; }};"
                'zone "example.org" { type primary; file "own.db"; };'
                'zone "example.net" { type secondary; primaries { 127.0.0.9 port 9; }; };'
            )
            (tmp_path / "own.db").write_text("$TTL 60\n@ SOA a. b. 1 2 3 77777 5\n@ NS a.\nwww A 192.0.2.1\n")
            async with replication(tmp_path, zone) as (service, keeper):
                await until_serial(service, 5)
                await keeper.idle()
                status = service.status(ID).secondary
                assert status is not None
                assert status.expires_at is not None
                left = round(status.expires_at - time.time())

                async def said(
                    name: str, rtype: str = "SOA", **edns: Sequence[dns.edns.Option]
                ) -> tuple[list[int], dns.message.Message]:
                    query = dns.message.make_query(name, rtype, use_edns=0, **edns)
                    if rtype == "IXFR":
                        query.authority = dns.message.from_text(
                            f"id 1\n;AUTHORITY\n{name} 0 IN SOA n. h. 5 1 1 1 1\n"
                        ).authority
                    if secret is not None:
                        query.use_tsig(dns.tsigkeyring.from_text({"k": ("hmac-sha256", secret)}), "k")
                    (answer,) = await ask(service, query)
                    return expire_of(answer), answer

                for rtype in ("SOA", "IXFR"):
                    found, answer = await said("example.com.", rtype, options=[EXPIRE])
                    assert abs(found[0] - left) <= 30, rtype
                    assert [rrset.rdtype for rrset in answer.answer] == [dns.rdatatype.SOA]
                    assert (await said("example.com.", rtype))[0] == []
                nsid = dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")
                found, answer = await said("example.org.", options=[nsid, EXPIRE])
                assert found == [77777]
                assert bool(answer.flags & dns.flags.AA)
                for name, rtype in (
                    ("www.example.org.", "SOA"),
                    ("example.net.", "SOA"),
                    ("elsewhere.test.", "SOA"),
                ):
                    assert (await said(name, rtype, options=[EXPIRE]))[0] == [], name

    asyncio.run(asyncio.wait_for(steps(), 20))


async def until_serial(service: Replication, serial: int) -> None:
    while True:
        secondary = service.status(ID).secondary
        if secondary is not None and secondary.serial == serial:
            return
        await asyncio.sleep(0.005)


def test_a_provided_zone_is_transferred_once_it_is_sure_to_stay(tmp_path: Path) -> None:
    async def steps() -> None:
        asked, may_stay = asyncio.Event(), asyncio.Event()

        async def provision(request: ProvisionRequest) -> ZoneId:
            zone = configuration(tmp_path, request.statement_text).zones()[0]
            keeper.put(zone)
            service.update_zone(zone.id)
            asked.set()
            await may_stay.wait()
            return zone.id

        async with Honest(version(5)) as primary:
            options = (
                f'autoprimaries {{ 127.0.0.1 port {primary.remote.port} nameserver "ns.example.com"; }};'
                ' autoprimary-directory "auto"; autoprimary-config "auto.conf";'
            )
            async with replication(tmp_path, "", options, provision) as (service, keeper):
                (answer,) = await ask(service, notify())
                assert answer.rcode() == dns.rcode.NOERROR
                await asked.wait()
                await keeper.idle()
                assert service.status(ID).secondary is None
                may_stay.set()
                await until_serial(service, 5)
                assert primary.asked[:2] == ["SOA", "NS"]
                assert (tmp_path / "auto" / "example.com").exists()

    asyncio.run(asyncio.wait_for(steps(), 20))


def test_an_end_in_the_middle_of_everything_leaves_nothing_behind(tmp_path: Path) -> None:
    async def steps() -> None:
        asked = asyncio.Event()

        def hold(packet: bytes, over_tcp: bool) -> list[bytes]:
            asked.set()
            return []

        async with FaultyPrimary(hold) as primary:
            remote = f"127.0.0.1 port {primary.remote.port}"
            zone = f'zone "example.com" {{ type secondary; primaries {{ {remote}; }}; }};'
            async with replication(tmp_path, zone) as (service, _):
                await asked.wait()
                secondary = service.status(ID).secondary
                assert secondary is not None
                assert (secondary.state, secondary.is_refreshing) == ("no data yet", True)

    asyncio.run(asyncio.wait_for(steps(), 20))


def test_what_an_interrupted_transfer_left_is_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left = tmp_path / ".copy.db.bindpy-0123456789ab"
    left.write_text("half a zo")

    async def steps() -> None:
        zone = 'zone "example.com" { type secondary; file "copy.db"; primaries { 127.0.0.1 port 1; }; };'
        async with replication(tmp_path, zone):
            assert not left.exists()

    with caplog.at_level(logging.INFO):
        asyncio.run(asyncio.wait_for(steps(), 20))
    assert f"removed {left}" in caplog.text


def test_a_primary_zone_has_no_secondary_side(tmp_path: Path) -> None:
    async def steps() -> None:
        (tmp_path / "zone").write_text("@ 60 SOA ns h 5 1 1 1 1\n@ 60 NS ns\nns 60 A 192.0.2.1\n")
        zone = 'zone "example.com" { type primary; file "zone"; notify no; };'
        async with replication(tmp_path, zone) as (service, keeper):
            await keeper.idle()
            assert service.status(ID).secondary is None
            assert not service.refresh(ID)
            (answer,) = await ask(service, notify())
            assert answer.rcode() == dns.rcode.NOERROR

    asyncio.run(asyncio.wait_for(steps(), 20))
