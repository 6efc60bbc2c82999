"""``bindpy autoprimary``: the list is changed, and nothing else of what is written in the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bindpy.cli.autoprimary import group
from bindpy.config.load import load_config
from bindpy.edit import autoprimaries as edit
from bindpy.edit.autoprimaries import AutoprimaryDocument

LISTED = """\
// who may
options {
    directory ".";
    autoprimaries {
        # the first customer
        192.0.2.1 nameserver "ns2.example.org"; // 2019
        192.0.2.2 port 5300 key "k" nameserver "ns2.example.org" account "two"; 2001:db8::1 nameserver "a";
        /* more
           to come */
    };
    autoprimary-directory "auto"; autoprimary-config "auto.conf";
};
key "k" { algorithm hmac-sha256; secret "c2VjcmV0"; };
"""
MADE = (
    'zone "x" { type secondary; primaries { 192.0.2.1; }; file "x"; provisioned-by 192.0.2.1 account "a"; };'
)


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration in a directory that is the current one."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "named.conf"
    path.write_text(LISTED)
    return path


def run(*words: str, stdin: str | None = None) -> Result:
    command, *rest = words
    return CliRunner().invoke(group, [command, "-c", "named.conf", *rest], input=stdin)


def good(*words: str, stdin: str | None = None) -> str:
    result = run(*words, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def addresses() -> list[str]:
    config = load_config("named.conf").config
    assert config is not None
    files = [entry.address for file in config.options.autoprimary_files for entry in file.entries]
    return [entry.address for entry in config.options.autoprimaries] + files


def test_list(conf: Path) -> None:
    (conf.parent / "auto.conf").write_text(MADE)
    lines = [line.split() for line in good("list").splitlines()]
    assert lines == [
        ["ADDRESS", "PORT", "NAMESERVER", "KEY", "ACCOUNT", "ZONES", "LISTED", "IN"],
        ["192.0.2.1", "53", "ns2.example.org.", "-", "-", "1", "named.conf:6"],
        ["192.0.2.2", "5300", "ns2.example.org.", "k", "two", "0", "named.conf:7"],
        ["2001:db8::1", "53", "a.", "-", "-", "0", "named.conf:7"],
    ]
    report = json.loads(good("list", "--json"))
    assert report[1] == {
        "address": "192.0.2.2",
        "port": 5300,
        "nameserver": "ns2.example.org.",
        "key": "k.",
        "account": "two",
        "file": "named.conf",
        "line": 7,
        "zones": 0,
    }


def test_add_writes_one_line(conf: Path) -> None:
    shown = good("add", "192.0.2.9", "ns2.example.org.", "--key", "K", "--account", "nine", "--yes")
    line = '        192.0.2.9 key "k" nameserver "ns2.example.org" account "nine";\n'
    assert conf.read_text() == LISTED.replace("    };\n", line + "    };\n", 1)
    assert f"+{line}" in shown
    assert shown.endswith("autoprimary 192.0.2.9 port 53 (ns2.example.org., key k): added\n")


def test_the_question_is_asked_before_anything_is_written(conf: Path) -> None:
    result = run("add", "192.0.2.9", "ns2.example.org", stdin="n\n")
    assert result.exit_code == 1
    assert '+        192.0.2.9 nameserver "ns2.example.org";' in result.stdout
    assert conf.read_text() == LISTED
    good("add", "192.0.2.9", "ns2.example.org", stdin="y\n")
    assert "192.0.2.9" in addresses()


def test_a_dry_run_writes_nothing(conf: Path) -> None:
    assert "nothing added (--dry-run)" in good("add", "192.0.2.9", "ns2.example.org", "--dry-run")
    report = json.loads(good("remove", "192.0.2.1", "--dry-run", "--json"))
    assert report["written"] is False
    assert [entry["address"] for entry in report["removed"]] == ["192.0.2.1"]
    assert report["files"] == [str(conf)]
    assert '-        192.0.2.1 nameserver "ns2.example.org"; // 2019' in report["diff"]
    assert conf.read_text() == LISTED


@pytest.mark.parametrize(
    ("words", "before", "after"),
    [
        (["192.0.2.1"], '        192.0.2.1 nameserver "ns2.example.org"; // 2019\n', ""),
        (
            ["192.0.2.2"],
            '192.0.2.2 port 5300 key "k" nameserver "ns2.example.org" account "two"; ',
            "",
        ),
        (["2001:DB8:0::1", "A."], ' 2001:db8::1 nameserver "a";', ""),
    ],
)
def test_remove_takes_the_entry_only(conf: Path, words: list[str], before: str, after: str) -> None:
    good("remove", *words, "--yes")
    assert conf.read_text() == LISTED.replace(before, after)
    assert len(addresses()) == 2


def test_remove_may_be_told_which(conf: Path) -> None:
    good("add", "192.0.2.1", "other.example", "--port", "54", "--yes")
    for narrow in (["none.example"], ["--port", "55"], ["--key", "k"]):
        assert run("remove", "192.0.2.1", *narrow, "--yes").exit_code == 1
    good("remove", "192.0.2.1", "--port", "54", "--yes")
    assert conf.read_text() == LISTED


@pytest.mark.parametrize(
    ("options", "after"),
    [
        ("autoprimaries { };", "autoprimaries { ENTRY };"),
        ("autoprimaries {};", "autoprimaries { ENTRY };"),
        ('autoprimaries { ::1 nameserver "a"; };', 'autoprimaries { ::1 nameserver "a"; ENTRY };'),
        ("autoprimaries {\n};", "autoprimaries {\n\tENTRY\n};"),
        ("autoprimaries {\r\n\t};", "autoprimaries {\r\n\t\tENTRY\r\n\t};"),
        ("", "autoprimaries { ENTRY };"),
    ],
)
def test_add_is_laid_out_as_what_is_there(conf: Path, options: str, after: str) -> None:
    text = f'options {{ {options} autoprimary-directory "a"; autoprimary-config "b"; }};\n'
    conf.write_bytes(text.encode())
    good("add", "192.0.2.9", "ns2.example", "--yes")
    entry = '192.0.2.9 nameserver "ns2.example";'
    if options:
        assert conf.read_bytes().decode() == text.replace(options, after.replace("ENTRY", entry))
    else:
        assert conf.read_text() == text.replace("}", after.replace("ENTRY", entry) + " }")


def test_the_statement_is_made_where_there_is_none(conf: Path) -> None:
    conf.write_text('options {\n  autoprimary-directory "a";\n  autoprimary-config "b";\n};\n')
    good("add", "192.0.2.9", "ns2.example", "--yes")
    assert conf.read_text() == (
        'options {\n  autoprimary-directory "a";\n  autoprimary-config "b";\n'
        '  autoprimaries {\n    192.0.2.9 nameserver "ns2.example";\n  };\n};\n'
    )


def test_a_statement_in_an_included_file_is_changed_there(conf: Path) -> None:
    included = conf.parent / "list.conf"
    included.write_text('autoprimaries {\n  192.0.2.1 nameserver "a"; 192.0.2.1 nameserver "b";\n};\n')
    main = 'options {\n  include "list.conf";\n autoprimary-directory "a"; autoprimary-config "b";\n};\n'
    conf.write_text(main)
    good("add", "192.0.2.9", "c", "--yes")
    assert conf.read_text() == main
    assert included.read_text().endswith('nameserver "b";\n  192.0.2.9 nameserver "c";\n};\n')
    good("remove", "192.0.2.1", "--yes")
    assert addresses() == ["192.0.2.9"]


LIST = "# ours\n192.0.2.1\tns2.example.org\tone # since 2019\n192.0.2.3:54\tns2.example.org"


@pytest.fixture
def list_file(conf: Path) -> Path:
    """The configuration names a file in PowerDNS' form, and has no statement."""
    conf.write_text(
        'options { autoprimaries file "list"; autoprimary-directory "a"; autoprimary-config "b"; };'
    )
    path = conf.parent / "list"
    path.write_text(LIST)
    return path


