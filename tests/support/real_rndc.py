"""BIND's own rndc, run against a control channel."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from bindpy.config.model import TsigKey
from tests.peers.require import require_tool
from tests.support.rndc_server import key_statement


@dataclass(frozen=True, slots=True)
class Ran:
    """What rndc printed, and its exit status."""

    status: int
    out: str
    err: str


class Rndc:
    """rndc with a configuration file of its own in *folder*, for the channel on *host* and *port*."""

    def __init__(self, folder: Path, port: int, key: TsigKey, *, host: str = "127.0.0.1") -> None:
        self._program = require_tool("rndc")
        name = key.name.removesuffix(".")
        self.conf = folder / f"rndc-{port}-{name}-{key.algorithm}.conf"
        self.conf.write_text(
            f"{key_statement(key)}"
            f'options {{ default-server {host}; default-port {port}; default-key "{name}"; }};\n'
        )
        self.conf.chmod(0o600)

    def __call__(self, *arguments: str, timeout_s: float = 60.0) -> Ran:
        """Run rndc with *arguments*."""
        done = subprocess.run(
            [self._program, "-c", str(self.conf), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            errors="surrogateescape",
        )
        return Ran(done.returncode, done.stdout, done.stderr)
