"""The threads of the engine in machine code that serve queries, as the seam wants them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bindpy.answer.policy import Transport
from bindpy.native.answers import EngineFaultError, OnError, RustAnswerer
from bindpy.serving import (
    Address,
    Connection,
    News,
    NewsKind,
    QueryCounters,
    ServiceCounters,
    TappedQuery,
    Waiting,
)

if TYPE_CHECKING:
    import bindpy_engine

STUCK_AFTER_S: Final = 10.0
"""How long a thread may be at one batch of messages before it counts as stuck; that takes microseconds."""

_Bound: TypeAlias = tuple[IPv4Address | IPv6Address, int, int]
"""An address of ours as the engine compares it: address, port, scope."""


class RustService:
    """A `bindpy.serving.QueryService` in machine code."""

    def __init__(
        self,
        module: Any,
        answerer: RustAnswerer,
        on_error: OnError,
        *,
        clients: int,
        initial_timeout_s: float,
        idle_timeout_s: float,
    ) -> None:
        self._inner: bindpy_engine.Service = module.Service(
            answerer.inner, clients, initial_timeout_s, idle_timeout_s
        )
        self._on_error = on_error
        self._bound: dict[Address, _Bound] = {}
        self._asked: dict[_Bound, Address] = {}
        self._udp: dict[Address, bindpy_engine.UdpThreads] = {}

    def fileno(self) -> int:
        """Return the descriptor that is readable while something waits to be taken."""
        return self._inner.fileno()

    def take(self) -> Waiting:
        """Return all that waits."""
        requests, tapped, connections, news = self._inner.take()
        lost_requests, lost_tapped, _ = self._inner.lost()
        return Waiting(
            [RustDatagram(one) for one in requests],
            [
                TappedQuery(packet, _text(client), local, Transport.TCP if is_tcp else Transport.UDP)
                for packet, client, local, is_tcp in tapped
            ],
            [
                Connection(
                    socket.socket(fileno=fd), _text(client), local, self._ours(listener), unread, number
                )
                for fd, client, local, listener, unread, number in connections
            ],
            list(self._news(news)),
            lost_requests,
            lost_tapped,
        )

    def _news(self, news: Iterable[bindpy_engine.News]) -> Iterator[News]:
        for kind, address, packet, errno, words in news:
            if kind == "fault":
                self._on_error(packet, EngineFaultError(words))
                continue
            where = None if address is None else self._ours(address)
            yield News(NewsKind(kind), where, os.strerror(errno) if errno else words)

    def tap(self, is_on: bool) -> None:
        """Have each query copied for the query log, or no longer."""
        self._inner.set_tapping(is_on)

    def serve(
        self, bound: Address, udp: Sequence[socket.socket], tcp: socket.socket, *, is_udp_shared: bool
    ) -> None:
        """Serve sockets that are bound to one address. Raises `OSError`."""
        address, port, scope = _key(tcp)
        self._bound[bound] = key = (ip_address(address), port, scope)
        self._asked[key] = bound
        try:
            self._udp[bound] = self._inner.serve_udp(key, [sock.fileno() for sock in udp], is_udp_shared)
            self._inner.listen(key, tcp.fileno())
        except OSError:
            self.leave(bound)
            raise

    def leave(self, bound: Address) -> bool:
        """Serve that address no longer, and close its sockets; returns whether that was done in time."""
        threads = self._udp.pop(bound, None)  # there are none where they could not be had
        if threads is not None:
            threads.request_stop()
        key = self._bound.pop(bound)
        is_tcp_closed = self._inner.unlisten(key)
        is_udp_closed = threads is None or threads.stop()
        del self._asked[key]
        return is_tcp_closed and is_udp_closed

    def limit(self, clients: int, initial_timeout_s: float, idle_timeout_s: float) -> None:
        """Set the limits of TCP."""
        self._inner.set_limits(clients, initial_timeout_s, idle_timeout_s)

    def connection_closed(self, number: int) -> None:
        """Tell that a connection that was taken over has ended."""
        self._inner.closed(number)

    def take_back(self, connection: Connection) -> None:
        """Serve a connection again that was taken over. Raises `OSError`."""
        listener = self._bound.get(connection.listener)
        if listener is None:  # it has gone, and its connections go, too
            self._inner.closed(connection.number)
            return
        sock = connection.sock
        self._inner.take_back(
            connection.number, sock.fileno(), _plain(connection.client), connection.local, listener
        )

    def counters(self) -> ServiceCounters:
        """Return what was counted."""
        udp, tcp, all_ = self._inner.counters()
        lost_requests, lost_tapped, _ = self._inner.lost()
        clients, high_water = self._inner.tcp_clients()
        answers = sum(udp["rcodes"].values())
        hot_answers = min(udp["recent"], answers)  # they are counted one after the other
        return ServiceCounters(
            udp_hot_answers=hot_answers,
            udp_answers=answers - hot_answers,
            udp_dropped=udp["dropped"],
            udp_control_requests=udp["control_requests"],
            udp_receive_errors=udp["receive_errors"],
            udp_send_errors=udp["send_errors"],
            tcp_answers=sum(tcp["rcodes"].values()),
            tcp_dropped=tcp["dropped"],
            tcp_accepted=tcp["tcp_accepted"],
            tcp_refused=tcp["tcp_refused"],
            tcp_expired=tcp["tcp_expired"],
            tcp_clients=clients,
            tcp_high_water=high_water,
            lost_requests=lost_requests,
            lost_tapped=lost_tapped,
            queries=QueryCounters(
                all_["qtypes"], all_["rcodes"], all_["latencies"], all_["truncated"], all_["faults"]
            ),
        )

    def trouble(self) -> str | None:
        """Return what keeps a thread from serving, None if nothing does."""
        threads = [("TCP", self._inner.threads())]
        threads += [(f"UDP on {address}#{port}", udp.threads()) for (address, port), udp in self._udp.items()]
        for what, states in threads:
            for has_ended, busy_s in states:
                if has_ended:
                    return f"the thread that serves {what} has ended"
                if busy_s > STUCK_AFTER_S:
                    return f"the thread that serves {what} is stuck on one packet for {busy_s:.0f} s"
        return None

    def request_stop(self) -> None:
        """Tell all threads to end; connections have half a second to take the answers that are due."""
        self._inner.request_stop()
        for threads in self._udp.values():
            threads.request_stop()

    @property
    def is_stopped(self) -> bool:
        """Whether all threads have ended."""
        states = [self._inner.threads(), *(threads.threads() for threads in self._udp.values())]
        return all(has_ended for threads in states for has_ended, _ in threads)

    def stop(self) -> bool:
        """End all threads; returns whether they ended in time."""
        self.request_stop()
        in_time = [threads.stop() for threads in self._udp.values()]
        self._udp.clear()
        return self._inner.stop() and all(in_time)

    def _ours(self, address: tuple[str, int, int]) -> Address:
        """Return an address as it was given to us, if it is one that we serve."""
        text, port, scope = address
        return self._asked.get((ip_address(text), port, scope)) or _text(address)


class RustDatagram:
    """A `bindpy.serving.Datagram`."""

    __slots__ = ("_inner", "client", "local", "packet", "port")

    def __init__(self, inner: bindpy_engine.Datagram) -> None:
        self._inner = inner
        self.packet = inner.packet
        self.client = _text(inner.client)
        self.local = inner.local
        self.port = inner.port

    def reply(self, message: bytes) -> None:
        """Send the reply from the address that was asked, without waiting for room. Raises `OSError`."""
        self._inner.reply(message)


def _text(address: tuple[str, int, int]) -> Address:
    """Return an address as `socket.recvfrom` would."""
    text, port, scope = address
    if not scope:
        return text, port
    try:
        return f"{text}%{socket.if_indextoname(scope)}", port
    except OSError:  # the interface has gone
        return f"{text}%{scope}", port


def _plain(address: Address) -> tuple[str, int, int]:
    """Return an address as the engine takes it."""
    text, _, scope = address[0].partition("%")
    if not scope:
        return text, address[1], 0
    return text, address[1], int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)


def _key(sock: socket.socket) -> tuple[str, int, int]:
    """Return what *sock* is bound to."""
    name = sock.getsockname()
    return name[0].partition("%")[0], name[1], name[3] if sock.family == socket.AF_INET6 else 0
