"""One server process: its own temporary directory, kernel-chosen port, log and end."""

from __future__ import annotations

import abc
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, ClassVar, Self

from tests.peers.client import Address, exchange_udp, soa_query
from tests.support.ports import LOOPBACK, free_port

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 8.0
LOG_TAIL_CHARS = 4000


class PeerError(RuntimeError):
    """A server did not start, did not load a zone or did not stop; the text holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Key:
    """A TSIG key. ``name`` has no final dot, ``algorithm`` is BIND's word for it, ``secret`` is base64."""

    name: str
    algorithm: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Replication:
    """How a zone is replicated.

    It is a secondary of ``primary``, or a primary if that is None. ``notify`` are the servers that are told
    of changes, and with ``notify_name_servers`` those of the zone's NS records (not by NSD and Knot).
    Transfers are given to loopback addresses, or, if there is a ``key``, to who has the key; it then signs
    what is sent, too. For the zone's own secondaries ``key_of_secondaries`` takes its place (not in NSD, Knot
    and PowerDNS).
    """

    primary: Address | None = None
    notify: tuple[Address, ...] = ()
    notify_name_servers: bool = False
    key: Key | None = None
    key_of_secondaries: Key | None = None


@dataclass(frozen=True, slots=True)
class ServedZone:
    """A zone and its file. ``origin`` is absolute presentation text, ``path`` is absolute."""

    origin: str
    path: Path
    replication: Replication | None = None


def keys_of(zones: Iterable[ServedZone]) -> list[Key]:
    """Return the keys that *zones* use, each once."""
    replications = [zone.replication for zone in zones if zone.replication is not None]
    keys = [key for r in replications for key in (r.key, r.key_of_secondaries) if key is not None]
    return list({key.name: key for key in keys}.values())


def installed(binary: str) -> str | None:
    """Return the path of *binary*, also when it is in a system directory that PATH leaves out."""
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"]
    return shutil.which(binary, path=os.pathsep.join(places))


class ServerProcess(abc.ABC):
    """A server that serves *zones* on loopback; a context manager.

    *threads* is the number of workers that answer. *extra* is text for the configuration file, in that
    server's language, at the place that its `configure` documents. *port* is for servers that must know of
    each other before they start; the kernel chooses if it is 0. *host* is the loopback address to listen on.
    """

    name: ClassVar[str]
    binary: ClassVar[str]

    def __init__(
        self,
        zones: Sequence[ServedZone],
        *,
        threads: int = 1,
        extra: str = "",
        port: int = 0,
        host: str = LOOPBACK,
    ) -> None:
        self.zones = tuple(zones)
        self.threads = threads
        self.extra = extra
        self.port = port
        self.host = host
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @abc.abstractmethod
    def configure(self, directory: Path) -> list[str]:
        """Write the configuration into *directory* and return the command line that uses it."""

    @property
    def address(self) -> Address:
        """Where the server answers, UDP and TCP."""
        return (self.host, self.port)

    @property
    def pid(self) -> int:
        """The process id of the server's first process, which leads a session of its own."""
        if self._process is None:
            raise PeerError(f"{self.name} is not running")
        return self._process.pid

    @property
    def directory(self) -> Path:
        """The server's temporary directory; it exists from `start` to `stop`."""
        if self._directory is None:
            raise PeerError(f"{self.name} is not running")
        return Path(self._directory.name)

    def log_text(self) -> str:
        """Return all that the server has written to stdout and stderr so far."""
        if self._directory is None:
            return ""
        return (self.directory / "output.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> Self:
        """Start the server and wait until it answers for every zone. Raises `PeerError`."""
        self._directory = tempfile.TemporaryDirectory(prefix=f"bindpy-{self.name}-")
        self.port = self.port or free_port()
        command = self.configure(self.directory)
        self._log = (self.directory / "output.log").open("wb")
        try:
            self._process = subprocess.Popen(
                command,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Return once every zone's SOA is answered with NOERROR. Raises `PeerError`."""
        deadline = time.monotonic() + within_s
        waiting = [zone.origin for zone in self.zones]
        while waiting:
            if self._process is None or self._process.poll() is not None:
                raise PeerError(f"{self.name} ended at start; its output:\n{self._log_tail()}")
            replies = exchange_udp(self.address, [soa_query(o) for o in waiting], timeout_s=0.2, attempts=1)
            waiting = [
                origin
                for origin, reply in zip(waiting, replies, strict=True)
                if reply is None or reply[3] & 0x0F or not reply[2] & 0x04
            ]
            if waiting and time.monotonic() > deadline:
                names = ", ".join(waiting[:5])
                raise PeerError(
                    f"{self.name} does not serve {names} after {within_s:.0f} s; output:\n{self._log_tail()}"
                )
            if waiting:
                time.sleep(0.02)  # the pause between two polls, not a guess of when it will be ready

    def tell_of_edit(self, origin: str) -> None:
        """Have the server read the edited file of *origin* with the command that its operators use.

        For zones with `Replication` only: those servers have a control channel. Does nothing for a server
        that sees edits by itself. Raises `PeerError` when the command fails.
        """
        for command in self.edit_commands(origin):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise PeerError(f"{' '.join(command)}: {done.stdout}{done.stderr}\n{self._log_tail()}")

    def edit_commands(self, origin: str) -> list[list[str]]:
        """Return the command lines of `tell_of_edit`."""
        return []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server's first process."""
        os.kill(self.pid, number)

    def stop(self) -> int | None:
        """End the server, all of its processes, and remove its directory. Returns its exit status.

        Asks with SIGTERM, and after some seconds kills. Does nothing when it is not running.
        """
        status = None
        if self._process is not None:
            self._process.terminate()
            try:
                status = self._process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                status = self._process.wait()
            with suppress(ProcessLookupError):  # those of several processes that outlive the first
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None
        return status

    def _log_tail(self) -> str:
        return self.log_text()[-LOG_TAIL_CHARS:]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
