"""The rndc channel on a socket: who may connect, how long a client may take, and what is logged of it.

Before a client has shown that it has a key, it costs a connection of a bounded number and at most one
message's memory, for a bounded time.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TypeAlias

from bindpy.config.acl import AddressMatcher, parse_address
from bindpy.config.model import TsigKey
from bindpy.control.errors import VerbError
from bindpy.control.registry import Result
from bindpy.control.rndc_codec import LENGTH_OCTETS, MessageError, body_length
from bindpy.control.rndc_session import ReplayMemory, Request, RndcSession
from bindpy.control.rndc_sockets import OpenPlace
from bindpy.control.socket_peer import Peer
from bindpy.control.verb import Caller
from bindpy.deferred import dataclass
from bindpy.server.endpoint import Endpoint
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.tasks import TaskSet
from bindpy.server.tcp import EXHAUSTED_ERRNOS, EXHAUSTED_PAUSE_S, TRANSIENT_ERRNOS

log = logging.getLogger("bindpy.general")

Execute: TypeAlias = Callable[[str, Caller, bool], Awaitable[Result]]
"""What does a command: its line, who gave it, whether only verbs that change nothing are allowed."""


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """Limits of one channel. Times are seconds.

    ``patience_s`` is how long a connection may be without a whole message, however it drips in, and how long
    a client may take to read a reply; ``finish_s`` how long a command may go on when the channel is closed.
    """

    connections: int = 50
    patience_s: float = 30.0
    finish_s: float = 2.0


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """What can change while a channel stays open: who may connect, the keys, and what is allowed."""

    allow: AddressMatcher
    keys: tuple[TsigKey, ...]
    read_only: bool


@dataclass(slots=True)
class ChannelContext:
    """What all channels of a server share."""

    execute: Execute
    limits: ChannelLimits = ChannelLimits()
    replays: ReplayMemory = field(default_factory=ReplayMemory)
    tasks: TaskSet = field(default_factory=lambda: TaskSet(log))
    rejected_log: RateLimitedLog = field(default_factory=lambda: RateLimitedLog(log))
    invalid_log: RateLimitedLog = field(default_factory=lambda: RateLimitedLog(log))
    slow_log: RateLimitedLog = field(default_factory=lambda: RateLimitedLog(log))
    crowd_log: RateLimitedLog = field(default_factory=lambda: RateLimitedLog(log))


class RndcListener:
    """One open channel. Belongs to the event loop's thread; ``settings`` may be replaced at any time."""

    def __init__(self, opened: OpenPlace, settings: ChannelSettings, context: ChannelContext) -> None:
        self.settings = settings
        self.opened = opened
        self.is_closing = False
        self._context = context
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self._accepting = context.tasks.spawn(self._accept(), f"command channel {opened.place}")

    async def close(self) -> None:
        """Stop accepting, and close the connections that wait for a message.

        Commands that are being done are still answered: the one that closes the channel may be among them.
        They are tasks of the context.
        """
        self.is_closing = True
        self._accepting.cancel()
        await asyncio.wait([self._accepting])
        self.opened.close()
        waiting = [task for connection, task in self._connections.items() if not connection.is_busy]
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)  # accepting what waits already would not let anybody else have a turn
            try:
                sock, address = await loop.sock_accept(self.opened.sock)
            except OSError as error:
                if error.errno in EXHAUSTED_ERRNOS:
                    self._context.crowd_log.log(
                        logging.ERROR,
                        "accepting on command channel %s failed: %s; trying again",
                        self.opened.place,
                        error.strerror,
                    )
                    await asyncio.sleep(EXHAUSTED_PAUSE_S)
                elif error.errno not in TRANSIENT_ERRNOS:
                    raise
                continue
            try:
                self._admit(sock, address)
            except OSError:  # the client is gone already
                sock.close()

    def _admit(self, sock: socket.socket, address: tuple[str, int] | str) -> None:
        peer = _peer_name(sock, address)
        if not isinstance(address, str) and not self.settings.allow.matches(parse_address(address[0])):
            sock.close()
            self._context.rejected_log.log(logging.WARNING, "rejected command channel message from %s", peer)
            return
        if len(self._connections) >= self._context.limits.connections and not self._evict_one():
            sock.close()
            self._context.crowd_log.log(
                logging.WARNING,
                "command channel connection from %s refused: %d others are being served",
                peer,
                len(self._connections),
            )
            return
        connection = _Connection(sock, peer, self, self._context)
        task = self._context.tasks.spawn(connection.run(), f"command channel client {peer}")
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._forget(connection, sock))

    def _forget(self, connection: _Connection, sock: socket.socket) -> None:
        """Close the socket of a connection that has ended, or was ended before its task had begun."""
        self._connections.pop(connection, None)
        sock.close()

    def _evict_one(self) -> bool:
        """End the oldest connection that waits for a message, first of those that have shown no key."""
        idle = [connection for connection in self._connections if not connection.is_busy]
        victim = next((one for one in idle if not one.is_trusted), idle[0] if idle else None)
        if victim is None:
            return False
        self._connections.pop(victim).cancel()
        self._context.crowd_log.log(
            logging.WARNING,
            "command channel connection from %s closed: there are more than %d of them",
            victim.peer,
            self._context.limits.connections,
        )
        return True


