"""``bindpy zone edit`` with editors that are scripts, and ``bindpy zone diff``."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bindpy.cli.zone import group

ZONE = "; mine\n$TTL 300\n@ SOA ns h 7 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n"


@pytest.fixture
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The zone file of example.com; the current directory has the configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.delenv("VISUAL", raising=False)
    Path("named.conf").write_text(
        'zone "example.com" { type primary; file "example.db"; };\n'
        'zone "sec.example" { type secondary; file "sec.db"; primaries { 192.0.2.1; }; };\n'
    )
    path = tmp_path / "example.db"
    path.write_text(ZONE)
    return path


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shell script that is $EDITOR; its text is for the test to write."""
    path = tmp_path / "editor.sh"
    monkeypatch.setenv("EDITOR", f"sh '{path}'")
    return path


def run(*words: str, stdin: str | None = None) -> Result:
    command, *rest = words
    return CliRunner().invoke(group, [command, "-c", "named.conf", *rest], input=stdin)


def left(zone: Path) -> list[Path]:
    return list((zone.parent / "tmp").iterdir())


def test_edit_raises_the_serial(zone: Path, editor: Path) -> None:
    editor.write_text("echo 'www A 192.0.2.2' >> \"$1\"\n")
    result = run("edit", "example.com", stdin="y\n")
    assert result.exit_code == 0, result.output
    assert zone.read_text() == ZONE.replace("h 7", "h 8") + "www A 192.0.2.2\n"
    assert "+www A 192.0.2.2" in result.stdout
    assert left(zone) == []


@pytest.mark.parametrize(
    ("script", "serial", "warning"),
    [
        ("sed -i 's/h 7/h 20/; s/2[.]1/2.9/' \"$1\"\n", 20, ""),
        ("sed -i 's/h 7/h 3/' \"$1\"\n", 3, "serial 3 is not newer than 7"),
    ],
)
def test_a_serial_of_ones_own_stays(zone: Path, editor: Path, script: str, serial: int, warning: str) -> None:
    editor.write_text(script)
    result = run("edit", "--yes", "example.com")
    assert result.exit_code == 0, result.output
    assert f"h {serial} " in zone.read_text()
    assert warning in result.stderr


def test_keep_serial(zone: Path, editor: Path) -> None:
    editor.write_text("echo 'www A 192.0.2.2' >> \"$1\"\n")
    assert run("edit", "--yes", "--keep-serial", "example.com").exit_code == 0
    assert zone.read_text() == ZONE + "www A 192.0.2.2\n"


def test_errors_open_it_again(zone: Path, editor: Path) -> None:
    editor.write_text(
        'if grep -q 999 "$1"; then sed -i \'s/999/9/\' "$1"; else echo \'www A 192.0.2.999\' >> "$1"; fi\n'
    )
    result = run("edit", "example.com", stdin="y\ny\n")
    assert result.exit_code == 0, result.output
    assert "example.db:6:7: error" in result.stderr
    assert zone.read_text() == ZONE.replace("h 7", "h 8") + "www A 192.0.2.9\n"


@pytest.mark.parametrize(
    ("script", "words", "message"),
    [
        ("echo 'www A x' >> \"$1\"\n", (), "Edit it again?"),
        ("echo 'www A x' >> \"$1\"\n", ("--yes",), "that version would not load"),
        ("echo 'www A 192.0.2.2' >> \"$1\"\n", (), "Write this to"),
        ("echo 'www A 192.0.2.2' >> \"$1\"; exit 3\n", ("--yes",), "the editor ended with status 3"),
    ],
)
def test_giving_up_leaves_all_as_it_was(
    zone: Path, editor: Path, script: str, words: tuple[str, ...], message: str
) -> None:
    editor.write_text(script)
    result = run("edit", *words, "example.com", stdin="n\n")
    assert result.exit_code == 1
    assert message in result.stderr
    assert zone.read_text() == ZONE
    assert left(zone) == []


def test_nothing_changed(zone: Path, editor: Path) -> None:
    editor.write_text("true\n")
    result = run("edit", "example.com")
    assert (result.exit_code, result.stdout) == (0, "zone example.com.: nothing to change\n")


def test_a_file_with_errors_can_be_mended(zone: Path, editor: Path) -> None:
    zone.write_text(ZONE + "www A x\n")
    editor.write_text("sed -i 's/A x/A 192.0.2.2/' \"$1\"\n")
    assert run("edit", "--yes", "example.com").exit_code == 0
    assert zone.read_text() == ZONE + "www A 192.0.2.2\n"


def test_a_file_changed_meanwhile_is_not_overwritten(zone: Path, editor: Path) -> None:
    editor.write_text(f"echo 'www A 192.0.2.2' >> \"$1\"; echo '; other' >> '{zone}'\n")
    result = run("edit", "--yes", "example.com")
    assert result.exit_code == 1
    assert "changed by somebody else meanwhile" in result.stderr
    assert zone.read_text() == ZONE + "; other\n"
    (folder,) = left(zone)
    assert str(folder / "example.db") in result.stderr
    assert "www A 192.0.2.2" in (folder / "example.db").read_text()


def test_no_editor(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", str(zone.parent / "none"))
    result = run("edit", "example.com")
    assert result.exit_code == 1
    assert "cannot be started" in result.stderr


def test_secondary_zones_are_refused(zone: Path, editor: Path) -> None:
    assert "is a secondary zone" in run("edit", "sec.example").stderr


def test_diff(zone: Path) -> None:
    other = zone.with_name("new.db")
    other.write_text(ZONE.replace("h 7", "h 8").replace("; mine\n", "") + "www A 192.0.2.2\n")
    result = run("diff", "example.com", "new.db")
    assert result.exit_code == 1
    soa = "example.com.\t300\tIN\tSOA\tns.example.com. h.example.com. {} 3600 600 86400 300\n"
    assert result.stdout == (
        "-" + soa.format(7) + "+" + soa.format(8) + "+www.example.com.\t300\tIN\tA\t192.0.2.2\n"
    )
    report = json.loads(run("diff", "--json", "example.com", "new.db").stdout)
    assert (report["serial_before"], report["serial"], len(report["added"])) == (7, 8, 2)


def test_diff_of_equal_data(zone: Path) -> None:
    zone.with_name("new.db").write_text(ZONE.replace("; mine", "; theirs"))
    assert (run("diff", "example.com", "new.db").exit_code, run("diff", "example.com", "new.db").output) == (
        0,
        "",
    )


@pytest.mark.parametrize(("text", "message"), [("x", "would not load"), (None, "cannot be read")])
def test_diff_with_what_is_no_zone(zone: Path, text: str | None, message: str) -> None:
    if text is not None:
        zone.with_name("new.db").write_text(text)
    result = run("diff", "example.com", "new.db")
    assert result.exit_code == 1
    assert message in result.stderr
