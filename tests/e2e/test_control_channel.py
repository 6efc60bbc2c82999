"""The rndc channel of a running server: rights, reloads, the key file, stops."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bindpy.control.rndc_keyfile import KEY_FILES
from tests.e2e.daemon import ENDLESS, Daemon, options, wait_until, zone_text
from tests.support.ports import LOOPBACK, free_port
from tests.support.rndc import RndcClient, rndc_key
from tests.support.rndc_server import key_statement

KEY = rndc_key()
ZONE = 'zone "example.com" { type primary; file "a.db"; };\n'
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="dropping privileges needs root")


@pytest.fixture
def folder(folder_for_all: Path) -> Path:
    return folder_for_all


def write(folder: Path, port: int, controls: str) -> None:
    (folder / "a.db").write_text(zone_text())
    (folder / "rndc.key").write_text(key_statement(KEY))
    (folder / "rndc.key").chmod(0o600)
    (folder / "named.conf").write_text(
        options(port, controls=f'\ninclude "rndc.key";\ncontrols {{ {controls} }};') + ZONE
    )


def inet(port: int) -> str:
    return f'inet 127.0.0.1 port {port} allow {{ 127.0.0.1; }} keys {{ "rndc-key"; }};'


def ask(address: tuple[str, int] | str, command: str) -> str:
    """Return the text of the answer; the command has to succeed."""
    with RndcClient(address, KEY).open() as client:
        reply = client.ask(command)
    assert reply.err is None, reply
    return reply.text


def privileged_port() -> int:
    """Return a port below 1024 that is free on loopback at this moment."""
    for port in range(1023, 600, -1):
        with socket.socket() as sock:
            try:
                sock.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    pytest.skip("all ports below 1024 are in use")


@needs_root
def test_channels_are_opened_as_root_and_kept(folder: Path) -> None:
    """What needs root's rights is there after they were given up, over reloads, and is not got later."""
    port, first, path = free_port(), privileged_port(), folder / "private" / "rndc.sock"
    path.parent.mkdir(mode=0o711)
    unix = f'unix "{path}" perm 0660 owner 0 group 0 keys {{ "rndc-key"; }};'
    write(folder, port, inet(first) + unix)
    server = Daemon(folder, port)
    server.start("-u", "nobody")
    try:
        server.wait_for_log("running")
        for address in ((LOOPBACK, first), str(path)):
            assert ask(address, "ping") == "PONG"
        os.chown(folder / "rndc.key", 65534, 0)  # else the reload could not read what is included
        second = privileged_port()
        write_again = inet(second) + unix
        (folder / "named.conf").write_text(
            options(port, controls=f'\ninclude "rndc.key";\ncontrols {{ {write_again} }};') + ZONE
        )
        ask((LOOPBACK, first), "reconfig")
        server.wait_for_log(f"couldn't add command channel 127.0.0.1#{second}: permission denied")
        server.wait_for_log(f"not closing command channel 127.0.0.1#{first}")
        for address in ((LOOPBACK, first), str(path)):
            assert ask(address, "ping") == "PONG"
    finally:
        server.stop()


def test_named_conf_with_a_broken_controls_keeps_the_channel(folder: Path) -> None:
    port, control = free_port(), free_port()
    write(folder, port, inet(control))
    server = Daemon(folder, port)
    server.start()
    try:
        server.wait_for_log("running")
        write(folder, port, inet(free_port()).replace("rndc-key", "nosuch"))
        with RndcClient((LOOPBACK, control), KEY).open() as client:
            refused = client.ask("reconfig")
            assert refused.err is not None
            assert "named.conf:3:" in refused.text
            assert "unknown key 'nosuch'" in refused.text
        assert ask((LOOPBACK, control), "ping") == "PONG"
        write(folder, port, "")
        with RndcClient((LOOPBACK, control), KEY).open() as client:
            assert client.ask("reconfig").err is None
        wait_until(lambda: not is_open(control), lambda: server.log)
    finally:
        server.stop()


def is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex((LOOPBACK, port)) == 0


def test_a_channel_that_cannot_be_had_ends_nothing(folder: Path) -> None:
    port, control = free_port(), free_port()
    write(folder, port, inet(control))
    with socket.create_server((LOOPBACK, control)):
        server = Daemon(folder, port)
        server.start()
        try:
            server.wait_for_log("running")
            assert server.log.count("couldn't add command channel") == 1
            assert server.addresses("www.example.com") == ["192.0.2.10"]
        finally:
            server.stop()


def test_commands_come_in_while_zones_are_being_loaded(folder: Path) -> None:
    port, control = free_port(), free_port()
    write(folder, port, inet(control))
    (folder / "endless.db").write_text(zone_text() + ENDLESS)
    zones = "".join(f'zone "z{n}.example" {{ type primary; file "a.db"; }};\n' for n in range(3000))
    zones += 'zone "endless.example" { type primary; file "endless.db"; };\n'
    with (folder / "named.conf").open("a") as conf:
        conf.write(zones)
    server = Daemon(folder, port)
    server.start()
    try:
        server.wait_for_log("command channel listening")
        assert "number of zones: 3002" in ask((LOOPBACK, control), "status")
        assert "all zones loaded" not in server.log
        assert ask((LOOPBACK, control), "stop") == ""
        assert server.wait_end() == 0
    finally:
        server.stop()


@needs_root
def test_a_key_that_the_user_cannot_read_is_one_line_and_the_old_key_goes_on(folder: Path) -> None:
    """Without keys in `controls`, and a key file for root alone: read at the start, not at a reload."""
    key_file = next((path for path in map(Path, KEY_FILES) if path.exists()), None)
    if key_file is None or key_file.stat().st_mode & 0o004:
        pytest.skip("this host has no key file of BIND, or one that everybody can read")
    port, control = free_port(), free_port()
    write(folder, port, f"inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }};")
    os.chown(folder / "rndc.key", 65534, 0)
    server = Daemon(folder, port)
    server.start("-u", "nobody")
    try:
        server.wait_for_log("running")
        assert f"configuring command channel from '{key_file}'" in server.log
        server.signal(1)
        server.wait_for_log("reloading finished")
        lines = [line for line in server.log.splitlines() if "rndc.key': permission denied" in line]
        assert len(lines) == 1
        assert is_open(control)
    finally:
        server.stop()
