"""Very many small zones: how long a start takes, what it costs, and whether anything waits meanwhile.

    python -m benchmarks.many_zones            # 20,000 zones, each server in turn
    python -m benchmarks.many_zones --zones 100000 --rounds 1
    python -m benchmarks.many_zones --quick    # a smoke run: 500 zones

How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Final, cast

from benchmarks.engines import SERVERS, get_ready, installed_of
from benchmarks.program import attempt, options, rounds_of, run, scratch_for_many, shown, turns
from benchmarks.tables import SUBJECT, Column, Table
from benchmarks.usage import cpu_seconds, memory_mib
from bindpy.control.socket_client import NoServerError, SocketClient
from bindpy.diagnostics import BindpyError
from tests.peers.client import exchange_udp, soa_query
from tests.peers.process import PeerError, ServedZone, ServerProcess

ZONES = 20_000
QUICK_ZONES = 500
DIRECTORIES = 16
ASKED_AT_ONCE = 100
ASK_EVERY_S = 0.05
LOADED_WITHIN_S = 900.0
LOOK_EVERY_S = 0.5
STEADY_AFTER_S = 2.0
TEXT = "$TTL 300\n@ SOA ns hostmaster 1 3600 900 604800 60\n@ NS ns\nns A 127.0.0.1\n" + "".join(
    f"host{number} A 10.0.0.{number}\n" for number in range(7)
)


COLUMNS: Final = (
    Column("first answer s", 2, against_peers=True),
    Column("all zones s", 2, against_peers=True),
    Column("CPU s", 2),
    Column("peak MiB", 0, against_peers=True),
    Column("steady MiB", 0, against_peers=True),
)
COMMANDS: Final = (
    Column("longest wait at start, ms", 0),
    Column("reconfig, CPU s"),
    Column("longest wait at reconfig, ms", 0),
)
"""Of bindpy with the Rust engine only, in a start of its own."""


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


def measure(name: str, zones: list[ServedZone], table: Table) -> None:
    """Start the server *name* and note what that took."""
    with _watched(name)(zones) as server:
        cpu_s, memory = cpu_seconds(server), memory_mib(server)
        time.sleep(STEADY_AFTER_S)
        table.add(name, "first answer s", server.first_s)
        table.add(name, "all zones s", server.all_s)
        table.add(name, "CPU s", cpu_s)
        table.add(name, "peak MiB", max(server.peak_mib, memory))
        table.add(name, "steady MiB", memory_mib(server))
    print(f"{name}: {len(zones)} zones in {server.all_s:.1f} s", file=sys.stderr, flush=True)


def measure_commands(name: str, zones: list[ServedZone], table: Table) -> None:
    """Note how long commands wait while bindpy starts and rereads its configuration.

    Asking costs something, too: it is no part of what `measure` notes.
    """
    kind = _watched(name)
    kind.has_commands = True
    with kind(zones) as server:
        table.add(name, "longest wait at start, ms", server.start_stall_ms)
        cpu = cpu_seconds(server)
        with stalls(server) as longest, SocketClient(_socket_of(server)) as client:
            for _ in client.request("reconfig", wait=True):
                pass
        table.add(name, "reconfig, CPU s", cpu_seconds(server) - cpu)
        table.add(name, "longest wait at reconfig, ms", longest[0])


def _watched(name: str) -> type[Observed]:
    return cast(type[Observed], type("Observed" + name, (Observed, SERVERS[name]), {}))


def main() -> int:
    """Measure and print the tables as markdown."""
    parser = options(__doc__, rounds=3, servers=list(SERVERS))
    parser.add_argument("--zones", type=int, default=ZONES)
    chosen = parser.parse_args()
    count, rounds = (QUICK_ZONES, 1) if chosen.quick else (chosen.zones, chosen.rounds)
    names = installed_of(chosen.servers)
    get_ready()
    table = Table(f"(c) Start with {count:,} zones, {rounds_of(rounds)}", COLUMNS, names)
    ours = [name for name in names if name == SUBJECT]
    commands = Table(f"Commands while bindpy has {count:,} zones", COMMANDS, ours)
    with scratch_for_many() as folder:
        zones = write_zones(folder, count)
        with shown(table):
            for name in turns(names, rounds, table):
                with attempt(name, table):
                    measure(name, zones, table)
        with shown(commands):
            for name in turns(ours, rounds, commands):
                with attempt(name, commands):
                    measure_commands(name, zones, commands)
    return int(bool(table.failures or commands.failures))


if __name__ == "__main__":
    run(main)
