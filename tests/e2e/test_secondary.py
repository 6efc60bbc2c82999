"""bindpy as a secondary of bindpy and of BIND: edits arrive by themselves, and what is lost comes back."""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, daemon, wait_until
from tests.peers.process import ServedZone
from tests.peers.require import require_peer
from tests.peers.servers import Named
from tests.support.ports import LOOPBACK, free_port

WWW = "www.example.com"
OLD, NEW = "192.0.2.10", "192.0.2.77"
KEY = 'key "between" { algorithm hmac-sha256; secret "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="; };\n'
QUICK = "min-refresh-time 1; min-retry-time 1;"


def zone_text(serial: int, address: str, times: str = "3600 900 604800") -> str:
    return (
        f"$TTL 300\n@ IN SOA ns hostmaster {serial} {times} 60\n@ IN NS ns\n"
        f"ns IN A 192.0.2.1\nwww IN A {address}\n"
    )


def primary_conf(secondary_port: int, key: str = "") -> str:
    who = f'key "{key}"' if key else "127.0.0.1"
    signed = f' key "{key}"' if key else ""
    notify = f"notify explicit; notify-delay 0; also-notify {{ 127.0.0.1 port {secondary_port}{signed}; }};"
    zone = (
        f'zone "example.com" {{ type primary; file "example.db"; allow-transfer {{ {who}; }}; {notify} }};\n'
    )
    return (KEY if key else "") + zone


def secondary_conf(*primary_ports: int, key: str = "", file: str = 'file "copy.db"; ', more: str = "") -> str:
    signed = f' key "{key}"' if key else ""
    primaries = "".join(f"127.0.0.1 port {port}{signed}; " for port in primary_ports)
    zone = f'zone "example.com" {{ type secondary; {file}primaries {{ {primaries}}}; {more} }};\n'
    return (KEY if key else "") + zone


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir(exist_ok=True)
    return made


@contextmanager
def pair(tmp_path: Path, key: str = "", text: str = zone_text(1, OLD)) -> Iterator[tuple[Daemon, Daemon]]:
    """A primary with a secondary that has the zone."""
    port = free_port()
    conf = primary_conf(port, key)
    with daemon(folder(tmp_path, "primary"), conf, {"example.db": text}) as primary:
        conf = secondary_conf(primary.port, key=key, more=QUICK)
        with daemon(folder(tmp_path, "secondary"), conf, {}, port=port) as secondary:
            secondary.wait_for_address(WWW, OLD)
            yield primary, secondary


@pytest.mark.parametrize("key", ["", "between"])
def test_an_edit_on_the_primary_arrives_by_itself(tmp_path: Path, key: str) -> None:
    with pair(tmp_path, key) as (primary, secondary):
        (primary.folder / "example.db").write_text(zone_text(2, NEW))
        secondary.wait_for_address(WWW, NEW)
        assert "IXFR" in secondary.log or "Transfer completed" in secondary.log
        secondary.wait_for_log("transferred serial 2" + (": TSIG 'between'" if key else ""))
        secondary.wait_for_log("Transfer status: success", 2)
        assert NEW in (secondary.folder / "copy.db").read_text()
        assert sorted(p.name for p in secondary.folder.iterdir() if p.name.endswith("db")) == ["copy.db"]


def test_a_zone_without_a_file_is_kept_in_memory(tmp_path: Path) -> None:
    port = free_port()
    with daemon(folder(tmp_path, "p"), primary_conf(port), {"example.db": zone_text(1, OLD)}) as primary:
        conf = secondary_conf(primary.port, file="")
        with daemon(folder(tmp_path, "s"), conf, {}, port=port) as secondary:
            secondary.wait_for_address(WWW, OLD)
            (primary.folder / "example.db").write_text(zone_text(2, NEW))
            secondary.wait_for_address(WWW, NEW)
            assert [p.name for p in secondary.folder.iterdir() if p.suffix == ".db"] == []


def test_a_dead_primary_does_not_hide_the_other(tmp_path: Path) -> None:
    port = free_port()
    with daemon(folder(tmp_path, "p"), primary_conf(port), {"example.db": zone_text(1, OLD)}) as primary:
        conf = secondary_conf(free_port(), primary.port)
        with daemon(folder(tmp_path, "s"), conf, {}, port=port) as secondary:
            secondary.wait_for_address(WWW, OLD)
            assert "failure trying primary 127.0.0.1#" in secondary.log
            (primary.folder / "example.db").write_text(zone_text(2, NEW))
            secondary.wait_for_address(WWW, NEW)


