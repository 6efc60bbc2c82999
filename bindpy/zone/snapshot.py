"""One version of one zone, immutable: the tree of nodes and the facts that answering needs.

A `ZoneSnapshot` is built off to one side by a `SnapshotBuilder` and published by rebinding one
reference. Whoever holds a snapshot keeps that version for as long as it needs it.

What depends on the zone alone is worked out here once, never per query: empty non-terminals are real
nodes (RFC 4592 section 2.2.2), each node knows the topmost zone cut at or above it, the topmost DNAME
above it and its wildcard child, and each RRset its signatures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Literal

from bindpy.zone.denial import Nsec3Chain, NsecChain, index_denial
from bindpy.zone.names import Key, Name, canonical_key, is_subdomain
from bindpy.zone.records import IN, RR, RRset, RRType, Soa, rrsig_covered


class Node:
    """One owner name of the zone, or an empty non-terminal (no RRsets).

    ``cut`` is the topmost node at or above this one that holds a delegation's NS RRset (never the apex), or
    None; ``dname`` the topmost node *above* this one with a DNAME; ``wildcard`` the child ``*`` node where
    names are synthesised from it: not at or below a cut or a DNAME. ``nsec3`` is the owner of the NSEC3 that
    matches this name, and this node itself where it is nothing but such an owner: as a name it does not
    exist then.

    Nodes refer to each other without cycles, so that counting references frees a snapshot at once: the
    cyclic collector, which would stop everything for as long as it walks a large zone, has no part in it.
    """

    __slots__ = ("_cut", "_nsec3", "dname", "owner", "rrsets", "wildcard")

    def __init__(self, owner: Name) -> None:
        self.owner = owner
        self.rrsets: tuple[RRset, ...] = ()
        self.dname: Node | None = None
        self.wildcard: Node | None = None
        self._cut: Node | Literal[True] | None = None  # True stands for this node itself
        self._nsec3: Node | Literal[True] | None = None

    @property
    def cut(self) -> Node | None:
        """The topmost cut at or above this node."""
        cut = self._cut
        return self if cut is True else cut

    @cut.setter
    def cut(self, node: Node | None) -> None:
        self._cut = True if node is self else node

    @property
    def nsec3(self) -> Node | None:
        """The owner of the matching NSEC3."""
        nsec3 = self._nsec3
        return self if nsec3 is True else nsec3

    @nsec3.setter
    def nsec3(self, node: Node | None) -> None:
        self._nsec3 = True if node is self else node

    def get(self, rtype: int) -> RRset | None:
        """Return the RRset of *rtype* here, or None. For RRSIG, which has several, see `rrsigs`."""
        for rrset in self.rrsets:
            if rrset.rtype == rtype:
                return rrset
        return None

    def rrsigs(self) -> list[RRset]:
        """Return the RRsets of RRSIGs here, one for each type covered."""
        return [rrset for rrset in self.rrsets if rrset.rtype == RRType.RRSIG]

    def __repr__(self) -> str:
        return f"Node({self.owner!r}, {[r.rtype for r in self.rrsets]})"


class OutOfZoneError(ValueError):
    """An owner name that is not at or below the origin."""


class ZoneTooLargeError(ValueError):
    """A zone that has more than a zone can have; the text says of what."""


class NoSoaError(ValueError):
    """The zone cannot be used: it has no SOA record at its apex."""


class ZoneSnapshot:
    """One immutable version of a zone.

    ``nodes`` maps every existing name's key to its node, empty non-terminals included, occluded names too.
    ``rr_count`` counts records; ``serial``, ``soa`` and ``soa_rrset`` come from the apex. ``denial`` is the
    chain of a signed zone's NSEC or NSEC3 records.
    """

    __slots__ = (
        "apex",
        "denial",
        "key",
        "nodes",
        "origin",
        "rdclass",
        "rr_count",
        "serial",
        "soa",
        "soa_rrset",
    )

    def __init__(self, origin: Name, rdclass: int, nodes: dict[Key, Node], rr_count: int) -> None:
        self.origin = origin
        self.key: Key = origin.lower()
        self.rdclass = rdclass
        self.nodes = nodes
        self.rr_count = rr_count
        self.apex = nodes[self.key]
        soa_rrset = self.apex.get(RRType.SOA)
        if soa_rrset is None:
            raise NoSoaError("the zone has no SOA record at its apex")
        self.soa_rrset = soa_rrset
        self.soa = Soa.from_rdata(soa_rrset.rdatas[0])
        self.serial = self.soa.serial
        self.denial: NsecChain | Nsec3Chain | None = index_denial(nodes, self.apex)

    @property
    def node_count(self) -> int:
        """How many names exist in the zone, empty non-terminals included."""
        return len(self.nodes)

    def get(self, key: Key, rtype: int) -> RRset | None:
        """Return the RRset stored at *key* (no wildcard, no cut applied), or None."""
        node = self.nodes.get(key)
        return node.get(rtype) if node is not None else None

    def count_at(self, key: Key) -> int:
        """Return the number of records that *key* owns."""
        node = self.nodes.get(key)
        return sum(len(rrset.rdatas) for rrset in node.rrsets) if node is not None else 0

    def same_data(self, other: Any) -> bool:
        """Return whether *other* holds the same records, whatever their order and the case of owners."""
        if self is other:
            return True
        if (self.rr_count, self.key, self.rdclass) != (other.rr_count, other.key, other.rdclass):
            return False
        if self.nodes.keys() != other.nodes.keys():
            return False
        return all(
            frozenset(node.rrsets) == frozenset(other.nodes[key].rrsets) for key, node in self.nodes.items()
        )

    def sorted_nodes(self) -> list[Node]:
        """Return all nodes in canonical order (RFC 4034 section 6.1), the apex first."""
        return [self.nodes[key] for key in sorted(self.nodes, key=canonical_key)]

    def rrsets(self) -> Iterator[tuple[Name, RRset]]:
        """Yield every RRset once with its owner: the SOA first, an owner's RRsets together, else unsorted."""
        yield self.apex.owner, self.soa_rrset
        for rrset in self.apex.rrsets:
            if rrset is not self.soa_rrset:
                yield self.apex.owner, rrset
        for node in self.nodes.values():
            if node is not self.apex:
                owner = node.owner
                for rrset in node.rrsets:
                    yield owner, rrset

    def rrs(self) -> Iterator[RR]:
        """Yield every record once in canonical order of owners, the apex's SOA first."""
        for node in self.sorted_nodes():
            for rrset in sorted(node.rrsets, key=lambda r: (r.rtype != RRType.SOA, r.rtype)):
                for rdata in rrset.rdatas:
                    yield RR(node.owner, rrset.rtype, rrset.ttl, rdata)


