"""Work that goes on after the answer: it can be followed, ends once, and is forgotten in the end."""

from __future__ import annotations

import asyncio

import pytest

from bindpy.control.errors import VerbError
from bindpy.control.jobs import MAX_KEPT, Job, Jobs, Progress


def test_progress_is_told_until_the_end() -> None:
    async def scenario() -> None:
        jobs = Jobs()
        go_on = asyncio.Event()

        async def work(job: Job) -> str:
            job.report(Progress(1, 3, "zones"))
            await go_on.wait()
            job.report(Progress(3, 3, "zones"))
            return "3 zones"

        job = jobs.start("reload", work)
        seen = []
        async for progress in job.follow():
            seen.append(progress)
            if progress.done == 1:
                go_on.set()
        assert seen == [Progress(), Progress(1, 3, "zones"), Progress(3, 3, "zones")]
        assert (job.text, job.error, job.ended_at is not None) == ("3 zones", None, True)
        assert jobs.get(job.number) is job
        assert [one async for one in job.follow()] == [Progress(3, 3, "zones")]

    asyncio.run(scenario())


def test_many_may_follow_one_job() -> None:
    async def scenario() -> None:
        jobs = Jobs()
        go_on = asyncio.Event()

        async def work(job: Job) -> str:
            await go_on.wait()
            return "done"

        async def follow(job: Job) -> str:
            async for _ in job.follow():
                go_on.set()
            return job.text

        job = jobs.start("x", work)
        assert await asyncio.gather(*(follow(job) for _ in range(5))) == ["done"] * 5

    asyncio.run(scenario())


def test_a_job_that_fails_says_why() -> None:
    async def scenario() -> None:
        jobs = Jobs()

        async def work(job: Job) -> str:
            raise VerbError("failure", "a.db:3: bad")

        job = jobs.start("x", work)
        async for _ in job.follow():
            pass
        assert job.error is not None
        assert job.error.text == "a.db:3: bad"

    asyncio.run(scenario())


def test_a_fault_of_ours_and_the_end_of_the_server_end_a_job(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        jobs = Jobs()

        async def broken(job: Job) -> str:
            raise ZeroDivisionError

        async def endless(job: Job) -> str:
            await asyncio.Event().wait()
            return ""

        one, other = jobs.start("broken work", broken), jobs.start("y", endless)
        async for _ in one.follow():
            pass
        await jobs.close()
        assert one.error is not None
        assert other.error is not None
        assert [progress async for progress in other.follow()] == [Progress()]

    asyncio.run(scenario())
    assert "broken work failed" in caplog.text


def test_jobs_that_have_ended_are_forgotten_in_the_end() -> None:
    async def scenario() -> None:
        jobs = Jobs()

        async def work(job: Job) -> str:
            return ""

        async def endless(job: Job) -> str:
            await asyncio.Event().wait()
            return ""

        runs = jobs.start("endless", endless)
        for _ in range(2 * MAX_KEPT):
            async for _ in jobs.start("x", work).follow():
                pass
        kept = [number for number in range(1, 2 * MAX_KEPT + 2) if jobs.get(number) is not None]
        assert kept[0] == runs.number
        assert len(kept) <= MAX_KEPT + 2
        await jobs.close()

    asyncio.run(scenario())
