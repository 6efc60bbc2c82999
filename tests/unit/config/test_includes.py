"""`include` and `directory`: what is read, in which order, relative to what."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.config import includes
from bindpy.config.includes import FileReader
from bindpy.config.tree import Block, Statement
from bindpy.diagnostics import Diagnostics


@pytest.fixture(autouse=True)
def _in_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(**files: str) -> None:
    """Write files; ``__`` in a name is a slash."""
    for name, text in files.items():
        path = Path(name.replace("__", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(text: str | None = None, name: str = "main") -> tuple[list[Statement], list[str], FileReader]:
    diagnostics = Diagnostics()
    reader = FileReader(diagnostics)
    statements = reader.read(name, text)
    return statements, [line for item in diagnostics.items for line in item.lines()], reader


def keywords(statements: list[Statement]) -> list[str]:
    return [statement.keyword for statement in statements]


def block(statement: Statement) -> Block:
    body = statement.body()
    assert body is not None
    return body


def test_an_included_file_stands_in_place_of_its_statement() -> None:
    write(one="b; c;")
    statements, findings, reader = read('a; include "one"; d;')
    assert not findings
    assert keywords(statements) == ["a", "b", "c", "d"]
    assert str(statements[1].span) == "one:1:1"
    assert reader.files == [str(Path.cwd() / "main"), str(Path.cwd() / "one")]


@pytest.mark.parametrize("place", ["options", "view v", 'zone "z"', "logging"])
def test_include_works_inside_blocks(place: str) -> None:
    write(one="b;")
    statements, findings, _ = read(f'{place} {{ a; include "one"; }};')
    assert not findings
    assert keywords(block(statements[0]).statements) == ["a", "b"]


def test_a_pattern_includes_its_matches_in_order() -> None:
    write(d__b="b;", d__a="a;", d__c="c;")
    statements, findings, _ = read('include "d/*";')
    assert not findings
    assert keywords(statements) == ["a", "b", "c"]
    assert str(statements[0].span) == "d/a:1:1"


def test_a_pattern_without_a_match_is_an_error() -> None:
    _, findings, _ = read('a;\n include "none*";')
    assert findings == ["main:2:2: error: 'include' matches no file: 'none*'"]


def test_directory_counts_from_where_it_stands() -> None:
    write(one="outer;", sub__one="inner;")
    statements, findings, reader = read('include "one"; options { directory "sub"; }; include "one";')
    assert not findings
    assert keywords(statements) == ["outer", "options", "inner"]
    assert reader.directory == Path.cwd() / "sub"


def test_a_directory_that_is_not_there_is_an_error() -> None:
    _, findings, _ = read('options { directory "none"; };')
    assert len(findings) == 1
    assert findings[0].startswith("main:1:11: error: cannot change to directory 'none'")


def test_an_error_in_an_included_file_names_the_chain() -> None:
    write(one='x;\n  include "two";', two="a }")
    _, findings, _ = read('include "one";')
    assert findings == [
        "two:1:3: error: unexpected '}': no '{' is open here; remove it, or look for one too many above",
        "one:2:3: note: included from here",
        "main:1:1: note: included from here",
    ]


def test_a_loop_is_found_under_any_name() -> None:
    write(main='include "one";', one='a; include "two";')
    Path("two").symlink_to("main")
    statements, findings, _ = read()
    assert findings[0] == "one:1:4: error: include loop: 'two' is being read already"
    assert keywords(statements) == ["a"]


def test_the_same_file_may_be_included_twice() -> None:
    write(one="a;")
    statements, findings, _ = read('include "one"; include "one";')
    assert not findings
    assert keywords(statements) == ["a", "a"]


def test_files_that_multiply_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(includes, "MAX_FILES", 20)
    for level in range(12):
        Path(f"f{level}").write_text(f'include "f{level + 1}"; include "f{level + 1}";')
    Path("f12").write_text("a;")
    _, findings, reader = read('include "f0";')
    assert any("more than 20 files are included" in line for line in findings)
    assert len(reader.files) == 20


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none", "no such file or directory"),
        (".", "it is a directory"),
        ("x" * 300, "file name too long"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported_at_the_include(name: str, why: str) -> None:
    _, findings, _ = read(f'a;\ninclude "{name}";')
    assert len(findings) == 1
    assert findings[0].startswith(f"main:2:1: error: cannot read '{name}': {why}")


def test_the_file_itself_may_be_missing_or_a_directory() -> None:
    assert read(name="none")[1] == ["none: error: cannot read: no such file or directory"]
    assert read(name=".")[1] == [".: error: cannot read: it is a directory; name a file"]


def test_a_configuration_may_not_be_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(includes, "MAX_OCTETS", 1 << 20)
    _, findings, _ = read(name="/dev/zero")
    assert findings == ["/dev/zero: error: cannot read: the configuration is over 1 MiB"]


def test_include_takes_a_quoted_name_only() -> None:
    _, findings, _ = read('include one; include; include "a" b;')
    assert [finding.split(": ", 1)[1] for finding in findings] == [
        "error: 'include' takes the name of a file, in quotes",
        "error: 'include' takes the name of a file, in quotes",
        "error: missing ';' after the include",
    ]


def test_text_that_is_not_utf8_is_kept() -> None:
    Path("main").write_bytes(b'zone "caf\xe9.example";')
    statements, findings, _ = read()
    assert not findings
    (token,) = [t for t in statements[0].tokens() if t.quoted]
    assert token.text.encode("utf-8", "surrogateescape") == b"caf\xe9.example"
