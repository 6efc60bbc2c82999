"""The servers of the benchmarks: bindpy with either engine, and the peers."""

from __future__ import annotations

import compileall
import importlib.util
import resource
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import bindpy
from benchmarks.program import tied
from tests.peers.process import ServerProcess, installed
from tests.peers.servers import Bindpy, Knot, Named, Nsd, Pdns

LOADED_WITHIN_S: Final = 300.0
"""A server that does not answer by then has failed."""


class Tied(ServerProcess):
    """A server that ends when the benchmark does."""

    def configure(self, directory: Path) -> list[str]:
        return tied(super().configure(directory))  # type: ignore[safe-super]


class Measured(Tied):
    """Such a server that has much to load."""

    def wait_ready(self, within_s: float = LOADED_WITHIN_S) -> None:
        super().wait_ready(within_s)


class RustBindpy(Bindpy):
    """bindpy with the Rust engine."""

    name = "bindpy-rust"

    def configure(self, directory: Path) -> list[str]:
        return [*super().configure(directory), "--engine", "rust", "-n", str(self.threads)]


class PythonBindpy(Bindpy):
    """bindpy with the engine that is written in Python."""

    name = "bindpy-python"

    def configure(self, directory: Path) -> list[str]:
        return [*super().configure(directory), "--engine", "python", "-n", str(self.threads)]


SERVERS: Final[dict[str, type[ServerProcess]]] = {
    kind.name: type(kind.__name__, (Measured, kind), {})
    for kind in (RustBindpy, PythonBindpy, Named, Nsd, Knot, Pdns)
}


def edit_command(server: ServerProcess, origin: str) -> list[str]:
    """Return the one command that has *server* read the edited file of *origin*; empty if it needs none."""
    commands = server.edit_commands(origin)
    if len(commands) < 2:
        return commands[0] if commands else []
    return ["sh", "-c", " && ".join(map(shlex.join, commands))]


def get_ready() -> None:
    """Have bindpy start from byte code, as it does where it was installed, and allow many open files."""
    compileall.compile_dir(str(Path(bindpy.__file__).parent), quiet=1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def is_installed(name: str) -> bool:
    """Return whether the server *name* can be run here."""
    if name == RustBindpy.name and importlib.util.find_spec("bindpy_engine") is None:
        return False
    return installed(SERVERS[name].binary) is not None


def installed_of(names: Iterable[str]) -> list[str]:
    """Return those of *names* that can be run here; say which cannot."""
    there = []
    for name in names:
        if is_installed(name):
            there.append(name)
        else:
            print(f"{name} is not installed: left out", file=sys.stderr, flush=True)
    return there
