"""Messages off the wire, record by record, fast enough for transfers (RFC 1035 section 4).

What comes from a peer is hostile: every length is checked, compression pointers go backwards only, and RDATA
comes out uncompressed and checked for its type. `WireError` is all that reading raises. No I/O.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

from bindpy.deferred import dataclass
from bindpy.xfr.wire_names import POINTER, NameReader, WireError
from bindpy.xfr.wire_rdata import readers_of
from bindpy.zone.names import MAX_LABEL_OCTETS, Name
from bindpy.zone.records import IN, RRType

__all__ = ["Edns", "Message", "Question", "WireError", "WireRR", "build_query", "read_message"]

WireRR: TypeAlias = tuple[Name, int, int, int, bytes]
"""Owner, type, class, TTL and RDATA. A plain tuple: a million of them pass through a transfer."""

HEADER_OCTETS = 12
MAX_MESSAGE_OCTETS = 65535
QR, AA, TC = 0x8000, 0x0400, 0x0200
OPCODE_MASK, RCODE_MASK = 0x7800, 0x000F
EDNS_EXPIRE = 9
"""The code of the EXPIRE option (RFC 7314)."""

_MAX_TTL = 0x7FFFFFFF
_DO = 0x8000  # in the TTL of an OPT record (RFC 6891 section 6.1.4)
_header = struct.Struct("!6H")
_fixed = struct.Struct("!HHIH")
_pair = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class Question:
    """The question of a message; *name* as it was sent, case kept."""

    name: Name
    rtype: int
    rdclass: int

    def same_as(self, other: Question) -> bool:
        """Return whether *other* asks the same (names compare without case, RFC 4343)."""
        same_kind = (self.rtype, self.rdclass) == (other.rtype, other.rdclass)
        return same_kind and self.name.lower() == other.name.lower()

    def to_wire(self) -> bytes:
        """Return it as it stands in a message, the name uncompressed."""
        return self.name + _pair.pack(self.rtype, self.rdclass)


@dataclass(frozen=True, slots=True)
class Edns:
    """The OPT record of a message (RFC 6891): what it offers, and its options by code."""

    payload_octets: int
    version: int
    options: dict[int, bytes]

    @property
    def expire_s(self) -> int | None:
        """Seconds until the sender's copy of the zone expires (RFC 7314), None if it does not say."""
        octets = self.options.get(EDNS_EXPIRE, b"")
        return int.from_bytes(octets) if len(octets) == 4 else None


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was read whole, of so many octets. ``rcode`` is the extended one where there is EDNS.

    TTLs in answer and authority with the highest bit set are 0 (RFC 2181 section 8). The additional section
    was walked through, but only its OPT record is kept.
    """

    id: int
    flags: int
    rcode: int
    question: Question | None
    answer: list[WireRR]
    authority: list[WireRR]
    edns: Edns | None
    octets: int

    @property
    def is_response(self) -> bool:
        """Whether this is an answer to something."""
        return bool(self.flags & QR)

    @property
    def is_truncated(self) -> bool:
        """Whether there is more of it, to be had over TCP."""
        return bool(self.flags & TC)

    @property
    def opcode(self) -> int:
        """The kind of message: 0 QUERY, 4 NOTIFY, …"""
        return (self.flags & OPCODE_MASK) >> 11


def read_message(octets: bytes) -> Message:
    """Read *octets*, which hold one question or none. Raises `WireError`, nothing else."""
    if len(octets) < HEADER_OCTETS:
        raise WireError("the message is shorter than a header")
    number, flags, questions, answers, authorities, additionals = _header.unpack_from(octets)
    if questions > 1:
        raise WireError(f"the message has {questions} questions")
    reader = _Reader(octets)
    question: Question | None = None
    at = HEADER_OCTETS
    try:
        if questions:
            question, at = reader.question(at)
        answer, at = reader.records(at, answers)
        authority, at = reader.records(at, authorities)
        edns, high_rcode, at = reader.additional(at, additionals)
    except (IndexError, struct.error):
        raise WireError("the message ends too early") from None
    if at != len(octets):
        raise WireError(f"{len(octets) - at} octets follow the last record")
    rcode = high_rcode << 4 | flags & RCODE_MASK
    return Message(number, flags, rcode, question, answer, authority, edns, len(octets))


class _Reader(NameReader):
    """Goes through one message from its beginning to its end. May raise IndexError and struct.error."""

    __slots__ = ()

    def question(self, at: int) -> tuple[Question, int]:
        name = self.name(at)
        at = self.end(at)
        return Question(name, *_pair.unpack_from(self.octets, at)), at + _pair.size

    def records(self, at: int, count: int) -> tuple[list[WireRR], int]:
        """Return *count* records from *at* on, and where they end. One loop, for speed."""
        octets, known, unpack = self.octets, self.known, _fixed.unpack_from
        size_octets = len(octets)
        readers, readers_class = readers_of(IN), IN
        out: list[WireRR] = []
        append = out.append
        for _ in range(count):
            first = octets[at]
            if first >= POINTER:
                target = (first & 0x3F) << 8 | octets[at + 1]
                owner = known.get(target) if target < at else None
                if owner is None:
                    owner = self.name(at)
                at += 2
            else:
                owner = self.name(at)
                following = at + 1 + first
                if 0 < first <= MAX_LABEL_OCTETS and octets[following] >= POINTER:
                    at = following + 2
                else:
                    at = self.end(at)
            rtype, rdclass, ttl, length = unpack(octets, at)
            at += 10
            end = at + length
            if end > size_octets:
                raise WireError("the message ends inside a record")
            if rdclass != readers_class:
                readers, readers_class = readers_of(rdclass), rdclass
            rdata = readers[rtype](self, at, end)
            append((owner, rtype, rdclass, ttl if ttl <= _MAX_TTL else 0, rdata))
            at = end
        return out, at

    def additional(self, at: int, count: int) -> tuple[Edns | None, int, int]:
        """Return the OPT record, the upper bits of the rcode that it holds, and where the section ends."""
        edns: Edns | None = None
        high_rcode = 0
        for _ in range(count):
            owner = self.name(at)
            at = self.end(at)
            rtype, rdclass, ttl, length = _fixed.unpack_from(self.octets, at)
            at += _fixed.size
            end = at + length
            if end > len(self.octets):
                raise WireError("the message ends inside a record")
            if rtype == RRType.OPT:
                if edns is not None or len(owner) != 1:
                    raise WireError("the message has two OPT records, or one that is not the root's")
                high_rcode = ttl >> 24
                edns = Edns(rdclass, ttl >> 16 & 0xFF, _options(self.octets[at:end]))
            at = end
        return edns, high_rcode, at


def _options(rdata: bytes) -> dict[int, bytes]:
    options: dict[int, bytes] = {}
    at = 0
    while at < len(rdata):
        code, length = _pair.unpack_from(rdata, at)
        at += _pair.size + length
        if at > len(rdata):
            raise WireError("an EDNS option goes on past the end of the OPT record")
        options[code] = rdata[at - length : at]
    return options


def build_query(
    question: Question,
    *,
    flags: int = 0,
    answer: tuple[WireRR, ...] = (),
    authority: tuple[WireRR, ...] = (),
    edns_payload_octets: int = 0,
    expire: bool = False,
    dnssec_ok: bool = False,
) -> bytes:
    """Return a message with ID 0 that asks *question*; nothing in it is compressed.

    NOTIFY (RFC 1996) has the new SOA in its *answer*, an IXFR query (RFC 1995 section 3) ours in *authority*.
    An OPT record goes with it when *edns_payload_octets* is not 0; it asks for EXPIRE if *expire*, and for
    RRSIGs if *dnssec_ok*.
    """
    counts = (1, len(answer), len(authority), int(bool(edns_payload_octets)))
    parts = [_header.pack(0, flags, *counts), question.to_wire()]
    for owner, rtype, rdclass, ttl, rdata in (*answer, *authority):
        parts += owner, _fixed.pack(rtype, rdclass, ttl, len(rdata)), rdata
    if edns_payload_octets:
        options = _pair.pack(EDNS_EXPIRE, 0) if expire else b""
        flags = _DO if dnssec_ok else 0
        parts += b"\0", _fixed.pack(RRType.OPT, edns_payload_octets, flags, len(options)), options
    return b"".join(parts)
