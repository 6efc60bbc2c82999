"""How long after an edit on the primary its secondary serves it: pairs of bindpy, Knot, NSD and BIND.

    python -m benchmarks.propagation            # five minutes
    python -m benchmarks.propagation --quick    # a smoke run of a minute

How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.engines import PythonBindpy, RustBindpy, is_installed
from tests.peers.client import soa_query
from tests.peers.process import LOOPBACK, Key, Replication, ServedZone, ServerProcess, free_port
from tests.peers.servers import Knot, Named, Nsd

SIZES: Final = (100, 1000)
INTERVAL_S: Final = 0.6
QUIET_S: Final = 6.0  # before the first edit; bindpy and BIND have a delay of 5 s between NOTIFYs of a zone
DEADLINE_S: Final = 20.0
ASK_S: Final = 0.0005  # between questions; also the resolution of the result
KEY: Final = Key("propagation", "hmac-sha256", "YSBrZXkgZm9yIGJlbmNobWFya3Mgb25seQ==")


@dataclass(frozen=True, slots=True)
class Contender:
    """A pair of equal servers with their defaults, and the command that operators give after an edit."""

    server: type[ServerProcess]
    command: str


CONTENDERS: Final[dict[str, Contender]] = {
    "bindpy (Rust)": Contender(RustBindpy, "none"),
    "bindpy (Python)": Contender(PythonBindpy, "none"),
    "Knot": Contender(Knot, "knotc zone-reload"),
    "NSD": Contender(Nsd, "nsd-control reload"),
    "BIND": Contender(Named, "rndc reload"),
}


def zone_text(serial: int, records: int) -> str:
    """Return version *serial* of a zone of *records* records; beside the serial one address differs."""
    lines = ["$TTL 300", f"@ SOA ns hostmaster {serial} 3600 900 604800 60", "@ NS ns", "ns A 127.0.0.1"]
    lines.append(f"www A 192.0.2.{serial % 256}")
    lines += [f"host{number} A 10.0.{number // 256}.{number % 256}" for number in range(records - 4)]
    return "\n".join(lines) + "\n"


def put(path: Path, serial: int, records: int) -> float:
    """Write a version and rename it into place, as an editor does; return when it was there."""
    fresh = path.with_suffix(".new")
    fresh.write_text(zone_text(serial, records))
    fresh.replace(path)
    return time.perf_counter()


@dataclass(slots=True)
class Watched:
    """A zone of *records* records that is edited, and since when the secondary is waited for."""

    zone: ServedZone
    records: int
    serial: int = 1
    edited_at: float | None = None


@dataclass(slots=True)
class Stopwatch:
    """Edits zones in turn and asks the secondary for the serials of those that it does not have yet."""

    primary: ServerProcess
    secondary: ServerProcess
    zones: list[Watched]
    delays_ms: list[float] = field(default_factory=list)
    _commands: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, edits: int) -> list[float]:
        """Make *edits* edits, one every `INTERVAL_S`, and return the delays in milliseconds."""
        started = time.perf_counter()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(self.secondary.address)
            for number in range(edits):
                watched = self.zones[number % len(self.zones)]
                due = started + number * INTERVAL_S
                while time.perf_counter() < due or watched.edited_at is not None:
                    self._ask(sock)
                self._edit(watched)
            while any(watched.edited_at is not None for watched in self.zones):
                self._ask(sock)
        for command in self._commands:
            if command.wait() != 0:
                raise SystemExit(f"{command.args!r} failed")
        return self.delays_ms

    def _edit(self, watched: Watched) -> None:
        watched.serial += 1
        watched.edited_at = put(watched.zone.path, watched.serial, watched.records)
        for command in self.primary.edit_commands(watched.zone.origin):
            self._commands.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    def _ask(self, sock: socket.socket) -> None:
        """Ask once about each zone that is waited for."""
        for place, watched in enumerate(self.zones):
            if watched.edited_at is None:
                continue
            if time.perf_counter() - watched.edited_at > DEADLINE_S:
                raise SystemExit(
                    f"{watched.zone.origin} did not arrive:\n{self.secondary.log_text()[-4000:]}"
                )
            question = soa_query(watched.zone.origin)
            sock.send(place.to_bytes(2, "big") + question[2:])
            if not select.select([sock], [], [], 0.2)[0]:
                continue
            reply = sock.recv(4096)
            if int.from_bytes(reply[:2], "big") == place and serial_of(reply) == watched.serial:
                self.delays_ms.append((time.perf_counter() - watched.edited_at) * 1000)
                watched.edited_at = None
        time.sleep(ASK_S)


def serial_of(reply: bytes) -> int | None:
    """Return the serial of the SOA record that is the answer section of *reply*; None if that has none.

    The five numbers of an SOA are the last 20 octets of its RDATA.
    """
    if reply[6:8] != b"\0\1":
        return None
    at = reply.index(b"\0", 12) + 5  # the question's name has no pointers; then come type and class
    at += 2 if reply[at] >= 0xC0 else reply.index(b"\0", at) + 1 - at
    end = at + 10 + int.from_bytes(reply[at + 8 : at + 10], "big")
    return int.from_bytes(reply[end - 20 : end - 16], "big")


def measure(contender: Contender, folder: Path, zones: int, records: int, edits: int) -> list[float]:
    """Run a pair and return the delays of *edits* edits, of *zones* zones in turn, in milliseconds."""
    ports = (free_port(), free_port())
    (folder / "copies").mkdir()
    here, there = [], []
    for number in range(zones):
        origin = f"zone{number}.test."
        path = folder / f"zone{number}.db"
        put(path, 1, records)
        here.append(ServedZone(origin, path, Replication(notify=((LOOPBACK, ports[1]),), key=KEY)))
        copy = folder / "copies" / path.name
        there.append(ServedZone(origin, copy, Replication(primary=(LOOPBACK, ports[0]), key=KEY)))
    with (
        contender.server(here, port=ports[0]) as primary,
        contender.server(there, port=ports[1]) as secondary,
    ):
        time.sleep(QUIET_S)
        return Stopwatch(primary, secondary, [Watched(zone, records) for zone in here]).run(edits)


def row(contender: Contender, zones: int, records: int, edits: int) -> str:
    """Measure a pair if it is installed; return the last columns of its line."""
    if not is_installed(contender.server.name):
        return "not installed | |"
    with tempfile.TemporaryDirectory() as folder:
        delays = measure(contender, Path(folder), zones, records, edits)
    p99 = statistics.quantiles(delays, n=100, method="inclusive")[98]
    return f"{statistics.median(delays):.1f} | {p99:.1f} | {max(delays):.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every pair that is installed and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--zones", type=int, default=10, help="edited in turn (10); 1 meets notify-delay")
    parser.add_argument("--quick", action="store_true", help="10 edits")
    parser.add_argument("--only", choices=sorted(CONTENDERS), help="one pair")
    options = parser.parse_args(arguments)
    edits = 10 if options.quick else options.edits
    print(f"| {edits} edits | records | command after the edit | p50 ms | p99 ms | worst ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    for records in SIZES[:1] if options.quick else SIZES:
        for name, contender in CONTENDERS.items():
            if options.only in (None, name):
                numbers = row(contender, options.zones, records, edits)
                print(f"| {name} | {records} | {contender.command} | {numbers} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
