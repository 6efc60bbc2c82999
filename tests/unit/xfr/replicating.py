"""Secondary zones with everything below them real, for primaries of the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bindpy.config.model import Config, RemoteServer
from bindpy.engine import Zone
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry, ZoneId
from bindpy.state.db import StateDb
from bindpy.xfr.secondaries import Secondaries
from bindpy.xfr.secondary import SecondaryStatus
from tests.support.engines import make_engine
from tests.unit.server.test_control_plane import configuration
from tests.unit.xfr.honest import ORIGIN, Honest, version

ID: ZoneId = ("_default", ORIGIN)


class World:
    """Secondaries with everything below them real, but for the configuration's zones."""

    def __init__(self, keeper: ZoneKeeper, secondaries: Secondaries, state: StateDb) -> None:
        self.keeper = keeper
        self.secondaries = secondaries
        self.state = state

    @property
    def entry(self) -> ZoneEntry:
        entry = self.keeper.table.get(ID)
        assert entry is not None
        return entry

    @property
    def zone(self) -> Zone:
        assert self.entry.zone is not None
        return self.entry.zone

    @property
    def status(self) -> SecondaryStatus:
        status = self.secondaries.status(ID)
        assert status is not None
        return status

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of tests
            await asyncio.sleep(0.005)

    async def until_serial(self, serial: int) -> None:
        await self.until(lambda: self.status.serial == serial and not self.status.is_refreshing)

    async def until_next_is_in(self, wait_s: float) -> None:
        next_at = pytest.approx(time.time() + wait_s, abs=30)
        await self.until(lambda: self.status.next_refresh_at == next_at)

    def holds(self, zone: Zone) -> bool:
        """Return whether what is served has the records of *zone*, which may be of another engine."""
        return set(self.zone.rrs()) == set(zone.rrs())

    async def until_trouble(self) -> None:
        await self.until(lambda: bool(self.status.trouble))

    def notify(self, serial: int, source: str = "127.0.0.1") -> None:
        self.secondaries.notified(ID, source, serial)


@asynccontextmanager
async def world(config: Config, folder: Path) -> AsyncIterator[World]:
    engine = make_engine()
    state = StateDb.open(str(folder))
    secondaries: Secondaries
    with ThreadPoolExecutor(2) as executor:
        keeper = ZoneKeeper(
            engine.answerer,
            engine.zones.read_file,
            executor,
            lambda zone_id, files: None,
            lambda entry, before, after: None,
            is_expired=lambda *told: secondaries.is_expired(*told),  # noqa: PLW0108 - it is made below
        )
        keeper.configure(config.zones())
        secondaries = Secondaries(keeper, executor, engine.zones, random_source=lambda: 0.0)
        secondaries.configure(config)
        await secondaries.restore(state)
        tasks = [asyncio.create_task(keeper.run()), asyncio.create_task(secondaries.run())]
        try:
            yield World(keeper, secondaries, state)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            await state.close()
            assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


def conf(folder: Path, *primaries: RemoteServer, zone: str = 'file "copy.db";', more: str = "") -> Config:
    remotes = " ".join(f"{remote.address} port {remote.port};" for remote in primaries)
    text = f'zone "example.com" {{ type secondary; {zone} primaries {{ {remotes} }}; }};'
    return configuration(folder, f'options {{ directory "{folder}"; }};\n{more}\n{text}')


def scenario(steps: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(steps(), 20))  # type: ignore[arg-type]


async def rise(here: World, primary: Honest, *serials: int) -> None:
    """Publish versions one after the other, tell of each and wait until it is here."""
    for serial in serials:
        primary.publish(version(serial))
        here.notify(serial)
        await here.until_serial(serial)
        assert here.holds(primary.zone)
