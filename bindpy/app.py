"""The composition root: builds the server from a configuration, runs it, and ends it.

Order of a start: read the configuration, open the logs, bind, write the pid file, give up root, then load
zones. What can fail for lack of rights or because of another server fails before anything is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bindpy import __version__, logs
from bindpy.config.load import ConfigResult, load_config
from bindpy.config.model import Config
from bindpy.config.one_zone import ZoneContext
from bindpy.config.plain_values import load_grammar
from bindpy.control.channels import Channels
from bindpy.control.registry import all_runs, execute
from bindpy.control.socket_file import SocketFileError
from bindpy.control.socket_path import make_socket_directory, socket_place
from bindpy.control.socket_server import LocalSocket
from bindpy.engine import Engine, Zone
from bindpy.files import FileStamp
from bindpy.host import UnusableError, enter_directory, host_addresses, open_logs, report
from bindpy.native import EngineChoice, NoEngineError, choose_engine
from bindpy.policy import answer_policy
from bindpy.reload.bulk import Bulk
from bindpy.reload.collector import free_cycles, without_collector
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry, ZoneId
from bindpy.running import Parts, Running, Stop, Wishes
from bindpy.server.activation import InheritedSockets
from bindpy.server.endpoint import Endpoint
from bindpy.server.interfaces import HostAddresses, listen_endpoints
from bindpy.server.listeners import Listeners, ListenersError, default_udp_workers
from bindpy.server.pidfile import PidFile, PidFileError
from bindpy.server.privileges import Account, PrivilegeError, acting_as, drop_privileges, find_account
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.sd_notify import ServiceManager
from bindpy.server.tcp_limits import TcpSettings
from bindpy.state.db import StateDb
from bindpy.state.directory import make_state_directory, state_directory
from bindpy.watch import FileWatcher
from bindpy.xfr.provision import ProvisionRequest
from bindpy.xfr.service import Replication
from bindpy.xfr.unwritten import Unwritten
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.rdata import load_all_types

log = logging.getLogger("bindpy.general")

WORKER = "worker"
END_READING_WITHIN_S = 0.5
LOADING_STATUS_EVERY_S = 1.0
HELD_SIGNALS = frozenset((signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2))


def serve(
    conf: str,
    *,
    user: str | None = None,
    debug_level: int = 0,
    engine: EngineChoice = EngineChoice.AUTO,
    processors: int | None = None,
) -> None:
    """Serve *conf* until a signal ends it, with threads for *processors*, by default those that we may use.

    Raises `UnusableError`.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD_SIGNALS)  # until somebody listens: they would end us
    with without_collector():
        server = _server(conf, user, debug_level, engine, processors or len(os.sched_getaffinity(0)))
        free_cycles()  # see `reread`
    asyncio.run(server.run())
    _end_reading()


def _server(conf: str, user: str | None, debug_level: int, engine: EngineChoice, processors: int) -> Server:
    """Return the server for *conf*. What only reading it needed, the statements' tree, is let go here."""
    result = load_config(conf)
    if result.config is None:
        found = [line for item in result.diagnostics for line in item.lines()]
        raise UnusableError([*found, f"{conf}: not started because of these errors"])
    try:
        account = find_account(user) if user is not None else None
    except PrivilegeError as error:
        raise UnusableError([str(error)]) from error
    try:
        chosen = choose_engine(engine, _log_query_fault)
    except NoEngineError as error:
        raise UnusableError([str(error)]) from error
    return Server(result, result.config, account, debug_level, chosen, processors=processors)


