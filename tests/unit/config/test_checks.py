"""Checks across statements: the corpus' findings at their places, and rules that need more than a verdict."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindpy.config.checks import check_statements
from bindpy.config.load import load_config
from bindpy.config.printer import print_config
from bindpy.config.scanner import scan
from bindpy.config.tree import Source, print_statements
from bindpy.diagnostics import Diagnostic, Diagnostics, Severity

DATA = Path(__file__).parents[2] / "data" / "conf"


def corpus(kind: str) -> list[Path]:
    return sorted((DATA / kind).glob("*.conf"))


def expectation(path: Path) -> str:
    """Return the regular expression that the file says our findings match."""
    for line in path.read_text().splitlines()[:2]:
        if line.startswith("// expect: "):
            return line.removeprefix("// expect: ")
    raise AssertionError(f"{path} does not say what is expected")


def findings(text: str) -> list[Diagnostic]:
    """Return what the checks alone say about *text*."""
    return check_statements(scan(Source("named.conf", text), Diagnostics()))


def errors(text: str) -> list[str]:
    return [str(item) for item in findings(text) if item.severity is Severity.ERROR]


def warnings(text: str) -> list[str]:
    return [str(item) for item in findings(text) if item.severity is Severity.WARNING]


@pytest.mark.parametrize(
    "path", [*corpus("good"), *corpus("ext"), *corpus("removed")], ids=lambda path: path.stem
)
def test_a_good_file_gives_a_configuration(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    result = load_config(path.name)
    assert result.config is not None, [str(item) for item in result.diagnostics]


@pytest.mark.parametrize(
    "path", [*corpus("bad"), *corpus("removed"), *corpus("strict")], ids=lambda path: path.stem
)
def test_the_expected_finding_is_printed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    lines = [line for item in load_config(path.name).diagnostics for line in item.lines()]
    expected = expectation(path)
    assert any(re.search(expected, line, re.IGNORECASE) for line in lines), (expected, lines)


@pytest.mark.parametrize("path", corpus("bad"), ids=lambda path: path.stem)
def test_nothing_is_reported_twice_at_one_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    found = load_config(path.name).diagnostics
    places = [item.span for item in found if item.severity is Severity.ERROR]
    assert len(places) == len(set(places)), [str(item) for item in found]


@pytest.mark.parametrize("path", corpus("good"), ids=lambda path: path.stem)
def test_a_printed_configuration_reads_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    tree = load_config(path.name).tree
    again = load_config(path.name, text=print_config(tree))
    assert again.config is not None, [str(item) for item in again.diagnostics]
    assert print_statements(again.tree) == print_statements(tree)


def test_a_brace_too_many_is_one_error() -> None:
    found = load_config("named.conf", text="options { };\n};\n").diagnostics
    assert [str(item.span) for item in found] == ["named.conf:2:1"]


def test_secrets_are_hidden_on_request() -> None:
    tree = scan(Source("c", 'key k { algorithm hmac-sha256; secret "MTIz"; };'), Diagnostics())
    assert "MTIz" not in print_config(tree, hide_secrets=True)
    assert 'secret "????";' in print_config(tree, hide_secrets=True)


def test_the_other_place_of_a_duplicate_is_a_note() -> None:
    text = 'zone "a" { type primary; file "a"; };\n  zone "A." { type primary; file "b"; };\n'
    (found,) = findings(text)
    assert list(found.lines()) == [
        "named.conf:2:3: error: zone 'A.' is already defined",
        "named.conf:1:1: note: first defined here",
    ]


def test_a_zone_may_be_in_two_views_but_not_twice_in_one() -> None:
    zone = 'zone "a" { type primary; file "a"; };'
    assert errors(f"view v {{ {zone} }}; view w {{ {zone} }};") == []
    assert len(errors(f"view v {{ {zone} {zone} }}; view w {{ {zone} }};")) == 1


def test_a_loop_is_named_as_it_goes_round() -> None:
    text = "acl a { b; };\nacl b { !c; };\nacl c { { a; }; };\noptions { allow-query { a; }; };"
    assert errors(text) == ["named.conf:3:11: error: acl loop: a contains b contains c contains a"]


def test_what_no_list_uses_is_a_warning() -> None:
    assert errors("acl a { nowhere; };") == []
    assert warnings("acl a { nowhere; };") == ["named.conf:1:9: warning: undefined ACL 'nowhere'"]


def test_an_undefined_acl_is_reported_once_where_it_is_written() -> None:
    text = "acl a { nowhere; };\noptions { allow-query { a; }; allow-transfer { a; }; };"
    assert errors(text) == ["named.conf:1:9: error: undefined ACL 'nowhere'"]


def test_a_near_name_is_suggested() -> None:
    (error,) = errors("acl trusted { any; };\noptions { allow-query { trused; }; };")
    assert error.endswith("undefined ACL 'trused'; did you mean 'trusted'?")


def test_a_key_that_is_missing_from_a_list_is_a_warning() -> None:
    assert errors('options { allow-transfer { key "k"; }; };') == []
    assert len(warnings('options { allow-transfer { key "k"; }; };')) == 1


def test_the_secret_is_not_in_the_message() -> None:
    (error,) = errors('key k { algorithm hmac-sha256; secret "c2VjcmV0!"; };')
    assert "c2VjcmV0" not in error
    assert "base64" in error


@pytest.mark.parametrize(
    ("second", "collides"),
    [
        ('type primary; file "f";', True),
        ('type secondary; primaries { 192.0.2.2; }; file "f";', True),
        ('type primary; file "g";', False),
        ('type primary; file "./f";', False),
    ],
)
def test_two_zones_do_not_share_a_file_that_is_written(second: str, collides: bool) -> None:
    first = 'zone "a" { type secondary; primaries { 192.0.2.1; }; file "f"; };'
    found = errors(f'{first}\nzone "b" {{ {second} }};')
    assert bool(found) is collides
    assert all("already in use" in error for error in found)


def test_a_list_with_a_fault_is_reported_once_for_all_zones() -> None:
    zones = "".join(f'zone "{n}" {{ type secondary; primaries {{ p; }}; }};\n' for n in range(3))
    assert errors(f"primaries p {{ nowhere; 192.0.2.1; }};\n{zones}") == [
        "named.conf:1:15: error: unable to find primaries list 'nowhere'"
    ]


def test_an_included_place_names_its_includers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("zones.conf").write_text('zone "a" { type primary; };\n')
    found = load_config("named.conf", text='\ninclude "zones.conf";\n').diagnostics
    lines = [line for item in found for line in item.lines()]
    assert lines[0].startswith("zones.conf:1:1: error: zone 'a': it has no 'file'")
    assert lines[1] == "named.conf:2:1: note: included from here"


WORDS = st.sampled_from(
    [
        *("options", "zone", "view", "acl", "key", "server", "controls", "logging", "primaries", "masters"),
        *("type", "primary", "secondary", "file", "in-view", "allow-query", "allow-update", "also-notify"),
        *("update-policy", "grant", "keys", "inet", "unix", "category", "channel", "algorithm", "secret"),
        *("rate-limit", "window", "dnssec-policy", "check-names", "port", "any", "none", "catalog-zones"),
        *("a", "b", "IN", "10", "192.0.2.1", '"quoted"', "!", "/", "{", "}", ";", "{", "}", ";", "};"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=40))
def test_malformed_statements_raise_nothing(words: list[str]) -> None:
    findings(" ".join(words))
