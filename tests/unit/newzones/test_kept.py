"""The file that the server keeps zone statements in: changed whole, and only where it is to be changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bindpy.config.scanner import scan
from bindpy.config.tree import Source
from bindpy.diagnostics import Diagnostics
from bindpy.newzones.errors import NewZoneError
from bindpy.newzones.kept import HEADING, KeptFile
from bindpy.zone.names import from_text

A, B, C = (from_text(name) for name in ("a.", "b.example.", "c."))


def test_a_file_is_made_when_it_is_needed(tmp_path: Path) -> None:
    kept = KeptFile(str(tmp_path / "kept"))
    assert not kept.has(A)
    assert not kept.remove(A)
    assert not (tmp_path / "kept").exists()
    kept.put(A, 'zone "a" { };')
    kept.put(B, 'zone "b.example" { };')
    assert (tmp_path / "kept").read_text() == HEADING + 'zone "a" { };\nzone "b.example" { };\n'
    assert kept.has(B)
    kept.put(A, 'zone "a" { type primary; };')
    assert kept.remove(B)
    assert (tmp_path / "kept").read_text() == HEADING + 'zone "a" { type primary; };\n'
    assert kept.remove(A)
    assert (tmp_path / "kept").read_text() == HEADING
    assert not [path for path in tmp_path.iterdir() if path.name != "kept"]


def test_all_that_is_not_changed_stays_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    text = {
        A: '# by hand; {\nzone "A." {\n\tfile "};\\"x"; // };\n};  \n',
        B: '/* zone "x" { }; */ ZONE b.example IN { a { b; { c; }; }; allow-query { 10.0.0.0/8; }; };\n',
        C: '\n\nzone "c" { };',
    }
    rest = " # after it\n# the end\n"
    path.write_text("".join(text.values()) + rest)
    kept = KeptFile(str(path))
    assert kept.has(A)
    assert kept.has(B)
    kept.put(B, "zone b.example { };")
    assert path.read_text() == text[A] + "zone b.example { };\n" + text[C] + rest
    kept.remove(A)
    kept.remove(C)
    assert path.read_text() == f"zone b.example {{ }};\n{rest}"


def test_a_change_by_somebody_else_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    kept = KeptFile(str(path))
    kept.put(A, 'zone "a" { };')
    path.write_text('zone "b.example" { };\n')
    assert not kept.has(A)
    kept.put(C, 'zone "c" { };')
    assert path.read_text() == 'zone "b.example" { };\nzone "c" { };\n'
    path.unlink()
    kept.put(A, 'zone "a" { };')
    assert path.read_text() == HEADING + 'zone "a" { };\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('zone "a" { };\nzone "b" {\n', "kept:2: what begins here is never completed"),
        ('zone "a" { file "x; };', "kept:1: what begins here is never completed"),
        ('zone "a" { };\n\noptions { };', "kept:2: there is something besides zones"),
        ('zone "a..b" { };', "kept:1: there is something besides zones"),
    ],
)
def test_a_broken_file_is_left_alone(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "kept"
    path.write_text(text)
    with pytest.raises(NewZoneError, match=message):
        KeptFile(str(path)).put(C, 'zone "c" { };')
    assert path.read_text() == text


def test_a_directory_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(NewZoneError, match="No such file or directory"):
        KeptFile(str(tmp_path / "no" / "kept")).put(A, 'zone "a" { };')


def test_a_write_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptFile(str(tmp_path / "kept"))
    kept.put(A, 'zone "a" { };')

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(NewZoneError, match="the disk is full"):
            kept.put(B, 'zone "b.example" { };')
    assert not kept.has(B)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    kept.put(C, 'zone "c" { };')
    assert (tmp_path / "kept").read_text() == HEADING + 'zone "a" { };\nzone "c" { };\n'


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "kept"
    link.symlink_to(tmp_path / "real" / "file")
    KeptFile(str(link)).put(A, 'zone "a" { };')
    assert link.is_symlink()
    assert (tmp_path / "real" / "file").read_text().endswith('zone "a" { };\n')


_PIECES = st.sampled_from(
    [
        "{",
        "}",
        ";",
        '"',
        "\\",
        "/",
        "*",
        "#",
        "//",
        "/*",
        "*/",
        "\n",
        " ",
        "zone",
        '"a.b"',
        '\\"',
        "x",
        "!",
        "10/8",
    ]
)


@given(st.lists(_PIECES, max_size=14).map("".join))
@example("};#")  # a comment behind a statement is one before the next
def test_statements_end_where_the_reader_says(tmp_path_factory: pytest.TempPathFactory, inner: str) -> None:
    text = f'zone "one" {{ {inner} }};\nzone "two" {{ }};\n'
    diagnostics = Diagnostics()
    read = scan(Source("x", text), diagnostics)
    names = [statement.items[1] for statement in read if len(statement.items) > 1]
    path = tmp_path_factory.mktemp("kept") / "kept"
    path.write_text(text)
    kept = KeptFile(str(path))
    if diagnostics.has_errors or len(names) != 2 or any(one.keyword != "zone" for one in read):
        return
    assert kept.has(from_text("one."))
    assert kept.has(from_text("two."))
    kept.remove(from_text("one."))
    left = path.read_text()
    assert text.endswith(left)
    assert zones_in(text.removesuffix(left)) == ["one"]
    assert zones_in(left) == ["two"]


def zones_in(text: str) -> list[str]:
    """Return the names in the zone statements that *text* is made of, as the configuration is read."""
    diagnostics = Diagnostics()
    read = scan(Source("x", text), diagnostics)
    assert not diagnostics.has_errors
    assert {statement.keyword for statement in read} <= {"zone"}
    return [statement.items[1].text for statement in read]
