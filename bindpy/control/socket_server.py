"""The local control socket: commands from people and programs of this machine, as lines of JSON.

docs/ctl.md describes the lines.

How the server is put together with it::

    local = LocalSocket(lambda line, who: execute(server, line, who, read_only=False))
    make_socket_directory(place, account)   # while still root
    await local.apply(place)                # when rights were given up, and again after each reload
    await local.close()

The file's mode keeps others out; who comes in is looked at nevertheless, since directories and modes are
changed by hand.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from bindpy.control import socket_protocol as protocol
from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job
from bindpy.control.registry import Result
from bindpy.control.socket_file import SocketFile, SocketFileError
from bindpy.control.socket_path import SocketPlace
from bindpy.control.socket_peer import Peer
from bindpy.control.verb import Caller
from bindpy.deferred import dataclass
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.tasks import TaskSet

log = logging.getLogger("bindpy.general")

CHANNEL = "socket"
MAX_CONNECTIONS = 32
FAILED_PAUSE_S = 0.25
FINISH_WITHIN_S = 0.5

Execute = Callable[[str, Caller], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class SocketTimes:
    """How long a client may take, in seconds."""

    idle: float = 300.0  # between two requests
    line: float = 10.0  # from the first octet of a request to its end
    write: float = 30.0  # until it has taken a reply
    heartbeat: float = 5.0  # the longest silence while it waits for work to end


class LocalSocket:
    """Serves the local control socket. All methods belong to the event loop's thread."""

    def __init__(self, execute: Execute, times: SocketTimes | None = None) -> None:
        self._execute = execute
        self._times = times or SocketTimes()
        self._file: SocketFile | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._tasks = TaskSet(log)
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self._refused_log = RateLimitedLog(log)
        self._failed_log = RateLimitedLog(log, burst=1, lines_per_s=0.1)

    @property
    def path(self) -> str | None:
        """Where the socket is, None where there is none."""
        return None if self._file is None else self._file.place.path

    async def apply(self, place: SocketPlace | None) -> None:
        """Listen at *place* (None: nowhere) and at no other: keep what stays, connections included.

        Raises `SocketFileError` when that cannot be, and then everything is as it was. A place that nobody
        asked for is a warning instead.
        """
        old = self._file
        if old is not None and old.place == place and old.is_in_place():
            return
        in_the_way = old is not None and place is not None and old.place.path == place.path
        if in_the_way:  # somebody removed the file, or it is to be another group's
            await self._stop_listening()
        opened = None
        if place is not None:
            try:
                opened = SocketFile.claim(place)
            except SocketFileError as error:
                if old is not None and in_the_way:
                    with suppress(SocketFileError):
                        self._listen(SocketFile.claim(old.place))
                if not place.is_default:
                    raise
                log.warning("%s; until then only rndc and signals reach this server", error)
                return
        await self._stop_listening()
        if opened is not None:
            self._listen(opened)

    async def close(self) -> None:
        """Take the socket away; let clients have their replies, for a moment, and close all."""
        await self._stop_listening()
        for connection, task in list(self._connections.items()):
            connection.is_ending = True
            if connection.is_idle:
                task.cancel()
        await self._tasks.finish(FINISH_WITHIN_S)

    def _listen(self, file: SocketFile) -> None:
        self._file = file
        self._accepting = self._tasks.spawn(self._accept(file), "local control socket")
        log.info("control socket listening on %s", file.place.path)

    async def _stop_listening(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
            self._accepting = None
        if self._file is not None:
            self._file.remove()
            log.info("no longer listening on control socket %s", self._file.place.path)
            self._file = None

    async def _accept(self, file: SocketFile) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(file.sock)
            except OSError as error:
                self._failed_log.log(
                    logging.ERROR,
                    "accepting on the control socket failed: %s; trying again (where it is for want of "
                    "descriptors, raise the limit of open files, 'ulimit -n')",
                    error.strerror,
                )
                await asyncio.sleep(FAILED_PAUSE_S)
                continue
            try:
                self._admit(sock, file.group())
            except OSError as error:  # the client is gone already
                log.debug("control socket: connection lost at once: %s", error.strerror)
                sock.close()

    def _admit(self, sock: socket.socket, group: int | None) -> None:
        peer = Peer.of(sock)
        if not peer.may_control(group):
            self._refused_log.log(
                logging.WARNING, "control socket: rejected %s: neither our user, root nor in its group", peer
            )
            _turn_away(sock, protocol.refused("permission denied", "this server is another user's"))
            return
        if len(self._connections) >= MAX_CONNECTIONS and not self._make_room():
            self._refused_log.log(logging.WARNING, "control socket: rejected %s: too many connections", peer)
            _turn_away(sock, protocol.refused("too many connections", "try again in a moment"))
            return
        log.debug("control socket: connection from %s", peer)
        connection = _Connection(sock, peer, self._execute, self._times)
        task = self._tasks.spawn(connection.run(), f"control socket: {peer}")
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._connections.pop(connection, None))

    def _make_room(self) -> bool:
        """End the connection that has asked nothing for the longest time, if there is one."""
        idle = [one for one in self._connections if one.is_idle]
        if not idle:
            return False
        longest = min(idle, key=lambda one: one.since)
        self._connections.pop(longest).cancel()
        return True


