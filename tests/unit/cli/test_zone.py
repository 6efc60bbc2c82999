"""``bindpy zone``: what is shown, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bindpy.cli.zone import group
from bindpy.edit.document import ZoneDocument

ZONE = """\
; the zone of the example
$TTL 300
@       IN SOA ns hostmaster (
                7       ; serial
                3600 600 86400 300 )
        IN NS   ns      ; ours
        IN MX   10 mail
ns      IN A    192.0.2.1
mail    IN A    192.0.2.2
        IN A    192.0.2.3
; umlauts in a comment: \u00e4\u00f6\u00fc
www     IN CNAME mail
$GENERATE 1-3 host-$ A 192.0.2.$
$INCLUDE more.db
"""
CONF = """\
options { recursion no; };
zone "example.com" { type primary; file "example.db"; };
zone "date.example" { type primary; file "date.db"; serial-update-method date; };
zone "sec.example" { type secondary; file "sec.db"; primaries port 5300 { 192.0.2.1; }; };
"""


@pytest.fixture
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The zone file of example.com; the current directory has the configuration."""
    monkeypatch.chdir(tmp_path)
    Path("named.conf").write_text(CONF)
    Path("more.db").write_text("inc A 192.0.2.9\n")
    Path("date.db").write_text("$TTL 300\n@ SOA ns h 7 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n")
    path = tmp_path / "example.db"
    path.write_text(ZONE)
    return path


def run(*words: str, stdin: str | None = None) -> Result:
    command, *rest = words
    return CliRunner().invoke(group, [command, "-c", "named.conf", *rest], input=stdin)


def test_list(zone: Path) -> None:
    result = run("list")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"example.com.   primary    {zone}"
    assert json.loads(run("list", "--json").stdout)[2] == {
        "zone": "sec.example.",
        "class": "IN",
        "type": "secondary",
        "view": "_default",
        "file": str(zone.with_name("sec.db")),
    }


def test_show_one_name_and_type(zone: Path) -> None:
    result = run("show", "example.com", "mail", "A")
    assert result.exit_code == 0
    assert result.stdout == (
        f"; zone example.com. (primary), file {zone}\n; serial 7, 11 records\n"
        "mail.example.com.\t300\tIN\tA\t192.0.2.2\nmail.example.com.\t300\tIN\tA\t192.0.2.3\n"
    )


def test_show_as_json(zone: Path) -> None:
    report = json.loads(run("show", "--json", "example.com", "www").stdout)
    assert (report["zone"], report["serial"], report["file"]) == ("example.com.", 7, str(zone))
    assert report["records"] == [
        {"name": "www.example.com.", "ttl": 300, "type": "CNAME", "data": "mail.example.com."}
    ]


def test_show_of_nothing_exits_1(zone: Path) -> None:
    assert run("show", "example.com", "nowhere").exit_code == 1


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("show", "elsewhere.example"), 1, "there is no zone 'elsewhere.example.'"),
        (("show", "example.com", "www", "NOTYPE"), 2, "'NOTYPE' is not a record type"),
        (("show", "example.com", "a..b"), 2, "'a..b' is not a name"),
        (("increase-serial", "a..b"), 2, "Invalid value for 'ZONE'"),
        (("increase-serial", "sec.example"), 1, "its data comes from 192.0.2.1#5300"),
        (("increase-serial", "--view", "x", "example.com"), 1, "in view 'x'"),
        (("increase-serial", "--json", "example.com"), 2, "--json asks no questions"),
    ],
)
def test_refusals(zone: Path, words: tuple[str, ...], status: int, message: str) -> None:
    result = run(*words)
    assert result.exit_code == status, result.output
    assert message in result.stderr
    assert zone.read_text() == ZONE


