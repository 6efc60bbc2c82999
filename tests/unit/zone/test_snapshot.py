"""Snapshots: nodes, empty non-terminals, cuts, signatures."""

from __future__ import annotations

import gc

import pytest

from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.diagnostics import Severity
from bindpy.zone import names
from bindpy.zone.load import load_zone_octets
from bindpy.zone.rdata import rdata_from_text, type_from_text
from bindpy.zone.records import RR, RRType
from bindpy.zone.snapshot import NoSoaError, OutOfZoneError, SnapshotBuilder, ZoneSnapshot, build_snapshot
from tests.support.signed import signed

ORIGIN = names.from_text("example.")


def _rr(line: str) -> RR:
    owner, ttl, rtype_text, rdata = line.split(None, 3)
    rtype = type_from_text(rtype_text)
    assert rtype is not None
    return RR(names.from_text(owner, ORIGIN), rtype, int(ttl), rdata_from_text(rtype, rdata, ORIGIN))


def _zone(*lines: str) -> ZoneSnapshot:
    return build_snapshot(ORIGIN, [_rr(line) for line in ("@ 300 SOA ns h 7 2 3 4 5", *lines)])


def _key(text: str) -> bytes:
    return names.from_text(text, ORIGIN).lower()


def test_empty_non_terminals_are_nodes() -> None:
    zone = _zone("a.b.c 300 A 192.0.2.1")
    assert set(zone.nodes) == {_key(n) for n in ("@", "c", "b.c", "a.b.c")}
    assert zone.nodes[_key("b.c")].rrsets == ()
    assert zone.serial == 7
    assert zone.rr_count == 2


def test_the_topmost_cut_and_dname_are_known_below_them() -> None:
    zone = _zone("sub 300 NS ns.sub", "ns.sub 300 A 192.0.2.1", "deep.sub 300 NS x", "@ 300 NS ns",
                 "old 300 DNAME new.", "a.old 300 A 192.0.2.1")  # fmt: skip
    cut = zone.nodes[_key("sub")]
    assert zone.apex.cut is None
    assert cut.cut is cut
    assert zone.nodes[_key("ns.sub")].cut is cut
    assert zone.nodes[_key("deep.sub")].cut is cut
    assert zone.nodes[_key("a.old")].dname is zone.nodes[_key("old")]
    assert zone.nodes[_key("old")].dname is None


def test_the_wildcard_child_is_known() -> None:
    zone = _zone("*.w 300 A 192.0.2.1")
    assert zone.nodes[_key("w")].wildcard is zone.nodes[_key("*.w")]
    assert zone.apex.wildcard is None


def test_signatures_go_with_what_they_cover() -> None:
    signature = "RRSIG {} 13 1 300 20361101000000 20261122020431 1 example. YWJj"
    zone = _zone("@ 300 NS ns", "@ 300 " + signature.format("NS"), "@ 400 " + signature.format("SOA"))
    ns = zone.get(ORIGIN, RRType.NS)
    assert ns is not None
    assert len(ns.sigs) == 1
    assert zone.soa_rrset.sigs_ttl == 400
    assert len(zone.apex.rrsigs()) == 2


def test_one_rrset_has_one_ttl_and_no_duplicates() -> None:
    builder = SnapshotBuilder(ORIGIN)
    assert builder.add(ORIGIN, RRType.A, 300, b"\1\2\3\4") == 300
    assert builder.add(ORIGIN, RRType.A, 400, b"\1\2\3\5") == 300
    assert builder.add(ORIGIN, RRType.A, 300, b"\1\2\3\4") == 300
    rrset = builder.rrset(ORIGIN, RRType.A)
    assert rrset is not None
    assert rrset.rdatas == (b"\1\2\3\4", b"\1\2\3\5")
    assert builder.rr_count == 2


def test_records_that_differ_in_the_case_of_a_name_are_one() -> None:
    zone = _zone("a 300 NS ns", "a 300 NS NS", "a 300 MX 65 Mail", "a 300 MX 65 mail", "a 300 MX 97 mail",
                 "a 300 TXT x", "a 300 TXT X", "a 300 TXT X")  # fmt: skip
    assert {rrset.rtype: len(rrset.rdatas) for rrset in zone.nodes[_key("a")].rrsets} == {2: 1, 15: 2, 16: 2}
    assert zone.rr_count == 6