def _turn_away(sock: socket.socket, line: bytes) -> None:
    """Tell the client why, without waiting for it, and close."""
    with sock:
        sock.setblocking(False)
        with suppress(OSError):
            sock.send(line)


class _Connection:
    """One client. ``since`` is when it began to wait for its next request, if it ``is_idle``."""

    def __init__(self, sock: socket.socket, peer: Peer, execute: Execute, times: SocketTimes) -> None:
        self.is_ending = False  # no more requests after this one
        self.is_idle = True
        self.since = time.monotonic()
        self._sock = sock
        self._who = Caller(CHANNEL, f"pid {peer.pid}", f"uid {peer.uid}")
        self._execute = execute
        self._times = times

    async def run(self) -> None:
        """Serve the client until it goes, or is too slow, or sends what is no request."""
        try:
            reader, writer = await asyncio.open_unix_connection(
                sock=self._sock, limit=protocol.MAX_LINE_OCTETS
            )
        except BaseException:
            self._sock.close()
            raise
        # What is written is either with the client or still counted: so drain() notices who is slow.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            while await self._serve_one(reader, writer):  # noqa: ASYNC110 - no event is waited for here
                # A client that has sent many requests at once must not keep the loop from all others.
                await asyncio.sleep(0)
        except (OSError, TimeoutError) as error:
            log.debug("control socket: %s lost: %s", self._who, error or "too slow")
        finally:
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether there may be another."""
        self.is_idle, self.since = True, time.monotonic()
        try:
            line = await self._read_line(reader)
            self.is_idle = False
            if line is None:
                return False
            request = protocol.read_request(line)
        except protocol.BadRequestError as error:
            self.is_idle = False
            log.info("control socket: bad request from %s: %s", self._who, error)
            await self._write(writer, protocol.refused("bad request", str(error)))
            return False
        except TimeoutError:
            self.is_idle = False
            await self._write(writer, protocol.refused("timed out", "no whole request came in time"))
            return False
        await self._answer(request, writer)
        return not self.is_ending

    async def _read_line(self, reader: asyncio.StreamReader) -> bytes | None:
        """Return the next line, None where there is none. Raises `BadRequestError`, `TimeoutError`."""
        async with asyncio.timeout(self._times.idle):
            first = await reader.read(1)
        if not first:
            return None
        if first == b"\n":
            return first
        try:
            async with asyncio.timeout(self._times.line):
                return first + await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise protocol.BadRequestError(
                f"the line is longer than {protocol.MAX_LINE_OCTETS} octets"
            ) from None
        except asyncio.IncompleteReadError:
            return None

    async def _answer(self, request: protocol.Request, writer: asyncio.StreamWriter) -> None:
        try:
            result = await self._execute(request.command, self._who)
        except VerbError as error:
            await self._write(writer, protocol.failed(request.id, error))
            return
        try:
            if request.wait and result.job is not None:
                await self._follow(request.id, result, result.job, writer)
            else:
                await self._write(writer, protocol.answered(request.id, result))
        finally:
            if result.then is not None:
                result.then()

    async def _follow(
        self, number: protocol.RequestId, result: Result, job: Job, writer: asyncio.StreamWriter
    ) -> None:
        """Tell how *job* goes until it has ended. A client that goes away leaves it running."""
        await self._write(writer, protocol.started(number, result, job))
        steps = aiter(job.follow())
        step = asyncio.ensure_future(anext(steps))
        try:
            while True:
                # Said again from time to time: a client that is gone, or a server that hangs, shows.
                await asyncio.wait([step], timeout=self._times.heartbeat)
                if step.done():
                    try:
                        step.result()
                    except StopAsyncIteration:
                        break
                    step = asyncio.ensure_future(anext(steps))
                await self._write(writer, protocol.progress(number, job, job.progress))
        finally:
            step.cancel()
        await self._write(writer, protocol.finished(number, result, job))

    async def _write(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        """Send *line*. Raises `TimeoutError` when the client does not take it, `OSError` when it is gone."""
        writer.write(line)
        async with asyncio.timeout(self._times.write):
            await writer.drain()
