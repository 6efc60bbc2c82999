"""The group of commands: what is listed is there, it starts at once, and slips are understood."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bindpy.cli.conf import NO_CONF
from bindpy.cli.main import ENTRIES, main

HEAVY = ("dns", "pyparsing", "asyncio", "lupa", "psutil", "watchdog", "bindpy.xfr", "bindpy.app")


@pytest.mark.parametrize("name", ENTRIES)
def test_a_line_in_the_list_is_how_the_commands_own_help_begins(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert command.help is not None
    assert command.help.startswith(ENTRIES[name].help.rstrip(".")), "the list of commands says something else"


def imported_by(*arguments: str, **environment: str) -> set[str]:
    """Return the modules that running ``bindpy`` with *arguments* imports."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: sys.stderr.write('\\n' + ' '.join(['loaded:', *sys.modules])))\n"
        "from bindpy.cli.main import main\n"
        f"sys.argv = ['bindpy', *{list(arguments)!r}]\n"
        "main(prog_name='bindpy')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, timeout=60
    )
    assert "Traceback" not in done.stderr
    return set(done.stderr.rpartition("loaded:")[2].split())


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--help",), ()),
        (("ctl", "--help"), ()),
        (("ctl", "ping", "--socket", "/nowhere"), ()),
        (("status", "--socket", "/nowhere"), ()),
        (("status", "-c", "examples/named.conf"), ("pyparsing",)),
        (("zonestatus", "a", "-c", "examples/named.conf"), ("pyparsing",)),
    ],
)
def test_commands_import_what_they_need(arguments: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    assert not (set(HEAVY) - set(allowed)) & imported_by(*arguments)


def test_completion_imports_little() -> None:
    loaded = imported_by(_BINDPY_COMPLETE="bash_complete", COMP_WORDS="bindpy ctl re", COMP_CWORD="2")
    assert "bindpy.cli.ctl" in loaded
    assert not set(HEAVY) & loaded


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["stauts"], "main status"),
        (["reload"], "main ctl reload"),
        (["relaod"], "main ctl reload"),
        (["zonestats"], "main zonestatus"),
        (["ctl", "relod"], "main ctl reload"),
        (["ctl", "RETREIVE"], "main ctl retrieve"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest(words: list[str], meant: str) -> None:
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 2
    assert ran.stderr.endswith(f"No such command '{words[-1]}'. Did you mean '{meant}'?\n")


@pytest.mark.parametrize("words", [["xyzzy"], [""], ["ctl", ""], ["ctl", "xyzzy"]])
def test_a_word_like_none_is_answered_without_a_guess(words: list[str]) -> None:
    ran = CliRunner().invoke(main, words)
    assert (ran.exit_code, "Did you mean" in ran.stderr) == (2, False)


@pytest.mark.parametrize(
    "words", [["serve"], ["zone", "list"], ["autoprimary", "list"], ["zone", "show", "a.example"]]
)
def test_without_a_configuration_it_is_said_what_to_do(words: list[str], tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, [*words, "-c", str(tmp_path / "none.conf")])
    assert ran.exit_code == 1
    assert NO_CONF in ran.stderr
    ran = CliRunner().invoke(main, [*words, "-c", str(tmp_path)])
    assert (ran.exit_code, "it is a directory; name a file" in ran.stderr) == (1, True)


def test_what_to_do_without_a_configuration_is_not_said_where_there_is_one(tmp_path: Path) -> None:
    """The server is in another directory by the time it finds that the port is taken."""
    (tmp_path / "elsewhere").mkdir()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        (tmp_path / "named.conf").write_text(
            f'options {{ directory "elsewhere"; listen-on port {taken.getsockname()[1]} {{ 127.0.0.1; }};\n'
            "listen-on-v6 { none; }; pid-file none; };\ncontrols { };\n"
        )
        ran = subprocess.run(
            [sys.executable, "-m", "bindpy.cli.main", "serve", "-c", "named.conf"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=60,
        )
    assert (ran.returncode, "address in use" in ran.stderr, NO_CONF in ran.stderr) == (1, True, False)


def test_a_configuration_that_may_not_be_read_is_no_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "named.conf").write_text("nonsense")
    monkeypatch.setattr("os.access", lambda *_args, **_keywords: False)
    ran = CliRunner().invoke(main, ["serve", "-c", str(tmp_path / "named.conf")])
    assert (ran.exit_code, "named.conf:1:1: error" in ran.stderr) == (1, True)


def test_a_wrong_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINDPY_ENGINE", "nonsense")
    ran = CliRunner().invoke(main, ["serve"])
    assert (ran.exit_code, "'BINDPY_ENGINE'): 'nonsense' is not one of" in ran.stderr) == (2, True)


def test_what_is_no_socket(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (tmp_path, file):
        ran = CliRunner().invoke(main, ["status", "--socket", str(path)])
        assert (ran.exit_code, ran.stderr.startswith(f"error: '{path}' is no socket; name")) == (1, True)
    ran = CliRunner().invoke(main, ["status", "--socket", ""])
    assert (ran.exit_code, ran.stderr.startswith("error: --socket names no file")) == (1, True)


def test_the_zone_that_may_be_meant(tmp_path: Path) -> None:
    conf = tmp_path / "named.conf"
    conf.write_text(
        f'options {{ directory "{tmp_path}"; }};\nzone "a.example" {{ type primary; file "a"; }};\n'
    )
    for written in ("www.a.example", "a.exmple", "aa.example"):
        ran = CliRunner().invoke(main, ["zone", "show", written, "-c", str(conf)])
        assert (ran.exit_code, ran.stderr.endswith("did you mean 'a.example.'?\n")) == (1, True)
    ran = CliRunner().invoke(main, ["zone", "show", "other.test", "-c", str(conf)])
    assert ran.stderr.endswith("'bindpy zone list' shows all\n")
