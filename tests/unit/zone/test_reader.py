"""The zone-file reader: what it understands, and what it says about what it does not.

The verdicts and data are those of BIND 9.18's named-checkzone, but for NUL octets, which are refused here.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bindpy.diagnostics import Severity
from bindpy.zone import names
from bindpy.zone.rdata import rdata_to_text, type_to_text
from bindpy.zone.reader import MAX_ERRORS, ZoneText, read_zone_text
from bindpy.zone.records import CHAOS, RRType
from bindpy.zone.source import MAX_ENTRY_OCTETS
from tests.support.users import without_root

ORIGIN = names.from_text("example.")
HEAD = "$TTL 300\n@ SOA ns1 hostmaster 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"
HEAD_LINES = HEAD.count("\n")


def read(text: str | bytes, head: str = HEAD) -> ZoneText:
    octets = text if isinstance(text, bytes) else text.encode("utf-8")
    return read_zone_text("test.zone", ORIGIN, text=head.encode() + octets)


def records(zone: ZoneText, *, skip_head: bool = True) -> list[str]:
    """Return the records that the head does not hold, as short lines."""
    assert [str(d) for d in zone.diagnostics if d.severity is Severity.ERROR] == []
    lines = []
    for rr in zone.builder.finish().rrs():
        owner, rdata = names.to_relative_text(rr.owner, ORIGIN), rdata_to_text(rr.rtype, rr.rdata)
        lines.append(f"{owner} {rr.ttl} {type_to_text(rr.rtype)} {rdata}")
    head = {
        "@ 300 SOA ns1.example. hostmaster.example. 1 2 3 4 5",
        "@ 300 NS ns1.example.",
        "ns1 300 A 192.0.2.1",
    }
    return [line for line in lines if not (skip_head and line in head)]


def warnings(zone: ZoneText) -> list[str]:
    return [str(d) for d in zone.diagnostics if d.severity is Severity.WARNING]


def errors(zone: ZoneText) -> list[tuple[int, int, str]]:
    """Return line (after the head), column and message of each error."""
    found = []
    for d in zone.diagnostics:
        if d.severity is Severity.ERROR:
            assert d.span is not None
            found.append((d.span.line - HEAD_LINES, d.span.column, d.message))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a A 192.0.2.2", ["a 300 A 192.0.2.2"]),
        ("a A 192.0.2.2\n A 192.0.2.3\n\tTXT x", ["a 300 A 192.0.2.2", "a 300 A 192.0.2.3", 'a 300 TXT "x"']),
        ("a 1h30M IN A 192.0.2.2\n", ["a 5400 A 192.0.2.2"]),
        ("a IN 1w A 192.0.2.2\n", ["a 604800 A 192.0.2.2"]),
        ("a in 05 a 192.0.2.2\n", ["a 5 A 192.0.2.2"]),
        ("a CLASS1 TYPE1 192.0.2.2\n", ["a 300 A 192.0.2.2"]),
        ("1 A 192.0.2.2\n", ["1 300 A 192.0.2.2"]),
        ("a A 192.0.2.2\r\nb A 192.0.2.3\r\n", ["a 300 A 192.0.2.2", "b 300 A 192.0.2.3"]),
        ("a A 192.0.2.2\rb A 192.0.2.3\r", ["a 300 A 192.0.2.2", "b 300 A 192.0.2.3"]),
        ("a ( A ) 192.0.2.2\n", ["a 300 A 192.0.2.2"]),
        ("( a\n A ; (\n 192.0.2.2 )\n", ["a 300 A 192.0.2.2"]),
        ("a A 192.0.2.2;x\n", ["a 300 A 192.0.2.2"]),
        ("(\n)\n \n;\n", []),
        ('"a" A 192.0.2.2\n', ["a 300 A 192.0.2.2"]),
        ('a TXT a"b c"(d)"";e\n', ['a 300 TXT "a" "b c" "d" ""']),
        ('a TXT "x\\\ny" \\;z \\065\n', ['a 300 TXT "x\\010y" ";z" "A"']),
        ("a TXT é\n", ['a 300 TXT "\\195\\169"']),
        ("\\097\\.b A 192.0.2.2\n", ["a\\.b 300 A 192.0.2.2"]),
        ("@x A 192.0.2.2\n", ["\\@x 300 A 192.0.2.2"]),
        ("$ORIGIN sub\na A 192.0.2.2\n@ A 192.0.2.3\n", ["sub 300 A 192.0.2.3", "a.sub 300 A 192.0.2.2"]),
        ("$ttl 5 ; five\na A 192.0.2.2\n", ["a 5 A 192.0.2.2"]),
        ("$DATE 20200101000000\n", []),
        ("a A \\# 4 C0000202\n", ["a 300 A 192.0.2.2"]),
        ("a TYPE65400 \\# 4 0102 0304\n", ["a 300 TYPE65400 \\# 4 01020304"]),
        ("a TYPE65400 \\# 0\n", ["a 300 TYPE65400 \\# 0"]),
        ("a APL\n", ["a 300 APL "]),
        ("a MX 010 .\n", ["a 300 MX 10 ."]),
        ("a A 192.0.2.2\na A 192.0.2.2\n", ["a 300 A 192.0.2.2"]),
        ("@ SOA NS1 hostmaster 1 2 3 4 5\na NS b\na NS B\n", ["a 300 NS b.example."]),
        ("\\$x A 192.0.2.2\n", ["\\$x 300 A 192.0.2.2"]),
    ],
)  # fmt: skip
def test_good_text(text: str, expected: list[str]) -> None:
    assert records(read(text)) == expected


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a A 192.0.2\n", (1, 5), "'192.0.2' is not an IPv4 address"),
        ("a A 192.0.2.01\n", (1, 5), "'192.0.2.01' is not an IPv4 address"),
        ("a\tAAAA  fe80::1%eth0\n", (1, 9), "'fe80::1%eth0' is not an IPv6 address"),
        ("a A\n", (1, 4), "A has no RDATA"),
        ("a A 192.0.2.2 foo\n", (1, 15), "near 'foo'"),
        ("a MX 65536 b\n", (1, 6), "near '65536'"),
        ("a MX +1 b\n", (1, 6), "near '+1'"),
        ("a MX 10\n", (1, 8), "MX RDATA ends too early"),
        ('a NS "b"\n', (1, 6), "bad NS RDATA near 'b'"),
        ("a NS b..c\n", (1, 6), "bad NS RDATA near 'b..c'"),
        ("a BLAH 1\n", (1, 3), "unknown record type 'BLAH'"),
        ("a 1h 1h A 192.0.2.2\n", (1, 6), "unknown record type '1h'"),
        ("a 5000000000 A 192.0.2.2\n", (1, 3), "unknown record type '5000000000'"),
        ("a CH A 192.0.2.2\n", (1, 3), "class CH in a zone of class IN"),
        ("a TSIG foo\n", (1, 3), "TSIG is a meta type"),
        ("a OPT \\# 0\n", (1, 3), "OPT is a meta type"),
        ("a TYPE0 \\# 0\n", (1, 3), "TYPE0 is a meta type"),
        ("a MD b\n", (1, 3), "type MD is obsolete"),
        ("a\n", (1, 2), "a record type is missing"),
        ("a 10 IN\n", (1, 8), "a record type is missing"),
        ("a.. A 192.0.2.2\n", (1, 3), "empty label"),
        ("a" * 64 + " A 192.0.2.2\n", (1, 64), "label is over 63 octets"),
        ("a TXT \\300\n", (1, 7), "bad TXT RDATA"),
        ("a TXT " + "x" * 256 + "\n", (1, 7), "string too long"),
        ("a TYPE65400 \\# 4 010203\n", (1, 16), "announces 4 octets, but 3 follow"),
        ("a TYPE65400 \\# 4 0102030\n", (1, 18), "hexadecimal digits"),
        ("a TYPE65400 foo\n", (1, 13), "has no text form"),
        ("a A \\# 3 010203\n", (1, 10), "these octets are no A RDATA"),
        ("a DNSKEY 257 3 8 AwEAAb==\n", (1, 18), "bad base64"),
        ("a TXT x\\\n", (1, 8), "'\\' at the end of a line"),
        ('a TXT "abc\n', (1, 7), "the quoted string that begins here is not closed"),
        ("a A 192.0.2.2 )\n", (1, 15), "')' without '('"),
        ("a A ( 192.0.2.2\nb A 192.0.2.3\n", (1, 5), "this '(' is never closed"),
        ("a TXT ( a (b)\n\n", (1, 7), "this '(' is never closed"),
        ("@ SOA ns1 h 2 2 3 4 5\n", (1, 3), "a second SOA record"),
        ("a SOA ns1 h 2 2 3 4 5\n", (1, 3), "not at the top of the zone 'example.'"),
        ("$FOO\n", (1, 1), "unknown directive '$FOO'"),
        ("$x A 192.0.2.2\n", (1, 1), "unknown directive '$x'"),
        (" $ORIGIN x\n", (1, 2), "unknown record type '$ORIGIN'"),
        ("$ORIGIN\n", (1, 8), "unexpected end of the line"),
        ("$ORIGIN x foo\n", (1, 11), "extra text 'foo'"),
        ("$TTL foo\n", (1, 6), "'foo' is not a TTL"),
        ("$TTL 1h30\n", (1, 6), "'1h30' is not a TTL"),
        ("$INCLUDE no-such-file\n", (1, 10), "file 'no-such-file' cannot be read: No such file or directory"),
        ("a A 192.0.2.2\nb TXT \0\n", (2, 7), "a NUL octet"),
    ],
)  # fmt: skip
def test_bad_text_is_refused_with_its_place(text: str, place: tuple[int, int], message: str) -> None:
    found = errors(read(text))
    assert len(found) == 1, found
    assert found[0][:2] == place
    assert message in found[0][2]


def test_a_clean_line_after_a_bad_one_is_read_and_every_bad_one_told() -> None:
    zone = read('a A 1\nb BLAH\nc A 192.0.2.2\nd TXT "\ne A 2\n')
    assert [line for line, _, _ in errors(zone)] == [1, 2, 4, 5]


def test_errors_stop_at_a_limit() -> None:
    zone = read("a A x\n" * (MAX_ERRORS + 5))
    assert len(errors(zone)) == MAX_ERRORS
    assert zone.diagnostics[-1].message == f"stopped after {MAX_ERRORS} errors"


def test_messages_are_printable() -> None:
    for d in read(b"a \x1b[2J\xff 1\n$\x07\n").diagnostics:
        assert str(d).isprintable()


class TestTtls:
    def test_soa_minimum_when_there_is_none(self) -> None:
        zone = read("@ SOA a b 1 2 3 4 77\na A 192.0.2.1\n", head="")
        assert [line.split()[1] for line in records(zone, skip_head=False)] == ["77", "77"]
        assert "no TTL specified; the SOA's MINIMUM is used" in warnings(zone)[0]

    def test_the_one_before_when_only_some_have_one(self) -> None:
        zone = read("@ 60 SOA a b 1 2 3 4 5\na A 192.0.2.1\nb 7 A 192.0.2.1\nc A 192.0.2.1\n", head="")
        assert [line.split()[1] for line in records(zone, skip_head=False)] == ["60", "60", "7", "7"]
        assert len(warnings(zone)) == 1

    def test_none_before_the_soa_is_refused(self) -> None:
        zone = read("a A 192.0.2.1\n@ SOA a b 1 2 3 4 5\n", head="")
        assert [d.message for d in zone.diagnostics if d.severity is Severity.ERROR] == ["no TTL specified"]

    @pytest.mark.parametrize("line", ["a 3000000000 A 192.0.2.2\n", "$TTL 3000000000\na A 192.0.2.2\n"])
    def test_above_the_maximum_counts_as_0(self, line: str) -> None:
        zone = read(line)
        assert records(zone) == ["a 0 A 192.0.2.2"]
        assert "TTL 3000000000 is above 2147483647" in warnings(zone)[0]

    def test_an_rrset_has_its_first_records_ttl(self) -> None:
        zone = read("a 400 A 192.0.2.2\na 500 A 192.0.2.3\n")
        assert records(zone) == ["a 400 A 192.0.2.2", "a 400 A 192.0.2.3"]
        assert "TTL set to prior TTL (400)" in warnings(zone)[0]
        assert warnings(zone)[0].startswith(f"test.zone:{HEAD_LINES + 2}:1:")

    @pytest.mark.parametrize(("first", "then"), [(400, 500), (500, 400)])
    def test_a_later_run_of_lines_of_the_owner_wins(self, first: int, then: int) -> None:
        zone = read(f"a {first} A 192.0.2.2\nb A 192.0.2.2\na {then} A 192.0.2.3\n 600 A 192.0.2.4\n")
        assert [line.split()[1] for line in records(zone)] == [str(then)] * 3 + ["300"]
        assert [f"replaces the prior TTL ({first})" in line for line in warnings(zone)] == [True, False]

    def test_the_ttl_of_an_owner_after_an_included_file(self, tmp_path: Path) -> None:
        (tmp_path / "part").write_text("$TTL 77\n")
        text = f"{HEAD}a A 192.0.2.2\n$INCLUDE part\n A 192.0.2.3\n"
        zone = read_zone_text("main", ORIGIN, text=text.encode(), directory=str(tmp_path))
        assert records(zone) == ["a 77 A 192.0.2.2", "a 77 A 192.0.2.3"]

    def test_an_explicit_ttl_wins_over_the_default(self) -> None:
        assert records(read("a 0 A 192.0.2.2\n")) == ["a 0 A 192.0.2.2"]


def test_out_of_zone_data_is_ignored_but_must_be_right() -> None:
    zone = read("a.other. A 192.0.2.2\n A 192.0.2.3\nb A 192.0.2.2\n")
    assert records(zone) == ["b 300 A 192.0.2.2"]
    assert len(warnings(zone)) == 1
    assert "ignoring out-of-zone data (a.other.)" in warnings(zone)[0]
    assert [place[0] for place in errors(read("a.other. A bad\n A worse\n"))] == [1, 2]


def test_a_first_line_without_an_owner_is_refused() -> None:
    zone = read(" A 192.0.2.2\n", head="")
    assert zone.diagnostics[0].message == "no current owner name"


def test_a_missing_newline_at_the_end_is_a_warning() -> None:
    zone = read("a A 192.0.2.2")
    assert warnings(zone) == [f"test.zone:{HEAD_LINES + 1}: warning: the file does not end with a newline"]


def test_a_byte_order_mark_is_named() -> None:
    zone = read(b"\xef\xbb\xbf" + HEAD.encode(), head="")
    assert [str(d) for d in zone.diagnostics] == [
        "test.zone:1:1: error: the file begins with a UTF-8 byte order mark; save it without one"
    ]


def test_another_class() -> None:
    text = b"$TTL 300\n@ CH SOA a b 1 2 3 4 5\n@ TXT x\nversion CH TXT y\n"
    zone = read_zone_text("test.zone", ORIGIN, CHAOS, text=text)
    assert not zone.has_errors
    assert zone.builder.finish().rr_count == 3


class TestFiles:
    def test_includes_keep_origin_and_owner_and_pass_ttls_on(self, tmp_path: Path) -> None:
        (tmp_path / "sub.inc").write_text("inc A 192.0.2.8\n$TTL 77\n$ORIGIN foo\nz A 192.0.2.9\n")
        main = tmp_path / "main.zone"
        main.write_text(HEAD + "a A 192.0.2.2\n$INCLUDE sub.inc sub\n TXT t\nb A 192.0.2.3\n")
        zone = read_zone_text("main.zone", ORIGIN, directory=str(tmp_path))
        assert records(zone) == [
            "a 300 A 192.0.2.2", 'a 77 TXT "t"', "b 77 A 192.0.2.3", "z.foo.sub 77 A 192.0.2.9",
            "inc.sub 300 A 192.0.2.8",
        ]  # fmt: skip
        assert zone.files == (str(main), str(tmp_path / "sub.inc"))
        assert all(zone.stamps)

    def test_relative_names_are_relative_to_the_current_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "zones").mkdir()
        (tmp_path / "zones" / "main").write_text(HEAD + '$INCLUDE "part"\n')
        (tmp_path / "part").write_text("a A 192.0.2.2\n")
        monkeypatch.chdir(tmp_path)
        zone = read_zone_text("zones/main", ORIGIN)
        assert records(zone) == ["a 300 A 192.0.2.2"]
        assert zone.files == ("zones/main", "part")

    def test_an_error_in_an_included_file_names_the_includer(self, tmp_path: Path) -> None:
        (tmp_path / "part").write_text("a A 192.0.2.2\nb A oops\n")
        zone = read_zone_text("main", ORIGIN, text=f"{HEAD}$INCLUDE part\n".encode(), directory=str(tmp_path))
        (error,) = zone.diagnostics
        first, second = error.lines()
        assert first.startswith(f"{tmp_path}/part:2:5: error: 'oops' is not an IPv4 address")
        assert second == f"{tmp_path}/main:{HEAD_LINES + 1}:10: note: included from here"

    def test_a_file_that_cannot_be_opened_is_among_the_files(self, tmp_path: Path) -> None:
        zone = read_zone_text("main", ORIGIN, text=f"{HEAD}$INCLUDE gone\n".encode(), directory=str(tmp_path))
        assert zone.files == (f"{tmp_path}/main", f"{tmp_path}/gone")
        assert zone.stamps[1] is None

    def test_a_loop_of_includes_ends(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("$INCLUDE b\n")
        (tmp_path / "b").write_text("$INCLUDE a\n")
        zone = read_zone_text("a", ORIGIN, directory=str(tmp_path))
        assert [d.message for d in zone.diagnostics] == [f"'{tmp_path}/a' includes itself"]

    def test_deep_includes_end(self, tmp_path: Path) -> None:
        for i in range(40):
            (tmp_path / str(i)).write_text(f"$INCLUDE {i + 1}\n")
        zone = read_zone_text("0", ORIGIN, directory=str(tmp_path))
        assert "32 deep" in zone.diagnostics[0].message

    def test_missing_file_and_directory(self, tmp_path: Path) -> None:
        missing = read_zone_text(str(tmp_path / "x"), ORIGIN)
        assert str(missing.diagnostics[0]) == (
            f"{tmp_path}/x: error: the zone file cannot be read: No such file or directory; "
            "create it, or correct its name"
        )
        assert missing.stamps == (None,)
        directory = read_zone_text(str(tmp_path), ORIGIN)
        assert directory.diagnostics[0].message == "the zone file is a directory"

    def test_a_pipe_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        zone = read_zone_text(str(tmp_path / "pipe"), ORIGIN)
        assert zone.diagnostics[0].message == "the zone file is not a regular file"

    def test_the_null_device_is_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "zone").write_text(f"{HEAD}$INCLUDE {os.devnull}\nafter 60 A 192.0.2.1\n")
        zone = read_zone_text(str(tmp_path / "zone"), ORIGIN)
        assert zone.diagnostics == ()
        (tmp_path / "zero").symlink_to("/dev/zero")
        zone = read_zone_text(str(tmp_path / "zero"), ORIGIN)
        assert zone.diagnostics[0].message == "the zone file is not a regular file"

    @pytest.mark.parametrize(
        ("rdata", "octets"),
        [
            (f"TXT {255 * (' ' + 255 * 'x')} {254 * 'x'}", 65535),
            (f"TXT {256 * (' ' + 255 * 'x')}", 65536),
            (f"DNSKEY 256 3 8 {'A' * 4 * 21845}", 65539),
            (f"RRSIG A 8 1 60 20300101000000 20200101000000 1 a. {'A' * 4 * 21844}", 65553),
        ],
    )
    def test_rdata_of_more_than_65535_octets(self, tmp_path: Path, rdata: str, octets: int) -> None:
        (tmp_path / "zone").write_text(f"{HEAD}big 60 {rdata}\n")
        zone = read_zone_text(str(tmp_path / "zone"), ORIGIN)
        too_long = [f"RDATA is {octets} octets long, the limit is 65535"] if octets > 65535 else []
        assert [diagnostic.message for diagnostic in zone.diagnostics] == too_long

    def test_an_unreadable_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text(HEAD)
        path.chmod(0)
        with without_root():
            assert "Permission denied" in read_zone_text(str(path), ORIGIN).diagnostics[0].message

    def test_a_file_name_that_no_message_can_hold(self) -> None:
        zone = read(b"$INCLUDE \xff\xfe\n")
        assert "'\\xff\\xfe'" in errors(zone)[0][2]


class TestLimits:
    def test_a_line_without_an_end(self) -> None:
        zone = read("a TXT " + "x" * (2 * MAX_ENTRY_OCTETS))
        assert errors(zone) == [
            (1, 1, f"the line that begins here has no end within {MAX_ENTRY_OCTETS} octets")
        ]

    def test_parentheses_without_an_end(self) -> None:
        """What follows is not looked at: each line could cost as much again."""
        message = f"unbalanced parentheses: this '(' is not closed within {MAX_ENTRY_OCTETS} octets"
        assert errors(read("a TXT (\n" + "x (\n" * (MAX_ENTRY_OCTETS // 3))) == [(1, 7, message)]

    def test_a_file_is_read_in_pieces(self) -> None:
        """Records of every length stand on every border between pieces."""
        lines = [f"h{i} TXT ( {'x' * (i % 250)} ; comment\n {i} )\n" for i in range(10_000)]
        zone = read("".join(lines))
        assert not zone.has_errors
        assert zone.builder.finish().rr_count == 10_003

    def test_many_comments_before_a_line_that_is_not_simple(self) -> None:
        """Quadratic work would take minutes here."""
        zone = read(("; comment\n" * 100 + "a TXT \\097\n") * 2_000)
        assert records(zone) == ['a 300 TXT "a"']


class TestPlaces:
    def test_where_records_stand(self, tmp_path: Path) -> None:
        (tmp_path / "part").write_text("; x\n\nwww A 192.0.2.3\n")
        text = HEAD + "www A 192.0.2.2\n  TXT (\n x )\n\n\tMX 1 a\n$INCLUDE part\nother.test. A 192.0.2.1\n"
        zone = read_zone_text("main", ORIGIN, text=text.encode(), directory=str(tmp_path))
        key = names.from_text("WWW", ORIGIN).lower()
        n = HEAD_LINES
        assert [str(s) for s in zone.locate(key, RRType.A)] == [
            f"{tmp_path}/main:{n + 1}:1",
            f"{tmp_path}/part:3:1",
        ]
        assert [str(s) for s in zone.locate(key, RRType.TXT)] == [f"{tmp_path}/main:{n + 2}:3"]
        assert [str(s) for s in zone.locate(key, RRType.MX)] == [f"{tmp_path}/main:{n + 5}:2"]
        assert zone.locate(key, RRType.SRV) == []
        assert [str(s) for s in zone.locate(ORIGIN, RRType.SOA)] == [f"{tmp_path}/main:2:1"]

    def test_lines_are_counted_over_pieces(self) -> None:
        zone = read("".join([f"h{i} A 192.0.2.1\n" for i in range(50_000)]))
        (place,) = zone.locate(names.from_text("h49999", ORIGIN), RRType.A)
        assert (place.line, place.column) == (HEAD_LINES + 50_000, 1)
