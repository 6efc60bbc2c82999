"""The zone checks as functions of a snapshot: what the corpus of files cannot say."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.zone import check_duplicates
from bindpy.zone.check_findings import MAX_PER_RULE
from bindpy.zone.check_names import is_host_name, is_mailbox, is_nsec3_owner, is_reverse
from bindpy.zone.check_targets import Found, find_address, looks_like_address
from bindpy.zone.checks import CHECKZONE_DEFAULTS, check_records, check_zone
from bindpy.zone.names import Key, from_text
from bindpy.zone.rdata import rdata_from_text
from bindpy.zone.reader import read_zone_text
from bindpy.zone.records import CHAOS, IN, RRset, RRType
from bindpy.zone.snapshot import ZoneSnapshot

ORIGIN = from_text("example.com")
HEAD = "$TTL 3600\n@ SOA ns1 hostmaster 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"
NAMED = ZoneChecks()


def snapshot(body: str, *, head: str = HEAD, rdclass: int = IN) -> ZoneSnapshot:
    text = read_zone_text("db", ORIGIN, rdclass, text=(head + body).encode("latin-1"))
    assert not text.has_errors, text.diagnostics
    return text.builder.finish()


def nowhere(_key: Key, _rtype: int) -> Sequence[SourceSpan]:
    return ()


def findings(
    body: str, checks: ZoneChecks = NAMED, *, head: str = HEAD, rdclass: int = IN
) -> list[Diagnostic]:
    return check_zone(snapshot(body, head=head, rdclass=rdclass), checks, nowhere)


def severities(body: str, checks: ZoneChecks = NAMED) -> list[Severity]:
    return [item.severity for item in findings(body, checks)]


E, W = Severity.ERROR, Severity.WARNING


def test_a_clean_zone_asks_for_no_places() -> None:
    def never(key: Key, rtype: int) -> Sequence[SourceSpan]:
        raise AssertionError((key, rtype))

    zone = snapshot("sub NS ns.sub\nns.sub A 192.0.2.2\n@ MX 10 ns1\n_s._tcp SRV 0 0 1 ns1\nwww CNAME ns1\n")
    assert check_zone(zone, NAMED, never) == []


@pytest.mark.parametrize(
    ("change", "body", "named", "changed"),
    [
        ({"names": CheckMode.WARN}, "a_b A 192.0.2.2\n", [E], [W]),
        ({"names": CheckMode.IGNORE}, "a_b A 192.0.2.2\n", [E], []),
        ({"max_records_per_type": 0}, "".join(f"a A 192.0.2.{i}\n" for i in range(101)), [E], []),
        ({"max_types_per_name": 0}, "".join(f"a TYPE{65300 + i} \\# 0\n" for i in range(101)), [E], []),
        ({"max_records": 3}, "a TXT x\n", [], [E]),
        ({"max_records": 3}, "", [], []),
        ({"max_zone_ttl": 3600}, "a 3600 TXT x\n", [], []),
        ({"max_zone_ttl": 3599}, "", [], [E, E, E]),
        ({"max_zone_ttl": 3599}, "a 0 TXT x\n", [], [E, E, E]),
        (
            {"integrity": False},
            "@ MX 0 nowhere\nsub NS nowhere\n_s SRV 0 0 0 nowhere\na SPF x\n",
            [W] * 4,
            [],
        ),
        ({"sibling": False}, "a NS ns.b\nb NS ns1\n", [W], []),
        ({"sibling": False}, "a NS ns.a\n", [W], [W]),
        ({"wildcard": False}, "a.*.b TXT x\n", [W], []),
        ({"spf": CheckMode.IGNORE}, "a SPF x\n", [W], []),
        ({"ns": CheckMode.FAIL}, "a NS 192.0.2.1.\n", [W], [E]),
        ({"mx": CheckMode.FAIL}, "a MX 0 192.0.2.1.\n", [W], [E]),
        ({"mx": CheckMode.FAIL}, "a MX 0 nowhere\n", [W], [E]),
        ({"mx": CheckMode.IGNORE}, "a MX 0 192.0.2.1.\n", [W], []),
        ({"mx": CheckMode.IGNORE}, "a MX 0 nowhere\n", [W], [W]),
        ({"mx_cname": CheckMode.FAIL}, "a MX 0 b\nb CNAME c\n", [W], [E]),
        ({"srv_cname": CheckMode.FAIL}, "a SRV 0 0 0 b\nb CNAME c\n", [W], [E]),
        ({"dup_records": CheckMode.FAIL}, "a NSEC b.net. A\na NSEC B.net. A\n", [W], [E]),
        ({"primary": False}, "@ NS nowhere\n", [E], [W]),
        ({"primary": False}, "@ CDNSKEY 257 3 8 AAAA\n", [E], [W]),
        ({"primary": False}, "a CNAME b\na TXT x\n", [E], [E]),
    ],
)
def test_modes(change: dict[str, object], body: str, named: list[Severity], changed: list[Severity]) -> None:
    assert severities(body) == named
    assert severities(body, dataclasses.replace(NAMED, **change)) == changed  # type: ignore[arg-type]


def test_the_target_of_a_service_alias_is_no_host_name_elsewhere() -> None:
    body = "a HTTPS 0 *.net.\nb MX {} *.net.\n"
    assert severities(body.format(0)) == severities(body.format(10)) == [E]


def test_checkzone_differs_from_named_in_three_defaults() -> None:
    differing = {
        field.name
        for field in dataclasses.fields(ZoneChecks)
        if getattr(NAMED, field.name) != getattr(CHECKZONE_DEFAULTS, field.name)
    }
    assert differing == {"names", "max_records_per_type", "max_types_per_name"}


def test_places_and_notes() -> None:
    text = read_zone_text("db", ORIGIN, text=(HEAD + "www A 192.0.2.2\nwww CNAME ns1\n").encode())
    (found,) = check_zone(text.builder.finish(), NAMED, text.locate)
    assert found.span == SourceSpan("db", 5, 1)
    assert [note.span for note in found.notes] == [SourceSpan("db", 6, 1)]
    assert "RFC 1034 section 3.6.2" in found.notes[0].message


def test_the_nth_record_is_pointed_at() -> None:
    text = read_zone_text("db", ORIGIN, text=(HEAD + "@ MX 1 ns1\n@ MX 2 nowhere\n").encode())
    (found,) = check_zone(text.builder.finish(), NAMED, text.locate)
    assert found.span == SourceSpan("db", 6, 1)


def test_many_findings_are_counted_not_told() -> None:
    found = findings("".join(f"a_{i} A 192.0.2.1\n" for i in range(MAX_PER_RULE + 7)))
    assert len(found) == MAX_PER_RULE + 1
    assert found[-1].severity is E
    assert found[-1].message == "7 more findings of this kind: bad owner name"


def test_records_alone_do_not_miss_what_may_stand_on_bad_lines() -> None:
    zone = snapshot("@ NS nowhere\n@ MX 0 nowhere\na NS b.a\nw CNAME x\nw TXT x\n")
    assert [item.severity for item in check_records(zone, NAMED, nowhere)] == [E]


def test_soa_below_the_apex_of_a_transferred_zone() -> None:
    zone = snapshot("a TXT x\n")
    key = from_text("a.example.com")
    zone.nodes[key].rrsets += (RRset(RRType.SOA, 60, zone.soa_rrset.rdatas),)
    assert [item.message for item in check_zone(zone, NAMED, nowhere)] == [
        "'a.example.com.': SOA record not at top of zone"
    ]


def test_two_soas_that_differ() -> None:
    zone = snapshot("")
    other = rdata_from_text(RRType.SOA, "ns1 hostmaster 2 2 3 4 5", ORIGIN)
    zone.soa_rrset.rdatas += (other,)
    assert [item.message for item in check_zone(zone, NAMED, nowhere)] == [
        "zone 'example.com.' has 2 SOA records"
    ]


def test_other_classes_have_no_host_names() -> None:
    head = "$TTL 60\n@ CH SOA a_b. h. 1 2 3 4 5\n@ CH NS n_s.\n"
    assert findings("a CH TXT x\n", head=head, rdclass=CHAOS) == []


LOOKUPS = snapshot(
    "alias CNAME ns1\n"
    "a.ent TXT x\n"
    "*.wild AAAA 2001:db8::1\n"
    "*.wildalias CNAME ns1\n"
    "cut NS ns1\n"
    "host.cut A 192.0.2.1\n"
    "dname DNAME example.net.\n"
    "dname A 192.0.2.1\n"
    "cut.below.dname NS ns1\n"
    "dname.cut DNAME example.net.\n"
)


@pytest.mark.parametrize(
    ("name", "found", "by"),
    [
        ("ns1", Found.ADDRESS, "ns1"),
        ("NS1", Found.ADDRESS, "ns1"),
        ("nowhere", Found.NO_ADDRESS, "@"),
        ("x.ns1", Found.NO_ADDRESS, "ns1"),
        ("alias", Found.ALIAS, "alias"),
        ("ent", Found.NO_ADDRESS, "ent"),
        ("wild", Found.NO_ADDRESS, "wild"),
        ("x.wild", Found.ADDRESS, "*.wild"),
        ("y.x.wild", Found.ADDRESS, "*.wild"),
        ("*.wild", Found.ADDRESS, "*.wild"),
        ("x.wildalias", Found.ALIAS, "*.wildalias"),
        ("cut", Found.DELEGATED, "cut"),
        ("host.cut", Found.DELEGATED, "cut"),
        ("x.host.cut", Found.DELEGATED, "cut"),
        ("x.dname.cut", Found.DELEGATED, "cut"),
        ("dname", Found.ADDRESS, "dname"),
        ("x.dname", Found.BELOW_DNAME, "dname"),
        ("x.cut.below.dname", Found.BELOW_DNAME, "dname"),
        ("@", Found.NO_ADDRESS, "@"),
    ],
)
def test_find_address(name: str, found: Found, by: str) -> None:
    outcome, node = find_address(LOOKUPS, from_text(name, ORIGIN).lower())
    assert (outcome, node.owner) == (found, from_text(by, ORIGIN))


@pytest.mark.parametrize(
    ("name", "is_address"),
    [
        ("192.0.2.1", True),
        ("192.0.2.1.example.com", True),
        ("2001:db8::1", True),
        ("\\:\\:.example.com", True),
        ("192.0.2.256", False),
        ("192.0.2.01", False),
        ("192.0.2", False),
        ("1.192.0.2.1", False),
        ("192.0.2.1.example.net", False),
        ("2001:zz", False),
        ("1", False),
        (".", False),
        ("1a.0.2.1", False),
    ],
)
def test_looks_like_address(name: str, is_address: bool) -> None:
    assert looks_like_address(from_text(name).lower(), ORIGIN) is is_address


@pytest.mark.parametrize(
    ("name", "host", "mailbox"),
    [
        (".", True, True),
        ("a", True, True),
        ("a-b.c3.xn--bcher-kva", True, True),
        ("3com.example", True, True),
        ("a_b.example", False, True),
        ("-a.example", False, True),
        ("a-.example", False, True),
        ("first\\.last.example", False, True),
        ("a.b_c", False, False),
        ("a\\032b.example", False, False),
        ("*.example", False, True),
        ("\\195\\188.example", False, False),
    ],
)
def test_host_names_and_mailboxes(name: str, host: bool, mailbox: bool) -> None:
    assert (is_host_name(from_text(name)), is_mailbox(from_text(name))) == (host, mailbox)


@pytest.mark.parametrize(
    ("label", "good"),
    [
        ("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", True),
        ("0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM", True),
        ("0p9mhaveqvm6t7vbl5lop2u3t2rp3t", False),
        ("zp9mhaveqvm6t7vbl5lop2u3t2rp3tom", False),
        ("a", False),
        ("ns", True),  # one octet and two unused bits, which are 0
        ("nt", False),
        ("abc", False),
        ("abcg", True),
        ("abch", False),
        ("abcde", True),
        ("abcdf", False),
        ("abcdeg", False),
        ("abcdefg", True),
    ],
)
def test_nsec3_owners(label: str, good: bool) -> None:
    assert is_nsec3_owner(from_text(f"{label}.example")) is good


def test_the_root_is_no_nsec3_owner() -> None:
    assert not is_nsec3_owner(from_text("."))


def test_reverse_trees() -> None:
    assert is_reverse(from_text("1.2.0.192.in-addr.arpa"))
    assert is_reverse(from_text("8.b.d.0.1.0.0.2.ip6.arpa"))
    assert not is_reverse(from_text("in-addr.arpa.example"))


@pytest.mark.parametrize(
    ("rtype", "first", "second", "same"),
    [
        (47, "b.net. A", "B.net. A", True),
        (47, "b.net. A", "B.net. AAAA", False),
        (107, "65 a.", "97 a.", False),
        (107, "10 a.", "10 A.", True),
        (55, "2 20 AwEA a. b.", "2 20 AwEA A. b.", True),
        (55, "2 20 AwEA a.", "2 20 awea a.", False),
        (45, "10 3 2 a. AQNR", "10 3 2 A. AQNR", True),
        (45, "10 3 2 a. AQNR", "10 3 2 A. aqnr", False),
        (45, "10 1 2 192.0.2.65 AQNR", "10 1 2 192.0.2.97 AQNR", False),
        (260, "10 0 3 a.", "10 0 3 A.", True),
        (260, "10 1 3 a.", "10 1 3 A.", True),
        (260, "10 0 1 192.0.2.65", "10 0 1 192.0.2.97", False),
    ],
)
def test_duplicates(rtype: int, first: str, second: str, same: bool) -> None:
    assert rtype in check_duplicates.TYPES
    rdatas = tuple(rdata_from_text(rtype, text, ORIGIN) for text in (first, second))
    assert check_duplicates.has_duplicates(RRset(rtype, 60, rdatas)) is same
