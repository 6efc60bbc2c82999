"""The stages of an answer: which of referral, answer, alias, NODATA and NXDOMAIN it is, and what that takes.

RFC 1034 section 4.3.2 with RFC 4592 (wildcards) and RFC 6672 section 3.2 (DNAME). Everything is decided
from one look-up: the closest encloser of the current name ``sname``, and the facts on that node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from bindpy.answer.additional import add_additional, add_glue
from bindpy.answer.lookup import closest_encloser, longest_match
from bindpy.answer.policy import EXPIRED
from bindpy.answer.proofs import deny_name, deny_type, deny_wildcard_type, prove_expansion
from bindpy.answer.query import Query, Rcode
from bindpy.answer.response import Ede, Response
from bindpy.answer.served import ServedZone
from bindpy.zone.names import MAX_NAME_OCTETS, Key, Name
from bindpy.zone.records import RRset, RRType
from bindpy.zone.snapshot import Node, ZoneSnapshot

MAX_CHAIN_STEPS: Final = 16
"""An alias chain is followed this many times; then the answer is what there is."""

_BESIDE_CNAME: Final = frozenset({RRType.SIG, RRType.KEY, RRType.NXT, RRType.NSEC})
"""Types that may stand beside a CNAME (RFC 4035 section 2.5, RFC 2535): asking for one is not an alias's case."""

_CDS_AND_KEYS: Final = frozenset({RRType.DS, RRType.CDS, RRType.KEY, RRType.DNSKEY, RRType.CDNSKEY})

Admit: TypeAlias = Callable[[ServedZone, Response], bool]
"""Whether the client may ask for a zone's data. Only called for zones with ACLs."""


@dataclass(frozen=True, slots=True)
class Fill:
    """What is put into positive answers besides the answer."""

    authority: bool  # the apex NS RRset
    additional: bool
    minimal_any: bool


def fill_for(minimal_responses: str, minimal_any: bool, query: Query) -> Fill:
    """Return how full the answer to *query* is to be, as BIND's ``minimal-responses`` says."""
    if query.qtype in _CDS_AND_KEYS:
        return Fill(False, False, minimal_any)
    if query.qtype == RRType.NS:
        return Fill(True, True, minimal_any)
    authority = minimal_responses == "no" or (
        minimal_responses == "no-auth-recursive" and not query.recursion_desired
    )
    return Fill(authority, minimal_responses != "yes" and query.qtype != RRType.ANY, minimal_any)


def respond(zones: Mapping[Key, ServedZone], query: Query, fill: Fill, admit: Admit) -> Response:
    """Return the response to *query*, of class IN, from *zones*."""
    response = Response(query.dnssec_ok)
    served = find_zone(zones, query.key, query.qtype)
    if served is None:
        response.rcode = Rcode.REFUSED
        response.ede = Ede.NOT_AUTHORITATIVE
        return response
    if served.acls and not admit(served, response):
        response.rcode = Rcode.REFUSED
        response.ede = Ede.PROHIBITED
        return response
    if served.zone is None:
        response.rcode = Rcode.SERVFAIL
        response.ede = Ede.INVALID_DATA if served.reason == EXPIRED else Ede.NOT_READY
        return response
    response.authoritative = True
    target = _step(served, served.zone, response, query.qname, query.key, query.qtype, fill)
    if target is not None:
        served = _follow(zones, served, response, query, target, fill, admit)
    if fill.additional and served.zone is not None and not response.referral:
        add_additional(served.zone, response)
    return response


def find_zone(zones: Mapping[Key, ServedZone], key: Key, qtype: int) -> ServedZone | None:
    """Return the zone that answers for *key*: the closest, but for DS the parent's (RFC 4035 section 3.1.4.1)."""
    served = longest_match(zones, key)
    if qtype == RRType.DS and served is not None and key == served.key and key[0]:
        return longest_match(zones, key[1 + key[0] :]) or served
    return served


def _follow(
    zones: Mapping[Key, ServedZone],
    served: ServedZone,
    response: Response,
    query: Query,
    target: Name | None,
    fill: Fill,
    admit: Admit,
) -> ServedZone:
    """Go after an alias through the zones that we serve; return the zone where it ended.

    Each zone is looked up once, so that an answer never mixes two versions of one.
    """
    visited = {query.key}
    used = {served.key: served}
    while target is not None:
        key = target.lower()
        if key in visited or len(visited) > MAX_CHAIN_STEPS:
            break
        visited.add(key)
        found = find_zone(zones, key, query.qtype)
        if found is None:
            break
        found = used.setdefault(found.key, found)
        if found.zone is None or (found.acls and not admit(found, response)):
            break
        served = found
        target = _step(found, found.zone, response, target, key, query.qtype, fill)
    return served


