"""The query log: one line per query, worded as BIND 9.18 does."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from typing import TypeAlias

import dns.rdataclass
import dns.rdatatype

from bindpy.answer.policy import Transport
from bindpy.deferred import dataclass
from bindpy.server.endpoint import Endpoint
from bindpy.zone import names

QueryHook: TypeAlias = Callable[[bytes, Endpoint, str, Transport], None]
"""Called with each packet before it is answered: the packet, its sender, our address, the transport.

UDP threads and the event loop call it at the same time; it must not raise or block.
"""

_OPT, _TSIG = 41, 250
_COOKIE_OPTION = 10
_FLAG_RD, _FLAG_CD = 0x0100, 0x0010
_OPCODE = 0x7800
_DO = 0x8000


@dataclass(slots=True)
class QueryTap:
    """Where the sockets look for a `QueryHook`; set and unset while they run."""

    hook: QueryHook | None = None


class QueryLog:
    """A `QueryHook` that writes category ``queries`` at level info.

    Only opcode QUERY with one readable question is logged. The number behind ``client @`` tells clients
    apart, as BIND's pointer does.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("bindpy.queries")

    def __call__(self, packet: bytes, client: Endpoint, local: str, transport: Transport) -> None:
        """Write the line for *packet*, if it is a query."""
        described = describe_query(packet, transport)
        if described is not None:
            qname, rest = described
            number = hash((client, transport)) & 0xFFFFFFFFFFFF
            self._logger.info(
                "client @0x%012x %s (%s): query: %s %s (%s)", number, client, qname, qname, rest, local
            )


def describe_query(packet: bytes, transport: Transport) -> tuple[str, str] | None:
    """Return the question's name and "CLASS TYPE FLAGS" as BIND's query log has them, None for no query.

    Flags: ``+`` or ``-`` for RD, ``S`` signed, ``E(n)`` EDNS version, ``T`` TCP, ``D`` DO, ``C`` CD, ``K``
    a DNS cookie.
    """
    question = read_question(packet)
    if question is None or question.flags & _OPCODE or question.flags & 0x8000:
        return None
    signed, edns = _read_additional(packet, question.end)
    flags = "+" if question.flags & _FLAG_RD else "-"
    if signed:
        flags += "S"
    if edns is not None:
        flags += f"E({edns.version})"
    if transport is Transport.TCP:
        flags += "T"
    if edns is not None and edns.dnssec_ok:
        flags += "D"
    if question.flags & _FLAG_CD:
        flags += "C"
    if edns is not None and edns.cookie:
        flags += "K"
    return question.name_text, f"{question.class_text} {question.type_text} {flags}"


@dataclass(frozen=True, slots=True)
class Question:
    """The header's flags and the one question of a message; ``end`` is the offset behind it."""

    flags: int
    name: bytes
    qtype: int
    qclass: int
    end: int

    @property
    def name_text(self) -> str:
        """The name for a log line: presentation form, no final dot (the root is ``.``)."""
        text = names.to_text(self.name)
        return text if text == "." else text[:-1]

    @property
    def type_text(self) -> str:
        """``A``, ``AXFR``, ``TYPE65280`` …"""
        return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(self.qtype))

    @property
    def class_text(self) -> str:
        """``IN``, ``CH`` …"""
        return dns.rdataclass.to_text(dns.rdataclass.RdataClass.make(self.qclass))


def read_question(packet: bytes) -> Question | None:
    """Return the question of *packet*, None where there is not exactly one that can be read."""
    if len(packet) < 12:
        return None
    flags, questions = struct.unpack_from("!HH", packet, 2)
    if questions != 1:
        return None
    end = _skip_plain_name(packet, 12)
    if end is None or end + 4 > len(packet):
        return None
    qtype, qclass = struct.unpack_from("!HH", packet, end)
    return Question(flags, packet[12:end], qtype, qclass, end + 4)


def _skip_plain_name(packet: bytes, at: int) -> int | None:
    """Return the offset behind the uncompressed name at *at*; there is nothing before it to point to."""
    start = at
    while at < len(packet):
        size = packet[at]
        at += 1 + size
        if size > names.MAX_LABEL_OCTETS or at - start > names.MAX_NAME_OCTETS:
            return None
        if not size:
            return at
    return None


@dataclass(frozen=True, slots=True)
class _Edns:
    version: int
    dnssec_ok: bool
    cookie: bool


def _read_additional(packet: bytes, at: int) -> tuple[bool, _Edns | None]:
    """Return whether there is a TSIG, and what the OPT record says. Unreadable records end the search."""
    signed, edns = False, None
    answers, authorities, additionals = struct.unpack_from("!HHH", packet, 6)
    for _ in range(min(answers + authorities + additionals, len(packet) // 11)):
        behind_owner = _skip_name(packet, at)
        if behind_owner is None or behind_owner + 10 > len(packet):
            break
        rdtype, _, ttl, size = struct.unpack_from("!HHIH", packet, behind_owner)
        rdata = packet[behind_owner + 10 : behind_owner + 10 + size]
        at = behind_owner + 10 + size
        if rdtype == _TSIG:
            signed = True
        elif rdtype == _OPT:
            edns = _Edns(ttl >> 16 & 0xFF, bool(ttl & _DO), _has_cookie(rdata))
    return signed, edns


def _skip_name(packet: bytes, at: int) -> int | None:
    """Return the offset behind the name at *at*, which may end in a compression pointer."""
    while at < len(packet):
        size = packet[at]
        if size >= 0xC0:
            return at + 2
        if size > names.MAX_LABEL_OCTETS:
            return None
        at += 1 + size
        if not size:
            return at
    return None


def _has_cookie(options: bytes) -> bool:
    at = 0
    while at + 4 <= len(options):
        code, size = struct.unpack_from("!HH", options, at)
        if code == _COOKIE_OPTION:
            return True
        at += 4 + size
    return False
