"""A small DNS client for tests: many queries in flight over one socket, answers in the order asked."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

import dns.name

Address: TypeAlias = tuple[str, int]
"""An IPv4 address and a port."""

UDP_WINDOW = 48
TCP_WINDOW = 16
_RECEIVE_BUFFER_OCTETS = 4 * 1024 * 1024


def soa_query(origin: str) -> bytes:
    """Return a query for the SOA of *origin*, ID 0, no EDNS, RD off."""
    name = dns.name.from_text(origin).to_wire() or b""
    return struct.pack("!6H", 0, 0, 1, 0, 0, 0) + name + struct.pack("!HH", 6, 1)


def exchange_udp(
    address: Address,
    queries: Sequence[bytes],
    *,
    window: int = UDP_WINDOW,
    timeout_s: float = 1.0,
    attempts: int = 4,
) -> list[bytes | None]:
    """Ask *queries* (their IDs are replaced) over UDP and return the answers in order.

    An answer is None when *attempts* rounds of *timeout_s* brought none. IDs count from 0, so an answer
    keeps its query's place as ID; at most 65,536 queries.
    """
    if len(queries) > 0x10000:
        raise ValueError("more queries than IDs")
    answers: list[bytes | None] = [None] * len(queries)
    missing = list(range(len(queries)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_OCTETS)
        sock.connect(address)
        sock.setblocking(False)
        for _ in range(attempts):
            _one_udp_round(sock, queries, missing, answers, window=window, timeout_s=timeout_s)
            missing = [i for i in missing if answers[i] is None]
            if not missing:
                break
    return answers


def _one_udp_round(
    sock: socket.socket,
    queries: Sequence[bytes],
    wanted: list[int],
    answers: list[bytes | None],
    *,
    window: int,
    timeout_s: float,
) -> None:
    to_send = deque(wanted)
    in_flight: dict[int, float] = {}
    while to_send or in_flight:
        while to_send and len(in_flight) < window:
            i = to_send.popleft()
            try:
                sock.send(struct.pack("!H", i) + queries[i][2:])
            except ConnectionRefusedError:  # an ICMP error for an earlier packet: nobody listens yet
                return
            in_flight[i] = time.monotonic() + timeout_s
        readable, _, _ = select.select([sock], [], [], timeout_s)
        if readable and not _receive_all(sock, answers, in_flight):
            return
        now = time.monotonic()
        for i in [i for i, deadline in in_flight.items() if deadline <= now]:
            del in_flight[i]


def _receive_all(sock: socket.socket, answers: list[bytes | None], in_flight: dict[int, float]) -> bool:
    """Take what has come, late or not: where this process had to wait for a processor, all of it is late.

    Returns False when an ICMP error says that nobody listens.
    """
    try:
        while True:
            reply = sock.recv(65535)
            i = int.from_bytes(reply[:2], "big")
            in_flight.pop(i, None)
            if i < len(answers) and answers[i] is None:
                answers[i] = reply
    except BlockingIOError:
        return True
    except ConnectionRefusedError:
        return False


def exchange_tcp(
    address: Address,
    queries: Sequence[bytes],
    *,
    window: int = TCP_WINDOW,
    timeout_s: float = 5.0,
    attempts: int = 3,
) -> list[bytes | None]:
    """Ask *queries* over TCP, pipelined, on one connection (RFC 7766 section 6.2.1.1); answers in order.

    A connection that the server closes or that is silent for *timeout_s* is opened anew for what is
    missing, *attempts* times in all.
    """
    answers: list[bytes | None] = [None] * len(queries)
    for _ in range(attempts):
        missing = [i for i, answer in enumerate(answers) if answer is None]
        if not missing:
            break
        with socket.create_connection(address, timeout=timeout_s) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _one_tcp_round(sock, queries, missing, answers, window)
    return answers


def _one_tcp_round(
    sock: socket.socket, queries: Sequence[bytes], wanted: list[int], answers: list[bytes | None], window: int
) -> None:
    to_send = deque(wanted)
    in_flight: set[int] = set()
    reader = sock.makefile("rb")
    try:
        while to_send or in_flight:
            out = []
            while to_send and len(in_flight) < window:
                i = to_send.popleft()
                out.append(struct.pack("!HH", len(queries[i]), i) + queries[i][2:])
                in_flight.add(i)
            if out:
                sock.sendall(b"".join(out))
            length = reader.read(2)
            if len(length) < 2:
                return
            reply = reader.read(int.from_bytes(length, "big"))
            i = int.from_bytes(reply[:2], "big")
            if i in in_flight:
                in_flight.discard(i)
                answers[i] = reply
    except (TimeoutError, ConnectionError):
        return
    finally:
        reader.close()
