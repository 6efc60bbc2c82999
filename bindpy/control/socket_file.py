"""The socket in the file system: private from its first moment, replaced when dead, never when alive.

A lock on a file beside it is held while the server lives, so of two that start at once one loses, and what a
crash left behind is known to be dead. The new socket is bound and listens under another name before it is
renamed into place: whoever finds it can use it.
"""

from __future__ import annotations

import errno
import fcntl
import grp
import logging
import os
import socket
import stat
from contextlib import ExitStack, suppress
from pathlib import Path

from bindpy.control.socket_path import SocketPlace, address, is_socket, opened_directory
from bindpy.control.socket_peer import Peer
from bindpy.diagnostics import BindpyError

MODE = 0o600
GROUP_MODE = 0o660
BACKLOG = 64

log = logging.getLogger("bindpy.general")


class SocketFileError(BindpyError):
    """The socket cannot be had; the text says why and what to do."""


class SocketFile:
    """A listening socket that is in its place. Make it with `claim`."""

    def __init__(
        self, place: SocketPlace, sock: socket.socket, found: os.stat_result, directory: int, lock: int
    ) -> None:
        self.place = place
        self.sock = sock
        self._name = Path(place.path).name
        self._identity = (found.st_dev, found.st_ino)
        self._directory = directory
        self._lock = lock

    @classmethod
    def claim(cls, place: SocketPlace) -> SocketFile:
        """Put a listening socket at *place*, in place of one that nobody listens to any more.

        Only we may connect to it, and ``place.group`` where that is given. Raises `SocketFileError`: another
        server lives there, something that is no socket is there, or the directory cannot be used.
        """
        try:
            group = None if place.group is None else _group_id(place.group)
            with opened_directory(place.path) as directory, ExitStack() as undo:
                lock = _lock(place, directory)
                undo.callback(_unlock, lock, place, directory)
                _refuse_living(place, directory)
                sock, found = _bind(place, directory, group)
                kept = os.dup(directory)
                undo.pop_all()
                return cls(place, sock, found, kept, lock)
        except OSError as error:
            raise SocketFileError(
                f"could not open control socket '{place.path}': {error.strerror or error}; check the rights "
                "on its directory, or set control-socket to another path or none"
            ) from error

    def is_in_place(self) -> bool:
        """Whether the path still leads to this socket: somebody may have cleaned up."""
        found = self._found()
        return found is not None and (found.st_dev, found.st_ino) == self._identity

    def group(self) -> int | None:
        """Return the group that may use the socket by the rights that its file has now, None: no group."""
        found = self._found()
        if found is None or not found.st_mode & stat.S_IWGRP:
            return None
        return found.st_gid

    def _found(self) -> os.stat_result | None:
        try:
            return os.stat(self._name, dir_fd=self._directory, follow_symlinks=False)
        except OSError:
            return None

    def remove(self) -> None:
        """Take the socket away, unless another one stands in its place by now; close it. Never raises."""
        try:
            if self.is_in_place():
                os.unlink(self._name, dir_fd=self._directory)
        except OSError as error:
            log.warning("could not remove control socket '%s': %s", self.place.path, error.strerror)
        finally:
            self.sock.close()
            _unlock(self._lock, self.place, self._directory)
            os.close(self._directory)


def _group_id(group: str) -> int:
    try:
        return int(group) if group.isascii() and group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise SocketFileError(
            f"control-socket: group '{group}' unknown: no such group here; 'getent group' lists those that "
            "there are"
        ) from None


def _lock_name(place: SocketPlace) -> str:
    return f".{Path(place.path).name}.lock"


def _lock(place: SocketPlace, directory: int) -> int:
    """Return the locked descriptor of the file beside the socket. Raises `SocketFileError`, `OSError`."""
    while True:
        descriptor = os.open(
            _lock_name(place),
            os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK,
            MODE,
            dir_fd=directory,
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):  # another server has just ended and taken its file along
                found = os.stat(_lock_name(place), dir_fd=directory, follow_symlinks=False)
                if os.path.samestat(found, os.fstat(descriptor)):
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, f"{os.getpid()}\n".encode())
                    return descriptor
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            if error.errno == errno.EWOULDBLOCK:
                raise _alive(place, holder) from error
            raise
        os.close(descriptor)


def _unlock(descriptor: int, place: SocketPlace, directory: int) -> None:
    with suppress(OSError):  # the file is empty talk without its lock
        os.unlink(_lock_name(place), dir_fd=directory)
    os.close(descriptor)


def _alive(place: SocketPlace, process: str | int) -> SocketFileError:
    return SocketFileError(
        f"another server is running: process {process} has the control socket '{place.path}'; stop it first, "
        "or give this one another control-socket"
    )


def _refuse_living(place: SocketPlace, directory: int) -> None:
    """Raise `SocketFileError` when something answers at *place*, or it is no socket."""
    try:
        found = os.stat(Path(place.path).name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not is_socket(found):
        raise SocketFileError(
            f"could not open control socket '{place.path}': a file that is no socket is there; move it away, "
            "or set control-socket to another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(address(place.path, directory))
        except (ConnectionRefusedError, FileNotFoundError):
            return  # bound once, but by nobody who lives
        except BlockingIOError:
            raise _alive(place, "?") from None  # it has no room for more, so it is there
        raise _alive(place, Peer.of(probe).pid)


def _bind(place: SocketPlace, directory: int, group: int | None) -> tuple[socket.socket, os.stat_result]:
    name = Path(place.path).name
    temporary = f".{name}.{os.getpid()}"
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        sock.setblocking(False)
        # Linux makes the file with the mode of the socket: there is no moment at which others could connect.
        os.fchmod(sock.fileno(), MODE)
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        sock.bind(address(str(Path(place.path).with_name(temporary)), directory))
        undo.callback(_unlink, temporary, directory)
        sock.listen(BACKLOG)
        if group is not None:
            os.chown(temporary, -1, group, dir_fd=directory, follow_symlinks=False)
            os.chmod(temporary, GROUP_MODE, dir_fd=directory)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        undo.pop_all()
        return sock, found


def _unlink(name: str, directory: int) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=directory)