def test_what_was_found_before_is_counted_and_not_told_again(zone: Path) -> None:
    zone.write_text(ZONE + "".join(f"old{number} MX 10 inc\n" for number in range(3)) + "odd MX 10 gone\n")
    result = run("add-record", "-y", "example.com", "new", "MX", "10 nowhere")
    assert result.exit_code == 0, result.output
    *findings, rest = result.stderr.splitlines()
    assert [line.partition("warning: ")[2] for line in findings] == [
        "'new.example.com.': MX 'nowhere.example.com.' has no address records (A or AAAA)"
    ]
    assert rest == (
        f"note: 1 more finding was there before; 'bindpy checkzone example.com. {zone}' shows all"
    )
    zone.write_text(zone.read_text() + "new MX 10 gone\n")
    result = run("delete-record", "-y", "example.com", "new", "MX", "10 nowhere")
    assert result.stderr.startswith("note: 2 more findings were there before;")


def test_bad_configuration_exits_1(zone: Path) -> None:
    Path("named.conf").write_text("zone {")
    result = run("list")
    assert result.exit_code == 1
    assert "named.conf:1:" in result.stderr


def test_a_zone_in_two_views_needs_its_view(zone: Path) -> None:
    Path("named.conf").write_text(
        'view a { zone "example.com" { type primary; file "example.db"; }; };\n'
        'view b { zone "example.com" { type primary; file "b.db"; }; };\n'
    )
    result = run("show", "example.com")
    assert result.exit_code == 1
    assert "several views (a, b)" in result.stderr
    assert run("show", "--view", "a", "example.com").exit_code == 0


def test_increase_serial_changes_the_serial_alone(zone: Path) -> None:
    zone.chmod(0o640)
    result = run("increase-serial", "--yes", "example.com")
    assert result.exit_code == 0, result.output
    assert zone.read_text() == ZONE.replace("7       ; serial", "8       ; serial")
    assert zone.stat().st_mode & 0o777 == 0o640
    assert "-                7       ; serial\n+                8       ; serial\n" in result.stdout
    assert result.stdout.endswith("written, serial 7 -> 8\n")
    assert {path.name for path in zone.parent.iterdir()} == {"named.conf", "example.db", "more.db", "date.db"}


def test_increase_serial_by_date(zone: Path) -> None:
    report = json.loads(run("increase-serial", "--yes", "--json", "date.example").stdout)
    assert report["written"] is True
    assert report["serial"] % 100 == 0
    assert report["serial"] > 2026000000
    assert str(report["serial"]) in zone.with_name("date.db").read_text()


@pytest.mark.parametrize(("answer", "serial"), [("y\n", 8), ("n\n", 7), ("", 7)])
def test_it_asks(zone: Path, answer: str, serial: int) -> None:
    result = run("increase-serial", "example.com", stdin=answer)
    assert result.exit_code == (0 if serial == 8 else 1)
    assert f"{serial}       ; serial" in zone.read_text()


def test_dry_run_writes_nothing(zone: Path) -> None:
    report = json.loads(run("increase-serial", "--dry-run", "--json", "example.com").stdout)
    assert (report["serial_before"], report["serial"], report["written"]) == (7, 8, False)
    assert zone.read_text() == ZONE


def test_signed_zones_are_refused(zone: Path) -> None:
    zone.write_text(ZONE + "@ RRSIG NS 13 2 300 20361101000000 20261101000000 1 @ AAAA\n")
    result = run("increase-serial", "--yes", "example.com")
    assert result.exit_code == 1
    assert "the zone is signed" in result.stderr


def test_a_file_with_errors_is_not_touched(zone: Path) -> None:
    zone.write_text(ZONE + "bad A 192.0.2.256\n")
    result = run("increase-serial", "--yes", "example.com")
    assert result.exit_code == 1
    assert "example.db:15:7: error" in result.stderr
    assert "has errors already" in result.stderr


