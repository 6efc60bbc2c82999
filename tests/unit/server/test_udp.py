"""UDP: the fast path, source addresses, what is never answered, errors that must not stop the service."""

from __future__ import annotations

import logging
import sys
import threading

import pytest

from bindpy.answer.policy import Transport
from bindpy.server import udp
from bindpy.server.bridge import REQUESTS_AT_ONCE
from bindpy.server.endpoint import Endpoint, is_link_local
from bindpy.server.interfaces import scan_host
from bindpy.server.listeners import SWITCH_INTERVAL_S, Listeners
from bindpy.server.tcp_limits import TcpSettings
from tests.support.ports import free_port
from tests.unit.server.fakes import FakeAnswerer, FakeHandler, UdpClient, query, response_to, serving, until

HOT_ENTRY = b"\x84\0hot answer"


def hot_for(packet: bytes) -> dict[bytes, bytes]:
    return {packet[2:]: HOT_ENTRY}


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
async def test_a_hot_query_is_answered_without_the_answerer(address: str) -> None:
    packet = query(message_id=0x1234)
    async with serving(address=address) as served:
        with UdpClient() as client:
            served.answerer.hot = hot_for(packet)
            data, source = await client.ask(packet, ("127.0.0.1", served.endpoint.port))
            assert (data, source) == (b"\x12\x34" + HOT_ENTRY, "127.0.0.1")
            assert served.answerer.calls == []
            served.answerer.hot = {}  # a publish: what was hot is not true any more
            data, _ = await client.ask(packet, ("127.0.0.1", served.endpoint.port))
            assert data == response_to(packet)
            served.answerer.hot = None
            data, _ = await client.ask(packet, ("127.0.0.1", served.endpoint.port))
            assert data == response_to(packet)
            assert served.answerer.calls == [("127.0.0.1", "127.0.0.1", Transport.UDP)] * 2
            await until(lambda: served.listeners.counters().udp_hot_answers == 1)
            await until(lambda: served.listeners.counters().udp_answers == 2)


@pytest.mark.parametrize("hot", [True, False])
async def test_on_a_wildcard_socket_answers_leave_from_the_address_that_was_asked(hot: bool) -> None:
    packet = query()
    async with serving(address="0.0.0.0") as served:
        with UdpClient() as client:
            served.answerer.hot = hot_for(packet) if hot else None
            for address in ("127.0.0.2", "127.0.0.1", "127.1.2.3", "127.0.0.2"):
                assert (await client.ask(packet, (address, served.endpoint.port)))[1] == address
            transfer = query(qtype="AXFR")
            served.handler.release.set()
            assert await client.ask(transfer, ("127.9.9.9", served.endpoint.port)) == (
                response_to(transfer),
                "127.9.9.9",
            )
            assert served.handler.requests[0].local == "127.9.9.9"
            if not hot:
                assert {local for _, local, _ in served.answerer.calls} == {
                    "127.0.0.1",
                    "127.0.0.2",
                    "127.1.2.3",
                    "127.9.9.9",
                }


async def test_on_an_ipv6_wildcard_socket_answers_leave_from_the_address_that_was_asked() -> None:
    host = scan_host()
    ours = [a.text for a in host.addresses if a.address.version == 6 and not is_link_local(a.text)]
    if not ours:
        pytest.skip("this host has no IPv6 address")
    async with serving(address="::") as served:
        with UdpClient("::") as client:
            for address in ours:
                assert (await client.ask(query(), (address, served.endpoint.port)))[1] == address
        assert [local for _, local, _ in served.answerer.calls] == ours


async def test_an_ipv6_wildcard_leaves_ipv4_alone() -> None:
    if not scan_host().has_ipv6:
        pytest.skip("this host has no IPv6")
    port = free_port()
    async with serving(address="::", port=port) as served:
        await served.listeners.apply([*served.listeners.bound(), Endpoint("0.0.0.0", port)])
        assert len(served.listeners.bound()) == 2


