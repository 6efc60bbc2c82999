"""Control channels on sockets: who may connect, limits, and the end."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time

import pytest

from bindpy.control.rndc_channel import ChannelLimits
from bindpy.control.rndc_codec import signed_frame
from tests.support.floods import Flood
from tests.support.ports import LOOPBACK, free_port
from tests.support.rndc import RndcClient, request_table, rndc_key
from tests.support.rndc_server import ControlServer, conf
from tests.unit.control import channels
from tests.unit.control.channels import DEADLINE_S, KEY, inet, is_listening, opened, until

server, quick, debug_log = channels.server, channels.quick, channels.debug_log  # the fixtures


# --- commands ------------------------------------------------------------------------------------


def test_a_command_is_done_and_answered(server: ControlServer) -> None:
    with RndcClient(opened(server), KEY).open() as client:
        assert client.ask("echo a b") == (reply := client.ask("echo a b"))
        assert (reply.result, reply.err, reply.text) == (0, None, "a b")
        refused = client.ask("zonestatus example.com")
        assert (refused.result, refused.err) == (23, "not found")
        assert refused.text == "no matching zone 'example.com' in any view"
        peer = f"127.0.0.1#{client.sock.getsockname()[1]}"
    assert [line for line, _, _ in server.calls] == ["echo a b", "echo a b", "zonestatus example.com"]
    _, who, read_only = server.calls[0]
    assert (who.channel, who.peer, who.key, read_only) == ("rndc", peer, "rndc-key", False)


def test_the_first_message_does_nothing(server: ControlServer) -> None:
    with RndcClient(opened(server), KEY) as client:
        reply = client.ask("stop")
        assert (reply.result, reply.err, reply.text) == (0, None, "")
    assert server.calls == []


def test_a_channel_may_be_read_only(server: ControlServer) -> None:
    port = free_port()
    server.apply(conf(inet(port, 'allow { any; } keys { "rndc-key"; } read-only yes;')))
    with RndcClient((LOOPBACK, port), KEY).open() as client:
        client.ask("echo x")
    assert [read_only for _, _, read_only in server.calls] == [True]


def test_each_connection_signs_with_a_key_of_its_own(server: ControlServer) -> None:
    other = rndc_key("hmac-sha512", b"another", "other.")
    port = free_port()
    server.apply(conf(inet(port, 'allow { any; } keys { "rndc-key"; other; };'), KEY, other))
    for key in (KEY, other):
        with RndcClient((LOOPBACK, port), key).open() as client:
            assert client.ask("echo x").text == "x"
    assert [who.key for _, who, _ in server.calls] == ["rndc-key", "other"]


def test_two_commands_at_once_do_not_wait_for_each_other(server: ControlServer) -> None:
    address = opened(server)
    with RndcClient(address, KEY).open() as first, RndcClient(address, KEY).open() as second:
        first.send("wait")
        assert server.waiting.acquire(timeout=DEADLINE_S)
        assert second.ask("echo meanwhile").text == "meanwhile"
        server.release()
        assert first.receive().text == "waited"


def test_what_is_sent_together_is_answered_in_order(server: ControlServer) -> None:
    with RndcClient(opened(server), KEY).open() as client:
        for number in range(5):
            client.send(f"echo {number}")
        assert [client.receive().text for _ in range(5)] == ["0", "1", "2", "3", "4"]


def test_a_message_may_come_octet_by_octet(server: ControlServer) -> None:
    with RndcClient(opened(server), KEY) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in signed_frame(request_table("null", serial=1), KEY):
            client.sock.sendall(bytes((octet,)))
        assert client.receive().err is None


def test_a_long_reply_comes_whole(server: ControlServer) -> None:
    with RndcClient(opened(server), KEY).open() as client:
        lines = client.ask("long 100000").text.split("\n")
        assert lines[-1] == "[cut here: rndc takes no more]"
        assert len(lines) > 80000


def test_10000_commands_in_a_row(server: ControlServer) -> None:
    with RndcClient(opened(server), KEY).open() as client:
        for _ in range(10000):
            assert client.ask("echo status").text == "status"
    assert len(server.calls) == 10000


# --- what is refused -----------------------------------------------------------------------------


def test_a_wrong_key_is_refused_without_a_word(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    with RndcClient(opened(server), rndc_key(secret=b"guessed")) as client:
        client.send("null")
        assert client.is_closed()
        peer = f"127.0.0.1#{client.sock.getsockname()[1]}"
    until(lambda: f"invalid command from {peer}: bad auth" in caplog.text, caplog)


def test_a_recorded_connection_is_of_no_use(server: ControlServer, caplog: pytest.LogCaptureFixture) -> None:
    address = opened(server)
    with RndcClient(address, KEY) as client:
        first = client.send("null")
        client.receive()
        second = client.send("echo secret")
        client.receive()
    with RndcClient(address, KEY) as thief:
        thief.sock.sendall(first)
        assert thief.is_closed()
    until(lambda: "duplicate" in caplog.text, caplog)
    with RndcClient(address, KEY).open() as thief:
        thief.sock.sendall(second)
        assert thief.is_closed()
    assert [line for line, _, _ in server.calls] == ["echo secret"]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"\0\0\0\0", "unexpected end of input"),
        (b"\0\0\x80\x01", "out of range"),
        (b"\xff\xff\xff\xff", "out of range"),
        (b"GET / HTTP/1.0\r\n\r\n", "out of range"),
        (b"\0\0\0\4\0\0\0\1", "bad auth"),
        (b"\0\0\x80\0" + b"\0" * 32768, "bad auth"),
    ],
)
def test_garbage_is_refused(
    server: ControlServer, caplog: pytest.LogCaptureFixture, octets: bytes, reason: str
) -> None:
    with RndcClient(opened(server), KEY) as client:
        client.sock.sendall(octets)
        assert client.is_closed()
    until(lambda: f": {reason}" in caplog.text, caplog)


def test_who_is_not_on_the_list_is_not_listened_to(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    server.apply(conf(inet(port, 'allow { 127.0.0.2; } keys { "rndc-key"; };')))
    with RndcClient((LOOPBACK, port), KEY) as client:
        assert client.is_closed()
        peer = f"127.0.0.1#{client.sock.getsockname()[1]}"
    until(lambda: f"rejected command channel message from {peer}" in caplog.text, caplog)


def test_a_client_that_hangs_in_the_middle_is_closed(
    quick: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    address = opened(quick)
    frame = signed_frame(request_table("null", serial=1), KEY)
    with RndcClient(address, KEY) as silent, RndcClient(address, KEY) as half:
        half.sock.sendall(frame[:50])
        assert half.is_closed()
        assert silent.is_closed()
    with RndcClient(address, KEY).open() as idle:
        assert idle.is_closed()
    until(lambda: caplog.text.count("closed: 0.5 s without a whole message") == 3, caplog)


def test_a_message_that_drips_in_has_no_more_time(quick: ControlServer) -> None:
    frame = signed_frame(request_table("null", serial=1), KEY)
    with RndcClient(opened(quick), KEY) as client:
        begin = time.monotonic()
        for octet in frame * 100:
            try:
                client.sock.sendall(bytes((octet,)))
            except ConnectionError:
                break
            time.sleep(0.01)
        else:
            pytest.fail("the server took all of it")
        assert time.monotonic() - begin < DEADLINE_S / 2


def test_a_client_that_does_not_read_its_reply_is_closed(quick: ControlServer) -> None:
    with RndcClient(opened(quick), KEY) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.open()
        # More than the buffers of both sides hold, however the kernel sizes them.
        for _ in range(8):
            client.send("long 100000")
        deadline = time.monotonic() + DEADLINE_S
        received = 0
        client.sock.settimeout(0.01)
        closed = False
        while not closed:  # reads nothing for as long as the server has patience, again and again
            assert time.monotonic() < deadline
            time.sleep(0.8)
            try:
                octets = client.sock.recv(1000)
                received += len(octets)
                closed = not octets
            except TimeoutError:
                continue
            except ConnectionError:
                closed = True
            if is_closed_by_peer(client.sock):
                closed = True
        assert received < 1 << 20


def is_closed_by_peer(sock: socket.socket) -> bool:
    """Whether the kernel has a FIN or RST of the other side (the state of the connection, tcp(7))."""
    established = 1
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != established


def test_a_client_that_goes_away_during_its_command_ends_nothing(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    address = opened(server)
    with RndcClient(address, KEY).open() as client:
        client.send("wait")
        assert server.waiting.acquire(timeout=DEADLINE_S)
    server.release()
    with RndcClient(address, KEY).open() as other:
        assert other.ask("echo fine").text == "fine"
    assert "Traceback" not in caplog.text


def test_a_flood_of_connections_leaves_room_for_who_has_a_key(
    quick: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    address = opened(quick)
    with RndcClient(address, KEY).open() as trusted:
        trusted.send("wait")
        assert quick.waiting.acquire(timeout=DEADLINE_S)
        lines = Flood()
        flood = [socket.create_connection(address) for _ in range(100)]  # fewer than wait to be accepted
        with RndcClient(address, KEY).open() as client:
            assert client.ask("echo through").text == "through"
        quick.release()
        assert trusted.receive().text == "waited"
        for sock in flood:
            sock.close()
    until(lambda: "there are more than 4 of them" in caplog.text, caplog)
    assert caplog.text.count("there are more than 4 of them") <= lines.lines_at_most()


def test_who_has_shown_a_key_stays_when_others_have_to_go() -> None:
    with ControlServer(limits=ChannelLimits(connections=4)) as server:
        address = opened(server)
        silent = [RndcClient(address, KEY) for _ in range(2)]
        trusted = RndcClient(address, KEY).open()
        silent.append(RndcClient(address, KEY))
        with RndcClient(address, KEY).open() as client:
            assert client.ask("echo in").text == "in"
        assert silent[0].is_closed()
        assert trusted.ask("echo still here").text == "still here"
        for other in (*silent, trusted):
            other.sock.close()


def test_when_all_connections_are_busy_one_more_is_refused(
    quick: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    address = opened(quick)
    busy = [RndcClient(address, KEY).open() for _ in range(4)]
    for client in busy:
        client.send("wait")
        assert quick.waiting.acquire(timeout=DEADLINE_S)
    with RndcClient(address, KEY) as refused:
        assert refused.is_closed()
    quick.release()
    for client in busy:
        assert client.receive().text == "waited"
        client.sock.close()
    until(lambda: "refused: 4 others are being served" in caplog.text, caplog)


def test_wrong_keys_do_not_flood_the_log(server: ControlServer, caplog: pytest.LogCaptureFixture) -> None:
    address = opened(server)
    flood = Flood()
    for _ in range(100):
        with RndcClient(address, rndc_key(secret=b"guessed")) as client:
            client.send("null")
            assert client.is_closed()
    assert 0 < caplog.text.count("invalid command") <= flood.lines_at_most()


# --- the end -------------------------------------------------------------------------------------


def test_the_reply_to_stop_is_sent_before_the_server_goes(server: ControlServer) -> None:
    with RndcClient(opened(server), KEY).open() as client:
        client.send("stop")
        assert server.stopped.wait(DEADLINE_S)
        server.close()
        assert client.receive().err is None
        assert client.is_closed()


def test_closing_waits_for_a_command_but_not_for_ever(quick: ControlServer) -> None:
    address = opened(quick)
    with RndcClient(address, KEY).open() as client, RndcClient(address, KEY):
        client.send("wait")
        assert quick.waiting.acquire(timeout=DEADLINE_S)
        closing = threading.Thread(target=quick.close)
        closing.start()
        closing.join(DEADLINE_S)
        assert not closing.is_alive()
        assert client.is_closed()
    assert not is_listening(address)


def test_a_command_that_ends_in_time_is_answered_although_the_channel_closes(server: ControlServer) -> None:
    with RndcClient(opened(server), KEY).open() as client:
        client.send("wait")
        assert server.waiting.acquire(timeout=DEADLINE_S)
        closing = threading.Thread(target=server.close)
        closing.start()
        server.release()
        assert client.receive().text == "waited"
        closing.join(DEADLINE_S)
        assert client.is_closed()


def test_a_command_is_answered_although_it_closes_its_own_channel(server: ControlServer) -> None:
    address = opened(server)
    with RndcClient(address, KEY).open() as client, RndcClient(address, KEY).open() as idle:
        client.send("wait")
        assert server.waiting.acquire(timeout=DEADLINE_S)
        server.apply(conf(""))
        assert not is_listening(address)
        assert idle.is_closed()
        server.release()
        assert client.receive().text == "waited"
        assert client.is_closed()


# --- anything at all -----------------------------------------------------------------------------


def test_hostile_octets_do_nothing_but_end_their_connection(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(5)
    address = opened(server)
    good = signed_frame(request_table("echo x"), KEY)
    for _ in range(300):
        octets = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        if chance.random() < 0.3:
            octets = bytearray(chance.randbytes(chance.randrange(1, 300)))
        elif chance.random() < 0.2:
            octets = octets[: chance.randrange(len(octets))]
        with RndcClient(address, KEY) as client, contextlib.suppress(OSError):
            client.sock.sendall(octets)
            client.sock.shutdown(socket.SHUT_WR)
            while client.sock.recv(4096):
                pass
    assert server.calls == []
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]
    with RndcClient(address, KEY).open() as client:
        assert client.ask("echo fine").text == "fine"
