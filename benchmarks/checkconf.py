"""How long `bindpy checkconf` takes over 100,000 zone statements, beside `named-checkconf`.

``python -m benchmarks.checkconf`` writes the file into a scratch directory and times both tools over it: user
and system time of the process, best of some runs. The aim is three times `named-checkconf` plus ten seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.program import run

ALLOWED_FACTOR, ALLOWED_EXTRA_S = 3, 10


def write_configuration(path: Path, zones: int) -> None:
    """Write a configuration with *zones* zone statements, one a line."""
    with path.open("w") as stream:
        stream.writelines(f'zone "z{i}.example" {{ type primary; file "z{i}.db"; }};\n' for i in range(zones))


def cpu_s(command: Sequence[str], cwd: Path) -> float:
    """Run *command* and return the CPU seconds that it and its children used. Raises where it fails."""
    before = os.times()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return (after.children_user - before.children_user) + (after.children_system - before.children_system)


def main() -> int:
    """Print the table; exit status 1 where bindpy took longer than the aim allows."""
    parser = argparse.ArgumentParser(description="Time configuration checks.")
    parser.add_argument("--zones", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="5,000 zones, one run")
    arguments = parser.parse_args()
    zones, runs = (5_000, 1) if arguments.quick else (arguments.zones, arguments.runs)
    commands = {"bindpy checkconf": [sys.executable, "-m", "bindpy.cli.main", "checkconf", "named.conf"]}
    if peer := shutil.which("named-checkconf"):
        commands["named-checkconf"] = [peer, "named.conf"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_configuration(folder / "named.conf", zones)
        took = {name: min(cpu_s(command, folder) for _ in range(runs)) for name, command in commands.items()}
    print(f"**checkconf, {zones:,} zone statements, best of {runs}**\n")
    print("| | CPU s | µs a zone |\n| --- | ---: | ---: |")
    for name, seconds in took.items():
        print(f"| {name} | {seconds:.2f} | {seconds / zones * 1e6:.0f} |")
    if "named-checkconf" not in took:
        return 0
    allowed = ALLOWED_FACTOR * took["named-checkconf"] + ALLOWED_EXTRA_S
    print(f"| allowed: {ALLOWED_FACTOR} times named-checkconf + {ALLOWED_EXTRA_S} s | {allowed:.2f} | |")
    return int(took["bindpy checkconf"] > allowed)


if __name__ == "__main__":
    run(main)
