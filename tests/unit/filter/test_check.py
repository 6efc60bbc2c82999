"""checkconf looks into the scripts of a configuration, and zones have the one that is set nearest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bindpy.cli.checkconf import command
from bindpy.config.load import load_config

GOOD = "function axfrfilter(remoteip, zone, record) return pdns.PASS, {} end\n"
PRIMARIES = "primaries { 192.0.2.1; };"


def check(folder: Path, conf: str, *options: str) -> tuple[int, list[str]]:
    """Return checkconf's exit status and what it says, paths relative to *folder*."""
    (folder / "named.conf").write_text(f'options {{ directory "{folder}"; }};\n' + conf)
    result = CliRunner().invoke(command, [*options, str(folder / "named.conf")])
    return result.exit_code, result.output.replace(f"{folder}/", "").splitlines()


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (None, "f.lua: error: the script cannot be read: No such file or directory"),
        ("x = 1\ny = = 2\n", "f.lua:2: error: unexpected symbol near '='"),
        ("\nlocal x = nil + 1\n", "f.lua:2: error: attempt to perform arithmetic on a nil value"),
        ("function axfrFilter(a, b, c) end\n", "f.lua: error: the script has no function axfrfilter"),
        ("function axfrfilter(a) end\n", "f.lua: error: axfrfilter has 1 parameters; it takes 3, 6 or 7"),
        ("while true do end\n", "f.lua:1: error: the script takes too long over one record"),
    ],
)
def test_a_bad_script_is_an_error_at_its_line_with_the_statements_place(
    tmp_path: Path, source: str | None, finding: str
) -> None:
    if source is not None:
        (tmp_path / "f.lua").write_text(source)
    zone = f'zone "a.example" {{ type secondary; {PRIMARIES}\n  lua-axfr-script "f.lua"; }};\n'
    status, said = check(tmp_path, zone)
    assert (status, said) == (1, [finding, "named.conf:3:3: note: 'lua-axfr-script' is here"])


def test_an_unreadable_script(tmp_path: Path) -> None:
    (tmp_path / "d.lua").mkdir()
    status, said = check(tmp_path, f'zone "a" {{ type secondary; {PRIMARIES} lua-axfr-script "d.lua"; }};')
    assert status == 1
    assert said[0] == "d.lua: error: the script cannot be read: Is a directory"


def test_good_scripts_and_none_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "f.lua").write_text(GOOD)
    zones = f'zone "a.example" {{ type secondary; {PRIMARIES} lua-axfr-script "f.lua"; }};\n'
    zones += f'zone "b.example" {{ type secondary; {PRIMARIES} lua-axfr-script none; }};\n'
    assert check(tmp_path, zones) == (0, [])


def test_every_statement_is_looked_at_and_the_json_tells_of_it(tmp_path: Path) -> None:
    (tmp_path / "more.conf").write_text(
        f'zone "a" {{ type secondary; {PRIMARIES} lua-axfr-script "one.lua"; }};\n'
    )
    conf = 'view "v" {\n lua-axfr-script "two.lua";\n include "more.conf";\n};\n'
    status, said = check(tmp_path, conf)
    assert status == 1
    assert said == [
        "two.lua: error: the script cannot be read: No such file or directory",
        "named.conf:3:2: note: 'lua-axfr-script' is here",
        "one.lua: error: the script cannot be read: No such file or directory",
        "more.conf:1:54: note: 'lua-axfr-script' is here",
        "named.conf:4:2: note: included from here",
        "named.conf: 2 errors",
    ]
    status, said = check(tmp_path, conf, "--json")
    report = json.loads("\n".join(said))
    assert (status, report["ok"], len(report["diagnostics"])) == (1, False, 2)


def test_the_nearest_script_wins_and_none_switches_it_off(tmp_path: Path) -> None:
    def zone(name: str, more: str = "") -> str:
        return f'zone "{name}" {{ type secondary; {PRIMARIES} {more} }};\n'

    (tmp_path / "named.conf").write_text(
        f'options {{ directory "{tmp_path}"; lua-axfr-script "options.lua"; }};\n'
        'view "one" { lua-axfr-script "view.lua";\n'
        + zone("a", 'lua-axfr-script "/zone.lua";')
        + zone("b")
        + zone("c", "lua-axfr-script none;")
        + '};\nview "two" {\n'
        + zone("d")
        + '};\nview "three" { lua-axfr-script none;\n'
        + zone("e")
        + zone("f", 'lua-axfr-script "zone.lua";')
        + "};\n"
    )
    config = load_config(str(tmp_path / "named.conf")).config
    assert config is not None
    scripts = [zone.settings.lua_axfr_script for zone in config.zones()]
    expected = [
        "/zone.lua",
        f"{tmp_path}/view.lua",
        None,
        f"{tmp_path}/options.lua",
        None,
        f"{tmp_path}/zone.lua",
    ]
    assert scripts == expected


@pytest.mark.parametrize(
    ("conf", "finding"),
    [
        ('zone "a" { type primary; file "a"; lua-axfr-script "f.lua"; };', "not allowed"),
        (f'zone "a" {{ type secondary; {PRIMARIES} lua-axfr-script f.lua; }};', "lua-axfr-script"),
    ],
)
def test_where_it_cannot_be_said(tmp_path: Path, conf: str, finding: str) -> None:
    (tmp_path / "f.lua").write_text(GOOD)
    status, said = check(tmp_path, conf)
    assert status == 1
    assert finding in said[0]
