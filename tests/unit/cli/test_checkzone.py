"""``bindpy checkzone``: options, outputs, exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bindpy.cli.checkzone import command

GOOD = "$TTL 60\n@ SOA ns1 h 7 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"
CANONICAL = (
    "example.com.\t60\tIN\tSOA\tns1.example.com. h.example.com. 7 2 3 4 5\n"
    "example.com.\t60\tIN\tNS\tns1.example.com.\n"
    "ns1.example.com.\t60\tIN\tA\t192.0.2.1\n"
)
LOADED = "zone example.com/IN: loaded serial 7\nOK\n"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.zone"
    path.write_text(GOOD)
    return path


@pytest.fixture
def warned(tmp_path: Path) -> Path:
    path = tmp_path / "warned.zone"
    path.write_text(GOOD + "@ MX 0 mail\nmail CNAME ns1\n")
    return path


def run(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], input=stdin)


def test_good(good: Path) -> None:
    result = run("example.com", good)
    assert (result.exit_code, result.stdout, result.stderr) == (0, LOADED, "")


def test_warnings_go_to_stderr(warned: Path) -> None:
    result = run("example.com.", warned)
    assert (result.exit_code, result.stdout) == (0, LOADED)
    warning, note = result.stderr.splitlines()
    assert warning.startswith(f"{warned}:5:1: warning: 'example.com.': MX 'mail.example.com.' is a CNAME")
    assert note.startswith(f"{warned}:6:1: note: the CNAME is here")


def test_bad(warned: Path) -> None:
    result = run("-M", "fail", "example.com", warned)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("zone example.com/IN: not loaded due to errors.\n")
    assert run("example.com", warned.with_name("missing")).exit_code == 1


def test_root_zone(tmp_path: Path) -> None:
    path = tmp_path / "root"
    path.write_text("$TTL 60\n. SOA a. a. 1 2 3 4 5\n. NS a.\na. A 192.0.2.1\n")
    assert run(".", path).stdout == "zone ./IN: loaded serial 1\nOK\n"


def test_dump(good: Path) -> None:
    for option in ("-D", "--dump"):
        result = run(option, "example.com", good)
        assert (result.exit_code, result.stdout, result.stderr) == (0, CANONICAL, LOADED)
    assert run("-o", "-", "example.com", good).stdout == CANONICAL
    assert run("-D", "-q", "example.com", good).stderr == ""


def test_output_file(good: Path, tmp_path: Path) -> None:
    result = run("-o", tmp_path / "out", "example.com", good)
    assert (result.exit_code, result.stdout) == (0, LOADED)
    assert (tmp_path / "out").read_text() == CANONICAL


def test_nothing_is_written_of_a_bad_zone(warned: Path, tmp_path: Path) -> None:
    assert run("-M", "fail", "-o", tmp_path / "out", "example.com", warned).exit_code == 1
    assert run("-M", "fail", "-D", "example.com", warned).stdout == ""
    assert not (tmp_path / "out").exists()


def test_output_that_cannot_be_written(good: Path, tmp_path: Path) -> None:
    result = run("-o", tmp_path / "missing" / "out", "example.com", good)
    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr


def test_quiet(good: Path, warned: Path) -> None:
    for status, arguments in ((0, ["example.com", good]), (1, ["-M", "fail", "example.com", warned])):
        result = run("-q", *arguments)
        assert (result.exit_code, result.output) == (status, "")


def test_directory(good: Path, tmp_path: Path) -> None:
    (tmp_path / "with").write_text("$INCLUDE good.zone\n")
    assert run("-w", tmp_path, "-o", "out", "example.com", "with").exit_code == 0
    assert (tmp_path / "out").read_text() == CANONICAL


def test_standard_input() -> None:
    assert run("example.com", "-", stdin=GOOD).stdout == LOADED
    result = run("example.com", "-", stdin=GOOD + "a A 1\n")
    assert result.exit_code == 1
    assert result.stderr.startswith("-:5:5: error: ")


def test_json(good: Path, warned: Path) -> None:
    result = run("--json", "example.com", good)
    assert json.loads(result.stdout) == {
        "zone": "example.com.",
        "class": "IN",
        "ok": True,
        "serial": 7,
        "records": 3,
        "files": [str(good)],
        "diagnostics": [],
    }
    result = run("--json", "-M", "fail", "example.com", warned)
    report = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (1, "")
    assert (report["ok"], report["serial"], report["records"]) == (False, None, None)
    (found,) = report["diagnostics"]
    assert (found["severity"], found["line"], found["column"]) == ("error", 5, 1)
    assert found["notes"][0]["line"] == 6


def test_class(tmp_path: Path) -> None:
    path = tmp_path / "ch"
    path.write_text("$TTL 60\n@ CH SOA ns. h. 1 2 3 4 5\n@ CH NS ns.\n")
    assert run("-c", "ch", "version", path).stdout == "zone version/CH: loaded serial 1\nOK\n"
    assert run("version", path).exit_code == 1


@pytest.mark.parametrize("mode", ["full", "full-sibling"])
def test_full_mode_is_refused(mode: str, good: Path) -> None:
    result = run("-i", mode, "example.com", good)
    assert result.exit_code == 2
    assert "live DNS" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["example.com"],
        ["a..b", "file"],
        ["-c", "ANY", "example.com", "file"],
        ["-c", "nonsense", "example.com", "file"],
        ["-k", "maybe", "example.com", "file"],
        ["-T", "fail", "example.com", "file"],
        ["-l", "-1", "example.com", "file"],
        ["--json", "-D", "example.com", "file"],
        ["--json", "-o", "-", "example.com", "file"],
    ],
    ids=str,
)
def test_wrong_usage(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_help_has_an_example() -> None:
    assert "bindpy checkzone example.com " in run("--help").stdout
