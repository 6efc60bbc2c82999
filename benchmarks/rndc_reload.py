"""How long BIND's rndc takes for one zone of very many: the same commands for bindpy and BIND.

    python -m benchmarks.rndc_reload            # 100,000 zones, some minutes
    python -m benchmarks.rndc_reload --quick    # 5,000 zones

How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.engines import Tied, get_ready
from benchmarks.program import BenchmarkError, run, scratch_for_many
from tests.peers.client import exchange_udp, soa_query
from tests.peers.process import installed
from tests.support.controlled import Controlled, ControlledBindpy, ControlledNamed

LOADED_WITHIN_S: Final = 600.0
SERVED_WITHIN_S: Final = 30.0
RECORDS: Final = 20


class TiedNamed(Tied, ControlledNamed):
    """BIND."""


class TiedBindpy(Tied, ControlledBindpy):
    """bindpy, with the engine that it takes by itself."""


def zone_text(serial: int) -> str:
    """Return version *serial* of a zone of some records."""
    lines = ["$TTL 300", f"@ SOA ns hostmaster {serial} 3600 900 604800 60", "@ NS ns", "ns A 127.0.0.1"]
    lines += [f"host{number} A 10.0.{serial % 256}.{number}" for number in range(RECORDS - 3)]
    return "\n".join(lines) + "\n"


def origin(number: int) -> str:
    return f"zone{number}.example"


def conf(folder: Path, zones: int) -> str:
    """Write the files of *zones* zones into *folder* and return their statements."""
    text = zone_text(1)
    for number in range(zones):
        (folder / f"{number}.db").write_text(text)
    return "".join(
        f'zone "{origin(number)}" {{ type primary; file "{folder}/{number}.db"; }};\n'
        for number in range(zones)
    )


def command(server: Controlled, *words: str) -> str:
    """Run rndc; return what it printed."""
    ran = server.rndc(*words)
    if ran.status:
        raise BenchmarkError(f"{server.name}: rndc {' '.join(words)}: {ran.err}\n{server.log_text()[-4000:]}")
    return ran.out


def timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds *work* takes."""
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def served_serial(server: Controlled, zone: str) -> int:
    """Return the serial of *zone* that *server* answers with, 0 when it does not."""
    reply = exchange_udp(server.address, [soa_query(f"{zone}.")])[0]
    if reply is None or reply[6:8] == b"\0\0":
        return 0
    return int.from_bytes(reply[-20:-16])  # nothing follows the SOA: no authority, no EDNS, see below


def reload_changed(server: Controlled, folder: Path, number: int, serial: int) -> tuple[float, float]:
    """Edit a zone's file and reload the zone; return ms until rndc ended, and until it was served."""
    fresh = folder / f"{number}.new"
    fresh.write_text(zone_text(serial))
    fresh.replace(folder / f"{number}.db")
    begin = time.perf_counter()
    command(server, "reload", origin(number))
    ended = time.perf_counter()
    while served_serial(server, origin(number)) != serial:
        if time.perf_counter() - begin > SERVED_WITHIN_S:
            raise BenchmarkError(
                f"{server.name} does not serve {origin(number)}:\n{server.log_text()[-4000:]}"
            )
        time.sleep(0.001)
    return (ended - begin) * 1000, (time.perf_counter() - begin) * 1000


def measure(zones: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return for each thing to do the milliseconds that each server took, in *rounds* rounds."""
    times: dict[str, dict[str, list[float]]] = {}

    def note(what: str, server: Controlled, ms: float) -> None:
        times.setdefault(what, {}).setdefault(server.name, []).append(ms)

    with ExitStack() as stack:
        servers: list[tuple[Controlled, Path]] = []
        server: Controlled
        # `watch no`: otherwise bindpy has mostly read the file before rndc tells it to.
        for kind, extra in (
            (TiedNamed, "minimal-responses yes;"),
            (TiedBindpy, "minimal-responses yes; watch no;"),
        ):
            folder = stack.enter_context(scratch_for_many())
            server = kind(conf=conf(folder, zones), extra=extra, ready_within_s=LOADED_WITHIN_S)
            begin = time.perf_counter()
            stack.enter_context(server)  # ready once its zones are loaded
            note("(start until all zones are loaded)", server, (time.perf_counter() - begin) * 1000)
            servers.append((server, folder))
        for number in range(rounds):
            place = number * zones // rounds
            for server, folder in servers:
                ended, served = reload_changed(server, folder, place, number + 2)
                note("reload ZONE, its file changed", server, ended)
                note("… until the new serial is answered", server, served)
                note(
                    "reload ZONE, nothing changed",
                    server,
                    timed(lambda s=server, p=place: command(s, "reload", origin(p))),  # type: ignore[misc]
                )
                note("status", server, timed(lambda s=server: command(s, "status")))  # type: ignore[misc]
                note(
                    "zonestatus ZONE",
                    server,
                    timed(lambda s=server, p=place: command(s, "zonestatus", origin(p))),  # type: ignore[misc]
                )
    return times


def main() -> int:
    """Measure and print a table; return 1 when bindpy takes more than three times what BIND takes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--zones", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="5,000 zones, 5 rounds")
    options = parser.parse_args()
    missing = [tool for tool in ("named", "rndc") if installed(tool) is None]
    if missing:
        print(f"not installed: {', '.join(missing)}")
        return 0
    get_ready()
    zones, rounds = (5_000, 5) if options.quick else (options.zones, options.rounds)
    times = measure(zones, rounds)
    print(f"**`rndc`, {zones:,} zones, median of {rounds}, ms**\n")
    print("| | BIND | bindpy | times BIND's |")
    print("| --- | ---: | ---: | ---: |")
    worst = 0.0
    for what, of in times.items():
        named, bindpy = (statistics.median(of[server]) for server in ("named", "bindpy"))
        print(f"| {what} | {named:.1f} | {bindpy:.1f} | {bindpy / named:.2f} |")
        if what.startswith("reload"):
            worst = max(worst, bindpy / named)
    return int(worst > 3)


if __name__ == "__main__":
    run(main)
