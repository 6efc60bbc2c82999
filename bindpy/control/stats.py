"""What the server has counted, as values and in the form of BIND's statistics file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import dns.rcode

from bindpy.control.server import ControlledServer
from bindpy.reload.table import ZoneState
from bindpy.serving import QueryCounters
from bindpy.zone.rdata import type_to_text

LAST_COUNTED_TYPE: Final = 262
"""Types beyond it are counted together."""

_SERVER = (
    ("queries_udp", "UDP queries received"),
    ("queries_tcp", "TCP queries received"),
    ("requests_udp", "UDP requests other than queries received"),
    ("requests_tcp", "TCP requests other than queries received"),
    ("responses", "responses sent"),
    ("hot_answers", "responses sent from the cache of whole answers"),
    ("dropped", "requests dropped"),
    ("not_logged", "queries missing from the query log"),
)
_SOCKETS = (
    ("tcp_accepted", "TCP/IP connections accepted"),
    ("tcp_refused", "TCP/IP connections refused for want of room"),
    ("tcp_expired", "TCP/IP connections closed after a time-out"),
    ("tcp_clients", "TCP/IP connections active"),
    ("tcp_high_water", "TCP/IP connections high-water"),
    ("receive_errors", "UDP/IP recv errors"),
    ("send_errors", "UDP/IP send errors"),
)
_ZONES = tuple((state.value, f"zones {state.value}") for state in ZoneState)


def counters(server: ControlledServer) -> dict[str, Any]:
    """Return all counters as JSON values: ``server`` and ``sockets`` since the start, ``zones`` now."""
    found = server.listeners.counters()
    states = [entry.state for entry in server.keeper.table]
    udp = found.udp_hot_answers + found.udp_answers
    return {
        "server": {
            "queries_udp": udp + found.udp_dropped,
            "queries_tcp": found.tcp_answers + found.tcp_dropped,
            "requests_udp": found.udp_control_requests,
            "requests_tcp": found.tcp_control_requests,
            "responses": udp + found.tcp_answers,
            "hot_answers": found.udp_hot_answers,
            "dropped": found.udp_dropped + found.udp_control_dropped + found.tcp_dropped,
            "not_logged": found.untapped,
        },
        "queries": None if found.queries is None else _queries(found.queries),
        "sockets": {
            "tcp_accepted": found.tcp_accepted,
            "tcp_refused": found.tcp_refused,
            "tcp_expired": found.tcp_expired,
            "tcp_clients": found.tcp_clients,
            "tcp_high_water": found.tcp_high_water,
            "receive_errors": found.udp_receive_errors,
            "send_errors": found.udp_send_errors,
        },
        "zones": {state.value: states.count(state) for state in ZoneState},
    }


def _queries(found: QueryCounters) -> dict[str, Any]:
    types = {
        "other" if number > LAST_COUNTED_TYPE else type_to_text(number): count
        for number, count in found.qtypes.items()
    }
    return {
        "types": types,
        "rcodes": {dns.rcode.to_text(dns.rcode.Rcode(code)): count for code, count in found.rcodes.items()},
        "truncated": found.truncated,
        "faults": found.faults,
        "latency_us": {
            str(1 << bucket) if bucket < len(found.latencies) - 1 else "more": count
            for bucket, count in enumerate(found.latencies)
        },
    }


def statistics_text(found: dict[str, Any], now: int) -> str:
    """Return *found* as what BIND appends to its statistics file, *now* being seconds since 1970."""
    return "".join(f"{line}\n" for line in _lines(found, now))


def _lines(found: dict[str, Any], now: int) -> Iterator[str]:
    yield f"+++ Statistics Dump +++ ({now})"
    for title, part, names in (
        ("Name Server Statistics", "server", _SERVER),
        ("Zones", "zones", _ZONES),
        ("Socket I/O Statistics", "sockets", _SOCKETS),
    ):
        yield f"++ {title} ++"
        for name, text in names:
            yield f"{found[part][name]:20d} {text}"
    if found["queries"] is not None:
        yield from _query_lines(found["queries"])
    yield f"--- Statistics Dump --- ({now})"


def _query_lines(queries: dict[str, Any]) -> Iterator[str]:
    yield "++ Incoming Queries ++"
    for name, count in queries["types"].items():
        yield f"{count:20d} {name}"
    yield "++ Outgoing Rcodes ++"
    for name, count in queries["rcodes"].items():
        yield f"{count:20d} {name}"
    yield "++ Query Handling ++"
    yield f"{queries['truncated']:20d} truncated responses sent"
    yield f"{queries['faults']:20d} queries answered SERVFAIL because of a fault"
    *bounded, (_, slowest) = queries["latency_us"].items()
    for below, count in bounded:
        yield f"{count:20d} messages dealt with in less than {below} microseconds"
    yield f"{slowest:20d} messages that took longer"
