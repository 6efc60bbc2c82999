"""The composition root: builds the server from a configuration, runs it, and replaces its parts at HUP.

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
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bindpy import __version__, logs
from bindpy.config.load import ConfigResult, load_config
from bindpy.config.model import Config
from bindpy.diagnostics import BindpyError, Diagnostic, Severity
from bindpy.engine import Engine, Zone, python_engine
from bindpy.files import FileStamp
from bindpy.policy import answer_policy
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry, ZoneId
from bindpy.server.endpoint import Endpoint
from bindpy.server.interfaces import HostAddresses, listen_endpoints, scan_host
from bindpy.server.listeners import Listeners, ListenersError, default_udp_workers
from bindpy.server.pidfile import PidFile, PidFileError
from bindpy.server.privileges import Account, PrivilegeError, acting_as, drop_privileges, find_account
from bindpy.server.querylog import QueryLog
from bindpy.server.tcp_limits import TcpSettings
from bindpy.state.db import StateDb
from bindpy.state.directory import make_state_directory, state_directory
from bindpy.watch import FileWatcher
from bindpy.xfr.service import Replication
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.rdata import load_all_types

log = logging.getLogger("bindpy.general")
config_log = logging.getLogger("bindpy.config")

WORKER = "worker"
END_READING_WITHIN_S = 0.5
HELD_SIGNALS = frozenset((signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2))


class StartError(BindpyError):
    """The server cannot start; `lines` says why, one finding a line."""

    def __init__(self, findings: Iterable[str]) -> None:
        self._lines = tuple(findings)
        super().__init__("; ".join(self._lines))

    def lines(self) -> tuple[str, ...]:
        """Return what to show the person who tried."""
        return self._lines


def serve(conf: str, *, user: str | None = None, debug_level: int = 0) -> None:
    """Serve *conf* until a signal ends it. Raises `StartError`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD_SIGNALS)  # until somebody listens: they would end us
    result = load_config(conf)
    if result.config is None:
        raise StartError([*_lines(result.diagnostics), f"{conf}: not started because of these errors"])
    try:
        account = find_account(user) if user is not None else None
    except PrivilegeError as error:
        raise StartError([str(error)]) from error
    asyncio.run(Server(Path(conf), result, result.config, account, debug_level).run())
    _end_reading()


