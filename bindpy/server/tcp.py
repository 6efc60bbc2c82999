"""Accepts TCP clients on one listening socket."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Callable, Collection

from bindpy.server.endpoint import Endpoint
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.tcp_connection import TcpConnection, TcpContext
from bindpy.server.tcp_limits import client_group

EXHAUSTED_ERRNOS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
EXHAUSTED_PAUSE_S = 0.25
TRANSIENT_ERRNOS = frozenset(
    (
        errno.ECONNABORTED,
        errno.EPERM,
        errno.EPROTO,
        errno.ENETDOWN,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
    )
)
"""accept(2): errors of the new connection, not of the listener."""
FINISH_WITHIN_S = 0.5
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

log = logging.getLogger("bindpy.client")
network_log = logging.getLogger("bindpy.network")


class TcpListener:
    """One listening socket and the connections that came through it. Owns the socket from now on.

    A listener that fails for good (not for want of descriptors: then it pauses) calls *on_failure*.
    """

    def __init__(
        self,
        sock: socket.socket,
        endpoint: Endpoint,
        context: TcpContext,
        on_failure: Callable[[Endpoint, BaseException], None],
    ) -> None:
        self.endpoint = endpoint
        self.accepted = 0
        self.refused = 0
        self._sock = sock
        self._context = context
        self._on_failure = on_failure
        self._connections: set[TcpConnection] = set()
        self._task: asyncio.Task[None] | None = None
        self._exhausted_log = RateLimitedLog(network_log, burst=1, lines_per_s=0.1)
        self._refused_log = RateLimitedLog(log)

    def start(self) -> None:
        """Start accepting."""
        self._task = asyncio.get_running_loop().create_task(self._accept(), name=f"tcp {self.endpoint}")
        self._task.add_done_callback(self._accept_ended)

    def _accept_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(self.endpoint, error)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(self._sock)
            except OSError as error:
                if error.errno in EXHAUSTED_ERRNOS:
                    self._exhausted_log.log(
                        logging.ERROR,
                        "accepting TCP on %s failed: %s; trying again (raise the limit of open files, "
                        "'ulimit -n', or lower tcp-clients)",
                        self.endpoint,
                        error.strerror,
                    )
                    await asyncio.sleep(EXHAUSTED_PAUSE_S)
                elif error.errno not in TRANSIENT_ERRNOS:
                    raise
                continue
            try:
                await self._admit(sock, Endpoint(address[0], address[1]))
            except OSError as error:  # the client is gone already
                log.debug("client %s: connection lost at once: %s", address, error.strerror)
                sock.close()

    async def _admit(self, sock: socket.socket, client: Endpoint) -> None:
        group = client_group(client.address)
        reason = self._context.table.make_room(group)
        if reason is not None:
            self.refused += 1
            self._refused_log.log(logging.WARNING, "client %s: TCP connection refused: %s", client, reason)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            sock.close()
            return
        local = self.endpoint.address if not self.endpoint.is_wildcard else sock.getsockname()[0]
        connection = TcpConnection(self._context, client, local, group)
        self._connections.add(connection)
        connection.closed.add_done_callback(lambda _: self._connections.discard(connection))
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock)
        except BaseException:
            connection.abort()
            self._connections.discard(connection)
            raise
        self.accepted += 1

    async def close(self) -> None:
        """Stop accepting, let clients have the answers to what they asked, for a moment, and close all."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._sock.close()
        await end_connections(list(self._connections))


async def end_connections(connections: Collection[TcpConnection]) -> None:
    """Let clients have the answers to what they asked, for a moment, and close all."""
    for finish in (TcpConnection.finish, TcpConnection.abort):
        for connection in connections:
            finish(connection)
        connections = [connection for connection in connections if not connection.closed.done()]
        if connections:
            await asyncio.wait([one.closed for one in connections], timeout=FINISH_WITHIN_S)
        connections = [connection for connection in connections if not connection.closed.done()]
