"""Zones for tests, from text: made with dnspython's reader, so independent of the server's own."""

from __future__ import annotations

import dns.name
import dns.zonefile

from bindpy.zone import names
from bindpy.zone.snapshot import SnapshotBuilder, ZoneSnapshot


def zone_from_text(origin: str, text: str, *, default_ttl: int = 3600) -> ZoneSnapshot:
    """Return the zone *origin* with the records of *text*; *default_ttl* is for those that name no TTL."""
    rrsets = dns.zonefile.read_rrsets(
        text,
        rdclass=None,
        default_ttl=default_ttl,
        origin=dns.name.from_text(origin),
        relativize=False,
    )
    builder = SnapshotBuilder(names.from_text(origin))
    for rrset in rrsets:
        for rdata in rrset:
            builder.add(rrset.name.to_wire(), int(rrset.rdtype), rrset.ttl, rdata.to_wire())
    return builder.finish()
