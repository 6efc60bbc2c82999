"""Signed zones for tests: the chains are real, the signatures are not.

What an authoritative server does with signatures is to put them beside what they cover; who made them is
nothing to it. So each RRset gets an RRSIG with a made-up signature, and the chain of NSEC or NSEC3 is made
here from dnspython's names and hashes, independently of the server's.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.rrset
import dns.zone

SALT = "AABBCCDD"
ITERATIONS = 2
_SIGNATURE = "8 {labels} {ttl} 20380101000000 20260101000000 12345 {origin} AQID"


def signed(origin: str, text: str, *, nsec3: bool = False, opt_out: bool = False, ttl: int = 300) -> str:
    """Return the zone *text* with a chain of denials and with RRSIGs; *ttl* is the SOA's MINIMUM."""
    apex = dns.name.from_text(origin)
    zone = dns.zone.from_text(text, origin=apex, relativize=False, check_origin=False)
    types: dict[dns.name.Name, set[str]] = {}
    lines = []
    for name, node in zone.nodes.items():
        types[name] = set()
        if _below_a_cut(zone, apex, name):
            del types[name]
        cut = name != apex and node.get_rdataset(zone.rdclass, dns.rdatatype.NS) is not None
        for rdataset in node.rdatasets:
            rtype = dns.rdatatype.to_text(rdataset.rdtype)
            lines += [f"{name} {rdataset.ttl} {rtype} {rdata}" for rdata in rdataset]
            if name in types and (not cut or rtype in {"NS", "DS"}):
                types[name].add(rtype)
                if not cut or rtype == "DS":
                    lines.append(_rrsig(apex, name, rtype, rdataset.ttl))
    chain = _nsec3(apex, types, opt_out, ttl) if nsec3 else _nsec(apex, types, ttl)
    return "\n".join([*lines, *chain, ""])


def _below_a_cut(zone: dns.zone.Zone, apex: dns.name.Name, name: dns.name.Name) -> bool:
    while name != apex:
        name = name.parent()
        if name != apex and zone.get_rdataset(name, dns.rdatatype.NS) is not None:
            return True
    return False


def _rrsig(apex: dns.name.Name, name: dns.name.Name, rtype: str, ttl: int) -> str:
    labels = len(name.labels) - 1 - (name.labels[0] == b"*")
    return f"{name} {ttl} RRSIG {rtype} " + _SIGNATURE.format(labels=labels, ttl=ttl, origin=apex)


def _nsec(apex: dns.name.Name, types: dict[dns.name.Name, set[str]], ttl: int) -> list[str]:
    lines = []
    order = sorted(types)
    for name, following in zip(order, [*order[1:], order[0]], strict=True):
        bitmap = " ".join(sorted(types[name] | {"RRSIG", "NSEC"}))
        lines += [f"{name} {ttl} NSEC {following} {bitmap}", _rrsig(apex, name, "NSEC", ttl)]
    return lines


def _nsec3(apex: dns.name.Name, types: dict[dns.name.Name, set[str]], opt_out: bool, ttl: int) -> list[str]:
    lines = [f"{apex} 0 NSEC3PARAM 1 0 {ITERATIONS} {SALT}", _rrsig(apex, apex, "NSEC3PARAM", 0)]
    hashes: dict[str, set[str]] = {}
    for name, found in types.items():
        if opt_out and name != apex and found == {"NS"}:
            continue
        hashes[nsec3_hash(name)] = found | {"RRSIG"} if found != {"NS"} else found
        above = name
        while above != apex:
            above = above.parent()
            hashes.setdefault(nsec3_hash(above), set())
    hashes[nsec3_hash(apex)] |= {"NSEC3PARAM"}
    order = sorted(hashes)
    for digest, following in zip(order, [*order[1:], order[0]], strict=True):
        owner = dns.name.from_text(digest, apex)
        bitmap = " ".join(sorted(hashes[digest]))
        lines.append(f"{owner} {ttl} NSEC3 1 {int(opt_out)} {ITERATIONS} {SALT} {following} {bitmap}")
        lines.append(_rrsig(apex, owner, "NSEC3", ttl))
    return lines


def nsec3_hash(name: dns.name.Name) -> str:
    """Return the hashed owner name of *name* in base 32."""
    return dns.dnssec.nsec3_hash(name, SALT, ITERATIONS, 1)


class Denials:
    """What the NSEC and NSEC3 records of a section say, worked out from the RFCs and not from the server."""

    def __init__(self, rrsets: Iterable[dns.rrset.RRset], origin: str) -> None:
        rrsets = list(rrsets)
        self._apex = dns.name.from_text(origin)
        self._nsec = [(r.name, r[0].next) for r in rrsets if r.rdtype == dns.rdatatype.NSEC]
        self._nsec3 = [
            (r.name.labels[0].decode().upper(), base64.b32hexencode(r[0].next).decode())
            for r in rrsets
            if r.rdtype == dns.rdatatype.NSEC3
        ]

    def __len__(self) -> int:
        return len(self._nsec) + len(self._nsec3)

    def match(self, qname: str) -> bool:
        """Return whether a record matches the name: its types are listed there."""
        name = dns.name.from_text(qname)
        return any(owner == name for owner, _ in self._nsec) or any(
            owner == nsec3_hash(name) for owner, _ in self._nsec3
        )

    def cover(self, qname: str) -> bool:
        """Return whether a record covers the name: there is no such name."""
        name = dns.name.from_text(qname)
        digest = nsec3_hash(name)
        return any(
            owner < name and (name < following or following == self._apex) for owner, following in self._nsec
        ) or any(
            owner < digest < following if owner < following else (digest > owner or digest < following)
            for owner, following in self._nsec3
        )
