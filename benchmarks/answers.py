"""CPU time for each answered query, of bindpy, its peers, and a C echo that marks the physical limit.

    python -m benchmarks.answers            # the full tables, some minutes
    python -m benchmarks.answers --quick    # a smoke run of a minute; its numbers are too noisy to quote

How it is measured: benchmarks/README.md. What makes it fair: every server has one worker; all run, idle,
while one is asked, and each case is put to all of them one right after the other, so that they meet the same
machine; nothing is asked before their processors' clocks stand still; a slow server is asked for as long as a
fast one, not as much.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.engines import SERVERS as NAME_SERVERS
from benchmarks.engines import get_ready, installed_of
from benchmarks.load import FULL, QUICK, Case, Scale, prepare, run
from benchmarks.program import attempt, options, scratch, shown, tied
from benchmarks.program import run as run_program
from benchmarks.tables import ECHO, TITLES, Column, Table
from benchmarks.usage import settle
from tests.peers.client import exchange_udp, soa_query
from tests.peers.process import PeerError, ServedZone, ServerProcess, installed

ECHO_SOURCE: Final = Path(__file__).parent / "echo" / "echo.c"
SEED: Final = 20261122
OVER_ECHO: Final = 1.15


class Echo(ServerProcess):
    """The C program that only turns each packet round; UDP only."""

    name = ECHO
    binary = "cc"

    def configure(self, directory: Path) -> list[str]:
        program = directory / "echo"
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", str(program), str(ECHO_SOURCE)], check=True)
        return tied([str(program), str(self.port)])

    def wait_ready(self, within_s: float = 10.0) -> None:
        deadline = time.monotonic() + within_s
        while exchange_udp(self.address, [soa_query(".")], timeout_s=0.1, attempts=1) == [None]:
            if time.monotonic() > deadline:
                raise PeerError("echo does not answer")
            time.sleep(0.02)  # the pause between two polls


SERVERS: Final[dict[str, type[ServerProcess]]] = {Echo.name: Echo, **NAME_SERVERS}
"""Logging of queries is off in all of them already."""


class Answers:
    """Rounds of all cases against all servers, and the tables of what came out, for UDP and for TCP."""

    def __init__(
        self, names: Sequence[str], scale: Scale, rounds: int, served: list[ServedZone], cases: list[Case]
    ) -> None:
        self._names, self._scale, self._served, self._cases = names, scale, served, cases
        self._lost: dict[tuple[str, str], int] = {}
        title = (
            f"CPU µs for each answered query, {'one round' if rounds == 1 else f'medians of {rounds} rounds'}"
        )
        over_udp = [
            Column(case.title, 2, over_echo=OVER_ECHO, against_peers=True) for case in cases if not case.tcp
        ]
        over_tcp = [Column(case.title, 2, against_peers=True) for case in cases if case.tcp]
        self.udp = Table(f"(a) UDP: {title}", over_udp, names)
        self.tcp = Table(f"(b) TCP: {title}", over_tcp, [name for name in names if name != ECHO])

    def one_round(self) -> None:
        """Start all servers and put every case to each."""
        with ExitStack() as running:
            servers = {}
            for name in self._names:
                if name in self.udp.failures:
                    continue
                with attempt(name, self.udp, self.tcp):
                    zones = [] if name == ECHO else self._served
                    servers[name] = running.enter_context(SERVERS[name](zones))
            for name, server in servers.items():
                with attempt(name, self.udp, self.tcp):
                    settle(server)
            for case in self._cases:
                for name, server in servers.items():
                    if not (case.tcp and name == ECHO):
                        self._ask(name, server, case)

    def _ask(self, name: str, server: ServerProcess, case: Case) -> None:
        table = self.tcp if case.tcp else self.udp
        with attempt(name, table):
            found = run(server, case, self._scale.seconds, check_rcode=name != ECHO)
            table.add(name, case.title, found.cpu_us)
            if found.lost:
                key = name, f"{case.title}, TCP" if case.tcp else case.title
                self._lost[key] = self._lost.get(key, 0) + found.lost

    def tell_lost(self) -> None:
        """Write queries that were lost, of all rounds, below the table."""
        for (name, title), count in self._lost.items():
            self.udp.remark(f"{TITLES[name]}, {title}: {count} queries lost in all rounds")


def main() -> int:
    """Measure and print the tables as markdown."""
    parser = options(__doc__, rounds=3, servers=list(SERVERS))
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args()
    names = installed_of(name for name in chosen.servers if name != ECHO)
    if ECHO in chosen.servers and installed(Echo.binary):
        names = [ECHO, *names]
    get_ready()
    scale, rounds = (QUICK, 1) if chosen.quick else (FULL, chosen.rounds)
    with scratch(chosen.folder) as folder:
        answers = Answers(names, scale, rounds, *prepare(folder, scale, chosen.seed))
        with shown(answers.udp, answers.tcp):
            for number in range(rounds):
                answers.one_round()
                print(f"round {number + 1} of {rounds} done", file=sys.stderr, flush=True)
            answers.tell_lost()
    return int(bool(answers.udp.failures or answers.tcp.failures))


if __name__ == "__main__":
    run_program(main)
