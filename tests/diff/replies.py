"""Answers in a form that can be compared: sections as sets, names by key, everything else as it came."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

SOA, NS, CNAME, DNAME, DS, RRSIG, NSEC, DNSKEY, NSEC3, ANY = 6, 2, 5, 39, 43, 46, 47, 48, 50, 255
MAX_LINES = 12  # of one section, in reports
_HEADER_FLAGS = dns.flags.QR | dns.flags.AA | dns.flags.RD | dns.flags.RA | dns.flags.AD | dns.flags.CD


class Record(NamedTuple):
    """One RR. ``owner`` is lower-cased presentation text, ``rdata`` canonical wire (RFC 4034 section 6.2)."""

    owner: str
    rtype: int
    ttl: int
    rdata: bytes

    def __str__(self) -> str:
        rtype = dns.rdatatype.RdataType.make(self.rtype)
        rdata = dns.rdata.from_wire("IN", rtype, self.rdata, 0, len(self.rdata))
        return f"{self.owner} {self.ttl} {dns.rdatatype.to_text(rtype)} {rdata}"[:120]

    @property
    def covers(self) -> int:
        """The type that an RRSIG covers; other types: themselves."""
        return int.from_bytes(self.rdata[:2], "big") if self.rtype == RRSIG else self.rtype


Section = frozenset[Record]


@dataclass(frozen=True)
class Reply:
    """A parsed answer."""

    wire: bytes
    rcode: int
    flags: int  # QR, AA, RD, RA, AD, CD; see `truncated` for TC
    truncated: bool
    opcode: int
    question: bytes
    answer: Section
    authority: Section
    additional: Section
    repeated: tuple[Record, ...]
    edns: tuple[int, int, int] | None  # version, payload, flags

    @cached_property
    def is_referral(self) -> bool:
        """Whether this points at another server: no SOA, but NS that are not the zone's own."""
        types = {record.rtype for record in self.authority}
        return not self.flags & dns.flags.AA and NS in types and SOA not in types

    def flag_text(self) -> str:
        """Return the flags as words."""
        return dns.flags.to_text(self.flags | (dns.flags.TC if self.truncated else 0))

    def __str__(self) -> str:
        lines = [
            f"{dns.rcode.to_text(dns.rcode.Rcode(self.rcode))} {self.flag_text()} {len(self.wire)} octets"
            f" EDNS {self.edns}"
        ]
        for title in ("answer", "authority", "additional"):
            records: Section = getattr(self, title)
            lines += [f"  {title:10} {record}" for record in sorted(records)[:MAX_LINES]]
            if len(records) > MAX_LINES:
                lines.append(f"  {title:10} … {len(records)} records in all")
        return "\n".join(lines)


class BadReplyError(ValueError):
    """Octets that are no answer."""


def parse(wire: bytes) -> Reply:
    """Return what *wire* says. Raises `BadReplyError`."""
    try:
        message = dns.message.from_wire(wire, one_rr_per_rrset=True)
    except dns.exception.DNSException as error:
        raise BadReplyError(f"{type(error).__name__}: {error}: {wire.hex()}") from error
    sections = [_records(s) for s in (message.answer, message.authority, message.additional)]
    repeated = [r for records in sections for r in set(records) if records.count(r) > 1]
    return Reply(
        wire=wire,
        rcode=message.rcode(),
        flags=message.flags & _HEADER_FLAGS,
        truncated=bool(message.flags & dns.flags.TC),
        opcode=message.opcode(),
        question=_question(wire),
        answer=frozenset(sections[0]),
        authority=frozenset(sections[1]),
        additional=frozenset(sections[2]),
        repeated=tuple(repeated),
        edns=(message.edns, message.payload, message.ednsflags & 0xFFFF) if message.edns >= 0 else None,
    )


def _question(wire: bytes) -> bytes:
    if wire[4:6] != b"\0\1":
        return b""
    end = 12
    while size := wire[end]:
        end += 1 + size
    return wire[12 : end + 5]


def _records(rrsets: list[dns.rrset.RRset]) -> list[Record]:
    return [
        Record(
            owner=str(rrset.name.canonicalize()),
            rtype=rrset.rdtype,
            ttl=rrset.ttl,
            rdata=rrset[0].to_digestable(dns.name.root),
        )
        for rrset in rrsets
    ]
