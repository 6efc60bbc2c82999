"""Who may go next: rates and places."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bindpy.xfr.quotas import QueryRate, TransferSlots


def scenario(steps: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(steps(), 20))  # type: ignore[arg-type]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_turns_come_at_the_rate_and_by_priority() -> None:
    async def steps() -> None:
        loop = asyncio.get_running_loop()
        order: list[tuple[int, int]] = []
        rate = QueryRate(50, lambda: None)

        async def one(priority: int, number: int) -> None:
            await rate.turn(priority)
            order.append((priority, number))

        started = loop.time()
        tasks = [asyncio.create_task(one(2, i)) for i in range(20)]
        await settle()
        tasks += [asyncio.create_task(one(1, i)) for i in range(5)]
        await settle()
        burst, waited_s = len(order), loop.time() - started
        assert 1 <= burst <= 13 + 50 * waited_s, "a quarter of a second's worth, and what came due"
        await asyncio.gather(*tasks)
        assert loop.time() - started >= (25 - burst) / 50 * 0.9
        first = order.index((1, 0))
        assert first <= burst
        assert order[first : first + 5] == [(1, i) for i in range(5)]
        assert [pair for pair in order if pair[0] == 2] == [(2, i) for i in range(20)]
        assert rate.is_free

    scenario(steps)


def test_who_is_cancelled_gives_the_turn_up() -> None:
    async def steps() -> None:
        turns: list[None] = []
        rate = QueryRate(1, lambda: turns.append(None))
        await rate.turn(0)
        waiting = asyncio.create_task(rate.turn(0))
        await settle()
        assert not rate.is_free
        waiting.cancel()
        rate.per_s = 1000
        await rate.turn(1)
        assert waiting.cancelled()
        assert len(turns) == 2
        rate.close()

    scenario(steps)


def test_places_are_few_in_all_and_fewer_for_one_peer() -> None:
    async def steps() -> None:
        slots = TransferSlots(3)
        at_once: dict[str, int] = {"a": 0, "b": 0}
        most: dict[str, int] = {"a": 0, "b": 0, "all": 0}

        async def one(peer: str) -> None:
            async with slots.place(peer, 2, 0):
                at_once[peer] += 1
                most[peer] = max(most[peer], at_once[peer])
                most["all"] = max(most["all"], slots.busy)
                await settle()
                at_once[peer] -= 1

        await asyncio.gather(*(one(peer) for peer in "aaaaaaabbbb"))
        assert most["a"] == 2
        assert most["b"] <= 2
        assert most["all"] == 3
        assert slots.busy == 0

    scenario(steps)


def test_a_busy_peer_does_not_hold_up_others_and_priority_goes_first() -> None:
    async def steps() -> None:
        slots = TransferSlots(2)
        order: list[str] = []
        release = asyncio.Event()

        async def one(peer: str, priority: int, name: str) -> None:
            async with slots.place(peer, 1, priority):
                order.append(name)
                await release.wait()

        tasks = [asyncio.create_task(one("a", 2, "first")), asyncio.create_task(one("a", 2, "later"))]
        await settle()
        tasks += [asyncio.create_task(one("a", 0, "urgent")), asyncio.create_task(one("b", 2, "other"))]
        await settle()
        assert order == ["first", "other"]
        assert slots.waiting == 2
        release.set()
        await asyncio.gather(*tasks)
        assert order == ["first", "other", "urgent", "later"]

    scenario(steps)


def test_a_place_is_freed_however_it_ends() -> None:
    async def steps() -> None:
        slots = TransferSlots(1)

        async def fail() -> None:
            async with slots.place("a", 1, 0):
                raise ValueError

        async def hang() -> None:
            async with slots.place("a", 1, 0):
                await asyncio.Event().wait()

        for failing in (fail(), fail()):
            assert isinstance((await asyncio.gather(failing, return_exceptions=True))[0], ValueError)
        holding, waiting, last = (asyncio.create_task(hang()) for _ in range(3))
        await settle()
        waiting.cancel()
        holding.cancel()
        await settle()
        assert slots.busy == 1, "the last one has it"
        last.cancel()
        await asyncio.gather(holding, waiting, last, return_exceptions=True)
        assert slots.busy == 0

    scenario(steps)


def test_more_places_are_used_at_once() -> None:
    async def steps() -> None:
        slots = TransferSlots(1)
        release = asyncio.Event()

        async def one() -> None:
            async with slots.place("a", 5, 0):
                await release.wait()

        tasks = [asyncio.create_task(one()) for _ in range(3)]
        await settle()
        assert slots.busy == 1
        slots.resize(3)
        assert slots.busy == 3
        release.set()
        await asyncio.gather(*tasks)

    scenario(steps)
