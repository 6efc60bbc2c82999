"""Opening, keeping and closing listeners, over reloads as well."""

from __future__ import annotations

import errno
import socket

import pytest

from bindpy.server.endpoint import Endpoint
from bindpy.server.listeners import ListenersError, default_udp_workers
from bindpy.server.sockets import ListenError, open_sockets
from bindpy.server.tcp_limits import TcpSettings
from tests.support.ports import free_port
from tests.unit.server.fakes import UdpClient, query, response_to, serving, until


async def test_what_stays_keeps_its_sockets_and_connections(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with serving(port=free_port()) as served:
        client = await served.connect()
        first = served.endpoint
        await served.listeners.apply(
            [*served.listeners.bound(), Endpoint("127.0.0.2", 0)], interfaces={"127.0.0.2": "lo"}
        )
        assert served.listeners.bound()[first] == first
        second = served.listeners.bound()[Endpoint("127.0.0.2", 0)]
        assert f"listening on IPv4 interface lo, {second}" in caplog.text
        client.send(query())
        assert await client.receive() == response_to(query())
        with UdpClient() as udp:
            assert (await udp.ask(query(), second))[1] == "127.0.0.2"

        await served.listeners.apply([Endpoint("127.0.0.2", 0)])
        assert list(served.listeners.bound().values()) == [second]
        assert f"no longer listening on {first}" in caplog.text
        assert await client.is_ended()
        open_sockets(first, udp_workers=1, backlog=1).close()
        client.writer.close()


async def test_when_one_endpoint_cannot_be_bound_nothing_changes() -> None:
    async with serving() as served:
        before = served.listeners.bound()
        with pytest.raises(ListenersError) as caught:
            await served.listeners.apply(
                [Endpoint("127.0.0.2", 0), Endpoint("192.0.2.200", 0), Endpoint("198.51.100.1", 0)]
            )
        assert {e.endpoint.address for e in caught.value.errors} == {"192.0.2.200", "198.51.100.1"}
        assert all(e.errno == errno.EADDRNOTAVAIL for e in caught.value.errors)
        assert "ip address" in str(caught.value)
        assert served.listeners.bound() == before
        with UdpClient() as client:
            assert (await client.ask(query(), served.endpoint))[0] == response_to(query())


@pytest.mark.parametrize("workers", [1, 3])
async def test_a_second_server_is_refused_with_a_clear_error(workers: int) -> None:
    async with serving(udp_workers=workers) as first, serving() as second:
        with pytest.raises(ListenersError) as caught:
            await second.listeners.apply([first.endpoint])
        text = str(caught.value)
        assert str(first.endpoint) in text
        assert f"ss -lunp sport = :{first.endpoint.port}" in text
        with pytest.raises(ListenError):
            open_sockets(first.endpoint, udp_workers=3, backlog=1)


async def test_a_port_that_is_taken_for_tcp_only_is_refused_too() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        endpoint = Endpoint(*other.getsockname())
        with pytest.raises(ListenError, match=r"TCP socket.*ss -ltnp"):
            open_sockets(endpoint, udp_workers=1, backlog=1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(endpoint)  # our UDP socket was closed again


async def test_from_one_address_to_all_and_back() -> None:
    """The kernel does not let both be bound at once, so the old one has to go first."""
    port = free_port()
    async with serving(port=port) as served:
        one, everything = Endpoint("127.0.0.1", port), Endpoint("0.0.0.0", port)
        for wanted in (one, everything, one):
            await served.listeners.apply([wanted])
            assert served.listeners.bound() == {wanted: wanted}
            with UdpClient() as client:
                assert (await client.ask(query(), one))[0] == response_to(query())


async def test_the_old_address_comes_back_when_the_new_one_cannot_be_had() -> None:
    port = free_port()
    async with serving(port=port) as served:
        await served.listeners.apply([Endpoint("127.0.0.1", port)])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.5", port))
            with pytest.raises(ListenersError):
                await served.listeners.apply([Endpoint("0.0.0.0", port)])
        assert served.listeners.bound() == {Endpoint("127.0.0.1", port): Endpoint("127.0.0.1", port)}
        with UdpClient() as client:
            assert (await client.ask(query(), served.endpoint))[0] == response_to(query())


async def test_new_tcp_limits_hold_for_connections_that_there_are() -> None:
    async with serving(settings=TcpSettings(clients=10)) as served:
        first, second = await served.connect(), await served.connect()
        for client in (first, second):
            client.send(query())
            await client.receive()
        await served.listeners.apply(
            served.listeners.bound(), TcpSettings(clients=2, initial_timeout_s=30, idle_timeout_s=30)
        )
        third = await served.connect()
        third.send(query())
        assert await third.receive()
        assert await first.is_ended()
        await until(lambda: served.listeners.counters().tcp_clients == 2)
        for client in (first, second, third):
            client.writer.close()


async def test_listening_on_nothing() -> None:
    async with serving(port=free_port()) as served:
        endpoint = served.endpoint
        await served.listeners.apply([])
        assert served.listeners.bound() == {}
        open_sockets(endpoint, udp_workers=1, backlog=1).close()


def test_several_workers_only_where_threads_run_in_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys._is_gil_enabled", lambda: True, raising=False)
    assert default_udp_workers(8) == 1
    monkeypatch.setattr("sys._is_gil_enabled", lambda: False, raising=False)
    assert default_udp_workers(8) == 8
    monkeypatch.delattr("sys._is_gil_enabled")
    assert default_udp_workers(8) == 1


def test_endpoints() -> None:
    assert str(Endpoint("2001:db8::1", 53)) == "2001:db8::1#53"
    assert Endpoint("0.0.0.0", 53).overlaps(Endpoint("192.0.2.1", 53))
    assert not Endpoint("0.0.0.0", 53).overlaps(Endpoint("192.0.2.1", 54))
    assert not Endpoint("0.0.0.0", 53).overlaps(Endpoint("::", 53))
    assert not Endpoint("192.0.2.1", 53).overlaps(Endpoint("192.0.2.2", 53))
    assert Endpoint("fe80::1%lo", 53).sockaddr() == ("fe80::1", 53, 0, socket.if_nametoindex("lo"))
    assert Endpoint("fe80::1%7", 53).sockaddr() == ("fe80::1", 53, 0, 7)
    with pytest.raises(OSError, match="interface"):
        Endpoint("fe80::1%no-such-if", 53).sockaddr()