def test_more_local_addresses_than_are_remembered() -> None:
    cache = udp._LocalAddressCache(Endpoint("0.0.0.0", 53).family)
    for number in range(3 * udp.KNOWN_LOCALS):
        address = bytes([127, 1, number >> 8, number & 255])
        local, reply = cache.get([(0, udp.IP_PKTINFO, b"\1\0\0\0" + address + address)])
        assert local == ".".join(map(str, address))
        assert reply[0][2] == b"\0\0\0\0" + address + b"\0\0\0\0"
        assert len(cache.known) <= udp.KNOWN_LOCALS
    assert cache.get([]) == ("0.0.0.0", [])


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
async def test_ports_that_reflect_are_never_answered(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with UdpClient() as reflector, UdpClient() as client:
        monkeypatch.setattr(udp, "NEVER_ANSWERED_PORTS", frozenset((0, reflector.port)))
        async with serving(address=address) as served:
            to = ("127.0.0.1", served.endpoint.port)
            served.answerer.hot = hot_for(query())
            reflector.sock.sendto(query(), to)
            reflector.sock.sendto(query("other.example."), to)
            await until(lambda: served.listeners.counters().udp_dropped == 2)
            await client.ask(query(), to)
            assert served.answerer.calls == []
            reflector.sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                reflector.sock.recv(100)


def test_the_ports_are_those_that_bind_drops() -> None:
    assert {0, 7, 13, 19, 37, 464} == udp.NEVER_ANSWERED_PORTS


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
async def test_an_answer_that_cannot_be_sent_is_counted_and_serving_goes_on(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    too_big = FakeAnswerer(big=70_000)
    async with serving(answerer=too_big, address=address) as served:
        to = ("127.0.0.1", served.endpoint.port)
        with UdpClient() as client:
            client.sock.sendto(query(qtype="TXT"), to)
            await until(lambda: served.listeners.counters().udp_send_errors == 1)
            assert "error sending response" in caplog.text
            too_big.hot = {query(qtype="TXT")[2:]: bytes(70_000)}
            client.sock.sendto(query(qtype="TXT"), to)
            await until(lambda: served.listeners.counters().udp_send_errors == 2)
            assert (await client.ask(query(), to))[0] == response_to(query())


async def test_garbage_and_empty_datagrams_do_no_harm() -> None:
    async with serving() as served:
        served.answerer.hot = {}
        with UdpClient() as client:
            client.sock.sendto(b"", served.endpoint)
            client.sock.sendto(query(qtype="NULL"), served.endpoint)
            assert (await client.ask(query(), served.endpoint))[0] == response_to(query())
            await until(lambda: served.listeners.counters().udp_dropped == 1)


async def test_a_failing_answerer_costs_one_answer(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as served:
        with UdpClient() as client:
            served.answerer.raises = ZeroDivisionError("a bug")
            client.sock.sendto(query(), served.endpoint)
            await until(lambda: "a bug" in caplog.text)
            assert query().hex() in caplog.text
            served.answerer.raises = None
            assert (await client.ask(query(), served.endpoint))[0] == response_to(query())


async def test_while_a_hook_is_set_it_sees_every_query() -> None:
    packet = query()
    seen = []
    async with serving() as served:
        served.answerer.hot = hot_for(packet)
        with UdpClient() as client:
            served.listeners.on_query = lambda *args: seen.append(args)
            assert (await client.ask(packet, served.endpoint))[0] == response_to(packet)
            tcp = await served.connect()
            tcp.send(packet)
            await tcp.receive()
            tcp.writer.close()
            assert [args[0] for args in seen] == [packet, packet]
            assert seen[0][1:] == (Endpoint("127.0.0.1", client.port), "127.0.0.1", Transport.UDP)
            assert seen[1][3] is Transport.TCP
            served.listeners.on_query = None
            assert (await client.ask(packet, served.endpoint))[0][2:] == HOT_ENTRY
            assert len(seen) == 2


async def test_requests_beyond_what_the_control_plane_can_hold_are_dropped_and_counted() -> None:
    handler = FakeHandler()
    async with serving(handler=handler) as served:
        with UdpClient() as client:
            sent = 0
            while not served.listeners.counters().udp_control_dropped:
                assert sent < 2 * REQUESTS_AT_ONCE
                before = served.listeners.counters().udp_control_requests
                client.sock.sendto(query(qtype="AXFR"), served.endpoint)
                sent += 1
                await until(lambda before=before: served.listeners.counters().udp_control_requests > before)
            await until(lambda: len(handler.requests) == REQUESTS_AT_ONCE)
            assert (await client.ask(query(), served.endpoint))[0] == response_to(query())
            handler.release.set()
            for _ in range(REQUESTS_AT_ONCE):
                await client.receive()
            assert (await client.ask(query(qtype="AXFR"), served.endpoint))[0] == response_to(
                query(qtype="AXFR")
            )


async def test_requests_in_work_are_cancelled_at_close() -> None:
    async with serving() as served:
        with UdpClient() as client:
            client.sock.sendto(query(qtype="AXFR"), served.endpoint)
            await until(lambda: len(served.handler.requests) == 1)
            await served.listeners.close()
            assert served.handler.cancelled == 1


async def test_several_workers_share_a_port_and_all_clients_are_served() -> None:
    packet = query()
    async with serving(udp_workers=3) as served:
        served.answerer.hot = hot_for(packet)
        assert sum(t.name == f"udp {served.endpoint}" for t in threading.enumerate()) == 3
        for _ in range(30):
            with UdpClient() as client:
                assert (await client.ask(packet, served.endpoint))[0][2:] == HOT_ENTRY
        await until(lambda: served.listeners.counters().udp_hot_answers == 30)


async def test_a_receive_error_is_logged_and_serving_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    class Flaky:
        """A socket whose first receive fails."""

        def __init__(self, sock: object) -> None:
            self._sock = sock
            self._failed = False

        def __getattr__(self, name: str) -> object:
            return getattr(self._sock, name)

        def recvfrom(self, size: int) -> object:
            if not self._failed:
                self._failed = True
                raise OSError(12, "Cannot allocate memory")
            return self._sock.recvfrom(size)  # type: ignore[attr-defined]

    real = udp.UdpWorker.__init__

    def flaky(self: udp.UdpWorker, sock: object, *rest: object, **named: object) -> None:
        real(self, Flaky(sock), *rest, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(udp.UdpWorker, "__init__", flaky)
        async with serving() as served:
            with UdpClient() as client:
                assert (await client.ask(query(), served.endpoint))[0] == response_to(query())
            assert served.listeners.counters().udp_receive_errors == 1
    assert [r.levelno for r in caplog.records if "Cannot allocate memory" in r.message] == [logging.WARNING]


async def test_a_hook_that_fails_costs_one_answer(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug of the hook")

    async with serving() as served:
        with UdpClient() as client:
            served.listeners.on_query = broken
            client.sock.sendto(query(), served.endpoint)
            await until(lambda: "a bug of the hook" in caplog.text)
            served.listeners.on_query = None
            assert (await client.ask(query(), served.endpoint))[0] == response_to(query())


async def test_a_worker_that_ends_by_an_error_is_reported() -> None:
    failures: list[tuple[Endpoint, BaseException]] = []
    listeners = Listeners(
        FakeAnswerer(), FakeHandler(), TcpSettings(), on_failure=lambda *failure: failures.append(failure)
    )
    with pytest.MonkeyPatch.context() as patch:
        error = MemoryError()

        def serve(self: udp.UdpWorker) -> None:
            raise error

        patch.setattr(udp.UdpWorker, "_serve", serve)
        await listeners.apply([Endpoint("127.0.0.1", 0)])
        await until(lambda: bool(failures))
    assert failures == [(next(iter(listeners.bound().values())), error)]
    await listeners.close()


async def test_while_serving_other_threads_give_way_quickly() -> None:
    before = sys.getswitchinterval()
    async with serving():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
    assert sys.getswitchinterval() == before > SWITCH_INTERVAL_S
