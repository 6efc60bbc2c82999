"""Rolling a log file over, with the names and the numbers of versions that BIND leaves behind."""

from __future__ import annotations

import itertools
import time
from pathlib import Path


def roll(path: Path, versions: int, suffix: str, now: float) -> None:
    """Move the file *path* out of the way and keep *versions* old ones (-1: all; 0: none).

    With *suffix* ``increment`` the newest is ``.0``; with ``timestamp`` it is named after *now* (as
    `time.time`, UTC, to the millisecond).  Raises: OSError.
    """
    if versions == 0:
        path.unlink(missing_ok=True)
    elif suffix == "timestamp":
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now)) + f"{int(now * 1000) % 1000:03}"
        path.rename(f"{path}.{stamp}")
        if versions > 0:
            for old in _stamped(path)[:-versions]:
                old.unlink(missing_ok=True)
    else:
        _increment(path, versions)


def _increment(path: Path, versions: int) -> None:
    if versions > 0:
        for old in _numbered(path):
            if int(old.name.rpartition(".")[2]) >= versions:
                old.unlink(missing_ok=True)
    limit = range(versions) if versions > 0 else itertools.count()
    # As far as the first gap: moving files beyond it would gain nothing. Without a gap the last is replaced.
    free = next((number for number in limit if not _version(path, number).exists()), versions - 1)
    for number in range(free, 0, -1):
        _version(path, number - 1).replace(_version(path, number))
    path.replace(_version(path, 0))


def _version(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _numbered(path: Path) -> list[Path]:
    """Return the files that are versions of *path*, whatever their number."""
    start = len(path.name) + 1
    found = (other for other in path.parent.iterdir() if other.name.startswith(f"{path.name}."))
    return [other for other in found if other.name[start:].isascii() and other.name[start:].isdigit()]


def _stamped(path: Path) -> list[Path]:
    """Return the versions of *path* that are named after a time, the oldest first."""
    stamped = [
        other for other in _numbered(path) if len(other.name) - len(path.name) - 1 == len("20261122030405123")
    ]
    return sorted(stamped, key=lambda other: other.name)
