"""Zones that come to be by NOTIFY: bindpy as BIND's and PowerDNS' secondary, and PowerDNS as bindpy's."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest

from tests.e2e.daemon import Daemon, daemon, wait_until
from tests.e2e.test_secondary import KEY
from tests.peers.process import Key, Replication, ServedZone
from tests.peers.require import require_peer
from tests.peers.servers import Bindpy, Named, Pdns
from tests.support.ports import LOOPBACK, free_port

ORIGIN = "example.com"
WWW = "www.example.com"
OLD, NEW = "192.0.2.10", "192.0.2.77"
US = "ns2.example.com"
BETWEEN = Key("between", "hmac-sha256", "c2VjcmV0IG9mIHRoZSB0ZXN0cw==")


def zone_text(serial: int = 1, address: str = OLD) -> str:
    return (
        f"$TTL 300\n@ IN SOA ns hostmaster {serial} 3600 900 604800 60\n@ IN NS ns\n@ IN NS ns2\n"
        f"ns IN A 192.0.2.1\nns2 IN A 192.0.2.2\nwww IN A {address}\n"
    )


@pytest.fixture
def zone_file(tmp_path: Path) -> Path:
    """The zone at its primary."""
    path = tmp_path / "example.db"
    path.write_text(zone_text())
    return path


@contextmanager
def secondary(
    tmp_path: Path,
    port: int,
    primary_port: int,
    entry: str = f'nameserver "{US}" account "them"',
    conf: str = "",
) -> Iterator[Daemon]:
    """bindpy at *port* with one autoprimary, and no zones but what *conf* has."""
    folder = tmp_path / "secondary"
    folder.mkdir()
    extra = (
        f"autoprimaries {{ {LOOPBACK} port {primary_port} {entry}; }};"
        ' autoprimary-directory "auto"; autoprimary-config "auto.conf";'
    )
    with daemon(folder, KEY + conf, {}, extra=extra, port=port) as server:
        yield server


def assert_in_order(log: str, *steps: str) -> None:
    at = 0
    for step in steps:
        found = re.search(step, log[at:])
        assert found is not None, f"{step!r} does not follow in:\n{log}"
        at += found.end()


def story(primary_port: int, key: str = "") -> tuple[str, ...]:
    """Return what an operator reads about a zone that comes to be, in this order."""
    signed = f": TSIG '{key}'" if key else ""
    return (
        rf"zone example.com/IN: received NOTIFY from {LOOPBACK}#\d+ for which we are not authoritative",
        rf"zone example.com/IN: created new secondary zone from autoprimary {LOOPBACK} \(account 'them'\)",
        rf"transfer of 'example.com/IN' from {LOOPBACK}#{primary_port}: connected",
        rf"zone example.com/IN: transferred serial 1{signed}",
    )


def bind_primary(zone_file: Path, port: int, secondary_port: int, key: Key | None = None) -> Named:
    """Return BIND at *port*, which tells bindpy at *secondary_port* of its zone, signed with *key*."""
    there = Replication(notify=((LOOPBACK, secondary_port),), key=key)
    return Named([ServedZone(f"{ORIGIN}.", zone_file, there)], extra="notify-delay 0;", port=port)


@pytest.mark.parametrize("key", [None, BETWEEN])
def test_a_notify_of_bind_makes_the_zone_and_it_stays(
    tmp_path: Path, zone_file: Path, key: Key | None
) -> None:
    require_peer("named")
    port, primary_port = free_port(), free_port()
    entry = f'nameserver "{US}" account "them"'
    if key is not None:
        entry = f"key {key.name} {entry}"
    with (
        secondary(tmp_path, port, primary_port, entry) as server,
        bind_primary(zone_file, primary_port, port, key) as bind,
    ):
        server.wait_for_address(WWW, OLD)
        server.wait_for_log("transferred serial 1")
        assert_in_order(server.log, *story(primary_port, key.name if key is not None else ""))
        assert [path.name for path in (server.folder / "auto").iterdir()] == [ORIGIN]
        server.signal(signal.SIGHUP)
        server.wait_for_log("reloading finished")
        assert server.addresses(WWW) == [OLD]
        assert "removed" not in server.log
        server.stop()
        server.start()
        server.wait_for_log("running", 2)
        assert server.addresses(WWW) == [OLD]
        zone_file.write_text(zone_text(2, NEW))
        bind.tell_of_edit(f"{ORIGIN}.")
        server.wait_for_address(WWW, NEW)
        assert server.log.count("created new secondary zone") == 1
        listed = json.loads(command(server, "autoprimary list -c named.conf --json"))
        assert [(one["zones"], one["account"]) for one in listed] == [(1, "them")]
        status = command(server, f"zonestatus -c named.conf {ORIGIN}")
        assert f"autoprimary {LOOPBACK}, account them" in status


def command(server: Daemon, words: str) -> str:
    """Run ``bindpy`` with *words* beside *server* and return what it prints."""
    run = [sys.executable, "-m", "bindpy.cli.main", *words.split()]
    return subprocess.run(run, cwd=server.folder, check=True, capture_output=True, text=True).stdout


def test_a_zone_that_is_removed_is_gone_until_it_is_told_of_again(tmp_path: Path, zone_file: Path) -> None:
    require_peer("named")
    port, primary_port = free_port(), free_port()
    with (
        secondary(tmp_path, port, primary_port) as server,
        bind_primary(zone_file, primary_port, port) as bind,
    ):
        server.wait_for_address(WWW, OLD)
        assert ORIGIN in (server.folder / "auto.conf").read_text()
        command(server, f"ctl -c named.conf delzone -clean {ORIGIN}")
        assert server.rcode(WWW) == "REFUSED"
        assert ORIGIN not in (server.folder / "auto.conf").read_text()
        assert list((server.folder / "auto").iterdir()) == []
        server.signal(signal.SIGHUP)
        server.wait_for_log("reloading finished")
        assert server.rcode(WWW) == "REFUSED"
        zone_file.write_text(zone_text(2, NEW))
        bind.tell_of_edit(f"{ORIGIN}.")
        server.wait_for_address(WWW, NEW)
        assert server.log.count("created new secondary zone") == 2


def test_where_a_key_is_listed_nothing_unsigned_makes_a_zone(tmp_path: Path, zone_file: Path) -> None:
    require_peer("named")
    port, primary_port = free_port(), free_port()
    with secondary(tmp_path, port, primary_port, f'key between nameserver "{US}"') as server:
        with bind_primary(zone_file, primary_port, port):
            server.wait_for_log(f"autoprimary {LOOPBACK} has to sign with 'between': it is not signed")
            assert notify(server, ORIGIN) == "REFUSED"
        assert server.rcode(WWW) == "REFUSED"
        assert not (server.folder / "auto.conf").exists()
        assert not (server.folder / "auto").exists()


def test_who_does_not_name_us_gets_no_zone(tmp_path: Path, zone_file: Path) -> None:
    require_peer("named")
    port, primary_port = free_port(), free_port()
    with secondary(tmp_path, port, primary_port, 'nameserver "ns9.example.org"') as server:
        with bind_primary(zone_file, primary_port, port):
            server.wait_for_log(
                f"zone {ORIGIN}/IN: not created from autoprimary {LOOPBACK}: {LOOPBACK}#{primary_port} does "
                f"not have ns9.example.org. among its NS records (ns.{ORIGIN}., {US}.)"
            )
        assert server.rcode(WWW) == "REFUSED"
        assert not (server.folder / "auto.conf").exists()


@pytest.mark.parametrize("key", [None, BETWEEN])
def test_a_notify_of_powerdns_makes_the_zone(tmp_path: Path, zone_file: Path, key: Key | None) -> None:
    require_peer("pdns")
    port, primary_port = free_port(), free_port()
    entry = f'nameserver "{US}" account "them"'
    if key is not None:
        entry = f"key {key.name} {entry}"
    there = ServedZone(f"{ORIGIN}.", zone_file, Replication(notify=((LOOPBACK, port),), key=key))
    with (
        secondary(tmp_path, port, primary_port, entry) as server,
        Pdns([there], port=primary_port) as primary,
    ):
        primary.tell_of_edit(f"{ORIGIN}.")
        server.wait_for_address(WWW, OLD)
        server.wait_for_log("transferred serial 1")
        assert_in_order(server.log, *story(primary_port, key.name if key is not None else ""))
        zone_file.write_text(zone_text(2, NEW))
        primary.tell_of_edit(f"{ORIGIN}.")
        server.wait_for_address(WWW, NEW)


def test_the_list_may_be_in_the_form_of_powerdns_and_is_seen_when_it_changes(
    tmp_path: Path, zone_file: Path
) -> None:
    require_peer("named")
    port, primary_port = free_port(), free_port()
    folder = tmp_path / "secondary"
    folder.mkdir()
    extra = (
        'autoprimaries file "autoprimaries"; autoprimary-directory "auto"; autoprimary-config "auto.conf";'
    )
    listed = "# nobody yet\n"
    with (
        daemon(folder, "", {"autoprimaries": listed}, extra=extra, port=port) as server,
        bind_primary(zone_file, primary_port, port),
    ):
        server.wait_for_log("refused notify for zone 'example.com': no such zone is configured here")
        (folder / "autoprimaries").write_text(f"{LOOPBACK}:{primary_port} {US} them\n")

        def told_again() -> bool:
            notify(server, ORIGIN)
            return server.rcode(WWW) != "REFUSED"

        wait_until(told_again, lambda: server.log)
        server.wait_for_address(WWW, OLD)
        assert "autoprimaries was changed: 1 autoprimaries" in server.log


def notify(server: Daemon, zone: str) -> str:
    """Tell *server* of *zone* as an autoprimary at our address would; return the rcode, "" for none."""
    message = dns.message.make_query(zone, "SOA", use_edns=None)
    message.flags = dns.flags.AA
    message.set_opcode(dns.opcode.NOTIFY)
    try:
        reply = dns.query.udp(message, LOOPBACK, port=server.port, timeout=5)
    except dns.exception.Timeout:
        return ""
    return dns.rcode.to_text(reply.rcode())


def test_hostile_names_stay_inside_the_directory_and_the_file(tmp_path: Path) -> None:
    """bindpy is the primary of zones with such names, and an autoprimary."""
    hostile = [
        r"\.\.\047\.\.\047etc.test",
        r"a\"\059\125\059zone.test",
        r"nul\000.test",
        r"line\010end.test",
        "0/25.2.0.192.in-addr.arpa",
        ".".join(["x" * 63] * 3 + ["y" * 60]),
    ]
    port, primary_port = free_port(), free_port()
    zones = {}
    conf = ""
    for number, name in enumerate(hostile):
        zones[f"{number}.db"] = f"$TTL 300\n@ SOA ns.x. h.x. 1 3600 900 604800 60\n@ NS {US}.\n"
        quoted = name.replace('\\"', "\\034")
        conf += f'zone "{quoted}" {{ type primary; file "{number}.db"; check-names ignore; }};\n'
    first = tmp_path / "primary"
    first.mkdir()
    with (
        daemon(first, conf, zones, extra="allow-transfer { any; }; notify no;", port=primary_port),
        secondary(tmp_path, port, primary_port) as server,
    ):
        before = set(tmp_path.iterdir())
        for name in hostile:
            assert notify(server, name) == "NOERROR"
        server.wait_for_log("transferred serial 1", len(hostile))
        assert set(tmp_path.iterdir()) == before
        names = sorted(path.name for path in (server.folder / "auto").iterdir())
        assert len(names) == len(hostile)
        assert all(re.fullmatch(r"[a-z0-9%_.-]+", name) for name in names), names
        server.stop()
        server.start()
        server.wait_for_log("running", 2)
        for name in hostile:
            assert server.rcode(name) == "NOERROR", name


def flood(port: int) -> None:
    """Send NOTIFYs for 2,000 names that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((LOOPBACK, port))
        for number in range(2000):
            message = dns.message.make_query(f"{number}.forged.test", "SOA", use_edns=None)
            message.flags = dns.flags.AA
            message.set_opcode(dns.opcode.NOTIFY)
            sock.send(message.to_wire())


