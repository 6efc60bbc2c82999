"""The pid file: whole or not at all, and only ever ours to remove."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bindpy.server.pidfile import PidFile, PidFileError


def test_it_holds_our_process_id_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run" / "deeper" / "bindpy.pid"
    pid_file = PidFile.create(str(path))
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in path.parent.iterdir()] == ["bindpy.pid"]
    pid_file.remove()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "left",
    ["", "1\n", f"{os.getpid()}\n", "nonsense", "9" * 1000],
    ids=["empty", "init", "ours", "nonsense", "long"],
)
def test_what_a_dead_server_left_is_replaced(tmp_path: Path, left: str) -> None:
    """Also when its process id belongs to a living program by now: the lock says who lives."""
    path = tmp_path / "bindpy.pid"
    path.write_text(left)
    pid_file = PidFile.create(str(path))
    assert path.read_text() == f"{os.getpid()}\n"
    assert [p.name for p in tmp_path.iterdir()] == ["bindpy.pid"]
    pid_file.remove()


def test_a_living_server_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "bindpy.pid"
    other = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from bindpy.server.pidfile import PidFile\n"
            "held = PidFile.create(sys.argv[1]); print('held', flush=True); sys.stdin.read()",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(PidFileError, match=rf"another server is running: process {other.pid} holds"):
        PidFile.create(str(path))
    assert path.read_text() == f"{other.pid}\n"
    other.kill()
    other.communicate()
    PidFile.create(str(path)).remove()  # killed: no lock, no matter


def test_a_file_that_somebody_put_in_its_place_stays(tmp_path: Path) -> None:
    path = tmp_path / "bindpy.pid"
    pid_file = PidFile.create(str(path))
    (tmp_path / "new").write_text("4711\n")
    (tmp_path / "new").rename(path)
    pid_file.remove()
    assert path.read_text() == "4711\n"


def test_a_file_that_is_gone_already_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "bindpy.pid"
    pid_file = PidFile.create(str(path))
    path.unlink()
    pid_file.remove()


def test_a_file_that_cannot_be_removed_is_a_warning_and_is_replaced_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As when the directory is root's and the server has given up root."""
    path = tmp_path / "bindpy.pid"
    pid_file = PidFile.create(str(path))

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        pid_file.remove()
    assert f"could not remove pid file '{path}': Permission denied" in caplog.text
    PidFile.create(str(path)).remove()


def test_a_server_that_starts_in_between_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There was no file when we looked; there is one when we want to put ours."""
    path = tmp_path / "bindpy.pid"
    winners = []
    real = Path.hardlink_to

    def slow(self: Path, target: str) -> None:
        if not winners:
            monkeypatch.setattr(Path, "hardlink_to", real)
            winners.append(PidFile.create(str(path)))
        real(self, target)

    monkeypatch.setattr(Path, "hardlink_to", slow)
    with pytest.raises(PidFileError, match="another server is running"):
        PidFile.create(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["bindpy.pid"]
    winners[0].remove()


@pytest.mark.parametrize("place", ["file/bindpy.pid", "directory"])
def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    with pytest.raises(
        PidFileError, match=r"could not write pid file '.*': (Not a directory|Is a directory|File exists)"
    ):
        PidFile.create(str(tmp_path / place))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["directory", "file"]