def test_the_last_data_is_served_without_any_primary_and_timers_survive_a_restart(tmp_path: Path) -> None:
    with pair(tmp_path) as (primary, secondary):
        primary.stop()
        secondary.stop()
        database = secondary.folder / ".bindpy-state" / "state.db"
        with sqlite3.connect(database) as state:
            ((expires_at, by),) = state.execute("SELECT expires_at, last_primary FROM times").fetchall()
        state.close()
        assert by == f"127.0.0.1#{primary.port}"
        assert expires_at == pytest.approx(time.time() + 604800, abs=60)
        secondary.start()
        secondary.wait_for_log("running", 2)
        assert secondary.addresses(WWW) == [OLD]
        secondary.wait_for_log("refresh failed")
        assert secondary.addresses(WWW) == [OLD]
        secondary.stop()
        with sqlite3.connect(database) as state:
            state.execute("UPDATE times SET expires_at = 1000")
        state.close()
        secondary.start()
        secondary.wait_for_log("expired while this server was down")
        secondary.wait_for_log("running", 3)
        assert secondary.rcode(WWW) == "SERVFAIL"
        primary.start()
        secondary.wait_for_address(WWW, OLD)


def test_a_zone_expires_and_recovers_with_a_lower_serial(tmp_path: Path) -> None:
    with pair(tmp_path, text=zone_text(7, OLD, "1 1 3")) as (primary, secondary):
        primary.stop()
        secondary.wait_for_log("refresh failed")
        assert secondary.addresses(WWW) == [OLD]
        secondary.wait_for_log("zone example.com/IN: expired")
        assert secondary.rcode(WWW) == "SERVFAIL"
        (primary.folder / "example.db").write_text(zone_text(3, NEW, "1 1 3"))
        primary.start()
        secondary.wait_for_address(WWW, NEW)


def test_a_lower_serial_is_not_taken_before(tmp_path: Path) -> None:
    with pair(tmp_path, text=zone_text(7, OLD, "1 1 600")) as (primary, secondary):
        (primary.folder / "example.db").write_text(zone_text(3, NEW, "1 1 600"))
        secondary.wait_for_log("serial number (3) received from primary")
        assert secondary.addresses(WWW) == [OLD]


def test_a_reload_keeps_what_stays_and_takes_new_zones(tmp_path: Path) -> None:
    with pair(tmp_path) as (_, secondary):
        conf = (secondary.folder / "named.conf").read_text()
        (secondary.folder / "named.conf").write_text(conf.replace("copy.db", "other.db"))
        secondary.signal(signal.SIGHUP)
        secondary.wait_for_log("reloading finished")
        assert secondary.addresses(WWW) == [OLD]
        (secondary.folder / "named.conf").write_text(re.sub(r"zone .*", "", conf))
        secondary.signal(signal.SIGHUP)
        secondary.wait_for_log("zone example.com/IN: removed")
        wait_until(lambda: secondary.rcode(WWW) == "REFUSED", lambda: secondary.log)
        (secondary.folder / "named.conf").write_text(conf)
        secondary.signal(signal.SIGHUP)
        secondary.wait_for_address(WWW, OLD)


@pytest.mark.parametrize("key", ["", "between"])
def test_a_secondary_of_bind(tmp_path: Path, key: str) -> None:
    require_peer("named")
    port = free_port()
    file = tmp_path / "example.db"
    file.write_text(zone_text(1, OLD))
    who = f'key "{key}"' if key else "127.0.0.1"
    with BindPrimary([ServedZone("example.com.", file)], key, who, port) as bind:
        conf = secondary_conf(bind.port, key=key)
        with daemon(folder(tmp_path, "secondary"), conf, {}, port=port) as secondary:
            secondary.wait_for_address(WWW, OLD)
            file.write_text(zone_text(2, NEW))
            bind.hang_up()
            secondary.wait_for_address(WWW, NEW)
            secondary.wait_for_log(f"transferred serial 2{': TSIG' if key else ''}")


class BindPrimary(Named):
    """BIND that notifies one secondary at once."""

    def __init__(self, zones: list[ServedZone], key: str, who: str, secondary_port: int) -> None:
        super().__init__(zones)
        self._key, self._who, self._secondary_port = key, who, secondary_port

    def configure(self, directory: Path) -> list[str]:
        command = super().configure(directory)
        conf = directory / "named.conf"
        more = (
            f"allow-transfer {{ {self._who}; }}; notify explicit; notify-delay 0; "
            f"also-notify {{ {LOOPBACK} port {self._secondary_port}; }}; "
        )
        text = conf.read_text().replace("type primary;", f"type primary; {more}")
        conf.write_text((KEY if self._key else "") + text)
        return command

    def hang_up(self) -> None:
        """Have it read its zones anew."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)
