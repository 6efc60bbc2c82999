"""Very many small zones: how long a start takes, what it costs, and whether anything waits meanwhile.

    python -m benchmarks.many_zones                     # 20,000 zones, each server in turn
    python -m benchmarks.many_zones --zones 100000 --servers bindpy-rust named

How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final, cast

from benchmarks.engines import SERVERS, is_installed
from benchmarks.load import cpu_seconds
from benchmarks.million import memory_mib
from bindpy.control.socket_client import NoServerError, SocketClient
from bindpy.diagnostics import BindpyError
from tests.peers.client import exchange_udp, soa_query
from tests.peers.process import PeerError, ServedZone, ServerProcess

ZONES = 20_000
DIRECTORIES = 16
ASKED_AT_ONCE = 100
ASK_EVERY_S = 0.05
LOADED_WITHIN_S = 900.0
LOOK_EVERY_S = 0.5
STEADY_AFTER_S = 2.0
DEFAULT_SERVERS = ("bindpy-rust", "bindpy-python", "named", "nsd", "knot", "pdns")
TEXT = "$TTL 300\n@ SOA ns hostmaster 1 3600 900 604800 60\n@ NS ns\nns A 127.0.0.1\n" + "".join(
    f"host{number} A 10.0.0.{number}\n" for number in range(7)
)


@dataclass(slots=True)
class Figures:
    """What was measured of one server; the last three of bindpy only, in a start of its own."""

    first_s: float
    all_s: float
    cpu_s: float
    peak_mib: float
    steady_mib: float
    start_stall_ms: float | None = None
    reconfig_cpu_s: float | None = None
    reconfig_stall_ms: float | None = None


class Observed(ServerProcess):
    """A server whose start is watched: ``first_s`` and ``all_s`` are counted from its process's start."""

    first_s = 0.0
    all_s = 0.0
    peak_mib = 0.0
    has_commands = False
    start_stall_ms = 0.0

    def wait_ready(self, within_s: float = LOADED_WITHIN_S) -> None:
        """Return once all zones are answered."""
        began = time.monotonic()
        looked = began
        waiting = [zone.origin for zone in self.zones]
        random.Random(1).shuffle(waiting)
        with stalls(self) if self.has_commands else nullcontext([0.0]) as longest:
            while waiting:
                left = self._unanswered(waiting[:ASKED_AT_ONCE])
                now = time.monotonic() - began
                if began + now - looked >= LOOK_EVERY_S:
                    looked = began + now
                    self.peak_mib = max(self.peak_mib, memory_mib(self))
                if len(left) < len(waiting[:ASKED_AT_ONCE]) and not self.first_s:
                    self.first_s = now
                waiting[:ASKED_AT_ONCE] = left
                if left:
                    if now > within_s:
                        raise PeerError(f"{self.name} has not loaded {len(waiting)} zones after {now:.0f} s")
                    if self.first_s:
                        random.shuffle(waiting)  # those at the end of its list must not look early
                    time.sleep(ASK_EVERY_S)
            self.all_s = time.monotonic() - began
        self.start_stall_ms = longest[0]

    def _unanswered(self, origins: list[str]) -> list[str]:
        """Return those of *origins* that are not answered with data."""
        queries = [soa_query(origin) for origin in origins]
        replies = exchange_udp(self.address, queries, timeout_s=0.2, attempts=1)
        answered = (reply is not None and not reply[3] & 0x0F and reply[2] & 4 for reply in replies)
        return [origin for origin, good in zip(origins, answered, strict=True) if not good]


@contextmanager
def stalls(server: ServerProcess) -> Iterator[list[float]]:
    """Ask bindpy's control socket for one zone's status all the time; the longest wait, in ms, is yielded."""
    longest = [0.0]
    over = threading.Event()

    def watch() -> None:
        with ExitStack() as open_clients:
            client: SocketClient | None = None
            while not over.wait(0.005):
                began = time.perf_counter()
                try:
                    if client is None:
                        client = open_clients.enter_context(SocketClient(_socket_of(server)))
                    for _ in client.request(f"zonestatus {server.zones[0].origin}"):
                        pass
                except NoServerError:
                    continue  # not there yet
                except BindpyError:
                    pass  # an answer, too: the zone has no data yet
                longest[0] = max(longest[0], (time.perf_counter() - began) * 1000)

    thread = threading.Thread(target=watch, name="stalls")
    thread.start()
    try:
        yield longest
    finally:
        over.set()
        thread.join()


def _socket_of(server: ServerProcess) -> str:
    return str(server.directory / "named.sock")


def write_zones(folder: Path, count: int) -> list[ServedZone]:
    """Write *count* zone files into some directories."""
    for number in range(DIRECTORIES):
        (folder / f"{number}").mkdir()
    zones = []
    for number in range(count):
        path = folder / f"{number % DIRECTORIES}" / f"{number}.db"
        path.write_text(TEXT)
        zones.append(ServedZone(f"zone{number}.example.", path))
    return zones


def measure(name: str, zones: list[ServedZone]) -> Figures:
    """Start the server *name* and return what that took."""
    kind = cast(type[Observed], type("Observed" + name, (Observed, SERVERS[name]), {}))
    with kind(zones) as server:
        cpu_s, memory = cpu_seconds(server), memory_mib(server)
        time.sleep(STEADY_AFTER_S)
        found = Figures(server.first_s, server.all_s, cpu_s, max(server.peak_mib, memory), memory_mib(server))
    if name.startswith("bindpy"):
        kind.has_commands = True  # which cost something, too: no part of the figures above
        with kind(zones) as server:
            found.start_stall_ms = server.start_stall_ms
            cpu = cpu_seconds(server)
            with stalls(server) as longest, SocketClient(_socket_of(server)) as client:
                for _ in client.request("reconfig", wait=True):
                    pass
            found.reconfig_cpu_s, found.reconfig_stall_ms = cpu_seconds(server) - cpu, longest[0]
    return found


COLUMNS: Final = (
    ("first answer s", 1),
    ("all s", 1),
    ("CPU s", 2),
    ("peak MiB", 0),
    ("steady MiB", 0),
    ("longest wait ms", 0),
    ("reconfig CPU s", 1),
    ("longest wait ms", 0),
)
"""Heads, and how many digits, for the fields of `Figures`."""


def table(results: dict[str, list[Figures]], zones: int) -> str:
    """Return the medians as a markdown table."""
    lines = [
        f"| {zones:,} zones | " + " | ".join(head for head, _ in COLUMNS) + " |",
        "| --- |" + " ---: |" * len(COLUMNS),
    ]
    for name, rounds in results.items():
        by_field = zip(*(astuple(found) for found in rounds), strict=True)
        cells = [_cell(values, digits) for values, (_, digits) in zip(by_field, COLUMNS, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.{digits}f}" if known else ""


def main() -> int:
    """Measure and print the table as markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zones", type=int, default=ZONES)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--servers", nargs="+", choices=SERVERS, default=list(DEFAULT_SERVERS), metavar="NAME"
    )
    arguments = parser.parse_args()
    names = [name for name in arguments.servers if is_installed(name)]
    results: dict[str, list[Figures]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="bindpy-bench-") as folder:
        zones = write_zones(Path(folder), arguments.zones)
        for _ in range(arguments.rounds):
            for name in names:
                results[name].append(measure(name, zones))
                print(f"{name}: {results[name][-1]}", file=sys.stderr, flush=True)
    print(table(results, arguments.zones))
    return 0


if __name__ == "__main__":
    sys.exit(main())