MAX_RRSETS = 8192
"""The most RRsets of one name, RRSIGs counted for each type that they cover. The Rust engine searches them
one by one, and no zone that makes sense has so many."""
_RRSIG_OF = 1 << 16
"""Added to a covered type, this is the place of its RRSIGs among an owner's RRsets."""


_NAME_FROM: dict[int, int] = {
    RRType.NS: 0, RRType.CNAME: 0, RRType.PTR: 0, RRType.DNAME: 0, RRType.MB: 0, RRType.MG: 0, RRType.MR: 0,
    RRType.MX: 2, RRType.AFSDB: 2, RRType.RT: 2, RRType.KX: 2, RRType.SRV: 6,
    RRType.RP: 0, RRType.MINFO: 0, RRType.PX: 2,
}  # fmt: skip
"""Where the RDATA of these types becomes a name, or two, up to its end."""


def _comparable(rtype: int, rdata: bytes) -> bytes:
    """Return what tells *rdata* from others of its RRset: the case of a name in it does not (RFC 4343)."""
    start = _NAME_FROM.get(rtype)
    if rtype == RRType.NAPTR:
        start = 4
        for _ in range(3):  # flags, services, expression
            start += 1 + rdata[start]
    return rdata if start is None else rdata[:start] + rdata[start:].lower()