def test_a_forged_flood_costs_few_queries(tmp_path: Path) -> None:
    port, primary_port = free_port(), free_port()
    first = tmp_path / "primary"
    first.mkdir()
    conf = 'zone "example.com" { type primary; file "example.db"; allow-transfer { any; }; };'
    with (
        daemon(
            first, conf, {"example.db": zone_text()}, extra="querylog yes; notify no;", port=primary_port
        ) as primary,
        secondary(tmp_path, port, primary_port) as server,
    ):
        begun = time.monotonic()
        flood(port)
        wait_until(lambda: primary.log.count("forged.test IN SOA") >= 20, lambda: server.log[-2000:])
        # Ten a second, a second's worth of them at once.
        seconds = time.monotonic() - begun
        assert primary.log.count("forged.test IN SOA") <= 10 * (seconds + 2) + 1
        assert server.rcode(WWW) == "REFUSED"


@contextmanager
def port_53() -> Iterator[str]:
    """An address of this host whose port 53 is free: PowerDNS knows no other port of an autoprimary."""
    for last in range(1, 255):
        address = f"127.53.53.{last}"
        try:
            with (
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
                socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            ):
                udp.bind((address, 53))
                tcp.bind((address, 53))
        except PermissionError:
            pytest.skip("port 53, which PowerDNS asks autoprimaries at, takes root")
        except OSError:
            continue
        yield address
        return
    pytest.fail("port 53 is taken everywhere")


