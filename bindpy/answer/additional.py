"""The additional section: what the names in the answer and authority sections point at.

Only data of the zone that answered is added, as BIND does with ``recursion no``: authoritative data for
targets of answers (wildcards included), and in referrals glue and nothing but glue.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bindpy.answer.lookup import closest_encloser
from bindpy.answer.response import Response
from bindpy.zone.names import ROOT, Name, is_subdomain
from bindpy.zone.records import RRset, RRType, target
from bindpy.zone.snapshot import Node, ZoneSnapshot

_ADDRESSES: Final = (RRType.A, RRType.AAAA)
_X25: Final = 19
_ISDN: Final = 20
_TLSA: Final = 52
_L32, _L64, _LP = 105, 106, 107
_MAX_ALIASES: Final = 16

_ADDRESSES_OF_TARGET: Final = frozenset(
    {RRType.NS, RRType.MX, RRType.SRV, RRType.MB, RRType.MD, RRType.MF, RRType.AFSDB, RRType.KX}
)
_WITH_ADDITIONAL: Final = _ADDRESSES_OF_TARGET | {RRType.RT, RRType.NAPTR, RRType.SVCB, RRType.HTTPS, _LP}


def add_additional(zone: ZoneSnapshot, response: Response) -> None:
    """Add what the RRsets of the answer and authority sections call for (RFC 1035 section 3.3 and others)."""
    for owner, rtype, _, rdatas in (*response.answer, *response.authority):
        if rtype not in _WITH_ADDITIONAL:
            continue
        for rdata in rdatas:
            if rtype in _ADDRESSES_OF_TARGET:
                name = target(rtype, rdata)
                _add(zone, response, name, _ADDRESSES)
                if rtype == RRType.MX:
                    _add_tlsa(zone, response, b"\x03_25", name)
                elif rtype == RRType.SRV:
                    port = b"_%d" % int.from_bytes(rdata[4:6], "big")
                    _add_tlsa(zone, response, b"%c%s" % (len(port), port), name)
            elif rtype == RRType.NAPTR:
                _add_naptr(zone, response, rdata)
            elif rtype == RRType.RT:
                _add(zone, response, target(rtype, rdata), (_X25, _ISDN, *_ADDRESSES))
            elif rtype == _LP:
                _add(zone, response, rdata[2:], (_L64, _L32))
            else:
                _add_service(zone, response, owner, rtype, rdata)


def _add_tlsa(zone: ZoneSnapshot, response: Response, port_label: bytes, name: Name) -> None:
    """Add the TLSA RRset of the service at *name* (RFC 7671: who connects will ask for it)."""
    # Checked before the name is made: nearly no zone has TLSA records, and made names cost time.
    if name != ROOT and len(name) <= 240:
        _add(zone, response, port_label + b"\x04_tcp" + name, (_TLSA,))


def _add_naptr(zone: ZoneSnapshot, response: Response, rdata: bytes) -> None:
    """Follow the terminal flags "S" and "A" (RFC 3403 section 4.1, RFC 2915 section 2)."""
    at = 4
    flags = rdata[at + 1 : at + 1 + rdata[at]].lower()
    for _ in range(3):  # flags, services, regexp
        at += 1 + rdata[at]
    if flags == b"s":
        for owner, rrset in _find(zone, rdata[at:], (RRType.SRV,)):
            response.add_additional(owner, rrset)
            for service in rrset.rdatas:
                _add(zone, response, target(RRType.SRV, service), _ADDRESSES)
    elif flags == b"a":
        _add(zone, response, rdata[at:], _ADDRESSES)


def _add_service(zone: ZoneSnapshot, response: Response, owner: Name, rtype: int, rdata: bytes) -> None:
    """Add the addresses of a SVCB or HTTPS record, through aliases (RFC 9460 section 4.1)."""
    name = target(rtype, rdata)
    alias = rdata[:2] == b"\0\0"
    if name == ROOT:
        if alias:
            return  # RFC 9460 section 2.5.1: the service does not exist
        name = owner
    for _ in range(_MAX_ALIASES):
        following = None
        for found_owner, rrset in _find(zone, name, (rtype, RRType.CNAME) if alias else (RRType.CNAME,)):
            response.add_additional(found_owner, rrset)
            first = rrset.rdatas[0]
            if rrset.rtype == RRType.CNAME:
                following = first
            else:
                alias = first[:2] == b"\0\0"
                following = target(rtype, first)
        if following is None or following == ROOT or following.lower() == name.lower():
            break
        name = following
    _add(zone, response, name, _ADDRESSES)


def _add(zone: ZoneSnapshot, response: Response, name: Name, rtypes: tuple[int, ...]) -> None:
    for owner, rrset in _find(zone, name, rtypes):
        response.add_additional(owner, rrset)


def _find(zone: ZoneSnapshot, name: Name, rtypes: tuple[int, ...]) -> Iterator[tuple[Name, RRset]]:
    """Yield the authoritative RRsets at *name*, or that a wildcard gives it."""
    key = name.lower()
    node = zone.nodes.get(key)
    owner = name
    if node is None:
        if not is_subdomain(key, zone.key):
            return
        encloser, next_closer = closest_encloser(zone.nodes, key)
        node = encloser if next_closer is None else encloser.wildcard
        if node is None or encloser.get(RRType.DNAME) is not None:
            return
    else:
        owner = node.owner
    if node.cut is not None or node.dname is not None:
        return
    for rrset in node.rrsets:
        if rrset.rtype in rtypes:
            yield owner, rrset


def add_glue(zone: ZoneSnapshot, response: Response, cut: Node, delegation: RRset) -> None:
    """Add the glue of a referral; that of in-domain name servers is required (RFC 9471 section 3)."""
    in_domain: list[tuple[Name, RRset]] = []
    sibling: list[tuple[Name, RRset]] = []
    for name in delegation.rdatas:
        node = zone.nodes.get(name.lower())
        if node is None or node.cut is None:
            continue  # not below a cut: authoritative data of ours, or not ours at all
        glue = in_domain if node.cut is cut else sibling
        glue += [(node.owner, rrset) for rrset in node.rrsets if rrset.rtype in _ADDRESSES]
    for owner, rrset in in_domain:
        response.add_additional(owner, rrset)
    response.required = len(response.additional)
    for owner, rrset in sibling:
        response.add_additional(owner, rrset)
