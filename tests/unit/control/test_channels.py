"""Control channels on sockets: who may connect, limits, and what a reload keeps."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bindpy.control.rndc_channel import ChannelLimits
from bindpy.control.rndc_codec import signed_frame
from tests.peers.process import LOOPBACK, free_port
from tests.support.rndc import RndcClient, request_table, rndc_key
from tests.support.rndc_server import ControlServer, conf, key_statement

KEY = rndc_key()
DEADLINE_S = 20.0
QUICK = ChannelLimits(connections=4, patience_s=0.2, finish_s=0.2)


@pytest.fixture
def server() -> Iterator[ControlServer]:
    with ControlServer() as started:
        yield started


@pytest.fixture
def quick() -> Iterator[ControlServer]:
    with ControlServer(limits=QUICK) as started:
        yield started


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "bindpy")


def inet(port: int, rest: str = 'allow { any; } keys { "rndc-key"; };', address: str = LOOPBACK) -> str:
    return f"inet {address} port {port} {rest}"


def opened(server: ControlServer) -> tuple[str, int]:
    """Open one channel, return its address."""
    port = free_port()
    server.apply(conf(inet(port)))
    return LOOPBACK, port


def until(condition: Callable[[], bool], caplog: pytest.LogCaptureFixture) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.005)


def is_listening(address: tuple[str, int] | str) -> bool:
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as sock:
        return sock.connect_ex(address) == 0


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
    until(lambda: caplog.text.count("closed: 0.2 s without a whole message") == 3, caplog)


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
            time.sleep(0.5)
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
        flood = [socket.create_connection(address) for _ in range(100)]  # fewer than wait to be accepted
        with RndcClient(address, KEY).open() as client:
            assert client.ask("echo through").text == "through"
        quick.release()
        assert trusted.receive().text == "waited"
        for sock in flood:
            sock.close()
    until(lambda: "there are more than 4 of them" in caplog.text, caplog)
    assert caplog.text.count("there are more than 4 of them") <= 15  # the log is not flooded


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
    for _ in range(100):
        with RndcClient(address, rndc_key(secret=b"guessed")) as client:
            client.send("null")
            assert client.is_closed()
    assert 0 < caplog.text.count("invalid command") <= 20


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


# --- reload --------------------------------------------------------------------------------------


def test_a_channel_that_stays_keeps_its_connections(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = free_port(), free_port()
    server.apply(conf(inet(first)))
    with RndcClient((LOOPBACK, first), KEY).open() as client:
        server.apply(conf(inet(first) + inet(second)))
        assert client.ask("echo kept").text == "kept"
        with RndcClient((LOOPBACK, second), KEY).open() as other:
            assert other.ask("echo new").text == "new"
        server.apply(conf(inet(second)))
        assert client.is_closed()
    assert not is_listening((LOOPBACK, first))
    assert f"stopping command channel on 127.0.0.1#{first}" in caplog.text
    assert caplog.text.count(f"command channel listening on 127.0.0.1#{second}\n") == 1
    server.apply(conf(""))
    assert not is_listening((LOOPBACK, second))
    assert server.channels.bound() == ()


def test_new_keys_lists_and_rights_hold_at_once(server: ControlServer) -> None:
    port = free_port()
    new = rndc_key(secret=b"the new one")
    server.apply(conf(inet(port)))
    with RndcClient((LOOPBACK, port), KEY).open() as client:
        server.apply(conf(inet(port, 'allow { any; } keys { "rndc-key"; } read-only yes;'), KEY))
        client.ask("echo x")
        assert server.calls[-1][2] is True
        server.apply(conf(inet(port), new))
        client.send("echo old key")
        assert client.is_closed()
    with RndcClient((LOOPBACK, port), new).open() as client:
        assert client.ask("echo x").text == "x"
    server.apply(conf(inet(port, 'allow { none; } keys { "rndc-key"; };'), new))
    with RndcClient((LOOPBACK, port), new) as client:
        assert client.is_closed()


def test_a_channel_that_cannot_be_opened_closes_no_other(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = free_port(), free_port()
    server.apply(conf(inet(old)))
    with socket.create_server((LOOPBACK, new)):
        server.apply(conf(inet(new)))
        assert f"couldn't add command channel 127.0.0.1#{new}: address in use" in caplog.text
        assert "named.conf:2:" in caplog.text
        with RndcClient((LOOPBACK, old), KEY).open() as client:
            assert client.ask("echo still here").text == "still here"
    server.apply(conf(inet(new)))
    assert server.channels.bound() == ((LOOPBACK, new),)
    assert not is_listening((LOOPBACK, old))


@pytest.mark.parametrize(("before", "after"), [("*", LOOPBACK), (LOOPBACK, "*")])
def test_a_channel_may_take_the_place_of_one_that_is_in_its_way(
    server: ControlServer, before: str, after: str
) -> None:
    port = free_port()
    for address in (before, after):
        server.apply(conf(inet(port, address=address)))
        with RndcClient((LOOPBACK, port), KEY).open() as client:
            assert client.ask("echo x").text == "x"
    assert [str(place) for place in server.channels.bound()] == [
        f"{'0.0.0.0' if after == '*' else after}#{port}"
    ]


def test_the_same_channel_twice_is_one(server: ControlServer, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    server.apply(conf(inet(port) + inet(port, 'allow { none; } keys { "rndc-key"; };')))
    with RndcClient((LOOPBACK, port), KEY).open() as client:
        assert client.ask("echo x").text == "x"
    assert f"command channel 127.0.0.1#{port} is there twice" in caplog.text


def test_ipv6(server: ControlServer) -> None:
    port = free_port()
    server.apply(conf(inet(port, address="::1") + inet(port)))
    for address in ("::1", LOOPBACK):
        with RndcClient((address, port), KEY).open() as client:
            assert client.ask("echo x").text == "x"
    assert {str(place) for place in server.channels.bound()} == {f"::1#{port}", f"127.0.0.1#{port}"}


def test_every_address_of_both_families_on_one_port(server: ControlServer) -> None:
    port = free_port()
    server.apply(conf(inet(port, address="::") + inet(port, address="*")))
    for address in ("::1", LOOPBACK):
        with RndcClient((address, port), KEY).open() as client:
            assert client.ask("echo x").text == "x"
    assert [who.peer.split("#")[0] for _, who, _ in server.calls] == ["::1", LOOPBACK]


# --- the key file --------------------------------------------------------------------------------


def with_key_file(path: Path, mode: int = 0o600) -> Path:
    path.write_text(key_statement(KEY))
    path.chmod(mode)
    return path


def test_a_channel_without_keys_uses_the_key_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = with_key_file(tmp_path / "rndc.key")
    port = free_port()
    other = rndc_key(secret=b"unused", name="other.")
    with ControlServer(key_files=[tmp_path / "none.key", path]) as server:
        for keys in ("", "keys { }"):
            server.apply(conf(inet(port, f"allow {{ any; }} {keys};"), other))
            with RndcClient((LOOPBACK, port), KEY).open() as client:
                assert client.ask("echo x").text == "x"
    assert f"configuring command channel from '{path}'" in caplog.text
    assert "everybody" not in caplog.text


def test_a_key_that_everybody_can_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = with_key_file(tmp_path / "rndc.key", 0o644)
    with ControlServer(key_files=[path]) as server:
        server.apply(conf(inet(free_port(), "allow { any; };")))
    assert f"key file '{path}' can be read by everybody" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no"),
        ("", "there is no 'key' statement"),
        ('key "k" { algorithm hmac-sha256; secret "hidden" }', "error in the key file"),
        ('key "k" { algorithm rot13; secret "aGlkZGVu"; };', "error in the key file"),
        ("key hidden", "error in the key file"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str | None, words: str
) -> None:
    path, port = tmp_path / "rndc.key", free_port()
    if content is not None:
        path.write_text(content)
    with ControlServer(key_files=[path]) as server:
        server.apply(
            conf(inet(port, "allow { any; };") + inet(free_port(), "allow { any; };", address="::1"))
        )
        assert server.channels.bound() == ()
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert words in lines[0]
    assert str(path) in lines[0]
    assert "hidden" not in lines[0]


def test_a_key_file_that_is_gone_closes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, port = with_key_file(tmp_path / "rndc.key"), free_port()
    with ControlServer(key_files=[path]) as server:
        server.apply(conf(inet(port, "allow { any; };")))
        path.unlink()
        server.apply(conf(inet(port, "allow { any; };")))
        with RndcClient((LOOPBACK, port), KEY).open() as client:
            assert client.ask("echo x").text == "x"
        assert "not closing command channel" in caplog.text
        new = rndc_key(secret=b"new")
        path.write_text(key_statement(new))
        server.apply(conf(inet(port, "allow { any; };")))
        with RndcClient((LOOPBACK, port), new).open() as client:
            assert client.ask("echo x").text == "x"


def test_a_pipe_in_place_of_the_key_file_holds_nothing_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "rndc.key")
    with ControlServer(key_files=[tmp_path / "rndc.key"]) as server:
        server.apply(conf(inet(free_port(), "allow { any; };")))
        assert server.channels.bound() == ()
    assert "is not a file with a key" in caplog.text


def test_without_controls_the_channel_is_on_loopback_with_the_key_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setattr("bindpy.control.channels.DEFAULT_CONTROL_PORT", port)
    with ControlServer(key_files=[tmp_path / "rndc.key"]) as server:
        server.apply(conf(None))
        assert server.channels.bound() == ()
        assert "bindpy rndc-confgen -a" in caplog.text
        assert not [record for record in caplog.records if record.levelno > logging.INFO]
        with_key_file(tmp_path / "rndc.key")
        server.apply(conf(None))
        assert {str(place) for place in server.channels.bound()} == {f"127.0.0.1#{port}", f"::1#{port}"}
        with RndcClient((LOOPBACK, port), KEY).open() as client:
            assert client.ask("echo x").text == "x"
        server.apply(conf(""))
        assert server.channels.bound() == ()


def test_a_default_channel_that_is_taken_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setattr("bindpy.control.channels.DEFAULT_CONTROL_PORT", port)
    with_key_file(tmp_path / "rndc.key")
    with (
        socket.create_server((LOOPBACK, port)),
        socket.create_server(("::1", port), family=socket.AF_INET6),
        ControlServer(key_files=[tmp_path / "rndc.key"]) as server,
    ):
        server.apply(conf(None))
        assert server.channels.bound() == ()
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert lines[0].startswith(
        f"couldn't add command channel 127.0.0.1#{port} and ::1#{port}: address in use"
    )


# --- Unix sockets --------------------------------------------------------------------------------


def unix(path: Path, mode: str = "0600", owner: int | None = None, group: int | None = None) -> str:
    owner = os.geteuid() if owner is None else owner
    group = os.getegid() if group is None else group
    return f'unix "{path}" perm {mode} owner {owner} group {group} keys {{ "rndc-key"; }};'


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_a_unix_socket_has_the_mode_that_is_asked_for(
    server: ControlServer, tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "control"
    old = os.umask(0o077)
    try:
        server.apply(conf(unix(path, f"0{mode:o}")))
    finally:
        os.umask(old)
    found = path.lstat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == mode
    with RndcClient(str(path), KEY).open() as client:
        assert client.ask("echo x").text == "x"
    assert f"uid {os.geteuid()}" in server.calls[0][1].peer
    assert f"command channel listening on {path}" in caplog.text
    server.close()
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_unix_socket_has_the_owner_that_is_asked_for(server: ControlServer, tmp_path: Path) -> None:
    path = tmp_path / "control"
    server.apply(conf(unix(path, owner=12345, group=23456)))
    found = path.lstat()
    assert (found.st_uid, found.st_gid) == (12345, 23456)
    server.apply(conf(unix(path, mode="0660", owner=12345, group=34567)))
    found = path.lstat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, 34567)
    assert len(server.channels.bound()) == 1


def test_a_left_over_socket_is_replaced(server: ControlServer, tmp_path: Path) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    server.apply(conf(unix(path)))
    with RndcClient(str(path), KEY).open() as client:
        assert client.ask("echo x").text == "x"


def test_a_socket_in_use_and_a_file_are_left_alone(
    server: ControlServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    used, file = tmp_path / "used", tmp_path / "file"
    file.write_text("precious")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(used))
        other.listen(0)
        for _ in range(3):  # its queue is full after the first time that we look whether somebody is there
            server.apply(conf(unix(used) + unix(file) + unix(tmp_path / "no" / "where")))
        other.accept()[0].close()
        assert is_listening(str(used))
    assert server.channels.bound() == ()
    assert file.read_text() == "precious"
    assert f"couldn't add command channel {used}: address in use" in caplog.text
    assert f"couldn't add command channel {file}: there is a file of that name" in caplog.text
    assert "no such file or directory" in caplog.text


def test_a_link_in_place_of_the_socket_is_not_followed(
    server: ControlServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    target.chmod(0o600)
    (tmp_path / "control").symlink_to(target)
    server.apply(conf(unix(tmp_path / "control", "0666")))
    assert server.channels.bound() == ()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_the_socket_of_another_server_is_not_removed_at_the_end(
    server: ControlServer, tmp_path: Path
) -> None:
    path = tmp_path / "control"
    server.apply(conf(unix(path)))
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        server.close()
        assert path.exists()


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


def test_a_mode_and_an_owner_that_cannot_be_are_no_fault(
    server: ControlServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "control"
    server.apply(conf(unix(path, owner=4294967295)))
    assert server.channels.bound() == ()
    assert "there cannot be an owner or a group of that number" in caplog.text
    assert not path.exists()
    server.apply(conf(unix(path, mode="4294967295")))
    assert len(server.channels.bound()) == 1
