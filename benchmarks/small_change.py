"""Ten records change in a zone of a million: how long until the new version is served.

    python -m benchmarks.small_change            # some minutes
    python -m benchmarks.small_change --quick    # a smoke run: 20,000 records

Three ways that a change comes: to a secondary by NOTIFY and IXFR; to a primary as a file written anew and
renamed into place, with the command that operators of that server give; and by ``bindpy zone add-record``.
How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.bigzone import (
    CHANGED,
    FIRST_SERIAL,
    RECORDS,
    BigZone,
    changed_address,
    changed_owner,
)
from benchmarks.engines import SERVERS, edit_command, get_ready, installed_of
from benchmarks.program import BenchmarkError, attempt, options, run, scratch, shown, turns
from benchmarks.propagation import serial_of
from benchmarks.reader import ORIGIN
from benchmarks.tables import Column, Table
from benchmarks.usage import settle
from bindpy.xfr.wire import read_message
from bindpy.zone import names
from bindpy.zone.records import RR, RRType
from tests.faults.primary import Action, FaultyPrimary
from tests.peers.client import soa_query
from tests.peers.process import Replication, ServedZone, ServerProcess
from tests.support.transfers import message

QUICK_RECORDS: Final = 20_000
APEX: Final = names.from_text(ORIGIN)
DEADLINE_S: Final = 120.0
ASK_S: Final = 0.0005  # between questions; also the resolution of the result
REST_S: Final = 1.5  # NSD leaves a second between two reloads
NOTIFY_FLAGS: Final = 0x2400  # opcode 4, AA
SLOW: Final = ("bindpy-python", "pdns")
"""These are given one change of each kind."""
NO_IXFR: Final = ("pdns",)
"""With its bind backend every transfer makes a whole new file."""


def soa(serial: int) -> RR:
    """Return the SOA of version *serial*."""
    mname, rname = names.from_text(f"ns1.{ORIGIN}"), names.from_text(f"hostmaster.{ORIGIN}")
    times = struct.pack("!5I", serial, 7200, 3600, 1209600, 300)
    return RR(APEX, RRType.SOA, 3600, mname + rname + times)


def changed(serial: int) -> list[RR]:
    """Return the addresses of version *serial* that differ from those of the others."""
    address = socket.inet_aton(changed_address(serial))
    return [RR(names.from_text(changed_owner(at)), RRType.A, 3600, address) for at in range(CHANGED)]


class Primary:
    """A primary in a thread of its own, which answers SOA and IXFR from the version before ``serial``."""

    def __init__(self) -> None:
        self.serial = FIRST_SERIAL
        self._loop = asyncio.new_event_loop()
        self._primary = FaultyPrimary(self._answer)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._primary.__aenter__(), self._loop).result()
        self.address = (self._primary.remote.address, self._primary.remote.port)

    def _answer(self, packet: bytes, over_tcp: bool) -> Iterable[Action]:
        asked = read_message(packet)
        question, new = asked.question, soa(self.serial)
        if question is None:
            return []
        records = [new]
        if question.rtype == RRType.IXFR and over_tcp and self.serial > FIRST_SERIAL:
            before = self.serial - 1
            records = [new, soa(before), *changed(before), new, *changed(self.serial), new]
        name = (question.name, question.rtype, question.rdclass)
        return [message(records, message_id=asked.id, question=name)]

    def close(self) -> None:
        """Stop answering."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


def wait_for(server: ServerProcess, serial: int) -> float:
    """Ask until *server* has *serial*; return when it had."""
    deadline = time.monotonic() + DEADLINE_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(server.address)
        sock.settimeout(1)
        while time.monotonic() < deadline:
            sock.send(soa_query(ORIGIN))
            try:
                if serial_of(sock.recv(4096)) == serial:
                    return time.perf_counter()
            except TimeoutError:
                pass
            time.sleep(ASK_S)
    raise BenchmarkError(f"{server.name} does not serve serial {serial}:\n{server.log_text()[-1000:]}")


def rest(server: ServerProcess) -> None:
    """Let each change meet a server that has done with the one before, and may take the next one at once."""
    settle(server)
    time.sleep(REST_S)


@contextmanager
def serving(name: str, path: Path, how: Replication) -> Iterator[ServerProcess]:
    """Run the server *name* with the zone in *path*."""
    with SERVERS[name]([ServedZone(ORIGIN, path, how)]) as server:
        settle(server)
        yield server


