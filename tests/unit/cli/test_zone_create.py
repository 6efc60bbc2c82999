"""``bindpy zone create``: what is written, and what is refused without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bindpy.cli.zone import group
from bindpy.config.load import load_config

CONF = 'options { recursion no; };\n// the last comment\ninclude "more.conf";'
OLD = 'zone "old.example" { type primary; file "old.db"; };\n'


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration in a directory that is the current one."""
    monkeypatch.chdir(tmp_path)
    Path("more.conf").write_text(OLD)
    path = tmp_path / "named.conf"
    path.write_text(CONF)
    return path


def create(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(group, ["create", "-c", "named.conf", *words], input=stdin)


def files(conf: Path) -> set[str]:
    return {path.name for path in conf.parent.iterdir()}


def test_create(conf: Path) -> None:
    result = create("--yes", "new.example", "--ns", "ns1=192.0.2.1,2001:db8::1", "--ns", "ns.example.net.")
    assert result.exit_code == 0, result.output
    statement = 'zone "new.example" {\n\ttype primary;\n\tfile "db.new.example";\n};\n'
    assert conf.read_text() == f"{CONF}\n\n{statement}"
    assert load_config("named.conf").config is not None
    shown = CliRunner().invoke(group, ["show", "-c", "named.conf", "new.example", "--json"])
    report = json.loads(shown.stdout)
    assert report["serial"] == 1
    assert [(rr["name"], rr["type"], rr["data"]) for rr in report["records"]][1:] == [
        ("new.example.", "NS", "ns1.new.example."),
        ("new.example.", "NS", "ns.example.net."),
        ("ns1.new.example.", "A", "192.0.2.1"),
        ("ns1.new.example.", "AAAA", "2001:db8::1"),
    ]


def test_create_in_an_included_file(conf: Path) -> None:
    words = ("--file", "n.db", "--config-file", "more.conf", "--ns", "ns.example.net.", "--json")
    report = json.loads(create("--yes", "new.example", *words).stdout)
    assert report == {
        "zone": "new.example.",
        "view": "_default",
        "type": "primary",
        "file": str(conf.with_name("n.db")),
        "config_file": str(conf.with_name("more.conf")),
        "written": True,
        "server": "not running",
    }
    assert conf.read_text() == CONF
    assert Path("more.conf").read_text().startswith(OLD + '\nzone "new.example" {')


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("old.example", "--ns", "ns.example.net."), "there is a zone 'old.example.' already"),
        (("new.example", "--ns", "ns1"), "would not load"),
        (("new.example", "--ns", "ns1=192.0.2.256"), "'192.0.2.256' is not an address"),
        (("new.example", "--ns", "a..b"), "'a..b' is not a name"),
        (('a"b', "--ns", "ns.example.net."), "write it by hand"),
        (("new.example", "--ns", "ns.example.net.", "--file", 'a"b'), "the file name"),
        (("new.example", "--ns", "ns.example.net.", "--file", "named.conf"), "exists already"),
        (("new.example", "--ns", "ns.example.net.", "--file", "no/n.db"), "make the directory"),
        (
            ("new.example", "--ns", "ns.example.net.", "--config-file", "x.conf"),
            "nor a file that it includes",
        ),
    ],
)
def test_refusals(conf: Path, words: tuple[str, ...], message: str) -> None:
    result = create("--yes", *words)
    assert result.exit_code == 1, result.output
    assert message in result.stderr
    assert conf.read_text() == CONF
    assert files(conf) == {"named.conf", "more.conf"}


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--ns", "ns1=192.0.2.1", "--primary", "192.0.2.1"),
        ("--type", "secondary"),
        ("--type", "secondary", "--primary", "192.0.2.1", "--ns", "ns1=192.0.2.1"),
        ("--type", "stub", "--primary", "192.0.2.1"),
    ],
)
def test_what_does_not_go_with_the_type_is_wrong_usage(conf: Path, words: tuple[str, ...]) -> None:
    assert create("--yes", "new.example", *words).exit_code == 2
    assert files(conf) == {"named.conf", "more.conf"}