def _step(
    served: ServedZone, zone: ZoneSnapshot, response: Response, sname: Name, key: Key, qtype: int, fill: Fill
) -> Name | None:
    """Answer for *sname* from its zone; return the name to go on with, if it is an alias."""
    encloser, next_closer = closest_encloser(zone.nodes, key)
    cut = encloser.cut
    dname = encloser.dname
    if dname is None and next_closer is not None and encloser.get(RRType.DNAME) is not None:
        dname = encloser
    if cut is not None and not (qtype == RRType.DS and cut is encloser and next_closer is None):
        # The topmost of the two is the end of the zone's authority; NS goes before a DNAME beside it.
        if dname is None or len(cut.owner) <= len(dname.owner):
            _refer(zone, response, cut)
            return None
    if dname is not None:
        return _substitute(response, sname, dname)
    if next_closer is None:
        return _answer_from(served, zone, response, encloser.owner, encloser, qtype, fill)
    wildcard = encloser.wildcard
    if wildcard is None:
        _deny(served, response)
        response.rcode = Rcode.NXDOMAIN
        if response.dnssec_ok:
            deny_name(zone, response, key, encloser, next_closer)
        return None
    return _expand(served, zone, response, sname, key, encloser, next_closer, wildcard, qtype, fill)


def _refer(zone: ZoneSnapshot, response: Response, cut: Node) -> None:
    """Send the client to the servers of the zone below *cut* (RFC 1034 section 4.3.2 step 3b)."""
    # Behind an alias AA stays: it is about the first owner name (RFC 1035 section 4.1.1).
    response.authoritative = bool(response.answer)
    response.referral = True
    delegation = cut.get(RRType.NS)
    assert delegation is not None, "a cut has a NS RRset"
    response.add_authority(cut.owner, delegation)
    if response.dnssec_ok:
        delegation_signer = cut.get(RRType.DS)
        if delegation_signer is not None:
            response.add_authority(cut.owner, delegation_signer)
        else:
            deny_type(zone, response, cut)
    add_glue(zone, response, cut, delegation)


def _substitute(response: Response, sname: Name, dname: Node) -> Name | None:
    """Apply a DNAME: the record, the synthesised CNAME, and the new name (RFC 6672 section 3)."""
    rrset = dname.get(RRType.DNAME)
    assert rrset is not None, "a DNAME node has a DNAME RRset"
    response.add_answer(dname.owner, rrset)
    target = sname[: len(sname) - len(dname.owner)] + rrset.rdatas[0]
    if len(target) > MAX_NAME_OCTETS:
        response.rcode = Rcode.YXDOMAIN
        return None
    response.add_answer(sname, RRset(RRType.CNAME, rrset.ttl, (target,)))
    return target


def _expand(
    served: ServedZone,
    zone: ZoneSnapshot,
    response: Response,
    sname: Name,
    key: Key,
    encloser: Node,
    next_closer: Key,
    wildcard: Node,
    qtype: int,
    fill: Fill,
) -> Name | None:
    """Answer from the source of synthesis *wildcard* (RFC 4592 section 3.3.2)."""
    had = len(response.answer)
    target = _answer_from(served, zone, response, sname, wildcard, qtype, fill, denies=False)
    if response.dnssec_ok:
        if len(response.answer) > had:
            prove_expansion(zone, response, key, next_closer)
        else:
            deny_wildcard_type(zone, response, key, encloser, next_closer, wildcard)
    return target


def _answer_from(
    served: ServedZone,
    zone: ZoneSnapshot,
    response: Response,
    owner: Name,
    node: Node,
    qtype: int,
    fill: Fill,
    *,
    denies: bool = True,
) -> Name | None:
    """Answer with *node*'s data under the name *owner*; return an alias's target.

    *denies*: whether the proof of a NODATA answer is to be added here.
    """
    if qtype in (RRType.ANY, RRType.RRSIG):
        found = _add_any(response, owner, node, qtype, fill.minimal_any)
    else:
        rrset = node.get(qtype)
        if rrset is None:
            alias = node.get(RRType.CNAME)
            if alias is not None and qtype not in _BESIDE_CNAME:
                response.add_answer(owner, alias)
                return alias.rdatas[0]
        else:
            response.add_answer(owner, rrset)
        found = rrset is not None
    if found:
        if fill.authority:
            servers = zone.apex.get(RRType.NS)
            if servers is not None:
                response.add_authority(zone.origin, servers)
    else:
        _deny(served, response)
        if denies and response.dnssec_ok:
            deny_type(zone, response, node)
    return None


def _add_any(response: Response, owner: Name, node: Node, qtype: int, minimal: bool) -> bool:
    """Add all RRsets, or all RRSIGs, of *node*; with *minimal* the first alone (RFC 8482 section 4.1)."""
    if qtype == RRType.RRSIG:
        signatures = node.rrsigs()
        response.answer += [(owner, rrset.rtype, rrset.ttl, rrset.rdatas) for rrset in signatures]
        return bool(signatures)
    added = False
    for rrset in node.rrsets:
        if rrset.rtype == RRType.RRSIG:
            # With DO a signature comes with what it covers.
            covered = node.get(rrset.covers)
            if minimal or (covered is not None and response.dnssec_ok):
                continue
            response.answer.append((owner, rrset.rtype, rrset.ttl, rrset.rdatas))
        else:
            response.add_answer(owner, rrset)
        added = True
        if minimal:
            break
    return added


def _deny(served: ServedZone, response: Response) -> None:
    """Put the zone's SOA into the authority section (RFC 2308 section 3)."""
    response.extend_authority(served.negative_signed if response.dnssec_ok else served.negative)
