"""The fast path reads what the general way reads: the same records, the same findings."""

# ruff: noqa: E501 - tables

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bindpy.diagnostics import Diagnostic
from bindpy.zone import reader
from tests.property.strategies import ORIGIN

OWNERS = [
    "",
    "",
    "a",
    "b.c",
    "www.example.",
    "@",
    "*",
    "out.of.zone.",
    "_x._tcp",
    "a..b",
    "A",
    "1",
    "IN",
    "x" * 64,
    '"a"',
]
TTLS = ["", "", "", "300", "1h30m", "0", "2147483648", "99999999999", "1h30", "05"]
CLASSES = ["", "IN", "in", "CH", "CLASS1", "IN IN"]
RDATAS = [
    ("A", ["192.0.2.1", "192.0.2.01", "192.0.2", "1.2.3.4 5", " 192.0.2.1 ", '"192.0.2.1"', "256.1.1.1", r"\# 4 01020304"]),
    ("AAAA", ["2001:db8::1", "::1.2.3.4", "fe80::1%eth0", ":::", "2001:DB8::A"]),
    ("NS", ["ns", "ns.example.", '"ns"', "a b", ".", "@", r"a\.b", ""]),
    ("cname", ["a", "x" * 64, "a..", "é"]),
    ("MX", ["10 mail", "65536 mail", "+1 mail", "1_0 mail", "010 mail", "10", '10 "mail"', "-1 a", "10 mail ("]),
    ("SRV", ["1 2 3 t", "1 2 3", "1 2 65536 t", "1 2 3 t u"]),
    ("TXT", ['"a b" c', 'a"b"c', '""', '"', "a;b", '"a;b" (c)', r'"a\"b"', "é", '"é"', "x" * 256, "(a\n b)", '"(" ")"', "", '"' + "y" * 255 + '"']),
    ("DS", ["1 8 2 " + "AB" * 32, "1 8 2 AB", "1 RSASHA256 2 " + "ab" * 32, "1 8 2 " + "AB" * 31 + " ab", "x 8 2 " + "AB" * 32]),
    ("DNSKEY", ["257 3 13 YWJj", "257 3 13 YWI=", "257 3 13 YWJ", "257 3 13 YWK=", "257 3 13 Y W J j", "257 3 ECDSAP256SHA256 YWJj", "257 3 13", "257 256 13 YWJj"]),
    ("RRSIG", [
        "A 13 2 300 20361101000000 20261122020431 53584 example. YWJj",
        "A 13 2 300 (\n 20361101000000 ; c (\n 20261122020431\n 53584 example.\n YW\n Jj )",
        "A 13 2 1h 20361101000000 20261122020431 53584 example. YWJj",
        "A 13 2 300 20361301000000 20261122020431 53584 example. YWJj",
        "EID 13 2 300 4294967295 1 53584 @ YWJj", "TYPE65400 13 2 300 4294967296 1 53584 @ YWJj",
        "A ECDSAP256SHA256 2 300 20361101000000 20261122020431 53584 example. YWJj", "A 13 2 300 1 2 3 e",
        "A 256 2 300 1 2 3 e YWJj", "A 13 2 300 21100101000000 2 3 e YWJj",
    ]),
    ("NSEC", ["b A MX", "b", "b A BLAH", "b TYPE1 EID RRSIG NSEC", "b A A"]),
    ("NSEC3", ["1 0 0 - " + "0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM" + " A", "1 0 5 aabb " + "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", "1 0 0 - 0P9M A",
               "1 0 0 zz 0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM", "1 0 0 - 0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TO_ A"]),
    ("CAA", ['0 issue "ca.example"', "0 issue ca", '256 issue "x"', '0 is-sue "x"', '0 "issue" x']),
    ("SOA", ["a b 1 2 3 4 5", "a b 1 2 3 4 6", "a b (\n 1 2 3\n 4 5 )"]),
    ("HTTPS", ['1 . alpn="h2,h3"', "1 . alpn=h2 port=443", "0 .", "1 . port=x"]),
    ("BLAH", ["x"]), ("TSIG", ["x"]), ("ANY", ["x"]), ("TYPE1", ["192.0.2.9"]), ("MD", ["x"]), ("TYPE65400", [r"\# 1 00", r"\# 1"]),
]  # fmt: skip
TAILS = ["\n", "\n", " ; comment\n", "\r\n", " \t\n", ";(\n", " )\n", "\n\n ; blank\n\t\n", ""]
DIRECTIVES = [
    "$TTL 5\n",
    "$TTL 3000000000\n",
    "$ORIGIN sub\n",
    "$ORIGIN other.\n",
    "$ORIGIN example.\n",
    "$TTL\n",
    "$X\n",
    " \n",
]

