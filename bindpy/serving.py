"""The other half of the seam: what an engine offers that serves queries with threads of its own.

An engine need not have this. The server then receives queries itself and asks the engine's `Answerer`.
"""

from __future__ import annotations

import enum
import socket
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol, TypeAlias

from bindpy.answer.policy import Transport
from bindpy.deferred import dataclass

Address: TypeAlias = tuple[str, int]
"""An address (presentation form, ``%scope`` where it needs one) and a port."""


class Datagram(Protocol):
    """A message over UDP that is not for the engine to answer."""

    @property
    def packet(self) -> bytes:
        """Its octets."""

    @property
    def client(self) -> Address:
        """Who sent it."""

    @property
    def local(self) -> str:
        """The address of ours that it came to."""

    @property
    def port(self) -> int:
        """The port of ours that it came to; 0 once the service has been stopped."""

    def reply(self, message: bytes) -> None:
        """Send the reply from the address that was asked, without waiting for room. Raises `OSError`."""


@dataclass(frozen=True, slots=True)
class TappedQuery:
    """A copy of a message, for the query log."""

    packet: bytes
    client: Address
    local: str
    transport: Transport


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP connection on which something came that is not for the engine: it is the server's from now on.

    ``unread`` is what was read and not answered; it begins with the length of that message. ``number`` is for
    `QueryService.connection_closed` and `QueryService.take_back`, of which one has to be called in the end.
    """

    sock: socket.socket
    client: Address
    local: str
    listener: Address
    unread: bytes
    number: int


class NewsKind(enum.Enum):
    """What happened on an engine's threads."""

    RECEIVE_ERROR = "receive-error"
    """Receiving UDP on one of our addresses failed for once."""
    SEND_ERROR = "send-error"
    """An answer to that client was not taken by the kernel."""
    TCP_REFUSED = "tcp-refused"
    """A connection of that client was refused."""
    TCP_EXHAUSTED = "tcp-exhausted"
    """Connections cannot be accepted for a moment."""
    TCP_EXPIRED = "tcp-expired"
    """That client's connection was ended while waiting for what ``text`` says."""
    ENDED = "ended"
    """The thread that served this address of ours has ended by an error."""


@dataclass(frozen=True, slots=True)
class News:
    """One of them; ``text`` says why, ``address`` is the one that the kind speaks of."""

    kind: NewsKind
    address: Address | None
    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """All that was waiting for the server; ``lost_…`` is how much has found no room since the start."""

    requests: Sequence[Datagram]
    tapped: Sequence[TappedQuery]
    connections: Sequence[Connection]
    news: Sequence[News]
    lost_requests: int
    lost_tapped: int


@dataclass(frozen=True, slots=True)
class QueryCounters:
    """What queries were, and what became of them. Those that the control plane asked about are in here.

    ``qtypes`` and ``rcodes`` are counts by number; types beyond 262 count as 263. ``latencies[i]`` counts
    messages over sockets that took less than 2^i µs (and no less than 2^(i-1)) from their arrival until they
    were dealt with; the last one those that took longer.
    """

    qtypes: Mapping[int, int] = field(default_factory=dict)
    rcodes: Mapping[int, int] = field(default_factory=dict)
    latencies: Sequence[int] = ()
    truncated: int = 0
    faults: int = 0


@dataclass(frozen=True, slots=True)
class ServiceCounters:
    """What an engine's threads have counted since it started.

    ``udp_hot_answers`` were given before and are not among ``udp_answers``; ``lost`` are what found no room
    in a queue.
    """

    udp_hot_answers: int
    udp_answers: int
    udp_dropped: int
    udp_control_requests: int
    udp_receive_errors: int
    udp_send_errors: int
    tcp_answers: int
    tcp_dropped: int
    tcp_accepted: int
    tcp_refused: int
    tcp_expired: int
    tcp_clients: int
    tcp_high_water: int
    lost_requests: int
    lost_tapped: int
    queries: QueryCounters


class QueryService(Protocol):
    """Threads that answer plain queries over UDP and TCP without Python.

    What they cannot answer, and what is to be logged, waits in bounded queues: `take` empties them, and tells
    whoever made the engine of queries that hit a fault of its. Those threads call nothing of the server's.
    All of this is for one thread, and but for `leave` and `stop` nothing blocks.
    """

    def fileno(self) -> int:
        """Return the descriptor that is readable while something waits to be taken."""

    def take(self) -> Waiting:
        """Return all that waits."""

    def tap(self, is_on: bool) -> None:
        """Have each query copied for the query log, or no longer."""

    def serve(
        self, bound: Address, udp: Sequence[socket.socket], tcp: socket.socket, *, is_udp_shared: bool
    ) -> None:
        """Serve sockets that are bound to one address: a thread for each of *udp*, and connections to *tcp*.

        *tcp* listens and does not block, those of *udp* block. The caller may close its descriptors.
        *is_udp_shared*: another process has the UDP socket, too, which must not be shut down; its receive
        timeout says how often its thread looks whether it is to end. Raises `OSError`.
        """

    def leave(self, bound: Address) -> bool:
        """Serve that address no longer, and close its sockets; returns whether that was done within a second.

        Its connections have half a second more to take the answers that are due.
        """

    def limit(self, clients: int, initial_timeout_s: float, idle_timeout_s: float) -> None:
        """Set the limits of TCP, as `bindpy.server.tcp_limits.TcpSettings` describes them."""

    def connection_closed(self, number: int) -> None:
        """Tell that a connection that was taken over has ended, so that it is no longer counted."""

    def take_back(self, connection: Connection) -> None:
        """Serve a connection again that was taken over. Raises `OSError`.

        No octet that came on it waits to be answered, and all that was written is with the kernel. The caller
        may close its descriptor.
        """

    def counters(self) -> ServiceCounters:
        """Return what was counted."""

    def trouble(self) -> str | None:
        """Return what keeps a thread from serving, None if nothing does; for a watchdog."""

    def request_stop(self) -> None:
        """Tell all threads to end; connections have half a second to take the answers that are due."""

    @property
    def is_stopped(self) -> bool:
        """Whether all threads have ended."""

    def stop(self) -> bool:
        """End all threads; returns whether they ended in time."""


class StartService(Protocol):
    """Starts an engine's service, which serves nothing yet."""

    def __call__(self, *, clients: int, initial_timeout_s: float, idle_timeout_s: float) -> QueryService:
        """Return it. Raises `OSError` for want of descriptors or threads."""
