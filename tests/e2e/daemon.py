"""``bindpy serve`` as a process, from a configuration that the test writes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.rcode

from tests.support.ports import free_port

DEADLINE_S = 45.0
"""For what comes at once on a quiet machine; it is only ever waited for, so it may be long."""
ZONE = """\
$TTL 300
@ IN SOA ns hostmaster {serial} 3600 900 604800 60
@ IN NS ns
ns IN A 192.0.2.1
www IN A {address}
"""
ENDLESS = "".join(f"$GENERATE 1-65535 h$.n{number} A 192.0.2.1\n" for number in range(100))
"""Lines of a zone file, and so many records that reading them takes far longer than any test waits."""


def zone_text(serial: int = 1, address: str = "192.0.2.10") -> str:
    """Return a small good zone file."""
    return ZONE.format(serial=serial, address=address)


def wait_until(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Poll *condition*; fail with *what* says when it does not come true in time."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)


class Daemon:
    """A running server: *folder* holds named.conf, the zone files and the log."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.log_path = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    program: tuple[str, ...] = ("-m", "bindpy.cli.main")
    """How Python is told what to run."""

    def start(self, *arguments: str) -> None:
        """Start the process; does not wait for it."""
        with self.log_path.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "serve", "-c", "named.conf", *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    @property
    def log(self) -> str:
        """All that it has logged so far."""
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, text: str, count: int = 1) -> None:
        """Wait until *text* has been logged *count* times."""
        assert self.process is not None

        def seen() -> bool:
            assert self.process is not None
            done = self.log.count(text) >= count
            assert done or self.process.poll() is None, f"it ended; no {text!r} in:\n{self.log}"
            return done

        wait_until(seen, lambda: f"no {text!r} in:\n{self.log}")

    def ask(
        self, name: str, rtype: str = "A", *, tcp: bool = False, where: str = "127.0.0.1"
    ) -> dns.message.Message:
        """Ask one question and return the whole answer."""
        query = dns.message.make_query(name, rtype, use_edns=0)
        how = dns.query.tcp if tcp else dns.query.udp
        return how(query, where, port=self.port, timeout=5)

    def addresses(self, name: str) -> list[str]:
        """Return the addresses that *name* has now."""
        return sorted(
            rdata.address for rrset in self.ask(name).answer for rdata in rrset if rdata.rdtype == 1
        )

    def rcode(self, name: str) -> str:
        """Return the rcode that a question for *name*'s address gets now."""
        return dns.rcode.to_text(self.ask(name).rcode())

    def wait_for_address(self, name: str, address: str) -> None:
        """Wait until *name* has exactly *address*."""
        wait_until(lambda: self.addresses(name) == [address], lambda: f"{self.addresses(name)}\n{self.log}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait_end(self) -> int:
        """Wait for the end of the process and return its exit status."""
        assert self.process is not None
        return self.process.wait(DEADLINE_S)

    def kill(self) -> None:
        """End it at once, whatever it has logged."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def stop(self) -> None:
        """Stop it in an orderly way and look for what must not be in any log."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                assert self.wait_end() == 0, self.log
            finally:
                self.process.kill()
        assert "Traceback" not in self.log, self.log


def options(port: int, extra: str = "", *, controls: str = "controls { };") -> str:
    """Return an ``options`` statement that listens on loopback only, and *controls* in the same line.

    There is no rndc channel unless that says so: the usual one has a fixed port.
    """
    listen = f"listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};"
    return f"options {{ {listen} pid-file none; {extra} }}; {controls}\n"


@contextmanager
def daemon(
    folder: Path, conf: str, files: dict[str, str | bytes], *, extra: str = "", port: int = 0
) -> Iterator[Daemon]:
    """Serve *conf* (``options`` come first, with *extra* in them) with *files* beside it.

    On *port*, or a free one. There is no rndc channel unless *conf* has one.
    """
    controls = "" if "controls" in conf else "controls { };"
    port = port or free_port()
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "named.conf").write_text(options(port, extra, controls=controls) + conf)
    server = Daemon(folder, port)
    server.start()
    try:
        server.wait_for_log("running")
        yield server
    finally:
        server.stop()
