"""Serves queries on UDP: for each socket a thread that blocks in the kernel and nowhere else.

There is no event loop on this path. A query that the Answerer holds a whole answer for costs one look-up
between `recvfrom` and `sendto`; Python gives up its global lock in both calls, so the threads of several
sockets and the control plane get along.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from bindpy.answer.policy import Outcome, Transport
from bindpy.engine import Answerer
from bindpy.server.bridge import ControlBridge
from bindpy.server.endpoint import Endpoint, SockAddr, is_link_local
from bindpy.server.querylog import QueryTap
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.request import Request
from bindpy.server.sockets import IP_PKTINFO, let_reads_end

MAX_DATAGRAM_OCTETS = 65_535
NEVER_ANSWERED_PORTS = frozenset((0, 7, 13, 19, 37, 464))
"""Source ports that no resolver has: echo, daytime, chargen, time, kpasswd; answering them makes loops."""
STOP_WITHIN_S = 0.5
STUCK_AFTER_S = 10.0
"""How long one packet may take before its thread counts as stuck; an answer takes microseconds."""
ERROR_PAUSE_S = 0.05
KNOWN_LOCALS = 1024

Ancillary: TypeAlias = list[tuple[int, int, bytes]]

log = logging.getLogger("bindpy.client")
network_log = logging.getLogger("bindpy.network")


class UdpWorker:
    """One bound UDP socket and the thread that serves it. Owns the socket from now on.

    The counters are written by the worker's thread only (`control_answers` and `send_errors` also by the
    event loop: approximate by nature) and may be read from anywhere. *on_failure* is called on the worker's
    thread should it end by an error.
    """

    def __init__(
        self,
        sock: socket.socket,
        endpoint: Endpoint,
        answerer: Answerer,
        bridge: ControlBridge,
        tap: QueryTap,
        *,
        is_shared: bool = False,
        on_failure: Callable[[Endpoint, BaseException], None],
    ) -> None:
        self.endpoint = endpoint
        self.hot_answers = 0
        self.answers = 0
        self.dropped = 0
        self.control_requests = 0
        self.receive_errors = 0
        self.send_errors = 0
        self._sock = sock
        self._is_shared = is_shared
        if is_shared:
            let_reads_end(sock)
        self._answerer = answerer
        self._bridge = bridge
        self._tap = tap
        self._on_failure = on_failure
        self._busy_since: float | None = None
        self._stopping = threading.Event()
        self._running = True
        self._locals = _LocalAddressCache(endpoint.family)
        self._receive_log = RateLimitedLog(network_log)
        self._send_log = RateLimitedLog(log)
        self._failure_log = RateLimitedLog(log)
        serve = self._serve_wildcard if endpoint.is_wildcard else self._serve
        self._thread = threading.Thread(target=self._run, args=(serve,), name=f"udp {endpoint}", daemon=True)

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def request_stop(self) -> None:
        """Tell the thread to end; it sees that at once (after a moment, if the socket is shared)."""
        self._running = False
        self._stopping.set()
        if self._is_shared:
            return
        # Linux calls a UDP socket without a peer "not connected", and wakes up its readers all the same.
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)

    def join(self) -> bool:
        """Wait for the thread's end after `request_stop` and close the socket; blocks.

        Returns False, and leaves the socket to the thread, when it has not ended within `STOP_WITHIN_S`.
        """
        if self._thread.ident is not None:
            self._thread.join(STOP_WITHIN_S)
            if self._thread.is_alive():
                network_log.error("the thread that serves UDP on %s did not stop in time", self.endpoint)
                return False
        self._sock.close()
        return True

    def trouble(self) -> str | None:
        """Return what keeps the thread from serving, None if nothing does."""
        if not self._thread.is_alive():
            return f"the thread that serves UDP on {self.endpoint} has ended"
        since = self._busy_since
        if since is not None and (seconds := time.monotonic() - since) > STUCK_AFTER_S:
            return f"the thread that serves UDP on {self.endpoint} is stuck on one packet for {seconds:.0f} s"
        return None

    def _run(self, serve: Callable[[], None]) -> None:
        # Signals are the main thread's.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            serve()
        except BaseException as error:  # noqa: BLE001 - that nobody serves any more must not go unseen
            self._on_failure(self.endpoint, error)

    def _serve(self) -> None:
        """Serve a socket that is bound to one address."""
        answerer, tap, sock = self._answerer, self._tap, self._sock
        recvfrom, sendto, never = sock.recvfrom, sock.sendto, NEVER_ANSWERED_PORTS
        local = self.endpoint.address
        while self._running:
            try:
                data, client = recvfrom(MAX_DATAGRAM_OCTETS)
            except OSError as error:
                self._receive_failed(error)
                continue
            if not data:  # woken up to stop, or an empty datagram
                continue
            hot = answerer.hot
            if hot is not None and tap.hook is None and client[1] not in never:
                entry = hot.get(data[2:])
                if entry is not None:
                    try:
                        sendto(data[:2] + entry, client)
                        self.hot_answers += 1
                    except OSError as error:
                        self._send_failed(error, client)
                    continue
            self._busy_since = time.monotonic()
            self._answer(data, client, local, None)
            self._busy_since = None

    def _serve_wildcard(self) -> None:
        """Serve a socket that is bound to all addresses: each answer leaves from the one that was asked."""
        answerer, tap, sock = self._answerer, self._tap, self._sock
        recvmsg, sendmsg, never = sock.recvmsg, sock.sendmsg, NEVER_ANSWERED_PORTS
        known, space = self._locals.known, socket.CMSG_SPACE(20)
        while self._running:
            try:
                data, ancillary, _, client = recvmsg(MAX_DATAGRAM_OCTETS, space)
            except OSError as error:
                self._receive_failed(error)
                continue
            if not data:
                continue
            try:
                local, source = known[ancillary[0][2]]
            except (KeyError, IndexError):
                local, source = self._locals.get(ancillary)
            hot = answerer.hot
            if hot is not None and tap.hook is None and client[1] not in never:
                entry = hot.get(data[2:])
                if entry is not None:
                    try:
                        sendmsg((data[:2], entry), source, 0, client)
                        self.hot_answers += 1
                    except OSError as error:
                        self._send_failed(error, client)
                    continue
            self._busy_since = time.monotonic()
            self._answer(data, client, local, source)
            self._busy_since = None

    def _answer(self, data: bytes, client: SockAddr, local: str, source: Ancillary | None) -> None:
        """Answer the packet that has no ready-made answer."""
        address, port = client[0], client[1]
        if port in NEVER_ANSWERED_PORTS:
            self.dropped += 1
            return
        hook = self._tap.hook
        try:
            if hook is not None:
                hook(data, Endpoint(address, port), local, Transport.UDP)
            answer = self._answerer.answer(data, address, local, Transport.UDP)
        except Exception as error:  # noqa: BLE001
            # A bug: neither of the two may raise. One packet must not end the service for all others.
            self._failure_log.log(
                logging.ERROR,
                "client %s: no answer because of an internal error, query %s",
                Endpoint(address, port),
                data.hex(),
                exc_info=error,
            )
            self.dropped += 1
            return
        if isinstance(answer, bytes):
            if self._send(answer, client, source):
                self.answers += 1
        elif answer is Outcome.NOT_MINE:
            self.control_requests += 1
            request = Request(data, Endpoint(address, port), local, Transport.UDP, self.endpoint.port)
            self._bridge.submit(request, lambda reply: self._send_from_loop(reply, client, source))
        else:
            self.dropped += 1

    def _send_from_loop(self, message: bytes, client: SockAddr, source: Ancillary | None) -> None:
        """Send a control-plane reply; the event loop does not wait for room in the buffer."""
        if self._running:
            self._send(message, client, source, socket.MSG_DONTWAIT)

    def _send(self, message: bytes, client: SockAddr, source: Ancillary | None, flags: int = 0) -> bool:
        try:
            if source is None:
                self._sock.sendto(message, flags, client)
            else:
                self._sock.sendmsg((message,), source, flags, client)
        except OSError as error:
            self._send_failed(error, client)
            return False
        return True

    def _receive_failed(self, error: OSError) -> None:
        """Count an error of the socket. It is one packet's trouble, such as ENOMEM: serving goes on."""
        if self._is_shared and error.errno == errno.EAGAIN:
            return  # nothing came for a while
        if self._running:
            self.receive_errors += 1
            self._receive_log.log(
                logging.WARNING, "receiving UDP on %s failed: %s", self.endpoint, error.strerror
            )
            self._stopping.wait(ERROR_PAUSE_S)

    def _send_failed(self, error: OSError, client: SockAddr) -> None:
        """Count an answer that the kernel did not take: no route, a firewall rule, a full buffer."""
        self.send_errors += 1
        self._send_log.log(
            logging.WARNING,
            "client %s: error sending response from %s: %s",
            Endpoint(client[0], client[1]),
            self.endpoint,
            error.strerror,
        )


