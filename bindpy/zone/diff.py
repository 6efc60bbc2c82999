"""What changed between two versions of a zone, and how to apply it.

A `Delta` is what IXFR carries (RFC 1995) and what the state database keeps. It is always made by comparing
two snapshots, never by following edits, so applying it to the one gives exactly the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError
from bindpy.zone.names import Key, Name
from bindpy.zone.records import RR, RRset, RRType, Soa
from bindpy.zone.snapshot import Node, SnapshotBuilder, ZoneSnapshot


class DeltaDoesNotFitError(BindpyError):
    """A delta deletes what is not there, adds what is, or starts from another serial."""


@dataclass(frozen=True, slots=True)
class Delta:
    """The records to remove from one version and those to add to get the next.

    ``old_soa`` and ``new_soa`` stand apart because IXFR uses them as marks; they are in neither list. A
    change of an RRset's TTL removes and adds all of its records.
    """

    old_soa: RR
    new_soa: RR
    removed: tuple[RR, ...]
    added: tuple[RR, ...]

    @property
    def old_serial(self) -> int:
        """The serial that this starts from."""
        return Soa.from_rdata(self.old_soa.rdata).serial

    @property
    def new_serial(self) -> int:
        """The serial that this leads to."""
        return Soa.from_rdata(self.new_soa.rdata).serial

    def __len__(self) -> int:
        """The number of records in it, both SOAs included."""
        return len(self.removed) + len(self.added) + 2


class AnyZone(Protocol):
    """A zone of any engine, as far as its SOA needs it."""

    @property
    def origin(self) -> Name: ...
    @property
    def key(self) -> Key: ...
    def get(self, key: Key, rtype: int) -> RRset | None: ...


def soa_record(zone: AnyZone) -> RR:
    """Return the zone's SOA as a record."""
    soa = zone.get(zone.key, RRType.SOA)
    assert soa is not None, "a zone has a SOA"
    return RR(zone.origin, RRType.SOA, soa.ttl, soa.rdatas[0])


def diff(old: ZoneSnapshot, new: ZoneSnapshot) -> Delta:
    """Return what leads from *old* to *new*, two versions of one zone. O(names of both)."""
    removed: list[RR] = []
    added: list[RR] = []
    for key, node in old.nodes.items():
        other = new.nodes.get(key)
        if other is None:
            removed += _records(node)
        elif node.rrsets != other.rrsets:
            _diff_node(node, other, removed, added)
    for key, node in new.nodes.items():
        if key not in old.nodes:
            added += _records(node)
    return Delta(soa_record(old), soa_record(new), tuple(removed), tuple(added))


def _records(node: Node) -> Iterator[RR]:
    for rrset in node.rrsets:
        yield from _rrset_records(node.owner, rrset)


def _rrset_records(owner: Name, rrset: RRset) -> Iterator[RR]:
    if rrset.rtype != RRType.SOA:
        for rdata in rrset.rdatas:
            yield RR(owner, rrset.rtype, rrset.ttl, rdata)


def _diff_node(old: Node, new: Node, removed: list[RR], added: list[RR]) -> None:
    before = {(rrset.rtype, rrset.covers): rrset for rrset in old.rrsets}
    after = {(rrset.rtype, rrset.covers): rrset for rrset in new.rrsets}
    for which, rrset in before.items():
        other = after.get(which)
        if other is None or other.ttl != rrset.ttl:
            removed += _rrset_records(old.owner, rrset)
        elif other != rrset:
            stays = frozenset(other.rdatas)
            removed += [rr for rr in _rrset_records(old.owner, rrset) if rr.rdata not in stays]
    for which, rrset in after.items():
        other = before.get(which)
        if other is None or other.ttl != rrset.ttl:
            added += _rrset_records(new.owner, rrset)
        elif other != rrset:
            was = frozenset(other.rdatas)
            added += [rr for rr in _rrset_records(new.owner, rrset) if rr.rdata not in was]


def apply(zone: ZoneSnapshot, deltas: Iterable[Delta], *, may_repeat: bool = False) -> ZoneSnapshot:
    """Return *zone* after *deltas*, in their order. Raises `DeltaDoesNotFitError`; *zone* never changes.

    What the deltas do not touch is shared with *zone*. *may_repeat*: a delta may add what is there already,
    if it is exactly that.
    """
    soa = soa_record(zone)
    touched: dict[Key, dict[tuple[int, bytes], RR]] = {}

    def records_at(key: Key) -> dict[tuple[int, bytes], RR]:
        records = touched.get(key)
        if records is None:
            node = zone.nodes.get(key)
            found = _records(node) if node is not None else ()
            records = touched[key] = {(rr.rtype, rr.rdata): rr for rr in found}
        return records

    for delta in deltas:
        serial = Soa.from_rdata(soa.rdata).serial
        if serial != delta.old_serial:
            raise DeltaDoesNotFitError(
                f"the delta starts from serial {delta.old_serial}, the zone has {serial}"
            )
        for rr in delta.removed:
            if records_at(rr.owner.lower()).pop((rr.rtype, rr.rdata), None) is None:
                raise DeltaDoesNotFitError(f"the delta removes a record of type {rr.rtype} that is not there")
        for rr in delta.added:
            there = records_at(rr.owner.lower()).setdefault((rr.rtype, rr.rdata), rr)
            if there is not rr and not (may_repeat and there.ttl == rr.ttl):
                raise DeltaDoesNotFitError(
                    f"the delta adds a record of type {rr.rtype} that is there already"
                )
        soa = delta.new_soa
    records_at(zone.key)
    builder = SnapshotBuilder(zone.origin, zone.rdclass)
    builder.add(*soa)
    for records in touched.values():
        for rr in records.values():
            builder.add(*rr)
    return builder.finish(zone, touched.keys())


def condense(deltas: list[Delta]) -> Delta:
    """Return one delta that does what *deltas* (at least one, each starting where the last ended) do."""
    removed: dict[tuple[Key, int, int, bytes], RR] = {}
    added: dict[tuple[Key, int, int, bytes], RR] = {}
    for delta in deltas:
        for rr in delta.removed:
            identity = (rr.owner.lower(), rr.rtype, rr.ttl, rr.rdata)
            if added.pop(identity, None) is None:
                removed[identity] = rr
        for rr in delta.added:
            identity = (rr.owner.lower(), rr.rtype, rr.ttl, rr.rdata)
            if removed.pop(identity, None) is None:
                added[identity] = rr
    return Delta(deltas[0].old_soa, deltas[-1].new_soa, tuple(removed.values()), tuple(added.values()))
