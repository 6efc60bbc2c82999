"""A reread of named.conf that takes longer than anybody waits: the answer comes first, its end is told."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from bindpy.control import verbs_reload
from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job, Jobs, Progress
from bindpy.control.registry import execute
from bindpy.control.verb import Caller
from bindpy.host import UnusableError


class SlowServer:
    """A server without zones that rereads named.conf when ``go_on`` is set."""

    def __init__(self) -> None:
        self.jobs = Jobs()
        self.keeper = SimpleNamespace(table=[])
        self.go_on = asyncio.Event()
        self.errors: list[str] = []

    async def reload(self) -> Job:
        await self.go_on.wait()
        if self.errors:
            raise UnusableError(self.errors)
        return self.jobs.start("loading", self._load)

    reconfig = reload

    async def _load(self, job: Job) -> str:
        job.report(Progress(5, 5, "zones"))
        return "5 of 5 zones have data"


@pytest.mark.parametrize("verb", ["reload", "reconfig", "rediscover"])
def test_a_slow_reread(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        for errors in ([], ["named.conf:1:1: error: bad"]):
            server: Any = SlowServer()
            server.errors = errors
            monkeypatch.setattr(verbs_reload, "WAIT_NOW_S", 0.01)
            result = await execute(server, verb, Caller("test"), read_only=False)
            assert (result.text, result.data) == ("server reload queued", None)
            job = result.job
            assert job is not None
            assert job.ended_at is None
            server.go_on.set()
            told = [progress async for progress in job.follow()]
            if errors:
                assert job.error is not None
                assert job.error.text == errors[0]
                monkeypatch.setattr(verbs_reload, "WAIT_NOW_S", 10)
                with pytest.raises(VerbError, match=r"named\.conf:1:1"):
                    await execute(server, verb, Caller("test"), read_only=False)
            else:
                assert (job.error, job.text, told[-1].done) == (None, "5 of 5 zones have data", 5)
            await server.jobs.close()

    asyncio.run(steps())
