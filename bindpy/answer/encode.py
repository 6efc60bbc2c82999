"""From a collected response to octets: name compression, EDNS and, here only, truncation.

RFC 1035 section 4.1, RFC 3597 section 4 (which RDATA may hold compressed names), RFC 6891 section 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from bindpy.answer.query import (
    HEADER_OCTETS,
    OPCODE_MASK,
    OPT_FIXED_OCTETS,
    OPTION_EXPIRE,
    OPTION_NSID,
    Query,
    Rcode,
    Refusal,
    question_end,
)
from bindpy.answer.response import Ede, Entry, Response
from bindpy.zone.names import Name
from bindpy.zone.records import ANY_CLASS, CHAOS, IN, RRType

_RR_HEAD = Struct("!HHIH").pack
_HEADER = Struct("!HHHHH").pack  # without the ID
_SHORT = Struct("!H").pack
_OPT = Struct("!xHHIH").pack

QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
PRESERVED_FLAGS: Final = 0x0110  # RD and CD are copied (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2)
DNSSEC_OK: Final = 0x8000

_POINTER: Final = 0xC000
_REACH: Final = 0x3FFF  # the highest offset that a pointer can hold

# A place in the compression dictionary is the offset, and above it how many pointers are passed from there
# on. Readers follow a few only (dnspython sixteen), and chains of DNAMEs would make more.
_TOO_DEEP: Final = 8 * (_REACH + 1)
_OPTION_EDE: Final = 15
_RR_FIXED_OCTETS: Final = 10  # type, class, TTL and length
EXPIRE_OCTETS: Final = 8
"""How long an EXPIRE option is."""

# Where the names start that RDATA may hold compressed, and how many follow one another there: the types
# of RFC 1035 (RFC 3597 section 4).
COMPRESSIBLE: Final[dict[int, tuple[int, int]]] = {
    RRType.NS: (0, 1), RRType.CNAME: (0, 1), RRType.PTR: (0, 1), RRType.MX: (2, 1), RRType.SOA: (0, 2),
    RRType.MB: (0, 1), RRType.MD: (0, 1), RRType.MF: (0, 1), RRType.MG: (0, 1), RRType.MR: (0, 1),
    RRType.MINFO: (0, 2),
}  # fmt: skip


def encode(
    query: Query, response: Response, limit_octets: int, *, edns_octets: int, nsid: bytes | None
) -> bytes:
    """Return *response* as a message of at most *limit_octets*.

    An RRset goes in whole or not at all. One of the answer or authority section, or required glue, that
    does not fit sets TC and ends the message (RFC 2181 section 9, RFC 9471 section 3); what does not fit
    of the rest of the additional section is left out silently. *edns_octets* is the payload size that we
    advertise, *nsid* our identity for those who ask (RFC 5001).
    """
    opt = _opt(query, response, edns_octets, nsid) if query.edns else b""
    message = _Message(query, limit_octets - len(opt))
    answers = message.put(response.answer)
    authorities = message.put(response.authority)
    additionals = message.put(response.additional[: response.required])
    flags = QR | (query.flags & PRESERVED_FLAGS) | (response.rcode & 0xF)
    if message.full:
        flags |= TC
    else:
        additionals += message.put(response.additional[response.required :])
    # RFC 1035 section 6.2: what is asked of all classes is never answered with authority.
    if response.authoritative and query.qclass != ANY_CLASS:
        flags |= AA
    out = message.out
    if opt:
        out += opt
        additionals += 1
    out[2:HEADER_OCTETS] = _HEADER(flags, 1, answers, authorities, additionals)
    return bytes(out)


class _Message:
    """The octets so far, and where names stand in them (the compression dictionary)."""

    __slots__ = ("full", "names", "out", "rdclass", "room")

    def __init__(self, query: Query, room: int) -> None:
        self.room = room
        self.full = False
        self.rdclass = CHAOS if query.qclass == CHAOS else IN
        self.out = bytearray(query.data[: query.question_end])
        # Compression keeps case: a name of the zone in another case than the question's is written out.
        self.names: dict[bytes, int] = {}
        name, at = query.qname, HEADER_OCTETS
        while size := name[0]:
            self.names[name] = at
            name = name[1 + size :]
            at += 1 + size

    def put(self, entries: Sequence[Entry]) -> int:
        """Write RRsets until one does not fit: it is taken out again, ``full`` is set, and nothing follows.

        Returns the number of records written.
        """
        count = 0
        if self.full:
            return count
        out, names, room, rdclass = self.out, self.names, self.room, self.rdclass
        for owner, rtype, ttl, rdatas in entries:
            start = len(out)
            compressible = COMPRESSIBLE.get(rtype)
            for rdata in rdatas:
                place = names.get(owner)
                if place is None or place >= _TOO_DEEP:
                    _put_name(out, names, owner)
                else:
                    out += _SHORT(_POINTER | place & _REACH)
                if compressible is None:
                    out += _RR_HEAD(rtype, rdclass, ttl, len(rdata))
                    out += rdata
                else:
                    _put_compressed(out, names, _RR_HEAD(rtype, rdclass, ttl, 0), rdata, compressible)
                if len(out) > room:
                    del out[start:]
                    self.full = True
                    return count
            count += len(rdatas)
        return count


def _put_name(out: bytearray, names: dict[bytes, int], name: Name) -> None:
    """Write *name*, ending in a pointer where a suffix of it stands already."""
    base = len(out)
    at = 0
    fresh = []
    suffix = name
    depth = 0
    while size := suffix[0]:
        place = names.get(suffix)
        if place is not None and place < _TOO_DEEP:
            out += name[:at]
            out += _SHORT(_POINTER | place & _REACH)
            depth = (place | _REACH) + 1
            break
        if base + at <= _REACH:
            fresh.append((suffix, base + at))
        at += 1 + size
        suffix = name[at:]
    else:
        out += name
    for suffix, offset in fresh:
        names[suffix] = depth | offset


def _put_compressed(
    out: bytearray, names: dict[bytes, int], head: bytes, rdata: bytes, compressible: tuple[int, int]
) -> None:
    """Write a record's type to RDATA where the RDATA holds names that may be compressed."""
    out += head
    start = len(out)
    at, count = compressible
    out += rdata[:at]
    for _ in range(count):
        end = at
        while size := rdata[end]:
            end += 1 + size
        end += 1
        _put_name(out, names, rdata[at:end])
        at = end
    out += rdata[at:]
    out[start - 2 : start] = _SHORT(len(out) - start)