def test_powerdns_takes_zones_that_bindpy_provides(tmp_path: Path, zone_file: Path) -> None:
    require_peer("pdns")
    port = free_port()
    (tmp_path / "autosecondary").mkdir()
    (tmp_path / "supermasters").write_text("")
    created = tmp_path / "created.conf"
    created.write_text("")
    with port_53() as address:
        (tmp_path / "supermasters").write_text(f"{address} them\n")
        extra = f"""
secondary=yes
autosecondary=yes
allow-notify-from=127.0.0.0/8
bind-supermasters={tmp_path}/supermasters
bind-supermaster-config={created}
bind-supermaster-destdir={tmp_path}/autosecondary
xfr-cycle-interval=1
"""
        with Pdns([], port=port, extra=extra) as autosecondary:
            more = f"notify-source {address}; notify-delay 0;"
            zone = ServedZone(f"{ORIGIN}.", zone_file, Replication(notify=((LOOPBACK, port),)))
            with Bindpy([zone], port=53, host=address, extra=more):
                asked = Daemon(tmp_path, port)

                def serial() -> list[int]:
                    answer = asked.ask(ORIGIN, "SOA").answer
                    return [rdata.serial for rrset in answer for rdata in rrset]

                wait_until(lambda: serial() == [1], autosecondary.log_text)
                assert "type slave" in created.read_text() or "type secondary" in created.read_text()
                assert asked.addresses(WWW) == [OLD]
                zone_file.write_text(zone_text(2, NEW))
                wait_until(lambda: asked.addresses(WWW) == [NEW], autosecondary.log_text)
