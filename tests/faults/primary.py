"""A primary that does whatever a test wants, on UDP and TCP of one kernel-chosen loopback port."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self, TypeAlias, cast

from bindpy.config.model import RemoteServer
from tests.support.ports import LOOPBACK, free_port

CLIENT_LEAVES_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Raw:
    """Octets sent as they are: over TCP without a length in front."""

    octets: bytes


class Stall:
    """Send nothing more until the client goes away."""


class Cut:
    """Close the TCP connection as usual."""


class Reset:
    """Break the TCP connection."""


Action: TypeAlias = bytes | Raw | Stall | Cut | Reset
"""A whole message, or one of the ways to misbehave."""

Handler: TypeAlias = Callable[[bytes, bool], Iterable[Action]]
"""What to do about a request (its octets, whether it came by TCP); no action at all is silence."""


class FaultyPrimary:
    """An asynchronous context manager; ``requests`` are those that came, with whether they came by TCP;
    ``closed`` is set once a connection has ended."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[tuple[bytes, bool]] = []
        self.closed = asyncio.Event()
        self.remote = RemoteServer(LOOPBACK, 0)
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._udp: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        port = free_port()
        self._server = await asyncio.start_server(self._connection, LOOPBACK, port)
        self._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(LOOPBACK, port)
        )
        self.remote = RemoteServer(LOOPBACK, port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._udp is not None
        self._udp.close()
        self._server.close()
        await self._server.wait_closed()
        if self._connections:
            _done, left = await asyncio.wait(self._connections, timeout=CLIENT_LEAVES_WITHIN_S)
            assert not left, "the client left a connection open"

    def _actions(self, request: bytes, over_tcp: bool) -> Iterable[Action]:
        self.requests.append((request, over_tcp))
        return self._handler(request, over_tcp)

    def datagram(self, request: bytes, client: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        """Answer one UDP request."""
        for action in self._actions(request, False):
            if isinstance(action, bytes):
                transport.sendto(action, client)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.closed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other; a good primary lets the client close."""
        while True:
            size = int.from_bytes(await reader.readexactly(2))
            request = await reader.readexactly(size)
            if not await self._act(self._actions(request, True), reader, writer):
                return

    async def _act(
        self, actions: Iterable[Action], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Do *actions*; return whether the connection is still of use."""
        for action in actions:
            match action:
                case bytes():
                    writer.write(len(action).to_bytes(2) + action)
                case Raw(octets):
                    writer.write(octets)
                case Stall():
                    await reader.read()
                    return False
                case Cut():
                    return False
                case Reset():
                    await writer.drain()
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return False
            await writer.drain()
            await asyncio.sleep(0)  # which `drain` does not see to: the client may be in this loop, too
        return True


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, primary: FaultyPrimary) -> None:
        self._primary = primary
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._primary.datagram(data, addr, self._transport)
