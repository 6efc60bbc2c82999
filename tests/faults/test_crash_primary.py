"""kill -9 of a primary while its zone is edited: no IXFR of it ever makes a wrong zone of a good one."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from pathlib import Path

import dns.message
import dns.rdatatype
import dns.xfr
import dns.zone

from tests.e2e.daemon import options, wait_until
from tests.faults.restarts import Restarts
from tests.support.ports import LOOPBACK, free_port

SEED = int(os.environ.get("BINDPY_FAULTS_SEED", "20261122"))
KILLS = 80
HOSTS = 60
HELD = 6
"""How many earlier versions secondaries hold that ask after each start."""
LONGEST_AFTER_EDIT_S = 0.08
MAX_EDITS = 4
INCREMENTAL = 100
"""How many answers at least must be IXFRs from versions of before a kill."""


class Edited:
    """A zone that somebody edits; *versions* are its texts by serial, without those that were rolled back."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self._path = path
        self._rng = rng
        self._hosts = {f"h{number}": number for number in range(HOSTS)}
        self.serial = 0
        self.versions: dict[int, str] = {}
        self._contents: dict[int, dict[str, int]] = {}
        self.edit()

    def edit(self) -> None:
        """Change, add and remove some hosts, raise the serial, and put the file in place."""
        for _ in range(self._rng.randrange(1, 5)):
            self._hosts[f"h{self._rng.randrange(HOSTS * 2)}"] = self._rng.randrange(65536)
            del self._hosts[self._rng.choice(sorted(self._hosts))]
        self.serial += self._rng.randrange(1, 3)
        self._write()

    def roll_back(self) -> None:
        """Restore an earlier version, as from a backup. The serials after it will be used again."""
        self.serial = self._rng.choice(sorted(self.versions)[-HELD:])
        self._hosts = dict(self._contents[self.serial])
        for abandoned in [serial for serial in self.versions if serial > self.serial]:
            del self.versions[abandoned]
        self._write()

    def _write(self) -> None:
        hosts = "".join(f"{name} A 192.0.{value >> 8}.{value & 255}\n" for name, value in self._hosts.items())
        text = f"$TTL 60\n@ SOA ns host {self.serial} 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n{hosts}"
        self.versions[self.serial] = text
        self._contents[self.serial] = dict(self._hosts)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self._path)


def parsed(text: str) -> dns.zone.Zone:
    return dns.zone.from_text(text, origin="example.", relativize=False)


def follow(port: int, text: str) -> tuple[dns.zone.Zone, bool]:
    """Return what a secondary has that held *text* and asked for IXFR, and whether it got one in steps."""
    zone = parsed(text)
    query, serial = dns.xfr.make_query(zone)
    query.use_edns(-1)
    wire = query.to_wire()
    incremental, first, done = False, True, False
    with (
        socket.create_connection((LOOPBACK, port), timeout=10) as connection,
        connection.makefile("rb") as stream,
        dns.xfr.Inbound(zone, dns.rdatatype.IXFR, serial) as inbound,
    ):
        connection.sendall(len(wire).to_bytes(2) + wire)
        while not done:
            size = int.from_bytes(stream.read(2))
            message = dns.message.from_wire(stream.read(size), xfr=True, one_rr_per_rrset=True)
            if first and len(message.answer) > 1:
                incremental = message.answer[1].rdtype == dns.rdatatype.SOA
            first = False
            done = inbound.process_message(message)
    return zone, incremental


def test_a_primary_that_is_killed_during_edits(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    port = free_port()
    conf = 'zone "example" { type primary; file "example.db"; allow-transfer { any; }; };\n'
    (tmp_path / "named.conf").write_text(options(port, "notify no;") + conf)
    zone = Edited(tmp_path / "example.db", rng)
    survived = whole = 0
    with Restarts(tmp_path) as server:
        for number in range(KILLS):
            context = f"seed {SEED}, kill {number}"
            server.start()
            wait_until(lambda: "running" in server.log_since_start, lambda: server.log_since_start)
            newest = parsed(zone.versions[zone.serial])
            for serial in sorted(zone.versions)[-HELD - 1 : -1]:
                got, incremental = follow(port, zone.versions[serial])
                assert got == newest, f"{context}: IXFR from {serial} to {zone.serial} makes another zone"
                survived += incremental
                whole += not incremental
            for _ in range(rng.randrange(1, MAX_EDITS)):
                zone.edit()
                time.sleep(rng.uniform(0, LONGEST_AFTER_EDIT_S))  # the moment is what is random here
            assert server.end(signal.SIGKILL) == -signal.SIGKILL, server.log_since_start
            chance = rng.random()
            if chance < 0.1:
                zone.edit()
            elif chance < 0.2:
                zone.roll_back()
        server.start()
        wait_until(lambda: "running" in server.log_since_start, lambda: server.log_since_start)
        assert server.end(signal.SIGTERM) == 0, server.log_since_start
    print(f"{KILLS} kills, {zone.serial} serials, {survived} IXFRs over a kill, {whole} whole zones instead")
    assert "Traceback" not in server.log
    assert "beginning anew" not in server.log, "the state database was damaged"
    assert survived >= INCREMENTAL, "history does not survive"
    assert whole, "no kill has cost any history: they come too late"
