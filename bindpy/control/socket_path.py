"""Where the local control socket is: the same answer for the server and for those who look for it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bindpy.deferred import dataclass
from bindpy.state.directory import state_directory

if TYPE_CHECKING:
    from bindpy.config.model import Options
    from bindpy.server.privileges import Account

SUFFIX = ".sock"
NAME_IN_STATE = f"control{SUFFIX}"
DIRECTORY_MODE = 0o755
MAX_ADDRESS_OCTETS = 107
"""The longest name that an address of the kernel's takes (unix(7)), its final NUL not counted."""


@dataclass(frozen=True, slots=True)
class SocketPlace:
    """Where the socket is to be, and which group may use it; ``is_default``: nobody asked for it."""

    path: str
    group: str | None = None
    is_default: bool = False


def socket_place(options: Options) -> SocketPlace | None:
    """Return what ``control-socket`` says; None where it says ``none``.

    Where it is not given, the socket is beside the pid file and called like it, so two servers that have
    pid files of their own have sockets of their own; without a pid file it is in the state directory.
    """
    said = options.control_socket
    if said is not None:
        return None if said.path is None else SocketPlace(said.path, said.group)
    if options.pid_file is not None:
        return SocketPlace(str(Path(options.pid_file).with_suffix(SUFFIX)), is_default=True)
    return SocketPlace(str(Path(state_directory(options)) / NAME_IN_STATE), is_default=True)


def make_socket_directory(place: SocketPlace, owner: Account | None = None) -> None:
    """Make the socket's directory where there is none, for *owner* where we are root.

    Call it before privileges are dropped, and open the socket afterwards. Raises `OSError`.
    """
    missing = []
    directory = Path(place.path).parent
    while not directory.is_dir():
        missing.append(directory)
        directory = directory.parent
    for directory in reversed(missing):
        directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        if owner is not None and os.geteuid() == 0:
            os.chown(directory, owner.uid, owner.gid, follow_symlinks=False)


@contextmanager
def opened_directory(path: str) -> Iterator[int]:
    """Open the directory of *path* for as long as the ``with`` lasts. Raises `OSError`."""
    descriptor = os.open(Path(path).parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def address(path: str, directory: int) -> str:
    """Return what to bind or connect to for *path*, whose directory is open as *directory*.

    The kernel takes short names only, and no descriptor of a directory; its own link to that directory
    makes a short name of any.
    """
    if len(os.fsencode(path)) <= MAX_ADDRESS_OCTETS:
        return path
    return f"/proc/self/fd/{directory}/{Path(path).name}"


def is_socket(found: os.stat_result) -> bool:
    """Whether *found* is that of a socket."""
    return stat.S_ISSOCK(found.st_mode)
