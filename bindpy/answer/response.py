"""What will be answered, before it is octets: the three sections as lists of RRsets.

Collecting and encoding are apart, so that duplicates are dropped in one place and truncation is decided
in one place (`bindpy.answer.encode`).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TypeAlias

from bindpy.answer.query import Rcode
from bindpy.zone.names import Key, Name
from bindpy.zone.records import RRset, RRType

Entry: TypeAlias = tuple[Name, int, int, tuple[bytes, ...]]
"""Owner, type, TTL and RDATAs of one RRset of the response."""


class Ede(enum.IntEnum):
    """Extended DNS Error codes (RFC 8914 section 4) that are given."""

    NOT_READY = 14
    PROHIBITED = 18
    NOT_AUTHORITATIVE = 20
    INVALID_DATA = 24


class Response:
    """One response being collected.

    ``referral``: the authority section sends the client elsewhere. ``required`` counts the leading RRsets
    of ``additional`` without which the response is of no use: the glue of RFC 9471. ``varies``: the next
    answer to the same octets may be another one.
    """

    __slots__ = (
        "_present",
        "additional",
        "answer",
        "authoritative",
        "authority",
        "dnssec_ok",
        "ede",
        "rcode",
        "referral",
        "required",
        "varies",
    )

    def __init__(self, dnssec_ok: bool) -> None:
        self.dnssec_ok = dnssec_ok
        self.rcode = Rcode.NOERROR
        self.authoritative = False
        self.ede: Ede | None = None
        self.answer: list[Entry] = []
        self.authority: list[Entry] = []
        self.additional: list[Entry] = []
        self.referral = False
        self.required = 0
        self.varies = False
        self._present: set[tuple[Key, int]] = set()

    def refuse(self, rcode: Rcode, ede: Ede | None = None) -> None:
        """Make this an answer without data: *rcode*, and why."""
        self.rcode = rcode
        self.ede = ede

    def add_answer(self, owner: Name, rrset: RRset) -> bool:
        """Put *rrset* into the answer section under *owner*; False when it is there already."""
        which = (owner.lower(), rrset.rtype)
        if which in self._present:
            return False
        self._present.add(which)
        self.answer.append((owner, rrset.rtype, rrset.ttl, rrset.rdatas))
        if rrset.sigs and self.dnssec_ok:
            self.answer.append((owner, RRType.RRSIG, rrset.sigs_ttl, rrset.sigs))
        return True

    def add_authority(self, owner: Name, rrset: RRset) -> None:
        """Put *rrset* into the authority section, unless the response has it."""
        which = (owner.lower(), rrset.rtype)
        if which in self._present:
            return
        self._present.add(which)
        self.authority.append((owner, rrset.rtype, rrset.ttl, rrset.rdatas))
        if rrset.sigs and self.dnssec_ok:
            self.authority.append((owner, RRType.RRSIG, rrset.sigs_ttl, rrset.sigs))

    def add_additional(self, owner: Name, rrset: RRset) -> None:
        """Put *rrset* into the additional section, unless the response has it."""
        which = (owner.lower(), rrset.rtype)
        if which in self._present:
            return
        self._present.add(which)
        self.additional.append((owner, rrset.rtype, rrset.ttl, rrset.rdatas))
        if rrset.sigs and self.dnssec_ok:
            self.additional.append((owner, RRType.RRSIG, rrset.sigs_ttl, rrset.sigs))

    def extend_authority(self, entries: Iterable[Entry]) -> None:
        """Add entries that nothing else puts anywhere (a negative answer's SOA)."""
        self.authority.extend(entries)
