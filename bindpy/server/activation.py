"""Sockets that systemd has bound for us and keeps: socket activation, sd_listen_fds(3).

What they are for here is a restart that loses nothing: while no bindpy runs, the kernel keeps queries and
connections for the next one. That a server needs no right to bind port 53 then is a second use.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, MutableMapping
from contextlib import ExitStack

from bindpy.server.endpoint import Endpoint

log = logging.getLogger("bindpy.network")

FIRST_DESCRIPTOR = 3
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_KINDS = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
_NAMES = {socket.SOCK_DGRAM: "UDP", socket.SOCK_STREAM: "TCP"}


class InheritedSockets:
    """The sockets that we were started with, by endpoint and kind. They stay open until `close`."""

    def __init__(self, sockets: Iterable[socket.socket] = ()) -> None:
        self._sockets: dict[tuple[Endpoint, int], socket.socket] = {}
        for sock in sockets:
            why_not = _why_not(sock)
            if why_not is not None:
                log.warning("a socket of the service manager's is not used: %s", why_not)
                sock.close()
                continue
            address, port = sock.getsockname()[:2]
            self._sockets[Endpoint(address, port), sock.type] = sock

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] | None = None) -> InheritedSockets:
        """Return those that the environment tells of, and take its variables away: they are ours alone."""
        variables = os.environ if environment is None else environment
        process = variables.pop("LISTEN_PID", "")
        number = variables.pop("LISTEN_FDS", "")
        variables.pop("LISTEN_FDNAMES", None)
        if process != str(os.getpid()) or not (number.isascii() and number.isdecimal()):
            return cls()
        sockets = []
        for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(number)):
            try:
                os.set_inheritable(descriptor, False)
                sockets.append(socket.socket(fileno=descriptor))
            except OSError as error:
                log.warning(
                    "descriptor %d of the service manager's is no socket: %s", descriptor, error.strerror
                )
        return cls(sockets)

    def take(self, endpoint: Endpoint, kind: socket.SocketKind) -> socket.socket | None:
        """Return a descriptor of our own for the socket at *endpoint*, None where there is none."""
        found = self._sockets.get((endpoint, kind))
        return None if found is None else found.dup()

    def warn_of_unused(self, endpoints: Iterable[Endpoint]) -> None:
        """Log which sockets are none of *endpoints*: who asks there waits for an answer that never comes."""
        wanted = set(endpoints)
        for endpoint, kind in self._sockets:
            if endpoint not in wanted:
                log.warning(
                    "the service manager listens on %s socket %s, which named.conf does not: nobody answers "
                    "there; correct the socket unit, or listen-on",
                    _NAMES[socket.SocketKind(kind)],
                    endpoint,
                )

    def close(self) -> None:
        """Close our descriptors; the service manager has its own."""
        with ExitStack() as closing:
            for sock in self._sockets.values():
                closing.callback(sock.close)
        self._sockets.clear()


def _why_not(sock: socket.socket) -> str | None:
    if sock.family not in _FAMILIES or sock.type not in _KINDS:
        return f"descriptor {sock.fileno()} is neither UDP nor TCP"
    if sock.family == socket.AF_INET6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        address, port = sock.getsockname()[:2]
        return f"{Endpoint(address, port)} takes IPv4 as well; BindIPv6Only=ipv6-only is needed"
    return None
