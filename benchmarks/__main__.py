"""Every benchmark, one after another, with all servers; the tables are printed and kept in a file.

    python -m benchmarks                         # what `make bench` runs; at most 45 minutes
    python -m benchmarks --only answers million  # some parts
    python -m benchmarks --quick                 # a smoke run of everything, some minutes

A part that takes longer than it may is ended and shows what it has by then. How each is measured:
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from benchmarks.program import BenchmarkError, run, scratch, tied
from benchmarks.tables import TITLES
from tests.peers.process import installed
from tests.peers.servers import PEERS

MINUTES: Final = 45
ENDS_WITHIN_S: Final = 60.0
"""What is ended may take so long for that, then it is killed."""
OUT: Final = Path(__file__).parent / "out"


@dataclass(frozen=True, slots=True)
class Part:
    """A program with its options, and *quick* ones instead; it may take *limit_s* seconds."""

    name: str
    command: str
    quick: str
    limit_s: int

    def command_line(self, folder: Path, *, quick: bool) -> list[str]:
        """Return what runs it; *folder* is where parts find what others have generated."""
        program, *options = (self.quick if quick else self.command).split()
        shared = ["--folder", str(folder)] if program in SHARING else []
        return tied([sys.executable, "-m", f"benchmarks.{program}", *options, *shared])


SHARING: Final = ("answers", "million", "reload_stream", "small_change")
PARTS: Final = (
    Part("answers", "answers", "answers --quick", 720),
    Part("million", "million", "million --quick", 540),
    Part("zones-20000", "many_zones", "many_zones --quick", 300),
    Part("zones-100000", "many_zones --zones 100000 --rounds 1", "many_zones --zones 1000 --rounds 1", 420),
    Part("reload", "reload_stream", "reload_stream --quick", 540),
    Part("change", "small_change", "small_change --quick", 480),
    Part("propagation", "propagation --edits 40", "propagation --quick", 540),
    Part("rndc", "rndc_reload", "rndc_reload --quick", 240),
    Part("edit", "edit_latency --edits 100", "edit_latency --edits 5", 120),
    Part("checkconf", "checkconf", "checkconf --quick", 60),
    Part("reader", "reader", "reader --records 5000", 120),
    Part("lua", "lua_filter --records 200000 --transfer", "lua_filter --records 5000 --transfer", 180),
)


class Report:
    """What is printed and, at once, written to a file."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def line(self, text: str = "") -> None:
        """Add a line."""
        for out in (sys.stdout, self._file):
            print(text, file=out, flush=True)


def machine() -> str:
    """Say what is measured on: processors, kernel, Python and the servers' versions."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    versions = [f"Python {platform.python_version()}"]
    for name, option in (("named", "-v"), ("nsd", "-v"), ("knot", "-V"), ("pdns", "--version")):
        if path := installed(PEERS[name].binary):
            said = subprocess.run([path, option], capture_output=True, text=True, check=False)
            number = re.search(r"\d+(\.\d+){2}", said.stdout + said.stderr)
            versions.append(f"{TITLES[name]} {number[0] if number else '?'}")
    cores = len(os.sched_getaffinity(0))
    return f"{cores} processors ({model}), {platform.system()} {platform.release()}, {', '.join(versions)}"


def _ticks() -> tuple[int, int]:
    """Return how many ticks all processors have had, and in how many they did something."""
    with Path("/proc/stat").open() as stat:
        spent = [int(word) for word in stat.readline().split()[1:9]]
    return sum(spent), sum(spent) - spent[3] - spent[4]  # idle, and idle while a disk is waited for


@contextmanager
def noise(report: Report, what: str) -> Iterator[None]:
    """Say afterwards how long it took, and what share of the processors others had meanwhile.

    Others are all but this program's children, the machine's host too ("steal").
    """
    began, (all_before, busy_before) = time.monotonic(), _ticks()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        yield
    finally:
        all_after, busy_after = _ticks()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        own_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        others = busy_after - busy_before - own_s * os.sysconf("SC_CLK_TCK")
        share = max(others, 0) / max(all_after - all_before, 1)
        took = time.monotonic() - began
        report.line()
        report.line(f"*{what}: {took:.0f} s, {own_s:.0f} of the processors; others had {share:.0%} of them.*")
        report.line()


def _copy(lines: Iterable[str], report: Report) -> None:
    for line in lines:
        report.line(line.rstrip("\n"))


def run_part(part: Part, command: list[str], limit_s: float, report: Report) -> int:
    """Run *command*, and end it after *limit_s*; its lines go to *report*. Return its exit status."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        process.terminate()

    timers = [threading.Timer(limit_s, end), threading.Timer(limit_s + ENDS_WITHIN_S, process.kill)]
    try:
        for timer in timers:
            timer.start()
        _copy(process.stdout, report)
    except BaseException:  # this program is ended: what the part has by then is told, too
        process.terminate()
        timers.append(threading.Timer(ENDS_WITHIN_S, process.kill))
        timers[-1].start()
        _copy(process.stdout, report)
        raise
    finally:
        status = process.wait()
        for timer in timers:
            timer.cancel()
    if late.is_set():
        report.line(f"{part.name} was ended after {limit_s:.0f} s.\n")
    elif status:
        report.line(f"{part.name} ended with status {status}.\n")
    return status


def main() -> int:
    """Run all parts, also after one that fails; return 1 if one did."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [part.name for part in PARTS]
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="PART", help=", ".join(names)
    )
    parser.add_argument(
        "--quick", action="store_true", help="little data, one round; the numbers mean nothing"
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"for all parts ({MINUTES})")
    parser.add_argument("--out", type=Path, help="the file for the tables (a new one in benchmarks/out)")
    chosen = parser.parse_args()
    if installed("dnsperf") is None:
        raise BenchmarkError("dnsperf is not installed")
    now = datetime.now(UTC)
    out = chosen.out or OUT / f"{now:%Y-%m-%dT%H%M%S}.md"
    out.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    end = began + chosen.minutes * 60
    statuses = []
    with out.open("w") as file, scratch() as folder:
        report = Report(file)
        report.line(f"{now:%Y-%m-%d %H:%M} UTC, {machine()}\n")
        for part in PARTS:
            if part.name not in chosen.only:
                continue
            left_s = end - time.monotonic()
            if left_s <= 0:
                report.line(f"{part.name}: there was no time left.\n")
                statuses.append(1)
                continue
            with noise(report, part.name):
                command = part.command_line(folder, quick=chosen.quick)
                statuses.append(run_part(part, command, min(part.limit_s, left_s), report))
    print(f"After {(time.monotonic() - began) / 60:.0f} minutes all of it is in {out}.")
    return int(any(statuses))


if __name__ == "__main__":
    run(main)
