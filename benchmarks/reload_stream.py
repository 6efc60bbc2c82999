"""A steady stream of queries while a zone of a million records reloads: what is lost, how long answers take.

    python -m benchmarks.reload_stream            # some minutes
    python -m benchmarks.reload_stream --quick    # a smoke run: 50,000 records, 3 s

How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import math
import random
import re
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.bigzone import FIRST_SERIAL, RECORDS, SEED, BigZone
from benchmarks.engines import SERVERS, edit_command, get_ready, installed_of
from benchmarks.program import BenchmarkError, attempt, options, rounds_of, run, scratch, shown, tied, turns
from benchmarks.reader import ORIGIN
from benchmarks.tables import Column, Table
from tests.peers.client import exchange_udp, soa_query
from tests.peers.process import Replication, ServedZone, ServerProcess

QUICK_RECORDS: Final = 50_000
RATE: Final = 10_000
BEFORE_EDIT_S: Final = 1.0
RELOADED_WITHIN_S: Final = 120.0
LEAST_EVERY_S: Final = 0.1
POLL_S: Final = 0.01
CLIENT_BUFFER_KIB: Final = 4096  # what is lost should be lost by the server
ANSWERED: Final = re.compile(r"^> \w+ \S+ \S+ (\d+\.\d+)$", re.MULTILINE)
LOST: Final = re.compile(r"Queries lost:\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Stream:
    """What became of the queries of one run: milliseconds until each answer, and how many had none."""

    delays_ms: list[float]
    lost: int

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.delays_ms, n=100, method="inclusive")[percent - 1]


@dataclass(frozen=True, slots=True)
class Load:
    """What every server meets; the file *queries* is asked for *quiet_s* and then for *busy_s* seconds.

    From one edit to the next it is *every_s* seconds, or as long as the server takes if that is more.
    """

    folder: Path
    zone: BigZone
    queries: Path
    quiet_s: int
    busy_s: int
    every_s: float

    @property
    def edits(self) -> int:
        """So many there are at most: one `BEFORE_EDIT_S` after the beginning, then one every *every_s*."""
        return math.ceil((self.busy_s - BEFORE_EDIT_S) / self.every_s)


class Streaming:
    """dnsperf as a context: it asks at `RATE` for some seconds, whatever the server does meanwhile.

    As many queries as two seconds hold may be on their way: a server that stalls is not given time by
    a client that waits for it.
    """

    def __init__(self, server: ServerProcess, load: Load, seconds: int) -> None:
        self._command = [
            "dnsperf", "-s", server.address[0], "-p", str(server.port), "-d", str(load.queries),
            "-l", str(seconds), "-Q", str(RATE), "-q", str(2 * RATE), "-c", "8", "-T", "1", "-t", "2",
            "-b", str(CLIENT_BUFFER_KIB), "-v",
        ]  # fmt: skip
        self._log = load.folder / "dnsperf.log"

    def __enter__(self) -> Streaming:
        self._out = self._log.open("w")
        self._process = subprocess.Popen(tied(self._command), stdout=self._out, stderr=subprocess.STDOUT)
        return self

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def result(self) -> Stream:
        """Wait for the end; return what came back. Raises `BenchmarkError` if dnsperf failed."""
        status = self._process.wait()
        said = self._log.read_text()
        lost = LOST.search(said)
        delays = [float(delay) * 1000 for delay in ANSWERED.findall(said)]
        if status != 0 or lost is None or len(delays) < 2:
            raise BenchmarkError(f"dnsperf failed:\n{said[-2000:]}")
        return Stream(delays, int(lost.group(1)))

    def __exit__(self, *failure: object) -> None:
        if not self.is_over:
            self._process.kill()
            self._process.wait()
        self._out.close()


def served_serial(server: ServerProcess) -> int:
    """Return the serial that *server* answers with, 0 when it does not answer with one."""
    reply = exchange_udp(server.address, [soa_query(ORIGIN)], timeout_s=1.0, attempts=1)[0]
    at = -1 if reply is None else reply.find((7200).to_bytes(4, "big"))  # REFRESH comes after SERIAL
    return 0 if reply is None or at < 0 else int.from_bytes(reply[at - 4 : at], "big")


def reload(server: ServerProcess, path: Path, fresh: Path, serial: int) -> float:
    """Put *fresh* in the file's place, give the server's command; return the seconds until it is served."""
    begin = time.monotonic()
    fresh.replace(path)
    if command := edit_command(server, ORIGIN):
        # PowerDNS's command gives up waiting after some seconds: what counts is what is served.
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while served_serial(server) != serial:
        if time.monotonic() - begin > RELOADED_WITHIN_S:
            raise BenchmarkError(f"{server.name} does not reload:\n{server.log_text()[-2000:]}")
        time.sleep(POLL_S)
    return time.monotonic() - begin


def measure(name: str, load: Load, table: Table) -> None:
    """Ask the server *name* in peace, then while one reload follows the other."""
    reload_s: list[float] = []
    serials = range(FIRST_SERIAL, FIRST_SERIAL + load.edits + 1)
    with (
        scratch() as own,
        ExitStack() as files,
    ):  # BIND leaves a journal there, which must not meet the next round
        path, *versions = (own / f"{name}.db", *(own / f"{serial}.new" for serial in serials[1:]))
        for version, serial in zip((path, *versions), serials, strict=True):
            load.zone.write(version, serial)
            files.enter_context(version.open())  # else freeing the old file is part of the rename
        with SERVERS[name]([ServedZone(ORIGIN, path, Replication())]) as server:
            with Streaming(server, load, load.quiet_s) as stream:
                quiet = stream.result()
            with Streaming(server, load, load.busy_s) as stream:
                time.sleep(BEFORE_EDIT_S)
                for version, serial in zip(versions, serials[1:], strict=True):
                    due = time.monotonic() + load.every_s
                    reload_s.append(reload(server, path, version, serial))
                    while time.monotonic() < due and not stream.is_over:
                        time.sleep(POLL_S)
                    if stream.is_over:
                        break
                busy = stream.result()
    calm, stirred = quiet.percentile(99), busy.percentile(99)
    for head, value in (
        (QUIET_P50, quiet.percentile(50)),
        (QUIET_P99, calm),
        (P50, busy.percentile(50)),
        (P99, stirred),
        (TIMES, stirred / calm),
        (WORST, max(busy.delays_ms)),
        (QUERIES_LOST, busy.lost),
        (RELOADS, len(reload_s)),
        (RELOAD, statistics.median(reload_s)),
    ):
        table.add(name, head, value)
    print(f"{name}: {len(reload_s)} reloads, {busy.lost} lost", file=sys.stderr, flush=True)


QUIET_P50, QUIET_P99, P50, P99 = "p50 ms in peace", "p99 in peace", "p50 ms reloading", "p99 reloading"
TIMES, WORST, QUERIES_LOST = "p99, times that in peace", "worst ms", "lost queries"
RELOADS, RELOAD = "reloads", "a reload, s"
COLUMNS: Final = (
    Column(QUIET_P50, 2),
    Column(QUIET_P99, 2),
    Column(P50, 2),
    Column(P99, 2, against_peers=True),
    Column(TIMES, 1, most=1.0),
    Column(WORST, 0, fold=max),
    Column(QUERIES_LOST, 0, fold=sum, most=0),
    Column(RELOADS, 0, fold=sum),
    Column(RELOAD, 2, against_peers=True),
)


def main() -> int:
    """Measure and print the table as markdown."""
    parser = options(__doc__, rounds=3, servers=list(SERVERS))
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--seconds", type=int, default=10, help="how long it is asked while it reloads (10)")
    parser.add_argument(
        "--every", type=float, default=3.0, help="seconds from edit to edit (3), 0.1 at least"
    )
    chosen = parser.parse_args()
    if chosen.every < LEAST_EVERY_S:
        parser.error(
            f"--every {chosen.every:g}: all versions are written beforehand, use {LEAST_EVERY_S:g} or more"
        )
    records, busy_s, rounds = chosen.records, chosen.seconds, chosen.rounds
    if chosen.quick:
        records, busy_s, rounds = QUICK_RECORDS, 3, 1
    names = installed_of(chosen.servers)
    get_ready()
    title = f"(e) {RATE:,} queries a second while {records:,} records reload"
    table = Table(f"{title}: {busy_s} s, {rounds_of(rounds)}", COLUMNS, names)
    with scratch(chosen.folder) as kept, scratch() as folder:
        zone = BigZone(kept, records)
        rng = random.Random(SEED)
        asked = (rng.randrange(records // 2) for _ in range(100_000))
        queries = folder / "queries"
        queries.write_text("".join(f"host-{number}.{ORIGIN} A\n" for number in asked))
        load = Load(folder, zone, queries, max(busy_s // 2, 2), busy_s, chosen.every)
        with shown(table):
            for name in turns(names, rounds, table):
                with attempt(name, table):
                    measure(name, load, table)
    return int(bool(table.failures))


if __name__ == "__main__":
    run(main)
