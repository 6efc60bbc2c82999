"""The stages of an answer: which of referral, answer, alias, NODATA and NXDOMAIN it is, and what that takes.

RFC 1034 section 4.3.2 with RFC 4592 (wildcards) and RFC 6672 section 3.2 (DNAME). Everything is decided
from one look-up: the closest encloser of the current name ``sname``, and the facts on that node.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from bindpy.answer.additional import add_additional, add_glue
from bindpy.answer.lookup import closest_encloser, longest_match
from bindpy.answer.policy import EXPIRED, Transport, ViewPolicy
from bindpy.answer.proofs import deny_name, deny_type, deny_wildcard_type, prove_expansion
from bindpy.answer.query import MIN_UDP_OCTETS, Query, Rcode
from bindpy.answer.response import Ede, Response
from bindpy.answer.served import ServedZone
from bindpy.deferred import dataclass
from bindpy.zone.names import MAX_NAME_OCTETS, Key, Name
from bindpy.zone.records import RRset, RRType
from bindpy.zone.snapshot import Node, ZoneSnapshot

MAX_CHAIN_STEPS: Final = 11
"""An alias chain is followed this many times, as by BIND 9.18; then the answer is what there is."""

_BESIDE_CNAME: Final = frozenset({RRType.SIG, RRType.KEY, RRType.NXT, RRType.NSEC})
"""Types that may stand beside a CNAME (RFC 4035 section 2.5): asking for one is not asking for its target."""

_DS_AND_KEYS: Final = frozenset({RRType.DS, RRType.CDS, RRType.KEY, RRType.DNSKEY, RRType.CDNSKEY})

Admit: TypeAlias = Callable[[ServedZone, Response], bool]
"""Whether the client may ask for a zone's data. Only called for zones with ACLs."""


@dataclass(frozen=True, slots=True)
class Fill:
    """What is put into positive answers besides the answer."""

    authority: bool  # the apex NS RRset
    additional: bool
    minimal_any: bool


_fill = functools.cache(Fill)


def fill_for(policy: ViewPolicy, query: Query, transport: Transport) -> Fill:
    """Return how full the answer to *query* is to be, as BIND's ``minimal-responses`` says."""
    over_udp = transport is Transport.UDP
    is_any = query.qtype == RRType.ANY
    minimal_any = policy.minimal_any and over_udp and (is_any or query.qtype == RRType.RRSIG)
    cramped = over_udp and query.edns and query.payload_octets <= MIN_UDP_OCTETS
    if cramped or (minimal_any and is_any) or query.qtype in _DS_AND_KEYS:
        return _fill(False, False, minimal_any)
    minimal_responses = policy.minimal_responses
    if query.qtype == RRType.NS:
        return _fill(True, True, minimal_any)
    authority = minimal_responses == "no" or (
        minimal_responses == "no-auth-recursive" and not query.recursion_desired
    )
    return _fill(authority, minimal_responses != "yes" and not is_any, minimal_any)


def respond(zones: Mapping[Key, ServedZone], query: Query, fill: Fill, admit: Admit) -> Response:
    """Return the response to *query*, of class IN, from *zones*."""
    response = Response(query.dnssec_ok)
    served = find_zone(zones, query.key, query.qtype)
    if served is None:
        response.refuse(Rcode.REFUSED, Ede.NOT_AUTHORITATIVE)
    elif served.acls and not admit(served, response):
        response.refuse(Rcode.REFUSED, Ede.PROHIBITED)
    elif served.zone is None:
        response.refuse(Rcode.SERVFAIL, Ede.INVALID_DATA if served.reason == EXPIRED else Ede.NOT_READY)
    else:
        response.authoritative = True
        _Walk(zones, query, response, fill, admit).run(served, served.zone)
    return response


