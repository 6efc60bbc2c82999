"""What a server has used so far: the processor time and the memory of all its processes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import psutil

from benchmarks.program import BenchmarkError
from tests.peers.process import ServerProcess

CPUCLOCK_SCHED: Final = 2  # from the kernel's <linux/posix-timers.h>

SETTLED_FOR_S: Final = 0.5
IDLE_SHARE: Final = 0.01
"""A server has settled that used no more of a processor for so long."""
SETTLE_WITHIN_S: Final = 180.0


def processes(server: ServerProcess) -> list[psutil.Process]:
    """Return the processes of *server*, its first one first."""
    first = psutil.Process(server.pid)
    return [first, *first.children(recursive=True)]


def cpu_seconds(server: ServerProcess) -> float:
    """Return user and system time that all processes and threads of *server* have used so far."""
    return sum(_cpu_clock(process.pid) for process in processes(server))


def _cpu_clock(pid: int) -> float:
    """Return the same for one process, in nanoseconds: its clock, as clock_getcpuclockid(3) names it."""
    return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)


def memory_mib(server: ServerProcess) -> float:
    """Return the memory of all processes of *server*, what they share counted once."""
    return sum(process.memory_full_info().pss for process in processes(server)) / (1 << 20)


def peak_mib(server: ServerProcess) -> float:
    """Return the most memory that any one process of *server* has had so far, or all of them have now."""
    most_kib = 0
    for process in processes(server):
        status = Path(f"/proc/{process.pid}/status").read_text()
        most_kib = max(most_kib, int(status.partition("VmHWM:")[2].split()[0]))
    return max(most_kib / 1024, memory_mib(server))


def settle(server: ServerProcess) -> None:
    """Wait until *server* has done what it does after a start or a change. Raises `BenchmarkError`."""
    deadline = time.monotonic() + SETTLE_WITHIN_S
    used = cpu_seconds(server)
    while time.monotonic() < deadline:
        time.sleep(SETTLED_FOR_S)
        before, used = used, cpu_seconds(server)
        if used - before < SETTLED_FOR_S * IDLE_SHARE:
            return
    raise BenchmarkError(f"{server.name} is still busy after {SETTLE_WITHIN_S:.0f} s")