class SnapshotBuilder:
    """Collects records and makes a `ZoneSnapshot` of them. Not for use by two threads."""

    def __init__(self, origin: Name, rdclass: int = IN) -> None:
        self.origin = origin
        self.rdclass = rdclass
        self._key = origin.lower()
        self._rrsets: dict[Key, dict[int, RRset]] = {}
        self._owners: dict[Key, Name] = {self._key: origin}
        self._growing: dict[tuple[Key, int], dict[bytes, bytes]] = {}
        self.rr_count = 0

    def add(self, owner: Name, rtype: int, ttl: int, rdata: bytes) -> int:
        """Add one record and return the RRset's TTL.

        All records of an RRset have the first one's TTL (RFC 2181 section 5.2): a result other than *ttl* is
        worth a warning. A record that is there already is not added twice. Raises `OutOfZoneError` and
        `ZoneTooLargeError`.
        """
        key = owner.lower()
        sets = self._rrsets.get(key)
        if sets is None:
            if not is_subdomain(key, self._key):
                raise OutOfZoneError("owner is not in the zone")
            sets = self._rrsets[key] = {}
            if key != owner:
                self._owners.setdefault(key, owner)
        which = rtype if rtype != RRType.RRSIG else _RRSIG_OF + rrsig_covered(rdata)
        rrset = sets.get(which)
        if rrset is None:
            if len(sets) >= MAX_RRSETS:
                raise ZoneTooLargeError(f"a name has more than {MAX_RRSETS} RRsets")
            sets[which] = RRset(rtype, ttl, (rdata,))
            self.rr_count += 1
            return ttl
        self._append(key, which, rrset, rdata)
        return rrset.ttl

    @property
    def owners(self) -> Collection[Key]:
        """The owners that have records so far."""
        return self._rrsets

    def set_ttl(self, owner: Name, rtype: int, ttl: int, covers: int = 0) -> None:
        """Change the TTL of an RRset that is there; *covers* is the type that an RRset of RRSIGs covers."""
        which = rtype if rtype != RRType.RRSIG else _RRSIG_OF + covers
        self._rrsets[owner.lower()][which].ttl = ttl

    def _append(self, key: Key, which: int, rrset: RRset, rdata: bytes) -> None:
        growing = self._growing.get((key, which))
        if growing is None:
            growing = self._growing[key, which] = {_comparable(which, known): known for known in rrset.rdatas}
        before = len(growing)
        growing.setdefault(_comparable(which, rdata), rdata)
        self.rr_count += len(growing) - before

    def rrsets(self) -> Iterator[tuple[Key, RRset]]:
        """Yield what has been collected so far, in the order of arrival."""
        self._settle()
        for key, sets in self._rrsets.items():
            for rrset in sets.values():
                yield key, rrset

    def rrset(self, key: Key, rtype: int) -> RRset | None:
        """Return what has been collected for *key* and *rtype* (not RRSIG), or None."""
        self._settle()
        return self._rrsets.get(key, {}).get(rtype)

    def _settle(self) -> None:
        for (key, which), rdatas in self._growing.items():
            self._rrsets[key][which].rdatas = tuple(rdatas.values())
        self._growing.clear()

    def finish(self, base: ZoneSnapshot | None = None, replaced: Collection[Key] = ()) -> ZoneSnapshot:
        """Return the snapshot; the builder must not be used afterwards. Raises `NoSoaError`.

        With *base*, another version of the zone, the result has what *base* has at all owners but those in
        *replaced*, and shares it; the records that were added here have owners in *replaced*.
        """
        self._settle()
        nodes: dict[Key, Node] = {}
        apex = nodes[self._key] = Node(self.origin)
        rr_count = self.rr_count
        if base is not None:
            rr_count += base.rr_count - sum(base.count_at(key) for key in replaced)
            for key, old in base.nodes.items():
                if old.rrsets and key not in replaced:
                    node = nodes.get(key) or _make_node(nodes, key, old.owner)
                    node.owner, node.rrsets = old.owner, old.rrsets
        for key, sets in self._rrsets.items():
            owner = self._owners.get(key, key)
            node = nodes.get(key) or _make_node(nodes, key, owner)
            if node.owner != owner:
                node.owner = owner
            node.rrsets = tuple(sets.values())
            _attach_signatures(node)
        apex.owner = self.origin
        _link(nodes, apex)
        return ZoneSnapshot(self.origin, self.rdclass, nodes, rr_count)


def _make_node(nodes: dict[Key, Node], key: Key, owner: Name) -> Node:
    """Make the node of *key* and of every missing name between it and its closest existing ancestor."""
    missing = []
    at_key, at_owner = key, owner
    while (above := nodes.get(at_key)) is None:
        missing.append((at_key, at_owner))
        skip = 1 + at_key[0]
        at_key, at_owner = at_key[skip:], at_owner[skip:]
    for missing_key, missing_owner in reversed(missing):
        above = nodes[missing_key] = Node(missing_owner)
    return above


def _attach_signatures(node: Node) -> None:
    for rrsigs in node.rrsets:
        if rrsigs.rtype != RRType.RRSIG:
            continue
        covered = node.get(rrsigs.covers)
        if covered is not None:
            covered.sigs = rrsigs.rdatas
            covered.sigs_ttl = rrsigs.ttl


def _link(nodes: dict[Key, Node], apex: Node) -> None:
    """Give every node its topmost cut and DNAME, and its wildcard. *nodes* has parents before children."""
    for key, node in nodes.items():
        if node is apex:
            continue
        above = nodes[key[1 + key[0] :]]
        cut, dname = above.cut, above.dname
        if dname is None and above.get(RRType.DNAME) is not None:
            dname = above
        if cut is None and dname is None and key[:2] == b"\x01*":
            above.wildcard = node
        node.dname = dname
        if cut is None and node.get(RRType.NS) is not None:
            cut = node
        node.cut = cut


def build_snapshot(origin: Name, records: Iterable[RR], rdclass: int = IN) -> ZoneSnapshot:
    """Return a snapshot of *records*. Raises `OutOfZoneError` and `NoSoaError`."""
    builder = SnapshotBuilder(origin, rdclass)
    for owner, rtype, ttl, rdata in records:
        builder.add(owner, rtype, ttl, rdata)
    return builder.finish()