def test_the_form_of_powerdns_is_changed_too(list_file: Path) -> None:
    conf = Path("named.conf").read_text()
    good("add", "2001:db8::1", "ns2.example.org", "--port", "55", "--account", "three", "--yes")
    good("add", "192.0.2.8", "ns2.example.org", "--yes")
    assert list_file.read_text() == (
        f"{LIST}\n[2001:db8::1]:55\tns2.example.org\tthree\n192.0.2.8\tns2.example.org\n"
    )
    assert [line.split()[-1] for line in good("list").splitlines()[1:]] == [
        f"{list_file}:{number}" for number in (2, 3, 4, 5)
    ]
    good("remove", "192.0.2.1", "--yes")
    good("remove", "2001:db8::1", "--yes")
    assert list_file.read_text() == "# ours\n192.0.2.3:54\tns2.example.org\n192.0.2.8\tns2.example.org\n"
    assert Path("named.conf").read_text() == conf


def test_what_the_form_cannot_say_goes_into_a_statement(list_file: Path) -> None:
    conf = Path("named.conf")
    conf.write_text(conf.read_text() + 'key k { algorithm hmac-sha256; secret "c2VjcmV0"; };')
    assert run("add", "::1", "ns2.example.org", "--account", "two words", "--yes").exit_code == 1
    good("add", "::1", "ns2.example.org", "--key", "k", "--yes")
    assert list_file.read_text() == LIST
    assert addresses() == ["::1", "192.0.2.1", "192.0.2.3"]


