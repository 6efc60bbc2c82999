"""All listening sockets of the server: opened, kept over a reload, closed."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Callable, Iterable, Mapping

from bindpy.diagnostics import BindpyError
from bindpy.engine import Answerer
from bindpy.server.activation import InheritedSockets
from bindpy.server.bridge import ControlBridge
from bindpy.server.endpoint import Endpoint
from bindpy.server.engine_service import EngineService
from bindpy.server.own_service import OwnService
from bindpy.server.querylog import QueryHook, QueryTap
from bindpy.server.request import RequestHandler
from bindpy.server.service import OnFailure, ServerCounters, Service
from bindpy.server.sockets import BoundSockets, ListenError, open_sockets
from bindpy.server.tasks import TaskSet
from bindpy.server.tcp_connection import TcpContext
from bindpy.server.tcp_limits import ConnectionTable, TcpSettings
from bindpy.serving import StartService

log = logging.getLogger("bindpy.network")
client_log = logging.getLogger("bindpy.client")

MAX_UDP_WORKERS = 16
SWITCH_INTERVAL_S = 50e-6
"""How long a computing thread (a zone being read) may go on when the thread of a UDP socket wants to run.

With Python's own 5 ms, one busy thread cuts the rate of a socket to some hundred answers a second, as each
answer waits twice, for `recvfrom` and for `sendto` to return; with this, it answers 10,000.
"""


class ListenersError(BindpyError):
    """Some endpoints could not be bound; ``errors`` has one for each, and nothing was changed."""

    def __init__(self, errors: Iterable[ListenError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(str(error) for error in self.errors))


def default_udp_workers(processors: int, *, in_parallel: bool = False) -> int:
    """Return how many threads should share a UDP port.

    One, unless they run truly at the same time, as an engine's own threads do (*in_parallel*) and all threads
    on a Python without a global lock: behind it more of them only wait for each other.
    """
    gil_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return 1 if gil_enabled() and not in_parallel else max(1, min(processors, MAX_UDP_WORKERS))


class Listeners:
    """Owns the sockets of all endpoints, each with UDP and TCP.

    Who serves them is an engine where it can (*start_service*), else the server itself.

    Made and used on the event loop's thread. *on_failure* is told when a listener ends by itself, which it
    does only for an error that cannot pass; the server should then stop, visibly.
    """

    def __init__(
        self,
        answerer: Answerer,
        handler: RequestHandler,
        settings: TcpSettings,
        *,
        start_service: StartService | None = None,
        udp_workers: int = 1,
        inherited: InheritedSockets | None = None,
        on_failure: OnFailure,
    ) -> None:
        self._inherited = inherited or InheritedSockets()
        self.udp_workers = udp_workers
        self._switch_interval_s = sys.getswitchinterval()
        sys.setswitchinterval(min(SWITCH_INTERVAL_S, self._switch_interval_s))
        self._tap = QueryTap()
        self._bridge = ControlBridge(handler)
        self._context = TcpContext(
            answerer, handler, self._tap, ConnectionTable(settings), TaskSet(client_log)
        )
        self._service: Service = (
            OwnService(self._context, self._bridge, on_failure)
            if start_service is None
            else EngineService(start_service, self._context, self._bridge, on_failure)
        )
        self._listeners: dict[Endpoint, Endpoint] = {}

    @property
    def on_query(self) -> QueryHook | None:
        """What sees every query (the query log); None, the normal state, keeps the fast path."""
        return self._tap.hook

    @on_query.setter
    def on_query(self, hook: QueryHook | None) -> None:
        self._tap.hook = hook
        self._service.settings_changed()

    def bound(self) -> dict[Endpoint, Endpoint]:
        """Return for each endpoint as it was asked for the one that it became (port 0 became a port)."""
        return dict(self._listeners)

    def trouble(self) -> str | None:
        """Return why queries are not answered on some socket, None if all is well; for a watchdog."""
        return self._service.trouble()

    def counters(self) -> ServerCounters:
        """Return the sums over all sockets."""
        return self._service.counters()

    async def apply(
        self,
        endpoints: Iterable[Endpoint],
        settings: TcpSettings | None = None,
        *,
        interfaces: Mapping[str, str] | None = None,
    ) -> None:
        """Listen on *endpoints* and on nothing else: keep what stays, open the new, close the old.

        All or nothing: raises `ListenersError` when one cannot be bound, and then everything is as it was.
        *settings* replaces the TCP limits, for the connections that there are as well. *interfaces* has an
        interface's name for addresses, for the log.
        """
        wanted = set(endpoints)
        new = sorted(wanted - self._listeners.keys())
        old = [endpoint for endpoint in self._listeners if endpoint not in wanted]
        backlog = (settings or self._context.table.settings).backlog
        opened, blocked, errors = self._open(new, backlog)
        in_the_way: list[Endpoint] = []
        if blocked and not errors:
            # Only sockets of ours that are to be closed can be in the way (a wildcard and an address
            # exclude each other): close those first, and put them back if that was not it.
            in_the_way = [o for o in old if any(self._listeners[o].overlaps(e) for e in blocked)]
            for endpoint in in_the_way:
                await self._close_one(endpoint)
            more, blocked, errors = self._open(list(blocked), backlog)
            opened |= more
        errors += blocked.values()
        served: list[Endpoint] = []
        while opened and not errors:
            endpoint = next(iter(opened))
            try:
                self._serve(endpoint, opened.pop(endpoint), interfaces or {})
                served.append(endpoint)
            except OSError as error:  # no more threads or descriptors
                errors.append(ListenError(endpoint, "UDP", error))
        if errors:
            for sockets in opened.values():
                sockets.close()
            for endpoint in served:
                await self._close_one(endpoint)
            self._restore(in_the_way, backlog, interfaces or {})
            raise ListenersError(errors)
        if settings is not None:
            self._context.table.settings = settings
            self._service.settings_changed()
        for endpoint in old:
            if endpoint in self._listeners:
                await self._close_one(endpoint)
        self._inherited.warn_of_unused(wanted)

    def _open(
        self, endpoints: Iterable[Endpoint], backlog: int
    ) -> tuple[dict[Endpoint, BoundSockets], dict[Endpoint, ListenError], list[ListenError]]:
        """Return what was opened, what is blocked by a listener of ours, and what failed otherwise."""
        opened: dict[Endpoint, BoundSockets] = {}
        blocked: dict[Endpoint, ListenError] = {}
        errors: list[ListenError] = []
        for endpoint in endpoints:
            try:
                opened[endpoint] = self._bind(endpoint, backlog)
            except ListenError as error:
                ours = any(endpoint.overlaps(mine) for mine in self._listeners.values())
                if error.errno == errno.EADDRINUSE and ours:
                    blocked[endpoint] = error
                else:
                    errors.append(error)
        return opened, blocked, errors

    def _bind(self, endpoint: Endpoint, backlog: int) -> BoundSockets:
        return open_sockets(
            endpoint, udp_workers=self.udp_workers, backlog=backlog, inherited=self._inherited
        )

    def _restore(self, endpoints: Iterable[Endpoint], backlog: int, interfaces: Mapping[str, str]) -> None:
        """Open again what was closed to make way."""
        for endpoint in endpoints:
            try:
                self._serve(endpoint, self._bind(endpoint, backlog), interfaces)
            except (ListenError, OSError) as error:
                why = ListenError(endpoint, "UDP", error) if isinstance(error, OSError) else error
                log.error("%s; it was closed to listen on another address instead, which failed too", why)

    def _serve(self, asked: Endpoint, sockets: BoundSockets, interfaces: Mapping[str, str]) -> None:
        endpoint = sockets.endpoint
        self._service.serve(sockets)
        self._listeners[asked] = endpoint
        family = "IPv6" if ":" in endpoint.address else "IPv4"
        if endpoint.is_wildcard:
            log.info("listening on %s interfaces, %s", family, endpoint)
        else:
            name = interfaces.get(endpoint.address, "(none)")
            log.info("listening on %s interface %s, %s", family, name, endpoint)

    async def _close_one(self, asked: Endpoint) -> None:
        endpoint = self._listeners.pop(asked)
        await self._service.leave(endpoint)
        log.info("no longer listening on %s", endpoint)

    async def close(self) -> None:
        """Close everything: no more queries, then the answers that are due, then the sockets."""
        endpoints, self._listeners = list(self._listeners.values()), {}
        await self._service.close()
        for endpoint in endpoints:
            log.info("no longer listening on %s", endpoint)
        await self._bridge.close()
        await self._context.tasks.close()
        self._inherited.close()
        sys.setswitchinterval(self._switch_interval_s)
