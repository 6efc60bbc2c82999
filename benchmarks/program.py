"""What all benchmark programs share: options, rounds, failures of one server, an end without leftovers."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from benchmarks.tables import TITLES, Table
from bindpy.diagnostics import BindpyError
from tests.peers.process import PeerError

SLOW: Final = "bindpy-python"
"""The server that takes so long for very much data that it gets one round of it."""
MANY_FILES_OCTETS: Final = 2 << 30
"""What very many files take, and as much again."""
ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class BenchmarkError(RuntimeError):
    """A run that failed, or that measured something else than it says."""


FAILURES: Final = (BenchmarkError, PeerError, BindpyError, OSError, subprocess.SubprocessError)


def tied(command: Sequence[str]) -> list[str]:
    """Return a command that is told to end when the thread that starts it ends, however that comes about.

    So nothing keeps running after a benchmark that was killed. Without setpriv (of util-linux) it is
    *command* itself, and only a benchmark that is not killed outright ends what it started.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else list(command)


def _end(number: int, _frame: object) -> NoReturn:
    for each in ENDING:  # once is enough: a second one would cut short what ends the servers
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def run(main: Callable[[], int]) -> NoReturn:
    """Run *main* and exit with its status; a signal that ends the program ends its servers, too."""
    for number in ENDING:
        signal.signal(number, _end)
    try:
        status = main()
    except FAILURES as failure:
        print(f"failed: {failure}", file=sys.stderr)
        status = 1
    sys.exit(status)


def options(doc: str | None, *, rounds: int, servers: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser with what most benchmarks take."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke run; its numbers mean nothing")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"({rounds})")
    parser.add_argument("--servers", nargs="+", choices=servers, default=list(servers), metavar="NAME")
    parser.add_argument("--folder", type=Path, help="where generated zones are kept and found again")
    return parser


@contextmanager
def scratch(folder: Path | None = None) -> Iterator[Path]:
    """Yield *folder*, or a temporary one."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="bindpy-bench-") as name:
        yield Path(name)


@contextmanager
def scratch_for_many() -> Iterator[Path]:
    """Yield a temporary folder for very many files: in memory if there is room, as a disk may take minutes
    to delete them."""
    memory = Path("/dev/shm")
    has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= MANY_FILES_OCTETS
    with tempfile.TemporaryDirectory(prefix="bindpy-bench-", dir=memory if has_room else None) as name:
        yield Path(name)


@contextmanager
def attempt(server: str, *tables: Table) -> Iterator[None]:
    """Let a failure of *server* become a remark in *tables*: the others go on."""
    try:
        yield
    except FAILURES as failure:
        print(f"{server} failed: {failure}", file=sys.stderr, flush=True)
        for table in tables:
            table.fail(server, str(failure))


@contextmanager
def shown(*tables: Table) -> Iterator[None]:
    """Print *tables* when all is measured, and also when the program is ended before."""
    try:
        yield
    except BaseException:
        for table in tables:
            table.remark("Ended before its time: these are the rounds that there were.")
        raise
    finally:
        for table in tables:
            print(table.markdown(), flush=True)


def rounds_of(rounds: int) -> str:
    """Say how many rounds `turns` makes."""
    if rounds == 1:
        return "one round"
    return f"medians of {rounds} rounds, one of {TITLES[SLOW]}"


def turns(names: Sequence[str], rounds: int, table: Table) -> Iterator[str]:
    """Yield the servers in turn, *rounds* times, but for those that failed in *table*; `SLOW` once, last."""
    fast = [name for name in names if name != SLOW]
    for name in [*fast * rounds, *(name for name in names if name == SLOW)]:
        if name not in table.failures:
            yield name
