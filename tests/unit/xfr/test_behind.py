"""Large zones are served before they are stored: what is noted, and what is played onto which file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bindpy.config.model import Config, ZoneChecks
from bindpy.engine import Zone
from bindpy.reload.keeper import ZoneKeeper
from bindpy.state import unwritten
from bindpy.state.codec import encode_delta
from bindpy.state.db import StateDb
from bindpy.xfr import behind as behind_module
from bindpy.xfr.behind import WriteBehind
from bindpy.xfr.secondaries import Secondaries
from bindpy.xfr.store import StoreError, store_zone
from bindpy.xfr.unwritten import Unwritten
from tests.support.engines import make_engine
from tests.unit.xfr.honest import ORIGIN, Honest, version
from tests.unit.xfr.replicating import ID, World, conf, rise, scenario

pytestmark = pytest.mark.usefixtures("engine", "small_is_large")


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind_module, "LARGE_RECORDS", 10)


class Store:
    """Stands before `store_zone`: it may be held, or fail; ``written`` counts the files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.free.set()
        self.fails = False
        self.written = 0
        monkeypatch.setattr(behind_module, "store_zone", self)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.free.wait(10)
        if self.fails:
            raise StoreError("the disk is full")
        self.written += 1
        return store_zone(*arguments, **options)


class LargeWorld(World):
    """Secondaries with a `WriteBehind`."""

    def __init__(self, keeper: ZoneKeeper, secondaries: Secondaries, state: StateDb) -> None:
        super().__init__(keeper, secondaries, state)
        self.unwritten: Unwritten
        self.behind: WriteBehind

    @property
    def is_noted(self) -> bool:
        return self.unwritten.of(ID) is not None


@asynccontextmanager
async def large_world(config: Config, folder: Path) -> AsyncIterator[LargeWorld]:
    engine = make_engine()
    state = StateDb.open(str(folder))
    noted = Unwritten(engine.zones)
    await noted.open(state)
    secondaries: Secondaries
    behind: WriteBehind
    with ThreadPoolExecutor(2) as executor:
        keeper = ZoneKeeper(
            engine.answerer,
            noted.read_file,
            executor,
            lambda zone_id, files: None,
            lambda entry, before, after: behind.published(entry),
            is_expired=lambda *told: secondaries.is_expired(*told),  # noqa: PLW0108 - it is made below
        )
        behind = WriteBehind(keeper, executor, engine.zones, noted)
        keeper.configure(config.zones())
        secondaries = Secondaries(keeper, executor, engine.zones, random_source=lambda: 0.0, behind=behind)
        secondaries.configure(config)
        await secondaries.restore(state)
        tasks = [asyncio.create_task(keeper.run()), asyncio.create_task(secondaries.run())]
        here = LargeWorld(keeper, secondaries, state)
        here.unwritten, here.behind = noted, behind
        try:
            yield here
        finally:
            await behind.finish(5)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await state.close()


@asynccontextmanager
async def replicating(folder: Path) -> AsyncIterator[tuple[Honest, LargeWorld]]:
    """A primary and its secondary, which has the version 1 and its file."""
    async with Honest(version(1)) as primary, large_world(conf(folder, primary.remote), folder) as here:
        await here.until_serial(1)
        yield primary, here


def in_file(folder: Path) -> int:
    """Return the serial of the version that the file holds, which must be whole."""
    loaded = make_engine().zones.read_file(str(folder / "copy.db"), ORIGIN, 1, ZoneChecks(primary=False))
    assert loaded.zone is not None
    assert set(loaded.zone.rrs()) == set(version(loaded.zone.serial).rrs())
    return loaded.zone.serial


