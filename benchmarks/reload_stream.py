"""A steady stream of queries while a zone of a million records reloads: what is lost, how long answers take.

    python -m benchmarks.reload_stream            # some minutes
    python -m benchmarks.reload_stream --quick    # a smoke run: 50,000 records, 5 s

How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.engines import SERVERS, is_installed
from benchmarks.load import BenchmarkError
from benchmarks.reader import ORIGIN, zone_lines
from tests.peers.client import exchange_udp, soa_query
from tests.peers.process import Replication, ServedZone, ServerProcess

SEED: Final = 20261122
FIRST_SERIAL: Final = 2026112201  # what `zone_lines` writes
RATE: Final = 10_000
BEFORE_EDIT_S: Final = 1.0
RELOADED_WITHIN_S: Final = 120.0
POLL_S: Final = 0.05
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


@dataclass(slots=True)
class Figures:
    """What was measured of one server, one value for each round."""

    quiet: list[Stream] = field(default_factory=list)
    busy: list[Stream] = field(default_factory=list)
    reload_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Load:
    """What every server meets: *text* is the zone's first version; *queries* is asked for *seconds*."""

    folder: Path
    text: str
    queries: Path
    seconds: int


class Streaming:
    """dnsperf as a context: it asks at `RATE` for some seconds, whatever the server does meanwhile.

    As many queries as two seconds hold may be on their way: a server that stalls is not given time by
    a client that waits for it.
    """

    def __init__(self, server: ServerProcess, load: Load) -> None:
        self._command = [
            "dnsperf", "-s", server.address[0], "-p", str(server.port), "-d", str(load.queries),
            "-l", str(load.seconds), "-Q", str(RATE), "-q", str(2 * RATE), "-c", "8", "-T", "1", "-t", "2",
            "-b", str(CLIENT_BUFFER_KIB), "-v",
        ]  # fmt: skip
        self._log = load.folder / "dnsperf.log"

    def __enter__(self) -> Streaming:
        self._out = self._log.open("w")
        self._process = subprocess.Popen(self._command, stdout=self._out, stderr=subprocess.STDOUT)
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


def reload(server: ServerProcess, zone: ServedZone, text: str, serial: int) -> float:
    """Edit the zone's file, give the server's command, and wait; return the seconds until it is served."""
    fresh = zone.path.with_suffix(".new")
    fresh.write_text(text.replace(str(FIRST_SERIAL), str(serial), 1))
    begin = time.monotonic()
    fresh.replace(zone.path)
    for command in server.edit_commands(zone.origin):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    while served_serial(server) != serial:
        if time.monotonic() - begin > RELOADED_WITHIN_S:
            raise BenchmarkError(f"{server.name} does not reload:\n{server.log_text()[-2000:]}")
        time.sleep(POLL_S)
    return time.monotonic() - begin


def measure(name: str, load: Load, figures: Figures) -> None:
    """Ask the server *name* in peace, then as long again while one reload follows the other."""
    path = load.folder / f"{name}.db"
    path.write_text(load.text)
    zone = ServedZone(ORIGIN, path, Replication())
    with SERVERS[name]([zone]) as server:
        with Streaming(server, load) as stream:
            figures.quiet.append(stream.result())
        with Streaming(server, load) as stream:
            time.sleep(BEFORE_EDIT_S)
            serial = FIRST_SERIAL
            while not stream.is_over:
                serial += 1
                figures.reload_s.append(reload(server, zone, load.text, serial))
            figures.busy.append(stream.result())
    path.unlink()
    found = figures.busy[-1]
    print(f"{name}: {serial - FIRST_SERIAL} reloads, {found.lost} lost", file=sys.stderr, flush=True)


def table(results: dict[str, Figures], rounds: int) -> str:
    """Return a markdown table: medians of the rounds, but every lost query of all of them."""
    lines = [
        f"| medians of {rounds} | p50 ms in peace | p99 | p50 ms while reloading | p99 | worst | lost"
        " | a reload, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, found in results.items():
        asked = sum(len(stream.delays_ms) + stream.lost for stream in found.busy)
        cells = [
            _median([stream.percentile(50) for stream in found.quiet]),
            _median([stream.percentile(99) for stream in found.quiet]),
            _median([stream.percentile(50) for stream in found.busy]),
            _median([stream.percentile(99) for stream in found.busy]),
            f"{max(max(stream.delays_ms) for stream in found.busy):.0f}",
            f"{sum(stream.lost for stream in found.busy):,} of {asked:,}",
            _median(found.reload_s),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table as markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=15, help="how long a stream lasts (15)")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="50,000 records, 5 s")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS), metavar="NAME")
    options = parser.parse_args(arguments)
    records, seconds = (50_000, 5) if options.quick else (options.records, options.seconds)
    names = [name for name in options.servers if is_installed(name)]
    results = {name: Figures() for name in names}
    with tempfile.TemporaryDirectory(prefix="bindpy-stream-") as scratch:
        folder = Path(scratch)
        text = "".join(zone_lines(records, SEED, signed=False))
        rng = random.Random(SEED)
        asked = (rng.randrange(records // 2) for _ in range(100_000))
        queries = folder / "queries"
        queries.write_text("".join(f"host-{number}.{ORIGIN} A\n" for number in asked))
        load = Load(folder, text, queries, seconds)
        for _ in range(options.rounds):
            for name in names:
                measure(name, load, results[name])
    print(table(results, options.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
