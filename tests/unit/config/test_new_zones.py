"""Zones that the server itself keeps statements of: where they are kept, and how they are read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.config.load import ConfigResult, load_config
from bindpy.config.new_zones import autoprimary_path, new_zones_path
from bindpy.diagnostics import Severity
from bindpy.zone.names import to_text

PRIMARY = 'type primary; file "{0}.db";'


def load(directory: Path, text: str, options: str = "allow-new-zones yes;") -> ConfigResult:
    conf = directory / "named.conf"
    conf.write_text(f'options {{ directory "{directory}"; {options} }};\n{text}')
    return load_config(str(conf))


def zones(result: ConfigResult) -> list[tuple[str, str, str]]:
    """Return view, zone and the last part of the path of the file that each statement is kept in."""
    assert result.config is not None, [str(item) for item in result.diagnostics]
    return [
        (zone.view, to_text(zone.origin), Path(zone.kept_in).name if zone.kept_in else "")
        for zone in result.config.zones()
    ]


def findings(result: ConfigResult, severity: Severity) -> list[str]:
    return [str(item) for item in result.diagnostics if item.severity is severity]


def test_the_names_are_those_of_bind(tmp_path: Path) -> None:
    # As named 9.18 made them (with .nzd in place of .nzf).
    assert new_zones_path(tmp_path, "_default") == f"{tmp_path}/_default.nzf"
    assert new_zones_path(tmp_path, "a.b c") == f"{tmp_path}/a.b c.nzf"
    assert new_zones_path(tmp_path, "Internal") == f"{tmp_path}/2ea1842b445b0c81.nzf"
    assert new_zones_path(tmp_path, "a/b") == f"{tmp_path}/c14cddc033f64b9d.nzf"


def test_a_file_by_the_whole_hash_is_used_where_it_is_there(tmp_path: Path) -> None:
    digest = "2ea1842b445b0c813cc619b6d4740a41c2127a66b306a363d761ed4258862cc0"
    (tmp_path / f"{digest}.nzf").touch()
    assert new_zones_path(tmp_path, "Internal") == f"{tmp_path}/{digest}.nzf"


def test_each_view_has_its_own_file_of_autoprimaries() -> None:
    assert autoprimary_path("/x/auto.conf", "_default") == "/x/auto.conf"
    assert autoprimary_path("/x/auto.conf", "inside") == "/x/auto.conf.inside"
    assert "/" not in autoprimary_path("/x/auto.conf", "../a").removeprefix("/x/")


def test_kept_zones_are_zones_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "_default.nzf").write_text(
        '# made by BIND\nzone "added.example" { type primary; file "added.db"; };\n'
    )
    (tmp_path / "auto.conf").write_text(
        'zone "auto.example" { type secondary; primaries { 192.0.2.1; }; file "auto.db"; };\n'
    )
    conf = 'zone "written.example" { type primary; file "w.db"; };'
    result = load(tmp_path, conf, 'allow-new-zones yes; autoprimary-config "auto.conf";')
    assert zones(result) == [
        ("_default", "written.example.", ""),
        ("_default", "added.example.", "_default.nzf"),
        ("_default", "auto.example.", "auto.conf"),
    ]
    assert not findings(result, Severity.WARNING)


def test_without_allow_new_zones_added_zones_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "_default.nzf").write_text("this would be an error")
    assert zones(load(tmp_path, "", "")) == []
    result = load(tmp_path, "", "")
    assert result.config is not None
    assert not result.config.views[0].allow_new_zones


def test_each_view_reads_its_own(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    for name in ("new/one.nzf", "other/two.nzf", "auto.conf.two"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f'zone "{Path(name).name}" {{ {PRIMARY.format(Path(name).name)} }};')
    (tmp_path / "new" / "three.nzf").write_text("not read")
    result = load(
        tmp_path,
        'view "one" { };\nview "two" { new-zones-directory "other"; };\n'
        'view "three" { allow-new-zones no; };',
        'allow-new-zones yes; new-zones-directory "new"; autoprimary-config "auto.conf";',
    )
    assert zones(result) == [
        ("one", "one.nzf.", "one.nzf"),
        ("two", "two.nzf.", "two.nzf"),
        ("two", "auto.conf.two.", "auto.conf.two"),
    ]
    assert result.config is not None
    assert [(view.allow_new_zones, view.new_zones_path) for view in result.config.views] == [
        (True, f"{tmp_path}/new/one.nzf"),
        (True, f"{tmp_path}/other/two.nzf"),
        (False, f"{tmp_path}/new/three.nzf"),
    ]


def test_named_conf_wins_and_the_doublet_is_named(tmp_path: Path) -> None:
    kept = tmp_path / "_default.nzf"
    kept.write_text(f'zone "ONE.example" {{ {PRIMARY.format(1)} }};\nzone "b" {{ {PRIMARY.format("b")} }};\n')
    result = load(tmp_path, f'zone "one.example." {{ {PRIMARY.format(2)} }};')
    assert zones(result) == [("_default", "one.example.", ""), ("_default", "b.", "_default.nzf")]
    assert result.config is not None
    assert result.config.zones()[0].file == f"{tmp_path}/2.db"
    [warning] = [item for item in result.diagnostics if item.severity is Severity.WARNING]
    assert str(warning).startswith(f"{kept}:1:1: warning: zone 'ONE.example' is in the configuration already")
    assert str(warning.notes[0]) == f"{tmp_path}/named.conf:2:1: note: it counts as it is here"


def test_a_zone_that_is_kept_twice_is_read_once_from_the_first_file(tmp_path: Path) -> None:
    for name in ("_default.nzf", "auto.conf"):
        (tmp_path / name).write_text(f'zone "x" {{ {PRIMARY.format(name)} }};')
    result = load(tmp_path, "", 'allow-new-zones yes; autoprimary-config "auto.conf";')
    assert zones(result) == [("_default", "x.", "_default.nzf")]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('zone "x" { type primary; file "x.db" };', ":1:38", "missing ';' before '}'"),
        ('\n\nzone "x" { type primary; fiel "x.db"; };', ":3:26", "unknown statement 'fiel' in 'zone'"),
        ("options { };", ":1:1", "the server keeps zones in this file: 'options' cannot be here"),
        ('include "x";', ":1:1", "the server keeps zones in this file: 'include' cannot be here"),
        ('zone "x" { type primary; file "x', ":1:31", "quoted string is never closed"),
    ],
)
def test_a_broken_file_is_an_error_with_its_place(
    tmp_path: Path, text: str, place: str, message: str
) -> None:
    (tmp_path / "_default.nzf").write_text(text)
    result = load(tmp_path, "")
    assert result.config is None
    errors = findings(result, Severity.ERROR)
    assert errors[0].startswith(f"{tmp_path}/_default.nzf{place}: error: {message}"), errors


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "_default.nzf").mkdir()
    result = load(tmp_path, "")
    assert findings(result, Severity.ERROR) == [
        f"{tmp_path}/_default.nzf: error: cannot read: it is a directory; name a file"
    ]


def test_the_database_of_bind_is_pointed_at_until_its_zones_are_written_out(tmp_path: Path) -> None:
    (tmp_path / "_default.nzd").touch()
    [warning] = findings(load(tmp_path, ""), Severity.WARNING)
    assert warning.startswith(f"{tmp_path}/_default.nzd: warning: this is BIND's database of zones")
    assert f"named-nzd2nzf {tmp_path}/_default.nzd > {tmp_path}/_default.nzf" in warning
    (tmp_path / "_default.nzf").touch()
    assert not findings(load(tmp_path, ""), Severity.WARNING)


def test_a_name_that_no_file_can_have_is_no_fault(tmp_path: Path) -> None:
    result = load(tmp_path, f'view "{"v" * 300}" {{ }};')
    assert zones(result) == []


def test_a_file_that_is_included_as_well_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "auto.conf").write_text('zone "a.test" { type secondary; primaries { 192.0.2.1; }; };\n')
    result = load(tmp_path, 'include "./auto.conf";', 'autoprimary-config "auto.conf";')
    assert zones(result) == [("_default", "a.test.", "")]
    assert result.diagnostics == ()
