"""NOTIFY out (RFC 1996): tells other servers that a zone has changed, until they say that they know.

One task decides; each exchange is a task of its own, and their number is bounded. What waits is in the
`NotifyQueue`. Which serial each target has acknowledged is remembered in the state database, so that a start
tells only those who do not know yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

from bindpy.config.acl import LocalAddresses
from bindpy.config.model import Config, RemoteServer, ViewConfig, ZoneConfig
from bindpy.deferred import dataclass
from bindpy.engine import Zone
from bindpy.reload.table import ZoneEntry, ZoneId, ZoneTable
from bindpy.server.endpoint import Endpoint
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.tasks import TaskSet
from bindpy.state.db import StateDb
from bindpy.xfr.client import QueryTiming
from bindpy.xfr.failure import Stage, XferFailure
from bindpy.xfr.notify_exchange import (
    GivenUpError,
    NotNotifiedError,
    RefusedError,
    exchange,
    notify_host,
    reason,
)
from bindpy.xfr.notify_queue import PAUSES_S, Errand, Lane, NotifyQueue, TargetStatus
from bindpy.xfr.resolver import Lookup, Resolver, system_addresses
from bindpy.xfr.targets import Ourselves, ServedAddresses, find_targets, is_notifying
from bindpy.zone.names import Name
from bindpy.zone.serials import is_newer

log = logging.getLogger("bindpy.notify")

MAX_UNDER_WAY = 256
"""How many exchanges there are at a time; each has a socket."""
MAX_BY_HAND = 16
"""How many servers are told at a time because an operator named them."""
PLANNED_AT_ONCE = 50
"""After so many zones others get their turn on the event loop."""

_Asked: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class _News:
    """The last change of one zone that is told: its number, how urgent it is, the statement then."""

    number: int
    lane: Lane
    told: ZoneConfig
    is_logged: bool = False


class Notifier:
    """Tells the targets of all zones of *table*. All methods belong to the event loop's thread.

    `zone_changed` may be called from the beginning; nothing is sent before `configure` and `run`. Names that
    no zone here has are looked up only after `all_loaded`: until then, a zone may come that has them.
    *lookup* is the system resolver; *pauses_s* are the times from each try to the next.
    """

    def __init__(
        self,
        table: ZoneTable,
        state: StateDb,
        *,
        lookup: Lookup = system_addresses,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._table = table
        self._state = state
        self._queue = NotifyQueue(pauses_s=pauses_s)
        self._lookup = lookup
        self._resolver = Resolver(self._resolved, lookup)
        self._by_hand = asyncio.Semaphore(MAX_BY_HAND)
        self._served = ServedAddresses(table)
        self._are_loaded = False
        self._views: dict[str, ViewConfig] = {}
        self._ourselves = Ourselves()
        self._port = 53
        self._news: dict[ZoneId, _News] = {}
        self._numbers = 0
        self._to_plan: dict[ZoneId, None] = {}
        self._unresolved: dict[Name, set[ZoneId]] = {}
        self._acks: dict[tuple[str, bytes, str], int] = {}
        self._exchanges = TaskSet(log)
        self._failures = RateLimitedLog(log)  # a server that is away would fill the log with all its zones
        self._wake = asyncio.Event()

    # --- what is to be told -----------------------------------------------------------------------

    def configure(
        self,
        config: Config,
        endpoints: Collection[Endpoint],
        local: LocalAddresses,
        changed: Iterable[ZoneId] | None = None,
    ) -> None:
        """Use *config*, which the table has been given already; we answer at *endpoints*.

        *changed* are the zones that are new, gone or have another statement; None: any may. Zones that are
        gone are forgotten. Zones whose settings say something else about whom to tell are
        looked at anew: who has not acknowledged their serial is told.
        """
        self._views = {view.name: view for view in config.views}
        self._ourselves = Ourselves(endpoints, local)
        self._port = config.options.port
        self._queue.configure(config.options.notify_rate, config.options.startup_notify_rate)
        if changed is None:
            changed = dict.fromkeys((*self._news, *(entry.id for entry in self._table)))
        for zone_id in changed:
            self.update(zone_id)
        self._wake.set()

    def update(self, zone_id: ZoneId) -> None:
        """Take over what the table has of one zone now."""
        entry, news = self._table.get(zone_id), self._news.get(zone_id)
        if entry is None:
            self._forget(zone_id)
        elif entry.zone is not None and (news is None or _whom(news.told) != _whom(entry.config)):
            self._numbers += 1
            self._news[zone_id] = _News(self._numbers, Lane.START, entry.config)
            self._to_plan[zone_id] = None
            self._wake.set()

    def zone_changed(self, entry: ZoneEntry, before: Zone | None, after: Zone) -> None:
        """Tell the targets of *entry*'s zone about *after*, which is served in place of *before*.

        Where there was no data before, only those are told who have not acknowledged this serial. A serial
        that is not higher is not told: nobody would transfer the zone.
        """
        zone_id = entry.id
        if before is not None and not is_newer(after.serial, before.serial):
            if after.serial != before.serial:
                self._to_plan.pop(zone_id, None)
                self._queue.drop_pending(zone_id)
            return
        if before is None and zone_id not in self._news and not is_notifying(entry.config):
            return  # at a start there may be very many; `update` looks at those that shall be told of later
        self._numbers += 1
        lane = Lane.START if before is None else Lane.CHANGE
        self._news[zone_id] = _News(self._numbers, lane, entry.config)
        self._to_plan[zone_id] = None
        self._wake.set()

    def notify(self, zone_id: ZoneId) -> bool:
        """Tell all targets of the zone of what is served now, also those who know; False: that is nothing."""
        entry = self._table.get(zone_id)
        if entry is None or entry.zone is None or entry.expired:
            return False
        self._numbers += 1
        self._news[zone_id] = _News(self._numbers, Lane.CHANGE, entry.config)
        self._to_plan[zone_id] = None
        self._wake.set()
        return True

    async def notify_host(self, zone_id: ZoneId, server: RemoteServer) -> list[str]:
        """Tell any server, whose address may also be a name, of the zone; return who acknowledged.

        Raises `NotNotifiedError`.
        """
        async with self._by_hand:
            entry = self._table.get(zone_id)
            view = self._views.get(zone_id[0])
            if entry is None or entry.zone is None or view is None:
                raise NotNotifiedError("the zone is gone")
            zone, settings = entry.zone, entry.config.settings.notifying
            reached = await notify_host(server, zone, view, settings, lookup=self._lookup)
        for text in reached:
            log.info("zone %s: notify to %s: acknowledged (serial %d)", entry.label, text, zone.serial)
        return reached

    def status(self, zone_id: ZoneId) -> tuple[TargetStatus, ...]:
        """Return how each target of the zone stands."""
        return self._queue.status(zone_id)

    def all_loaded(self) -> None:
        """Ask the system from now on for the names that no zone here has."""
        self._are_loaded = True
        for zone_id in set().union(*self._unresolved.values()):
            if zone_id in self._news:
                self._to_plan[zone_id] = None
        self._unresolved.clear()
        self._wake.set()

    def _forget(self, zone_id: ZoneId) -> None:
        self._news.pop(zone_id, None)
        self._to_plan.pop(zone_id, None)
        self._queue.keep(zone_id)

    def _resolved(self, name: Name) -> None:
        """Look again at the zones that wait for *name*, if it has an address now."""
        if not (self._served.find(name, self._views) or self._resolver.addresses(name)):
            return
        for zone_id in self._unresolved.pop(name, ()):
            if zone_id in self._news:
                self._to_plan[zone_id] = None
        self._wake.set()

    # --- the task ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell what there is to tell until cancelled."""
        loop = asyncio.get_running_loop()
        self._acks = await self._state.load_acks()
        try:
            while True:
                self._wake.clear()
                for zone_id in list(itertools.islice(self._to_plan, PLANNED_AT_ONCE)):
                    del self._to_plan[zone_id]
                    self._plan(zone_id, loop.time())
                self._send(loop.time())
                if self._to_plan:
                    await asyncio.sleep(0)
                    continue
                is_full = len(self._exchanges) >= MAX_UNDER_WAY
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(None if is_full else self._queue.next_at()):
                        await self._wake.wait()
        finally:
            self._resolver.close()
            await self._exchanges.close()

    def _plan(self, zone_id: ZoneId, now: float) -> None:
        """Find out whom to tell of the zone's news."""
        entry = self._table.get(zone_id)
        if entry is None or entry.zone is None or entry.expired:
            self._forget(zone_id)
            return
        zone, config, news = entry.zone, entry.config, self._news[zone_id]
        targets = find_targets(
            zone,
            config,
            port=self._port,
            ourselves=self._ourselves,
            addresses_of=lambda name: self._addresses(name, config.view),
        )
        if not (targets.known or targets.unresolved):  # as for most of very many zones
            self._forget(zone_id)
            return
        for name in targets.unresolved:
            self._unresolved.setdefault(name.lower(), set()).add(zone_id)
        self._queue.keep(zone_id, targets.known)
        for target in targets.known:
            is_told = self._queue.want(
                zone_id,
                target,
                zone.serial,
                now,
                news=news.number,
                lane=news.lane,
                delay_s=config.settings.notifying.delay_s,
                acknowledged=self._acks.get((*zone_id, target.text)),
            )
            if is_told and not news.is_logged:
                news.is_logged = True
                log.info("zone %s: sending notifies (serial %d)", entry.label, zone.serial)

    def _addresses(self, name: Name, view: str) -> tuple[str, ...]:
        """Return what our zones know of *name*, those of *view* first, else what the system knows."""
        views = [view, *(other for other in self._views if other != view)]
        found = self._served.find(name, views)
        return found if found or not self._are_loaded else self._resolver.addresses(name)

    def _send(self, now: float) -> None:
        while len(self._exchanges) < MAX_UNDER_WAY and (errand := self._queue.take(now)) is not None:
            self._exchanges.spawn(self._tell(errand), f"NOTIFY to {errand.target.text}")

    # --- one exchange -----------------------------------------------------------------------------

    async def _tell(self, errand: Errand) -> None:
        """Tell one target of the zone as it is now, and take in what it says."""
        loop = asyncio.get_running_loop()
        entry = self._table.get(errand.zone_id)
        if entry is None or entry.zone is None or entry.expired:
            self._forget(errand.zone_id)
            self._queue.finished(errand, errand.serial, loop.time(), failure="it is gone", final=True)
            return
        zone, failure, is_final, is_refused = entry.zone, "because of a fault in bindpy", True, False
        try:
            view = self._views.get(entry.config.view)
            if view is None:
                raise GivenUpError("its view is gone")
            timing = _timing(self._queue.wait_s(errand))
            await exchange(errand.target, view, entry.config.settings.notifying, zone, timing)
            failure = ""
        except GivenUpError as error:
            failure = str(error)
        except RefusedError as error:
            failure, is_final, is_refused = str(error), False, True
        except XferFailure as error:
            failure, is_final, is_refused = reason(error), False, error.stage is Stage.TSIG
        finally:
            serial = zone.serial
            given_up = self._queue.finished(errand, serial, loop.time(), failure=failure, final=is_final)
            self._wake.set()
        text = errand.target.text
        if not failure:
            log.info("zone %s: notify to %s: acknowledged (serial %d)", entry.label, text, serial)
            await self._remember(errand, serial)
        elif failure != errand.logged and (given_up or is_refused):
            errand.logged = failure
            what_next = f" (given up after {errand.tries} tries)" if given_up else "; trying again"
            what_next = "" if is_final else what_next
            line = "zone %s: notify to %s failed: %s%s"
            self._failures.log(logging.WARNING, line, entry.label, text, failure, what_next)
        else:
            log.debug("zone %s: notify to %s: %s", entry.label, text, failure)

    async def _remember(self, errand: Errand, serial: int) -> None:
        place = (*errand.zone_id, errand.target.text)
        if self._acks.get(place) != serial:
            self._acks[place] = serial
            await self._state.save_ack(*place, serial)


def _whom(config: ZoneConfig) -> _Asked:
    """Return all of a zone's settings that say who is told."""
    settings = config.settings
    return config.type, settings.notify, settings.also_notify, settings.notifying.to_soa


def _timing(wait_s: float) -> QueryTiming:
    return QueryTiming(udp_s=wait_s, udp_attempts=1, connect_s=wait_s, tcp_s=wait_s)
