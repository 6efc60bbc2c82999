"""What is loaded next: edits and what people wait for go before the bulk of a start or a reload."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Container, Iterator

from bindpy.deferred import dataclass
from bindpy.reload.table import ZoneId


class Loading(enum.Enum):
    """What became of a zone that was to be loaded."""

    CURRENT = "up to date"  # its files are as they were when they were read
    LOADED = "loaded"
    FAILED = "failed"  # the zone's errors say why
    GONE = "gone"  # it is not configured any more, or has no file


@dataclass(slots=True, eq=False)
class Wish:
    """One zone that is to be loaded, for everybody who wants it.

    ``by_order``: somebody said so, which holds for a frozen zone, too.
    """

    zone_id: ZoneId
    urgent: bool
    only_if_changed: bool
    by_order: bool = False
    waiting: tuple[asyncio.Future[Loading], ...] = ()

    def and_also(self, other: Wish) -> None:
        """Do for *other*, too."""
        self.only_if_changed = self.only_if_changed and other.only_if_changed
        self.by_order = self.by_order or other.by_order
        self.waiting += other.waiting

    def end(self, became: Loading) -> None:
        """Tell all who wait."""
        for waiting in self.waiting:
            if not waiting.done():
                waiting.set_result(became)


class LoadQueue:
    """The wishes in the order in which they are fulfilled, one for each zone and kind."""

    def __init__(self) -> None:
        self._urgent: dict[ZoneId, Wish] = {}
        self._bulk: dict[ZoneId, Wish] = {}

    def __len__(self) -> int:
        return len(self._urgent) + len(self._bulk)

    def __contains__(self, zone_id: ZoneId) -> bool:
        return zone_id in self._urgent or zone_id in self._bulk

    def add(self, wish: Wish) -> None:
        """Have *wish* fulfilled, together with one for the same zone that waits already."""
        queue = self._urgent if wish.urgent else self._bulk
        waiting = queue.get(wish.zone_id)
        if waiting is None:
            queue[wish.zone_id] = wish
        else:
            waiting.and_also(wish)

    def next_batch(self, most: int, *, but: Container[ZoneId]) -> list[Wish]:
        """Take up to *most* wishes of the kind that comes first; zones in *but* stay where they are."""
        for queue in (self._urgent, self._bulk):
            batch = list(_first(queue, most, but))
            for wish in batch:
                del queue[wish.zone_id]
            if batch:
                return batch
        return []


def _first(queue: dict[ZoneId, Wish], most: int, but: Container[ZoneId]) -> Iterator[Wish]:
    found = 0
    for zone_id, wish in queue.items():
        if found >= most:
            return
        if zone_id not in but:
            found += 1
            yield wish
