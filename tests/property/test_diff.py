"""Differences of versions of a zone: applied, condensed, stored, digested, they lead where they should."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindpy.state.codec import DeltaFormatError, decode_delta, encode_delta
from bindpy.zone.diff import Delta, apply, condense, diff
from bindpy.zone.digest import zone_digest
from bindpy.zone.records import RR
from bindpy.zone.snapshot import ZoneSnapshot, build_snapshot
from tests.property.strategies import ORIGIN, zone_records

_spares = st.lists(zone_records().map(lambda records: records[1:]), max_size=1).map(
    lambda lists: [rr for records in lists for rr in records]
)


@st.composite
def versions(draw: st.DrawFn) -> list[ZoneSnapshot]:
    """Draw successive versions of one zone that share many records, some with another TTL or case."""
    pool = draw(zone_records()) + draw(_spares)
    soa, rest = pool[0], pool[1:]
    found = []
    for serial in range(draw(st.integers(2, 4))):
        end = len(soa.rdata) - 20
        rdata = soa.rdata[:end] + serial.to_bytes(4, "big") + soa.rdata[end + 4 :]
        chosen = draw(st.lists(st.sampled_from(rest), unique=True)) if rest else []
        changed = [_changed(rr, draw(st.sampled_from(["same", "same", "ttl", "owner"]))) for rr in chosen]
        found.append(build_snapshot(ORIGIN, [RR(ORIGIN, 6, soa.ttl, rdata), *changed]))
    return found


def _changed(rr: RR, how: str) -> RR:
    if how == "ttl":
        return rr._replace(ttl=rr.ttl ^ 1)
    return rr._replace(owner=rr.owner.swapcase()) if how == "owner" and rr.owner.isascii() else rr


@given(versions())
def test_a_difference_applied_to_the_one_gives_the_other(zones: list[ZoneSnapshot]) -> None:
    for old, new in itertools.pairwise(zones):
        delta = diff(old, new)
        result = apply(old, [delta])
        assert result.same_data(new)
        assert result.rr_count == new.rr_count
        assert apply(new, [diff(new, old)]).same_data(old)


@given(versions())
def test_a_chain_and_its_condensed_form_lead_to_the_last_version(zones: list[ZoneSnapshot]) -> None:
    deltas = [diff(old, new) for old, new in itertools.pairwise(zones)]
    assert apply(zones[0], deltas).same_data(zones[-1])
    condensed = condense(deltas)
    assert apply(zones[0], [condensed]).same_data(zones[-1])
    assert len(condensed) <= sum(len(delta) for delta in deltas)


@given(versions())
def test_nothing_stands_in_both_lists(zones: list[ZoneSnapshot]) -> None:
    def identities(records: tuple[RR, ...]) -> set[tuple[bytes, int, int, bytes]]:
        return {(rr.owner.lower(), rr.rtype, rr.ttl, rr.rdata) for rr in records}

    for old, new in itertools.pairwise(zones):
        delta = diff(old, new)
        assert not identities(delta.removed) & identities(delta.added)
        assert len(identities(delta.removed)) == len(delta.removed)


@given(versions())
def test_a_digest_follows_a_delta(zones: list[ZoneSnapshot]) -> None:
    for old, new in itertools.pairwise(zones):
        assert zone_digest(old).after(diff(old, new)) == zone_digest(new)
        assert (zone_digest(old).value == zone_digest(new).value) == old.same_data(new)


@given(versions())
def test_a_stored_delta_comes_back(zones: list[ZoneSnapshot]) -> None:
    delta = diff(zones[0], zones[1])
    assert decode_delta(encode_delta(delta)) == delta


@given(versions(), st.data())
def test_a_spoilt_delta_is_refused_or_another_delta(zones: list[ZoneSnapshot], data: st.DataObject) -> None:
    octets = bytearray(encode_delta(diff(zones[0], zones[1])))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))
    for spoilt in (bytes(octets), bytes(octets[:cut])):
        try:
            assert isinstance(decode_delta(spoilt), Delta)
        except DeltaFormatError:
            continue


@pytest.mark.parametrize("octets", [b"", b"\0", b"\1", b"\2abc", b"\0" + b"\xff" * 40, b"\1" + b"\xff" * 40])
def test_what_is_no_delta_is_refused(octets: bytes) -> None:
    with pytest.raises(DeltaFormatError):
        decode_delta(octets)
