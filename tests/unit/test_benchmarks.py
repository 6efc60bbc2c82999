"""The tables of the benchmarks: what is judged, what is missing; and that what they start ends with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import PARTS
from benchmarks.program import BenchmarkError, attempt, tied, turns
from benchmarks.tables import Column, Table
from tests.peers.require import require_tool

COLUMNS = (Column("cost", over_echo=1.15, against_peers=True), Column("lost", 0, fold=sum, most=0))


def cells(table: Table, row: str) -> list[str]:
    """Return the cells of the row that begins with *row*."""
    line = next(line for line in table.markdown().splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


def test_a_cell_is_what_the_rounds_make() -> None:
    table = Table("some", COLUMNS, ["bindpy-rust"])
    table.add("bindpy-rust", "cost", 3, 1)
    table.add("bindpy-rust", "cost", 2.25)
    table.add("bindpy-rust", "lost", 1, 2)
    assert cells(table, "bindpy (Rust)") == ["2.2", "3"]


def test_targets_are_judged_and_misses_are_bold() -> None:
    table = Table("some", COLUMNS, ["echo", "bindpy-rust", "named", "nsd"])
    for server, cost in (("echo", 2.0), ("bindpy-rust", 2.4), ("named", 9.0), ("nsd", 3.0)):
        table.add(server, "cost", cost)
    table.add("bindpy-rust", "lost", 0)
    assert cells(table, "bindpy (Rust) / echo") == ["**1.20** (≤ 1.15)", ""]
    assert cells(table, "bindpy (Rust) / best peer") == ["0.80 (≤ 1), NSD", ""]
    assert cells(table, "target") == ["", "≤ 0"]
    table.add("bindpy-rust", "lost", 1)
    assert cells(table, "target") == ["", "**≤ 0**"]


def test_bindpy_itself_is_no_peer() -> None:
    table = Table("some", COLUMNS, ["bindpy-rust", "bindpy-python"])
    table.add("bindpy-rust", "cost", 2)
    table.add("bindpy-python", "cost", 1)
    assert "best peer" not in table.markdown()


def test_a_server_that_fails_is_said_to_and_has_no_further_turn() -> None:
    table = Table("some", COLUMNS, ["named", "nsd"])
    had = []
    for server in turns(["named", "nsd"], 2, table):
        had.append(server)
        with attempt(server, table):
            table.add(server, "cost", 1.0)
            if server == "named":
                raise BenchmarkError("it does not start\nlong log\nits last line")
    assert had == ["named", "nsd", "nsd"]
    assert cells(table, "BIND") == ["1.0", "failed"]
    assert cells(table, "NSD") == ["1.0", ""]
    assert "- BIND failed: it does not start … its last line" in table.markdown()


def test_a_column_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        Table("some", COLUMNS, ["nsd"]).add("nsd", "speed", 1.0)


def test_names_of_parts_are_unique() -> None:
    assert len({part.name for part in PARTS}) == len(PARTS)


PARENT = """
import subprocess, sys, time
from benchmarks.program import tied
work = "print('up', flush=True); import time; time.sleep(600)"
child = subprocess.Popen(tied([sys.executable, "-c", work]))
print(child.pid, flush=True)
time.sleep(600)
"""


def test_what_a_benchmark_starts_ends_when_it_is_killed() -> None:
    require_tool("setpriv")
    project = Path(__file__).parents[2]
    # The pipe is at its end when nobody has it any more: neither the parent nor its child.
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=project, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        said = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
        assert b"up" in said
        os.kill(parent.pid, signal.SIGKILL)
        assert parent.stdout.read() == b""


def test_without_setpriv_a_command_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert tied(["named", "-g"]) == ["named", "-g"]
