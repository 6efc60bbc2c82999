"""The scanner: tokens, places, and that it never raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindpy.config.scanner import MAX_DEPTH, scan
from bindpy.config.tree import Block, Item, Source, Statement, Token, print_statements
from bindpy.diagnostics import Diagnostics


def read(text: str) -> tuple[list[Statement], list[str]]:
    """Return the statements of *text*, and the findings as they print."""
    diagnostics = Diagnostics()
    statements = scan(Source("named.conf", text), diagnostics)
    return statements, [str(item) for item in diagnostics.items]


def shape(items: list[Item]) -> list[object]:
    """Return items as nested lists of texts, quoted strings as one-element tuples."""
    return [
        [shape(s.items) for s in item.statements]
        if isinstance(item, Block)
        else (item.text,)
        if item.quoted
        else item.text
        for item in items
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b;", [["a", "b"]]),
        ('a "b c";', [["a", ("b c",)]]),
        ('a "say \\"hi\\"";', [["a", ('say "hi"',)]]),
        ('a "back\\\\slash";', [["a", ("back\\\\slash",)]]),
        ('a "line\\\nend";', [["a", ("line\\\nend",)]]),
        ('a"b"c;', [["a", ("b",), "c"]]),
        ("a { b; c { d; }; };", [["a", [["b"], ["c", [["d"]]]]]]),
        ("a{b;};", [["a", [["b"]]]]),
        ("acl { !10.0.0.0/8; };", [["acl", [["!", "10.0.0.0", "/", "8"]]]]),
        ("a { }; b;", [["a", []], ["b"]]),
        ("a; // b;\nc; # d;\ne; /* f;\n g; */ h;", [["a"], ["c"], ["e"], ["h"]]),
        ("a#b\n c;", [["a", "c"]]),
        ("a/*b*/c;", [["a", "c"]]),
        ("a/**/;", [["a"]]),
        ("a /***/ b;", [["a", "b"]]),
        ("a/b;", [["a", "/", "b"]]),
        ('a "not // a comment";', [["a", ("not // a comment",)]]),
        ('a "line\nend";', [["a", ("line\nend",)]]),
        ("a\r\n\tb;\r\n", [["a", "b"]]),
        ("", []),
        ("// nothing", []),
    ],
)
def test_text_becomes_statements(text: str, expected: list[object]) -> None:
    statements, findings = read(text)
    assert not findings
    assert [shape(s.items) for s in statements] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;;", ["1:3: error: unexpected ';'"]),
        ("a { b; ; };", ["1:8: error: unexpected ';'"]),
        ("a {\n b }; c;", ["2:4: error: missing ';' before '}'"]),
        ("a; }\nb;", ["1:4: error: unexpected '}'"]),
        ("a {\n b;\n", ["1:3: error: '{' is never closed"]),
        ("a {\n b {\n", ["2:4: error: '{' is never closed"]),
        ("a;\n  b c", ["2:3: error: missing ';' at the end of the file"]),
        ("a;\n /* b", ["2:2: error: comment is never closed"]),
        ('a "b;\nc;', ["1:3: error: quoted string is never closed; add the closing"]),
        ('a "b;\nc "d";', ["2:5: error: quoted string is never closed; a string that begins on line 1"]),
        ("a \0 b;", ["1:3: error: NUL character"]),
        ('a "b\0";', ["1:3: error: quoted string is never closed"]),
        ("a } b; ; } c;", ["1:3:", "1:8:", "1:10:"]),
    ],
)
def test_an_error_has_its_place(text: str, expected: list[str]) -> None:
    _, findings = read(text)
    assert len(findings) == len(expected)
    for finding, start in zip(findings, expected, strict=True):
        assert finding.startswith(f"named.conf:{start}")


def test_statements_after_an_error_are_still_read() -> None:
    statements, findings = read("a { b };\nc d;;\ne;")
    assert [s.keyword for s in statements] == ["a", "c", "e"]
    assert len(findings) == 2


def test_nesting_has_a_limit() -> None:
    fine = "a " + "{ " * MAX_DEPTH + "b; " + "}; " * MAX_DEPTH
    assert not read(fine)[1]
    _, findings = read("a " + "{ " * 100_000)
    assert findings == [
        f"named.conf:1:{3 + 2 * MAX_DEPTH}: error: braces are nested more than {MAX_DEPTH} deep"
    ]


_WORDS = st.text(st.characters(codec="utf-8", exclude_characters=' \t\r\n{};!/"#\0'), min_size=1, max_size=8)
_QUOTED = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters='"\\\0'), min_size=1, max_size=5),
        st.sampled_from(['\\"', "\\\\", "\\n", "\\ "]),
    ),
    max_size=4,
).map("".join)
_GAPS = st.sampled_from([" ", "\n", "\t ", " // c ; {\n", "/* } \n */", ' # "\n', "\r\n"])


@st.composite
def _statement_texts(draw: st.DrawFn, depth: int = 0) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 3 if depth < 3 else 2))
        if kind == 0:
            parts.append(f'"{draw(_QUOTED)}"')
        elif kind == 3:
            inner = draw(st.lists(_statement_texts(depth + 1), max_size=3))
            parts.append("{" + draw(_GAPS) + "".join(inner) + "}")
        else:
            parts.append(draw(_WORDS))
    return draw(_GAPS).join(parts) + draw(st.sampled_from(["", " "])) + ";" + draw(_GAPS)


@given(st.lists(_statement_texts(), max_size=4).map("".join))
def test_what_is_printed_reads_the_same(text: str) -> None:
    statements, findings = read(text)
    assert not findings
    again, findings = read(print_statements(statements))
    assert not findings
    assert [shape(s.items) for s in again] == [shape(s.items) for s in statements]


@given(st.lists(_statement_texts(), max_size=4).map("".join))
def test_every_token_is_where_its_place_says(text: str) -> None:
    statements, _ = read(text)
    lines = text.split("\n")
    for statement in statements:
        for token in statement.tokens():
            span = statement.source.span(token.offset)
            found = lines[span.line - 1][span.column - 1 :]
            first_line = token.text.split("\n")[0]
            assert found.startswith('"' if token.quoted else first_line)


@given(
    st.one_of(
        st.text(max_size=200),
        st.text(st.sampled_from('ab{};!/*#"\\\n\0 '), max_size=60),
    )
)
def test_any_text_is_read_or_reported(text: str) -> None:
    statements, findings = read(text)
    assert all(statement.items for statement in statements)
    if not findings:
        again, findings = read(print_statements(statements))
        assert not findings
        assert [shape(s.items) for s in again] == [shape(s.items) for s in statements]


def test_a_token_prints_as_it_was_written() -> None:
    assert str(Token('a "b"', 0, True)) == '"a \\"b\\""'
    assert str(Token("a", 0)) == "a"
