"""What an engine's threads pass up, from an engine that passes up what the test wants."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bindpy.answer.policy import Transport
from bindpy.native.answers import EngineFaultError, RustAnswerer
from bindpy.native.service import RustService
from bindpy.server.endpoint import Endpoint
from bindpy.server.engine_service import ServiceEndedError
from bindpy.server.listeners import Listeners, ListenersError
from bindpy.server.tcp_limits import TcpSettings
from bindpy.serving import (
    Address,
    Connection,
    News,
    NewsKind,
    QueryCounters,
    ServiceCounters,
    TappedQuery,
    Waiting,
)
from tests.support.ports import free_port
from tests.unit.server.fakes import FakeAnswerer, FakeHandler, query, until

CLIENT = ("192.0.2.7", 5353)


@dataclass
class FakeDatagram:
    """A request whose reply cannot be sent, if there is an *error*."""

    packet: bytes
    client: Address = CLIENT
    local: str = "127.0.0.1"
    port: int = 5300
    error: OSError | None = None
    replies: list[bytes] = field(default_factory=list)

    def reply(self, message: bytes) -> None:
        self.replies.append(message)
        if self.error is not None:
            raise self.error


class FakeService:
    """A `bindpy.serving.QueryService` that serves nothing."""

    def __init__(self, **limits: float) -> None:
        self.limits = limits
        self.tapping = False
        self.serving: list[Address] = []
        self.closed: list[int] = []
        self.is_stopped = False
        self.in_trouble: str | None = None
        self.refused = ""
        self._waiting = self.nothing()
        self._reader, self._writer = os.pipe()

    @staticmethod
    def nothing() -> Waiting:
        return Waiting([], [], [], [], 0, 0)

    def pass_up(self, waiting: Waiting) -> None:
        """Let *waiting* be taken."""
        self._waiting = waiting
        os.write(self._writer, b"!")

    def fileno(self) -> int:
        return self._reader

    def take(self) -> Waiting:
        waiting, self._waiting = self._waiting, self.nothing()
        if not self.is_stopped:
            os.read(self._reader, 1)
        return waiting

    def tap(self, is_on: bool) -> None:
        self.tapping = is_on

    def serve(
        self, bound: Address, udp: Sequence[socket.socket], tcp: socket.socket, *, is_udp_shared: bool
    ) -> None:
        if bound[0] == self.refused:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.serving.append(bound)

    def leave(self, bound: Address) -> bool:
        self.serving.remove(bound)
        return False

    def limit(self, clients: int, initial_timeout_s: float, idle_timeout_s: float) -> None:
        self.limits = {
            "clients": clients,
            "initial_timeout_s": initial_timeout_s,
            "idle_timeout_s": idle_timeout_s,
        }

    def connection_closed(self, number: int) -> None:
        self.closed.append(number)

    def take_back(self, connection: Connection) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def counters(self) -> ServiceCounters:
        return ServiceCounters(*range(15), QueryCounters())

    def trouble(self) -> str | None:
        return self.in_trouble

    def request_stop(self) -> None:
        self.is_stopped = True

    def stop(self) -> bool:
        return True


@dataclass
class Harness:
    """Listeners with a `FakeService` behind them."""

    listeners: Listeners
    service: FakeService
    handler: FakeHandler
    failures: list[tuple[Endpoint, BaseException]]


@asynccontextmanager
async def harness() -> AsyncIterator[Harness]:
    failures: list[tuple[Endpoint, BaseException]] = []
    services: list[FakeService] = []

    def start(*, clients: int, initial_timeout_s: float, idle_timeout_s: float) -> FakeService:
        services.append(
            FakeService(clients=clients, initial_timeout_s=initial_timeout_s, idle_timeout_s=idle_timeout_s)
        )
        return services[0]

    handler = FakeHandler()
    listeners = Listeners(
        FakeAnswerer(),
        handler,
        TcpSettings(clients=7),
        start_service=start,
        on_failure=lambda endpoint, error: failures.append((endpoint, error)),
    )
    try:
        yield Harness(listeners, services[0], handler, failures)
    finally:
        await listeners.close()


def news(kind: NewsKind, address: Address | None = CLIENT, text: str = "why") -> Waiting:
    return Waiting([], [], [], [News(kind, address, text)], 0, 0)


async def test_limits_and_the_tap_are_passed_down() -> None:
    async with harness() as under_test:
        service = under_test.service
        assert service.limits == {"clients": 7, "initial_timeout_s": 30.0, "idle_timeout_s": 30.0}
        await under_test.listeners.apply([Endpoint("127.0.0.1", 0)], TcpSettings(9, 1.0, 2.0))
        assert service.limits == {"clients": 9, "initial_timeout_s": 1.0, "idle_timeout_s": 2.0}
        under_test.listeners.on_query = lambda *_: None
        assert service.tapping
        under_test.listeners.on_query = None
        assert not service.tapping
        service.in_trouble = "stuck"
        assert under_test.listeners.trouble() == "stuck"


@pytest.mark.parametrize(
    ("kind", "level", "line"),
    [
        (NewsKind.RECEIVE_ERROR, "WARNING", "receiving UDP on 192.0.2.7#5353 failed: why"),
        (NewsKind.SEND_ERROR, "WARNING", "client 192.0.2.7#5353: error sending response: why"),
        (NewsKind.TCP_REFUSED, "WARNING", "client 192.0.2.7#5353: TCP connection refused: why"),
        (NewsKind.TCP_EXHAUSTED, "ERROR", "accepting TCP failed: why; trying again"),
        (
            NewsKind.TCP_EXPIRED,
            "DEBUG",
            "client 192.0.2.7#5353: connection reset: timed out, waiting for why",
        ),
    ],
)
async def test_news_are_logged(
    kind: NewsKind, level: str, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with harness() as under_test:
        under_test.service.pass_up(news(kind))
        await until(lambda: line in caplog.text)
        assert {r.levelname for r in caplog.records if line in r.getMessage()} == {level}
        assert under_test.failures == []


async def test_a_thread_that_ends_is_a_failure() -> None:
    async with harness() as under_test:
        under_test.service.pass_up(news(NewsKind.ENDED, ("127.0.0.1", 53), "a panic"))
        await until(lambda: bool(under_test.failures))
        ((endpoint, error),) = under_test.failures
        assert endpoint == Endpoint("127.0.0.1", 53)
        assert isinstance(error, ServiceEndedError)
        assert str(error) == "a panic"


async def test_what_was_lost_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with harness() as under_test:
        under_test.service.pass_up(Waiting([], [], [], [], 3, 5))
        await until(lambda: "5 queries are missing from the query log" in caplog.text)
        assert "3 requests dropped" in caplog.text
        under_test.service.pass_up(Waiting([], [], [], [], 3, 6))
        await until(lambda: "1 queries are missing from the query log" in caplog.text)
        assert caplog.text.count("requests dropped") == 1
        counters = under_test.listeners.counters()
        assert (counters.udp_control_dropped, counters.untapped) == (13, 14)


async def test_a_reply_that_cannot_be_sent_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    async with harness() as under_test:
        before = under_test.listeners.counters().udp_send_errors
        bad = FakeDatagram(query(qtype="AXFR"), error=OSError(errno.ENETUNREACH, "no way"))
        good = FakeDatagram(query(qtype="AXFR"))
        under_test.handler.release.set()
        under_test.service.pass_up(Waiting([bad, good], [], [], [], 0, 0))
        await until(lambda: bool(good.replies))
        assert len(bad.replies) == 1
        assert under_test.listeners.counters().udp_send_errors == before + 1
        assert "client 192.0.2.7#5353: error sending response: no way" in caplog.text


async def test_a_hook_that_fails_costs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[bytes] = []

    def hook(packet: bytes, client: Endpoint, local: str, transport: Transport) -> None:
        seen.append(packet)
        if len(seen) == 1:
            raise RuntimeError("a bug")

    async with harness() as under_test:
        under_test.listeners.on_query = hook
        tapped = [TappedQuery(packet, CLIENT, "127.0.0.1", Transport.UDP) for packet in (b"one", b"two")]
        under_test.service.pass_up(Waiting([], tapped, [], [], 0, 0))
        await until(lambda: seen == [b"one", b"two"])
        assert b"one".hex() in caplog.text
        under_test.listeners.on_query = None
        under_test.service.pass_up(Waiting([], tapped, [], [], 1, 0))
        await until(lambda: "1 requests dropped" in caplog.text)
        assert len(seen) == 2


async def test_a_connection_for_an_address_that_is_served_no_longer_is_closed() -> None:
    async with harness() as under_test:
        ours, theirs = socket.socketpair()
        with theirs:
            taken = Connection(ours, CLIENT, "127.0.0.1", ("127.0.0.1", 53), b"", 42)
            under_test.service.pass_up(Waiting([], [], [taken], [], 0, 0))
            await until(lambda: under_test.service.closed == [42])
            assert theirs.recv(1) == b""


async def test_a_connection_that_cannot_be_given_back_stays_and_is_counted_until_its_end() -> None:
    async with harness() as under_test:
        await under_test.listeners.apply([Endpoint("127.0.0.1", 0)])
        (endpoint,) = under_test.listeners.bound().values()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            theirs = socket.create_connection(listener.getsockname())
            ours, client = listener.accept()
        theirs.setblocking(False)
        ours.setblocking(False)
        packet = query()
        under_test.service.pass_up(
            Waiting(
                [],
                [],
                [Connection(ours, client, "127.0.0.1", endpoint, len(packet).to_bytes(2) + packet, 1)],
                [],
                0,
                0,
            )
        )
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(theirs, 2) == len(packet).to_bytes(2)
        await loop.sock_sendall(theirs, len(packet).to_bytes(2) + packet)
        received = 0
        while received < 2 * len(packet) + 2:
            received += len(await loop.sock_recv(theirs, 1000))
        assert under_test.service.closed == []
        theirs.close()
        await until(lambda: under_test.service.closed == [1])


async def test_what_cannot_be_served_is_an_error_and_closed() -> None:
    async with harness() as under_test:
        under_test.service.refused = "127.0.0.1"
        with pytest.raises(ListenersError, match="Too many open files"):
            await under_test.listeners.apply([Endpoint("127.0.0.1", 0)])
        assert under_test.listeners.bound() == {}


async def test_what_cannot_be_served_leaves_everything_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    async with harness() as under_test:
        listeners, service = under_test.listeners, under_test.service
        limits = service.limits
        one, another, everything = (Endpoint(f"{ip}", port) for ip in ("127.0.0.1", "127.0.0.2", "0.0.0.0"))
        await listeners.apply([one])
        before = listeners.bound()
        service.refused = "127.0.0.3"
        with pytest.raises(ListenersError, match=r"127\.0\.0\.3.*Too many open files"):
            await listeners.apply([another, Endpoint("127.0.0.3", port)], TcpSettings(clients=1))
        assert (listeners.bound(), service.serving, service.limits) == (before, list(before.values()), limits)
        service.refused = "0.0.0.0"
        with pytest.raises(ListenersError, match="Too many open files"):
            await listeners.apply([everything])
        assert (listeners.bound(), service.serving) == (before, list(before.values()))
        assert "failed too" not in caplog.text


async def test_threads_that_do_not_stop_in_time_are_told(caplog: pytest.LogCaptureFixture) -> None:
    async with harness() as under_test:
        await under_test.listeners.apply([Endpoint("127.0.0.1", 0)])
        await under_test.listeners.apply([])
        assert "did not stop in time" in caplog.text
        assert under_test.service.serving == []


async def test_faults_of_the_engine_go_to_whoever_made_it() -> None:
    """The engine in machine code passes them up with all else, not by a call from its threads."""
    faults: list[tuple[bytes, Exception]] = []

    class Inner:
        def __init__(self, *_: object) -> None: ...

        def take(self) -> tuple[list[object], list[object], list[object], list[object]]:
            return (
                [],
                [],
                [],
                [
                    ("fault", None, b"packet", 0, "index out of bounds"),
                    ("send-error", ("fe80::1", 53, 4711), b"", errno.EPERM, "words"),
                ],
            )

        def lost(self) -> tuple[int, int, int]:
            return 0, 0, 0

    class Module:
        Answerer = Service = Inner

    def on_error(packet: bytes, error: Exception) -> None:
        faults.append((packet, error))

    service = RustService(
        Module,
        RustAnswerer(Module, on_error),
        on_error,
        clients=1,
        initial_timeout_s=1.0,
        idle_timeout_s=1.0,
    )
    waiting = service.take()
    ((packet, error),) = faults
    assert (packet, type(error), str(error)) == (b"packet", EngineFaultError, "index out of bounds")
    assert waiting.news == [News(NewsKind.SEND_ERROR, ("fe80::1%4711", 53), os.strerror(errno.EPERM))]
