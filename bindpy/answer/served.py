"""A zone as it is served: its snapshot, who may ask, and what every answer about it repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bindpy.answer.policy import ZonePolicy
from bindpy.answer.response import Entry
from bindpy.zone.names import Key, Name
from bindpy.zone.records import RRType
from bindpy.zone.snapshot import ZoneSnapshot

if TYPE_CHECKING:
    from bindpy.answer.views import Acl


class ServedZone:
    """One zone of one view. ``zone`` is None while it has no data, ``reason`` says why then.

    ``acls`` are those of its ACLs that do not let everybody pass; all of them have to.
    ``negative`` and ``negative_signed`` are the authority section of negative answers without and with
    DNSSEC: the SOA, with a TTL of at most its MINIMUM field (RFC 2308 sections 3 and 5).
    """

    __slots__ = ("acls", "key", "negative", "negative_signed", "origin", "policy", "reason", "zone")

    def __init__(
        self,
        origin: Name,
        zone: ZoneSnapshot | None,
        policy: ZonePolicy,
        acls: tuple[Acl, ...],
        reason: str = "",
    ) -> None:
        self.origin = origin
        self.key: Key = origin.lower()
        self.zone = zone
        self.policy = policy
        self.acls = acls
        self.reason = reason
        self.negative: tuple[Entry, ...] = ()
        self.negative_signed: tuple[Entry, ...] = ()
        if zone is not None:
            rrset = zone.soa_rrset
            ttl = min(rrset.ttl, zone.soa.minimum)
            self.negative = ((zone.origin, RRType.SOA, ttl, rrset.rdatas[:1]),)
            self.negative_signed = self.negative
            if rrset.sigs:
                signature = (zone.origin, int(RRType.RRSIG), min(rrset.sigs_ttl, ttl), rrset.sigs)
                self.negative_signed = (*self.negative, signature)