_rdatas = st.sampled_from(RDATAS).flatmap(
    lambda pair: st.sampled_from(pair[1]).map(lambda text: f"{pair[0]} {text}")
)


@st.composite
def _record_lines(draw: st.DrawFn) -> str:
    ttl, class_text = draw(st.sampled_from(TTLS)), draw(st.sampled_from(CLASSES))
    middle = [ttl, class_text] if draw(st.booleans()) else [class_text, ttl]
    words = [word for word in middle if word]
    blank = draw(st.sampled_from([" ", "\t", "  "]))
    return blank.join([draw(st.sampled_from(OWNERS)), *words, draw(_rdatas)]) + draw(st.sampled_from(TAILS))


_lines = st.lists(st.one_of(_record_lines(), _record_lines(), st.sampled_from(DIRECTIVES)), max_size=12)
_heads = st.sampled_from(
    ["", "$TTL 300\n@ SOA a b 1 2 3 4 5\n", "@ SOA a b 1 2 3 4 5\n", "@ 60 SOA a b 1 2 3 4 5\n"]
)


def _outcome(text: bytes, *, fast: bool) -> tuple[list[object], list[Diagnostic]]:
    request = reader._Request("test.zone", ORIGIN, 1, text, "")
    zone = reader._ZoneReader(request, fast=fast).run()
    rrsets = [(key, rrset.rtype, rrset.ttl, rrset.rdatas) for key, rrset in zone.builder.rrsets()]
    return rrsets, list(zone.diagnostics)


@given(_heads, _lines)
@example("", [" A 192.0.2.1\n", " 300 A 192.0.2.1\n", "a A 192.0.2.1\n"])  # a TTL in a line without an owner
def test_fast_and_general_way_agree(head: str, lines: list[str]) -> None:
    text = (head + "".join(lines)).encode("utf-8")
    assert _outcome(text, fast=True) == _outcome(text, fast=False)


@given(_heads, _lines)
def test_places_are_the_same_on_both_ways(head: str, lines: list[str]) -> None:
    text = (head + "".join(lines)).encode("utf-8")
    request = reader._Request("test.zone", ORIGIN, 1, text, "")
    rrsets = [(key, rrset.rtype) for key, rrset in reader._ZoneReader(request).run().builder.rrsets()]
    found = []
    for fast in (True, False):
        places = reader.PlaceIndex()
        reader._ZoneReader(request, places, fast=fast).run()
        found.append([places.find(key, rtype) for key, rtype in rrsets])
    assert found[0] == found[1]
    assert all(found[0])


def test_most_simple_lines_take_the_fast_path() -> None:
    """Without this, the tests above could pass with a fast path that does nothing."""
    good = [f"{rtype} {rdatas[0]}" for rtype, rdatas in RDATAS[:13]]
    text = "$TTL 300\n" + "".join([f"host{i} {line}\n" for i, line in enumerate(good)])
    builder = reader.SnapshotBuilder(ORIGIN, 1)
    state = reader.LineState(ORIGIN, default_ttl=300)
    end = reader.FastPath(builder).run(text, len("$TTL 300\n"), state)
    assert end == len(text)
    assert builder.rr_count == len(good)
