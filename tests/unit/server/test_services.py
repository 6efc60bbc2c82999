"""What holds whoever serves: the server's own threads, or the engine's."""

from __future__ import annotations

import asyncio
import socket
import time
from ipaddress import ip_network

import dns.message
import pytest

from bindpy.answer.policy import AnswerPolicy, Transport
from bindpy.config.model import MatchNetwork
from bindpy.native import EngineChoice
from bindpy.server.endpoint import Endpoint, is_link_local
from bindpy.server.interfaces import scan_host
from bindpy.server.listeners import ListenersError
from bindpy.server.sockets import open_sockets
from bindpy.server.tcp_limits import TcpSettings
from bindpy.server.udp import NEVER_ANSWERED_PORTS
from tests.support.ports import free_port
from tests.unit.server.engines import ServedZone, answers_in, ask, serving_zone
from tests.unit.server.fakes import DEADLINE_S, UdpClient, framed, query, response_to, until

pytestmark = pytest.mark.parametrize(
    "choice", [EngineChoice.PYTHON, EngineChoice.RUST], ids=lambda c: c.value
)

AXFR = query("example.com", "AXFR", message_id=9)
SHORT = TcpSettings(initial_timeout_s=1.0, idle_timeout_s=1.0)


async def connect_and_read(sock: socket.socket, endpoint: Endpoint) -> bytes:
    """Connect and wait for an octet: where a reset comes early, connecting already says so."""
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, endpoint)
    return await loop.sock_recv(sock, 1)


def udp_answers(served: ServedZone) -> int:
    counters = served.listeners.counters()
    return counters.udp_answers + counters.udp_hot_answers


# --- UDP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.9"),
        ("::1", "::1"),
        ("::", "::1"),
    ],
)
async def test_answers_leave_from_the_address_that_was_asked(
    choice: EngineChoice, address: str, asked: str
) -> None:
    async with serving_zone(choice, address=address) as served:
        served.handler.release.set()
        client_address = "::1" if ":" in asked else "127.0.0.1"
        with UdpClient(client_address) as client:
            for packet in (query(), AXFR):
                answer, source = await client.ask(packet, (asked, served.endpoint.port))
                assert source == asked
                if packet is AXFR:
                    assert answer == response_to(AXFR)
                else:
                    assert answers_in(answer) == 1
        request = served.handler.requests[0]
        assert (request.packet, request.client.address, request.local, request.transport) == (
            AXFR,
            client_address,
            asked,
            Transport.UDP,
        )


async def test_link_local_addresses_are_served_with_their_interface(choice: EngineChoice) -> None:
    found = [one for one in scan_host().interface_names() if is_link_local(one)]
    if not found:
        pytest.skip("no interface here has a link-local address")
    async with serving_zone(choice, address=found[0]) as served:
        with UdpClient(found[0]) as client:
            answer, source = await client.ask(query(), served.endpoint.sockaddr())
            assert answers_in(answer) == 1
            assert source.partition("%")[0] == found[0].partition("%")[0]


