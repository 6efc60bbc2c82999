"""One zone by order: what came of its load is told; a frozen one is left alone but for that."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bindpy.config.model import ZoneType
from bindpy.reload.queue import Loading, LoadQueue, Wish
from tests.unit.reload.keeping import ID, HeldReader, running, scenario, zone_config


def test_a_load_says_what_came_of_it(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            assert await keeper.load(ID) is Loading.GONE
            keeper.configure([zone_config(path)])
            assert await keeper.load(ID) is Loading.LOADED
            assert await keeper.load(ID) is Loading.CURRENT
            assert await keeper.load(ID, force=True) is Loading.LOADED
            path.write_text("bad")
            assert await keeper.load(ID) is Loading.FAILED
            assert await keeper.load(ID) is Loading.FAILED, "what has errors is tried again"
            path.write_text("8")
            assert await asyncio.gather(keeper.load(ID), keeper.load(ID)) == [Loading.LOADED] * 2
            assert recorder.serials == [7, 8]
            assert keeper.waiting == 0

    scenario(steps)


def test_a_zone_without_a_file_has_nothing_to_load(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running() as (keeper, _):
            keeper.configure([zone_config(tmp_path, file=None, type=ZoneType.SECONDARY)])
            assert await keeper.load(ID) is Loading.GONE
            keeper.configure([zone_config(tmp_path / "none", type=ZoneType.SECONDARY)])
            assert await keeper.load(ID) is Loading.CURRENT, "it waits for a transfer"

    scenario(steps)


def test_who_waits_for_a_zone_gets_its_new_statement_or_hears_that_it_is_gone(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("1")
    new.write_text("2")
    reader = HeldReader()

    async def steps() -> None:
        async with running(reader) as (keeper, recorder):
            keeper.put(zone_config(old))
            load = asyncio.create_task(keeper.load(ID))
            await asyncio.to_thread(reader.began.wait, 10)
            keeper.put(zone_config(new))
            reader.go_on.set()
            assert await load in (Loading.LOADED, Loading.CURRENT)
            assert recorder.serials == [2]
            reader.go_on.clear()
            reader.began.clear()
            load = asyncio.create_task(keeper.load(ID, force=True))
            await asyncio.to_thread(reader.began.wait, 10)
            keeper.remove(ID)
            reader.go_on.set()
            assert await load is Loading.GONE

    scenario(steps)


def test_a_frozen_zone_is_loaded_by_order_only(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7")

    async def steps() -> None:
        async with running() as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await keeper.idle()
            await keeper.freeze(ID)
            path.write_text("8 192.0.2.1")
            keeper.files_changed({str(path)})
            keeper.reload(force=True)
            await keeper.idle()
            assert recorder.serials == [7]
            assert await keeper.load(ID) is Loading.LOADED
            path.write_text("9 192.0.2.1 192.0.2.2")
            keeper.configure([zone_config(path, rdclass=1, type=ZoneType.NATIVE)])
            await keeper.idle()
            assert recorder.serials[-1] == 8, "it stays frozen under another statement"
            assert await keeper.thaw(ID) is Loading.LOADED
            assert recorder.serials[-1] == 9
            assert await keeper.thaw(ID) is Loading.CURRENT

    scenario(steps)


def test_a_zone_is_frozen_once_what_is_under_way_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("7")
    reader = HeldReader()

    async def steps() -> None:
        async with running(reader) as (keeper, recorder):
            keeper.configure([zone_config(path)])
            await asyncio.to_thread(reader.began.wait, 10)
            freezing = asyncio.create_task(keeper.freeze(ID))
            await asyncio.sleep(0)
            assert not freezing.done()
            reader.go_on.set()
            await freezing
            assert recorder.serials == [], "what was read is not published any more"
            await keeper.thaw(ID)
            assert recorder.serials == [7]
            with keeper.storing(ID):
                freezing = asyncio.create_task(keeper.freeze(ID))
                await asyncio.sleep(0)
                assert not freezing.done()
            await freezing

    scenario(steps)


def test_what_is_urgent_goes_first_and_one_zone_is_one_wish() -> None:
    queue = LoadQueue()
    for number in range(5):
        queue.add(Wish(("_default", bytes([number])), urgent=False, only_if_changed=True))
    one, other = ("_default", b"\x01"), ("_default", b"\x03")
    queue.add(Wish(one, urgent=True, only_if_changed=True))
    queue.add(Wish(other, urgent=True, only_if_changed=True))
    queue.add(Wish(one, urgent=True, only_if_changed=False, by_order=True))
    assert len(queue) == 7
    batch = queue.next_batch(10, but={other})
    assert [(wish.zone_id, wish.only_if_changed, wish.by_order) for wish in batch] == [(one, False, True)]
    assert [wish.zone_id for wish in queue.next_batch(10, but=())] == [other]
    assert len(queue.next_batch(3, but=())) == 3
    assert len(queue.next_batch(3, but=())) == 2
    assert queue.next_batch(3, but=()) == []
