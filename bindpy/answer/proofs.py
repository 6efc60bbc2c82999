"""Denials of existence for clients that set DO: which NSEC or NSEC3 records a response needs.

RFC 4035 section 3.1.3 for NSEC, RFC 5155 section 7.2 for NSEC3. Each function adds to the authority
section, and does nothing for a zone without a usable chain. In NSEC3 an *encloser* may itself have no
matching record, because of Opt-Out: then the closest one above it that has is proven instead.
"""

from __future__ import annotations

from bindpy.answer.response import Response
from bindpy.zone.denial import Nsec3Chain, NsecChain
from bindpy.zone.names import Key, parent
from bindpy.zone.records import RRType
from bindpy.zone.snapshot import Node, ZoneSnapshot


def deny_name(zone: ZoneSnapshot, response: Response, key: Key, encloser: Node, next_closer: Key) -> None:
    """Prove that *key* does not exist, and that no wildcard would have matched it."""
    chain = zone.denial
    if isinstance(chain, NsecChain):
        _add(response, chain.covering(key), RRType.NSEC)
        _add(response, chain.covering(b"\x01*" + encloser.owner.lower()), RRType.NSEC)
    elif chain is not None:
        proven = _prove_encloser(zone, chain, response, encloser, next_closer)
        _add(response, chain.covering(b"\x01*" + proven.owner.lower()), RRType.NSEC3)


def deny_type(zone: ZoneSnapshot, response: Response, node: Node) -> None:
    """Prove that the existing *node*, perhaps an empty non-terminal, has no RRset of the type asked for."""
    chain = zone.denial
    if isinstance(chain, NsecChain):
        own = node if node.get(RRType.NSEC) is not None else chain.covering(node.owner.lower())
        _add(response, own, RRType.NSEC)
    elif chain is not None:
        if node.nsec3 is not None:
            _add(response, node.nsec3, RRType.NSEC3)
        else:
            _prove_encloser(zone, chain, response, node, None)


def deny_wildcard_type(
    zone: ZoneSnapshot, response: Response, key: Key, encloser: Node, next_closer: Key
) -> None:
    """Prove that *key* does not exist and that *encloser*'s wildcard has no RRset of the type."""
    chain = zone.denial
    wildcard = encloser.wildcard
    assert wildcard is not None, "the caller has answered from it"
    if isinstance(chain, NsecChain):
        _add(response, chain.covering(key), RRType.NSEC)
        deny_type(zone, response, wildcard)
    elif chain is not None:
        _prove_encloser(zone, chain, response, encloser, next_closer)
        if wildcard.nsec3 is not None:
            _add(response, wildcard.nsec3, RRType.NSEC3)


def prove_expansion(zone: ZoneSnapshot, response: Response, key: Key, next_closer: Key) -> None:
    """Prove that the wildcard which answered was the closest match for *key*."""
    chain = zone.denial
    if isinstance(chain, NsecChain):
        _add(response, chain.covering(key), RRType.NSEC)
    elif chain is not None:
        _add(response, chain.covering(next_closer), RRType.NSEC3)


def _prove_encloser(
    zone: ZoneSnapshot, chain: Nsec3Chain, response: Response, encloser: Node, next_closer: Key | None
) -> Node:
    """Prove the closest provable encloser at or above *encloser* (RFC 5155 section 7.2.1); return it."""
    node = encloser
    while node.nsec3 is None and node is not zone.apex:
        next_closer = node.owner.lower()
        node = zone.nodes[parent(next_closer)]
    if node.nsec3 is not None:
        _add(response, node.nsec3, RRType.NSEC3)
    if next_closer is not None:
        _add(response, chain.covering(next_closer), RRType.NSEC3)
    return node


def _add(response: Response, owner: Node, rtype: int) -> None:
    rrset = owner.get(rtype)
    if rrset is not None:
        response.add_authority(owner.owner, rrset)