async def test_an_ipv6_wildcard_leaves_ipv4_alone(choice: EngineChoice) -> None:
    port = free_port()
    async with serving_zone(choice, address="::", port=port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.77.0.1", port))


async def test_what_is_asked_again_is_answered_from_the_cache(choice: EngineChoice) -> None:
    async with serving_zone(choice) as served:
        with UdpClient() as client:
            for number in range(4):
                assert answers_in((await client.ask(query(message_id=number), served.endpoint))[0]) == 1
        await until(lambda: udp_answers(served) == 4)
        assert served.listeners.counters().udp_hot_answers >= 2


async def test_several_threads_share_a_port(choice: EngineChoice) -> None:
    async with serving_zone(choice, udp_workers=3) as served:
        for _ in range(30):
            with UdpClient() as client:
                assert answers_in((await client.ask(query(), served.endpoint))[0]) == 1
        await until(lambda: udp_answers(served) == 30)
        assert served.listeners.trouble() is None
        with pytest.raises(ListenersError):
            await served.listeners.apply([*served.listeners.bound(), served.endpoint])


async def test_ports_that_reflect_and_empty_datagrams_are_not_answered(choice: EngineChoice) -> None:
    port = min(NEVER_ANSWERED_PORTS - {0})
    async with serving_zone(choice, address="0.0.0.0") as served:
        to = ("127.0.0.1", served.endpoint.port)
        with UdpClient() as client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reflector:
            # An address of its own for each run at the same time, as their other ports differ.
            own = f"127.{client.port >> 8}.{client.port & 255}.1"
            try:
                reflector.bind((own, port))
            except PermissionError:
                pytest.skip("ports below 1024 need root")
            reflector.sendto(query(), to)
            client.sock.sendto(b"", to)
            assert answers_in((await client.ask(query(), to))[0]) == 1
            await until(lambda: served.listeners.counters().udp_dropped >= 1)
            reflector.setblocking(False)
            with pytest.raises(BlockingIOError):
                reflector.recv(100)


async def test_blackholed_clients_get_nothing(choice: EngineChoice) -> None:
    policy = AnswerPolicy(blackhole=(MatchNetwork(ip_network("127.0.0.7/32")),))
    async with serving_zone(choice, policy=policy) as served:
        with UdpClient("127.0.0.7") as shunned, UdpClient() as client:
            for packet in (query(), AXFR):
                shunned.sock.sendto(packet, served.endpoint)
            await until(lambda: served.listeners.counters().udp_dropped >= 2)
            assert answers_in((await client.ask(query(), served.endpoint))[0]) == 1
            shunned.sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                shunned.sock.recv(100)
        assert served.handler.requests == []


async def test_a_flood_for_the_control_plane_does_not_hurt_plain_queries(choice: EngineChoice) -> None:
    async with serving_zone(choice) as served:
        with UdpClient() as flood, UdpClient() as client:
            while not served.listeners.counters().udp_control_dropped:
                for _ in range(100):
                    flood.sock.sendto(AXFR, served.endpoint)
                assert answers_in((await client.ask(query(), served.endpoint))[0]) == 1
            served.handler.release.set()
            assert (await flood.receive())[0] == response_to(AXFR)


async def test_queries_are_seen_by_the_query_log_while_it_is_on(choice: EngineChoice) -> None:
    seen: list[tuple[bytes, Endpoint, str, Transport]] = []
    async with serving_zone(choice) as served:
        with UdpClient() as client:
            await client.ask(query(), served.endpoint)
            served.listeners.on_query = lambda *what: seen.append(what)
            connection = await served.connect()
            over_tcp = Endpoint(*connection.writer.get_extra_info("sockname"))
            await client.ask(query(), served.endpoint)
            client.sock.sendto(AXFR, served.endpoint)
            await ask(connection, query(message_id=2))
            connection.send(AXFR)
            await until(lambda: len(seen) == 4)
            served.listeners.on_query = None
            await client.ask(query(), served.endpoint)
            connection.writer.close()
            here = Endpoint("127.0.0.1", client.port)
        assert sorted(seen, key=lambda what: (what[3].value, what[0])) == [
            (query(message_id=2), over_tcp, "127.0.0.1", Transport.TCP),
            (AXFR, over_tcp, "127.0.0.1", Transport.TCP),
            (query(), here, "127.0.0.1", Transport.UDP),
            (AXFR, here, "127.0.0.1", Transport.UDP),
        ]


# --- TCP ------------------------------------------------------------------------------------------


async def test_pipelined_queries_in_any_pieces(choice: EngineChoice) -> None:
    async with serving_zone(choice) as served:
        client = await served.connect()
        octets = b"".join(framed(query(message_id=number)) for number in range(5))
        for at in range(0, len(octets), 7):
            client.writer.write(octets[at : at + 7])
            await client.writer.drain()
        answers = [await client.receive() for _ in range(5)]
        assert sorted(int.from_bytes(answer[:2]) for answer in answers) == list(range(5))
        assert all(answers_in(answer) == 1 for answer in answers)
        client.writer.close()
        await until(lambda: served.listeners.counters().tcp_clients == 0)
        counters = served.listeners.counters()
        assert (counters.tcp_accepted, counters.tcp_answers, counters.tcp_high_water) == (1, 5, 1)


async def test_a_request_of_the_control_plane_among_plain_queries(choice: EngineChoice) -> None:
    """It holds up nothing, and its connection serves plain queries before, with and after it."""
    async with serving_zone(choice) as served:
        client = await served.connect()
        client.send(query(message_id=1), AXFR, query(message_id=2))
        assert {(await client.receive())[:2] for _ in range(2)} == {b"\0\1", b"\0\2"}
        await until(lambda: len(served.handler.requests) == 1)
        assert served.handler.requests[0].packet == AXFR
        assert (await ask(client, query(message_id=3)))[:2] == b"\0\3"
        assert served.listeners.counters().tcp_clients == 1
        served.handler.release.set()
        assert await client.receive() == response_to(AXFR)
        for number in range(4, 8):
            assert (await ask(client, query(message_id=number)))[:2] == number.to_bytes(2)
        assert await ask(client, AXFR) == response_to(AXFR)
        assert served.listeners.counters().tcp_control_requests == 2
        client.writer.close()
        await until(lambda: served.listeners.counters().tcp_clients == 0)


async def test_a_client_that_shut_down_its_side_gets_all_its_answers(choice: EngineChoice) -> None:
    async with serving_zone(choice) as served:
        served.handler.release.set()
        client = await served.connect()
        client.send(query(message_id=1), AXFR)
        client.writer.write_eof()
        assert {(await client.receive())[:2] for _ in range(2)} == {b"\0\1", b"\0\x09"}
        assert await client.is_ended()
        client.writer.close()


async def test_a_stream_goes_as_fast_as_its_client_reads(choice: EngineChoice) -> None:
    message = bytes(40_000)
    async with serving_zone(choice) as served:
        served.handler.messages, served.handler.message = 200, message
        served.handler.release.set()
        client = await served.connect()
        client.writer.transport.pause_reading()
        client.send(query(message_id=1), AXFR)
        await until(lambda: served.handler.sent > 0)
        stalled_at = -1
        while stalled_at != served.handler.sent:
            stalled_at = served.handler.sent
            await asyncio.sleep(0.1)
        assert stalled_at < 200
        client.writer.transport.resume_reading()
        assert (await client.receive())[:2] == b"\0\1"
        for _ in range(200):
            assert await client.receive() == message
        assert (await ask(client, query(message_id=2)))[:2] == b"\0\2"
        client.writer.close()


async def test_who_says_nothing_or_drips_is_cut_off(choice: EngineChoice) -> None:
    async with serving_zone(choice, settings=SHORT) as served:
        served.handler.release.set()
        silent, idle, dripping, transferring = [await served.connect() for _ in range(4)]
        await ask(idle, query())
        assert await ask(transferring, AXFR) == response_to(AXFR)
        packet = framed(query())
        began = time.monotonic()
        for at in range(len(packet)):
            dripping.writer.write(packet[at : at + 1])
            await asyncio.sleep(0.1)
            if dripping.reader.at_eof() or dripping.writer.is_closing() or time.monotonic() - began > 5:
                break
        for client in (silent, idle, dripping, transferring):
            assert await client.is_ended()
            client.writer.close()
        await until(lambda: served.listeners.counters().tcp_expired == 4)
        await until(lambda: served.listeners.counters().tcp_clients == 0)


async def test_the_client_that_was_idle_for_longest_makes_room(choice: EngineChoice) -> None:
    """Also one that asked something of the control plane."""
    async with serving_zone(choice, settings=TcpSettings(clients=3)) as served:
        served.handler.release.set()
        first, second, third = [await served.connect() for _ in range(3)]
        assert await ask(first, AXFR) == response_to(AXFR)
        for client in (second, third):
            await ask(client, query())
        await until(lambda: served.listeners.counters().tcp_clients == 3)
        fourth = await served.connect()
        await ask(fourth, query())
        assert await first.is_ended()
        for client in (second, third, fourth):
            await ask(client, query())
            client.writer.close()
        first.writer.close()


async def test_when_all_clients_are_busy_the_next_is_refused(
    choice: EngineChoice, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_zone(choice, settings=TcpSettings(clients=2)) as served:
        busy = [await served.connect() for _ in range(2)]
        for number, client in enumerate(busy):
            client.send(AXFR)
            await until(lambda number=number: len(served.handler.requests) == number + 1)
        with socket.socket() as refused:
            refused.setblocking(False)
            with pytest.raises(ConnectionResetError):
                await connect_and_read(refused, served.endpoint)
        await until(lambda: "the limit for one address, and all are busy" in caplog.text)
        assert served.listeners.counters().tcp_refused == 1
        served.handler.release.set()
        for client in busy:
            assert await client.receive() == response_to(AXFR)
            client.writer.close()


async def test_what_is_no_dns_ends_the_connection(choice: EngineChoice) -> None:
    async with serving_zone(choice) as served:
        client = await served.connect()
        client.writer.write(b"\0\3abc")
        assert await client.is_ended()
        client.writer.close()


async def test_a_request_whose_client_resets_is_cancelled(choice: EngineChoice) -> None:
    async with serving_zone(choice) as served:
        client = await served.connect()
        client.send(AXFR)
        await until(lambda: len(served.handler.requests) == 1)
        client.reset()
        await until(lambda: served.handler.cancelled == 1)
        await until(lambda: served.listeners.counters().tcp_clients == 0)


# --- coming and going -----------------------------------------------------------------------------


async def test_what_stays_keeps_its_connections_and_what_goes_ends(choice: EngineChoice) -> None:
    async with serving_zone(choice, port=free_port()) as served:
        served.handler.release.set()
        first = served.endpoint
        stays = Endpoint("127.0.0.2", 0)
        await served.listeners.apply([*served.listeners.bound(), stays])
        second = served.listeners.bound()[stays]
        goes, busy, remains = (
            await served.connect(),
            await served.connect(),
            await served.connect(second),
        )
        await ask(goes, query())
        served.handler.release.clear()
        busy.send(AXFR)
        await until(lambda: len(served.handler.requests) == 1)
        await ask(remains, query())
        await served.listeners.apply([stays])
        open_sockets(first, udp_workers=1, backlog=1).close()
        assert await goes.is_ended()
        assert await busy.is_ended()
        assert served.handler.cancelled == 1
        assert answers_in(await ask(remains, query())) == 1
        with UdpClient() as client:
            assert answers_in((await client.ask(query(), second))[0]) == 1
        await until(lambda: served.listeners.counters().tcp_clients == 1)
        for client in (goes, busy, remains):
            client.writer.close()


async def test_new_limits_hold_for_connections_that_there_are(choice: EngineChoice) -> None:
    async with serving_zone(choice, settings=TcpSettings(clients=10)) as served:
        first, second = await served.connect(), await served.connect()
        for client in (first, second):
            await ask(client, query())
        await served.listeners.apply(served.listeners.bound(), TcpSettings(clients=2))
        third = await served.connect()
        await ask(third, query())
        assert await first.is_ended()
        for client in (first, second, third):
            client.writer.close()


async def test_close_under_traffic_is_quick(choice: EngineChoice) -> None:
    async with serving_zone(choice) as served:
        clients = [await served.connect() for _ in range(5)]
        for client in clients:
            client.send(query(), AXFR)
        await until(lambda: len(served.handler.requests) == 5)
        with UdpClient() as udp:
            for _ in range(100):
                udp.sock.sendto(query(), served.endpoint)
            # It waits for no client, whose time-outs are longer, and for no request, which has no end.
            async with asyncio.timeout(DEADLINE_S):
                await served.listeners.close()
        for client in clients:
            assert await client.is_ended()
            client.writer.close()
        assert served.handler.cancelled == 5


async def test_a_big_answer_is_truncated_over_udp_and_whole_over_tcp(choice: EngineChoice) -> None:
    big = query("big.example.com", "TXT")
    async with serving_zone(choice) as served:
        with UdpClient() as udp:
            answer = dns.message.from_wire((await udp.ask(big, served.endpoint))[0])
            assert answer.flags & dns.flags.TC
        client = await served.connect()
        assert answers_in(await ask(client, big)) == 80
        client.writer.close()
