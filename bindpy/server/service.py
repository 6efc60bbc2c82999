"""Who receives queries and sends answers: the server with threads of its own, or the engine with its."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from bindpy.deferred import dataclass
from bindpy.server.endpoint import Endpoint
from bindpy.server.sockets import BoundSockets
from bindpy.serving import QueryCounters

OnFailure: TypeAlias = Callable[[Endpoint, BaseException], None]
"""Told, on the event loop, of an address that is served no longer because of an error."""


@dataclass(frozen=True, slots=True)
class ServerCounters:
    """What the sockets have done. The server's own threads count for the sockets that are open."""

    udp_hot_answers: int
    udp_answers: int
    udp_dropped: int
    udp_control_requests: int
    udp_control_dropped: int
    udp_receive_errors: int
    udp_send_errors: int
    tcp_answers: int
    tcp_dropped: int
    tcp_control_requests: int
    tcp_accepted: int
    tcp_refused: int
    tcp_expired: int
    tcp_clients: int
    tcp_high_water: int
    untapped: int = 0
    """Queries that the query log did not get because it was too slow."""
    queries: QueryCounters | None = None
    """What they asked and got, where that is counted."""


class Service(Protocol):
    """Serves bound sockets. All of it belongs to the event loop's thread."""

    def serve(self, sockets: BoundSockets) -> None:
        """Serve *sockets*, which are the service's from now on. Raises `OSError`; they are closed then."""

    async def leave(self, endpoint: Endpoint) -> None:
        """Serve *endpoint* no longer: no more queries, then the answers that are due, then the sockets."""

    def settings_changed(self) -> None:
        """Take over the limits that the connection table has now, and whether queries are tapped."""

    def counters(self) -> ServerCounters:
        """Return the sums over all sockets."""

    def trouble(self) -> str | None:
        """Return why queries are not answered on some socket, None if all is well; for a watchdog."""

    async def close(self) -> None:
        """Leave all endpoints, and end all threads."""
