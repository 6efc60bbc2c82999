"""The server as an operator meets it: a process, signals, good and bad files."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import dns.message
import pytest

from tests.e2e.daemon import ENDLESS, Daemon, daemon, options, wait_until, zone_text
from tests.support.ports import free_port

ONE_ZONE = 'zone "example.com" { type primary; file "a.db"; };\n'
TWO_ZONES = ONE_ZONE + 'zone "example.net" { type primary; file "b.db"; };\n'


def serve_and_fail(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bindpy.cli.main", "serve", "-c", "named.conf", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_udp_and_tcp_answer_alike(tmp_path: Path) -> None:
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
        udp, tcp = server.ask("www.example.com"), server.ask("www.example.com", tcp=True)
        assert udp.answer == tcp.answer
        assert server.addresses("www.example.com") == ["192.0.2.10"]


@pytest.mark.parametrize("rtype", ["AXFR", "IXFR"])
def test_transfers_are_refused_for_now(tmp_path: Path, rtype: str) -> None:
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
        answer = server.ask("example.com", rtype, tcp=True)
        assert answer.rcode() == 5
        assert not answer.answer


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\1\2\3" * 1000, b"@ SOA ns h 1 2 3 4 5\n@ NS\n", b"x" * 3_000_000],
    ids=["empty", "binary", "half", "one-long-line"],
)
def test_a_broken_zone_answers_servfail_and_the_others_serve(tmp_path: Path, content: bytes) -> None:
    with daemon(tmp_path, TWO_ZONES, {"a.db": zone_text(), "b.db": content}) as server:
        assert server.rcode("www.example.net") == "SERVFAIL"
        assert server.addresses("www.example.com") == ["192.0.2.10"]
        assert "b.db:" in server.log
        (tmp_path / "b.db").write_text(zone_text())
        server.wait_for_address("www.example.net", "192.0.2.10")


def test_a_missing_file_and_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "b.db").mkdir()
    conf = TWO_ZONES + 'zone "example.org" { type primary; file "c.db"; };\n'
    with daemon(tmp_path, conf, {"a.db": zone_text()}) as server:
        assert server.rcode("www.example.net") == "SERVFAIL"
        assert server.rcode("www.example.org") == "SERVFAIL"
        assert server.addresses("www.example.com") == ["192.0.2.10"]
        (tmp_path / "c.db").write_text(zone_text())
        server.wait_for_address("www.example.org", "192.0.2.10")


def test_an_edit_is_served_and_a_mistake_is_not(tmp_path: Path) -> None:
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
        (tmp_path / "a.db").write_text(zone_text(2, "192.0.2.20"))
        server.wait_for_address("www.example.com", "192.0.2.20")
        (tmp_path / "a.db").write_text(zone_text(3, "192.0.2.333"))
        server.wait_for_log("still serving serial 2")
        assert "a.db:5:10: " in server.log
        assert server.addresses("www.example.com") == ["192.0.2.20"]
        fresh = tmp_path / "a.db.new"
        fresh.write_text(zone_text(4, "192.0.2.40"))
        fresh.rename(tmp_path / "a.db")
        server.wait_for_address("www.example.com", "192.0.2.40")


def test_an_include_is_part_of_the_zone(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.db": zone_text() + "$INCLUDE more.inc\n",
        "more.inc": "x A 192.0.2.5\n",
    }
    with daemon(tmp_path, ONE_ZONE, files) as server:
        server.wait_for_address("x.example.com", "192.0.2.5")
        (tmp_path / "more.inc").write_text("x A 192.0.2.6\n")
        server.wait_for_address("x.example.com", "192.0.2.6")


def test_watch_no_waits_for_hup(tmp_path: Path) -> None:
    conf = 'zone "example.com" { type primary; file "a.db"; watch no; };\n' + TWO_ZONES.splitlines()[1]
    with daemon(tmp_path, conf, {"a.db": zone_text(), "b.db": zone_text()}) as server:
        (tmp_path / "a.db").write_text(zone_text(2, "192.0.2.20"))
        (tmp_path / "b.db").write_text(zone_text(2, "192.0.2.20"))
        server.wait_for_address("www.example.net", "192.0.2.20")
        assert server.addresses("www.example.com") == ["192.0.2.10"]
        server.signal(signal.SIGHUP)
        server.wait_for_address("www.example.com", "192.0.2.20")


def test_hup_adds_and_removes_zones_and_keeps_the_rest(tmp_path: Path) -> None:
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text(), "b.db": zone_text()}) as server:
        assert server.rcode("www.example.net") == "REFUSED"
        (tmp_path / "named.conf").write_text(options(server.port) + TWO_ZONES)
        server.signal(signal.SIGHUP)
        server.wait_for_address("www.example.net", "192.0.2.10")
        (tmp_path / "named.conf").write_text(options(server.port) + ONE_ZONE)
        server.signal(signal.SIGHUP)
        wait_until(lambda: server.rcode("www.example.net") == "REFUSED", lambda: server.log)
        assert server.addresses("www.example.com") == ["192.0.2.10"]


def test_hup_with_an_error_keeps_everything(tmp_path: Path) -> None:
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
        (tmp_path / "named.conf").write_text(options(server.port) + "zone nonsense\n")
        server.signal(signal.SIGHUP)
        server.wait_for_log("named.conf:2:")
        server.wait_for_log("keeping the running configuration")
        assert server.addresses("www.example.com") == ["192.0.2.10"]


def test_a_relative_directory_means_the_same_after_hup(tmp_path: Path) -> None:
    (tmp_path / "zones").mkdir()
    files = {"zones/a.db": zone_text()}
    with daemon(tmp_path, ONE_ZONE, files, extra='directory "zones";') as server:
        server.signal(signal.SIGHUP)
        server.wait_for_log("reloading finished")
        assert server.addresses("www.example.com") == ["192.0.2.10"]


def test_hup_while_the_directory_is_not_there(tmp_path: Path) -> None:
    zones = tmp_path / "zones"
    zones.mkdir()
    files = {"zones/a.db": zone_text()}
    with daemon(tmp_path, ONE_ZONE, files, extra=f'directory "{zones}";') as server:
        shutil.rmtree(zones)
        server.signal(signal.SIGHUP)
        server.wait_for_log("keeping the running configuration")
        assert server.addresses("www.example.com") == ["192.0.2.10"]
        zones.mkdir()
        (zones / "a.db").write_text(zone_text(2, "192.0.2.20"))
        server.signal(signal.SIGHUP)
        server.wait_for_address("www.example.com", "192.0.2.20")


def test_a_directory_that_is_replaced_by_another(tmp_path: Path) -> None:
    zones, new = tmp_path / "zones", tmp_path / "new"
    for folder, serial, address in ((zones, 1, "192.0.2.10"), (new, 2, "192.0.2.20")):
        folder.mkdir()
        (folder / "a.db").write_text(zone_text(serial, address) + "$INCLUDE more\n")
        (folder / "more").write_text(f"more A {address}\n")
    with daemon(tmp_path, ONE_ZONE, {}, extra=f'directory "{zones}";') as server:
        shutil.rmtree(zones)
        server.wait_for_log("still serving serial 1")
        new.rename(zones)
        server.wait_for_address("www.example.com", "192.0.2.20")
        assert server.addresses("more.example.com") == ["192.0.2.20"]


def test_hup_does_not_wait_for_a_pipe(tmp_path: Path) -> None:
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
        (tmp_path / "named.conf").unlink()
        os.mkfifo(tmp_path / "named.conf")
        server.signal(signal.SIGHUP)
        server.wait_for_log("named.conf: cannot read: it is a pipe")
        (tmp_path / "a.db").write_text(zone_text(2, "192.0.2.20"))
        server.wait_for_address("www.example.com", "192.0.2.20")


def test_a_stop_does_not_wait_for_a_reload(tmp_path: Path) -> None:
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}, extra="watch no;") as server:
        (tmp_path / "a.db").write_text(zone_text(2) + ENDLESS)
        server.signal(signal.SIGHUP)
        server.wait_for_log("received SIGHUP")
        server.signal(signal.SIGTERM)
        assert server.wait_end() == 0
        assert "stopped" in server.log


def test_a_stop_does_not_wait_for_the_first_load(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text(zone_text() + ENDLESS)
    port = free_port()
    (tmp_path / "named.conf").write_text(options(port) + ONE_ZONE)
    server = Daemon(tmp_path, port)
    server.start()
    server.wait_for_log("listening on")
    wait_until(lambda: server.rcode("example.com") == "SERVFAIL", lambda: server.log)
    server.signal(signal.SIGTERM)
    assert server.wait_end() == 0
    assert "stopped" in server.log
    server.stop()


def test_hup_moves_listeners(tmp_path: Path) -> None:
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
        other = Daemon(tmp_path, free_port())
        (tmp_path / "named.conf").write_text(options(other.port) + ONE_ZONE)
        server.signal(signal.SIGHUP)
        server.wait_for_log(f"127.0.0.1#{other.port}")
        assert other.addresses("www.example.com") == ["192.0.2.10"]

        def old_is_closed() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", server.port)) != 0

        wait_until(old_is_closed, lambda: server.log)


def test_hup_with_a_port_in_use_says_so_and_serves_on(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
            both = options(server.port, f"listen-on port {port} {{ 127.0.0.1; }};")
            (tmp_path / "named.conf").write_text(both + ONE_ZONE)
            server.signal(signal.SIGHUP)
            server.wait_for_log(f"127.0.0.1#{port}")
            assert server.addresses("www.example.com") == ["192.0.2.10"]


def test_a_bad_configuration_at_start(tmp_path: Path) -> None:
    (tmp_path / "named.conf").write_text('options { directory "."; }\nzone "x" { type primary };\n')
    done = serve_and_fail(tmp_path)
    assert done.returncode == 1
    assert "named.conf:2:1: error:" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_configuration_at_all(tmp_path: Path) -> None:
    done = serve_and_fail(tmp_path)
    assert done.returncode == 1
    assert "named.conf" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_server_on_the_same_port(tmp_path: Path) -> None:
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
        done = serve_and_fail(tmp_path)
        assert done.returncode == 1
        assert f"127.0.0.1#{server.port}" in done.stderr
        assert "in use" in done.stderr
        assert "Traceback" not in done.stderr
        assert server.addresses("www.example.com") == ["192.0.2.10"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_stop_removes_the_pid_file(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    conf = options(port).replace("pid-file none", f'pid-file "{tmp_path}/named.pid"') + ONE_ZONE
    (tmp_path / "named.conf").write_text(conf)
    (tmp_path / "a.db").write_text(zone_text())
    server = Daemon(tmp_path, port)
    server.start()
    try:
        server.wait_for_log("running")
        assert server.process is not None
        assert (tmp_path / "named.pid").read_text().strip() == str(server.process.pid)
        server.signal(number)
        assert server.wait_end() == 0
        assert not (tmp_path / "named.pid").exists()
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping privileges needs root")
def test_privileges_are_dropped_after_binding(folder_for_all: Path) -> None:
    tmp_path = folder_for_all
    port = free_port()
    (tmp_path / "named.conf").write_text(options(port) + ONE_ZONE)
    (tmp_path / "a.db").write_text(zone_text())
    server = Daemon(tmp_path, port)
    server.start("-u", "nobody")
    try:
        server.wait_for_log("running")
        assert server.process is not None
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
        assert set(uids) == {"65534"}
        assert server.addresses("www.example.com") == ["192.0.2.10"]
        (tmp_path / "a.db").write_text(zone_text(2, "192.0.2.20"))
        server.wait_for_address("www.example.com", "192.0.2.20")
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_log_files_belong_to_the_user_of_u(folder_for_all: Path) -> None:
    tmp_path = folder_for_all
    account = pwd.getpwnam("nobody")
    for folder in (tmp_path, tmp_path / "logs"):
        folder.mkdir(exist_ok=True)
        os.chown(folder, account.pw_uid, account.pw_gid)
    secret = tmp_path / "of_root"
    secret.touch(0o600)
    (tmp_path / "logs" / "link").symlink_to(secret)
    channels = 'channel f { file "logs/f"; }; channel link { file "logs/link"; };'
    logging = f"logging {{ {channels} category default {{ f; default_stderr; link; }}; }};\n"
    port = free_port()
    (tmp_path / "named.conf").write_text(options(port, f'directory "{tmp_path}";') + logging + ONE_ZONE)
    (tmp_path / "a.db").write_text(zone_text())
    server = Daemon(tmp_path, port)
    server.start("-u", "nobody")
    try:
        server.wait_for_log("running")
        server.signal(signal.SIGHUP)
        server.wait_for_log("reloading finished")
        found = (tmp_path / "logs" / "f").stat()
        assert (found.st_uid, found.st_gid) == (account.pw_uid, account.pw_gid)
        assert "cannot open file" in server.log
        assert str(tmp_path / "logs" / "f") not in server.log
        assert not secret.read_text()
    finally:
        server.stop()
    assert "stopped" in (tmp_path / "logs" / "f").read_text()


def test_an_unknown_user(tmp_path: Path) -> None:
    (tmp_path / "named.conf").write_text(options(free_port()))
    done = serve_and_fail(tmp_path, "-u", "nobody-of-that-name")
    assert done.returncode == 1
    assert "nobody-of-that-name" in done.stderr
    assert "Traceback" not in done.stderr


def test_usr1_and_usr2_change_the_debug_level(tmp_path: Path) -> None:
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
        server.signal(signal.SIGUSR1)
        server.wait_for_log("debug level is now 1")
        server.signal(signal.SIGUSR2)
        server.wait_for_log("debug level is now 0")


def test_allow_query_is_enforced(tmp_path: Path) -> None:
    conf = ONE_ZONE + 'zone "example.net" { type primary; file "b.db"; allow-query { none; }; };\n'
    with daemon(tmp_path, conf, {"a.db": zone_text(), "b.db": zone_text()}) as server:
        assert server.rcode("www.example.net") == "REFUSED"
        assert server.rcode("www.example.com") == "NOERROR"


def test_views_choose_by_client(tmp_path: Path) -> None:
    conf = (
        f'view "inside" {{ match-clients {{ 127.0.0.2; }}; {ONE_ZONE.replace("a.db", "b.db")} }};\n'
        f'view "outside" {{ {ONE_ZONE} }};\n'
    )
    with daemon(tmp_path, conf, {"a.db": zone_text(), "b.db": zone_text(1, "192.0.2.99")}) as server:
        query = dns.message.make_query("www.example.com", "A")
        for source, expected in [("127.0.0.1", b"\xc0\0\x02\x0a"), ("127.0.0.2", b"\xc0\0\x02\x63")] * 2:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(5)
                client.bind((source, 0))
                client.sendto(query.to_wire(), ("127.0.0.1", server.port))
                assert expected in client.recv(1232)


def test_garbage_gets_formerr_or_nothing_and_leaves_no_trace(tmp_path: Path) -> None:
    good = dns.message.make_query("www.example.com", "A").to_wire()
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", server.port))
            for size in range(len(good)):
                client.send(good[:size])
            for packet in (b"", b"\xff" * 600, good[:12] + b"\xc0\x0c" * 10, good + b"junk" * 100):
                client.send(packet)
        assert server.addresses("www.example.com") == ["192.0.2.10"]
        assert " error: " not in server.log


def test_hup_leaves_a_file_that_is_being_written_alone(tmp_path: Path) -> None:
    """Half a file can be a good zone: cut off behind a line, it lacks records and nothing else."""
    with daemon(tmp_path, ONE_ZONE, {"a.db": zone_text()}) as server:
        text = zone_text(2, "192.0.2.20")
        half = text.index("www")
        with (tmp_path / "a.db").open("w") as file:
            file.write(text[:half])
            file.flush()
            for times in range(1, 4):
                server.signal(signal.SIGHUP)
                server.wait_for_log("reloading finished", times)
                assert server.addresses("www.example.com") == ["192.0.2.10"]
            file.write(text[half:])
        server.wait_for_address("www.example.com", "192.0.2.20")
        assert server.log.count("loaded serial 2 ") == 1
