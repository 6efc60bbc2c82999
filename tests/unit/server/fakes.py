"""Stand-ins for what the sockets talk to."""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable

import dns.message

from bindpy.answer.policy import AnswerPolicy, Outcome, Transport, ZonePolicy
from bindpy.engine import Zone
from bindpy.server.endpoint import Endpoint
from bindpy.server.request import Reply, Request

DEADLINE_S = 10.0
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

    def withdraw(self, view: str, origin: bytes) -> None: ...

    def answer(self, query: bytes, client: str, local: str, transport: Transport) -> bytes | Outcome:
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

    async def handle(self, request: Request) -> Reply:
        self.requests.append(request)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        answer = self.message or response_to(request.packet)
        return answer if self.messages == 1 else self._stream(answer)

    async def _stream(self, answer: bytes) -> AsyncIterator[bytes]:
        for _ in range(self.messages):
            self.sent += 1
            yield answer


async def until(condition: Callable[[], bool], within_s: float = DEADLINE_S) -> None:
    """Return once *condition* holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)


def unexpected_failure(endpoint: Endpoint, error: BaseException) -> None:
    """The `on_failure` of tests in which no listener may fail."""
    raise AssertionError(f"{endpoint} failed: {error}")
