"""A file is replaced whole or not at all: written beside it, flushed to the disk, and renamed over it.

Whatever fails, and whenever the power does, the old file is as it was. Everything here blocks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from bindpy.diagnostics import BindpyError
from bindpy.files import FileStamp

TEMPORARY = re.compile(r"\..+\.bindpy-[0-9a-f]{12}", re.DOTALL)
"""What the names of files on their way look like."""
_SUFFIX_OCTETS = len(".") + len(".bindpy-") + 12
_MAX_FILE_NAME_OCTETS = 255
_NEW_FILE_MODE = 0o644

_HINTS = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: raise it or make room",
    errno.EFBIG: "the file is larger than this process may write (ulimit -f)",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "let the user that bindpy runs as write into the directory",
    errno.EPERM: "let the user that bindpy runs as write into the directory",
    errno.ENOENT: "make the directory, or correct the zone's file statement",
    errno.ENOTDIR: "correct the zone's file statement",
    errno.EIO: "the disk does not work",
}


class ReplaceError(BindpyError):
    """A file that could not be replaced, and what to do; the old one is untouched."""


class Replacement:
    """The new file while it is written: ``descriptor`` to write to, ``path`` to read it back from."""

    def __init__(self, target: Path, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self._target = target

    def flush(self) -> None:
        """Wait until what was written is on the disk. Raises OSError."""
        os.fsync(self.descriptor)

    def rename(self) -> FileStamp:
        """Put the new file in its place, until a power cut; return its stamp there. Raises OSError."""
        self.path.rename(self._target)
        return FileStamp.of_stat(os.fstat(self.descriptor))

    def commit(self) -> FileStamp:
        """Put the new file in its place, lastingly; return its stamp there. Raises OSError."""
        stamp = self.rename()
        sync_directory(self._target.parent)
        return stamp


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Replacement]:
    """Open a file that is to replace *target*, which has no symbolic links in it any more.

    It has the mode and, where allowed, the owner of the old file, and is locked while it is written: that
    says that somebody is at work. Without `Replacement.commit` it is removed at the end.

    Raises `ReplaceError`, also for an OSError in the body.
    """
    path = target.parent / temporary_name(target.name)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _NEW_FILE_MODE)
    except OSError as e:
        raise ReplaceError(reason(f"cannot write into the directory {target.parent}", e)) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _take_over_mode(descriptor, target)
            yield Replacement(target, path, descriptor)
        finally:
            os.close(descriptor)
            with contextlib.suppress(OSError):  # renamed already; or the next start removes it
                path.unlink()
    except OSError as e:
        raise ReplaceError(reason(f"cannot write {target}", e)) from None


def temporary_name(name: str) -> str:
    """Return a name that `TEMPORARY` knows, not longer than a file's name may be."""
    kept = os.fsencode(name)[: _MAX_FILE_NAME_OCTETS - _SUFFIX_OCTETS]
    return f".{os.fsdecode(kept)}.bindpy-{secrets.token_hex(6)}"


def _take_over_mode(descriptor: int, target: Path) -> None:
    """Give the new file the mode and, as far as that is allowed, the owner of the old one."""
    try:
        old = target.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(old.st_mode):
        raise ReplaceError(f"{target} is not a regular file; correct the zone's file statement")
    for owner in ((old.st_uid, old.st_gid), (-1, old.st_gid)):
        try:
            os.fchown(descriptor, *owner)
        except PermissionError:
            continue
        break
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & 0o777)


def sync_directory(directory: Path) -> None:
    """Make renames in *directory* last. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as e:
        if e.errno != errno.EINVAL:  # some file systems cannot, and need not
            raise
    finally:
        os.close(descriptor)


def reason(what: str, error: OSError) -> str:
    """Return *what* failed, why, and what to do about it."""
    hint = _HINTS.get(error.errno or 0, "")
    return f"{what}: {error.strerror or error}" + (f"; {hint}" if hint else "")
