"""Random queries for given zones: all kinds of names, types, flags, EDNS and sizes."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import dns.name
import dns.rdatatype

from tests.generate.names import ODD, Labels, below, label, text
from tests.generate.zones import OUTSIDE, ZoneText

_TYPES = (
    ("A", 20), ("AAAA", 6), ("TXT", 8), ("MX", 5), ("NS", 8), ("SOA", 4), ("CNAME", 4), ("DNAME", 3),
    ("DS", 7), ("SRV", 4), ("NAPTR", 2), ("SVCB", 3), ("HTTPS", 3), ("PTR", 2), ("ANY", 4), ("RRSIG", 2),
    ("NSEC", 2), ("NSEC3", 1), ("DNSKEY", 2), ("NSEC3PARAM", 1), ("LOC", 1), ("TYPE65280", 2),
    ("TYPE4711", 1), ("KX", 1),
)  # fmt: skip
_RD, _AD, _CD = 0x0100, 0x0020, 0x0010
_DO = 0x8000


@dataclass(frozen=True, slots=True)
class Query:
    """One query. ``edns`` is the payload size or None; ``flags`` are header bits besides the opcode."""

    qname: bytes
    qtype: int
    flags: int
    edns: int | None
    dnssec_ok: bool
    tcp: bool

    def wire(self) -> bytes:
        """Return the message, ID 0."""
        opt = b""
        if self.edns is not None:
            opt = b"\0" + struct.pack("!HHIH", 41, self.edns, _DO if self.dnssec_ok else 0, 0)
        header = struct.pack("!6H", 0, self.flags, 1, 0, 0, 1 if opt else 0)
        return header + self.qname + struct.pack("!HH", self.qtype, 1) + opt

    @property
    def size_limit(self) -> int:
        """The most octets that an answer may have (RFC 6891 section 6.2.3; over TCP 65,535)."""
        if self.tcp:
            return 65535
        return 512 if self.edns is None else max(512, self.edns)

    def __str__(self) -> str:
        name = dns.name.from_wire(self.qname, 0)[0]
        parts = [str(name), dns.rdatatype.to_text(dns.rdatatype.RdataType.make(self.qtype))]
        parts.append("+tcp" if self.tcp else "+notcp +ignore")
        for bit, word in ((_RD, "rdflag"), (_AD, "adflag"), (_CD, "cdflag")):
            parts.append(f"+{word}" if self.flags & bit else f"+no{word}")
        if self.edns is None:
            parts.append("+noedns")
        else:
            parts.append(f"+bufsize={self.edns} {'+dnssec' if self.dnssec_ok else '+nodnssec'}")
        return f"dig {' '.join(parts)} +nocookie"


def queries(rng: random.Random, zones: Sequence[ZoneText], count: int, *, signed: bool) -> list[Query]:
    """Return *count* queries for names in and around *zones*, more with DO where they are *signed*."""
    owners = [zone.owners() for zone in zones]
    names, weights = zip(*_TYPES, strict=True)
    out: list[Query] = []
    while len(out) < count:
        zone = rng.randrange(len(zones))
        labels = _name(rng, zones[zone], owners[zone])
        try:
            name = dns.name.from_text(text(labels)).to_wire() or b"\0"
        except dns.name.NameTooLong:
            continue
        rtype = rng.choices(names, weights)[0]
        if rng.random() < 0.25:  # a type that the zone has: its types at random names miss too often
            rtype = rng.choice(list(zones[zone].rrsets))[1]
        if rng.random() < 0.2:
            name = _mix_case(rng, name)
        edns = rng.choices((None, 512, 1232, 4096, 100), (4, 2, 8, 4, 1))[0]
        out.append(
            Query(
                qname=name,
                qtype=dns.rdatatype.from_text(rtype),
                flags=rng.choices((0, _RD, _CD, _RD | _AD | _CD, _AD), (10, 6, 2, 1, 1))[0],
                edns=edns,
                dnssec_ok=edns is not None and rng.random() < (0.8 if signed else 0.2),
                tcp=rng.random() < 0.15,
            )
        )
    return out


def _name(rng: random.Random, zone: ZoneText, owners: Sequence[Labels]) -> Labels:
    """Return a name: there, above, below or beside one that is, a wildcard's match, or outside."""
    kind = rng.randrange(100)
    owner = rng.choice(owners)
    if kind < 35:
        return owner
    if kind < 45:  # an ancestor: empty non-terminals, cuts, the apex
        return owner[rng.randrange(len(owner) - len(zone.origin) + 1) :]
    if kind < 60:
        return below(rng, owner)
    if kind < 70:
        return (label(rng), *owner[1:]) if len(owner) > len(zone.origin) else below(rng, owner, 1)
    if kind < 80:  # something that a wildcard may match
        ancestor = owner[owner.index("*") + 1 :] if "*" in owner else owner[1:]
        return below(rng, ancestor if len(ancestor) >= len(zone.origin) else zone.origin)
    if kind < 88 and zone.cuts + zone.dnames:
        return below(rng, rng.choice(zone.cuts + zone.dnames))
    if kind < 92:
        return zone.origin
    if kind < 95:  # names at the ends of the canonical order
        return (rng.choice(ODD), *owner[max(0, len(owner) - len(zone.origin) - 1) :])
    if kind < 97:  # as long as a name can be
        return _long(owner)
    return rng.choice((*OUTSIDE, below(rng, ("nowhere", "test"))))


def _long(owner: Labels) -> Labels:
    name = owner
    while len(text(name)) < 180:
        name = ("n" * 63, *name)
    return name


def _mix_case(rng: random.Random, name: bytes) -> bytes:
    """Return *name* with random case (RFC 4343; the "0x20" trick); length octets are never letters."""
    return bytes(
        octet ^ 0x20 if bytes((octet,)).isalpha() and rng.random() < 0.5 else octet for octet in name
    )
