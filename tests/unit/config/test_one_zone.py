"""One zone statement, judged in the context of a configuration that was read before."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.config.load import load_config
from bindpy.config.model import ZoneType
from bindpy.config.one_zone import OneZone, ZoneContext, zone_statement
from bindpy.config.tree import print_statements

CONF = """\
options { directory "{dir}"; also-notify { 192.0.2.9; }; allow-transfer { ours; }; };
acl ours { 192.0.2.0/24; };
acl broken { nosuch; };
primaries them { 192.0.2.1 key k; };
key k { algorithm hmac-sha256; secret "c2VjcmV0"; };
zone "first" { type primary; file "first.db"; };
"""
VIEWS = """\
options { directory "{dir}"; notify no; };
view "in" { match-clients { 10.0.0.0/8; }; notify explicit; zone "a" { type primary; file "a.db"; }; };
view "out" { catalog-zones { zone "cat"; }; zone "cat" { type primary; file "cat.db"; }; };
"""


def context(directory: Path, text: str = CONF) -> ZoneContext:
    conf = directory / "named.conf"
    conf.write_text(text.replace("{dir}", str(directory)))
    result = load_config(str(conf))
    assert result.config is not None, [str(item) for item in result.diagnostics]
    return ZoneContext(result)


def read(where: ZoneContext, body: str, *, view: str = "_default", zone: str = "new.example") -> OneZone:
    statement, findings = zone_statement(f"{{ {body} }};", "addzone", zone=zone)
    assert statement is not None, findings
    return where.read(statement, view)


def test_a_zone_inherits_and_finds_what_it_names(tmp_path: Path) -> None:
    one = read(context(tmp_path), 'type secondary; primaries { them; }; file "new.db"; notify explicit;')
    assert one.diagnostics == ()
    assert one.config is not None
    assert one.config.type is ZoneType.SECONDARY
    assert one.config.file == f"{tmp_path}/new.db"
    assert [(server.address, server.key) for server in one.config.primaries] == [("192.0.2.1", "k.")]
    assert one.config.settings.notify == "explicit"
    assert [server.address for server in one.config.settings.also_notify] == ["192.0.2.9"]


def test_it_means_the_same_as_in_the_configuration_itself(tmp_path: Path) -> None:
    body = 'type primary; file "new.db"; allow-query { !ours; any; }; notify explicit;'
    one = read(context(tmp_path), body)
    conf = tmp_path / "named.conf"
    conf.write_text(conf.read_text() + f'zone "new.example" {{ {body} }};')
    whole = load_config(str(conf)).config
    assert whole is not None
    assert one.config == whole.zones()[-1]


def test_views_have_settings_of_their_own(tmp_path: Path) -> None:
    where = context(tmp_path, VIEWS)
    body = 'type primary; file "new.db";'
    found = [read(where, body, view=view).config for view in ("in", "out")]
    assert [(zone.view, zone.settings.notify) for zone in found if zone is not None] == [
        ("in", "explicit"),
        ("out", "no"),
    ]


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        ('type primary; fiel "x";', ":1:17", "unknown statement 'fiel' in 'zone'"),
        ('type primary; file "x"; allow-query { nosuch; };', ":1:41", "undefined ACL 'nosuch'"),
        ("type primary;\n  file 5;", ":2:8", "'file'"),
        ('type secondary; file "x";', ":1:1", "zone 'new.example': it has no 'primaries'"),
        ('type primary; file "x"; primaries { 192.0.2.1; };', ":1:27", "'primaries' is not allowed"),
        ('type primary; file "x"; file "y";', ":1:27", "'file' is given twice"),
    ],
)
def test_errors_have_their_place_in_the_text(tmp_path: Path, body: str, place: str, message: str) -> None:
    one = read(context(tmp_path), body)
    assert one.config is None
    assert any(str(error).startswith(f"addzone{place}: error: {message}") for error in one.errors), one.errors


def test_what_the_zone_uses_and_is_in_error_elsewhere_counts(tmp_path: Path) -> None:
    one = read(context(tmp_path), 'type primary; file "x"; allow-query { broken; };')
    assert [str(error).rpartition("named.conf")[2] for error in one.errors] == [
        ":3:14: error: undefined ACL 'nosuch'"
    ]


def test_findings_about_the_rest_are_not_repeated(tmp_path: Path) -> None:
    where = context(tmp_path, CONF.replace("};\n", " recursion yes; forwarders { 192.0.2.2; }; };\n", 1))
    assert read(where, 'type primary; file "x";').diagnostics == ()


def test_a_type_that_is_not_served_is_said_to_be_none(tmp_path: Path) -> None:
    one = read(context(tmp_path), "type stub; primaries { 192.0.2.1; };")
    assert one.config is None
    assert one.errors == ()
    assert "zones of type 'stub' are left out" in str(one.diagnostics[0])


def test_what_was_read_is_found_again(tmp_path: Path) -> None:
    (tmp_path / "more").write_text('\n# a comment\nzone "a.more" { type primary; file "};"; /* }; */ };')
    where = context(tmp_path, CONF + '\n\ninclude "more";\n')
    result = load_config(str(tmp_path / "named.conf"))
    assert result.config is not None
    texts = []
    for zone in result.config.zones():
        statement = where.statement_at(zone.span)
        assert statement is not None
        texts.append(print_statements([statement]))
    assert texts == [
        'zone "first" { type primary ; file "first.db" ; } ;\n',
        'zone "a.more" { type primary ; file "};" ; } ;\n',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: error: one zone is expected here"),
        ("type primary;", "1:1: error: '{ STATEMENTS };' is expected here"),
        ("{ type primary; }; zone x { };", "1:20: error: one zone is expected here"),
        ("{ type primary; ", "1:1: error: '{' is never closed"),
        ("{ } };", "1:5: error: unexpected '}'"),
    ],
)
def test_what_is_no_zone_is_refused(text: str, message: str) -> None:
    statement, findings = zone_statement(text, "text", zone="example")
    assert statement is None
    assert str(findings[0]).startswith(f"text:{message}"), findings


def test_a_whole_statement_is_read_with_its_name() -> None:
    statement, _ = zone_statement('# why\nzone "a" { type primary; file "x"; };\n', "x", kept_in="/x")
    assert statement is not None
    assert statement.source.is_kept
    assert zone_statement("options { };", "x")[0] is None