class _Connection:
    def __init__(
        self, sock: socket.socket, peer: str, listener: RndcListener, context: ChannelContext
    ) -> None:
        self.peer = peer
        self.is_busy = False  # a command is being done, or its reply is being sent
        self._sock = sock
        self._listener = listener
        self._context = context
        self._session = RndcSession(context.replays)
        self._loop = asyncio.get_running_loop()

    @property
    def is_trusted(self) -> bool:
        """Whether the client has shown that it has a key."""
        return self._session.is_open

    async def run(self) -> None:
        """Take one message after the other until the client goes, or something is wrong with it."""
        try:
            while (body := await self._message()) is not None:
                request = self._session.receive(body, self._listener.settings.keys)
                self.is_busy = True
                await self._answer(request)
                self.is_busy = False
                if self._listener.is_closing:
                    break
        except MessageError as error:
            self._context.invalid_log.log(logging.ERROR, "invalid command from %s: %s", self.peer, error)
        except TimeoutError:
            self._context.slow_log.log(
                logging.INFO,
                "command channel connection from %s closed: %g s without a whole message or a reply read",
                self.peer,
                self._context.limits.patience_s,
            )
        except OSError as error:
            log.debug("command channel connection from %s lost: %s", self.peer, error.strerror)

    async def _message(self) -> bytes | None:
        """Return the next body, None when the client has closed. Raises `MessageError`, OSError."""
        async with asyncio.timeout(self._context.limits.patience_s):
            prefix = await self._octets(LENGTH_OCTETS)
            return None if prefix is None else await self._octets(body_length(prefix))

    async def _octets(self, count: int) -> bytes | None:
        received = bytearray()
        while len(received) < count:
            more = await self._loop.sock_recv(self._sock, count - len(received))
            if not more:
                return None
            received += more
        return bytes(received)

    async def _answer(self, request: Request) -> None:
        then: Callable[[], None] | None = None
        reply = self._session.reply
        if request.command is None:
            frame = reply(request)
        else:
            who = Caller("rndc", self.peer, request.key.name.removesuffix("."))
            try:
                result = await self._context.execute(request.command, who, self._listener.settings.read_only)
                frame, then = reply(request, text=result.text), result.then
            except VerbError as error:
                frame = reply(request, code=error.code, err=error.err, text=error.text)
        try:
            async with asyncio.timeout(self._context.limits.patience_s):
                await self._loop.sock_sendall(self._sock, frame)
        finally:
            if then is not None:
                then()


def _peer_name(sock: socket.socket, address: tuple[str, int] | str) -> str:
    """Return how the logs call a client: its address, or who it is on this host."""
    if isinstance(address, str):
        return str(Peer.of(sock))
    return str(Endpoint(address[0], address[1]))