class Server:
    """The running server. Everything here happens on the event loop's thread."""

    def __init__(
        self,
        path: Path,
        result: ConfigResult,
        config: Config,
        account: Account | None,
        debug_level: int,
    ) -> None:
        self._start_directory = Path.cwd()  # ours is another one soon, and may be deleted
        self._path = str(self._start_directory / path)
        self._findings = result.diagnostics  # the rest of the result, the tree, is large
        self._config = config
        self._account = account
        self._debug_level = debug_level
        self._engine: Engine = python_engine(_log_query_fault)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=WORKER)
        self._stopping = asyncio.Event()
        self._hup = asyncio.Event()
        self._failure: BaseException | None = None

    async def run(self) -> None:
        """Start, serve until told to stop, stop. Raises `StartError`."""
        self._handle_signals()
        self._enter_directory(self._config)
        try:
            with acting_as(self._account):
                self._open_logs(self._config)
        except PrivilegeError as error:
            raise StartError([str(error)]) from error
        logs.set_debug_level(self._debug_level)
        log.info("starting bindpy %s, %s", __version__, self._engine.name)
        self._report(self._findings)
        host = await _scan_host()
        self._engine.answerer.configure(answer_policy(self._config, host.local()))
        self._watcher = FileWatcher(self._files_changed)
        self._keeper = ZoneKeeper(
            self._engine.answerer,
            self._engine.zones.read_file,
            self._worker,
            self._watch_zone,
            self._published,
            is_expired=self._is_expired,
        )
        self._replication = Replication(self._engine, self._keeper, lambda: self._listeners.bound().values())
        self._keeper.configure(self._config.zones())
        self._replication.configure(self._config, host.local())
        self._listeners = Listeners(
            self._engine.answerer,
            self._replication.handler,
            TcpSettings.from_options(self._config.options),
            udp_workers=default_udp_workers(os.cpu_count() or 1),
            on_failure=self._listener_failed,
        )
        try:
            async with contextlib.AsyncExitStack() as cleanup:
                cleanup.callback(self._worker.shutdown, wait=False, cancel_futures=True)
                cleanup.callback(self._watcher.close)
                cleanup.push_async_callback(self._listeners.close)
                await self._bind(host, cleanup)
                state = StateDb.open(state_directory(self._config.options))
                cleanup.push_async_callback(state.close)
                cleanup.push_async_callback(self._replication.close)
                await self._replication.open(state)
                await self._serve()
        finally:
            logs.shutdown()
        if self._failure is not None:
            raise self._failure

    async def _bind(self, host: HostAddresses, cleanup: contextlib.AsyncExitStack) -> None:
        """Do all that may need root, then give it up. Raises `StartError`."""
        self._set_querylog(self._config)
        plan = listen_endpoints(self._config.options.listen_on, host)
        for warning in plan.warnings:
            logging.getLogger("bindpy.network").warning("%s", warning)
        try:
            await self._listeners.apply(plan.endpoints, interfaces=host.interface_names())
            if self._config.options.pid_file is not None:
                pid_file = PidFile.create(self._config.options.pid_file, self._account)
                cleanup.callback(pid_file.remove)
            make_state_directory(state_directory(self._config.options), self._account)
            if self._account is not None:
                load_all_types()
                drop_privileges(self._account)
        except ListenersError as error:
            raise StartError([str(one) for one in error.errors]) from error
        except (PidFileError, PrivilegeError) as error:
            raise StartError([str(error)]) from error
        if not plan.endpoints:
            log.warning("not listening on any address: nobody can ask; see listen-on and listen-on-v6")

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(self._reload_after_hup(), name="reload after HUP"),
                tasks.create_task(self._keeper.run(), name="zone keeper"),
                tasks.create_task(self._watcher.run(), name="file watcher"),
                tasks.create_task(self._replication.run(), name="replication"),
            ]
            await self._until_loaded()
            await self._stopping.wait()
            for task in background:
                task.cancel()
        log.info("stopped")

    async def _until_loaded(self) -> None:
        stop = asyncio.create_task(self._stopping.wait(), name="stop while loading")
        loaded = asyncio.create_task(self._keeper.idle(), name="first load")
        await asyncio.wait({stop, loaded}, return_when=asyncio.FIRST_COMPLETED)
        if loaded.done():
            served = sum(1 for entry in self._keeper.table if entry.zone is not None)
            log.info("all zones loaded (%d of %d have data)", served, len(self._keeper.table))
            log.info("running")
            await self._replication.forget_other_zones()
        for task in (stop, loaded):
            task.cancel()

    # --- signals ----------------------------------------------------------------------------------

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._hup.set)
        loop.add_signal_handler(signal.SIGUSR1, self._change_debug_level, +1)
        loop.add_signal_handler(signal.SIGUSR2, self._change_debug_level, -1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_SIGNALS)

    def _stop(self, number: signal.Signals) -> None:
        log.info("stopping on %s", signal.Signals(number).name)
        self._stopping.set()

    def _listener_failed(self, endpoint: Endpoint, error: BaseException) -> None:
        log.critical("the listener on %s failed (%s): stopping", endpoint, error)
        self._failure = error
        self._stopping.set()

    def _change_debug_level(self, by: int) -> None:
        logs.set_debug_level(max(0, logs.debug_level() + by))
        log.info("debug level is now %d", logs.debug_level())

    async def _reload_after_hup(self) -> None:
        """Reload for each HUP; those that come during one are answered by one more."""
        while True:
            await self._hup.wait()
            self._hup.clear()
            await self._reload()

    async def _reload(self) -> None:
        """Reread named.conf, replace what differs, and look for changed zone files."""
        log.info("received SIGHUP: reloading %s", self._path)
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._worker, self._load_again)
        if result.config is None:
            self._report(result.diagnostics)
            log.error("%s has errors: keeping the running configuration", self._path)
            return
        try:
            await self._replace(result.config)
        except (StartError, ListenersError) as error:
            log.error("%s", error)
            log.error("%s cannot be used: keeping the running configuration", self._path)
            return
        self._report(result.diagnostics)
        self._keeper.reload(being_written=self._watcher.is_settling)
        await self._keeper.idle()
        log.info("reloading finished: %d zones", len(self._keeper.table))
        await self._replication.forget_other_zones()

    def _load_again(self) -> ConfigResult:
        # From where the first reading started, so that relative names mean the same files. A pipe has been
        # read already; waiting for another writer would hold up every zone that is to be read.
        return load_config(self._path, base=self._start_directory, wait_for_pipes=False)

    async def _replace(self, config: Config) -> None:
        """Take *config* over. Sockets come first, as only they can be refused."""
        host = await _scan_host()
        plan = listen_endpoints(config.options.listen_on, host)
        self._enter_directory(config)
        try:
            await self._listeners.apply(
                plan.endpoints,
                TcpSettings.from_options(config.options),
                interfaces=host.interface_names(),
            )
        except ListenersError:
            self._enter_directory(self._config)
            raise
        if state_directory(config.options) != state_directory(self._config.options):
            log.warning("state-directory is another one now: it is used from the next start on")
        self._config = config
        self._open_logs(config)
        for warning in plan.warnings:
            logging.getLogger("bindpy.network").warning("%s", warning)
        self._set_querylog(config)
        self._engine.answerer.configure(answer_policy(config, host.local()))
        self._keeper.configure(config.zones())
        self._replication.configure(config, host.local())

    # --- from the keeper, which has to be there first ---------------------------------------------

    def _published(self, entry: ZoneEntry, before: Zone | None, after: Zone) -> None:
        self._replication.on_published(entry, before, after)

    def _is_expired(self, entry: ZoneEntry, zone: Zone, loaded: LoadedZone) -> bool:
        return self._replication.is_expired(entry, zone, loaded)

    # --- files ------------------------------------------------------------------------------------

    def _files_changed(self, paths: set[str]) -> None:
        self._follow_directory()
        self._keeper.files_changed(paths)

    def _follow_directory(self) -> None:
        """Go where ``directory`` leads now: another one may stand in its place, as after a deployment."""
        try:
            os.chdir(self._config.options.directory)
        except (FileNotFoundError, NotADirectoryError):
            # What we have open in it or below keeps the kernel from telling its watcher that it was deleted.
            self._watcher.rescan()
        except OSError:
            pass  # root might go there, and we are not root any more

    def _watch_zone(self, zone_id: ZoneId, files: Mapping[str, FileStamp | None]) -> None:
        self._watcher.watch(zone_id, files, files)

    # --- pieces -----------------------------------------------------------------------------------

    def _enter_directory(self, config: Config) -> None:
        """Make ``directory`` the working directory, as `$INCLUDE` and people who read core dumps expect."""
        try:
            os.chdir(config.options.directory)
        except OSError as error:
            raise StartError(
                [f"{self._path}: cannot change to directory '{config.options.directory}': {error.strerror}"]
            ) from error

    def _open_logs(self, config: Config) -> None:
        self._report(
            logs.configure(config.logging, foreground_stderr=True, base_dir=config.options.directory)
        )

    def _set_querylog(self, config: Config) -> None:
        self._listeners.on_query = QueryLog() if config.options.querylog else None

    def _report(self, findings: Iterable[Diagnostic]) -> None:
        levels = {
            Severity.ERROR: logging.ERROR,
            Severity.WARNING: logging.WARNING,
            Severity.NOTE: logging.INFO,
        }
        for finding in findings:
            for line in finding.log_lines():
                config_log.log(levels[finding.severity], "%s", line)


async def _scan_host() -> HostAddresses:
    """Return this host's addresses. Raises `StartError`, for want of file descriptors for example."""
    try:
        return await asyncio.to_thread(scan_host)
    except OSError as error:
        raise StartError([f"cannot read this host's addresses: {error.strerror}"]) from error


def _end_reading() -> None:
    """End the process at once if a zone file is still being read: Python would wait for it, maybe minutes."""
    for thread in threading.enumerate():
        if thread.name.startswith(WORKER):
            thread.join(END_READING_WITHIN_S)
            if thread.is_alive():  # it writes nothing, and all that has to be closed is closed
                os._exit(0)


def _lines(findings: Iterable[Diagnostic]) -> list[str]:
    return [line for finding in findings for line in finding.lines()]


def _log_query_fault(query: bytes, error: Exception) -> None:
    """Report a fault of ours: the client got SERVFAIL; the packet is what is needed to find it."""
    logging.getLogger("bindpy.query-errors").error(
        "a query could not be answered because of a fault in bindpy; please report it with this packet: %s",
        query.hex(),
        exc_info=error,
    )