def by_ixfr(name: str, path: Path, changes: int) -> Generator[float]:
    """Yield the milliseconds from each NOTIFY until the secondary serves what it told of."""
    primary = Primary()
    try:
        with serving(name, path, Replication(primary=primary.address)) as server:
            for number in range(1, changes + 1):
                if number > 1:
                    rest(server)
                serial = primary.serial = FIRST_SERIAL + number
                notify = message([soa(serial)], message_id=number, flags=NOTIFY_FLAGS, question=(APEX, 6, 1))
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    started = time.perf_counter()
                    sock.sendto(notify, server.address)
                    yield (wait_for(server, serial) - started) * 1000
    finally:
        primary.close()


def by_file(name: str, path: Path, zone: BigZone, changes: int) -> Generator[float]:
    """Yield the milliseconds from each new file, and the command, until its version is served."""
    with serving(name, path, Replication()) as server:
        command = edit_command(server, ORIGIN)
        for number in range(1, changes + 1):
            if number > 1:
                rest(server)
            fresh = path.with_suffix(".new")
            zone.write(fresh, FIRST_SERIAL + number)
            with path.open():  # else the rename goes on for ten milliseconds, freeing the old file
                started = time.perf_counter()
                fresh.replace(path)
                told = subprocess.Popen(command, stdout=subprocess.DEVNULL) if command else None
                served = wait_for(server, FIRST_SERIAL + number)
            yield (served - started) * 1000
            if told is not None:
                told.wait(DEADLINE_S)  # its status does not count: PowerDNS's gives up after some seconds


def by_tool(name: str, path: Path) -> Generator[float]:
    """Yield the milliseconds from the start of ``bindpy zone add-record`` until it is served."""
    with serving(name, path, Replication()) as server:
        data = [f"192.0.2.{at}" for at in range(CHANGED)]
        conf = str(server.directory / "named.conf")
        command = [sys.executable, "-m", "bindpy.cli.main", "zone", "add-record", "-y", "-c", conf]
        started = time.perf_counter()
        done = subprocess.run(
            [*command, ORIGIN, "tool", "A", *data], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise BenchmarkError(f"zone add-record: {done.stdout}{done.stderr}")
        yield (wait_for(server, FIRST_SERIAL + 1) - started) * 1000


IXFR, FILE, TOOL = "IXFR, p50 ms", "new file, p50 ms", "`zone add-record`, ms"
IXFR_WORST, FILE_WORST = "IXFR, worst", "new file, worst"
COLUMNS: Final = (
    Column(IXFR, against_peers=True, most=10),
    Column(IXFR_WORST, fold=max),
    Column(FILE, against_peers=True, most=10),
    Column(FILE_WORST, fold=max),
    Column(TOOL, 0),
)


def measure(name: str, zone: BigZone, changes: int, table: Table) -> None:
    """Change the zone of the server *name* in all three ways; each way has a server and a file of its own."""
    ways: dict[tuple[str, ...], Callable[[Path], Generator[float]]] = {}
    if name not in NO_IXFR:
        ways[IXFR, IXFR_WORST] = lambda path: by_ixfr(name, path, changes)
    ways[FILE, FILE_WORST] = lambda path: by_file(name, path, zone, changes)
    if name.startswith("bindpy"):
        ways[(TOOL,)] = lambda path: by_tool(name, path)
    for heads, way in ways.items():
        with attempt(name, table), scratch() as folder, closing(way(folder / "zone.db")) as delays:
            zone.write(folder / "zone.db", FIRST_SERIAL)
            for delay in delays:
                print(f"{name}, {heads[0]}: {delay:.1f}", file=sys.stderr, flush=True)
                for head in heads:
                    table.add(name, head, delay)


def main() -> int:
    """Measure and print the table as markdown."""
    parser = options(__doc__, rounds=5, servers=list(SERVERS))
    parser.add_argument("--records", type=int, default=RECORDS)
    chosen = parser.parse_args()
    records, changes = (QUICK_RECORDS, 2) if chosen.quick else (chosen.records, chosen.rounds)
    servers = installed_of(chosen.servers)
    get_ready()
    table = Table(f"(f) {CHANGED} of {records:,} records change, {changes} times", COLUMNS, servers)
    with scratch(chosen.folder) as kept:
        zone = BigZone(kept, records)
        with shown(table):
            for name in turns(servers, 1, table):
                measure(name, zone, 1 if name in SLOW else changes, table)
    return int(bool(table.failures))


if __name__ == "__main__":
    run(main)
