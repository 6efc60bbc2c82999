"""One secondary zone as its owner sees it, and as people do."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import field

from bindpy.config.model import RemoteServer
from bindpy.deferred import dataclass
from bindpy.engine import Zone
from bindpy.filter.script import NO_SCRIPT
from bindpy.reload.table import ZoneId
from bindpy.state.db import ZoneTimes
from bindpy.xfr.incoming import Incoming
from bindpy.xfr.refresh import Cause, Held, Life, Running
from bindpy.xfr.refresher import Outcome
from bindpy.xfr.report import TransferReport, UnderWay


@dataclass(frozen=True, slots=True)
class Clocks:
    """What time it is: ``steady`` never jumps, ``wall`` is what people and files go by."""

    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    def to_wall(self, steady: float) -> float:
        """Return the wall time of a steady one."""
        return self.wall() + steady - self.steady()

    def to_steady(self, wall: float) -> float:
        """Return the steady time of a wall time."""
        return self.steady() + wall - self.wall()


@dataclass(frozen=True, slots=True)
class SecondaryStatus:
    """How a secondary zone stands, for people. Times are seconds since 1970, None where there are none.

    ``state`` is "no data yet", "fresh", "stale" or "expired". ``primary`` is the one that last confirmed or
    sent the zone, ``serial`` the one that it has (a script may have rewritten the one that is served);
    ``trouble`` is why the last refresh failed, or the zone's script did (then ``by_script``), "" when none
    did. ``under_way`` is the transfer that goes on, ``transfer`` the last one that went well since the start.
    """

    state: str
    is_refreshing: bool
    serial: int | None
    refreshed_at: float | None
    next_refresh_at: float | None
    expires_at: float | None
    primary: str
    trouble: str
    by_script: bool
    under_way: UnderWay | None
    transfer: TransferReport | None


@dataclass(slots=True)
class Secondary:
    """One secondary zone; ``Secondaries`` owns it.

    ``begun`` counts its refreshes; ``waiting`` are those who wait for the end of one of them, by its number.
    """

    id: ZoneId
    number: int
    life: Life
    primaries: tuple[RemoteServer, ...]
    script: str | None
    is_read: bool  # its file was looked at, or it has none: only then is it known what is missing
    wake_at: float = math.inf
    queued: Cause | None = None
    task: asyncio.Task[None] | None = None
    good_primary: str = ""
    outcome: Outcome = field(default_factory=Outcome)
    transfer: TransferReport | None = None
    begun: int = 0
    waiting: list[tuple[int, asyncio.Future[None]]] = field(default_factory=list)
    _incoming: tuple[str, Incoming] | None = None

    def transfer_begins(self, primary: str, incoming: Incoming) -> None:
        """Note that a transfer from *primary* begins."""
        self._incoming = primary, incoming

    def ended(self, outcome: Outcome) -> None:
        """Note what came of the refresh that was begun last, and tell those who wait for it."""
        self.outcome = outcome
        self.transfer = outcome.transfer or self.transfer
        self.good_primary = outcome.primary or self.good_primary

    def release(self, *, all_of_them: bool = False) -> None:
        """Wake those who wait for a refresh that has ended, or for any, as the zone is gone."""
        self._incoming = None
        for number, waiting in self.waiting:
            if (all_of_them or number <= self.begun) and not waiting.done():
                waiting.set_result(None)
        self.waiting = [one for one in self.waiting if not one[1].done()]

    def next_end(self) -> asyncio.Future[None]:
        """Return what is done when the next refresh that begins from now on has ended."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((self.begun + 1, future))
        return future

    def status(self, clocks: Clocks) -> SecondaryStatus:
        """Return how the zone stands."""
        data, to_wall = self.life.data, clocks.to_wall
        next_at = self.life.next_refresh
        held = data if isinstance(data, Held) else None
        under_way = None
        if self._incoming is not None:
            primary, incoming = self._incoming
            under_way = UnderWay(primary, incoming.progress.records, incoming.progress.octets)
        return SecondaryStatus(
            state=data.name,
            is_refreshing=isinstance(self.life.work, Running),
            serial=held.serial if held is not None else None,
            refreshed_at=to_wall(held.refreshed_at) if held is not None else None,
            next_refresh_at=to_wall(next_at) if next_at is not None else None,
            expires_at=to_wall(held.expires_at) if held is not None else None,
            primary=self.good_primary,
            trouble=self.outcome.trouble,
            by_script=self.outcome.by_script,
            under_way=under_way,
            transfer=self.transfer,
        )

    def times(self, clocks: Clocks, served: Zone | None) -> ZoneTimes | None:
        """Return what the state database is to know of the zone, which is *served*; None: nothing."""
        held = self.life.data
        if not isinstance(held, Held):
            return None
        return ZoneTimes(
            *self.id,
            primary_serial=held.serial,
            refreshed_at=clocks.to_wall(held.refreshed_at),
            next_refresh_at=clocks.to_wall(self.life.next_refresh or clocks.steady()),
            expires_at=clocks.to_wall(held.expires_at),
            last_primary=self.good_primary,
            served_serial=served.serial if served is not None else None,
            filtered_by=self.life.filtered_by or NO_SCRIPT,
        )
