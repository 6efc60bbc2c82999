"""Names, RDATA and zones: text and back; any octets at all in a zone file."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bindpy.diagnostics import Severity
from bindpy.zone import names
from bindpy.zone.names import BadNameError
from bindpy.zone.rdata import RdataError, check_rdata, generic_text, rdata_from_text, rdata_to_text
from bindpy.zone.reader import ZoneText, read_zone_text
from bindpy.zone.records import RR
from bindpy.zone.snapshot import build_snapshot
from bindpy.zone.writer import RdataText, dump
from tests.property.strategies import ORIGIN, absolute_names, owners, typed_rdatas, zone_records

HEAD = b"$TTL 300\n@ SOA ns1 hostmaster 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"


def _read(text: bytes) -> ZoneText:
    return read_zone_text("test.zone", ORIGIN, text=text)


@given(absolute_names)
def test_a_name_survives_text(name: bytes) -> None:
    assert names.from_text(names.to_text(name)) == name


@given(owners)
def test_a_name_survives_relative_text(name: bytes) -> None:
    assert names.from_text(names.to_relative_text(name, ORIGIN), ORIGIN).lower() == name.lower()


@given(st.lists(absolute_names, max_size=6))
def test_canonical_keys_sort_as_labels_from_the_right(some: list[bytes]) -> None:
    by_labels = sorted(some, key=lambda name: names.labels(name.lower())[::-1])
    by_key = sorted(some, key=lambda name: names.canonical_key(name.lower()))
    assert [n.lower() for n in by_key] == [n.lower() for n in by_labels]


@given(absolute_names, absolute_names)
def test_a_subdomain_has_the_ancestor_among_its_ancestors(name: bytes, other: bytes) -> None:
    key, other_key = name.lower(), other.lower()
    assert names.is_subdomain(key, other_key) == (other_key in list(names.ancestors(key)))


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = names.from_text(text, ORIGIN)
    except BadNameError as e:
        assert 0 <= e.offset <= len(text)  # noqa: PT017 - it need not raise
    else:
        assert names.from_labels(names.labels(name)) == name


@given(typed_rdatas)
def test_rdata_survives_text_and_generic_text(typed: tuple[int, bytes]) -> None:
    rtype, rdata = typed
    assert check_rdata(rtype, rdata) is None
    assert rdata_from_text(rtype, rdata_to_text(rtype, rdata), ORIGIN) == rdata
    assert rdata_from_text(rtype, generic_text(rdata), ORIGIN) == rdata


@given(
    st.sampled_from([1, 2, 5, 15, 16, 28, 33, 46, 47, 50, 65, 257, 30, 38, 256, 65400]), st.text(max_size=40)
)
@example(16, '"a\\')
@example(65, '1 . alpn="')
def test_any_text_is_rdata_or_refused(rtype: int, text: str) -> None:
    latin = text.encode("utf-8").decode("latin-1")
    try:
        rdata = rdata_from_text(rtype, latin, ORIGIN)
    except RdataError:
        return
    assert check_rdata(rtype, rdata) is None


@given(
    st.sampled_from([1, 2, 15, 16, 28, 33, 46, 47, 50, 65, 257, 30, 38, 52, 256, 259]), st.binary(max_size=60)
)
def test_any_octets_as_rdata_have_a_text(rtype: int, rdata: bytes) -> None:
    text = RdataText(1)(rtype, rdata)
    assert text.isascii()
    if check_rdata(rtype, rdata) is None:
        assert rdata_from_text(rtype, text, ORIGIN) == rdata


@given(zone_records())
def test_a_zone_survives_dump_and_reading(records: list[RR]) -> None:
    zone = build_snapshot(ORIGIN, records)
    text = "".join(dump(zone))
    again = _read(text.encode("ascii"))
    assert [d for d in again.diagnostics if d.severity is Severity.ERROR] == []
    snapshot = again.builder.finish()
    assert {(r.owner.lower(), *r[1:]) for r in snapshot.rrs()} == {
        (r.owner.lower(), *r[1:]) for r in zone.rrs()
    }
    assert "".join(dump(snapshot)).lower() == text.lower()


_PIECES = [
    b"\n", b" ", b"(", b")", b'"', b"\\", b";", b"\r", b"\r\n", b"\0", b"@", b"IN", b"1h", b"$X",
    b"$INCLUDE x", b"$TTL 1", b"$ORIGIN a", b"$GENERATE 1-3 a$ A 1.2.3.$", b"a A 1.2.3.4", b" TXT ", b"TYPE1",
    b"CNAME", b"MX 10", b"SOA a b 1 2 3 4 5", b"SVCB 1 . alpn=", b"LOC 1 N 1 E 1", b"RRSIG",
    b"\\# 4 01020304", b"$GENERATE 1-2 ${",
]  # fmt: skip
_LINES = st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(_PIECES)), max_size=20)


@given(_LINES, st.sampled_from([b"", b" ", b"\n"]), st.booleans())
def test_any_octets_make_a_zone_or_diagnostics(parts: list[bytes], between: bytes, with_head: bool) -> None:
    text = (HEAD if with_head else b"") + between.join(parts)
    zone = _read(text)
    lines = text.count(b"\n") + 1
    for diagnostic in zone.diagnostics:
        assert "".join(diagnostic.lines())
        assert diagnostic.span is None or 0 <= diagnostic.span.line <= lines
    if with_head and not zone.has_errors:
        zone.builder.finish()
