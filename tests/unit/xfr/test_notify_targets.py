"""Who is told: those that are configured, the name servers of the zone, and whom somebody names."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bindpy.config.acl import LocalAddresses
from bindpy.config.model import RemoteServer, ZoneType
from bindpy.xfr.notify_exchange import NotNotifiedError
from bindpy.zone import names
from tests.support.ports import free_port
from tests.support.zones import zone_from_text
from tests.unit.xfr import notifying
from tests.unit.xfr.notifying import ALSO, ZONE_ID, config_of, one_zone, refusing, signing, world, zone

keys = notifying.keys  # the fixture


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
