"""BIND's rndc against our channel: what it prints and its exit status, however a command ends."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bindpy.cli.main import main
from bindpy.config.load import load_config
from bindpy.control.rndc_channel import ChannelLimits
from bindpy.control.rndc_codec import ALGORITHMS
from tests.peers.require import require_tool
from tests.support.ports import LOOPBACK, free_port
from tests.support.real_rndc import Rndc
from tests.support.rndc import rndc_key
from tests.support.rndc_server import ControlServer, conf, key_statement

KEY = rndc_key()
DEADLINE_S = 30.0


@pytest.fixture
def server() -> Iterator[ControlServer]:
    require_tool("rndc")
    with ControlServer() as started:
        yield started


def channel(server: ControlServer, tmp_path: Path) -> Rndc:
    """Open a channel, return rndc for it."""
    port = free_port()
    server.apply(conf(f'inet 127.0.0.1 port {port} allow {{ 127.0.0.1; }} keys {{ "rndc-key"; }};'))
    return Rndc(tmp_path, port, KEY)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("octets", [16, 32, 200])
def test_each_algorithm_with_short_and_long_secrets(
    server: ControlServer, tmp_path: Path, algorithm: str, octets: int
) -> None:
    port, key = free_port(), rndc_key(algorithm, bytes(range(octets)))
    others = [rndc_key(a, b"x" * 20, f"k{n}.") for n, a in enumerate(ALGORITHMS)]
    names = " ".join(f'"{one.name.removesuffix(".")}";' for one in (*others, key))
    server.apply(conf(f"inet 127.0.0.1 port {port} allow {{ any; }} keys {{ {names} }};", *others, key))
    ran = Rndc(tmp_path, port, key)("echo", "hello", "there")
    assert (ran.status, ran.out, ran.err) == (0, "hello there\n", "")


def test_a_command_without_text_prints_nothing(server: ControlServer, tmp_path: Path) -> None:
    ran = channel(server, tmp_path)("echo")
    assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_a_failure_is_told_on_stderr(server: ControlServer, tmp_path: Path) -> None:
    rndc = channel(server, tmp_path)
    ran = rndc("zonestatus", "example.com")
    wanted = "rndc: 'zonestatus' failed: not found\nno matching zone 'example.com' in any view\n"
    assert (ran.status, ran.out, ran.err) == (1, "", wanted)
    assert rndc("-q", "zonestatus", "example.com").err == wanted
    assert rndc("-r", "zonestatus", "example.com").out == "ISC_R_NOTFOUND 23\n"


def test_quiet_hides_the_text(server: ControlServer, tmp_path: Path) -> None:
    ran = channel(server, tmp_path)("-q", "echo", "x")
    assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_a_reply_longer_than_rndc_takes_is_cut(server: ControlServer, tmp_path: Path) -> None:
    ran = channel(server, tmp_path)("long", "200000")
    assert ran.status == 0
    assert ran.out.startswith("line 0\nline 1\n")
    assert ran.out.endswith("\n[cut here: rndc takes no more]\n")
    assert len(ran.out) > 1_000_000


def test_a_long_command_arrives_whole(server: ControlServer, tmp_path: Path) -> None:
    text = "x" * 20000
    assert channel(server, tmp_path)("echo", text).out == f"{text}\n"


def test_a_wrong_key_is_a_closed_connection(server: ControlServer, tmp_path: Path) -> None:
    channel(server, tmp_path)
    (place,) = server.channels.bound()
    assert isinstance(place, tuple)
    wrong = Rndc(tmp_path, place[1], rndc_key("hmac-sha512", b"another", "other."))
    ran = wrong("status")
    assert ran.status == 1
    assert "rndc: connection to remote host closed" in ran.err
    assert server.calls == []


def test_who_is_not_allowed_is_told_so_by_rndc(server: ControlServer, tmp_path: Path) -> None:
    port = free_port()
    server.apply(conf(f'inet 127.0.0.1 port {port} allow {{ 127.0.0.2; }} keys {{ "rndc-key"; }};'))
    rndc = Rndc(tmp_path, port, KEY)
    ran = rndc("status")
    assert ran.status == 1
    assert ran.err.startswith(
        ("rndc: connection to remote host closed", "rndc: recv failed: connection reset")
    )
    assert rndc("-b", "127.0.0.2", "echo", "x").out == "x\n"


def test_ipv6(server: ControlServer, tmp_path: Path) -> None:
    port = free_port()
    server.apply(conf(f'inet ::1 port {port} allow {{ ::1; }} keys {{ "rndc-key"; }};'))
    assert Rndc(tmp_path, port, KEY, host="::1")("echo", "x").out == "x\n"


def test_the_key_file_is_enough_for_both(tmp_path: Path) -> None:
    key_file, port = tmp_path / "rndc.key", free_port()
    key_file.write_text(key_statement(KEY))
    with ControlServer(key_files=[key_file]) as server:
        server.apply(conf(f"inet * port {port} allow {{ localhost; 127.0.0.1; }};", rndc_key(secret=b"no")))
        done = subprocess.run(
            [require_tool("rndc"), "-k", str(key_file), "-s", LOOPBACK, "-p", str(port), "echo", "x"],
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
    assert (done.returncode, done.stdout) == (0, "x\n"), done.stderr


def test_many_at_once_beside_clients_that_hang(tmp_path: Path) -> None:
    with ControlServer(limits=ChannelLimits(connections=8)) as server:
        rndc = channel(server, tmp_path)
        (place,) = server.channels.bound()
        assert isinstance(place, tuple)
        hanging = [socket.create_connection((LOOPBACK, place[1])) for _ in range(20)]
        for number, sock in enumerate(hanging):
            sock.sendall(b"\0\0\0\x80\0\0\0\1"[: number % 9])
        out: list[str] = []
        threads = [
            threading.Thread(target=lambda n=n: out.append(rndc("echo", str(n)).out)) for n in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert sorted(out) == [f"{n}\n" for n in range(6)]
        for sock in hanging:
            sock.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rndc_takes_the_keys_that_we_make(tmp_path: Path, algorithm: str) -> None:
    """BIND's rndc and named-checkconf read our key file, and our rndc reads BIND's."""
    ours, theirs, port = tmp_path / "ours.key", tmp_path / "theirs.key", free_port()
    done = CliRunner().invoke(main, ["rndc-confgen", "-a", "-A", algorithm, "-c", str(ours)])
    assert done.exit_code == 0, done.output
    confgen = [require_tool("rndc-confgen"), "-a", "-A", algorithm, "-c", str(theirs)]
    subprocess.run(confgen, check=True, capture_output=True)
    subprocess.run([require_tool("named-checkconf"), str(ours)], check=True)
    for path in (ours, theirs):
        with ControlServer(key_files=[path]) as server:
            server.apply(conf(f"inet 127.0.0.1 port {port} allow {{ localhost; 127.0.0.1; }};"))
            ran = subprocess.run(
                [require_tool("rndc"), "-k", str(path), "-s", LOOPBACK, "-p", str(port), "echo", "x"],
                capture_output=True,
                text=True,
                check=False,
            )
        assert (ran.returncode, ran.stdout) == (0, "x\n"), ran.stderr


def test_the_configurations_that_we_print_work(tmp_path: Path) -> None:
    port = free_port()
    done = CliRunner().invoke(main, ["rndc-confgen", "-k", "operator", "-p", str(port)])
    rndc_conf, named_conf = tmp_path / "rndc.conf", tmp_path / "named.conf"
    rndc_conf.write_text(done.stdout)
    lines = done.stdout.partition("# named.conf needs this")[2].splitlines()[1:]
    named_conf.write_text("\n".join(line.removeprefix("# ") for line in lines))
    subprocess.run([require_tool("named-checkconf"), str(named_conf)], check=True)
    config = load_config(str(named_conf)).config
    assert config is not None
    with ControlServer() as server:
        server.apply(config)
        ran = subprocess.run(
            [require_tool("rndc"), "-c", str(rndc_conf), "echo", "x"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stdout) == (0, "x\n"), ran.stderr