def _opt(query: Query, response: Response, edns_octets: int, nsid: bytes | None) -> bytes:
    options = b""
    if nsid is not None and query.nsid:
        options = _SHORT(OPTION_NSID) + _SHORT(len(nsid)) + nsid
    if response.ede is not None:
        options += _ede_option(response.ede)
    return opt_record(edns_octets, response.rcode, query.dnssec_ok, options)


def _ede_option(ede: Ede) -> bytes:
    """Return an Extended DNS Error without text (RFC 8914 section 2)."""
    return _SHORT(_OPTION_EDE) + b"\0\2" + _SHORT(ede)


def expire_option(seconds: int) -> bytes:
    """Return an EXPIRE option (RFC 7314)."""
    return _SHORT(OPTION_EXPIRE) + b"\0\4" + seconds.to_bytes(4)


def with_option(answer: bytes, option: bytes) -> bytes:
    """Return *answer*, a message of ours that ends with an OPT record, with one more *option* in it."""
    at = question_end(answer)
    records = sum(answer[place] << 8 | answer[place + 1] for place in (6, 8, 10))
    for _ in range(records - 1):
        at = _owner_end(answer, at) + _RR_FIXED_OCTETS
        at += answer[at - 2] << 8 | answer[at - 1]
    size_at = at + OPT_FIXED_OCTETS - 2
    octets = len(answer) - at - OPT_FIXED_OCTETS + len(option)
    return answer[:size_at] + _SHORT(octets) + answer[size_at + 2 :] + option


def _owner_end(message: bytes, at: int) -> int:
    while size := message[at]:
        if size >= 0xC0:
            return at + 2
        at += 1 + size
    return at + 1


def opt_record(edns_octets: int, rcode: Rcode, dnssec_ok: bool, options: bytes) -> bytes:
    """Return an OPT record that advertises *edns_octets* and holds the upper bits of *rcode*."""
    ttl = rcode >> 4 << 24 | (DNSSEC_OK if dnssec_ok else 0)
    return _OPT(RRType.OPT, edns_octets, ttl, len(options)) + options


def encode_refusal(data: bytes, refusal: Refusal, edns_octets: int) -> bytes:
    """Return the answer to a query that was not taken: header, the question if it was read, and OPT."""
    end = refusal.question_end
    flags = QR | (refusal.flags & (PRESERVED_FLAGS | OPCODE_MASK)) | (refusal.rcode & 0xF)
    query = refusal.edns
    opt = b"" if query is None else opt_record(edns_octets, refusal.rcode, query.dnssec_ok, b"")
    head = data[:2] + _HEADER(flags, 1 if end > HEADER_OCTETS else 0, 0, 0, 1 if opt else 0)
    return head + data[HEADER_OCTETS:end] + opt
