"""``bindpy checkconf``: what goes to which stream, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bindpy.cli.checkconf import command

ZONE = "$TTL 300\n@ SOA ns hostmaster 7 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n"


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with two good zones, in a directory that is the current one."""
    monkeypatch.chdir(tmp_path)
    Path("good.db").write_text(ZONE)
    path = Path("named.conf")
    path.write_text(
        'options { recursion yes; };\nkey k { algorithm hmac-sha256; secret "MTIz"; };\n'
        'zone "a.example" { type primary; file "good.db"; };\n'
        'zone "b.example" { type native; file "good.db"; };\n'
        'zone "c.example" { type secondary; file "c.db"; primaries { 192.0.2.1; }; };\n'
    )
    return path


def check(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_a_good_file_exits_0_with_notes_on_stderr(conf: Path) -> None:
    result = check(str(conf))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("named.conf:1:11: note: 'recursion' has no effect here")


def test_quiet_hides_what_is_no_error(conf: Path) -> None:
    assert check("-q", str(conf)).output == ""


def test_a_bad_file_exits_1_and_shows_all_errors(conf: Path) -> None:
    conf.write_text('options { recursoin no; };\nzone "a" { type primary; };\n')
    result = check(str(conf))
    assert (result.exit_code, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert lines[0].startswith("named.conf:1:11: error: unknown statement 'recursoin'")
    assert "'recursion'" in lines[0]
    assert lines[1].startswith("named.conf:2:1: error: zone 'a': it has no 'file'")
    assert lines[2] == "named.conf: 2 errors"


def test_a_missing_file_exits_1(conf: Path) -> None:
    result = check("nowhere.conf")
    assert result.exit_code == 1
    assert result.stderr.startswith("nowhere.conf: error: ")


def test_wrong_usage_exits_2(conf: Path) -> None:
    assert check("-x", str(conf)).exit_code == 2
    assert check("--json", "-p", str(conf)).exit_code == 2
    assert check("--no-such-option").exit_code == 2


def test_zones_are_loaded_on_request(conf: Path) -> None:
    result = check("-z", "-q", str(conf))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "zone a.example/IN: loaded serial 7",
        "zone b.example/IN: loaded serial 7",
    ]


def test_a_broken_zone_exits_1_and_the_others_load(conf: Path) -> None:
    with conf.open("a") as stream:
        stream.write('zone "d.example" { type primary; file "bad.db"; };\n')
    Path("bad.db").write_text(ZONE + "www A 192.0.2.999\n")
    assert check(str(conf)).exit_code == 0
    result = check("-z", str(conf))
    assert result.exit_code == 1
    assert "zone a.example/IN: loaded serial 7" in result.stdout
    assert "bad.db:5:7: error: " in result.stderr
    assert "zone d.example/IN: not loaded due to errors." in result.stderr


def test_json_holds_findings_and_zones(conf: Path) -> None:
    Path("good.db").write_text("nonsense\n")
    result = check("--json", "-z", str(conf))
    report = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (1, "")
    assert (report["file"], report["ok"]) == ("named.conf", False)
    assert {"severity", "message", "file", "line", "column"} <= report["diagnostics"][0].keys()
    assert [(zone["zone"], zone["ok"], zone["serial"]) for zone in report["zones"]] == [
        ("a.example.", False, None),
        ("b.example.", False, None),
    ]


def test_json_of_a_good_file_is_ok(conf: Path) -> None:
    report = json.loads(check("--json", str(conf)).stdout)
    assert report["ok"] is True
    assert "zones" not in report


def test_the_configuration_is_printed_with_secrets_hidden(conf: Path) -> None:
    assert 'secret "MTIz";' in check("-p", str(conf)).stdout
    hidden = check("-p", "-x", str(conf)).stdout
    assert "MTIz" not in hidden
    assert 'zone "a.example" {\n\ttype primary;\n\tfile "good.db";\n};\n' in hidden


def test_help_has_an_example() -> None:
    result = check("--help")
    assert result.exit_code == 0
    assert "bindpy checkconf -z" in result.stdout