def test_an_address_is_removed_from_everywhere(list_file: Path) -> None:
    conf = Path("named.conf")
    conf.write_text(conf.read_text().replace("{", '{ autoprimaries { 192.0.2.1 nameserver "a"; };', 1))
    report = json.loads(good("remove", "192.0.2.1", "--yes", "--json"))
    assert report["files"] == [str(conf.absolute()), str(list_file)]
    assert len(report["removed"]) == 2
    assert addresses() == ["192.0.2.3"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["add", "192.0.2.1", "NS2.example.org", "--account", "x"], "is listed already, in named.conf"),
        (["add", "192.0.2.9", "a", "--key", "none"], "key 'none' of autoprimary 192.0.2.9 is not defined"),
        (["add", "192.0.2.9", "a..b"], "empty label"),
        (["add", "example.org", "a"], "'example.org' is not an address"),
        (["add", "192.0.2.9", "a", "--account", 'x"'], "the account has a quote"),
        (["add", "192.0.2.9", "a", "--port", "0"], "0 is not in the range"),
        (["add", "192.0.2.9", "a", "--key", "a..b"], "empty label"),
        (["remove", "192.0.2.9"], "no such autoprimary is listed in named.conf"),
    ],
)
def test_what_is_refused_leaves_no_trace(conf: Path, words: list[str], why: str) -> None:
    result = run(*words, "--yes")
    assert result.exit_code in (1, 2)
    assert why in result.stderr
    assert conf.read_text() == LISTED


def test_no_options_no_statement(conf: Path) -> None:
    conf.write_text("key k { algorithm hmac-sha256; secret c2VjcmV0; };\n")
    assert "no 'options' statement to put" in run("add", "::1", "a", "--yes").stderr


def test_without_a_place_for_the_zones_nothing_is_written(conf: Path) -> None:
    conf.write_text("options { };\n")
    result = run("add", "::1", "a", "--yes")
    assert "'autoprimaries' without 'autoprimary-config'" in result.stderr
    assert "would not be good any more; nothing was done" in result.stderr
    assert conf.read_text() == "options { };\n"


def test_a_configuration_with_errors_is_left_alone(conf: Path) -> None:
    conf.write_text("nonsense;\n")
    for words in (["list"], ["add", "::1", "a", "--yes"], ["remove", "::1", "--yes"]):
        result = run(*words)
        assert result.exit_code == 1
        assert "named.conf is not good; nothing was done" in result.stderr


def test_a_file_that_somebody_changes_meanwhile_is_theirs(conf: Path) -> None:
    change = AutoprimaryDocument("named.conf").remove(lambda entry: entry.address == "192.0.2.1")[0]
    conf.write_text(LISTED + "\n")
    with pytest.raises(Exception, match="was changed by somebody else meanwhile; nothing was written"):
        change.write()
    document = AutoprimaryDocument("named.conf")
    conf.write_text(LISTED)
    with pytest.raises(Exception, match="was changed by somebody else meanwhile; nothing was done"):
        document.remove(lambda entry: entry.address == "192.0.2.1")
    assert conf.read_text() == LISTED


def test_a_change_that_would_take_more_than_was_asked_for_is_not_made(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        edit, "_removal", lambda text, start, end: (text.index("192.0.2.1"), text.index("/* more"), "")
    )
    result = run("remove", "192.0.2.1", "--yes")
    assert "the change would touch more of" in result.stderr
    assert conf.read_text() == LISTED


def test_json_asks_no_questions(conf: Path) -> None:
    assert run("add", "::1", "a", "--json").exit_code == 2
    assert conf.read_text() == LISTED


def test_not_utf_8_is_kept(conf: Path) -> None:
    octets = LISTED.replace("2019", "caf\xe9").encode("latin-1")
    conf.write_bytes(octets)
    good("add", "192.0.2.9", "a", "--yes")
    assert b"caf\xe9\n" in conf.read_bytes()


@pytest.mark.parametrize("command", sorted(group.commands))
def test_the_help_shows_an_example(command: str) -> None:
    assert f"bindpy autoprimary {command} " in run(command, "--help").stdout
