"""The server while it runs, and what signals and commands do to it."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import field
from pathlib import Path

from bindpy.config.model import Config
from bindpy.config.one_zone import ZoneContext
from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job, Jobs, Progress
from bindpy.control.zones import first_errors, zones_with_errors
from bindpy.deferred import dataclass
from bindpy.engine import Engine
from bindpy.host import UnusableError, enter_directory, host_addresses, open_logs, report
from bindpy.newzones.errors import NewZoneError
from bindpy.newzones.service import NewZones
from bindpy.policy import answer_policy
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.reread import NewConfig, reread
from bindpy.reload.table import ZoneEntry, ZoneId
from bindpy.server.interfaces import HostAddresses, ListenPlan, listen_endpoints
from bindpy.server.listeners import Listeners, ListenersError
from bindpy.server.querylog import QueryLog
from bindpy.server.sd_notify import ServiceManager
from bindpy.server.tcp_limits import TcpSettings
from bindpy.state.directory import state_directory
from bindpy.watch import FileWatcher
from bindpy.xfr.provision import ProvisionError, ProvisionRequest
from bindpy.xfr.service import Replication

log = logging.getLogger("bindpy.general")

PROGRESS_EVERY_S = 0.2
"""How often those who wait for zones to be loaded are told how far it is."""

OnConfig = Callable[[Config, HostAddresses], Awaitable[None]]


class Stop:
    """The end of the server, once somebody has wanted it. ``at_once``: nothing need be finished."""

    def __init__(self) -> None:
        self.at_once = False
        self._event = asyncio.Event()

    def __call__(self, why: str, *, at_once: bool = False) -> None:
        """Stop because of *why*, a text for the log."""
        log.info("stopping %s", why)
        self.at_once = self.at_once or at_once
        self._event.set()

    async def wait(self) -> None:
        """Wait until somebody says so."""
        await self._event.wait()


@dataclass(slots=True)
class _Wish:
    """Everybody who wants named.conf reread; ``whole``: and changed zone files."""

    why: str
    whole: bool
    waiting: list[asyncio.Future[Job]] = field(default_factory=list)


class Wishes:
    """What is wanted of the configuration: all that come while one is fulfilled are one more together."""

    def __init__(self) -> None:
        self._wish: _Wish | None = None
        self._wanted = asyncio.Event()

    def add(self, why: str, *, whole: bool) -> _Wish:
        """Want named.conf to be reread, from *why*; return what is shared with others that want it."""
        if self._wish is None:
            self._wish = _Wish(why, whole)
        elif whole and not self._wish.whole:
            self._wish.why, self._wish.whole = why, True
        self._wanted.set()
        return self._wish

    async def next(self) -> _Wish:
        """Wait for a wish and return it; those that come from now on are another one."""
        await self._wanted.wait()
        self._wanted.clear()
        wish, self._wish = self._wish, None
        assert wish is not None, "woken without a wish"
        return wish


@dataclass(frozen=True, slots=True)
class Parts:
    """What the server is made of."""

    engine: Engine
    worker: Executor
    watcher: FileWatcher
    keeper: ZoneKeeper
    replication: Replication
    listeners: Listeners
    service: ServiceManager


class Running:
    """The running server, a `bindpy.control.server.ControlledServer`. Belongs to the event loop's thread.

    *start_directory* is where the first reading of the configuration started: relative names mean the same
    files at the next one. *context* is that of *config*. *on_config* is told of each configuration that was
    taken over.
    """

    def __init__(
        self,
        config: Config,
        start_directory: Path,
        parts: Parts,
        wishes: Wishes,
        stop: Stop,
        *,
        context: ZoneContext,
        on_config: OnConfig,
    ) -> None:
        self.config = config
        self.engine = parts.engine
        self.keeper = parts.keeper
        self.replication = parts.replication
        self.listeners = parts.listeners
        self.new_zones = NewZones(self)
        self.new_zones.configure(context)
        self.jobs = Jobs()
        self.started_at = self.configured_at = time.time()
        self.is_changing = asyncio.Lock()
        self.reloading = ""
        self.stop = stop
        self._start_directory = start_directory
        self._worker = parts.worker
        self._watcher = parts.watcher
        self._service = parts.service
        self._wishes = wishes
        self._on_config = on_config

    # --- named.conf -------------------------------------------------------------------------------

    async def reload(self) -> Job:
        """Reread named.conf and look for changed zone files; return the loading of what differs.

        Raises `UnusableError`: named.conf is in error, and everything stays as it was.
        """
        return await self._want("reloading", whole=True)

    async def reconfig(self) -> Job:
        """As `reload`, but of the zone files only those are read whose statements are new or changed."""
        return await self._want("rereading", whole=False)

    async def _want(self, why: str, *, whole: bool) -> Job:
        answer: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        self._wishes.add(why, whole=whole).waiting.append(answer)
        return await answer

    async def provision(self, request: ProvisionRequest) -> ZoneId:
        """Add a zone that an autoprimary has. Raises `ProvisionError`."""
        try:
            return await self.new_zones.provision(request.statement_text, request.view, request.config_file)
        except NewZoneError as error:
            raise ProvisionError(str(error)) from error

    async def run(self) -> None:
        """Do what is wanted of the configuration until cancelled."""
        while True:
            wish = await self._wishes.next()
            self.reloading = "in progress"
            try:
                async with self.is_changing:
                    self._service.reloading(wish.why)
                    job = await self._fulfil(wish)
            except UnusableError as error:
                self.reloading = "failed"
                self._service.ready(f"{self.zones_text()}; {wish.why} failed: {error.lines()[0]}")
                _answer(wish, error)
            except asyncio.CancelledError:
                _answer(wish, UnusableError(["the server is stopping"]))
                raise
            except Exception:
                # A fault of ours must not take down the zones that are served.
                log.exception("%s %s: fault in bindpy; please report it", wish.why, self.config.path)
                self.reloading = "failed"
                self._service.ready(f"{self.zones_text()}; {wish.why} failed")
                _answer(wish, UnusableError(["a fault in bindpy; its log says more"]))
            else:
                self.reloading = ""
                for waiting in wish.waiting:
                    if not waiting.done():
                        waiting.set_result(job)

    async def _fulfil(self, wish: _Wish) -> Job:
        path = self.config.path
        log.info("%s %s", wish.why, path)
        loop = asyncio.get_running_loop()
        # From where the first reading started, so that relative names mean the same files.
        new, found = await loop.run_in_executor(self._worker, reread, self.config, self._start_directory)
        if new is None:
            report(found)
            log.error("%s has errors: keeping the running configuration", path)
            raise UnusableError(line for item in found for line in item.lines())
        try:
            await self._take_over(new)
        except UnusableError as error:
            log.error("%s", error)
            log.error("%s cannot be used: keeping the running configuration", path)
            raise
        report(found)
        bad_before = {} if wish.whole else {one.id: one for one in zones_with_errors(self.keeper.table)}
        if wish.whole:
            self.keeper.reload(being_written=self._watcher.is_settling)
        self.configured_at = time.time()
        forget = wish.whole or bool(new.changes.removed)
        follow = functools.partial(self._follow_loading, bad_before=bad_before, forget=forget)
        return self.jobs.start(wish.why, follow)

    async def _take_over(self, new: NewConfig) -> None:
        """Take *new* over. Sockets come first, as only they can be refused."""
        config = new.config
        host = await host_addresses()
        plan = listen_endpoints(config.options.listen_on, host)
        enter_directory(config)
        try:
            await self._listen(config, plan, host)
        except ListenersError as error:
            enter_directory(self.config)
            raise UnusableError(str(one) for one in error.errors) from error
        if state_directory(config.options) != state_directory(self.config.options):
            log.warning("state-directory is another one now: it is used from the next start on")
        before, self.config = self.config, config
        open_logs(config)
        for warning in plan.warnings:
            logging.getLogger("bindpy.network").warning("%s", warning)
        if config.options.querylog != before.options.querylog:
            self.querylog = config.options.querylog
        self.engine.answerer.configure(answer_policy(config, host.local()))
        self.new_zones.configure(new.context)
        self.keeper.change(new.changes)
        self.replication.configure(config, host.local(), new.changes.ids)
        await self._on_config(config, host)

    async def scan(self) -> None:
        """Look for other addresses of this host and listen as is configured. Raises `UnusableError`."""
        async with self.is_changing:
            host = await host_addresses()
            plan = listen_endpoints(self.config.options.listen_on, host)
            try:
                await self._listen(self.config, plan, host)
            except ListenersError as error:
                raise UnusableError(str(one) for one in error.errors) from error
            self.engine.answerer.configure(answer_policy(self.config, host.local()))
            self.replication.configure(self.config, host.local(), ())
            await self._on_config(self.config, host)

    async def _listen(self, config: Config, plan: ListenPlan, host: HostAddresses) -> None:
        await self.listeners.apply(
            plan.endpoints, TcpSettings.from_options(config.options), interfaces=host.interface_names()
        )

    async def _follow_loading(self, job: Job, *, bad_before: Mapping[ZoneId, ZoneEntry], forget: bool) -> str:
        """Tell how many zones are loaded, until all are; return what became of them.

        *forget*: drop what is remembered of zones that are gone. Raises `VerbError` where zones have errors
        that are not those of *bad_before*.
        """
        total = 0
        is_over = False
        while not is_over:
            total = max(total, self.keeper.waiting)
            job.report(Progress(total - self.keeper.waiting, total, "zones"))
            is_over = await self._is_loaded()
        job.report(Progress(total, total, "zones"))
        log.info("reloading finished: %d zones", len(self.keeper.table))
        self._service.ready(self.zones_text())
        if forget:
            await self.replication.forget_other_zones()
        bad = [one for one in zones_with_errors(self.keeper.table) if bad_before.get(one.id) is not one]
        if bad:
            raise VerbError("failure", first_errors(bad))
        return self.zones_text()

    async def _is_loaded(self) -> bool:
        """Wait for a moment; return whether there is nothing left to load."""
        try:
            async with asyncio.timeout(PROGRESS_EVERY_S):
                await self.keeper.idle()
        except TimeoutError:
            return False
        return True

    def zones_text(self) -> str:
        """Say for people how many zones there are, and how many of them have data."""
        served = sum(1 for entry in self.keeper.table if entry.zone is not None)
        return f"{served} of {len(self.keeper.table)} zones have data"

    # --- files ------------------------------------------------------------------------------------

    def files_changed(self, paths: set[str]) -> None:
        """Load the zones that *paths* are part of."""
        self._follow_directory()
        self.keeper.files_changed(paths)

    def _follow_directory(self) -> None:
        """Go where ``directory`` leads now: another one may stand in its place, as after a deployment."""
        try:
            os.chdir(self.config.options.directory)
        except (FileNotFoundError, NotADirectoryError):
            # What we have open in it or below keeps the kernel from telling its watcher that it was deleted.
            self._watcher.rescan()
        except OSError:
            pass  # root might go there, and we are not root any more

    # --- logging ----------------------------------------------------------------------------------

    @property
    def querylog(self) -> bool:
        """Whether queries are logged."""
        return self.listeners.on_query is not None

    @querylog.setter
    def querylog(self, is_on: bool) -> None:
        if is_on != self.querylog:
            self.listeners.on_query = QueryLog() if is_on else None
            log.info("query logging is now %s", "on" if is_on else "off")


def _answer(wish: _Wish, error: UnusableError) -> None:
    for waiting in wish.waiting:
        if not waiting.done():
            waiting.set_exception(error)