def test_a_file_changed_meanwhile_is_not_overwritten(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ZoneDocument.diff

    def diff(self: ZoneDocument, text: str) -> str:
        zone.write_text(ZONE + "; somebody else\n")
        return real(self, text)

    monkeypatch.setattr(ZoneDocument, "diff", diff)
    result = run("increase-serial", "--yes", "example.com")
    assert result.exit_code == 1
    assert "changed by somebody else meanwhile" in result.stderr
    assert zone.read_text().endswith("; somebody else\n")
    assert {path.name for path in zone.parent.iterdir()} == {"named.conf", "example.db", "more.db", "date.db"}


@pytest.mark.parametrize("command", sorted(group.commands))
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = CliRunner().invoke(group, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example:\n    bindpy zone {command}" in result.stdout


def changed(before: str, after: str) -> str:
    """Return the zone with *before* replaced by *after*, and the serial raised."""
    assert before in ZONE
    return ZONE.replace(before, after).replace("7       ;", "8       ;")


@pytest.mark.parametrize(
    ("words", "before", "after"),
    [
        (  # beside the records of its type, in their manner
            ("add-record", "example.com", "mail", "A", "192.0.2.4"),
            "        IN A    192.0.2.3\n",
            "        IN A    192.0.2.3\n        IN A    192.0.2.4\n",
        ),
        (  # beside the other records of its name
            ("add-record", "example.com", "ns", "AAAA", "2001:db8::1"),
            "ns      IN A    192.0.2.1\n",
            "ns      IN A    192.0.2.1\nns      IN AAAA 2001:db8::1\n",
        ),
        (  # a TTL of its own
            ("add-record", "--ttl", "60", "example.com", "ns", "AAAA", "2001:db8::1"),
            "ns      IN A    192.0.2.1\n",
            "ns      IN A    192.0.2.1\nns      60 IN AAAA 2001:db8::1\n",
        ),
        (  # a new name
            ("add-record", "example.com", "new.sub", "A", "192.0.2.5", "192.0.2.6"),
            "$INCLUDE more.db\n",
            "$INCLUDE more.db\nnew.sub IN A 192.0.2.5\nnew.sub IN A 192.0.2.6\n",
        ),
        (  # names are relative to the zone; TXT takes no quotes
            ("add-record", "example.com", "@", "TXT", 'a "b"; c'),
            "        IN MX   10 mail\n",
            '        IN MX   10 mail\n        IN TXT  "a \\"b\\"; c"\n',
        ),
        (
            ("delete-record", "example.com", "mail", "A", "192.0.2.3"),
            "        IN A    192.0.2.3\n",
            "",
        ),
        (  # the next line had its owner from the one that goes
            ("delete-record", "example.com", "mail", "A", "192.0.2.2"),
            "mail    IN A    192.0.2.2\n        IN A    192.0.2.3\n",
            "mail    IN A    192.0.2.3\n",
        ),
        (("delete-record", "example.com", "www"), "www     IN CNAME mail\n", ""),
        (("delete-record", "example.com", "@", "MX"), "        IN MX   10 mail\n", ""),
        (  # the comment stays
            ("replace", "example.com", "@", "NS", "mail", "ns.example.net."),
            "        IN NS   ns      ; ours\n",
            "        IN NS   mail.example.com.      ; ours\n        IN NS   ns.example.net.\n",
        ),
        (
            ("replace", "example.com", "mail", "A", "192.0.2.7"),
            "mail    IN A    192.0.2.2\n        IN A    192.0.2.3\n",
            "mail    IN A    192.0.2.7\n",
        ),
        (  # what stays is not touched
            ("replace", "example.com", "mail", "A", "192.0.2.7", "192.0.2.2"),
            "        IN A    192.0.2.3\n",
            "        IN A    192.0.2.7\n",
        ),
        (
            ("replace", "--ttl", "60", "example.com", "mail", "A", "192.0.2.2"),
            "mail    IN A    192.0.2.2\n        IN A    192.0.2.3\n",
            "mail    60 IN A    192.0.2.2\n",
        ),
        (  # there was none
            ("replace", "example.com", "fresh", "A", "192.0.2.7"),
            "$INCLUDE more.db\n",
            "$INCLUDE more.db\nfresh   IN A 192.0.2.7\n",
        ),
    ],
)
def test_changes_of_records(zone: Path, words: tuple[str, ...], before: str, after: str) -> None:
    command, *rest = words
    result = run(command, "--yes", *rest)
    assert result.exit_code == 0, result.output
    assert zone.read_text() == changed(before, after)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("add-record", "example.com", "ns", "A", "192.0.2.1"),
            "ns.example.com. A 192.0.2.1 is there already",
        ),
        (("add-record", "example.com", "ns", "A", "192.0.2.256"), "A '192.0.2.256':"),
        (("add-record", "example.com", "@", "MX", "10", "mail"), "put the data of one record in quotes"),
        (("add-record", "example.com", "ns", "A", "192.0.2.3\nx A 192.0.2.4"), "control character"),
        (("add-record", "--ttl", "5", "example.com", "ns", "A", "192.0.2.3"), "have TTL 300"),
        (("add-record", "example.com", "ns", "CNAME", "mail"), "would not load any more"),
        (("add-record", "example.com", "a.example.net.", "A", "192.0.2.3"), "is not in the zone"),
        (("add-record", "example.com", "@", "SOA", "a b 1 2 3 4 5"), "a zone has one SOA"),
        (("add-record", "example.com", "@", "RRSIG", "x"), "whoever signs the zone"),
        (("add-record", "sec.example", "www", "A", "192.0.2.1"), "is a secondary zone"),
        (("delete-record", "example.com", "ns", "A", "192.0.2.7"), "there is: 192.0.2.1"),
        (("delete-record", "example.com", "ns", "MX"), "ns.example.com. has no MX records"),
        (("delete-record", "example.com", "nowhere"), "nowhere.example.com. has no records"),
        (("delete-record", "example.com", "@"), "a zone has one SOA"),
        (("delete-record", "example.com", "@", "NS"), "would not load any more"),
        (("delete-record", "example.com", "host-2", "A"), "made by $GENERATE"),
        (("delete-record", "example.com", "inc", "A"), "more.db:1:1: the record is in a file that"),
        (("replace", "example.com", "inc", "A", "192.0.2.1"), "more.db:1:1: the record is in a file that"),
    ],
)
def test_refused_changes_of_records(zone: Path, words: tuple[str, ...], message: str) -> None:
    command, *rest = words
    result = run(command, "--yes", *rest)
    assert result.exit_code == 1, result.output
    assert message in result.stderr
    assert zone.read_text() == ZONE


