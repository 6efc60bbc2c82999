"""Statements by their clauses: unknown names, bad values, doubles, and the once-only reports."""

from __future__ import annotations

import pytest

from bindpy.config.includes import FileReader
from bindpy.config.sections import Section, SectionReader
from bindpy.diagnostics import Diagnostics


def read(text: str) -> tuple[Section, list[str]]:
    diagnostics = Diagnostics()
    tree = FileReader(diagnostics).read("t", text)
    section = SectionReader(diagnostics).read("top", tree)
    return section, [line for item in diagnostics.items for line in item.lines()]


def findings(text: str) -> list[str]:
    return read(text)[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "options { recursionn yes; };",
            "t:1:11: error: unknown statement 'recursionn' in 'options'; 'recursion' is meant?",
        ),
        ("zonne { };", "t:1:1: error: unknown statement 'zonne' at the top of the file; 'zone' is meant?"),
        (
            'options { file "x"; };',
            "t:1:11: error: unknown statement 'file' in 'options'; BIND has it in 'channel' and in 'zone'",
        ),
        ("options { xyzzy; };", "t:1:11: error: unknown statement 'xyzzy' in 'options'"),
        ("{ };", "t:1:1: error: unexpected '{': a statement begins with its name"),
        ("options { recursion maybe; };", "t:1:21: error: 'recursion': expected yes or no, found 'maybe'"),
        ("options { recursion; };", "t:1:11: error: 'recursion': expected yes or no, found nothing more"),
        ('zone "x" { type primary; file f; };', "t:1:31: error: 'file': expected a quoted string, found 'f'"),
        (
            "options { allow-query { any; 10.0.0.1/8; }; };",
            "t:1:30: error: 'allow-query': '10.0.0.1/8': address",
        ),
        ("options yes;", "t:1:9: error: '{' expected after 'yes'"),
        ("options;", "t:1:1: error: '{' expected after 'options'"),
        (
            "\ufeffoptions { };",
            "t:1:1: error: unknown statement '\ufeffoptions' at the top of the file; the file",
        ),
    ],
)
def test_what_bind_refuses_is_refused_at_its_place(text: str, expected: str) -> None:
    (found,) = findings(text)
    assert found.startswith(expected)


def test_names_and_words_are_known_in_any_case() -> None:
    section, found = read('OPTIONS { Notify EXPLICIT; }; Zone "X" { TYPE Primary; File "x"; };')
    assert not found
    ((_, options),) = section.sections("options")
    notify = options.first("notify")
    assert notify is not None
    assert notify.value.args == ("explicit",)


def test_old_spellings_are_the_same_clause() -> None:
    section, found = read('masters m { 192.0.2.1; }; zone "x" { type slave; masters { m; }; };')
    assert not found
    assert len(section.all("primaries")) == 1
    ((_, zone),) = section.sections("zone")
    assert zone.first("primaries") is not None


def test_a_statement_given_twice_names_the_first() -> None:
    assert findings("options { port 53;\n port 54; };") == [
        "t:2:2: error: 'port' is given twice",
        "t:1:11: note: it is here first",
    ]
    assert not findings("options { listen-on { any; }; listen-on { none; }; };")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("options { port 53 }; acl a { any; };", ["1:19"]),
        ('options { port 53 pid-file "x"; };', ["1:19"]),
        ("options { port 53; } acl a { any; };", ["1:22"]),
        ('zone "x" { type primary file "x" }; zone "y" { type primary; file "y"; };', ["1:34", "1:25"]),
        ("options { }\nacl a { any; }\nacl b { foo; };", ["2:1", "3:1"]),
    ],
)
def test_a_missing_semicolon_is_one_error_and_reading_goes_on(text: str, places: list[str]) -> None:
    section, found = read(text)
    assert [f.split(": ")[0] for f in found] == [f"t:{place}" for place in places]
    assert all("missing ';'" in f for f in found)
    # What stands behind the missing semicolon was read.
    assert section.all("acl") or section.all("zone") or section.sections("options")


def test_what_does_nothing_here_is_reported_once_a_name() -> None:
    assert findings(
        """
        options { forwarders { 192.0.2.1; }; dnssec-enable yes; rate-limit { window 5; }; };
        zone "x" { type primary; file "x"; forwarders { }; };
        view "v" { dnssec-enable no; zone "y" { type primary; file "y"; journal "j"; }; };
        """
    ) == [
        "t:2:19: note: 'forwarders' has no effect here: bindpy only answers from its own zones",
        "t:2:46: warning: 'dnssec-enable' no longer exists in BIND and is ignored; remove it",
        "t:2:65: warning: 'rate-limit' is not supported yet and is ignored: "
        "what it allows or forbids is not in force",
        "t:4:73: warning: 'journal' is not supported yet and is ignored",
    ]


def test_a_value_that_asks_for_what_happens_anyway_is_silent() -> None:
    assert not findings("options { recursion no; allow-recursion { none; }; dnssec-policy none; };")
    assert len(findings("options { recursion yes; allow-recursion { any; }; dnssec-policy default; };")) == 3


def test_a_wrong_value_is_an_error_even_where_it_has_no_effect() -> None:
    assert findings("options { max-cache-size lots; };")[0].startswith(
        "t:1:26: error: 'max-cache-size': expected"
    )


def test_removed_statements_may_have_any_value() -> None:
    found = findings('options { dnssec-lookaside . trust-anchor "x"; topology { !10/8; { 1; 2; }; }; };')
    assert [f.split(": ")[1] for f in found] == ["warning", "warning"]


def test_zones_that_are_left_out_are_not_reported_clause_by_clause() -> None:
    assert not findings(
        'zone "." { type hint; file "x"; check-names warn; }; zone "f" { type forward; forwarders { }; };'
    )


def test_all_errors_show_in_one_run() -> None:
    found = findings('options { a; b; port x; };\nzone "z" { c; type nope; };\nd;')
    assert [f.split(": ")[0] for f in found] == ["t:1:11", "t:1:14", "t:1:22", "t:2:12", "t:2:20", "t:3:1"]


def test_bindpys_own_statements_are_known_and_checked() -> None:
    found = findings(
        """
        options {
            autoprimaries {
                192.0.2.1 port 53 key k nameserver "ns1.example" account "a";
                ::1 nameserver "ns2";
            };
            autoprimary-directory "d"; autoprimary-config "c"; control-socket "s"; lua-axfr-script "f.lua";
            watch no;
        };
        zone "n" { type native; file "n"; watch yes; };
        """
    )
    assert found == []
    assert findings("options { autoprimaries { 192.0.2.1; }; };")[0].startswith(
        "t:1:36: error: 'autoprimaries': expected 'nameserver', found ';'"
    )
    assert findings("options { watch maybe; };") == [
        "t:1:17: error: 'watch': expected yes or no, found 'maybe'"
    ]
