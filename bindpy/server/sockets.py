"""Binds the sockets of one endpoint, with the options that DNS wants, or says plainly why it cannot."""

from __future__ import annotations

import errno
import socket
import struct
from contextlib import ExitStack

from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError
from bindpy.server.activation import InheritedSockets
from bindpy.server.endpoint import Endpoint

# From <linux/in.h> and <linux/in6.h>; the socket module of Python 3.11 does not have all of them.
IP_PKTINFO = 8
IP_MTU_DISCOVER = 10
IP_PMTUDISC_OMIT = 5
IPV6_MTU_DISCOVER = 23
IPV6_MTU = 24
IPV6_MIN_MTU_OCTETS = 1280

RECEIVE_BUFFER_OCTETS = 1024 * 1024
"""Asked for on UDP sockets (net.core.rmem_max caps it): rides out a pause of some milliseconds."""
SHARED_WAKE_S = 0.2
"""How long a thread waits on a socket that is not ours alone before it looks whether it is to stop."""
SEND_TIMEOUT_S = 0.25
"""The longest that a full UDP send buffer holds up a thread; then that answer is dropped."""
KERNEL_PORT_ATTEMPTS = 20


class ListenError(BindpyError):
    """One endpoint that could not be bound; ``errno`` is the reason, the text ends with a next step."""

    def __init__(self, endpoint: Endpoint, protocol: str, error: OSError) -> None:
        self.endpoint = endpoint
        self.protocol = protocol
        self.errno = error.errno
        super().__init__(
            f"could not listen on {protocol} socket {endpoint}: {_explain(endpoint, protocol, error)}"
        )


def _explain(endpoint: Endpoint, protocol: str, error: OSError) -> str:
    port = endpoint.port
    if error.errno == errno.EADDRINUSE:
        flags = "-lunp" if protocol == "UDP" else "-ltnp"
        return (
            "address in use: another program (or another bindpy) already has this address and port; "
            f"'ss {flags} sport = :{port}' shows which; stop it, or choose another port or listen-on address"
        )
    if error.errno == errno.EACCES:
        return (
            "permission denied: ports below 1024 need root, or CAP_NET_BIND_SERVICE; start as root with "
            "-u USER to give the rights up once bound, or 'setcap cap_net_bind_service=+ep' on the "
            "interpreter, or choose a higher port (a running server that gave them up has to be restarted)"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            "address not available: no interface of this host has it; 'ip address' shows those that there are"
        )
    if error.errno == errno.EAFNOSUPPORT:
        return "this host has no IPv6" if endpoint.family == socket.AF_INET6 else "this host has no IPv4"
    return error.strerror or str(error)


@dataclass(frozen=True, slots=True)
class BoundSockets:
    """The sockets of one endpoint, bound; TCP listens already. ``endpoint`` has the port that it became.

    ``is_udp_shared``: another process has the UDP socket as well and goes on using it after us.
    """

    endpoint: Endpoint
    udp: tuple[socket.socket, ...]
    tcp: socket.socket
    is_udp_shared: bool = False

    def close(self) -> None:
        """Close them all."""
        for sock in (*self.udp, self.tcp):
            sock.close()


def open_sockets(
    endpoint: Endpoint, *, udp_workers: int, backlog: int, inherited: InheritedSockets | None = None
) -> BoundSockets:
    """Bind UDP and TCP on *endpoint*, or nothing. Port 0 takes a port that is free for both.

    Where *inherited* has a socket for it, that is used, and then one UDP socket is all.

    *udp_workers* sockets share the UDP port by SO_REUSEPORT. The first is bound without that option, so
    that a second server, which would do the same, is refused instead of taking half of the queries.
    Raises `ListenError`.
    """
    attempts = 1 if endpoint.port else KERNEL_PORT_ATTEMPTS
    while True:
        attempts -= 1
        with ExitStack() as undo:
            ready = None if inherited is None else inherited.take(endpoint, socket.SOCK_DGRAM)
            if ready is not None:
                _prepare_udp(undo.enter_context(ready), endpoint)
                ready.setblocking(True)
            first = ready or undo.enter_context(_bind(endpoint, socket.SOCK_DGRAM))
            actual = endpoint._replace(port=first.getsockname()[1])
            udp = [first]
            more = 0 if ready is not None else udp_workers - 1
            if more:
                first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            for _ in range(more):
                udp.append(undo.enter_context(_bind(actual, socket.SOCK_DGRAM, share=True)))
            try:
                waiting = None if inherited is None else inherited.take(actual, socket.SOCK_STREAM)
                tcp = undo.enter_context(waiting or _bind(actual, socket.SOCK_STREAM))
                tcp.setblocking(False)
                _listen(tcp, actual, backlog)
            except ListenError as error:
                if error.errno == errno.EADDRINUSE and attempts:
                    continue
                raise
            undo.pop_all()
            return BoundSockets(actual, tuple(udp), tcp, is_udp_shared=ready is not None)


def let_reads_end(sock: socket.socket) -> None:
    """Let whoever reads from a UDP socket that is not ours alone wake up now and then.

    Shut down it would stay so for all who have it.
    """
    wake = struct.pack("@ll", 0, round(SHARED_WAKE_S * 1_000_000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wake)


def _bind(endpoint: Endpoint, kind: socket.SocketKind, *, share: bool = False) -> socket.socket:
    protocol = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
    with ExitStack() as undo:
        try:
            sock = undo.enter_context(socket.socket(endpoint.family, kind))
            if endpoint.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind == socket.SOCK_DGRAM:
                _prepare_udp(sock, endpoint)
            else:
                # Connections of an earlier run in TIME_WAIT must not keep the port; two listeners still
                # exclude each other. On UDP the same option would let a second server in.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if share:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(endpoint.sockaddr())
        except OSError as error:
            raise ListenError(endpoint, protocol, error) from error
        undo.pop_all()
        return sock


def _listen(sock: socket.socket, endpoint: Endpoint, backlog: int) -> None:
    try:
        sock.listen(backlog)
    except OSError as error:  # another socket may be bound to the port, but only one may listen
        raise ListenError(endpoint, "TCP", error) from error


def _prepare_udp(sock: socket.socket, endpoint: Endpoint) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)
    sock.setsockopt(
        socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, round(SEND_TIMEOUT_S * 1_000_000))
    )
    # Answers are small enough not to need fragments; a forged ICMP message must not talk the kernel into
    # making some (RFC 9715 section 3.1).
    if endpoint.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT)
        if endpoint.is_wildcard:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        return
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_OMIT)
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU, IPV6_MIN_MTU_OCTETS)
    if endpoint.is_wildcard:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
