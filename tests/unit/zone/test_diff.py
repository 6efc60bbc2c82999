"""Deltas: what they hold, what they do not fit, and what they leave alone."""

from __future__ import annotations

import pytest

from bindpy.zone import names
from bindpy.zone.diff import Delta, DeltaDoesNotFitError, apply, condense, diff, soa_record
from bindpy.zone.digest import zone_digest
from bindpy.zone.rdata import rdata_from_text, type_from_text
from bindpy.zone.records import RR, RRType
from bindpy.zone.snapshot import ZoneSnapshot, build_snapshot

ORIGIN = names.from_text("example.")


def rr(line: str) -> RR:
    owner, ttl, rtype_text, rdata = line.split(None, 3)
    rtype = type_from_text(rtype_text)
    assert rtype is not None
    return RR(names.from_text(owner, ORIGIN), rtype, int(ttl), rdata_from_text(rtype, rdata, ORIGIN))


def version(serial: int, *lines: str) -> ZoneSnapshot:
    return build_snapshot(ORIGIN, [rr(f"@ 300 SOA ns h {serial} 2 3 4 5"), *map(rr, lines)])


def delta(old: int, new: int, removed: tuple[str, ...] = (), added: tuple[str, ...] = ()) -> Delta:
    first, last = version(old), version(new)
    return Delta(soa_record(first), soa_record(last), tuple(map(rr, removed)), tuple(map(rr, added)))


A, B, C = "a 60 A 192.0.2.1", "b 60 A 192.0.2.2", "x.y.c 60 A 192.0.2.3"


def test_a_change_of_ttl_removes_and_adds_the_whole_rrset() -> None:
    both = ("a 60 A 192.0.2.1", "a 60 A 192.0.2.2")
    slower = ("a 90 A 192.0.2.1", "a 90 A 192.0.2.2")
    assert diff(version(1, *both), version(2, *slower)) == delta(1, 2, both, slower)


def test_the_soa_is_in_neither_list() -> None:
    found = diff(version(1, A), version(2, A))
    assert (found.removed, found.added) == ((), ())
    assert (found.old_serial, found.new_serial, len(found)) == (1, 2, 2)


def test_the_order_of_records_and_the_case_of_owners_are_no_difference() -> None:
    one = version(1, "a 60 TXT x", "a 60 TXT y", B)
    other = version(2, B, "A 60 TXT y", "A 60 TXT x")
    assert len(diff(one, other)) == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (delta(2, 3), "starts from serial 2, the zone has 1"),
        (delta(1, 2, removed=(B,)), "removes a record of type 1 that is not there"),
        (delta(1, 2, removed=(A, A)), "removes a record of type 1 that is not there"),
        (delta(1, 2, added=(A,)), "adds a record of type 1 that is there already"),
        (delta(1, 2, added=("a 99 A 192.0.2.1",)), "adds a record of type 1 that is there already"),
    ],
)
def test_a_delta_that_does_not_fit_is_refused(change: Delta, why: str) -> None:
    with pytest.raises(DeltaDoesNotFitError, match=why):
        apply(version(1, A), [change])


def test_what_a_delta_repeats_may_be_passed_over() -> None:
    old = version(1, A)
    assert apply(old, [delta(1, 2, added=(A, B))], may_repeat=True).same_data(version(2, A, B))
    with pytest.raises(DeltaDoesNotFitError, match="there already"):
        apply(old, [delta(1, 2, added=("a 99 A 192.0.2.1",))], may_repeat=True)


def test_a_chain_has_to_follow_on() -> None:
    with pytest.raises(DeltaDoesNotFitError, match="starts from serial 3, the zone has 2"):
        apply(version(1), [delta(1, 2), delta(3, 4)])


def test_nothing_but_what_a_delta_touches_is_made_anew() -> None:
    old = version(1, A, B, C)
    new = apply(old, [delta(1, 2, removed=(C,), added=("a 60 A 192.0.2.9",))])
    assert new.same_data(version(2, "a 60 A 192.0.2.1", "a 60 A 192.0.2.9", B))
    assert new.nodes[rr(B).owner].rrsets is old.nodes[rr(B).owner].rrsets
    assert set(new.nodes) == {ORIGIN, rr(A).owner, rr(B).owner}, (
        "the empty non-terminals above x.y.c went too"
    )
    assert (old.rr_count, new.rr_count) == (4, 4)
    assert old.same_data(version(1, A, B, C))


def test_cuts_and_wildcards_are_worked_out_anew() -> None:
    old = version(1, "sub 60 NS ns.sub", "ns.sub 60 A 192.0.2.1", "*.sub 60 A 192.0.2.2")
    sub = names.from_text("sub", ORIGIN)
    assert old.nodes[sub].wildcard is None
    new = apply(old, [delta(1, 2, removed=("sub 60 NS ns.sub",))])
    assert new.nodes[sub].cut is None
    assert new.nodes[b"\2ns" + sub].cut is None
    assert new.nodes[sub].wildcard is new.nodes[b"\1*" + sub]


def test_signatures_follow_what_they_cover() -> None:
    sign = "a 60 RRSIG A 8 2 60 20380101000000 20260101000000 {tag} example. AQID"
    old = version(1, A, sign.format(tag=1))
    new = apply(old, [delta(1, 2, removed=(sign.format(tag=1),), added=(sign.format(tag=2),))])
    rrset = new.get(rr(A).owner, RRType.A)
    assert rrset is not None
    assert rrset.sigs == (rr(sign.format(tag=2)).rdata,)
    before = old.get(rr(A).owner, RRType.A)
    assert before is not None
    assert before.sigs == (rr(sign.format(tag=1)).rdata,)


def test_what_is_undone_is_not_in_the_condensed_delta() -> None:
    steps = [delta(1, 2, removed=(A,), added=(B,)), delta(2, 3, added=(A, C)), delta(3, 4, removed=(C,))]
    assert condense(steps) == delta(1, 4, added=(B,))


def test_a_digest_tells_versions_apart_whatever_the_serial() -> None:
    one = zone_digest(version(1, A, B))
    assert one == zone_digest(version(1, B, "A 60 A 192.0.2.1"))
    others = [version(1, A), version(1, A, C), version(1, "a 61 A 192.0.2.1", B), version(2, A, B)]
    assert one.value not in {zone_digest(other).value for other in others}
