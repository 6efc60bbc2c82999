"""A digest of a zone's records that does not depend on their order and follows a delta without the zone.

It tells versions of one zone apart, for the journal: the same serial may stand for other data after an edit
or a restored backup. It is a sum, so it withstands accidents and not an attacker who chooses the records;
whoever may write the zone may write what they like anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from bindpy.deferred import dataclass
from bindpy.zone.diff import Delta
from bindpy.zone.records import RR
from bindpy.zone.snapshot import ZoneSnapshot

DIGEST_OCTETS = 16
_MASK = (1 << 8 * DIGEST_OCTETS) - 1
_FIXED_OCTETS = 10  # type, class, TTL and RDLENGTH of a record in wire form


@dataclass(frozen=True, slots=True)
class ZoneDigest:
    """``value`` is the sum of the records' hashes modulo 2**128, ``octets`` their size in wire form."""

    value: int
    octets: int

    def after(self, delta: Delta) -> ZoneDigest:
        """Return the digest of the zone after *delta*, which fits it."""
        removed = _sum((*delta.removed, delta.old_soa))
        added = _sum((*delta.added, delta.new_soa))
        return ZoneDigest((self.value - removed[0] + added[0]) & _MASK, self.octets - removed[1] + added[1])

    def to_bytes(self) -> bytes:
        """Return ``value`` in `DIGEST_OCTETS` octets."""
        return self.value.to_bytes(DIGEST_OCTETS, "big")


def zone_digest(zone: ZoneSnapshot) -> ZoneDigest:
    """Return the digest of *zone*. About a microsecond for each record."""
    total = octets = 0
    for key, node in zone.nodes.items():
        for rrset in node.rrsets:
            head = key + rrset.rtype.to_bytes(2, "big") + rrset.ttl.to_bytes(4, "big")
            for rdata in rrset.rdatas:
                total += int.from_bytes(
                    hashlib.blake2b(head + rdata, digest_size=DIGEST_OCTETS).digest(), "big"
                )
                octets += len(key) + _FIXED_OCTETS + len(rdata)
    return ZoneDigest(total & _MASK, octets)


def _sum(records: Iterable[RR]) -> tuple[int, int]:
    total = octets = 0
    for owner, rtype, ttl, rdata in records:
        record = owner.lower() + rtype.to_bytes(2, "big") + ttl.to_bytes(4, "big") + rdata
        total += int.from_bytes(hashlib.blake2b(record, digest_size=DIGEST_OCTETS).digest(), "big")
        octets += len(owner) + _FIXED_OCTETS + len(rdata)
    return total & _MASK, octets
