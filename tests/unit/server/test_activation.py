"""Sockets that systemd has bound: used, given back, and never lost a query in between."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from bindpy.server.activation import InheritedSockets
from bindpy.server.endpoint import Endpoint
from bindpy.server.listeners import Listeners, ListenersError
from bindpy.server.tcp_limits import TcpSettings
from tests.support.ports import free_port
from tests.unit.server.fakes import FakeAnswerer, FakeHandler, UdpClient, query, response_to


class Manager:
    """What systemd has: a UDP and a TCP socket on one port."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.tcp = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET6:
            for sock in (self.udp, self.tcp):
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.endpoint = Endpoint(address, free_port())
        self.udp.bind((address, self.endpoint.port))
        self.tcp.bind((address, self.endpoint.port))
        self.tcp.listen()

    def handed_over(self) -> InheritedSockets:
        return InheritedSockets([self.udp.dup(), self.tcp.dup()])

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


@pytest.fixture(params=["127.0.0.1", "0.0.0.0"])
def manager(request: pytest.FixtureRequest) -> Iterator[Manager]:
    manager = Manager(request.param)
    yield manager
    manager.close()


@asynccontextmanager
async def serving(manager: Manager, *, udp_workers: int = 1) -> AsyncIterator[Listeners]:
    failures: list[BaseException] = []
    listeners = Listeners(
        FakeAnswerer(),
        FakeHandler(),
        TcpSettings(),
        udp_workers=udp_workers,
        inherited=manager.handed_over(),
        on_failure=lambda _endpoint, error: failures.append(error),
    )
    await listeners.apply([manager.endpoint])
    try:
        yield listeners
    finally:
        await listeners.close()
    assert failures == []


async def test_what_comes_between_two_servers_is_answered_by_the_second(manager: Manager) -> None:
    to = ("127.0.0.1", manager.endpoint.port)
    with UdpClient() as client, socket.socket() as connection:
        async with serving(manager) as listeners:
            assert listeners.bound() == {manager.endpoint: manager.endpoint}
            assert (await client.ask(query(), to))[0] == response_to(query())
        connection.settimeout(10)
        connection.connect(to)
        packet = query("later.example")
        connection.sendall(len(packet).to_bytes(2, "big") + packet)
        client.sock.sendto(packet, to)
        async with serving(manager, udp_workers=3) as listeners:
            assert await client.receive() == (response_to(packet), "127.0.0.1")
            data = await asyncio.to_thread(connection.recv, 1000)
            assert data[2:] == response_to(packet)
            assert listeners.counters().udp_receive_errors == 0


async def test_a_reload_may_give_an_endpoint_up_and_take_it_again(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(manager) as listeners:
        assert not caplog.records
        await listeners.apply([])
        assert f"listens on UDP socket {manager.endpoint}, which named.conf does not" in caplog.text
        assert f"listens on TCP socket {manager.endpoint}, which named.conf does not" in caplog.text
        await listeners.apply([manager.endpoint])
        with UdpClient() as client:
            to = ("127.0.0.1", manager.endpoint.port)
            assert (await client.ask(query(), to))[0] == response_to(query())


async def test_without_them_the_port_is_taken(manager: Manager) -> None:
    listeners = Listeners(FakeAnswerer(), FakeHandler(), TcpSettings(), on_failure=lambda *_: None)
    with pytest.raises(ListenersError, match="address in use"):
        await listeners.apply([manager.endpoint])
    await listeners.close()


async def test_a_socket_that_waits_for_long_is_no_error(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bindpy.server.sockets.SHARED_WAKE_S", 0.01)
    async with serving(manager) as listeners:
        await asyncio.sleep(0.1)
        assert listeners.counters().udp_receive_errors == 0
        assert listeners.trouble() is None


def test_what_cannot_be_used_is_said(caplog: pytest.LogCaptureFixture) -> None:
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    both = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    both.bind(("::", 0))
    port = both.getsockname()[1]
    inherited = InheritedSockets([unix, both])
    assert inherited.take(Endpoint("::", port), socket.SOCK_DGRAM) is None
    assert "is neither UDP nor TCP" in caplog.text
    assert f"::#{port} takes IPv4 as well; BindIPv6Only=ipv6-only is needed" in caplog.text
    assert unix.fileno() == both.fileno() == -1


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "2"},
        {"LISTEN_FDS": "2", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "x", "LISTEN_PID": "OURS"},
    ],
)
def test_what_is_meant_for_others_is_left_alone(environment: dict[str, str]) -> None:
    given = {name: value.replace("OURS", str(os.getpid())) for name, value in environment.items()}
    inherited = InheritedSockets.from_environment(given)
    assert given == {}
    inherited.close()
