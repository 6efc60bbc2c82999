"""kill -9 in the midst of transfers, hundreds of times: nothing torn, nothing older, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import cast

import pytest

from bindpy.config.model import ZoneChecks
from bindpy.engine import PYTHON_ZONES, ZoneFileReader
from bindpy.state.db import StateDb
from bindpy.xfr.unwritten import Unwritten
from bindpy.xfr.wire import WireError, read_message
from bindpy.zone import names
from bindpy.zone.load import load_zone_file
from bindpy.zone.records import RRType, Soa
from tests.e2e.daemon import options
from tests.faults.restarts import Restarts
from tests.faults.rising import RisingPrimary, RisingZone
from tests.support.ports import LOOPBACK, free_port
from tests.support.transfers import message

SEED = int(os.environ.get("BINDPY_FAULTS_SEED", "20261122"))
CHECKS = ZoneChecks(primary=False)
PATIENCE_S = 20.0
_NOTIFY = 0x2400  # opcode 4, AA
_LOOK_EVERY_S = 0.01

# --- a secondary ------------------------------------------------------------------------------------

KILLS = 100
TRANSFERS = 200
HITS = 100
"""How many transfers that had begun must have been interrupted in all."""
HOSTS = (100, 200, 300, 300, 400, 500, 800, 1500)
LONGEST_AFTER_NOTIFY_S = 0.2
LONGEST_AFTER_START_S = 0.3
SERVE_FIRST = "import bindpy.xfr.behind as b; b.LARGE_RECORDS = 0"
"""What makes small zones be served before they are stored, as large ones are."""
ZONES = {zone.origin: zone for zone in (RisingZone(f"z{i}.example.", n) for i, n in enumerate(HOSTS))}


def secondary_conf(port: int, primary_port: int) -> str:
    quick = "serial-query-rate 1000; transfers-in 8; transfers-per-ns 8; notify no;"
    primaries = f"primaries {{ {LOOPBACK} port {primary_port}; }};"
    zones = "".join(
        f'zone "{z.name}" {{ type secondary; file "{z.name}db"; {primaries} }};\n' for z in ZONES.values()
    )
    return options(port, quick) + zones


class Watch(asyncio.DatagramProtocol):
    """Asks for the SOA of every zone all the time; notes serials, and what must never be.

    *life* is the ID of the questions: answers of a server that is dead by now come late.
    """

    def __init__(self, port: int) -> None:
        self._server = (LOOPBACK, port)
        self.served = dict.fromkeys(ZONES, 0)
        self.life = 0
        self.wrong: list[str] = []
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, _: object) -> None:
        with suppress(WireError):
            answer = read_message(data)
            if answer.answer:
                self._note(answer.id, answer.answer[0][0], Soa.from_rdata(answer.answer[0][4]).serial)

    def error_received(self, exc: Exception) -> None:
        """The server is dead at the moment."""

    def _note(self, life: int, origin: bytes, serial: int) -> None:
        self.answers += 1
        before, name = self.served[origin], names.to_text(origin)
        if life != self.life:  # it was under way when the server was killed
            if serial > before:
                self.wrong.append(f"{name} was served with {serial}, of which {before} was left")
            return
        if serial < before:
            self.wrong.append(f"{name} fell from {before} to {serial}")
        self.served[origin] = max(before, serial)

    async def run(self) -> None:
        while True:
            head = struct.pack("!6H", self.life, 0, 1, 0, 0, 0)
            for origin in ZONES:
                self._transport.sendto(head + origin + struct.pack("!HH", RRType.SOA, 1), self._server)
            await asyncio.sleep(_LOOK_EVERY_S)

    def notify(self, serials: dict[bytes, int]) -> None:
        for origin, serial in serials.items():
            request = message(
                [ZONES[origin].soa(serial)],
                message_id=self.life,
                flags=_NOTIFY,
                question=(origin, RRType.SOA, 1),
            )
            self._transport.sendto(request, self._server)


class Secondary:
    """The server that is killed, its primary, and what is known of both."""

    def __init__(self, server: Restarts, primary: RisingPrimary, watch: Watch, *, behind: bool) -> None:
        self.server, self.primary, self.watch, self.rng = server, primary, watch, primary.rng
        self.stored = dict.fromkeys(ZONES, 0)
        self.stamps: dict[bytes, tuple[int, int]] = {}
        self.left: set[str] = set()
        self.hits = self.kills_that_hit = self.left_over = self.replayed = 0
        self.behind = behind
        self.read: ZoneFileReader = load_zone_file

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - another process knows nothing of our events
                await asyncio.sleep(0.003)
        assert condition(), what

    async def live_and_die(self, context: str) -> None:
        """One life of the server, from its start to its kill, and what it has left."""
        self.raise_serials()
        sent_before = dict(self.primary.sent)
        self.watch.life += 1
        self.server.start()
        if self.rng.random() < 0.25:
            await asyncio.sleep(self.rng.uniform(0, LONGEST_AFTER_START_S))
        else:
            await self.until(lambda: "all zones loaded" in self.server.log_since_start, "it does not start")
            assert not self.left & self.temporary(), f"{context}: a temporary file was not removed"
            self.raise_serials()
            self.watch.notify(self.primary.serials)
            await self.until(lambda: self.primary.sent != sent_before, "no transfer begins")
            await asyncio.sleep(self.rng.uniform(0, LONGEST_AFTER_NOTIFY_S))
        assert self.server.end(signal.SIGKILL) == -signal.SIGKILL, self.server.log_since_start
        await self.look_at_state(context)
        self.look_at_files(context)
        assert not self.watch.wrong, f"{context}: {self.watch.wrong}"

    def raise_serials(self) -> None:
        for origin in ZONES:
            self.primary.serials[origin] += self.rng.randrange(1, 3)

    def temporary(self) -> set[str]:
        return {path.name for path in self.server.folder.iterdir() if ".bindpy-" in path.name} - {
            ".bindpy-state"
        }

    def look_at_files(self, context: str) -> None:
        """Read what is on the disk: whole versions that the primary had, none older than what was seen."""
        hit = 0
        for origin, zone in ZONES.items():
            path = self.server.folder / f"{zone.name}db"
            if path.exists():
                stamp = (path.stat().st_ino, path.stat().st_mtime_ns)
                if self.behind or self.stamps.get(origin) != stamp:
                    self.stamps[origin] = stamp
                    loaded = self.read(str(path), origin, 1, CHECKS)
                    assert loaded.zone is not None, f"{context}: {loaded.diagnostics}"
                    serial = zone.whole_serial(loaded.zone)
                    assert self.stored[origin] <= serial <= self.primary.serials[origin], context
                    self.stored[origin] = serial
            assert self.stored[origin] >= self.watch.served[origin], (
                f"{context}: {zone.name} served, but not stored"
            )
            self.watch.served[origin] = self.stored[origin]  # what is stored must be served from now on
            hit += self.primary.sent[origin] > self.stored[origin]
        self.left = self.temporary()
        self.hits += hit
        self.kills_that_hit += hit > 0
        self.left_over += len(self.left)

    async def look_at_state(self, context: str) -> None:
        """Open a copy of the database, as the next start will, and see what it has to add to the files."""
        state = self.server.folder / ".bindpy-state"
        if not (state / "state.db").exists():
            return
        copy = self.server.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(state, copy, ignore=shutil.ignore_patterns("control.sock*"))
        with closing(sqlite3.connect(copy / "state.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",), context
            for (row,) in db.execute("SELECT zone FROM times").fetchall() if _has_tables(db) else ():
                assert row in ZONES, context
        if self.behind:
            unwritten, database = Unwritten(PYTHON_ZONES), StateDb.open(str(copy))
            await unwritten.open(database)
            await database.close()
            self.replayed += sum(unwritten.of(("_default", origin)) is not None for origin in ZONES)
            self.read = unwritten.read_file


def _has_tables(db: sqlite3.Connection) -> bool:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return bool(version)  # a kill may have come before the tables were made


@pytest.mark.parametrize("behind", [False, True], ids=["stored first", "served first"])
def test_a_secondary_that_is_killed_in_the_midst_of_transfers(tmp_path: Path, behind: bool) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    port = free_port()

    async def steps() -> Secondary:
        loop = asyncio.get_running_loop()
        transport, watch = await loop.create_datagram_endpoint(lambda: Watch(port), local_addr=(LOOPBACK, 0))
        async with RisingPrimary(ZONES, rng) as primary:
            (tmp_path / "named.conf").write_text(secondary_conf(port, primary.remote.port))
            looking = asyncio.create_task(watch.run())
            with Restarts(tmp_path, SERVE_FIRST if behind else "") as server:
                here = Secondary(server, primary, watch, behind=behind)
                for number in range(KILLS):
                    await here.live_and_die(f"seed {SEED}, kill {number}")
                watch.life += 1
                server.start()
                # What was seen of the one before may be all there is: this one has to be there to be ended.
                await here.until(lambda: " running\n" in server.log_since_start, "it does not start")
                await here.until(lambda: watch.served == primary.serials, "it does not converge")
                assert server.end(signal.SIGTERM) == 0, server.log_since_start
                await here.look_at_state("at the end")
                here.look_at_files("at the end")
            looking.cancel()
        transport.close()
        return here

    here = asyncio.run(steps())
    print(
        f"{KILLS} kills, {here.primary.transfers} transfers begun, {here.hits} interrupted by "
        f"{here.kills_that_hit} kills, {here.left_over} temporary files left, {here.replayed} unwritten, "
        f"{here.watch.answers} answers"
    )
    assert here.stored == here.primary.serials
    assert here.left == set()
    log = here.server.log
    assert "Traceback" not in log
    assert "beginning anew" not in log, "the state database was damaged"
    assert "cannot be used" not in log, "a stored zone was not read"
    assert here.primary.transfers >= TRANSFERS
    assert here.hits >= HITS, "the kills do not hit transfers"
    assert here.left_over, "no kill has hit a store"
    assert bool(here.replayed) == behind, "no kill has come between serving and storing"
    assert here.watch.answers >= KILLS, "it was never seen to serve"
