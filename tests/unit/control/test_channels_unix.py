"""Control channels on Unix sockets."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from tests.support.rndc import RndcClient
from tests.support.rndc_server import ControlServer, conf
from tests.unit.control import channels
from tests.unit.control.channels import KEY, is_listening

server, debug_log = channels.server, channels.debug_log  # the fixtures


def unix(path: Path, mode: str = "0600", owner: int | None = None, group: int | None = None) -> str:
    owner = os.geteuid() if owner is None else owner
    group = os.getegid() if group is None else group
    return f'unix "{path}" perm {mode} owner {owner} group {group} keys {{ "rndc-key"; }};'


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_a_unix_socket_has_the_mode_that_is_asked_for(
    server: ControlServer, tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "control"
    old = os.umask(0o077)
    try:
        server.apply(conf(unix(path, f"0{mode:o}")))
    finally:
        os.umask(old)
    found = path.lstat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == mode
    with RndcClient(str(path), KEY).open() as client:
        assert client.ask("echo x").text == "x"
    assert f"uid {os.geteuid()}" in server.calls[0][1].peer
    assert f"command channel listening on {path}" in caplog.text
    server.close()
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_unix_socket_has_the_owner_that_is_asked_for(server: ControlServer, tmp_path: Path) -> None:
    path = tmp_path / "control"
    server.apply(conf(unix(path, owner=12345, group=23456)))
    found = path.lstat()
    assert (found.st_uid, found.st_gid) == (12345, 23456)
    server.apply(conf(unix(path, mode="0660", owner=12345, group=34567)))
    found = path.lstat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, 34567)
    assert len(server.channels.bound()) == 1


def test_a_left_over_socket_is_replaced(server: ControlServer, tmp_path: Path) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    server.apply(conf(unix(path)))
    with RndcClient(str(path), KEY).open() as client:
        assert client.ask("echo x").text == "x"


def test_a_socket_in_use_and_a_file_are_left_alone(
    server: ControlServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    used, file = tmp_path / "used", tmp_path / "file"
    file.write_text("precious")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(used))
        other.listen(0)
        for _ in range(3):  # its queue is full after the first time that we look whether somebody is there
            server.apply(conf(unix(used) + unix(file) + unix(tmp_path / "no" / "where")))
        other.accept()[0].close()
        assert is_listening(str(used))
    assert server.channels.bound() == ()
    assert file.read_text() == "precious"
    assert f"couldn't add command channel {used}: address in use" in caplog.text
    assert f"couldn't add command channel {file}: there is a file of that name" in caplog.text
    assert "no such file or directory" in caplog.text


def test_a_link_in_place_of_the_socket_is_not_followed(
    server: ControlServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    target.chmod(0o600)
    (tmp_path / "control").symlink_to(target)
    server.apply(conf(unix(tmp_path / "control", "0666")))
    assert server.channels.bound() == ()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_the_socket_of_another_server_is_not_removed_at_the_end(
    server: ControlServer, tmp_path: Path
) -> None:
    path = tmp_path / "control"
    server.apply(conf(unix(path)))
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        server.close()
        assert path.exists()


def test_a_mode_and_an_owner_that_cannot_be_are_no_fault(
    server: ControlServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "control"
    server.apply(conf(unix(path, owner=4294967295)))
    assert server.channels.bound() == ()
    assert "there cannot be an owner or a group of that number" in caplog.text
    assert not path.exists()
    server.apply(conf(unix(path, mode="4294967295")))
    assert len(server.channels.bound()) == 1
