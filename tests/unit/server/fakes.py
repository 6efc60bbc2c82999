"""Stand-ins for what the sockets talk to."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager

import dns.message

from bindpy.answer.policy import AnswerPolicy, Outcome, Publication, Transport, ZonePolicy
from bindpy.engine import Zone
from bindpy.server.endpoint import Endpoint, SockAddr
from bindpy.server.listeners import Listeners
from bindpy.server.request import BrokenStreamError, Reply, Request, Stream
from bindpy.server.tcp_limits import TcpSettings

DEADLINE_S = 20.0
"""For what comes at once on a quiet machine; less than the time-outs of TCP, which are 30 s by themselves."""
QTYPE_AXFR = 252


def query(name: str = "www.example.com", qtype: str = "A", *, message_id: int = 1) -> bytes:
    """Return the wire form of a plain query."""
    message = dns.message.make_query(name, qtype, use_edns=False)
    message.id = message_id
    return message.to_wire()


def response_to(packet: bytes, payload: bytes = b"") -> bytes:
    """Return what `FakeAnswerer` answers: the query with QR set and *payload* behind it."""
    return packet[:2] + bytes([packet[2] | 0x80]) + packet[3:] + payload


class FakeAnswerer:
    """Answers with the query itself, QR set; transfers are "not mine", queries for type NULL are dropped.

    A query of type TXT gets *big* octets appended. `calls` has (client, local, transport) of each call.
    """

    def __init__(self, big: int = 0) -> None:
        self.hot: dict[bytes, bytes] | None = None
        self.calls: list[tuple[str, str, Transport]] = []
        self.big = big
        self.raises: Exception | None = None
        self._lock = threading.Lock()

    def configure(self, policy: AnswerPolicy) -> None: ...

    def publish(self, view: str, zone: Zone, policy: ZonePolicy) -> None: ...

    def unavailable(self, view: str, origin: bytes, policy: ZonePolicy, reason: str) -> None: ...

    def publish_all(self, publications: Iterable[Publication]) -> None: ...

    def withdraw(self, view: str, origin: bytes) -> None: ...

    def zone_queries(self, view: str, origin: bytes) -> int | None:
        return None

    def view_of(
        self, client: str, local: str, recursion_desired: bool, keys: Collection[str] = ()
    ) -> str | None:
        return "_default"

    def answer(
        self,
        query: bytes,
        client: str,
        local: str,
        transport: Transport,
        *,
        keys: Collection[str] = (),
        reserved_octets: int = 0,
    ) -> bytes | Outcome:
        with self._lock:
            self.calls.append((client, local, transport))
        if self.raises is not None:
            raise self.raises
        qtype = struct.unpack("!H", query[-4:-2])[0]
        if qtype == QTYPE_AXFR:
            return Outcome.NOT_MINE
        if qtype == 10:
            return Outcome.DROP
        return response_to(query, bytes(self.big) if qtype == 16 else b"")


class FakeHandler:
    """A control plane under the test's control: a request waits for `release`, then gets *messages*."""

    def __init__(self, messages: int = 1, message: bytes | None = None) -> None:
        self.requests: list[Request] = []
        self.release = asyncio.Event()
        self.messages = messages
        self.message = message
        self.sent = 0
        self.cancelled = 0
        self.time_s = self.idle_s = DEADLINE_S
        self.breaks = False
        self.closed = 0

    async def handle(self, request: Request) -> Reply:
        self.requests.append(request)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        answer = self.message or response_to(request.packet)
        if self.messages == 1:
            return answer
        return Stream(self._stream(answer), self.time_s, self.idle_s)

    async def _stream(self, answer: bytes) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(self.messages):
                self.sent += 1
                yield answer
            if self.breaks:
                raise BrokenStreamError("no more")
        finally:
            self.closed += 1


async def until(condition: Callable[[], bool], within_s: float = DEADLINE_S) -> None:
    """Return once *condition* holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)


class Served:
    """Listeners that serve, with the fakes behind them."""

    def __init__(self, listeners: Listeners, answerer: FakeAnswerer, handler: FakeHandler) -> None:
        self.listeners = listeners
        self.answerer = answerer
        self.handler = handler

    @property
    def endpoint(self) -> Endpoint:
        """Where the first listener is."""
        return next(iter(self.listeners.bound().values()))

    async def connect(self, endpoint: Endpoint | None = None) -> Client:
        """Connect by TCP."""
        reader, writer = await asyncio.open_connection(*(endpoint or self.endpoint))
        return Client(reader, writer)


class Client:
    """A TCP client that frames messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *packets: bytes) -> None:
        """Write *packets*, each framed, in one go."""
        self.writer.write(b"".join(framed(packet) for packet in packets))

    async def receive(self) -> bytes:
        """Return the next message; `asyncio.IncompleteReadError` or `ConnectionResetError` at the end."""
        async with asyncio.timeout(DEADLINE_S):
            size = int.from_bytes(await self.reader.readexactly(2))
            return await self.reader.readexactly(size)

    async def is_ended(self) -> bool:
        """Whether the server ends the connection within the deadline, what it wrote before left aside."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while await self.reader.read(65536):
                    pass
        except ConnectionResetError:
            pass
        return True

    def reset(self) -> None:
        """End with RST."""
        self.writer.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.writer.transport.abort()


def framed(packet: bytes) -> bytes:
    """Return *packet* behind its length (RFC 1035 section 4.2.2)."""
    return len(packet).to_bytes(2) + packet


@asynccontextmanager
async def serving(
    *,
    answerer: FakeAnswerer | None = None,
    handler: FakeHandler | None = None,
    settings: TcpSettings | None = None,
    address: str = "127.0.0.1",
    port: int = 0,
    udp_workers: int = 1,
) -> AsyncIterator[Served]:
    """Serve on a port of the kernel's choice; a test that binds its number again takes a `free_port`."""
    answerer = answerer or FakeAnswerer()
    handler = handler or FakeHandler()
    failures: list[tuple[Endpoint, BaseException]] = []
    listeners = Listeners(
        answerer,
        handler,
        settings or TcpSettings(),
        udp_workers=udp_workers,
        on_failure=lambda endpoint, error: failures.append((endpoint, error)),
    )
    await listeners.apply([Endpoint(address, port)])
    try:
        yield Served(listeners, answerer, handler)
    finally:
        await listeners.close()
    assert failures == []


class UdpClient:
    """A UDP socket whose blocking receive runs off the loop."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.bind(Endpoint(address, 0).sockaddr())
        self.sock.settimeout(DEADLINE_S)

    def __enter__(self) -> UdpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    @property
    def port(self) -> int:
        """Our port."""
        return int(self.sock.getsockname()[1])

    async def ask(self, packet: bytes, to: SockAddr) -> tuple[bytes, str]:
        """Send *packet*; return the answer and the address that it came from."""
        self.sock.sendto(packet, to)
        return await self.receive()

    async def receive(self) -> tuple[bytes, str]:
        """Return the next datagram and the address that it came from."""
        data, peer = await asyncio.to_thread(self.sock.recvfrom, 65535)
        return data, peer[0]
