"""The sockets in a process of their own: out of descriptors, out of rights, next to a second server."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

DEADLINE_S = 20.0

# Serves 127.0.0.1 on a port of the kernel's choice until its standard input ends; answers with the query,
# QR set. `prepare` is what a test puts before the start, `bound` before the port is told.
SERVER = """
import asyncio, concurrent.futures.thread, logging, os, resource, sys
from bindpy.server.endpoint import Endpoint
from bindpy.server.listeners import Listeners, ListenersError
from bindpy.server.privileges import drop_privileges, find_account
from bindpy.server.tcp_limits import TcpSettings

class Echo:
    hot = None
    def answer(self, query, client, local, transport):
        return query[:2] + b"\\x80" + query[3:]

class Nobody:
    async def handle(self, request):
        return None

async def main():
    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    failed = lambda endpoint, error: os._exit(3)
    settings = TcpSettings(clients=10000, backlog=100)
    listeners = Listeners(Echo(), Nobody(), settings, on_failure=failed)
    PREPARE
    try:
        await listeners.apply([Endpoint("127.0.0.1", int(sys.argv[1]))])
    except ListenersError as error:
        sys.exit(str(error))
    BOUND
    print(next(iter(listeners.bound().values())).port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await listeners.close()
    print("closed", flush=True)

asyncio.run(main())
"""
QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x00\x00\x01\x00\x01"
ANSWER = b"\x12\x34\x80" + QUERY[3:]


class ServerProcess:
    """A `SERVER` that runs."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        assert process.stdout is not None
        self.process = process
        self._log = log
        self.port = int(process.stdout.readline() or "0")

    @property
    def address(self) -> tuple[str, int]:
        """Where it serves."""
        return ("127.0.0.1", self.port)

    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    def stop(self) -> tuple[int, str]:
        """End it in an orderly way; return its exit status and the rest of its output."""
        out, _ = self.process.communicate("", timeout=DEADLINE_S)
        return self.process.returncode, out

    def ask_udp(self) -> bytes:
        """Ask by UDP."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(DEADLINE_S)
            sock.sendto(QUERY, self.address)
            return sock.recv(512)

    def connect(self) -> socket.socket:
        """Connect by TCP."""
        return socket.create_connection(self.address, DEADLINE_S)


def ask_tcp(sock: socket.socket) -> bytes:
    """Ask over a connection."""
    sock.sendall(len(QUERY).to_bytes(2) + QUERY)
    data = b""
    while len(data) < 2 + len(ANSWER):
        piece = sock.recv(512)
        assert piece, "the server closed the connection"
        data += piece
    return data[2:]


@contextmanager
def server(
    tmp_path: Path, *, prepare: str = "pass", bound: str = "pass", port: int = 0
) -> Iterator[ServerProcess]:
    """Run a server."""
    code = SERVER
    for mark, lines in (("PREPARE", prepare), ("BOUND", bound)):
        code = code.replace(
            f"    {mark}\n", textwrap.indent(textwrap.dedent(lines).strip("\n"), "    ") + "\n"
        )
    log = tmp_path / f"log-{time.monotonic_ns()}"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={
                **os.environ,
                "PYTHONWARNINGS": "error",
                "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            },
        )
    try:
        yield ServerProcess(process, log)
    finally:
        process.kill()
        process.communicate()


def wait_for(server: ServerProcess, text: str) -> None:
    """Return once *text* is in the log."""
    deadline = time.monotonic() + DEADLINE_S
    while text not in server.log():
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.02)  # between two looks


def test_a_server_that_runs_out_of_descriptors_serves_on_and_recovers(tmp_path: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))"
    with ExitStack() as stack:
        running = stack.enter_context(server(tmp_path, prepare=limit))
        # Those over the limit wait in the backlog.
        clients = [stack.enter_context(running.connect()) for _ in range(60)]
        wait_for(running, "Too many open files")
        assert "'ulimit -n'" in running.log()
        assert running.ask_udp() == ANSWER
        assert ask_tcp(clients[0]) == ANSWER
        for client in clients[:40]:
            client.close()
        assert ask_tcp(clients[-1]) == ANSWER
        assert running.log().count("Too many open files") == 1
        assert running.stop() == (0, "closed\n")
        assert "Traceback" not in running.log()


def test_a_second_server_says_what_is_wrong_and_the_first_serves_on(tmp_path: Path) -> None:
    with server(tmp_path) as first:
        with server(tmp_path, port=first.port) as second:
            assert second.process.wait(DEADLINE_S) == 1
            assert f"127.0.0.1#{first.port}: address in use" in second.log()
            assert f"ss -lunp sport = :{first.port}" in second.log()
        for _ in range(20):
            assert first.ask_udp() == ANSWER
        assert first.stop() == (0, "closed\n")


def test_a_restart_gets_its_port_back_at_once(tmp_path: Path) -> None:
    """Connections that the first server closed are in TIME_WAIT and must not keep the port."""
    with server(tmp_path) as first:
        client = first.connect()
        assert ask_tcp(client) == ANSWER
        assert first.stop() == (0, "closed\n")
        client.close()
        with server(tmp_path, port=first.port) as second:
            assert second.port == first.port
            assert second.ask_udp() == ANSWER


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up being root")
def test_after_the_drop_nothing_of_root_is_left_and_serving_goes_on(tmp_path: Path) -> None:
    drop = """
    drop_privileges(find_account("nobody"))
    print(*os.getresuid(), *os.getresgid(), *os.getgroups(), file=sys.stderr)
    print(open("/proc/self/status").read(), file=sys.stderr)
    try:
        os.setuid(0)
    except PermissionError:
        print("no way back", file=sys.stderr)
    try:
        await listeners.apply([*listeners.bound(), Endpoint("127.0.0.3", 53)])
    except ListenersError as error:
        print(error, file=sys.stderr)
    sys.stderr.flush()
    """
    unprivileged = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    with server(tmp_path, bound=drop) as running:
        nobody = pwd.getpwnam("nobody")
        assert f"{nobody.pw_uid} " * 3 + f"{nobody.pw_gid} " * 3 in running.log()
        assert "no way back" in running.log()
        assert "CapEff:\t0000000000000000" in running.log()
        assert "CapPrm:\t0000000000000000" in running.log()
        if int(unprivileged.read_text()) > 53:
            assert "127.0.0.3#53: permission denied: ports below 1024 need root" in running.log()
            assert "setcap" in running.log()
        assert running.ask_udp() == ANSWER
        with running.connect() as client:
            assert ask_tcp(client) == ANSWER
        assert running.stop() == (0, "closed\n")