def test_keep_serial(zone: Path) -> None:
    assert run("delete-record", "--yes", "--keep-serial", "example.com", "www").exit_code == 0
    assert zone.read_text() == ZONE.replace("www     IN CNAME mail\n", "")


def test_replacing_by_what_is_there_changes_nothing(zone: Path) -> None:
    result = run("replace", "example.com", "mail", "A", "192.0.2.3", "192.0.2.2")
    assert (result.exit_code, result.stdout) == (0, "zone example.com.: nothing to change\n")
    assert zone.read_text() == ZONE


def test_what_other_lines_depend_on_is_refused(zone: Path) -> None:
    text = "@ 300 SOA ns h 7 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\na 60 A 192.0.2.2\nb A 192.0.2.3\n"
    zone.write_text(text)
    result = run("delete-record", "--yes", "example.com", "a")
    assert result.exit_code == 1
    assert "would touch other records too" in result.stderr
    assert zone.read_text() == text


def test_a_record_written_twice_is_refused(zone: Path) -> None:
    zone.write_text(ZONE + "ns A 192.0.2.1\n")
    result = run("delete-record", "--yes", "example.com", "ns", "A", "192.0.2.1")
    assert result.exit_code == 1
    assert "written more than once" in result.stderr


def test_other_origins_and_line_ends(zone: Path) -> None:
    text = "$TTL 300\n@ SOA ns h 7 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n$ORIGIN sub\na A 192.0.2.2"
    text = text.replace("\n", "\r\n")
    zone.write_bytes(text.encode())
    assert run("add-record", "--yes", "example.com", "b.sub", "MX", "10 ns").exit_code == 0
    expected = text.replace("h 7", "h 8") + "\r\nb MX 10 ns.example.com.\r\n"
    assert zone.read_bytes() == expected.encode()
