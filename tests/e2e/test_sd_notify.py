"""A running server as systemd sees it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.daemon import DEADLINE_S, daemon, zone_text

CONF = 'zone "a.example" { type primary; file "a.db"; notify no; };\n'


class Manager:
    """The socket that systemd would listen on."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.sock.settimeout(DEADLINE_S)

    def wait_for(self, name: str) -> dict[str, str]:
        """Return the next message that has *name* in it."""
        while True:
            lines = self.sock.recv(65536).decode().split("\n")
            told = dict(line.split("=", 1) for line in lines)
            if name in told:
                return told

    def forget(self) -> None:
        """Read what was said until now."""
        self.sock.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.sock.recv(65536)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    yield manager
    manager.sock.close()


def test_start_reload_and_stop(tmp_path: Path, manager: Manager) -> None:
    with daemon(tmp_path, CONF, {"a.db": zone_text()}) as server:
        assert manager.wait_for("EXTEND_TIMEOUT_USEC")["STATUS"].startswith("loading zones")
        assert manager.wait_for("READY") == {"READY": "1", "STATUS": "1 of 1 zones have data"}
        server.signal(signal.SIGHUP)
        assert int(manager.wait_for("RELOADING")["MONOTONIC_USEC"]) > 0
        assert manager.wait_for("READY")["STATUS"] == "1 of 1 zones have data"
        good = (tmp_path / "named.conf").read_text()
        (tmp_path / "named.conf").write_text(good + "nonsense;")
        server.signal(signal.SIGHUP)
        manager.wait_for("RELOADING")
        status = manager.wait_for("READY")[
            "STATUS"
        ]  # not "ready" would be a service that hangs in its reload
        assert "failed" in status
        assert "nonsense" in status
    manager.wait_for("STOPPING")


def test_the_watchdog_hears_from_a_server_that_lives_and_not_from_one_that_hangs(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "90000")
    with daemon(tmp_path, CONF, {"a.db": zone_text()}) as server:
        for _ in range(5):
            manager.wait_for("WATCHDOG")
        assert server.process is not None
        server.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, server.process.pid, os.WSTOPPED | os.WNOWAIT)
        manager.forget()
        manager.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            manager.sock.recv(65536)
        server.signal(signal.SIGCONT)
        manager.sock.settimeout(DEADLINE_S)
        manager.wait_for("WATCHDOG")