def test_deltas_are_served_first_and_written_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps() -> None:
        store = Store(monkeypatch)
        async with replicating(tmp_path) as (primary, here):
            assert not here.is_noted
            store.free.clear()
            await rise(here, primary, 2, 3, 4)
            assert here.is_noted
            assert in_file(tmp_path) == 1
            store.free.set()
            await here.until(lambda: not here.is_noted)
            assert in_file(tmp_path) == 4
            assert store.written == 2
            assert await here.keeper.load(ID, force=True)
            assert here.zone.serial == 4

    scenario(steps)
    assert not any(".bindpy-" in path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("edited", [False, True], ids=["as it was", "edited meanwhile"])
def test_the_next_start_plays_them_onto_the_file_that_they_belong_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, edited: bool
) -> None:
    async def steps() -> None:
        store = Store(monkeypatch)
        async with Honest(version(1)) as primary:
            config = conf(tmp_path, primary.remote)
            async with large_world(config, tmp_path) as here:
                await here.until_serial(1)
                store.fails = True
                await rise(here, primary, 2, 3)
                await here.behind.rest(ID)
                assert (here.is_noted, in_file(tmp_path)) == (True, 1)
            assert "serial 3 is served and was not stored: the disk is full" in caplog.text
            store.fails = False
            primary.instead = lambda packet, over_tcp: ()  # nothing comes from there now
            if edited:
                text = (tmp_path / "copy.db").read_text()
                (tmp_path / "copy.db").write_text(f"{text}; a comment\n")
            async with large_world(config, tmp_path) as here:
                await here.until(lambda: here.entry.zone is not None)
                assert here.zone.serial == (1 if edited else 3)
                await here.until(lambda: not here.is_noted)
            assert in_file(tmp_path) == (1 if edited else 3)
            assert ("do not belong to that file as it is now: discarded" in caplog.text) == edited
            async with large_world(config, tmp_path) as here:
                await here.until(lambda: here.entry.zone is not None)
                assert here.zone.serial == (1 if edited else 3)
                assert not here.is_noted

    scenario(steps)


def test_a_file_in_place_of_which_none_was_noted_to_be_is_not_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async with replicating(tmp_path) as (primary, here):

            async def no(*_: object) -> bool:
                return False

            with monkeypatch.context() as patch:
                patch.setattr(here.unwritten, "is_to_be", no)
                await rise(here, primary, 2)
                await here.behind.rest(ID)
            assert "the state database cannot take note of it" in caplog.text
            assert (here.is_noted, in_file(tmp_path)) == (True, 1)
            await rise(here, primary, 3)
            await here.until(lambda: not here.is_noted)
            assert in_file(tmp_path) == 3

    scenario(steps)


def test_a_whole_zone_takes_the_place_of_what_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps() -> None:
        store = Store(monkeypatch)
        async with replicating(tmp_path) as (primary, here):
            store.fails = True
            await rise(here, primary, 2)
            await here.behind.rest(ID)
            primary.refuses = {"IXFR"}
            await rise(here, primary, 3)
            assert (here.is_noted, in_file(tmp_path)) == (False, 3)

    scenario(steps)


Reason = Callable[[LargeWorld, pytest.MonkeyPatch], None]
REASONS: dict[str, Reason] = {
    "small zone": lambda here, patch: patch.setattr(behind_module, "LARGE_RECORDS", 1000),
    "large delta": lambda here, patch: patch.setattr(behind_module, "MOST_RECORDS", 2),
    "no database": lambda here, patch: patch.setattr(here.state, "path", None),
    "database fails": lambda here, patch: patch.setattr(here.state, "run", _nothing),
    "checks": lambda here, patch: patch.setattr(here.behind, "_may_be_served", lambda *_: False),
}


async def _nothing(_: object, otherwise: object, **__: object) -> object:
    return otherwise


@pytest.mark.parametrize("reason", REASONS)
def test_else_they_are_stored_before_they_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    async def steps() -> None:
        async with replicating(tmp_path) as (primary, here):
            with monkeypatch.context() as patch:
                REASONS[reason](here, patch)
                await rise(here, primary, 2)
                assert (here.is_noted, in_file(tmp_path)) == (False, 2)

    scenario(steps)


