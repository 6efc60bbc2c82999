"""Secondary zones against primaries that do as told: what is asked, what is taken, and when."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest

from bindpy.config.model import RemoteServer
from bindpy.reload.table import ZoneState
from bindpy.state.db import StateDb, ZoneTimes
from bindpy.xfr import refresher
from bindpy.xfr.failure import Stage, XferFailure
from bindpy.xfr.peers import primaries_of
from bindpy.xfr.soaquery import ask_version
from bindpy.zone import names
from bindpy.zone.diff import diff
from tests.faults.primary import Action, Cut, FaultyPrimary, Reset
from tests.support.ports import free_port
from tests.unit.server.test_control_plane import configuration
from tests.unit.xfr.honest import ORIGIN, Honest, rrsets, version
from tests.unit.xfr.replicating import ID, conf, scenario, world

pytestmark = pytest.mark.usefixtures("engine")

SIGNATURE = "@ RRSIG SOA 13 2 300 20300101000000 20200101000000 1 example.com. "


# --- what is asked and taken -------------------------------------------------------------------------


def test_a_zone_without_data_is_transferred_stored_and_remembered(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            assert primary.asked == ["SOA", "AXFR"]
            assert here.holds(primary.zone)
            assert "5" in (tmp_path / "copy.db").read_text()
            status = here.status
            assert (status.state, status.trouble) == ("fresh", "")
            assert status.primary == f"127.0.0.1#{primary.remote.port}"
            assert status.refreshed_at == pytest.approx(time.time(), abs=10)
            assert status.expires_at == pytest.approx(time.time() + 604800, abs=10)
        state = StateDb.open(str(tmp_path))
        saved = await state.load_times()
        await state.close()
        assert saved[ID].primary_serial == 5
        assert saved[ID].expires_at == pytest.approx(time.time() + 604800, abs=10)

    scenario(steps)


def test_a_newer_version_comes_by_ixfr_and_the_same_one_not_at_all(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            primary.publish(version(6))
            here.notify(6)
            await here.until_serial(6)
            assert primary.asked == ["SOA", "AXFR", "SOA", "IXFR"]
            assert here.holds(primary.zone)
            here.notify(6)
            here.secondaries.refresh(ID)
            await here.until(lambda: len(primary.asked) == 5)
            await here.until(lambda: not here.status.is_refreshing)
            assert primary.asked[-1] == "SOA"

    scenario(steps)


def rcode(code: dns.rcode.Rcode) -> Callable[[dns.message.Message], Iterable[Action]]:
    def answer(reply: dns.message.Message) -> Iterable[Action]:
        reply.set_rcode(code)
        return [reply.to_wire()]

    return answer


def bad_delta(reply: dns.message.Message) -> Iterable[Action]:
    old, new = version(5), version(6)
    delta = diff(old, new)
    soa = list(new.rrs())[:1]
    gone = delta.removed[0]._replace(rdata=b"\1\2\3\4")
    reply.answer = rrsets(new, [*soa, delta.old_soa, gone, delta.new_soa, *soa])
    return [reply.to_wire()]


def current(reply: dns.message.Message) -> Iterable[Action]:
    reply.answer = rrsets(version(5), list(version(5).rrs())[:1])
    return [reply.to_wire()]


TROUBLES = {
    "notimp": rcode(dns.rcode.NOTIMP),
    "formerr": rcode(dns.rcode.FORMERR),
    "refused": rcode(dns.rcode.REFUSED),
    "cut": lambda reply: [Cut()],
    "nonsense": lambda reply: [b"\0" * 40],
    "bad delta": bad_delta,
    "no change": current,
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_any_trouble_with_ixfr_ends_in_axfr_from_the_same_primary(tmp_path: Path, trouble: str) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            primary.publish(version(6))
            primary.instead_of_ixfr = TROUBLES[trouble]
            here.notify(6)
            await here.until_serial(6)
            assert primary.asked == ["SOA", "AXFR", "SOA", "IXFR", "AXFR"]

    scenario(steps)


@pytest.mark.parametrize(
    ("zone", "more"),
    [
        ('file "copy.db"; request-ixfr no;', ""),
        ('file "copy.db";', "server 127.0.0.1 { request-ixfr no; };"),
    ],
)
def test_request_ixfr_no_is_heeded(tmp_path: Path, zone: str, more: str) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary:
            config = conf(tmp_path, primary.remote, zone=zone, more=more)
            async with world(config, tmp_path) as here:
                await here.until_serial(5)
                primary.publish(version(6))
                here.notify(6)
                await here.until_serial(6)
                assert primary.asked == ["SOA", "AXFR", "SOA", "AXFR"]

    scenario(steps)


def test_a_primary_that_refuses_queries_may_allow_transfers(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            primary.refuses = {"SOA"}
            await here.until_serial(5)
            primary.instead_of_ixfr = current
            here.secondaries.refresh(ID)
            await here.until(lambda: primary.asked[-1] == "IXFR")
            await here.until(lambda: not here.status.is_refreshing)
            assert here.status.state == "fresh"
            assert primary.asked == ["SOA", "AXFR", "SOA", "IXFR"]

    scenario(steps)


def test_new_signatures_with_the_old_serial_are_fetched(tmp_path: Path) -> None:
    async def steps() -> None:
        old, new = (version(5, SIGNATURE + text) for text in ("AAAA", "BBBB"))
        async with Honest(old) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            primary.publish(new)
            here.secondaries.refresh(ID)
            await here.until(lambda: here.holds(new))
            assert primary.asked == ["SOA", "AXFR", "SOA", "AXFR"]

    scenario(steps)


def test_an_older_version_is_taken_only_when_the_operator_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            primary.publish(version(3))
            here.secondaries.refresh(ID)
            await here.until_trouble()
            assert here.status.state == "stale"
            assert here.status.serial == 5
            here.secondaries.refresh(ID, whole=True)
            await here.until_serial(3)
            assert primary.asked == ["SOA", "AXFR", "SOA", "AXFR"]

    caplog.set_level(logging.INFO)
    scenario(steps)
    assert "serial number (3) received from primary 127.0.0.1#" in caplog.text


def test_a_primary_that_lags_behind_does_not_hide_a_newer_one(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as first, Honest(version(4)) as second:
            second.publish(version(6))
            second.before = version(5)
            first_only = conf(tmp_path, first.remote)
            async with world(first_only, tmp_path) as here:
                await here.until_serial(5)
                both = conf(tmp_path, first.remote, second.remote)
                here.keeper.configure(both.zones())
                here.secondaries.configure(both)
                await here.until_serial(6)
                assert first.asked == ["SOA", "AXFR", "SOA"]
                assert second.asked == ["SOA", "IXFR"]
                assert here.status.primary.endswith(f"#{second.remote.port}")

    scenario(steps)


def test_a_transfer_that_fails_goes_on_at_the_next_primary(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as first, Honest(version(5)) as second:
            first.refuses = {"AXFR"}
            async with world(conf(tmp_path, first.remote, second.remote), tmp_path) as here:
                await here.until_serial(5)
                assert (first.asked, second.asked) == (["SOA", "AXFR"], ["SOA", "AXFR"])

    scenario(steps)


def test_a_primary_that_restarts_during_a_transfer_is_asked_again_soon(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            primary.publish(version(6))
            primary.instead = lambda packet, tcp: [Reset()] if tcp else primary.answer(packet, tcp)
            here.notify(6)
            await here.until_trouble()
            primary.instead = None
            await here.until_serial(6)
            assert here.status.trouble == ""

    scenario(steps)


def test_a_transfer_of_less_than_was_told_is_not_taken(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            by_udp, by_tcp = Honest(version(7)), Honest(version(6))
            by_tcp.instead_of_ixfr = rcode(dns.rcode.NOTIMP)
            primary.instead = lambda packet, over_tcp: (by_tcp if over_tcp else by_udp).answer(packet, False)
            here.notify(7)
            await here.until_trouble()
            assert "serial 6" in here.status.trouble
            assert here.status.serial == 5

    scenario(steps)


def test_a_copy_lives_no_longer_than_its_primarys(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            primary.expire_s = 50
            await here.until_serial(5)
            assert here.status.expires_at == pytest.approx(time.time() + 50, abs=10)
            primary.expire_s = 100
            asked = len(primary.asked)
            here.secondaries.refresh(ID)
            await here.until(lambda: len(primary.asked) > asked and not here.status.is_refreshing)
            assert here.status.expires_at == pytest.approx(time.time() + 100, abs=10)

    scenario(steps)


# --- what survives a restart -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("saved_serial", "saved_expires_in_s", "expires_in_s"),
    [
        (5, 1000, 1000),
        (5, 10**9, 604800),  # the clock was set back
        (4, 1000, 604800),  # of another version: the file's time counts
        (5, -1000, None),
    ],
)
def test_a_file_counts_for_what_is_known_of_it(
    tmp_path: Path, saved_serial: int, saved_expires_in_s: int, expires_in_s: int | None
) -> None:
    async def steps() -> None:
        now = time.time()
        state = StateDb.open(str(tmp_path))
        await state.save_times(ZoneTimes(*ID, saved_serial, now - 5, now, now + saved_expires_in_s, "x#1"))
        await state.close()
        hosts = "@ 60 SOA ns h 5 3600 900 604800 60\n@ 60 NS ns\nns 60 A 192.0.2.1\n"
        (tmp_path / "copy.db").write_text(hosts)
        nobody = RemoteServer("127.0.0.1", free_port())
        async with world(conf(tmp_path, nobody), tmp_path) as here:
            await here.until_trouble()
            if expires_in_s is None:
                assert (here.status.state, here.entry.state) == ("expired", ZoneState.EXPIRED)
            else:
                assert (here.status.state, here.entry.state) == ("stale", ZoneState.SERVED)
                assert here.status.expires_at == pytest.approx(now + expires_in_s, abs=10)

    scenario(steps)


def test_a_file_that_is_there_is_not_transferred_again(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary:
            async with world(conf(tmp_path, primary.remote), tmp_path) as here:
                await here.until_serial(5)
            primary.asked.clear()
            async with world(conf(tmp_path, primary.remote), tmp_path) as here:
                await here.until(lambda: here.status.serial == 5 and bool(primary.asked))
                await here.until(lambda: not here.status.is_refreshing)
                assert primary.asked == ["SOA"]

    scenario(steps)


# --- what goes wrong ---------------------------------------------------------------------------------


def test_a_zone_that_cannot_be_stored_is_not_served_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary:
            config = conf(tmp_path, primary.remote, zone='file "not/there/copy.db";')
            async with world(config, tmp_path) as here:
                await here.until_trouble()
                assert here.entry.state is ZoneState.WAITING
                assert here.status.next_refresh_at == pytest.approx(time.time() + 10, abs=5)
                (tmp_path / "not" / "there").mkdir(parents=True)
                here.notify(5)
                await here.until_serial(5)

    scenario(steps)
    assert "serial 5 from 127.0.0.1#" in caplog.text
    assert "was not stored" in caplog.text


def test_silence_doubles_the_wait_until_the_operator_asks(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            nobody = conf(tmp_path, RemoteServer("127.0.0.1", free_port()))
            here.keeper.configure(nobody.zones())
            here.secondaries.configure(nobody)
            ask_again = [
                lambda: here.secondaries.notified(ID, "127.0.0.1", None),
                lambda: here.secondaries.notified(ID, "127.0.0.1", None),
                lambda: here.secondaries.refresh(ID),
                lambda: None,
            ]
            for wait_s, ask in zip((900, 1800, 3600, 900), ask_again, strict=True):
                await here.until_next_is_in(wait_s)
                ask()

    scenario(steps)


def test_too_many_records_are_not_taken(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary:
            config = conf(tmp_path, primary.remote, zone='file "copy.db"; max-records 10;')
            async with world(config, tmp_path) as here:
                await here.until_trouble()
                assert "max-records" in here.status.trouble
                assert not (tmp_path / "copy.db").exists()

    scenario(steps)


def test_a_primary_without_its_key_is_not_asked(tmp_path: Path) -> None:
    config = conf(tmp_path, RemoteServer("127.0.0.1", 53))
    (zone,) = config.zones()
    keyed = replace(zone, primaries=(RemoteServer("127.0.0.1", 53, "lost."),))
    (primary,) = primaries_of(keyed, config.views[0], 2)
    with pytest.raises(XferFailure, match=r'there is no .key. statement for "lost\."') as caught:
        asyncio.run(ask_version(primary, ORIGIN, 1, signed=False, try_tcp=True))
    assert caught.value.stage is Stage.TSIG


def test_a_fault_of_ours_does_not_end_a_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fault(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            with monkeypatch.context() as patch:
                patch.setattr(refresher, "ask_version", fault)
                await here.until(lambda: "fault in bindpy" in caplog.text)
            here.notify(5)
            await here.until_serial(5)

    scenario(steps)


def refreshes() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("refresh of")]


def test_a_zone_that_is_removed_while_it_is_transferred_is_forgotten(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary:
            primary.refuses = {"AXFR"}
            held = asyncio.Event()

            def hold(packet: bytes, over_tcp: bool) -> Iterable[Action]:
                held.set()
                return []

            primary.instead = hold
            async with world(conf(tmp_path, primary.remote), tmp_path) as here:
                await held.wait()
                assert refreshes()
                empty = configuration(tmp_path, f'options {{ directory "{tmp_path}"; }};')
                here.keeper.configure(empty.zones())
                here.secondaries.configure(empty)
                assert here.secondaries.status(ID) is None
                async with asyncio.timeout(8):  # it would wait for an answer for 9 s
                    await here.until(lambda: not refreshes())
                assert here.secondaries.notified(ID, "127.0.0.1", 6) is None
                assert not here.secondaries.refresh(ID)

    scenario(steps)


# --- many zones --------------------------------------------------------------------------------------


def test_many_zones_at_the_start_do_not_flood_the_primary_and_a_notify_goes_first(tmp_path: Path) -> None:
    async def steps() -> None:
        async with FaultyPrimary(lambda packet, over_tcp: []) as primary:
            remote = f"{primary.remote.address} port {primary.remote.port}"
            zones = "".join(
                f'zone "z{i}.test" {{ type secondary; primaries {{ {remote}; }}; }};\n' for i in range(10000)
            )
            text = (
                f'options {{ directory "{tmp_path}"; serial-query-rate 20; try-tcp-refresh no; }};\n{zones}'
            )
            config = configuration(tmp_path, text)
            async with world(config, tmp_path) as here:
                started = time.monotonic()
                await here.until(lambda: len(primary.requests) >= 10)
                last = names.from_text("z9999.test.")
                here.secondaries.notified(("_default", last), "127.0.0.1", 1)
                before = len(primary.requests)
                await here.until(lambda: any(last in packet for packet, _ in primary.requests))
                assert len(primary.requests) - before <= 4, "others went before it"
                elapsed = time.monotonic() - started
                assert len(primary.requests) <= 5 + 1 + 20 * elapsed

    scenario(steps)


# --- what commands want to know -----------------------------------------------------------------------


def test_the_end_of_the_next_refresh_can_be_waited_for(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            assert here.secondaries.next_end(("_default", b"\5other\0")) is None
            ends = [here.secondaries.next_end(ID) for _ in range(3)]
            assert here.secondaries.refresh(ID, whole=True)
            for end in ends:
                assert end is not None
                await end
            transfer = here.status.transfer
            assert transfer is not None
            assert (transfer.how, transfer.serial, transfer.messages) == ("AXFR", 5, 1)
            assert transfer.octets > transfer.records > 0
            assert here.status.under_way is None
            end = here.secondaries.next_end(ID)
            assert end is not None
            await asyncio.sleep(0)
            assert not end.done()
            here.keeper.configure([])
            here.secondaries.update(ID)
            await end

    scenario(steps)


def test_a_frozen_zone_is_not_refreshed_until_it_is_thawed(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            await here.keeper.freeze(ID)
            primary.zone = version(6)
            here.notify(6)
            asked = len(primary.asked)
            end = here.secondaries.next_end(ID)
            assert end is not None
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(primary.asked) == asked
            assert not end.done()
            await here.keeper.thaw(ID)
            here.secondaries.resume(ID)
            await end
            assert here.status.serial == 6

    scenario(steps)


def test_a_zone_that_is_frozen_while_it_is_transferred_keeps_its_file(tmp_path: Path) -> None:
    async def steps() -> None:
        async with Honest(version(5)) as primary, world(conf(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            before = (tmp_path / "copy.db").read_text()
            primary.publish(version(6))

            def answer(packet: bytes, over_tcp: bool) -> Iterable[Action]:
                here.entry.frozen = over_tcp  # as soon as the transfer is asked for
                return primary.answer(packet, over_tcp)

            primary.instead = answer
            here.notify(6)
            await here.until_trouble()
            assert "frozen" in here.status.trouble
            assert (tmp_path / "copy.db").read_text() == before
            assert here.zone.serial == 5

    scenario(steps)
