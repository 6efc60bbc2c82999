"""A server that gets its sockets from systemd, and is restarted behind them."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import dns.message

from tests.e2e.daemon import DEADLINE_S, Daemon, options, zone_text
from tests.support.ports import free_port

ZONE = 'zone "a.example" { type primary; file "a.db"; notify no; };\n'
START = """
import os, sys
for number, descriptor in enumerate(map(int, sys.argv[1].split(",")), start=3):
    os.dup2(descriptor, number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="dns:dns")
os.execv(sys.executable, [sys.executable, "-m", "bindpy.cli.main", "serve", "-c", "named.conf"])
"""
OUT_OF_THE_WAY = 50


class Activated(Daemon):
    """Started with the sockets that the test has."""

    def __init__(self, folder: Path, udp: socket.socket, tcp: socket.socket) -> None:
        super().__init__(folder, udp.getsockname()[1])
        self.sockets = (udp, tcp)

    def start(self, *arguments: str) -> None:
        descriptors = [fcntl.fcntl(sock, fcntl.F_DUPFD, OUT_OF_THE_WAY) for sock in self.sockets]
        with self.log_path.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, ",".join(map(str, descriptors))],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=descriptors,
            )
        for descriptor in descriptors:
            os.close(descriptor)


def test_queries_that_come_during_a_restart_are_answered(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", free_port()))
        tcp.bind(udp.getsockname())
        tcp.listen()
        server = Activated(tmp_path, udp, tcp)
        (tmp_path / "named.conf").write_text(options(server.port) + ZONE)
        (tmp_path / "a.db").write_text(zone_text())
        server.start()
        try:
            server.wait_for_log("running")
            assert server.addresses("www.a.example") == ["192.0.2.10"]
            assert len(server.ask("a.example", "SOA", tcp=True).answer) == 1
            server.stop()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(DEADLINE_S)
                query = dns.message.make_query("www.a.example", "A", use_edns=0)
                client.sendto(query.to_wire(), udp.getsockname())
                (tmp_path / "a.db").write_text(zone_text(2, "192.0.2.11"))
                server.start()
                answer = dns.message.from_wire(client.recv(4096))
            assert query.is_response(answer)
            server.wait_for_log("running", 2)
            assert server.addresses("www.a.example") == ["192.0.2.11"]
        finally:
            server.stop()