def find_zone(zones: Mapping[Key, ServedZone], key: Key, qtype: int) -> ServedZone | None:
    """Return the closest zone of *key*; for DS at an apex the parent's zone, where it is served.

    RFC 4035 section 3.1.4.1: the parent answers for DS, and the child must where the parent is not here.
    """
    served = longest_match(zones, key)
    if qtype == RRType.DS and served is not None and key == served.key and key[0]:
        return longest_match(zones, key[1 + key[0] :]) or served
    return served


class _Walk:
    """One query's way through the zones: from its name, over aliases, to an end."""

    __slots__ = ("admit", "fill", "qtype", "query", "response", "served", "zones")

    def __init__(
        self,
        zones: Mapping[Key, ServedZone],
        query: Query,
        response: Response,
        fill: Fill,
        admit: Admit,
    ) -> None:
        self.zones = zones
        self.query = query
        self.qtype = query.qtype
        self.response = response
        self.fill = fill
        self.admit = admit
        self.served: ServedZone

    def run(self, served: ServedZone, zone: ZoneSnapshot) -> None:
        """Answer the query, which *served* is the zone of; *zone* is its snapshot."""
        self.served = served
        target = self._step(zone, self.query.qname, self.query.key)
        if target is not None:
            zone = self._follow(zone, target)
        if self.fill.additional and not self.response.referral:
            add_additional(zone, self.response)

    def _follow(self, zone: ZoneSnapshot, target: Name | None) -> ZoneSnapshot:
        """Go after an alias through the zones that we serve; return the zone where that ended.

        Each zone is taken once, so that an answer never mixes two versions of one.
        """
        visited = {self.query.key}
        used = {self.served.key: self.served}
        while target is not None:
            key = target.lower()
            if key in visited or len(visited) > MAX_CHAIN_STEPS:
                break
            visited.add(key)
            found = find_zone(self.zones, key, self.qtype)
            if found is None:
                break
            found = used.setdefault(found.key, found)
            if found.zone is None or (found.acls and not self.admit(found, self.response)):
                break
            self.served = found
            zone = found.zone
            target = self._step(zone, target, key)
        return zone

    def _step(self, zone: ZoneSnapshot, sname: Name, key: Key) -> Name | None:
        """Answer for *sname* from its zone; return the name to go on with, if it is an alias."""
        encloser, next_closer = closest_encloser(zone.nodes, key)
        cut = encloser.cut
        dname = encloser.dname
        if dname is None and next_closer is not None and encloser.get(RRType.DNAME) is not None:
            dname = encloser
        if cut is encloser and next_closer is None and self.qtype == RRType.DS:
            cut = None  # the parent's side of a cut (RFC 4035 section 3.1.4.1)
        if cut is not None and (dname is None or len(cut.owner) <= len(dname.owner)):
            # The topmost of the two is the end of the zone's authority; NS goes before a DNAME beside it.
            self._refer(zone, cut)
            return None
        if dname is not None:
            return self._substitute(zone, sname, dname)
        if next_closer is None:
            return self._answer(zone, encloser.owner, encloser)
        if encloser.wildcard is not None:
            return self._expand(zone, sname, encloser, next_closer)
        self._deny()
        self.response.rcode = Rcode.NXDOMAIN
        if self.response.dnssec_ok:
            deny_name(zone, self.response, key, encloser, next_closer)
        return None

    def _refer(self, zone: ZoneSnapshot, cut: Node) -> None:
        """Send the client to the servers of the zone below *cut* (RFC 1034 section 4.3.2 step 3b)."""
        response = self.response
        response.referral = True
        # Behind an alias AA stays: it is about the first owner name (RFC 1035 section 4.1.1).
        response.authoritative = bool(response.answer)
        delegation = cut.get(RRType.NS)
        assert delegation is not None, "a cut has a NS RRset"
        response.add_authority(cut.owner, delegation)
        if response.dnssec_ok:
            delegation_signer = cut.get(RRType.DS)
            if delegation_signer is None:
                deny_type(zone, response, cut)
            elif delegation_signer.sigs:  # in an unsigned zone it is of no use, and no server sends it
                response.add_authority(cut.owner, delegation_signer)
        add_glue(zone, response, cut, delegation)

    def _substitute(self, zone: ZoneSnapshot, sname: Name, dname: Node) -> Name | None:
        """Apply a DNAME: the record, the synthesised CNAME, and the new name (RFC 6672 section 3)."""
        response = self.response
        rrset = dname.get(RRType.DNAME)
        assert rrset is not None, "a DNAME node has a DNAME RRset"
        response.add_answer(dname.owner, rrset)
        target = sname[: len(sname) - len(dname.owner)] + rrset.rdatas[0]
        if len(target) > MAX_NAME_OCTETS:
            response.rcode = Rcode.YXDOMAIN
            return None
        response.add_answer(sname, RRset(RRType.CNAME, rrset.ttl, (target,)))
        if self.qtype in (RRType.CNAME, RRType.ANY):
            self._add_servers(zone)  # the synthesised CNAME is what was asked for
            return None
        return target

    def _expand(self, zone: ZoneSnapshot, sname: Name, encloser: Node, next_closer: Key) -> Name | None:
        """Answer from the source of synthesis, *encloser*'s wildcard (RFC 4592 section 3.3.2)."""
        response = self.response
        wildcard = encloser.wildcard
        assert wildcard is not None, "the caller has seen it"
        had = len(response.answer)
        target = self._answer(zone, sname, wildcard, denies=False)
        if response.dnssec_ok:
            if len(response.answer) > had:
                prove_expansion(zone, response, sname.lower(), next_closer)
            else:
                deny_wildcard_type(zone, response, sname.lower(), encloser, next_closer)
        return target

    def _answer(self, zone: ZoneSnapshot, owner: Name, node: Node, *, denies: bool = True) -> Name | None:
        """Answer with *node*'s data under the name *owner*; return an alias's target.

        *denies*: whether the proof of a NODATA answer is to be added here.
        """
        response, qtype = self.response, self.qtype
        if qtype in (RRType.ANY, RRType.RRSIG):
            found = self._add_any(owner, node)
        else:
            rrset = node.get(qtype)
            found = rrset is not None
            if rrset is not None:
                response.add_answer(owner, rrset)
            elif qtype not in _BESIDE_CNAME and (alias := node.get(RRType.CNAME)) is not None:
                response.add_answer(owner, alias)
                return alias.rdatas[0]
        if found:
            self._add_servers(zone)
        else:
            self._deny()
            if denies and response.dnssec_ok:
                deny_type(zone, response, node)
        return None

    def _add_any(self, owner: Name, node: Node) -> bool:
        """Add all RRsets, or all RRSIGs, of *node*, or of all the first alone (RFC 8482 section 4.1)."""
        response = self.response
        if self.qtype == RRType.RRSIG:
            signatures = node.rrsigs()
            if self.fill.minimal_any:
                signatures = signatures[:1]
            response.answer += [(owner, rrset.rtype, rrset.ttl, rrset.rdatas) for rrset in signatures]
            return bool(signatures)
        added = False
        for rrset in node.rrsets:
            if rrset.rtype != RRType.RRSIG:
                response.add_answer(owner, rrset)
            elif response.dnssec_ok and node.get(rrset.covers) is not None:
                continue  # with DO a signature comes with what it covers
            else:
                response.answer.append((owner, rrset.rtype, rrset.ttl, rrset.rdatas))
            added = True
            if self.fill.minimal_any:
                break
        return added

    def _add_servers(self, zone: ZoneSnapshot) -> None:
        """Put the zone's NS RRset beside a positive answer, where the policy has it."""
        servers = zone.apex.get(RRType.NS) if self.fill.authority else None
        if servers is not None:
            self.response.add_authority(zone.origin, servers)

    def _deny(self) -> None:
        """Put the zone's SOA into the authority section (RFC 2308 section 3)."""
        served = self.served
        self.response.extend_authority(served.negative_signed if self.response.dnssec_ok else served.negative)
