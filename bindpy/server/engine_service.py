"""Serves with the threads of an engine: what they pass up is handled here, on the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from functools import partial

from bindpy.answer.policy import Transport
from bindpy.server.bridge import ControlBridge
from bindpy.server.endpoint import Endpoint
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.request import Request
from bindpy.server.service import OnFailure, ServerCounters
from bindpy.server.sockets import BoundSockets, let_reads_end
from bindpy.server.tcp import FINISH_WITHIN_S, end_connections
from bindpy.server.tcp_connection import TcpConnection, TcpContext
from bindpy.server.tcp_limits import client_group
from bindpy.serving import Connection, Datagram, News, NewsKind, StartService, TappedQuery

STOP_WITHIN_S = 2 * FINISH_WITHIN_S
STOP_STEP_S = 0.005

log = logging.getLogger("bindpy.client")
network_log = logging.getLogger("bindpy.network")


class ServiceEndedError(Exception):
    """A thread of the engine has ended by itself; the text says why."""


class EngineService:
    """A `bindpy.server.service.Service` whose threads are an engine's.

    A connection on which something comes that the engine does not answer is handled as if there were no
    engine until all that was asked on it is answered; then the engine gets it back.
    """

    def __init__(
        self, start: StartService, context: TcpContext, bridge: ControlBridge, on_failure: OnFailure
    ) -> None:
        self._context = context
        self._bridge = bridge
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        settings = context.table.settings
        self._service = start(
            clients=settings.clients,
            initial_timeout_s=settings.initial_timeout_s,
            idle_timeout_s=settings.idle_timeout_s,
        )
        self._served: set[Endpoint] = set()
        self._connections: dict[TcpConnection, Endpoint] = {}
        self._lost = (0, 0)
        self._send_errors = 0
        self._logs = {kind: RateLimitedLog(log) for kind in (*NewsKind, "requests", "tapped", "tap")}
        self._logs[NewsKind.RECEIVE_ERROR] = RateLimitedLog(network_log)
        self._logs[NewsKind.TCP_EXHAUSTED] = RateLimitedLog(network_log, burst=1, lines_per_s=0.1)
        self._loop.add_reader(self._service.fileno(), self._take)

    # --- what there is to serve -------------------------------------------------------------------

    def serve(self, sockets: BoundSockets) -> None:
        """Serve *sockets*, which are the service's from now on. Raises `OSError`."""
        try:
            if sockets.is_udp_shared:
                for sock in sockets.udp:
                    let_reads_end(sock)
            self._service.serve(
                sockets.endpoint, sockets.udp, sockets.tcp, is_udp_shared=sockets.is_udp_shared
            )
        finally:
            sockets.close()  # the engine has descriptors of its own
        self._served.add(sockets.endpoint)

    async def leave(self, endpoint: Endpoint) -> None:
        """Serve *endpoint* no longer."""
        self._served.discard(endpoint)
        if not self._service.leave(endpoint):
            network_log.error("the threads that serve %s did not stop in time", endpoint)
        await end_connections([one for one, its in self._connections.items() if its == endpoint])

    def settings_changed(self) -> None:
        """Take over the limits that the connection table has now, and whether queries are tapped."""
        settings = self._context.table.settings
        self._service.limit(settings.clients, settings.initial_timeout_s, settings.idle_timeout_s)
        self._service.tap(self._context.tap.hook is not None)

    async def close(self) -> None:
        """Leave all endpoints, and end all threads."""
        self._served.clear()
        self._service.request_stop()
        await end_connections(list(self._connections))
        give_up_at = self._loop.time() + STOP_WITHIN_S
        while not self._service.is_stopped and self._loop.time() < give_up_at:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(STOP_STEP_S)
        if not self._service.stop():
            network_log.error("the threads that serve queries did not stop in time")
        self._loop.remove_reader(self._service.fileno())
        self._take()  # what came last: nothing is served any more, so connections are closed

    def trouble(self) -> str | None:
        """Return why queries are not answered on some socket, None if all is well."""
        return self._service.trouble()

    def counters(self) -> ServerCounters:
        """Return the sums over all sockets since the start."""
        found = self._service.counters()
        context = self._context
        return ServerCounters(
            udp_hot_answers=found.udp_hot_answers,
            udp_answers=found.udp_answers,
            udp_dropped=found.udp_dropped,
            udp_control_requests=found.udp_control_requests,
            udp_control_dropped=self._bridge.dropped + found.lost_requests,
            udp_receive_errors=found.udp_receive_errors,
            udp_send_errors=found.udp_send_errors + self._send_errors,
            tcp_answers=found.tcp_answers + context.answers,
            tcp_dropped=found.tcp_dropped + context.dropped,
            tcp_control_requests=context.control_requests,
            tcp_accepted=found.tcp_accepted,
            tcp_refused=found.tcp_refused,
            tcp_expired=found.tcp_expired + context.expired,
            tcp_clients=found.tcp_clients,
            tcp_high_water=found.tcp_high_water,
            untapped=found.lost_tapped,
            queries=found.queries,
        )

    # --- what comes from the threads --------------------------------------------------------------

    def _take(self) -> None:
        waiting = self._service.take()
        for datagram in waiting.requests:
            request = Request(
                datagram.packet, Endpoint(*datagram.client), datagram.local, Transport.UDP, datagram.port
            )
            self._bridge.submit(request, partial(self._reply, datagram))
        self._log_queries(waiting.tapped)
        for connection in waiting.connections:
            self._take_over(connection)
        for news in waiting.news:
            self._tell(news)
        lost, self._lost = self._lost, (waiting.lost_requests, waiting.lost_tapped)
        if waiting.lost_requests > lost[0]:
            self._logs["requests"].log(
                logging.WARNING,
                "%d requests dropped: too many requests for the control plane are waiting",
                waiting.lost_requests - lost[0],
            )
        if waiting.lost_tapped > lost[1]:
            self._logs["tapped"].log(
                logging.WARNING,
                "%d queries are missing from the query log: they come faster than it is written",
                waiting.lost_tapped - lost[1],
            )

    def _reply(self, datagram: Datagram, message: bytes) -> None:
        try:
            datagram.reply(message)
        except OSError as error:
            self._send_errors += 1
            self._tell(News(NewsKind.SEND_ERROR, datagram.client, error.strerror or str(error)))

    def _log_queries(self, queries: Iterable[TappedQuery]) -> None:
        hook = self._context.tap.hook
        if hook is None:
            return
        for query in queries:
            try:
                hook(query.packet, Endpoint(*query.client), query.local, query.transport)
            except Exception as error:  # noqa: BLE001
                # A bug: it must not raise. Only this line is missing then.
                self._logs["tap"].log(
                    logging.ERROR, "query %s could not be logged", query.packet.hex(), exc_info=error
                )

    def _tell(self, news: News) -> None:
        where = None if news.address is None else Endpoint(*news.address)
        write = self._logs[news.kind].log
        match news.kind:
            case NewsKind.RECEIVE_ERROR:
                write(logging.WARNING, "receiving UDP on %s failed: %s", where, news.text)
            case NewsKind.SEND_ERROR:
                write(logging.WARNING, "client %s: error sending response: %s", where, news.text)
            case NewsKind.TCP_REFUSED:
                write(logging.WARNING, "client %s: TCP connection refused: %s", where, news.text)
            case NewsKind.TCP_EXHAUSTED:
                write(
                    logging.ERROR,
                    "accepting TCP failed: %s; trying again (raise the limit of open files, 'ulimit -n', or "
                    "lower tcp-clients)",
                    news.text,
                )
            case NewsKind.TCP_EXPIRED:
                write(
                    logging.DEBUG,
                    "client %s: connection reset: timed out, waiting for %s",
                    where,
                    news.text,
                )
            case NewsKind.ENDED:
                assert where is not None
                self._on_failure(where, ServiceEndedError(news.text))

    # --- connections ------------------------------------------------------------------------------

    def _take_over(self, taken: Connection) -> None:
        listener = Endpoint(*taken.listener)
        if listener not in self._served:  # it has gone meanwhile
            taken.sock.close()
            self._service.connection_closed(taken.number)
            return
        client = Endpoint(*taken.client)
        connection = TcpConnection(
            self._context,
            client,
            taken.local,
            client_group(client.address),
            unread=taken.unread,
            on_idle=lambda: self._give_back(taken, connection),
        )
        self._connections[connection] = listener
        connection.closed.add_done_callback(lambda _: self._closed(taken, connection))
        self._context.tasks.spawn(self._attach(taken, connection), f"connection of {client}")

    async def _attach(self, taken: Connection, connection: TcpConnection) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, taken.sock)
        except OSError as error:  # the client is gone already
            log.debug("client %s: connection lost at once: %s", connection.client, error.strerror)
            taken.sock.close()
            self._closed(taken, connection)
        except asyncio.CancelledError:
            taken.sock.close()
            self._closed(taken, connection)
            raise

    def _give_back(self, taken: Connection, connection: TcpConnection) -> None:
        """Let the engine go on with a connection on which nothing is to be done."""
        try:
            self._service.take_back(taken)
        except OSError:
            return  # no descriptor to be had: it can stay here
        del self._connections[connection]
        connection.abort()  # closes our descriptor; the engine has its own

    def _closed(self, taken: Connection, connection: TcpConnection) -> None:
        if self._connections.pop(connection, None) is not None:
            self._service.connection_closed(taken.number)
