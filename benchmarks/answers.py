"""CPU time for each answered query, of bindpy, its peers, and a C echo that marks the physical limit.

    python -m benchmarks.answers            # the full table, about ten minutes
    python -m benchmarks.answers --short    # all servers and cases once, in less than three minutes
    python -m benchmarks.answers --quick    # a smoke run of a minute; its numbers are too noisy to quote

How it is measured: benchmarks/README.md. What makes it fair: every server has one worker for UDP; all run,
idle, while one is asked, and each case is put to all of them one right after the other, so that they meet the
same machine; nothing is asked before their processors' clocks stand still; a slow server is asked for as long
as a fast one, not as much.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.engines import SERVERS as NAME_SERVERS
from benchmarks.engines import is_installed
from benchmarks.load import FULL, QUICK, SHORT, Case, Run, Scale, prepare, run, settle
from tests.peers.client import exchange_udp, soa_query
from tests.peers.process import PeerError, ServerProcess, installed

ECHO_SOURCE = Path(__file__).parent / "echo" / "echo.c"
SEED = 20261122


class Echo(ServerProcess):
    """The C program that only turns each packet round; UDP only."""

    name = "echo"
    binary = "cc"

    def configure(self, directory: Path) -> list[str]:
        program = directory / "echo"
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", str(program), str(ECHO_SOURCE)], check=True)
        return [str(program), str(self.port)]

    def wait_ready(self, within_s: float = 10.0) -> None:
        deadline = time.monotonic() + within_s
        while exchange_udp(self.address, [soa_query(".")], timeout_s=0.1, attempts=1) == [None]:
            if time.monotonic() > deadline:
                raise PeerError("echo does not answer")
            time.sleep(0.02)  # the pause between two polls


SERVERS: dict[str, type[ServerProcess]] = {Echo.name: Echo, **NAME_SERVERS}
"""Logging of queries is off in all of them already."""

Results = dict[tuple[str, str], list[Run]]


def measure(names: Sequence[str], scale: Scale, rounds: int, seed: int) -> tuple[list[Case], Results]:
    """Run every case against every server, *rounds* times in turn; return cases and results."""
    results: Results = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bindpy-bench-") as directory:
        served, cases = prepare(Path(directory), scale, seed)
        for number in range(rounds):
            with ExitStack() as running:
                servers = {}
                for name in names:
                    servers[name] = running.enter_context(SERVERS[name](() if name == "echo" else served))
                for server in servers.values():
                    settle(server)
                for case in cases:
                    for name, server in servers.items():
                        if not (case.tcp and name == "echo"):
                            outcome = run(server, case, scale.seconds, check_rcode=name != "echo")
                            results[name, case.title].append(outcome)
                    print(f"round {number + 1} of {rounds}: {case.title} done", file=sys.stderr, flush=True)
    return cases, results


def table(title: str, names: Sequence[str], cases: Sequence[Case], cells: dict[tuple[str, str], str]) -> str:
    """Return a markdown table with one row a server and one column a case."""
    lines = [f"**{title}**", "", "| | " + " | ".join(case.title for case in cases) + " |"]
    lines.append("| --- |" + " ---: |" * len(cases))
    for name in names:
        lines.append(f"| {name} | " + " | ".join(cells.get((name, c.title), "") for c in cases) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure and print the tables as markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small zones, one round")
    parser.add_argument("--short", action="store_true", help="fewer queries and signed names, one round")
    parser.add_argument("--rounds", type=int, help="runs of each case (default 3, otherwise 1)")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS), metavar="NAME")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    names = []
    for name in arguments.servers:
        if not (installed(Echo.binary) if name == Echo.name else is_installed(name)):
            print(f"{name} is not installed: left out", file=sys.stderr)
        else:
            names.append(name)
    scale = QUICK if arguments.quick else SHORT if arguments.short else FULL
    rounds = arguments.rounds or (3 if scale is FULL else 1)
    cases, results = measure(names, scale, rounds, arguments.seed)
    cpu = {key: f"{statistics.median(r.cpu_us for r in runs):.1f}" for key, runs in results.items()}
    rate = {key: f"{statistics.median(r.answers_per_s for r in runs):,.0f}" for key, runs in results.items()}
    print(table("CPU µs for each answered query", names, cases, cpu))
    print(table("Answers per second", names, cases, rate))
    lost = {key: sum(r.lost for r in runs) for key, runs in results.items()}
    for (name, title), count in lost.items():
        if count:
            print(f"{name}, {title}: {count} queries lost in {rounds} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
