"""The servers of the benchmarks: bindpy with either engine, and the peers."""

from __future__ import annotations

import compileall
import importlib.util
from pathlib import Path

import bindpy
from tests.peers.process import ServerProcess, installed
from tests.peers.servers import PEERS, Bindpy


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


SERVERS: dict[str, type[ServerProcess]] = {
    RustBindpy.name: RustBindpy,
    PythonBindpy.name: PythonBindpy,
    **PEERS,
}


def compile_bindpy() -> None:
    """Have bindpy start from byte code, as it does where it was installed, whatever the environment says."""
    compileall.compile_dir(str(Path(bindpy.__file__).parent), quiet=1)


def is_installed(name: str) -> bool:
    """Return whether the server *name* can be run here."""
    if name == RustBindpy.name and importlib.util.find_spec("bindpy_engine") is None:
        return False
    return installed(SERVERS[name].binary) is not None
