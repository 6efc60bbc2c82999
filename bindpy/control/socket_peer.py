"""Who is at the other end of a Unix socket, as the kernel knows it."""

from __future__ import annotations

import os
import socket
import struct

from bindpy.deferred import dataclass

SO_PEERGROUPS = 59
"""From <asm-generic/socket.h>; the socket module of Python does not have it."""
_MOST_OCTETS = 1024
_CREDENTIALS = struct.Struct("@iII")
_GROUP = struct.Struct("@I")


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that connected (or, seen from a client, that listens), as it was at that moment."""

    pid: int
    uid: int
    groups: frozenset[int]  # its own and the supplementary ones

    @classmethod
    def of(cls, sock: socket.socket) -> Peer:
        """Return who is at the other end of *sock* (SO_PEERCRED, unix(7)). Raises `OSError`."""
        data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, gid = _CREDENTIALS.unpack(data)
        return cls(pid, uid, frozenset((gid, *_supplementary(sock))))

    def may_control(self, group: int | None) -> bool:
        """Whether it may command us: root, our own user, or a member of *group*, where there is one."""
        return self.uid in (0, os.geteuid()) or (group is not None and group in self.groups)

    def __str__(self) -> str:
        return f"pid {self.pid} uid {self.uid}"


def _supplementary(sock: socket.socket) -> tuple[int, ...]:
    try:
        data = sock.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, _MOST_OCTETS)
    except OSError:
        return ()  # an old kernel, or more groups than we ask for: then its own group has to do
    return tuple(number for (number,) in _GROUP.iter_unpack(data))
