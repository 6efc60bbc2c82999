"""Servers that are started and killed hundreds of times: forks of a process that has imported everything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

_NURSERY = """
import os, sys
from bindpy.app import serve
{patch}

child = 0
for line in sys.stdin:
    if line == "start\\n":
        child = os.fork()
        if not child:
            serve("named.conf")
            os._exit(0)
        print(child, flush=True)
    else:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        child = 0
if child:
    os.kill(child, 9)
"""
"""What a new Python does: serves on demand in a child, and takes the child along when the test is gone."""


class Restarts:
    """A context manager that runs ``bindpy serve -c named.conf`` in *folder*, one process at a time.

    A start takes a twentieth of what a new interpreter needs. All processes log to ``server.log``. *patch* is
    Python that runs before them.
    """

    def __init__(self, folder: Path, patch: str = "") -> None:
        self.folder = folder
        self._patch = patch
        self.log_path = folder / "server.log"
        self.pid = 0
        self._log_begins = 0
        self._nursery: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with self.log_path.open("ab") as out:
            self._nursery = subprocess.Popen(
                [sys.executable, "-c", _NURSERY.format(patch=self._patch)],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.close()
        self._nursery.stdout.close()
        self._nursery.wait(20)

    @property
    def log(self) -> str:
        """All that was logged, by all processes."""
        return self.log_path.read_text(errors="replace")

    @property
    def log_since_start(self) -> str:
        """What the present process has logged."""
        with self.log_path.open("rb") as file:
            file.seek(self._log_begins)
            return file.read().decode(errors="replace")

    def start(self) -> None:
        """Start the server; returns once its process is there."""
        self._log_begins = self.log_path.stat().st_size
        self.pid = int(self._order("start"))

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return what the process ends with, minus the signal's number if by that."""
        os.kill(self.pid, number)
        self.pid = 0
        return int(self._order("wait"))

    def _order(self, word: str) -> str:
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(f"{word}\n")
        self._nursery.stdin.flush()
        answer = self._nursery.stdout.readline()
        assert answer, f"the process that starts servers has ended:\n{self.log}"
        return answer
