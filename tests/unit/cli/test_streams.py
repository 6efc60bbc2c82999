"""Standard streams, terminals and environments as they may be found: never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bindpy.cli.terminal import ask

ZONE = "@ 3600 IN SOA ns h 1 1 1 1 1\n@ 3600 IN NS ns\nns 3600 IN A 192.0.2.1\n"
MANY = ZONE + "".join(f"h{number} 3600 IN A 192.0.2.1\n" for number in range(20_000))
BINDPY = [sys.executable, "-m", "bindpy.cli.main"]
TIMEOUT_S = 60
Done = subprocess.CompletedProcess[str]


def run(shell: str, *arguments: str, **environment: str) -> Done:
    """Run *shell*, in which ``bindpy`` is ``"$@"`` followed by *arguments*."""
    return subprocess.run(
        ["sh", "-c", shell, "sh", *BINDPY, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        env={**os.environ, **environment},
    )


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    path.write_text(MANY)
    return path


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    (tmp_path / "small.db").write_text(ZONE)
    path = tmp_path / "named.conf"
    path.write_text(
        f'options {{ directory "{tmp_path}"; }};\nzone "a.example" {{ type primary; file "small.db"; }};\n'
    )
    return path


def test_a_reader_that_goes_away_is_no_trouble(zone: Path) -> None:
    done = run(
        '"$@" 2>err-is-here | head -1'.replace("err-is-here", f"{zone}.err"),
        "checkzone",
        "-D",
        "-q",
        "a",
        str(zone),
    )
    assert done.stdout.startswith("a.")
    assert Path(f"{zone}.err").read_text() == ""


def test_a_full_disk_is_told(zone: Path) -> None:
    done = run('"$@" >/dev/full', "checkzone", "-D", "a", str(zone))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith("error: cannot write to standard output: No space left on device\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--help",), 0),
        (("ctl", "--help"), 0),
        (("status", "--socket", "/nowhere"), 1),
        (("ctl", "ping", "--wait", "--socket", "/nowhere"), 1),
        (("checkzone", "a", "-"), 1),
        (("nonsense",), 2),
    ],
)
def test_closed_streams(closed: str, arguments: tuple[str, ...], status: int) -> None:
    done = run(f'"$@" {closed}', *arguments)
    if "<&-" not in closed and "-" in arguments:
        done = run(f'"$@" {closed} </dev/null', *arguments)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("ctl", "--help"), ("zone", "show", "--help"), ("--help",)])
@pytest.mark.parametrize("columns", ["1", "12", "40", "500"])
def test_terminals_of_any_width_in_any_locale(command: tuple[str, ...], columns: str) -> None:
    environment = {"COLUMNS": columns, "LC_ALL": "C", "PYTHONIOENCODING": "latin-1:strict", "PYTHONUTF8": "0"}
    done = run('unset HOME; exec "$@"', *command, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert (r"[VIEW\u2026]" in done.stdout) == (command[0] == "ctl")


def test_names_of_files_in_no_encoding(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xe9.conf")
    Path(name).write_text("nonsense;\n")
    for command in (("checkconf", name), ("zone", "list", "-c", name), ("status", "-c", name)):
        for locale in ("C", "C.UTF-8"):
            done = subprocess.run(
                [*BINDPY, *command],
                capture_output=True,
                check=False,
                timeout=TIMEOUT_S,
                env={**os.environ, "LC_ALL": locale},
            )
            assert done.returncode == 1
            assert b"Traceback" not in done.stderr


def test_nobody_answers(conf: Path) -> None:
    done = run('"$@" </dev/null', "zone", "increase-serial", "-c", str(conf), "a.example")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "error: nobody answers; nothing was written. With --yes no question is asked\n"
    )
    assert (conf.parent / "small.db").read_text() == ZONE


def test_a_no_is_taken(conf: Path) -> None:
    done = run('echo n | "$@"', "zone", "increase-serial", "-c", str(conf), "a.example")
    assert (done.returncode, done.stderr.endswith("nothing was written\n")) == (1, True)


def test_ctrl_c_at_a_question(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_words: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("click.termui.visible_prompt_func", interrupted)
    with pytest.raises(SystemExit) as ended:
        ask("Write this?")
    assert ended.value.code == 130
    assert capsys.readouterr().err.endswith("\ninterrupted: nothing was written\n")
