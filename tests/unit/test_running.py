"""Requests to reread named.conf are gathered while one is fulfilled."""

from __future__ import annotations

import asyncio

import pytest

from bindpy.running import Stop, Wishes


def test_wishes_that_come_meanwhile_are_one_more() -> None:
    async def steps() -> None:
        wishes = Wishes()
        first = wishes.add("rereading", whole=False)
        assert wishes.add("rereading", whole=False) is first
        assert await wishes.next() is first
        second = wishes.add("rereading", whole=False)
        assert second is not first
        assert wishes.add("received SIGHUP: reloading", whole=True) is second
        assert wishes.add("rereading", whole=False) is second
        taken = await wishes.next()
        assert (taken, taken.whole, taken.why) == (second, True, "received SIGHUP: reloading")
        waiting = asyncio.create_task(wishes.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        third = wishes.add("reloading", whole=True)
        assert await waiting is third

    asyncio.run(steps())


def test_a_stop_at_once_stays_one(caplog: pytest.LogCaptureFixture) -> None:
    async def steps() -> None:
        stop = Stop()
        waiting = asyncio.create_task(stop.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        stop("by command", at_once=True)
        stop("on SIGTERM")
        await waiting
        assert stop.at_once

    with caplog.at_level("INFO"):
        asyncio.run(steps())
    assert caplog.messages == ["stopping by command", "stopping on SIGTERM"]