@pytest.mark.parametrize("at_once", [0, 500], ids=["in a worker thread", "at once"])
def test_what_the_checks_refuse_is_neither_noted_nor_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(behind_module, "AT_ONCE_RECORDS", at_once)

    async def steps() -> None:
        async with replicating(tmp_path) as (primary, here):
            primary.publish(version(2, "h150 CNAME www\n"))
            here.notify(2)
            await here.until_trouble()
            assert "CNAME and other data" in here.status.trouble
            assert (here.zone.serial, here.is_noted, in_file(tmp_path)) == (1, False, 1)
            await rise(here, primary, 3)
            await here.until(lambda: not here.is_noted)
            assert in_file(tmp_path) == 3

    scenario(steps)


def test_deltas_that_nobody_has_served_are_no_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        store = Store(monkeypatch)
        async with replicating(tmp_path) as (primary, here):
            store.fails = True
            engine = make_engine()
            delta = engine.zones.diff(_own(here.zone), _own(version(5)))
            assert await here.unwritten.note(here.entry, (delta,))  # as by a refresh that was cancelled
            await rise(here, primary, 2)
            assert (here.is_noted, in_file(tmp_path)) == (False, 2)

    scenario(steps)


def test_what_a_cancelled_refresh_has_noted_is_not_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps() -> None:
        store = Store(monkeypatch)
        async with Honest(version(1)) as primary:
            config = conf(tmp_path, primary.remote)
            async with large_world(config, tmp_path) as here:
                await here.until_serial(1)
                store.fails = True
                await rise(here, primary, 2)
                noted = here.unwritten.of(ID)
                assert noted is not None
                last, _ = noted.deltas[-1]
                row = encode_delta(make_engine().zones.diff(_own(version(2)), _own(version(5))))
                assert await here.state.run(lambda db: unwritten.add(db, ID, None, last, [row]), [])
                await rise(here, primary, 3)
            primary.instead = lambda packet, over_tcp: ()  # nothing comes from there now
            async with large_world(config, tmp_path) as here:
                await here.until(lambda: here.entry.zone is not None)
                assert here.zone.serial == 3

    scenario(steps)


def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind_module, "MOST_WAITING", 2)


def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind_module, "MOST_WAITING_RECORDS", 5)  # each has three


@pytest.mark.parametrize("limit", [_few, _short])
def test_no_more_is_noted_than_so_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: Callable[[pytest.MonkeyPatch], None]
) -> None:
    limit(monkeypatch)

    async def steps() -> None:
        store = Store(monkeypatch)
        async with replicating(tmp_path) as (primary, here):
            store.fails = True
            await rise(here, primary, 2, 3)
            assert (here.is_noted, in_file(tmp_path)) == (True, 1)
            await rise(here, primary, 4)
            assert (here.is_noted, in_file(tmp_path)) == (False, 4)

    scenario(steps)


def test_what_comes_before_the_file_was_read_by_another_statement_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        store = Store(monkeypatch)
        async with replicating(tmp_path) as (primary, here):
            store.fails = True
            await rise(here, primary, 2)
            await here.behind.rest(ID)
            with here.keeper.storing(ID):  # so that the file is not read yet
                settings = here.entry.config.settings
                checks = replace(settings.checks, wildcard=not settings.checks.wildcard)
                here.keeper.put(replace(here.entry.config, settings=replace(settings, checks=checks)))
                store.fails = False
                await rise(here, primary, 3)
            await here.keeper.idle()
            assert here.zone.serial == 3
            await here.until(lambda: not here.is_noted)
            assert in_file(tmp_path) == 3
            assert "discarded" not in caplog.text

    scenario(steps)


def test_zones_that_are_gone_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        store = Store(monkeypatch)
        async with replicating(tmp_path) as (primary, here):
            store.fails = True
            await rise(here, primary, 2)
            here.unwritten.retain({ID})
            assert here.is_noted
            here.unwritten.retain(())
            assert not here.is_noted

    scenario(steps)


def _own(zone: Any) -> Zone:
    """Return *zone* as one of the present engine."""
    builder = make_engine().zones.builder(zone.origin, 1)
    for rr in zone.rrs():
        builder.add(*rr)
    made: Zone = builder.finish()
    return made
