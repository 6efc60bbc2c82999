"""Replication as a whole: transfers in and out, NOTIFY in and out, the journal, and the tasks behind them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bindpy.config.acl import LocalAddresses
from bindpy.config.model import Config, RemoteServer, ZoneType
from bindpy.deferred import dataclass
from bindpy.engine import Engine, Zone
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry, ZoneId
from bindpy.server.control_plane import ControlPlane
from bindpy.server.endpoint import Endpoint
from bindpy.server.request import RequestHandler
from bindpy.server.tasks import TaskSet
from bindpy.state.db import StateDb
from bindpy.state.journal import Journal
from bindpy.state.links import JournalStatus
from bindpy.xfr.autoprimary import AutoprimaryZones
from bindpy.xfr.behind import WriteBehind
from bindpy.xfr.notify import Notifier
from bindpy.xfr.notify_exchange import NotNotifiedError
from bindpy.xfr.notify_in import NotifyIn
from bindpy.xfr.notify_queue import TargetStatus
from bindpy.xfr.outgoing import TransfersOut
from bindpy.xfr.provision import Provision
from bindpy.xfr.refresher import soa_of
from bindpy.xfr.secondaries import Activity, Secondaries
from bindpy.xfr.secondary import SecondaryStatus
from bindpy.xfr.store import remove_stale
from bindpy.xfr.unwritten import Unwritten
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.names import Key

RECORDING_TIMEOUT_S = 10.0
"""How long the end waits for changes that are being written to the journal."""
TRANSFER_THREADS = 4

log = logging.getLogger("bindpy.general")


@dataclass(frozen=True, slots=True)
class ReplicationStatus:
    """How one zone stands between servers; ``secondary`` is None for zones that are none."""

    secondary: SecondaryStatus | None
    targets: tuple[TargetStatus, ...]


class Replication:
    """Everything between this server and others. All methods belong to the event loop's thread.

    In this order: the constructor, `configure`, `open`, then the keeper may read files and `run` may begin;
    at the end `close`. *endpoints* returns where we listen, *provision* adds the zones that autoprimaries
    provide; it puts them into the keeper's table and calls `update_zone`. The keeper reads files with
    *unwritten*.
    """

    def __init__(
        self,
        engine: Engine,
        keeper: ZoneKeeper,
        endpoints: Callable[[], Collection[Endpoint]],
        provision: Provision,
        unwritten: Unwritten | None = None,
    ) -> None:
        self._zones = engine.zones
        self._unwritten = unwritten or Unwritten(engine.zones)
        self._keeper = keeper
        self._endpoints = endpoints
        self._executor = ThreadPoolExecutor(TRANSFER_THREADS, thread_name_prefix="transfer")
        self._behind = WriteBehind(keeper, self._executor, engine.zones, self._unwritten)
        self._secondaries = Secondaries(keeper, self._executor, engine.zones, behind=self._behind)
        self._transfers_out = TransfersOut(
            engine.answerer, keeper.table, zones=engine.zones, expiry=self._expires_in
        )
        self._autoprimaries = AutoprimaryZones(keeper.table, provision, self._provided)
        self._notify_in = NotifyIn(engine.answerer, keeper.table, self._secondaries, self._autoprimaries)
        self._control_plane = ControlPlane(
            engine.answerer, self._transfers_out, self._notify_in, expiry=self._expires_in
        )
        self._recording = TaskSet(log)
        self._journal: Journal | None = None
        self._notifier: Notifier | None = None
        self._state: StateDb | None = None

    def _expires_in(self, view: str, zone: Key, rdclass: int) -> int | None:
        """Return in how many seconds our copy of *zone* expires; of our own zones, what their SOA says."""
        entry = self._keeper.table.get((view, zone))
        if entry is None or entry.zone is None or entry.expired or entry.config.rdclass != rdclass:
            return None
        if entry.config.type is ZoneType.SECONDARY:
            return self._secondaries.expires_in(entry.id)
        return soa_of(entry.zone).expire

    @property
    def handler(self) -> RequestHandler:
        """What answers requests that are no plain queries. It refuses them until `configure` was called."""
        return self._control_plane

    def configure(
        self, config: Config, local: LocalAddresses, changed: Collection[ZoneId] | None = None
    ) -> None:
        """Take over *config*, after the keeper has; *local* is what ``localhost`` and ``localnets`` mean.

        *changed* are the zones that are new, gone or have another statement; None: any may.
        """
        self._config = config
        self._local = local
        self._control_plane.configure(config)
        self._transfers_out.configure(config, local)
        self._notify_in.configure(config, local)
        self._autoprimaries.configure(config)
        self._secondaries.configure(config, changed)
        if self._notifier is not None:
            self._notifier.configure(config, self._endpoints(), local, changed)

    def update_zone(self, zone_id: ZoneId) -> None:
        """Take over what the keeper has of one zone, which was added, changed or removed."""
        if self._autoprimaries.is_adding(zone_id):
            return  # `_provided` is told when the zone is to stay
        self._secondaries.update(zone_id)
        if self._notifier is not None:
            self._notifier.update(zone_id)

    def _provided(self, zone_id: ZoneId, source: str) -> None:
        self.update_zone(zone_id)
        # Whatever its file holds from former times: its primary has just told of it.
        self._secondaries.notified(zone_id, source, None)

    async def open(self, state: StateDb) -> None:
        """Begin with what *state* remembers, and clean up after a server that died while it stored a zone."""
        self._state = state
        self._journal = self._transfers_out.journal = Journal(state, self._zones)
        await self._journal.open()
        await self._unwritten.open(state)
        self._notifier = Notifier(self._keeper.table, state)
        self._notifier.configure(self._config, self._endpoints(), self._local)
        await self._secondaries.restore(state)
        files = (e.config.file for e in self._keeper.table if e.config.type is ZoneType.SECONDARY)
        directories = {str(Path(file).parent) for file in files if file is not None}
        for path in await asyncio.to_thread(remove_stale, directories):
            log.info("removed %s, which an interrupted transfer had left", path)

    async def run(self) -> None:
        """Refresh zones and send NOTIFYs until cancelled."""
        assert self._notifier is not None, "run before open"
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._secondaries.run(), name="secondary zones")
            tasks.create_task(self._notifier.run(), name="NOTIFY")
            tasks.create_task(self._tell_when_loaded(self._notifier), name="end of the first loading")
            tasks.create_task(self._autoprimaries.run(), name="autoprimaries")

    async def _tell_when_loaded(self, notifier: Notifier) -> None:
        await self._keeper.idle()
        notifier.all_loaded()

    async def close(self, *, at_once: bool = False) -> None:
        """Finish what is being recorded, or let it go if *at_once*; `run` has ended. The database is open."""
        await self._behind.finish(0.0 if at_once else RECORDING_TIMEOUT_S)
        self._executor.shutdown(wait=False, cancel_futures=True)
        await self._recording.finish(0.0 if at_once else RECORDING_TIMEOUT_S)

    # --- what the keeper tells --------------------------------------------------------------------

    def is_expired(self, entry: ZoneEntry, zone: Zone, loaded: LoadedZone) -> bool:
        """Return whether *zone*, which was read from its file, is too old to be served."""
        return self._secondaries.is_expired(entry, zone, loaded)

    def on_published(self, entry: ZoneEntry, before: Zone | None, after: Zone) -> None:
        """Record the change of a zone's data, and tell other servers of it."""
        assert self._journal is not None, "a zone was published before open"
        self._behind.published(entry)
        if not self._journal.is_new(entry.id, before):
            settings = entry.config.settings.journal
            # Changes of one zone wait for each other.
            record = self._journal.record(entry.config.view, settings, before, after)
            self._recording.spawn(record, f"journal of {entry.label}")
        if self._notifier is not None and not entry.expired:
            self._notifier.zone_changed(entry, before, after)

    async def forget_other_zones(self) -> None:
        """Drop what the database has of zones that are not configured any more."""
        zones = {entry.id for entry in self._keeper.table}
        if self._state is not None and self._journal is not None:
            self._unwritten.retain(zones)
            await self._state.retain(zones)
            self._journal.retain(zones)

    async def forget_zone(self, zone_id: ZoneId) -> None:
        """Drop what the database has of one zone, which is not configured any more."""
        if self._state is not None and self._journal is not None:
            await self._unwritten.forget(zone_id)
            await self._state.forget(zone_id)
            self._journal.forget(zone_id)

    # --- what people ask --------------------------------------------------------------------------

    def status(self, zone_id: ZoneId) -> ReplicationStatus:
        """Return how a zone stands with its primaries and with those that it notifies."""
        targets = self._notifier.status(zone_id) if self._notifier is not None else ()
        return ReplicationStatus(self._secondaries.status(zone_id), targets)

    def refresh(self, zone_id: ZoneId, *, whole: bool = False) -> bool:
        """Ask a zone's primaries at once; *whole*: transfer all, whatever the serial.

        False: it is no secondary zone.
        """
        return self._secondaries.refresh(zone_id, whole=whole)

    def next_end(self, zone_id: ZoneId) -> asyncio.Future[None] | None:
        """Return what is done when the next refresh that begins from now on has ended; None: no secondary."""
        return self._secondaries.next_end(zone_id)

    def resume(self, zone_id: ZoneId) -> None:
        """Begin with what was wanted of a zone while it was frozen."""
        self._secondaries.resume(zone_id)

    def activity(self) -> Activity:
        """Return how many transfers in there are at the moment."""
        return self._secondaries.activity()

    @property
    def transfers_out(self) -> int:
        """How many transfers out are under way."""
        return self._transfers_out.running

    def notify(self, zone_id: ZoneId) -> bool:
        """Tell all who are to know of the zone, also those who have acknowledged it. False: no data."""
        return self._notifier is not None and self._notifier.notify(zone_id)

    async def notify_host(self, zone_id: ZoneId, server: RemoteServer) -> list[str]:
        """Tell *server*, whose address may also be a name, of the zone; return who acknowledged.

        Raises `NotNotifiedError`.
        """
        if self._notifier is None:
            raise NotNotifiedError("the server is starting")
        return await self._notifier.notify_host(zone_id, server)

    async def journal_status(self, zone_id: ZoneId) -> JournalStatus | None:
        """Return what is kept of a zone to answer IXFR from, None where that is nothing."""
        return await self._journal.status(zone_id) if self._journal is not None else None

    async def discard_journal(self, zone_ids: Collection[ZoneId]) -> None:
        """Forget what is kept of zones to answer IXFR from."""
        if self._journal is not None:
            for zone_id in zone_ids:
                await self._journal.discard(zone_id)
