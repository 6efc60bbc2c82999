"""Work that a command starts and does not wait for: how far it is, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from bindpy.control.errors import VerbError
from bindpy.deferred import dataclass
from bindpy.server.tasks import TaskSet

log = logging.getLogger("bindpy.general")

MAX_KEPT = 100
"""How many jobs that have ended can still be asked about."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: ``done`` of ``total`` ``unit``; a ``total`` of None is not known.

    ``text`` is for people.
    """

    done: int = 0
    total: int | None = None
    unit: str = ""
    text: str = ""


class Job:
    """One piece of work. ``number`` names it; ``what`` says for people what it is.

    It has ended when ``ended_at`` (seconds since 1970) is not None; ``error`` is then None if it went well,
    and ``text`` says what became of it.
    """

    def __init__(self, number: int, what: str) -> None:
        self.number = number
        self.what = what
        self.started_at = time.time()
        self.ended_at: float | None = None
        self.progress = Progress()
        self.text = ""
        self.error: VerbError | None = None
        self._changed = asyncio.Event()
        self._over = asyncio.Event()

    def report(self, progress: Progress) -> None:
        """Tell those who follow how far it is."""
        if progress != self.progress:
            self.progress = progress
            self._wake()

    def end(self, text: str = "", error: VerbError | None = None) -> None:
        """Note that it has ended, by *error* if that is not None. What is told later changes nothing."""
        if self.ended_at is None:
            self.text, self.error, self.ended_at = text, error, time.time()
            self._over.set()
            self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the end, for *timeout_s* at most; return whether it has come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._over.wait()
        return self.ended_at is not None

    async def follow(self) -> AsyncIterator[Progress]:
        """Yield how far it is, at once and after each change, until it has ended.

        Who is slow misses what was in between, and holds nobody up.
        """
        told: Progress | None = None
        while True:
            changed = self._changed
            if self.progress != told:
                told = self.progress
                yield told
            if self.ended_at is not None:
                return
            if changed is self._changed:
                await changed.wait()


class Jobs:
    """The jobs of one server. All methods belong to the event loop's thread."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._tasks = TaskSet(log)

    def get(self, number: int) -> Job | None:
        """Return a job that is under way or has ended not long ago."""
        return self._jobs.get(number)

    def start(self, what: str, work: Callable[[Job], Awaitable[str]]) -> Job:
        """Begin *work*, which returns what became of it, or raises `VerbError`."""
        job = Job(next(self._numbers), what)
        self._jobs[job.number] = job
        ended = [number for number, one in self._jobs.items() if one.ended_at is not None]
        for number in ended[: max(0, len(ended) - MAX_KEPT)]:
            del self._jobs[number]
        self._tasks.spawn(self._run(job, work), what)
        return job

    async def _run(self, job: Job, work: Callable[[Job], Awaitable[str]]) -> None:
        try:
            job.end(await work(job))
        except VerbError as error:
            job.end(error=error)
        finally:
            job.end(error=VerbError("failure", "ended before it was done"))

    async def close(self) -> None:
        """End all jobs that are under way."""
        await self._tasks.close()