class Server:
    """Puts the server together, and takes it apart. Everything here happens on the event loop's thread."""

    def __init__(
        self,
        result: ConfigResult,
        config: Config,
        account: Account | None,
        debug_level: int,
        engine: Engine,
        *,
        processors: int,
    ) -> None:
        self._start_directory = Path.cwd()  # ours is another one soon, and may be deleted
        self._findings = result.diagnostics
        self._context = ZoneContext(result)  # the rest of the result, the tree, is large
        self._config = config
        self._account = account
        self._debug_level = debug_level
        self._engine = engine
        self._processors = processors
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=WORKER)
        self._stop = Stop()
        self._wishes = Wishes()
        self._failure: BaseException | None = None
        self._service = ServiceManager.from_environment()
        self._local_socket = LocalSocket(lambda line, who: execute(self._running, line, who, read_only=False))
        self._channels = Channels(
            lambda line, who, read_only: execute(self._running, line, who, read_only=read_only)
        )

    async def run(self) -> None:
        """Start, serve until told to stop, stop. Raises `UnusableError`."""
        self._handle_signals()
        enter_directory(self._config)
        try:
            with acting_as(self._account):
                open_logs(self._config)
        except PrivilegeError as error:
            raise UnusableError([str(error)]) from error
        logs.set_debug_level(self._debug_level)
        log.info("starting bindpy %s, %s", __version__, self._engine.name)
        report(self._findings)
        host = await host_addresses()
        self._engine.answerer.configure(answer_policy(self._config, host.local()))
        with without_collector():
            self._build(host)
        try:
            async with contextlib.AsyncExitStack() as cleanup:
                cleanup.callback(self._service.close)
                cleanup.callback(self._worker.shutdown, wait=False, cancel_futures=True)
                cleanup.callback(self._watcher.close)
                cleanup.push_async_callback(self._listeners.close)
                await self._bind(host, cleanup)
                state = StateDb.open(state_directory(self._config.options))
                cleanup.push_async_callback(state.close)
                cleanup.push_async_callback(self._end_replication)
                await self._replication.open(state)
                # No command comes in any more when what it would need goes; `_bind` opened them.
                cleanup.push_async_callback(self._channels.close)
                cleanup.push_async_callback(self._local_socket.close)
                await self._open_control()
                cleanup.push_async_callback(self._running.jobs.close)
                await self._serve()
        finally:
            logs.shutdown()
        if self._failure is not None:
            raise self._failure

    def _build(self, host: HostAddresses) -> None:
        """Make the parts, which do nothing yet."""
        self._watcher = FileWatcher(self._files_changed)
        unwritten = Unwritten(self._engine.zones)
        self._keeper = ZoneKeeper(
            self._engine.answerer,
            unwritten.read_file,
            self._worker,
            self._watch_zone,
            self._published,
            is_expired=self._is_expired,
            bulk=None
            if unwritten.read_files is None
            else Bulk(unwritten.read_files, self._watcher.expect, self._watcher.was_read),
        )
        self._replication = Replication(
            self._engine,
            self._keeper,
            lambda: self._listeners.bound().values(),
            self._provision,
            unwritten,
        )
        self._keeper.configure(self._config.zones())
        self._replication.configure(self._config, host.local())
        self._listeners = Listeners(
            self._engine.answerer,
            self._replication.handler,
            TcpSettings.from_options(self._config.options),
            start_service=self._engine.start_service,
            udp_workers=default_udp_workers(
                self._processors, in_parallel=self._engine.start_service is not None
            ),
            inherited=InheritedSockets.from_environment(),
            on_failure=self._listener_failed,
        )
        self._running = Running(
            self._config,
            self._start_directory,
            Parts(
                self._engine,
                self._worker,
                self._watcher,
                self._keeper,
                self._replication,
                self._listeners,
                self._service,
            ),
            self._wishes,
            self._stop,
            context=self._context,
            on_config=self._config_taken_over,
        )

    async def _bind(self, host: HostAddresses, cleanup: contextlib.AsyncExitStack) -> None:
        """Do all that may need root, then give it up. Raises `UnusableError`."""
        self._running.querylog = self._config.options.querylog
        plan = listen_endpoints(self._config.options.listen_on, host)
        for warning in plan.warnings:
            logging.getLogger("bindpy.network").warning("%s", warning)
        try:
            await self._listeners.apply(plan.endpoints, interfaces=host.interface_names())
            cleanup.push_async_callback(self._channels.close)
            await self._channels.apply(self._config, host.local())
            if self._config.options.pid_file is not None:
                pid_file = PidFile.create(self._config.options.pid_file, self._account)
                cleanup.callback(pid_file.remove)
            make_state_directory(state_directory(self._config.options), self._account)
            self._make_socket_directory()
            if self._account is not None:
                load_all_types()
                load_grammar()
                all_runs()  # their modules may be where the account cannot read
                drop_privileges(self._account)
        except ListenersError as error:
            raise UnusableError([str(one) for one in error.errors]) from error
        except (PidFileError, PrivilegeError) as error:
            raise UnusableError([str(error)]) from error
        if not plan.endpoints:
            log.warning("not listening on any address: nobody can ask; see listen-on and listen-on-v6")

    def _make_socket_directory(self) -> None:
        place = socket_place(self._config.options)
        if place is not None:
            with contextlib.suppress(OSError):  # opening the socket says what is wrong
                make_socket_directory(place, self._account)

    async def _open_control(self) -> None:
        """Let commands come in. Raises `UnusableError`."""
        try:
            await self._local_socket.apply(socket_place(self._config.options))
        except SocketFileError as error:
            raise UnusableError([str(error)]) from error

    async def _config_taken_over(self, config: Config, host: HostAddresses) -> None:
        await self._channels.apply(config, host.local())
        try:
            await self._local_socket.apply(socket_place(config.options))
        except SocketFileError as error:
            log.error("%s; keeping the control socket as it was", error)

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(self._running.run(), name="changes of the configuration"),
                tasks.create_task(self._keeper.run(), name="zone keeper"),
                tasks.create_task(self._watcher.run(), name="file watcher"),
                tasks.create_task(self._replication.run(), name="replication"),
                tasks.create_task(self._service.watchdog(self._listeners.trouble), name="watchdog"),
            ]
            await self._until_loaded()
            await self._stop.wait()
            self._service.stopping("stopping")
            for task in background:
                task.cancel()
        log.info("stopped")

    async def _until_loaded(self) -> None:
        stop = asyncio.create_task(self._stop.wait(), name="stop while loading")
        loaded = asyncio.create_task(self._keeper.idle(), name="first load")
        done: set[asyncio.Task[None]] = set()
        while not done:
            self._service.starting(f"loading zones: {self._keeper.waiting} left")
            done, _ = await asyncio.wait(
                {stop, loaded}, timeout=LOADING_STATUS_EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
        if loaded.done():
            served = sum(1 for entry in self._keeper.table if entry.zone is not None)
            log.info("all zones loaded (%d of %d have data)", served, len(self._keeper.table))
            log.info("running")
            self._service.ready(self._running.zones_text())
            await self._replication.forget_other_zones()
        for task in (stop, loaded):
            task.cancel()

    async def _end_replication(self) -> None:
        await self._replication.close(at_once=self._stop.at_once)

    # --- what ends or changes it ------------------------------------------------------------------

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, f"on {number.name}")
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        loop.add_signal_handler(signal.SIGUSR1, self._change_debug_level, +1)
        loop.add_signal_handler(signal.SIGUSR2, self._change_debug_level, -1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_SIGNALS)

    def _hang_up(self) -> None:
        self._wishes.add("received SIGHUP: reloading", whole=True)

    def _change_debug_level(self, by: int) -> None:
        logs.set_debug_level(max(0, logs.debug_level() + by))
        log.info("debug level is now %d", logs.debug_level())

    def _listener_failed(self, endpoint: Endpoint, error: BaseException) -> None:
        log.critical("the listener on %s failed (%s)", endpoint, error)
        self._failure = error
        self._stop("because of that")

    # --- between parts of which one has to be there first -----------------------------------------

    def _files_changed(self, paths: set[str]) -> None:
        self._running.files_changed(paths)

    def _published(self, entry: ZoneEntry, before: Zone | None, after: Zone) -> None:
        self._replication.on_published(entry, before, after)

    def _is_expired(self, entry: ZoneEntry, zone: Zone, loaded: LoadedZone) -> bool:
        return self._replication.is_expired(entry, zone, loaded)

    async def _provision(self, request: ProvisionRequest) -> ZoneId:
        return await self._running.provision(request)

    def _watch_zone(self, zone_id: ZoneId, files: Mapping[str, FileStamp | None]) -> None:
        self._watcher.watch(zone_id, files, files)


def _end_reading() -> None:
    """End the process at once if a zone file is still being read: Python would wait for it, maybe minutes."""
    for thread in threading.enumerate():
        if thread.name.startswith(WORKER):
            thread.join(END_READING_WITHIN_S)
            if thread.is_alive():  # it writes nothing, and all that has to be closed is closed
                os._exit(0)


_fault_log = RateLimitedLog(logging.getLogger("bindpy.query-errors"))


def _log_query_fault(query: bytes, error: Exception) -> None:
    """Report a fault of ours: the client got SERVFAIL; the packet is what is needed to find it."""
    _fault_log.log(
        logging.ERROR,
        "a query could not be answered because of a fault in bindpy; please report it with this packet: %s",
        query.hex(),
        exc_info=error,
    )
