"""The sockets that rndc connects to: an address and a port, or a path whose mode keeps others out."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeAlias

from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError
from bindpy.server.endpoint import Endpoint

BACKLOG = 128
_MAX_ID = 0xFFFFFFFE  # one more, and chown(2) leaves the owner as it is

_REASONS = {
    errno.EADDRINUSE: "address in use: another server has it; stop that one, or choose another port",
    errno.EACCES: "permission denied: ports below 1024 are for root, or for CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "address not available: no interface of this host has it",
    errno.EAFNOSUPPORT: "this host has no addresses of that kind",
}


class ChannelError(BindpyError):
    """A control channel that could not be opened, and why. ``errno`` is of the system call, or alike."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.errno = number


@dataclass(frozen=True, slots=True)
class UnixPlace:
    """A socket in the file system, with the mode and the owner that it is to have."""

    path: str
    mode: int
    owner: int
    group: int

    def __str__(self) -> str:
        return self.path


Place: TypeAlias = Endpoint | UnixPlace


def in_the_way(one: Place, other: Place) -> bool:
    """Return whether only one of the two can be open."""
    if isinstance(one, Endpoint) and isinstance(other, Endpoint):
        return one.overlaps(other)
    return isinstance(one, UnixPlace) and isinstance(other, UnixPlace) and one.path == other.path


@dataclass(frozen=True, slots=True)
class OpenPlace:
    """A place that is listened on; ``file`` is the device and the inode of its file, if it has one."""

    place: Place
    sock: socket.socket
    file: tuple[int, int] | None = None

    def close(self) -> None:
        """Close the socket, and remove its file unless another one stands in its place."""
        self.sock.close()
        if self.file is not None:
            with suppress(OSError):  # what stays is replaced by the next start
                if self.file == _identity(os.lstat(str(self.place))):
                    Path(str(self.place)).unlink()


def open_place(place: Place) -> OpenPlace:
    """Listen at *place*; the socket does not block. Raises `ChannelError`."""
    try:
        return _open_inet(place) if isinstance(place, Endpoint) else _open_unix(place)
    except OSError as error:
        number = error.errno or 0
        reason = _REASONS.get(number) if isinstance(place, Endpoint) else None
        raise ChannelError(reason or (error.strerror or str(error)).lower(), number) from error


def _open_inet(place: Endpoint) -> OpenPlace:
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(place.family, socket.SOCK_STREAM))
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if place.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(place.sockaddr())
        sock.listen(BACKLOG)
        undo.pop_all()
        return OpenPlace(place, sock)


def _open_unix(place: UnixPlace) -> OpenPlace:
    if max(place.owner, place.group) > _MAX_ID:
        raise ChannelError("there cannot be an owner or a group of that number", errno.EINVAL)
    _remove_left_over(place.path)
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        sock.setblocking(False)
        sock.bind(place.path)
        opened = OpenPlace(place, sock, _set_rights(place))  # nobody can connect before listen()
        undo.callback(opened.close)
        sock.listen(BACKLOG)
        undo.pop_all()
        return opened


def _set_rights(place: UnixPlace) -> tuple[int, int]:
    """Give the socket at *place* its owner and mode; return what `OpenPlace.file` is.

    It is held by a descriptor that follows no link: in a directory where others write, one may stand there
    by now. Raises `ChannelError` and OSError; then the file is gone.
    """
    descriptor = os.open(place.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISSOCK(found.st_mode):
            raise ChannelError("another file was put in the place of the socket", errno.EEXIST)
        held = f"/proc/self/fd/{descriptor}"
        try:
            if (place.owner, place.group) != (found.st_uid, found.st_gid):
                os.chown(held, place.owner, place.group)
            Path(held).chmod(place.mode)
        except OSError:
            Path(place.path).unlink()
            raise
        return _identity(found)
    finally:
        os.close(descriptor)


def _remove_left_over(path: str) -> None:
    """Remove the socket that a server left behind. Raises `ChannelError`: it is in use, or is no socket."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise ChannelError("there is a file of that name, and it is not a socket", errno.EEXIST)
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
        except BlockingIOError:
            pass  # it listens, and has more to do than to accept
    raise ChannelError("address in use: another server listens on this socket", errno.EADDRINUSE)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
