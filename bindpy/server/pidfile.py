"""The pid file: written whole, held by a lock while we live, removed only if it is ours.

The lock is on the file itself, so it tells a living server from a file that a crash left behind even
after its process id has gone to another program. The kernel drops it when the process ends, however.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from bindpy.diagnostics import BindpyError
from bindpy.server.privileges import Account

FILE_MODE = 0o644
DIRECTORY_MODE = 0o755

log = logging.getLogger("bindpy.general")


class PidFileError(BindpyError):
    """The pid file cannot be written, or another server holds it."""


class PidFile:
    """A pid file that this process has written. Make it with `create`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def create(cls, path: str, owner: Account | None = None) -> PidFile:
        """Write our process id to *path*, by a temporary file and a rename.

        Missing directories are made. *owner*, for a server that will drop to it, gets the file and those
        directories, so that it can remove the file at the end. Raises `PidFileError` when another
        process holds the file or it cannot be written.
        """
        place = Path(path)
        try:
            _make_directory(place.parent, owner)
            while True:
                old = _lock_existing(place)
                try:
                    return cls(place, _write_locked(place, owner, replace=old is not None))
                except FileExistsError:
                    continue  # another server has written its own since we looked
                finally:
                    if old is not None:
                        os.close(old)
        except OSError as error:
            raise PidFileError(
                f"could not write pid file '{path}': {error.strerror}; check the rights on its directory, "
                "or set pid-file to another path or none"
            ) from error

    def remove(self) -> None:
        """Remove the file, unless another one stands in its place by now; give up the lock.

        Never raises: a file that cannot be removed is a warning, as the next start replaces it.
        """
        try:
            if _is_at(self._descriptor, self.path):
                self.path.unlink(missing_ok=True)
        except OSError as error:
            log.warning(
                "could not remove pid file '%s': %s (the user of -u needs to write to its directory)",
                self.path,
                error.strerror,
            )
        finally:
            os.close(self._descriptor)


def _make_directory(directory: Path, owner: Account | None) -> None:
    if directory.is_dir():
        return
    _make_directory(directory.parent, owner)
    directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    if owner is not None and os.geteuid() == 0:
        os.chown(directory, owner.uid, owner.gid, follow_symlinks=False)


def _lock_existing(place: Path) -> int | None:
    """Return a locked descriptor of the file that a dead server left, None where there is none.

    The lock is kept until the new file is there, so that of two servers that start at once one loses.
    """
    while True:
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        try:
            _lock(descriptor, place)
            if _is_at(descriptor, place):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another server has just put its own there: look at that one


def _lock(descriptor: int, place: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
        raise PidFileError(
            f"another server is running: process {holder} holds the pid file '{place}'; stop it first, "
            "or give this one another pid-file"
        ) from error


def _write_locked(place: Path, owner: Account | None, *, replace: bool) -> int:
    """Put a new file in place, complete and locked; return its descriptor, which is the lock.

    Raises `FileExistsError` when there is a file by now and it is not to be replaced.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        os.fchmod(descriptor, FILE_MODE)
        if owner is not None and os.geteuid() == 0:
            os.fchown(descriptor, owner.uid, owner.gid)
        if replace:
            Path(temporary).rename(place)
        else:
            place.hardlink_to(temporary)
            Path(temporary).unlink()
    except BaseException:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    return descriptor


def _is_at(descriptor: int, place: Path) -> bool:
    """Whether *place* still is the file that *descriptor* has open."""
    try:
        return os.path.samestat(os.fstat(descriptor), place.stat())
    except FileNotFoundError:
        return False