def test_the_ttl_of_an_rrset_can_be_changed() -> None:
    builder = SnapshotBuilder(ORIGIN)
    builder.add(ORIGIN, RRType.A, 300, b"\1\2\3\4")
    builder.set_ttl(ORIGIN, RRType.A, 400)
    assert builder.add(ORIGIN, RRType.A, 400, b"\1\2\3\5") == 400
    assert list(builder.owners) == [ORIGIN]


def test_owners_out_of_the_zone_are_refused() -> None:
    with pytest.raises(OutOfZoneError):
        SnapshotBuilder(ORIGIN).add(b"\3www\0", RRType.A, 300, b"\1\2\3\4")


def test_a_zone_needs_a_soa() -> None:
    with pytest.raises(NoSoaError):
        build_snapshot(ORIGIN, [_rr("@ 300 NS ns")])


def test_the_case_of_owners_is_kept() -> None:
    zone = _zone("WwW.Sub 300 A 192.0.2.1", "www.sub 300 AAAA ::1", "SUB 300 TXT x")
    assert zone.nodes[_key("www.sub")].owner == names.from_text("WwW.Sub", ORIGIN)
    assert zone.nodes[_key("sub")].owner == names.from_text("SUB", ORIGIN)


def test_records_come_in_canonical_order_the_soa_first() -> None:
    zone = _zone("b 300 A 192.0.2.1", "a.b 300 A 192.0.2.1", "@ 300 A 192.0.2.1", "a 300 A 192.0.2.1")
    listed = [(names.to_text(rr.owner), rr.rtype) for rr in zone.rrs()]
    assert listed == [
        ("example.", 6),
        ("example.", 1),
        ("a.example.", 1),
        ("b.example.", 1),
        ("a.b.example.", 1),
    ]


_ALL_KINDS = """
@          300 SOA   ns1 h 1 2 3 4 300
@          300 NS    ns1.test.
@          300 TXT   "apex"
ns1        300 A     192.0.2.1
a.b        300 A     192.0.2.2
*          300 A     192.0.2.3
*.*.deep   300 A     192.0.2.3
cut        300 NS    ns.cut
cut        300 DS    1 13 2 2BB183AF5F22588179A53B0A98631FAD1A292118B1C3F4F5F5F5F5F5F5F5F5F5
ns.cut     300 A     192.0.2.3
*.cut      300 A     192.0.2.3
*.*.cut    300 A     192.0.2.3
alias      300 DNAME b
*.alias    300 A     192.0.2.3
*.x.alias  300 A     192.0.2.3
m          300 MX    5 ns1.test.
_a._tcp    300 SRV   0 0 1 ns1.test.
l          300 LOC   51 0 0.000 N 0 0 0.000 E 0.00m
"""


@pytest.mark.parametrize("apex_dname", [False, True])
@pytest.mark.parametrize("kind", ["plain", "nsec", "nsec3"])
def test_a_loaded_zone_is_freed_by_counting_references(kind: str, apex_dname: bool) -> None:
    text = _ALL_KINDS + ("@ 300 DNAME elsewhere.test.\n" if apex_dname else "")
    if kind != "plain":
        text = signed("example.", text, nsec3=kind == "nsec3")
    origin = names.from_text("example.")
    checks = ZoneChecks(names=CheckMode.IGNORE, primary=False)

    def load() -> ZoneSnapshot:
        loaded = load_zone_octets("file", text.encode(), origin, 1, checks)
        fatal = [str(item) for item in loaded.diagnostics if item.severity is Severity.ERROR]
        assert loaded.zone is not None, fatal
        return loaded.zone

    zone = load()  # what is remembered for all zones is made by now
    assert (zone.denial is not None) == (kind != "plain")
    gc.collect()
    gc.disable()
    try:
        zone = load()
        assert gc.collect() == 0, "reading and checking leave cycles behind"
        del zone
        assert gc.collect() == 0, "the snapshot has cycles"
    finally:
        gc.enable()
