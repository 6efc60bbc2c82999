"""$GENERATE, as BIND 9.18 expands it."""

from __future__ import annotations

import pytest

from bindpy.diagnostics import Severity
from bindpy.zone import names
from bindpy.zone.entries import MAX_GENERATED
from bindpy.zone.generate import GenerateError, Template, parse_range
from bindpy.zone.rdata import rdata_to_text, type_to_text
from bindpy.zone.reader import read_zone_text

ORIGIN = names.from_text("example.")
HEAD = "$TTL 300\n@ SOA ns1 hostmaster 1 2 3 4 5\n@ NS ns1\n"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1-3", [1, 2, 3]),
        ("10-14/2", [10, 12, 14]),
        ("0-0", [0]),
        ("2147483647-2147483647", [2147483647]),
        ("2147483646-2147483647/100", [2147483646]),
        ("+1-2", [1, 2]),
        ("1-2/1x", [1, 2]),
    ],
)
def test_ranges(text: str, numbers: list[int]) -> None:
    assert list(parse_range(text)) == numbers


@pytest.mark.parametrize(
    "text", ["2-1", "1-2/0", "1-2/", "1", "1-x", "1--2", "", "1-2147483648", "1-4294967295", "1-99999999999"]
)
def test_bad_ranges(text: str) -> None:
    with pytest.raises(GenerateError):
        parse_range(text)


@pytest.mark.parametrize(
    ("template", "number", "text"),
    [
        ("h$", 7, "h7"),
        ("h${0,3}", 7, "h007"),
        ("h${1,3,X}", 10, "h00B"),
        ("h${1,3,x}", 10, "h00b"),
        ("h${-1,3,o}", 10, "h011"),
        ("h${-11,3,d}", 10, "h-01"),
        ("h${5}", 10, "h15"),
        ("h${-5,4,x}", 1, "hfffffffc"),
        ("${0,4,n}", 10, "a.0."),
        ("${0,5,n}", 10, "a.0.0"),
        ("${0,4,N}x", 171, "B.A.x"),
        ("${0,0,n}", 1, "1"),
        ("${0,0,n}", 171, "b.a"),
        ("$$", 1, r"\$"),
        (r"\$x$", 1, r"\$x1"),
        (r"\\x$", 1, r"\\x1"),
        ("$.$", 9, "9.9"),
        ("no", 1, "no"),
        ("\\", 1, "\\"),
    ],
)
def test_templates(template: str, number: int, text: str) -> None:
    assert Template(template).render(number) == text


@pytest.mark.parametrize(
    "text", ["${", "${}", "${x}", "${1,2,q}", "${1,2,x,4}", "${1,200}", "${1", "a${1,,x}"]
)
def test_bad_templates(text: str) -> None:
    with pytest.raises(GenerateError) as e:
        Template(text)
    assert e.value.offset == text.index("$")


@pytest.mark.parametrize(("text", "number"), [("${2147483647}", 1), ("${-2,1,n}", 1)])
def test_numbers_that_cannot_be_printed(text: str, number: int) -> None:
    with pytest.raises(GenerateError):
        Template(text).render(number)


def _read(line: str) -> tuple[list[str], list[str]]:
    """Return the records that *line* makes, and the errors."""
    zone = read_zone_text("test.zone", ORIGIN, text=(HEAD + line + "\n").encode())
    errors = [str(d) for d in zone.diagnostics if d.severity is Severity.ERROR]
    lines = []
    for key, rrset in zone.builder.rrsets():
        head = f"{names.to_relative_text(key, ORIGIN)} {rrset.ttl} {type_to_text(rrset.rtype)}"
        lines += [f"{head} {rdata_to_text(rrset.rtype, octets)}" for octets in rrset.rdatas]
    return lines[2:], errors


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1-2 h$ A 192.0.2.$", ["h1 300 A 192.0.2.1", "h2 300 A 192.0.2.2"]),
        ("1-2 h$ 60 IN A 192.0.2.$ ; comment", ["h1 60 A 192.0.2.1", "h2 60 A 192.0.2.2"]),
        ("1-1 h$ IN 60 CNAME c$", ["h1 60 CNAME c1.example."]),
        ('1-1 h$ MX "10 mx$"', ["h1 300 MX 10 mx1.example."]),
        ('1-1 h$ TXT "foo $"', ['h1 300 TXT "foo" "1"']),
        ("1-2 @ A 192.0.2.$", ["@ 300 A 192.0.2.1", "@ 300 A 192.0.2.2"]),
        ('1-1 h$ TYPE65400 "\\# 1 0${0,1}"', ["h1 300 TYPE65400 \\# 1 01"]),
        ("1-1 (h$\n AAAA) ::${0,1,x}", ["h1 300 AAAA ::1"]),
        ("1-2 $.other. A 192.0.2.$", []),
    ],
)
def test_lines(line: str, expected: list[str]) -> None:
    assert _read(f"$GENERATE {line}") == (expected, [])


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("$GENERATE 2-1 h$ A 192.0.2.$", 11, "bad range '2-1'"),
        ("$GENERATE 1-2 h${1 A 192.0.2.$", 16, "bad modifier"),
        ("$GENERATE 1-2 h$ MX 10 mx$", 24, "extra text 'mx$'"),
        ("$GENERATE 1-2 h$ A", 19, "unexpected end of the line"),
        ("$GENERATE 1-2 h$ TSIG x", 18, "meta type"),
        ("$GENERATE 1-2 h$ CH A 192.0.2.$", 18, "class CH"),
        ("$GENERATE 254-257 h A 192.0.2.$", 23, "$GENERATE made the RDATA '192.0.2.256'"),
        ("$GENERATE 1-2 h..$ A 192.0.2.1", 15, "$GENERATE made the owner name 'h..1'"),
        ('$GENERATE 1-2 "h$" A 192.0.2.1', 15, "cannot be in quotes"),
        ('$GENERATE 1-2 h$ SOA "a b 1 2 3 4 5"', 18, "not at the top"),
        ("$GENERATE 0-2147483647 h$ A 192.0.2.1", 11, f"at most {MAX_GENERATED}"),
    ],
)
def test_bad_lines_are_refused_with_their_place(line: str, column: int, message: str) -> None:
    _, errors = _read(line)
    assert len(errors) == 1
    assert errors[0].startswith(f"test.zone:4:{column}: error: ")
    assert message in errors[0]


def test_the_limit_holds_for_the_whole_zone() -> None:
    step = 2**31 // (MAX_GENERATED - 1)
    several = f"$GENERATE 0-1 a$ A 192.0.2.1\n$GENERATE 0-2147483647/{step} h$.other. A 192.0.2.1"
    _, errors = _read(several)
    assert len(errors) == 1