class _LocalAddressCache:
    """From the "packet info" of a received packet to its destination's text and the one to answer with.

    `known` has those seen lately; for others, ask `get`.
    """

    def __init__(self, family: socket.AddressFamily) -> None:
        self._ipv6 = family == socket.AF_INET6
        self.known: dict[bytes, tuple[str, Ancillary]] = {}
        self._unknown: tuple[str, Ancillary] = ("::" if self._ipv6 else "0.0.0.0", [])

    def get(self, ancillary: Ancillary) -> tuple[str, Ancillary]:
        """Return the local address and what to hand to `sendmsg` so that the answer leaves from it."""
        if not ancillary:
            return self._unknown  # the kernel had no memory for it: let it choose the source address
        info = ancillary[0][2]
        found = self.known.get(info)
        if found is None:
            if len(self.known) >= KNOWN_LOCALS:  # a loopback net has 16 million addresses
                self.known.clear()
            found = self.known[info] = self._read(info)
        return found

    def _read(self, info: bytes) -> tuple[str, Ancillary]:
        if self._ipv6:  # struct in6_pktinfo: address, interface
            address, interface = struct.unpack("@16sI", info)
            text = socket.inet_ntop(socket.AF_INET6, address)
            # Routing chooses the interface, except where the address means nothing without one.
            scope = interface if is_link_local(text) else 0
            reply = struct.pack("@16sI", address, scope)
            return text, [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, reply)]
        # struct in_pktinfo: interface, our address to answer from, destination in the header
        _, ours, _ = struct.unpack("@I4s4s", info)
        reply = struct.pack("@I4s4s", 0, ours, b"\0\0\0\0")
        return socket.inet_ntop(socket.AF_INET, ours), [(socket.IPPROTO_IP, IP_PKTINFO, reply)]
