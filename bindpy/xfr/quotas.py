"""Who may go next: a rate of queries, and places for transfers, both by priority and then by age."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

Priority: TypeAlias = int
"""The lower goes first."""

_BURST_S = 0.25
"""After a pause so many seconds' worth of queries may go at once, one at least."""


class QueryRate:
    """Lets *per_s* callers pass in a second. *on_turn* is called whenever one has passed.

    Belongs to one event loop. Callers that are cancelled while they wait give their turn up.
    """

    def __init__(self, per_s: float, on_turn: Callable[[], None]) -> None:
        self.per_s = per_s
        self._on_turn = on_turn
        self._waiting: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_free(self) -> bool:
        """Whether nobody waits for a turn."""
        return not self._waiting

    async def turn(self, priority: Priority) -> None:
        """Wait for a turn."""
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._numbers), future))
        self._grant()
        await future

    def _grant(self) -> None:
        loop = asyncio.get_running_loop()
        interval_s = 1.0 / self.per_s
        while self._waiting:
            _, _, future = self._waiting[0]
            if future.done():  # cancelled
                heapq.heappop(self._waiting)
                continue
            now = loop.time()
            free_at = max(self._free_at, now - max(0.0, _BURST_S - interval_s))
            if free_at > now:
                if self._timer is None:
                    self._timer = loop.call_at(free_at, self._wake)
                return
            heapq.heappop(self._waiting)
            self._free_at = free_at + interval_s
            future.set_result(None)
            self._on_turn()

    def _wake(self) -> None:
        self._timer = None
        self._grant()

    def close(self) -> None:
        """Stop the clock; who waits still is not let pass any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class TransferSlots:
    """At most *total* at a time, and for each peer as many as each caller says. Belongs to one event loop."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._waiting: list[tuple[Priority, int, str, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._busy: Counter[str] = Counter()

    @property
    def busy(self) -> int:
        """How many places are taken."""
        return self._busy.total()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return sum(not future.done() for *_, future in self._waiting)

    def resize(self, total: int) -> None:
        """Allow *total* from now on; those that have begun go on."""
        self._total = total
        self._grant()

    @asynccontextmanager
    async def place(self, peer: str, per_peer: int, priority: Priority) -> AsyncIterator[None]:
        """Hold one of the places of *peer*, which may have *per_peer* of them."""
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._numbers), peer, per_peer, future))
        self._grant()
        try:
            await future
            yield
        finally:
            if future.done() and not future.cancelled():
                self._busy[peer] -= 1
                if not self._busy[peer]:
                    del self._busy[peer]
                self._grant()

    def _grant(self) -> None:
        passed_over = []
        while self._waiting and self.busy < self._total:
            waiting = heapq.heappop(self._waiting)
            *_, peer, per_peer, future = waiting
            if future.done():  # cancelled
                continue
            if self._busy[peer] >= per_peer:
                passed_over.append(waiting)
                continue
            self._busy[peer] += 1
            future.set_result(None)
        for waiting in passed_over:
            heapq.heappush(self._waiting, waiting)