def test_a_secondary_zone_is_a_statement_only(conf: Path) -> None:
    words = ("--type", "secondary", "--primary", "192.0.2.1 port 5300", "--primary", "2001:db8::1")
    result = create("--yes", "new.example", *words)
    assert result.exit_code == 0, result.output
    assert conf.read_text().endswith(
        'zone "new.example" {\n\ttype secondary;\n'
        '\tprimaries { 192.0.2.1 port 5300; 2001:db8::1; };\n\tfile "db.new.example";\n};\n'
    )
    assert files(conf) == {"named.conf", "more.conf"}
    config = load_config("named.conf").config
    assert config is not None
    assert [(one.address, one.port) for one in config.zones()[-1].primaries] == [
        ("192.0.2.1", 5300),
        ("2001:db8::1", 53),
    ]


@pytest.mark.parametrize(
    "primary", ["no-such-list", "192.0.2.1; }; type primary; also-notify { 192.0.2.2", ""]
)
def test_primaries_that_are_none_are_refused(conf: Path, primary: str) -> None:
    assert create("--yes", "new.example", "--type", "secondary", "--primary", primary).exit_code == 1
    assert conf.read_text() == CONF


def test_a_native_zone(conf: Path) -> None:
    assert create("--yes", "new.example", "--type", "native", "--ns", "ns.example.net.").exit_code == 0
    assert '"new.example" {\n\ttype native;\n' in conf.read_text()
    assert files(conf) == {"named.conf", "more.conf", "db.new.example"}


VIEWS = """\
view "a" { match-clients { 10.0.0.0/8; };
	include "more.conf";
	/* } */ };
view "b" {
	zone "x" { type primary; file "x.db"; };
}; // the end
"""


def test_a_zone_in_a_view(conf: Path) -> None:
    conf.write_text(VIEWS)
    result = create("--yes", "new.example", "--view", "b", "--ns", "ns.example.net.")
    assert result.exit_code == 0, result.output
    written = '\tzone "new.example" {\n\t\ttype primary;\n\t\tfile "db.new.example";\n\t};\n'
    assert conf.read_text() == VIEWS.replace("}; // the end", f"{written}}}; // the end")
    result = create("--yes", "new.example", "--view", "a", "--ns", "ns.example.net.", "--file", "a.db")
    assert result.exit_code == 0, result.output
    config = load_config("named.conf").config
    assert config is not None
    assert sorted((zone.view, Path(zone.file or "").name) for zone in config.zones()) == [
        ("a", "a.db"),
        ("a", "old.db"),
        ("b", "db.new.example"),
        ("b", "x.db"),
    ]


def test_a_zone_in_a_file_that_its_view_includes(conf: Path) -> None:
    conf.write_text(VIEWS)
    words = ("--yes", "new.example", "--ns", "ns.example.net.", "--config-file", "more.conf")
    result = create(*words, "--view", "b")
    assert result.exit_code == 1
    assert "the zone would not be in view 'b' only, but in: 'a'" in result.stderr
    assert create(*words, "--view", "a").exit_code == 0
    assert conf.read_text() == VIEWS
    assert Path("more.conf").read_text().startswith(OLD + '\nzone "new.example" {')


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "has several views (a, b); name one with --view"),
        (("--view", "c"), "has no view 'c'; there is: a, b"),
    ],
)
def test_a_view_must_be_clear(conf: Path, words: tuple[str, ...], message: str) -> None:
    conf.write_text(VIEWS)
    result = create("--yes", "new.example", "--ns", "ns.example.net.", *words)
    assert (result.exit_code, files(conf)) == (1, {"named.conf", "more.conf"})
    assert message in result.stderr


def test_without_a_server_it_says_when_the_zone_is_served(conf: Path) -> None:
    result = create("--yes", "new.example", "--ns", "ns.example.net.")
    assert result.exit_code == 0
    assert result.stdout.endswith("zone new.example.: created\n")
    assert (
        "note: a server takes the zone when it starts or rereads its configuration: no server"
        in result.stderr
    )


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_no_and_dry_run_write_nothing(conf: Path, words: tuple[str, ...]) -> None:
    result = create("new.example", "--ns", "ns.example.net.", *words, stdin="n\n")
    assert result.exit_code == (0 if words else 1)
    assert 'zone "new.example" {' in result.stdout
    assert (conf.read_text(), files(conf)) == (CONF, {"named.conf", "more.conf"})


def test_without_the_statement_there_is_no_file(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def confirm(*_words: object, **_options: object) -> bool:
        conf.write_text(CONF + "\n// somebody else\n")
        return True

    monkeypatch.setattr("click.confirm", confirm)
    result = create("new.example", "--ns", "ns.example.net.")
    assert result.exit_code == 1
    assert "changed by somebody else meanwhile" in result.stderr
    assert files(conf) == {"named.conf", "more.conf"}
