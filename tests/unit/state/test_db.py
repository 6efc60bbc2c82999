"""The state database: nothing acknowledged is lost, and no fault of it stops the server."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bindpy.config.model import Options
from bindpy.state import db as db_module
from bindpy.state.db import FILE_NAME, StateDb, ZoneTimes
from bindpy.state.directory import make_state_directory, state_directory
from bindpy.state.schema import VERSION
from bindpy.zone import names

KEY = names.from_text("example.com.")
TIMES = ZoneTimes("_default", KEY, 7, 1000.5, 2000.25, 3000.0, "192.0.2.1#53")


def using(directory: Path, steps: Callable[[StateDb], Awaitable[None]]) -> None:
    """Open the database, take *steps*, close it."""

    async def run() -> None:
        db = StateDb.open(str(directory))
        try:
            await asyncio.wait_for(steps(db), 20)
        finally:
            await db.close()

    asyncio.run(run())


def test_what_is_saved_is_there_after_a_restart(tmp_path: Path) -> None:
    async def save(db: StateDb) -> None:
        assert db.path == tmp_path / FILE_NAME
        await db.save_times(TIMES)
        await db.save_ack("_default", KEY, "192.0.2.2#53", 6)
        await db.save_ack("_default", KEY, "192.0.2.2#53", 7)

    async def load(db: StateDb) -> None:
        assert await db.load_times() == {("_default", KEY): TIMES}
        assert await db.load_acks() == {("_default", KEY, "192.0.2.2#53"): 7}

    using(tmp_path, save)
    using(tmp_path, load)


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    async def look(db: StateDb) -> None:
        await db.save_times(TIMES)
        for path in place.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path

    place = tmp_path / "in" / "state"
    make_state_directory(str(place))
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    using(place, look)


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    make_state_directory(str(tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_a_directory_that_cannot_be_made_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()

    async def work(db: StateDb) -> None:
        assert db.path is None
        await db.save_times(TIMES)
        assert await db.load_times() == {("_default", KEY): TIMES}

    make_state_directory(str(tmp_path / "file" / "state"))
    assert "could not make state directory" in caplog.text
    using(tmp_path / "file" / "state", work)
    assert "cannot be used: Not a directory; " in caplog.text
    assert "in memory only" in caplog.text


def test_where_the_state_is() -> None:
    assert state_directory(Options("/zones", ())) == "/zones/.bindpy-state"
    assert state_directory(Options("/zones", (), state_directory="/var/lib/x")) == "/var/lib/x"


@pytest.mark.parametrize("damage", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_moved_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(damage)

    async def work(db: StateDb) -> None:
        assert db.path is not None
        await db.save_times(TIMES)
        assert await db.load_times() == {("_default", KEY): TIMES}

    using(tmp_path, work)
    (aside,) = tmp_path.glob(f"{FILE_NAME}.corrupt-*")
    assert aside.read_bytes() == damage
    assert f"moved to '{aside}'" in caplog.text


def test_another_program_s_database_is_moved_aside(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / FILE_NAME)
    other.execute("CREATE TABLE times (apples)")
    other.commit()
    other.close()

    async def work(db: StateDb) -> None:
        assert await db.load_times() == {}
        assert db.path is not None

    using(tmp_path, work)
    assert list(tmp_path.glob(f"{FILE_NAME}.corrupt-*"))


def test_a_later_version_s_database_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = sqlite3.connect(tmp_path / FILE_NAME)
    other.execute(f"PRAGMA user_version = {VERSION + 1}")
    other.commit()
    other.close()

    async def work(db: StateDb) -> None:
        assert await db.load_times() == {}

    using(tmp_path, work)
    assert list(tmp_path.glob(f"{FILE_NAME}.newer-*"))
    assert f"its version is {VERSION + 1}" in caplog.text


def make_damaged(folder: Path) -> None:
    """Make a database that opens well, and is damaged."""

    async def fill(db: StateDb) -> None:
        await db.save_times(*[ZoneTimes(f"view{n}", KEY, n, 1, 2, 3, "x" * 100) for n in range(500)])

    using(folder, fill)
    path = folder / FILE_NAME
    octets = bytearray(path.read_bytes())
    octets[-8192:] = b"\xa5" * 8192  # nothing that is read when it is opened
    path.write_bytes(octets)


def test_damage_found_while_running_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(db: StateDb) -> None:
        before = db.path
        assert "beginning anew" not in caplog.text
        await db.load_times()
        await db.save_times(TIMES)
        assert await db.load_times() == {("_default", KEY): TIMES}
        assert before is not None
        assert db.path == before

    make_damaged(tmp_path)
    using(tmp_path, work)
    assert list(tmp_path.glob(f"{FILE_NAME}.corrupt-*"))
    assert "beginning anew" in caplog.text


def test_damage_that_cannot_be_moved_aside_leaves_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    async def work(db: StateDb) -> None:
        await db.load_times()
        await db.save_times(TIMES)
        assert await db.load_times() == {("_default", KEY): TIMES}
        assert db.path is None

    make_damaged(tmp_path)
    monkeypatch.setattr(db_module, "_move_aside", refused)
    using(tmp_path, work)
    assert f"state database '{tmp_path / FILE_NAME}': it is damaged and cannot be replaced" in caplog.text
    assert "works again" not in caplog.text


def test_a_second_server_keeps_its_state_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(first: StateDb) -> None:
        await first.save_times(TIMES)
        second = StateDb.open(str(tmp_path))
        assert second.path is None
        assert await second.load_times() == {}
        await second.close()
        assert await first.load_times() == {("_default", KEY): TIMES}

    using(tmp_path, work)
    assert "another server uses it" in caplog.text


def test_a_full_disk_is_one_warning_and_its_end_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async def work(db: StateDb) -> None:
        await db.save_ack("_default", KEY, "192.0.2.9#53", 1)
        pages = await db.run(lambda c: c.execute("PRAGMA page_count").fetchone()[0], 0)
        await db.run(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone(), None)
        big = [ZoneTimes("_default", bytes([n]), 1, 1, 2, 3, "x" * 2000) for n in range(20)]
        await db.save_times(*big)
        await db.save_times(*big)
        assert await db.load_times() == {}
        assert await db.load_acks() == {("_default", KEY, "192.0.2.9#53"): 1}
        await db.run(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone(), None)
        await db.save_times(*big)
        assert len(await db.load_times()) == len(big)

    using(tmp_path, work)
    assert caplog.text.count("works again") >= 1
    assert "database or disk is full" in caplog.text


def test_a_transaction_is_whole_or_not_at_all(tmp_path: Path) -> None:
    def half(db: sqlite3.Connection) -> str:
        db.execute("INSERT INTO acks VALUES ('v', x'00', 't', 1, 1)")
        db.execute("INSERT INTO no_such_table VALUES (1)")
        return "done"

    async def work(db: StateDb) -> None:
        assert await db.run(half, "failed") == "failed"
        assert await db.load_acks() == {}

    using(tmp_path, work)


def test_retain_forgets_other_zones(tmp_path: Path) -> None:
    async def work(db: StateDb) -> None:
        gone = ZoneTimes("inner", KEY, 7, 1, 2, 3, "")
        await db.save_times(TIMES, gone)
        await db.save_ack("inner", KEY, "t", 1)
        await db.retain({("_default", KEY)})
        assert await db.load_times() == {("_default", KEY): TIMES}
        assert await db.load_acks() == {}

    using(tmp_path, work)


def test_one_zone_is_forgotten(tmp_path: Path) -> None:
    async def work(db: StateDb) -> None:
        await db.save_times(TIMES, ZoneTimes("inner", KEY, 7, 1, 2, 3, ""))
        await db.save_ack("inner", KEY, "t", 1)
        await db.save_ack("_default", KEY, "t", 2)
        await db.forget(("inner", KEY))
        assert await db.load_times() == {("_default", KEY): TIMES}
        assert await db.load_acks() == {("_default", KEY, "t"): 2}

    using(tmp_path, work)


_WRITER = """
import asyncio, sys
from bindpy.state.db import StateDb

async def run():
    db = StateDb.open(sys.argv[1])
    for serial in range(1, 1_000_000):
        await db.save_ack("_default", b"\\0", "target", serial)
        print(serial, flush=True)

asyncio.run(run())
"""


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    for round_number in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            seen = [process.stdout.readline() for _ in range(50 + 37 * round_number)]
            os.kill(process.pid, signal.SIGKILL)
            seen += process.stdout.readlines()
        last = max(int(line) for line in seen if line.endswith("\n"))

        async def work(db: StateDb, last: int = last) -> None:
            (serial,) = (await db.load_acks()).values()
            assert last <= serial <= last + 1

        using(tmp_path, work)
