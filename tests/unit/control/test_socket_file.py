"""The socket in the file system: private, replaced when dead, refused when alive."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bindpy.config.model import ControlSocket, Options
from bindpy.control.socket_file import SocketFile, SocketFileError
from bindpy.control.socket_path import SocketPlace, make_socket_directory, socket_place
from bindpy.diagnostics import SourceSpan
from tests.support.users import NOBODY, without_root

HOLD = """
import sys
from bindpy.control.socket_file import SocketFile
from bindpy.control.socket_path import SocketPlace
held = SocketFile.claim(SocketPlace(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def place(folder: Path) -> SocketPlace:
    return SocketPlace(str(folder / "c.sock"))


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))


def holder(path: str) -> subprocess.Popen[bytes]:
    """Start another process that has the socket."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def test_it_is_private_and_goes_at_the_end(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = SocketFile.claim(place(tmp_path))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "c.sock").stat().st_mode) == 0o600
    assert file.group() is None
    assert file.is_in_place()
    connect(tmp_path / "c.sock")
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_it_is_never_open_to_others_not_even_before_it_is_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    chown = os.chown

    def look(name: str, uid: int, gid: int, *, dir_fd: int, follow_symlinks: bool) -> None:
        modes.append(stat.S_IMODE(os.stat(name, dir_fd=dir_fd).st_mode))
        chown(name, uid, gid, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr("os.chown", look)
    SocketFile.claim(SocketPlace(str(tmp_path / "c.sock"), str(os.getegid()))).remove()
    assert modes == [0o600]


def test_a_group_may_be_let_in(tmp_path: Path) -> None:
    file = SocketFile.claim(SocketPlace(str(tmp_path / "c.sock"), str(os.getegid())))
    assert stat.S_IMODE((tmp_path / "c.sock").stat().st_mode) == 0o660
    assert file.group() == os.getegid()
    (tmp_path / "c.sock").chmod(0o600)
    assert file.group() is None
    file.remove()


def test_an_unknown_group(tmp_path: Path) -> None:
    with pytest.raises(SocketFileError, match="group 'no-such-group' unknown"):
        SocketFile.claim(SocketPlace(str(tmp_path / "c.sock"), "no-such-group"))
    assert list(tmp_path.iterdir()) == []


def test_a_living_server_is_refused_and_a_dead_one_replaced(tmp_path: Path) -> None:
    other = holder(place(tmp_path).path)
    found = (tmp_path / "c.sock").stat().st_ino
    with pytest.raises(SocketFileError, match=f"another server is running: process {other.pid} has"):
        SocketFile.claim(place(tmp_path))
    assert (tmp_path / "c.sock").stat().st_ino == found
    connect(tmp_path / "c.sock")
    kill(other)
    assert {path.name for path in tmp_path.iterdir()} == {"c.sock", ".c.sock.lock"}
    SocketFile.claim(place(tmp_path)).remove()
    assert list(tmp_path.iterdir()) == []


def test_a_living_server_of_another_kind_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(place(tmp_path).path)
        other.listen()
        with pytest.raises(SocketFileError, match=f"process {os.getpid()} has the control socket"):
            SocketFile.claim(place(tmp_path))
    SocketFile.claim(place(tmp_path)).remove()  # closed: nobody listens any more


def test_a_server_that_is_too_busy_to_answer_is_alive(tmp_path: Path) -> None:
    clients = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(place(tmp_path).path)
        other.listen(0)
        for _ in range(2):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.setblocking(False)
            clients.append(client)
            client.connect_ex(place(tmp_path).path)
        with pytest.raises(SocketFileError, match="another server is running"):
            SocketFile.claim(place(tmp_path))
        for client in clients:
            client.close()


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "c.sock").write_text("precious")
    with pytest.raises(SocketFileError, match="a file that is no socket is there"):
        SocketFile.claim(place(tmp_path))
    assert (tmp_path / "c.sock").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["c.sock"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "c.sock").symlink_to(tmp_path / "elsewhere")
    (tmp_path / ".c.sock.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(SocketFileError, match="could not open control socket"):
        SocketFile.claim(place(tmp_path))
    assert not (tmp_path / "victim").exists()
    (tmp_path / ".c.sock.lock").unlink()
    with pytest.raises(SocketFileError, match="no socket is there"):
        SocketFile.claim(place(tmp_path))


def test_a_socket_that_took_its_place_is_not_removed(tmp_path: Path) -> None:
    file = SocketFile.claim(place(tmp_path))
    (tmp_path / "c.sock").unlink()
    assert not file.is_in_place()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(place(tmp_path).path)
        file.remove()
        assert (tmp_path / "c.sock").exists()


def test_a_path_that_is_too_long_for_the_kernel(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120) / "e"
    make_socket_directory(place(folder))
    file = SocketFile.claim(place(folder))
    assert stat.S_ISSOCK((folder / "c.sock").stat().st_mode)
    with pytest.raises(SocketFileError, match="another server is running"):
        SocketFile.claim(place(folder))
    file.remove()
    assert list(folder.iterdir()) == []


def test_a_directory_that_is_not_there_or_not_ours(tmp_path: Path) -> None:
    with pytest.raises(SocketFileError, match=r"No such file or directory; check the rights"):
        SocketFile.claim(place(tmp_path / "missing"))
    tmp_path.chmod(0o555)
    with without_root(), pytest.raises(SocketFileError, match="could not open control socket"):
        SocketFile.claim(place(tmp_path))
    tmp_path.chmod(0o755)


def test_directories_are_made_for_who_will_run(tmp_path: Path) -> None:
    from bindpy.server.privileges import Account

    make_socket_directory(place(tmp_path / "a" / "b"), Account("nobody", NOBODY, NOBODY))
    owner = NOBODY if os.geteuid() == 0 else os.geteuid()
    assert [(tmp_path / path).stat().st_uid for path in ("a", "a/b")] == [owner, owner]


def test_where_it_is() -> None:
    def options(pid_file: str | None = None, said: str | None = "") -> Options:
        control = None if said == "" else ControlSocket(said, "adm", SourceSpan("t"))
        return Options("/zones", (), pid_file=pid_file, control_socket=control)

    assert socket_place(options()) == SocketPlace("/zones/.bindpy-state/control.sock", is_default=True)
    assert socket_place(options("/run/x/named.pid")) == SocketPlace("/run/x/named.sock", is_default=True)
    assert socket_place(options("/run/x/named.pid", "/s")) == SocketPlace("/s", "adm")
    assert socket_place(options("/run/x/named.pid", None)) is None
