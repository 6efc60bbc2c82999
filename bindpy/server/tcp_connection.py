"""One TCP client: framing, pipelining, deadlines and back-pressure (RFC 7766)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import field
from math import inf

from bindpy.answer.policy import Outcome, Transport
from bindpy.deferred import dataclass
from bindpy.engine import Answerer
from bindpy.server.endpoint import Endpoint
from bindpy.server.querylog import QueryTap
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.request import BrokenStreamError, Request, RequestHandler, Stream
from bindpy.server.tasks import TaskSet
from bindpy.server.tcp_limits import ConnectionTable

READ_OCTETS = 64 * 1024
MESSAGES_PER_TURN = 64
"""How many pipelined queries one client gets answered before others have their turn."""
REQUESTS_AT_ONCE = 16
"""How many requests of one client the control plane works on; more wait unread."""
WRITE_HIGH_OCTETS = 64 * 1024
"""Unread answers of a client beyond this stop the reading of its queries."""
WRITE_LOW_OCTETS = 16 * 1024
HEADER_OCTETS = 12

log = logging.getLogger("bindpy.client")


@dataclass(slots=True)
class TcpContext:
    """What the connections of a server share."""

    answerer: Answerer
    handler: RequestHandler
    tap: QueryTap
    table: ConnectionTable
    tasks: TaskSet
    # All connections read into the same buffer: they do so one after the other, on one thread, and copy
    # what they got before they return. An idle client costs no buffer.
    read_buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(READ_OCTETS)))
    failure_log: RateLimitedLog = field(default_factory=lambda: RateLimitedLog(log))
    expiry_log: RateLimitedLog = field(default_factory=lambda: RateLimitedLog(log))
    answers: int = 0
    dropped: int = 0
    control_requests: int = 0
    expired: int = 0


class TcpConnection(asyncio.BufferedProtocol):
    """Reads queries, writes answers as they get ready, whatever their order.

    Exactly one deadline is in force at any time; when it passes, the connection is reset:

    ========================  ==========================================================
    waiting for               deadline
    ========================  ==========================================================
    the first message         initial timeout
    the next message          idle timeout since the last one
    the rest of a message     idle timeout since its first octet, however it drips in
    the client to read        idle timeout, or that of the stream that it gets, since its unread answers
                              passed the high mark
    a control-plane request   none here: its handler has its own
    ========================  ==========================================================
    """

    def __init__(
        self,
        context: TcpContext,
        client: Endpoint,
        local: str,
        group: str,
        *,
        unread: bytes = b"",
        on_idle: Callable[[], None] | None = None,
    ) -> None:
        """*unread* has come already. *on_idle* may take the connection away: nothing is to be done on it."""
        self.client = client
        self.group = group
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._context = context
        self._local = local
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._pending = bytearray(unread)
        self._on_idle = on_idle
        self._requests: set[asyncio.Task[None]] = set()
        self._writable = asyncio.Event()
        self._writable.set()
        self._reading = True
        self._ending = False  # no more queries: the client shut down its side, or we are stopping
        self._message_due: float | None = None
        self._had_message = False
        self._again: asyncio.Handle | None = None
        self._deadline = inf
        self._waiting_for = ""
        self._patience_s: list[float] = []  # of the streams that are being written
        self._timer: asyncio.TimerHandle | None = None

    # --- what the quota asks ---------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being worked on and no answer waits to be read."""
        transport = self._transport
        return (
            not self._requests
            and self._again is None
            and not (transport and transport.get_write_buffer_size())
        )

    def evict(self) -> None:
        """End it now, to make room."""
        self.abort()

    # --- what the transport calls ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start: the transport also switches TCP_NODELAY on."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_OCTETS, low=WRITE_LOW_OCTETS)
        self._context.table.add(self)
        self._expect("its first message", self._loop.time() + self._context.table.settings.initial_timeout_s)
        if self._pending:
            self._again = self._loop.call_soon(self._take_turn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget everything; requests that are being worked on are cancelled."""
        self._context.table.remove(self)
        self._transport = None
        for handle in (self._timer, self._again):
            if handle is not None:
                handle.cancel()
        self._timer = self._again = None
        for task in self._requests:
            task.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return where to read to; see `TcpContext.read_buffer`."""
        return self._context.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take *nbytes* octets that came."""
        self._pending += self._context.read_buffer[:nbytes]
        self._proceed()

    def eof_received(self) -> bool:
        """Go on writing: a client may shut down its side and still wait for its answers."""
        self._ending = True
        self._proceed()
        return True

    def pause_writing(self) -> None:
        """Stop answering a client that does not read."""
        self._writable.clear()
        patience_s = max(self._context.table.settings.idle_timeout_s, *self._patience_s, 0.0)
        self._expect("it to read its answers", self._loop.time() + patience_s)

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        self._writable.set()
        self._proceed()

    # --- the work --------------------------------------------------------------------------------

    def finish(self) -> None:
        """Take no more queries; close when the answers to those that came are written."""
        self._ending = True
        self._proceed()

    def abort(self) -> None:
        """End it now, whatever is unfinished."""
        self._context.table.remove(self)
        if self._transport is not None:
            self._transport.abort()

    def _proceed(self) -> None:
        """Answer the whole messages that are here, then decide what to wait for."""
        if self._again is not None:
            return  # its turn comes
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        more = self._answer_messages(transport)
        if self._transport is None or transport.is_closing():
            return
        if more:
            self._again = self._loop.call_soon(self._take_turn)
        may_read = not (more or self._ending) and self._may_answer()
        if may_read is not self._reading:
            self._reading = may_read
            (transport.resume_reading if may_read else transport.pause_reading)()
        self._set_deadline(transport, more)

    def _take_turn(self) -> None:
        self._again = None
        self._proceed()

    def _may_answer(self) -> bool:
        return self._writable.is_set() and len(self._requests) < REQUESTS_AT_ONCE

    def _answer_messages(self, transport: asyncio.Transport) -> bool:
        """Answer at most `MESSAGES_PER_TURN` messages; return whether more could be answered at once."""
        pending, start, count = self._pending, 0, 0
        out: list[bytes] = []
        unwritten = 0
        while count < MESSAGES_PER_TURN and self._may_answer() and len(pending) - start >= 2:
            end = start + 2 + (pending[start] << 8 | pending[start + 1])
            if end > len(pending):
                break
            if end - start - 2 < HEADER_OCTETS:
                self.abort()  # whatever this client speaks, it is not DNS
                return False
            answer = self._answer(bytes(pending[start + 2 : end]))
            start = end
            count += 1
            if answer is not None:
                out.append(len(answer).to_bytes(2))
                out.append(answer)
                unwritten += len(answer)
                if unwritten >= WRITE_HIGH_OCTETS:
                    transport.write(b"".join(out))
                    out.clear()
                    unwritten = 0
                    if transport.is_closing():  # the write found the connection broken
                        return False
        if out:
            transport.write(b"".join(out))
        if count:
            del pending[:start]
            self._message_due = None
            self._had_message = True
            self._context.table.touch(self)
        return count == MESSAGES_PER_TURN and self._may_answer()

    def _answer(self, packet: bytes) -> bytes | None:
        """Return the answer to write now, if any."""
        context = self._context
        hook = context.tap.hook
        try:
            if hook is not None:
                hook(packet, self.client, self._local, Transport.TCP)
            answer = context.answerer.answer(packet, self.client.address, self._local, Transport.TCP)
        except Exception as error:  # noqa: BLE001
            # A bug: neither of the two may raise. It is this query's trouble only.
            context.failure_log.log(
                logging.ERROR,
                "client %s: no answer because of an internal error, query %s",
                self.client,
                packet.hex(),
                exc_info=error,
            )
            return None
        if isinstance(answer, bytes):
            context.answers += 1
            return answer
        if answer is Outcome.NOT_MINE:
            context.control_requests += 1
            request = Request(packet, self.client, self._local, Transport.TCP, self._port())
            task = context.tasks.spawn(self._converse(request), f"request of {self.client}")
            self._requests.add(task)
            task.add_done_callback(self._request_done)
        else:
            context.dropped += 1
        return None

    def _port(self) -> int:
        """Return the port of ours that the client is connected to, 0 where that is not known any more."""
        assert self._transport is not None
        name: tuple[str, int] | None = self._transport.get_extra_info("sockname")
        return name[1] if name else 0

    async def _converse(self, request: Request) -> None:
        """Write the control plane's reply."""
        reply = await self._context.handler.handle(request)
        if isinstance(reply, bytes):
            await self._write(reply)
        elif reply is not None:
            await self._write_stream(reply)

    async def _write_stream(self, stream: Stream) -> None:
        """Write a stream message by message, as fast as the client reads, within the stream's limits."""
        self._patience_s.append(stream.idle_s)
        try:
            async with aclosing(stream.messages), asyncio.timeout(stream.time_s):
                async for message in stream.messages:
                    await self._write(message)
                    await asyncio.sleep(0)  # a long reply to a fast reader must not keep the loop to itself
        except (TimeoutError, BrokenStreamError):
            self.abort()  # part of a reply is written: nothing good can follow
        finally:
            self._patience_s.remove(stream.idle_s)

    async def _write(self, message: bytes) -> None:
        await self._writable.wait()  # pause_writing has set a deadline
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(len(message).to_bytes(2) + message)

    def _request_done(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.abort()  # half of a reply may be written: nothing good can follow
        else:
            self._proceed()

    # --- deadlines and the end -------------------------------------------------------------------

    def _set_deadline(self, transport: asyncio.Transport, more: bool) -> None:
        if not self._writable.is_set():
            return  # pause_writing has set it
        idle_timeout_s = self._context.table.settings.idle_timeout_s
        now = self._loop.time()
        if more or self._requests:
            self._expect("", inf)
        elif self._ending:
            self._expect("it to read its answers", now + idle_timeout_s)
            transport.close()  # once all is written
        elif self._pending:
            if self._message_due is None:
                self._message_due = now + idle_timeout_s
            self._expect("the rest of a message", self._message_due)
        elif self._had_message:
            self._expect("its next message", now + idle_timeout_s)
            if self._on_idle is not None and not transport.get_write_buffer_size():
                self._on_idle()

    def _expect(self, what: str, deadline: float) -> None:
        """Set the deadline. Its timer is moved only to an earlier time, so a later one costs nothing."""
        self._waiting_for = what
        self._deadline = deadline
        if deadline == inf:
            return
        if self._timer is not None:
            if self._timer.when() <= self._deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._loop.time() >= self._deadline:
            self._context.expired += 1
            self._context.expiry_log.log(
                logging.DEBUG,
                "client %s: connection reset: timed out, waiting for %s",
                self.client,
                self._waiting_for,
            )
            self.abort()
        elif self._deadline != inf:
            self._timer = self._loop.call_at(self._deadline, self._look_at_clock)
