"""named and bindpy with a control channel each, from the same configuration, driven by BIND's rndc."""

from __future__ import annotations

import base64
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import dns.message
import dns.query

from tests.peers.process import READY_WITHIN_S, PeerError, ServedZone, ServerProcess, installed
from tests.peers.servers import CONTROL_KEY, named_conf, named_key
from tests.support.ports import LOOPBACK, free_port
from tests.support.real_rndc import Ran, Rndc
from tests.support.rndc import RndcClient, rndc_key

DEADLINE_S = 30.0


class Controlled(ServerProcess):
    """A server with a control channel on loopback.

    *conf* is more configuration, which comes last; *files* are put into the server's directory, which both
    call ``@DIRECTORY@``.
    """

    def __init__(
        self,
        zones: Sequence[ServedZone] = (),
        *,
        conf: str = "",
        files: Mapping[str, str] | None = None,
        extra: str = "",
        read_only: bool = False,
        ready_within_s: float = READY_WITHIN_S,
    ) -> None:
        super().__init__(zones, extra=extra)
        self.conf = conf
        self.files = dict(files or {})
        self.read_only = read_only
        self.ready_within_s = ready_within_s
        self.key = rndc_key(
            CONTROL_KEY.algorithm, base64.b64decode(CONTROL_KEY.secret), f"{CONTROL_KEY.name}."
        )

    def configure(self, directory: Path) -> list[str]:
        self.control_port = free_port()
        for name, text in self.files.items():
            (directory / name).write_text(text)
        self.write_conf(directory)
        self._rndc = Rndc(directory, self.control_port, self.key)
        return self.command(directory / "named.conf")

    def write_conf(self, directory: Path) -> None:
        """Write named.conf from what the attributes say now."""
        text = named_conf(
            self.zones,
            directory=directory,
            port=self.port,
            extra=self.extra,
            controls=named_key(CONTROL_KEY)
            + f"controls {{ inet {LOOPBACK} port {self.control_port} allow {{ {LOOPBACK}; }} "
            f'keys {{ "{CONTROL_KEY.name}"; }}{" read-only yes" if self.read_only else ""}; }};\n',
        )
        (directory / "named.conf").write_text(text + self.conf.replace("@DIRECTORY@", str(directory)))

    def command(self, conf: Path) -> list[str]:
        """Return the command line that serves *conf*."""
        raise NotImplementedError

    def rndc(self, *arguments: str) -> Ran:
        """Run rndc for this server."""
        return self._rndc(*arguments)

    def client(self) -> RndcClient:
        """Return a client of the channel that has its nonce."""
        return RndcClient((LOOPBACK, self.control_port), self.key).open()

    def wait_ready(self, within_s: float | None = None) -> None:
        """Return once all zones were loaded, or could not be. Raises `PeerError`."""
        deadline = time.monotonic() + (within_s or self.ready_within_s)
        end_of_log = ""
        with (self.directory / "output.log").open(encoding="utf-8", errors="replace") as log:
            while "running\n" not in (more := end_of_log + log.read()):
                end_of_log = more[-len("running\n") :]
                if self._process is None or self._process.poll() is not None:
                    raise PeerError(f"{self.name} ended at start; its output:\n{self._log_tail()}")
                if time.monotonic() > deadline:
                    raise PeerError(f"{self.name} is not there yet; its output:\n{self._log_tail()}")
                time.sleep(0.02)  # the pause between two polls

    def edit(self, name: str, text: str) -> None:
        """Replace a file of the server's directory, as an editor does."""
        fresh = self.directory / f"{name}.new"
        fresh.write_text(text)
        fresh.replace(self.directory / name)

    def serial(self, origin: str) -> int | None:
        """Return the serial that *origin* is answered with, None when there is no such answer."""
        query = dns.message.make_query(origin, "SOA", flags=0)
        answer = dns.query.udp(query, self.host, port=self.port, timeout=5).answer
        return answer[0][0].serial if answer else None

    def wait_for_serial(self, origin: str, serial: int | None) -> None:
        """Wait until *origin* is answered with *serial*."""
        deadline = time.monotonic() + DEADLINE_S
        while self.serial(origin) != serial:
            assert time.monotonic() < deadline, self.log_text()[-8000:]
            time.sleep(0.01)

    def wait_end(self) -> int:
        """Wait for the end of the process and return its exit status."""
        assert self._process is not None
        return self._process.wait(DEADLINE_S)

    def wait_for_log(self, text: str, count: int = 1) -> None:
        """Wait until *text* is in the log *count* times."""
        deadline = time.monotonic() + DEADLINE_S
        while self.log_text().count(text) < count:
            assert time.monotonic() < deadline, self.log_text()[-8000:]
            time.sleep(0.01)


class ControlledNamed(Controlled):
    """ISC BIND."""

    name = "named"
    binary = "named"

    def command(self, conf: Path) -> list[str]:
        return [installed(self.binary) or self.binary, "-g", "-n", "1", "-c", str(conf)]


class ControlledBindpy(Controlled):
    """``bindpy serve`` of this source tree."""

    name = "bindpy"
    binary = sys.executable

    def command(self, conf: Path) -> list[str]:
        return [sys.executable, "-m", "bindpy.cli.main", "serve", "-c", str(conf)]
