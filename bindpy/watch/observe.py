"""What a file looks like from outside: its stamp, and whether somebody is writing it."""

# Paths are plain strings here: 100,000 of them are looked at in one scan.
# ruff: noqa: PTH116

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import time
from typing import Final, NamedTuple

from bindpy.files import FileStamp

# Two writes within one tick of the kernel's clock leave the same times behind. A stamp taken this soon
# after its own time stamps cannot tell them apart; the coarsest tick in use is 10 ms.
_RACY_NS: Final = 50_000_000


class Known(NamedTuple):
    """How a file was when it was last reported; *racy* if a later write could leave the same stamp."""

    stamp: FileStamp | None
    racy: bool


class Observation(NamedTuple):
    """One look at a file.

    ``stamp`` is None when the path leads to nothing that can be seen. ``open_for_writing`` is None
    where that cannot be known. ``racy`` as in `Known`.
    """

    stamp: FileStamp | None
    open_for_writing: bool | None
    racy: bool


def stamp_of(path: str) -> FileStamp | None:
    """Return the stamp of what *path* leads to, None when there is nothing; any path will do."""
    found = _stat(path)
    return None if found is None else FileStamp.of_stat(found)


def known_of(path: str) -> Known:
    """Return what is to be known of a file that is new: how it is now."""
    stamp = stamp_of(path)
    return _NOTHING if stamp is None else Known(stamp, is_racy(stamp))


def observe(path: str) -> Observation:
    """Look at the file that *path* leads to. Costs a stat and, for a regular file, an open: some 10 µs."""
    found = _stat(path)
    if found is None:
        return Observation(None, None, False)
    seen = FileStamp.of_stat(found)
    return Observation(seen, open_for_writing(path) if stat.S_ISREG(found.st_mode) else None, is_racy(seen))


def open_for_writing(path: str) -> bool | None:
    """Whether any process has the regular file *path* open for writing; None where that cannot be known.

    A read lease (fcntl(2), F_SETLEASE) is granted only on a file that nobody has open for writing. It is
    given back at once; whoever opens the file in these microseconds waits that long and notices nothing.
    Leases need the file's owner or CAP_LEASE, and a local file system: else the answer is None.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # The signal that breaks a lease would be SIGIO, which ends a process; SIGURG is ignored by default.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as failure:
        return True if failure.errno == errno.EAGAIN else None
    finally:
        os.close(descriptor)
    return False


_NOTHING: Final = Known(None, False)


def is_racy(stamp: FileStamp) -> bool:
    """Return whether a write that is still to come could leave *stamp* as it is."""
    return time.time_ns() - stamp.touched_ns < _RACY_NS


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
