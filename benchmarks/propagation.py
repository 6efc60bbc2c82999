"""How long after an edit on the primary its secondary serves it: pairs of bindpy, Knot, NSD and BIND.

    python -m benchmarks.propagation            # five minutes
    python -m benchmarks.propagation --quick    # a smoke run of a minute

How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import os
import select
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.engines import SERVERS, edit_command, get_ready, installed_of
from benchmarks.program import BenchmarkError, attempt, options, run, scratch, shown
from benchmarks.tables import Column, Table
from tests.peers.client import soa_query
from tests.peers.process import Key, Replication, ServedZone, ServerProcess
from tests.support.ports import LOOPBACK, free_port

SIZES: Final = (100, 1000)
INTERVAL_S: Final = 0.6
QUIET_S: Final = 6.0  # before the first edit; bindpy and BIND have a delay of 5 s between NOTIFYs of a zone
DEADLINE_S: Final = 60.0
ASK_S: Final = 0.0005  # between questions; also the resolution of the result
CACHING: Final = ("pdns",)
"""Each zone is edited once: a cache may keep the version before for 20 s, which would delay the next edit."""
KEY: Final = Key("propagation", "hmac-sha256", "YSBrZXkgZm9yIGJlbmNobWFya3Mgb25seQ==")


def zone_text(serial: int, records: int) -> str:
    """Return version *serial* of a zone of *records* records; beside the serial one address differs."""
    lines = ["$TTL 300", f"@ SOA ns hostmaster {serial} 3600 900 604800 60", "@ NS ns", "ns A 127.0.0.1"]
    lines.append(f"www A 192.0.2.{serial % 256}")
    lines += [f"host{number} A 10.0.{number // 256}.{number % 256}" for number in range(records - 4)]
    return "\n".join(lines) + "\n"


def put(path: Path, serial: int, records: int) -> float:
    """Write a version onto the disk and rename it into place, as an editor does; return when that began."""
    fresh = path.with_suffix(".new")
    with fresh.open("w") as out:
        out.write(zone_text(serial, records))
        out.flush()
        os.fsync(out.fileno())
    began = time.perf_counter()
    fresh.replace(path)
    return began


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
            if command.wait(DEADLINE_S) != 0:
                raise BenchmarkError(f"{command.args!r} failed")
        return self.delays_ms

    def _edit(self, watched: Watched) -> None:
        watched.serial += 1
        watched.edited_at = put(watched.zone.path, watched.serial, watched.records)
        if command := edit_command(self.primary, watched.zone.origin):
            self._commands.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    def _ask(self, sock: socket.socket) -> None:
        """Ask once about each zone that is waited for."""
        for place, watched in enumerate(self.zones):
            if watched.edited_at is None:
                continue
            if time.perf_counter() - watched.edited_at > DEADLINE_S:
                raise BenchmarkError(
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


def measure(name: str, folder: Path, zones: int, records: int, edits: int) -> list[float]:
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
    with SERVERS[name](here, port=ports[0]) as primary, SERVERS[name](there, port=ports[1]) as secondary:
        time.sleep(QUIET_S)
        return Stopwatch(primary, secondary, [Watched(zone, records) for zone in here]).run(edits)


def main() -> int:
    """Measure every pair that is installed and print the table as markdown."""
    parser = options(__doc__, rounds=1, servers=list(SERVERS))
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--zones", type=int, default=10, help="edited in turn (10); 1 meets notify-delay")
    chosen = parser.parse_args()
    edits, sizes = (10, SIZES[:1]) if chosen.quick else (chosen.edits, SIZES)
    names = installed_of(chosen.servers)
    get_ready()
    columns = []
    for records in sizes:
        of = f"{records:,} records"
        columns.append(Column(f"{of}: p50 ms", against_peers=True, most=10))
        columns += [Column(f"{of}: p99", against_peers=True, most=20), Column(f"{of}: worst", fold=max)]
    table = Table(
        f"Propagation, {edits} edits: from the primary's file to the secondary's answer", columns, names
    )
    with shown(table):
        for records in sizes:
            of = f"{records:,} records"
            for name in (name for _ in range(chosen.rounds) for name in names):
                with attempt(name, table), scratch() as folder:
                    times = min(edits, chosen.zones) if name in CACHING else edits
                    delays = measure(name, folder, chosen.zones, records, times)
                    table.add(name, f"{of}: p50 ms", statistics.median(delays))
                    p99 = statistics.quantiles(delays, n=100, method="inclusive")[98]
                    table.add(name, f"{of}: p99", p99)
                    table.add(name, f"{of}: worst", max(delays))
                    print(f"{name}, {of}: p99 {p99:.1f} ms", file=sys.stderr, flush=True)
    return int(bool(table.failures))


if __name__ == "__main__":
    run(main)
