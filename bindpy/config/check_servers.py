"""``server`` statements: one for each prefix, sources of the prefix's own address family."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from bindpy.config.check_report import Report, after, inside, number, word
from bindpy.config.tree import Block, Statement, Token

_IPV4_ONLY = frozenset({"notify-source", "transfer-source", "query-source"})
_IPV6_ONLY = frozenset({"notify-source-v6", "transfer-source-v6", "query-source-v6"})


def check_servers(report: Report, servers: Iterable[Statement], listening: int) -> None:
    """Check the ``server`` statements of one view, or those outside of views.

    *listening* is the port that the server listens on.
    """
    known: dict[IPv4Network | IPv6Network, Statement] = {}
    for server in servers:
        prefix = server_prefix(server)
        if prefix is None:
            continue
        first = known.setdefault(prefix, server)
        if first is not server:
            report.repeated(f"server '{prefix}' is already defined", server, first)
        wrong = _IPV6_ONLY if prefix.version == 4 else _IPV4_ONLY
        for inner in inside(server):
            if inner.keyword in wrong:
                report.at(f"server '{prefix}': '{inner.keyword}' is of the other address family", inner)
            if inner.keyword in _IPV4_ONLY or inner.keyword in _IPV6_ONLY:
                check_source_port(report, inner, listening)


def check_source_port(report: Report, statement: Statement, listening: int) -> None:
    """A source address does not name the port that the server listens on."""
    index = after(statement, "port")
    if index and number(word(statement, index)) == listening:
        message = f"'{statement.keyword}' cannot use port {listening}, on which the server listens"
        report.at(message, statement, index)


def server_prefix(server: Statement) -> IPv4Network | IPv6Network | None:
    """Return the prefix that a ``server`` statement is about; None where it is not well formed."""
    tokens = []
    for item in server.items[1:]:
        if isinstance(item, Block):
            break
        tokens.append(item)
    match tokens:
        case [Token(text=address)]:
            text = address
        case [Token(text=address), Token(text="/"), Token(text=length)]:
            octets = address.split(".") if ":" not in address else []
            text = f"{'.'.join(octets + ['0'] * (4 - len(octets))) if octets else address}/{length}"
        case _:
            return None
    try:
        return ip_network(text)
    except ValueError:
        return None
