"""Proofs that something does not exist: the NSEC or NSEC3 chain of a signed zone, indexed once at build.

A chain answers two questions: which record's owner is this name (or its hash), and which record covers
it. What a response needs of them (RFC 4035 section 3.1.3, RFC 5155 section 7.2) is `bindpy.answer.proofs`'s
affair.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from bindpy.zone.names import Key, canonical_key
from bindpy.zone.records import RRType

if TYPE_CHECKING:
    from bindpy.zone.snapshot import Node

MAX_NSEC3_ITERATIONS = 150
"""Chains with more are not used: each denied name would cost that many hashes, three times (RFC 9276)."""

_SHA1 = 1
_HASH_OCTETS = 20
_NSEC3_ONLY = frozenset({RRType.NSEC3, RRType.RRSIG})


class NsecChain:
    """The nodes that own an NSEC record, in canonical order (RFC 4034 section 6.1)."""

    __slots__ = ("_keys", "_nodes")

    def __init__(self, nodes: Iterable[tuple[Key, Node]]) -> None:
        order = sorted([(canonical_key(key), node) for key, node in nodes], key=lambda item: item[0])
        self._keys = [key for key, _ in order]
        self._nodes = [node for _, node in order]

    def covering(self, key: Key) -> Node:
        """Return the owner of the NSEC that covers *key*, or that matches it."""
        return self._nodes[bisect_right(self._keys, canonical_key(key)) - 1]


class Nsec3Chain:
    """The NSEC3 owners of one chain, in the order of their hashes (RFC 5155 section 3)."""

    __slots__ = ("_hashes", "_iterations", "_nodes", "_salt")

    def __init__(self, salt: bytes, iterations: int, owners: Mapping[bytes, Node]) -> None:
        self._salt = salt
        self._iterations = iterations
        self._hashes = sorted(owners)
        self._nodes = [owners[digest] for digest in self._hashes]

    def covering(self, key: Key) -> Node:
        """Return the owner of the NSEC3 that covers the hash of *key*, or that matches it."""
        return self._nodes[bisect_right(self._hashes, self.hash(key)) - 1]

    def hash(self, key: Key) -> bytes:
        """Return the hashed owner name of *key* (RFC 5155 section 5)."""
        salt = self._salt
        digest = hashlib.sha1(key + salt, usedforsecurity=False).digest()
        for _ in range(self._iterations):
            digest = hashlib.sha1(digest + salt, usedforsecurity=False).digest()
        return digest


def index_denial(nodes: Mapping[Key, Node], apex: Node) -> NsecChain | Nsec3Chain | None:
    """Return the chain that proves denials in this zone, or None where there is no usable one.

    For NSEC3 every existing name is hashed here and its node's ``nsec3`` set, and so are the owners of the
    chain's records themselves: to the world they do not exist (RFC 5155 section 7.2.8).
    """
    if apex.get(RRType.NSEC) is not None:
        return NsecChain((key, node) for key, node in nodes.items() if node.get(RRType.NSEC) is not None)
    params = apex.get(RRType.NSEC3PARAM)
    if params is None:
        return None
    for rdata in params.rdatas:
        chain = _index_nsec3(nodes, apex, rdata)
        if chain is not None:
            return chain
    return None


def _index_nsec3(nodes: Mapping[Key, Node], apex: Node, param: bytes) -> Nsec3Chain | None:
    """Return the chain that the NSEC3PARAM RDATA *param* announces, None if it cannot be used."""
    iterations = int.from_bytes(param[2:4], "big")
    # RFC 5155 section 4.1.2: a NSEC3PARAM with any flag set is to be ignored.
    if param[0] != _SHA1 or param[1] != 0 or iterations > MAX_NSEC3_ITERATIONS:
        return None
    salt = param[5 : 5 + param[4]]
    owners: dict[bytes, Node] = {}
    for node in nodes.values():
        rrset = node.get(RRType.NSEC3)
        # The same parameters apart from the flags, which hold Opt-Out.
        if rrset is None or rrset.rdatas[0][2 : 5 + len(salt)] != param[2:]:
            continue
        digest = _hashed_label(node.owner)
        if digest is not None:
            owners[digest] = node
    if not owners:
        return None
    chain = Nsec3Chain(salt, iterations, owners)
    if chain.hash(apex.owner.lower()) not in owners:
        return None
    for node in owners.values():
        if _NSEC3_ONLY.issuperset(rrset.rtype for rrset in node.rrsets):
            node.nsec3 = node
            node.dname = None  # nothing is looked up here, and a DNAME at the apex would make a cycle
    for key, node in nodes.items():
        if node.nsec3 is None and (node.cut is None or node.cut is node):
            node.nsec3 = owners.get(chain.hash(key))
    return chain


def _hashed_label(owner: bytes) -> bytes | None:
    try:
        digest = base64.b32hexdecode(owner[1 : 1 + owner[0]].upper())
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == _HASH_OCTETS else None
