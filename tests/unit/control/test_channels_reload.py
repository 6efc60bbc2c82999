"""What a reload keeps of the control channels, and where their keys are from."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

import pytest

from tests.support.ports import LOOPBACK, free_port
from tests.support.rndc import RndcClient, rndc_key
from tests.support.rndc_server import ControlServer, conf, key_statement
from tests.unit.control import channels
from tests.unit.control.channels import KEY, inet, is_listening

server, debug_log = channels.server, channels.debug_log  # the fixtures


# --- reload --------------------------------------------------------------------------------------


def test_a_channel_that_stays_keeps_its_connections(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = free_port(), free_port()
    server.apply(conf(inet(first)))
    with RndcClient((LOOPBACK, first), KEY).open() as client:
        server.apply(conf(inet(first) + inet(second)))
        assert client.ask("echo kept").text == "kept"
        with RndcClient((LOOPBACK, second), KEY).open() as other:
            assert other.ask("echo new").text == "new"
        server.apply(conf(inet(second)))
        assert client.is_closed()
    assert not is_listening((LOOPBACK, first))
    assert f"stopping command channel on 127.0.0.1#{first}" in caplog.text
    assert caplog.text.count(f"command channel listening on 127.0.0.1#{second}\n") == 1
    server.apply(conf(""))
    assert not is_listening((LOOPBACK, second))
    assert server.channels.bound() == ()


def test_new_keys_lists_and_rights_hold_at_once(server: ControlServer) -> None:
    port = free_port()
    new = rndc_key(secret=b"the new one")
    server.apply(conf(inet(port)))
    with RndcClient((LOOPBACK, port), KEY).open() as client:
        server.apply(conf(inet(port, 'allow { any; } keys { "rndc-key"; } read-only yes;'), KEY))
        client.ask("echo x")
        assert server.calls[-1][2] is True
        server.apply(conf(inet(port), new))
        client.send("echo old key")
        assert client.is_closed()
    with RndcClient((LOOPBACK, port), new).open() as client:
        assert client.ask("echo x").text == "x"
    server.apply(conf(inet(port, 'allow { none; } keys { "rndc-key"; };'), new))
    with RndcClient((LOOPBACK, port), new) as client:
        assert client.is_closed()


def test_a_channel_that_cannot_be_opened_closes_no_other(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = free_port(), free_port()
    server.apply(conf(inet(old)))
    with socket.create_server((LOOPBACK, new)):
        server.apply(conf(inet(new)))
        assert f"couldn't add command channel 127.0.0.1#{new}: address in use" in caplog.text
        assert "named.conf:2:" in caplog.text
        with RndcClient((LOOPBACK, old), KEY).open() as client:
            assert client.ask("echo still here").text == "still here"
    server.apply(conf(inet(new)))
    assert server.channels.bound() == ((LOOPBACK, new),)
    assert not is_listening((LOOPBACK, old))


@pytest.mark.parametrize(("before", "after"), [("*", LOOPBACK), (LOOPBACK, "*")])
def test_a_channel_may_take_the_place_of_one_that_is_in_its_way(
    server: ControlServer, before: str, after: str
) -> None:
    port = free_port()
    for address in (before, after):
        server.apply(conf(inet(port, address=address)))
        with RndcClient((LOOPBACK, port), KEY).open() as client:
            assert client.ask("echo x").text == "x"
    assert [str(place) for place in server.channels.bound()] == [
        f"{'0.0.0.0' if after == '*' else after}#{port}"
    ]


def test_the_same_channel_twice_is_one(server: ControlServer, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    server.apply(conf(inet(port) + inet(port, 'allow { none; } keys { "rndc-key"; };')))
    with RndcClient((LOOPBACK, port), KEY).open() as client:
        assert client.ask("echo x").text == "x"
    assert f"command channel 127.0.0.1#{port} is there twice" in caplog.text


def test_ipv6(server: ControlServer) -> None:
    port = free_port()
    server.apply(conf(inet(port, address="::1") + inet(port)))
    for address in ("::1", LOOPBACK):
        with RndcClient((address, port), KEY).open() as client:
            assert client.ask("echo x").text == "x"
    assert {str(place) for place in server.channels.bound()} == {f"::1#{port}", f"127.0.0.1#{port}"}


def test_every_address_of_both_families_on_one_port(server: ControlServer) -> None:
    port = free_port()
    server.apply(conf(inet(port, address="::") + inet(port, address="*")))
    for address in ("::1", LOOPBACK):
        with RndcClient((address, port), KEY).open() as client:
            assert client.ask("echo x").text == "x"
    assert [who.peer.split("#")[0] for _, who, _ in server.calls] == ["::1", LOOPBACK]


# --- the key file --------------------------------------------------------------------------------


def with_key_file(path: Path, mode: int = 0o600) -> Path:
    path.write_text(key_statement(KEY))
    path.chmod(mode)
    return path


def test_a_channel_without_keys_uses_the_key_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = with_key_file(tmp_path / "rndc.key")
    port = free_port()
    other = rndc_key(secret=b"unused", name="other.")
    with ControlServer(key_files=[tmp_path / "none.key", path]) as server:
        for keys in ("", "keys { }"):
            server.apply(conf(inet(port, f"allow {{ any; }} {keys};"), other))
            with RndcClient((LOOPBACK, port), KEY).open() as client:
                assert client.ask("echo x").text == "x"
    assert f"configuring command channel from '{path}'" in caplog.text
    assert "everybody" not in caplog.text


def test_a_key_that_everybody_can_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = with_key_file(tmp_path / "rndc.key", 0o644)
    with ControlServer(key_files=[path]) as server:
        server.apply(conf(inet(free_port(), "allow { any; };")))
    assert f"key file '{path}' can be read by everybody" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no"),
        ("", "there is no 'key' statement"),
        ('key "k" { algorithm hmac-sha256; secret "hidden" }', "error in the key file"),
        ('key "k" { algorithm rot13; secret "aGlkZGVu"; };', "error in the key file"),
        ("key hidden", "error in the key file"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str | None, words: str
) -> None:
    path, port = tmp_path / "rndc.key", free_port()
    if content is not None:
        path.write_text(content)
    with ControlServer(key_files=[path]) as server:
        server.apply(
            conf(inet(port, "allow { any; };") + inet(free_port(), "allow { any; };", address="::1"))
        )
        assert server.channels.bound() == ()
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert words in lines[0]
    assert str(path) in lines[0]
    assert "hidden" not in lines[0]


def test_a_key_file_that_is_gone_closes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, port = with_key_file(tmp_path / "rndc.key"), free_port()
    with ControlServer(key_files=[path]) as server:
        server.apply(conf(inet(port, "allow { any; };")))
        path.unlink()
        server.apply(conf(inet(port, "allow { any; };")))
        with RndcClient((LOOPBACK, port), KEY).open() as client:
            assert client.ask("echo x").text == "x"
        assert "not closing command channel" in caplog.text
        new = rndc_key(secret=b"new")
        path.write_text(key_statement(new))
        server.apply(conf(inet(port, "allow { any; };")))
        with RndcClient((LOOPBACK, port), new).open() as client:
            assert client.ask("echo x").text == "x"


def test_a_pipe_in_place_of_the_key_file_holds_nothing_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "rndc.key")
    with ControlServer(key_files=[tmp_path / "rndc.key"]) as server:
        server.apply(conf(inet(free_port(), "allow { any; };")))
        assert server.channels.bound() == ()
    assert "is not a file with a key" in caplog.text


def test_without_controls_the_channel_is_on_loopback_with_the_key_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setattr("bindpy.control.channels.DEFAULT_CONTROL_PORT", port)
    with ControlServer(key_files=[tmp_path / "rndc.key"]) as server:
        server.apply(conf(None))
        assert server.channels.bound() == ()
        assert "bindpy rndc-confgen -a" in caplog.text
        assert not [record for record in caplog.records if record.levelno > logging.INFO]
        with_key_file(tmp_path / "rndc.key")
        server.apply(conf(None))
        assert {str(place) for place in server.channels.bound()} == {f"127.0.0.1#{port}", f"::1#{port}"}
        with RndcClient((LOOPBACK, port), KEY).open() as client:
            assert client.ask("echo x").text == "x"
        server.apply(conf(""))
        assert server.channels.bound() == ()


def test_a_default_channel_that_is_taken_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setattr("bindpy.control.channels.DEFAULT_CONTROL_PORT", port)
    with_key_file(tmp_path / "rndc.key")
    with (
        socket.create_server((LOOPBACK, port)),
        socket.create_server(("::1", port), family=socket.AF_INET6),
        ControlServer(key_files=[tmp_path / "rndc.key"]) as server,
    ):
        server.apply(conf(None))
        assert server.channels.bound() == ()
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert lines[0].startswith(
        f"couldn't add command channel 127.0.0.1#{port} and ::1#{port}: address in use"
    )
