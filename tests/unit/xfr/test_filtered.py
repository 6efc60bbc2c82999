"""Secondary zones with a Lua script: whose serial counts, and what comes of scripts that fail or change."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from bindpy.config.model import Config, RemoteServer
from bindpy.reload.table import ZoneState
from bindpy.state.db import FILE_NAME
from bindpy.xfr.refresh import NotifyVerdict
from bindpy.zone import names
from bindpy.zone.records import RR, RRType
from tests.faults.primary import Action
from tests.support.transfers import message
from tests.unit.xfr.honest import ORIGIN, Honest, version
from tests.unit.xfr.replicating import ID, World, conf, scenario, world

PASS = "function axfrfilter(remoteip, zone, record) return pdns.PASS, {} end\n"
REWRITE = """
function axfrfilter(remoteip, zone, record)
    if record:qtype() ~= pdns.SOA then return pdns.PASS, {} end
    return 0, {{content = record:content():gsub("^(%S+ %S+) %d+", "%1 2030010101")}}
end
"""
MARK = """
function axfrfilter(remoteip, zone, record)
    if record:qtype() ~= pdns.SOA then return pdns.PASS, {} end
    return 1, {{qname = "mark." .. zone, qtype = pdns.TXT, content = "VALUE"}}
end
"""


def filtered(folder: Path, *primaries: RemoteServer, zone: str = 'file "copy.db";') -> Config:
    """Return a configuration whose zone goes through f.lua."""
    return conf(folder, *primaries, zone=f'{zone} lua-axfr-script "f.lua";')


def mark(here: World) -> bytes:
    rrset = here.zone.get(names.from_text("mark.example.com."), RRType.TXT)
    return rrset.rdatas[0][1:] if rrset is not None else b""


def refreshed(here: World) -> None:
    here.secondaries.refresh(ID)


async def settled(here: World, primary: Honest, *asked: str) -> None:
    """Wait until *primary* was asked so much, and the zone is at rest."""
    await here.until(lambda: primary.asked == [*asked] and not here.status.is_refreshing)


async def noted(here: World, serial: int) -> None:
    """Wait until a refresh has brought *serial*, and its end was noted for the database."""
    await here.until_serial(serial)
    await here.until(lambda: bool(here.status.primary))


# --- whose serial counts ------------------------------------------------------------------------------


def test_the_primarys_serial_counts_for_refreshes_and_notifies(tmp_path: Path) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(REWRITE)
        async with Honest(version(5)) as primary, world(filtered(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            assert here.zone.serial == 2030010101
            assert "2030010101" in (tmp_path / "copy.db").read_text()
            refreshed(here)
            await settled(here, primary, "SOA", "AXFR", "SOA")
            assert here.secondaries.notified(ID, "127.0.0.1", 5) is NotifyVerdict.UP_TO_DATE
            primary.publish(version(6))
            assert here.secondaries.notified(ID, "127.0.0.1", 6) is NotifyVerdict.CHECK
            await here.until_serial(6)
            assert primary.asked[3:] == ["SOA", "AXFR"], "what a filter made is no base for IXFR"
            primary.publish(version(4))
            refreshed(here)
            await here.until(lambda: "an older version" in here.status.trouble)
            assert here.status.serial == 6

    scenario(steps)


def test_a_restart_with_a_rewritten_serial_transfers_nothing(tmp_path: Path) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(REWRITE)
        async with Honest(version(5)) as primary:
            config = filtered(tmp_path, primary.remote)
            async with world(config, tmp_path) as here:
                await noted(here, 5)
            for _ in range(2):
                primary.asked.clear()
                async with world(config, tmp_path) as here:
                    await settled(here, primary, "SOA")
                    assert (here.zone.serial, here.status.state) == (2030010101, "fresh")
            primary.publish(version(6))
            primary.asked.clear()
            async with world(config, tmp_path) as here:
                await here.until_serial(6)
                assert primary.asked == ["SOA", "AXFR"]

    scenario(steps)


def test_times_are_saved_though_the_database_is_busy_when_the_server_stops(tmp_path: Path) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(REWRITE)
        async with Honest(version(5)) as primary:
            config = filtered(tmp_path, primary.remote)
            async with world(config, tmp_path) as here:
                free = threading.Event()
                busy = asyncio.create_task(here.state.run(lambda _: free.wait(10), False))
                await noted(here, 5)
                asyncio.get_running_loop().call_later(0.05, free.set)
            assert await busy
            primary.asked.clear()
            async with world(config, tmp_path) as here:
                await settled(here, primary, "SOA")

    scenario(steps)


@pytest.mark.parametrize("lost", ["database", "row", "file"])
def test_a_file_of_unknown_making_is_fetched_whole_until_that_works(tmp_path: Path, lost: str) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(REWRITE)
        async with Honest(version(5)) as primary:
            config = filtered(tmp_path, primary.remote)
            async with world(config, tmp_path) as here:
                await noted(here, 5)
            if lost == "file":  # somebody put another version there
                text = (tmp_path / "copy.db").read_text()
                (tmp_path / "copy.db").write_text(text.replace("2030010101", "2030010102"))
            elif lost == "row":
                with sqlite3.connect(tmp_path / FILE_NAME) as state:
                    state.execute("DELETE FROM times")
                state.close()
            else:
                for end in ("", "-wal", "-shm"):
                    (tmp_path / f"{FILE_NAME}{end}").unlink(missing_ok=True)
            primary.asked.clear()
            primary.refuses = {"AXFR"}
            async with world(config, tmp_path) as here:
                await here.until_trouble()
                assert here.zone.serial in (2030010101, 2030010102)
                primary.refuses = set()
                assert here.secondaries.notified(ID, "127.0.0.1", 5) is NotifyVerdict.CHECK
                await here.until_serial(5)
                await here.until(lambda: here.status.state == "fresh")
                assert primary.asked == ["AXFR", "AXFR"]
                assert here.zone.serial == 2030010101

    scenario(steps)


# --- scripts that change ------------------------------------------------------------------------------


def test_a_script_edited_while_the_server_runs_counts_from_the_next_refresh(tmp_path: Path) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(MARK.replace("VALUE", "one"))
        async with Honest(version(5)) as primary, world(filtered(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            assert mark(here) == b"one"
            (tmp_path / "f.lua").write_text(MARK.replace("VALUE", "two"))
            refreshed(here)
            await settled(here, primary, "SOA", "AXFR", "SOA", "AXFR")
            assert mark(here) == b"two"
            refreshed(here)
            await settled(here, primary, "SOA", "AXFR", "SOA", "AXFR", "SOA")

    scenario(steps)


def test_a_script_edited_while_the_server_is_down_counts_from_the_start(tmp_path: Path) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(MARK.replace("VALUE", "one"))
        async with Honest(version(5)) as primary:
            config = filtered(tmp_path, primary.remote)
            async with world(config, tmp_path) as here:
                await noted(here, 5)
            (tmp_path / "f.lua").write_text(MARK.replace("VALUE", "two"))
            primary.asked.clear()
            async with world(config, tmp_path) as here:
                await settled(here, primary, "SOA", "AXFR")
                assert mark(here) == b"two"

    scenario(steps)


@pytest.mark.parametrize("restart", [False, True])
def test_a_script_set_and_unset_has_the_zone_fetched_whole(tmp_path: Path, *, restart: bool) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(REWRITE)
        async with Honest(version(5)) as primary:
            plain, through = conf(tmp_path, primary.remote), filtered(tmp_path, primary.remote)
            if restart:
                for config, serial in ((plain, 5), (through, 2030010101), (plain, 5)):
                    primary.asked.clear()
                    async with world(config, tmp_path) as here:
                        await here.until(lambda: here.entry.zone is not None)
                        await here.until(lambda serial=serial: here.zone.serial == serial)  # type: ignore[misc]
                        await settled(here, primary, "SOA", "AXFR")
                        await noted(here, 5)
                return
            async with world(plain, tmp_path) as here:
                await here.until_serial(5)
                for config, serial in ((through, 2030010101), (plain, 5)):
                    primary.asked.clear()
                    here.keeper.configure(config.zones())
                    here.secondaries.configure(config)
                    await settled(here, primary, "SOA", "AXFR")
                    assert (here.zone.serial, here.status.serial) == (serial, 5)

    scenario(steps)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (None, "the script cannot be read"),
        ("x = = 1", "f.lua:1: unexpected symbol near '='"),
        ("function axfrfilter(a, b, c) error('no more') end", "f.lua:1: no more"),
        ("function axfrfilter(a, b, c) return 0, {{content = 'x'}} end", "bad content 'x'"),
        (
            PASS.replace("pdns.PASS, {}", "record:qtype() == pdns.NS and pdns.DROP or -1, {}"),
            "cannot be used",
        ),
    ],
)
def test_a_script_edited_badly_is_told_and_does_not_make_a_current_zone_stale(
    tmp_path: Path, script: str | None, why: str
) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(PASS)
        async with Honest(version(5)) as primary, world(filtered(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            if script is None:
                (tmp_path / "f.lua").unlink()
            else:
                (tmp_path / "f.lua").write_text(script)
            refreshed(here)
            await here.until_trouble()
            assert why in here.status.trouble
            assert (here.status.state, here.status.by_script) == ("fresh", True)
            primary.publish(version(6))
            refreshed(here)
            await here.until(lambda: here.status.state == "stale")
            assert why in here.status.trouble
            assert here.zone.serial == 5
            (tmp_path / "f.lua").write_text(PASS)
            refreshed(here)
            await here.until_serial(6)
            assert not here.status.trouble

    scenario(steps)


# --- scripts that fail --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("while true do end", "f.lua:1: the script takes too long over one record"),
        ("while true do pcall(function() while true do end end) end", "takes too long over one record"),
        ("local s = 'x' while true do s = s .. s end", "the script needs too much memory"),
        ("local function f() return 1 + f() end f()", "the script needs too much memory"),
        ("('x'):rep(1e9)", "f.lua:1: string.rep: the result is too large"),
        ("('a'):rep(1e6):find('.-.-.-b')", "f.lua:1: string.find: the pattern may take too long"),
        ("return 'x'", "cannot understand the return code x"),
        ("error()", "f.lua:1: error() was called without a text"),
        ("error({})", "f.lua:1: error() was called with a table"),
        ("for i = 1, 1e4 do print(('x'):rep(1e4)) end error('flood')", "f.lua:1: flood"),
    ],
)
def test_a_hostile_script_leaves_the_old_zone_and_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, body: str, why: str
) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(PASS)
        async with Honest(version(5)) as primary, world(filtered(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            (tmp_path / "f.lua").write_text(f"function axfrfilter(a, b, c) do {body} end return -1, {{}} end")
            primary.publish(version(6))
            caplog.set_level("INFO", "bindpy")
            caplog.clear()
            here.notify(6)
            await here.until_trouble()
            assert why in here.status.trouble
            assert "(at the record example.com. SOA)" in here.status.trouble
            assert (here.status.state, here.status.serial, here.zone.serial) == ("stale", 5, 5)
            assert here.entry.state is ZoneState.SERVED
            assert why in caplog.text
            assert "traceback" not in caplog.text.lower()
            assert len(caplog.messages) < 200

    scenario(steps)
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["copy.db", FILE_NAME]


def test_an_error_far_into_a_zone_of_many_messages(tmp_path: Path) -> None:
    hosts = [RR(b"\x06h%05d" % n + ORIGIN, RRType.A, 300, n.to_bytes(4)) for n in range(20_000)]

    def handle(packet: bytes, over_tcp: bool) -> Iterable[Action]:
        if not over_tcp:
            return primary.answer(packet, over_tcp)
        first, *rest = primary.zone.rrs()
        records = [first, *rest, *hosts, first]
        number = int.from_bytes(packet[:2])
        return [message(records[i : i + 500], message_id=number) for i in range(0, len(records), 500)]

    primary = Honest(version(5))
    primary.instead = handle

    async def steps() -> None:
        (tmp_path / "f.lua").write_text(PASS)
        async with primary, world(filtered(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
            assert here.zone.rr_count > 20_000
            (tmp_path / "f.lua").write_text(
                "n = 0 function axfrfilter(a, b, c) n = n + 1 "
                "if n == 15000 then error('enough') end return -1 end"
            )
            primary.publish(version(6))
            here.notify(6)
            await here.until_trouble()
            assert (
                "f.lua:1: enough (at the record h14802.example.com. A) (after 30 messages"
                in here.status.trouble
            )
            assert here.zone.serial == 5

    scenario(steps)


def test_what_a_script_prints_and_what_is_not_in_the_zone_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(
            "print('loading') function axfrfilter(ip, zone, record)\n"
            "if record:qtype() ~= pdns.SOA then return -1 end\n"
            "pdnslog('from ' .. ip .. ' for ' .. zone, pdns.loglevels.Error)\n"
            "return 1, {{qtype = 16, content = 'x', qname = 'x.test'}} end"
        )
        caplog.set_level("INFO", "bindpy")
        async with Honest(version(5)) as primary, world(filtered(tmp_path, primary.remote), tmp_path) as here:
            await here.until_serial(5)
        path = tmp_path / "f.lua"
        assert f"zone example.com/IN: {path}: loading" in caplog.messages
        assert f"zone example.com/IN: {path}: from 127.0.0.1 for example.com." in caplog.messages
        assert f"zone example.com/IN: {path}: left out x.test. TXT, not in the zone" in caplog.messages

    scenario(steps)


def test_each_transfer_has_a_fresh_script_and_a_zone_without_a_file_has_one_too(tmp_path: Path) -> None:
    async def steps() -> None:
        (tmp_path / "f.lua").write_text(
            "n = 0 function axfrfilter(ip, zone, record) n = n + 1 "
            "if n > 1 then return -1 end "
            "return 1, {{qname = 'mark.' .. zone, qtype = 16, content = 'first'}} end"
        )
        async with Honest(version(5)) as primary:
            config = filtered(tmp_path, primary.remote, zone="")
            async with world(config, tmp_path) as here:
                for serial in (5, 6, 7):
                    primary.publish(version(serial))
                    here.notify(serial)
                    await here.until_serial(serial)
                    assert mark(here) == b"first"

    scenario(steps)
