"""Which changes are told, and which are known already."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bindpy.config.acl import LocalAddresses
from bindpy.reload.table import ZoneEntry, ZoneTable
from bindpy.state.db import StateDb
from bindpy.xfr.notify import Notifier
from tests.unit.xfr import notifying
from tests.unit.xfr.notifying import (
    ALSO,
    PATIENT_S,
    ZONE_ID,
    Receiver,
    config_of,
    one_zone,
    silent,
    world,
    zone,
)

keys = notifying.keys  # the fixture
AGAIN_AFTER_S = 0.3
"""When a NOTIFY that nobody acknowledges would be sent again."""


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
        async with world(tmp_path, pauses_s=(AGAIN_AFTER_S, 10.0)) as w:
            w.receiver.answer = silent
            w.publish(zone(5))
            await w.until(lambda: len(w.receiver.packets) == 1)
            w.publish(zone(4))
            assert w.notifier.status(ZONE_ID) == ()
            await asyncio.sleep(2 * AGAIN_AFTER_S)
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
            began = asyncio.get_running_loop().time()
            w.publish(zone(5))
            await w.until_acknowledged(5)
            for serial in (6, 7, 8):
                w.publish(zone(serial))
                for _ in range(20):  # time enough to tell it, were there no delay
                    await asyncio.sleep(0)
            await w.until_acknowledged(8)
            assert w.receiver.serials == [5, 8]
            assert w.receiver.times[1] - began > 0.95

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
            notifier = Notifier(table, state, pauses_s=PATIENT_S)
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
        async with world(tmp_path, pauses_s=(AGAIN_AFTER_S, 10.0)) as w:
            w.receiver.answer = silent
            w.publish(zone(5))
            await w.until(lambda: len(w.receiver.packets) == 1)
            w.configure('zone "example.org" { type primary; file "x"; };')
            w.table.remove(ZONE_ID)
            await asyncio.sleep(2 * AGAIN_AFTER_S)
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
