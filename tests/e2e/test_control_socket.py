"""The control socket of a running server: where it is, whose it is, and what no client can do to it."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bindpy.control.socket_client import LostServerError, NoServerError, SocketClient
from bindpy.control.socket_protocol import MAX_LINE_OCTETS
from tests.e2e.daemon import DEADLINE_S, Daemon, daemon, options, wait_until, zone_text
from tests.support.ports import free_port
from tests.support.users import NOBODY

ZONE = 'zone "a.example" { type primary; file "a.db"; notify no; };\n'
FILES: dict[str, str | bytes] = {"a.db": zone_text()}


def client(path: Path) -> SocketClient:
    return SocketClient(str(path), timeout_s=DEADLINE_S)


def ping(path: Path) -> str:
    with client(path) as one:
        return str(one.ask("ping")["text"])


def test_beside_the_pid_file_or_in_the_state_directory(tmp_path: Path) -> None:
    with daemon(tmp_path, ZONE, FILES) as server:
        path = tmp_path / ".bindpy-state/control.sock"
        assert ping(path) == "PONG"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        conf = (tmp_path / "named.conf").read_text()
        (tmp_path / "named.conf").write_text(conf.replace("pid-file none", 'control-socket "x.sock"'))
        server.signal(signal.SIGHUP)
        server.wait_for_log("reloading finished")
        assert ping(tmp_path / "x.sock") == "PONG"
        assert not path.exists()
        (tmp_path / "named.conf").write_text(conf.replace("pid-file none", "control-socket none"))
        server.signal(signal.SIGHUP)
        wait_until(lambda: not (tmp_path / "x.sock").exists(), lambda: server.log)
    other = tmp_path / "other"
    other.mkdir()
    with daemon(other, ZONE, FILES, extra="") as server:
        conf = (other / "named.conf").read_text()
        server.stop()
        (other / "named.conf").write_text(conf.replace("pid-file none", 'pid-file "run/named.pid"'))
        server.start()
        server.wait_for_log("running", 2)
        assert ping(other / "run/named.sock") == "PONG"
        server.stop()
        assert list((other / "run").iterdir()) == []


def test_it_stays_over_a_reload_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    with daemon(tmp_path, ZONE, FILES, extra='control-socket "c.sock";') as server:
        with client(path) as one:
            one.ask("ping")
            before = path.stat().st_ino
            server.signal(signal.SIGHUP)
            server.wait_for_log("reloading finished")
            assert path.stat().st_ino == before
            assert one.ask("ping")["text"] == "PONG"  # the connection, too
        # One that cannot be had leaves the one that is there.
        conf = (tmp_path / "named.conf").read_text()
        (tmp_path / "named.conf").write_text(conf.replace('"c.sock"', '"no/such/folder/c.sock"'))
        server.signal(signal.SIGHUP)
        server.wait_for_log("keeping the control socket as it was")
        assert ping(path) == "PONG"
    assert not path.exists()


def test_what_a_crash_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    with daemon(tmp_path, ZONE, FILES, extra='control-socket "c.sock";') as server:
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        with pytest.raises(NoServerError, match="was left behind by one that ended without cleaning up"):
            ping(path)
        server.start()
        server.wait_for_log("running", 2)
        assert ping(path) == "PONG"


def test_a_second_server_is_refused_where_it_was_told_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    with daemon(tmp_path, ZONE, FILES, extra='control-socket "c.sock";') as server:
        assert server.process is not None
        (tmp_path / "second.conf").write_text(options(free_port(), 'control-socket "c.sock";') + ZONE)
        second = subprocess.run(
            [sys.executable, "-m", "bindpy.cli.main", "serve", "-c", "second.conf"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert second.returncode == 1
        assert (
            f"another server is running: process {server.process.pid} has the control socket" in second.stderr
        )
        assert ping(path) == "PONG"


def test_a_second_server_whose_place_is_taken_by_default_serves_without(tmp_path: Path) -> None:
    with daemon(tmp_path, ZONE, FILES) as server:
        second = Daemon(tmp_path, free_port())
        second.log_path = tmp_path / "second.log"
        (tmp_path / "named.conf").write_text(options(second.port) + ZONE)
        second.start()
        try:
            second.wait_for_log("all zones loaded")
            assert "another server is running" in second.log
            assert second.addresses("www.a.example") == ["192.0.2.10"]
            with client(tmp_path / ".bindpy-state/control.sock") as one:
                assert server.process is not None
                assert one.server_pid() == server.process.pid
        finally:
            second.stop()
        assert ping(tmp_path / ".bindpy-state/control.sock") == "PONG"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_belongs_to_the_user_that_the_server_becomes(folder_for_all: Path) -> None:
    (folder_for_all / "named.conf").write_text(
        f'options {{ directory "{folder_for_all}"; listen-on port {free_port()} {{ 127.0.0.1; }}; '
        'listen-on-v6 { none; }; pid-file none; control-socket "run/c.sock"; };\n' + ZONE
    )
    (folder_for_all / "a.db").write_text(zone_text())
    server = Daemon(folder_for_all, 0)
    server.start("-u", str(NOBODY))
    try:
        server.wait_for_log("running")
        found = (folder_for_all / "run/c.sock").stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (NOBODY, 0o600)
        assert ping(folder_for_all / "run/c.sock") == "PONG"  # from root
    finally:
        server.stop()
    assert not (folder_for_all / "run/c.sock").exists()


def test_ten_thousand_commands_in_a_row_and_two_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    with daemon(tmp_path, ZONE, FILES, extra='control-socket "c.sock";') as server:
        assert server.process is not None
        fds = Path(f"/proc/{server.process.pid}/fd")
        with client(path) as one:
            one.ask("status")
            before = len(list(fds.iterdir()))
            for _ in range(8_000):
                one.ask("status")
        for _ in range(2_000):
            with client(path) as one:
                one.ask("status")
        wait_until(lambda: len(list(fds.iterdir())) <= before, lambda: str(list(fds.iterdir())))
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: ping(path), range(400)))
        assert answers == ["PONG"] * 400


def test_commands_during_a_reload(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    zones = "".join(
        f'zone "z{i}.example" {{ type primary; file "a.db"; notify no; }};\n' for i in range(2000)
    )
    with daemon(tmp_path, ZONE + zones, FILES, extra='control-socket "c.sock";') as server:
        with client(path) as one, client(path) as other:
            replies = one.request("reload", wait=True)
            texts = []
            with concurrent.futures.ThreadPoolExecutor(1) as threads:
                end = threads.submit(list, replies)
                while not end.done():
                    began = time.monotonic()
                    texts.append(other.ask("ping")["text"])
                    assert time.monotonic() - began < 5
            assert end.result()[-1]["type"] == "result"
            assert set(texts) == {"PONG"}
        assert server.addresses("www.z1999.example") == ["192.0.2.10"]


def test_bad_clients_harm_nobody(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    with daemon(tmp_path, ZONE, FILES, extra='control-socket "c.sock";') as server:
        hanging = []
        for data in (b"", b'{"command": "sta', b"\x00" * 1000, b"x" * MAX_LINE_OCTETS):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(str(path))
            sock.sendall(data)
            hanging.append(sock)
        for data in (
            b"\xff\xfe\x00garbage\n",
            b"{}\n",
            b'{"command":"' + b"x" * 2 * MAX_LINE_OCTETS + b'"}\n',
        ):
            assert raw(path, data)["error"] == "bad request"
        for _ in range(200):  # connections without a word
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(str(path))
            hanging.append(sock)
            if len(hanging) > 100:
                hanging.pop(0).close()
        assert ping(path) == "PONG"
        assert server.addresses("www.a.example") == ["192.0.2.10"]
        for sock in hanging:
            sock.close()


def raw(path: Path, data: bytes) -> dict[str, Any]:
    """Send octets as they are; return the one reply."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(str(path))
        with suppress(BrokenPipeError):
            sock.sendall(data)
        with sock.makefile("rb") as lines:
            reply: dict[str, Any] = json.loads(lines.readline())
        return reply


def test_a_server_that_stops_answers_before_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    with daemon(tmp_path, ZONE, FILES, extra='control-socket "c.sock";') as server:
        with client(path) as one, client(path) as waiting:
            assert server.process is not None
            assert one.ask("stop -p")["text"] == f"pid: {server.process.pid}"
            assert server.wait_end() == 0
            with pytest.raises(LostServerError):
                waiting.ask("ping")
        assert not path.exists()
