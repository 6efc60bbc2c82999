"""The state database: one SQLite file, one thread that uses it, calls that never block the event loop.

Everything in it can be learned again, so it is safe to delete, and a fault of it is a warning and never
stops replication. A transaction is acknowledged when it is in the write-ahead log: the end of this
process, however sudden, loses none. ``synchronous=NORMAL`` leaves out the flush to disk on each commit:
a power cut may take back the last few transactions, whole ones only. That costs a refresh or a NOTIFY
more after it, and deltas that do not reach the zone file's version are found out by their digest; a flush
for each of 10,000 zones that refresh would cost minutes.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from bindpy.deferred import dataclass
from bindpy.state.schema import TABLES, NewerSchemaError, migrate
from bindpy.zone.names import Key

FILE_NAME = "state.db"
FILE_MODE = 0o600
BUSY_TIMEOUT_S = 2.0
"""How long to wait while somebody looks at the database with ``sqlite3`` and holds a lock."""

_T = TypeVar("_T")
_ZoneId = tuple[str, Key]

log = logging.getLogger("bindpy.general")

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})


@dataclass(frozen=True, slots=True)
class ZoneTimes:
    """Where a secondary zone stood. Times are seconds since 1970.

    ``primary_serial`` is the serial as fetched (None: never), ``refreshed_at`` when a primary last
    confirmed or sent the data, ``last_primary`` the one that did, as ``ADDRESS#PORT``. ``served_serial`` is
    the serial in the zone's file (None: as fetched), which the script whose digest is ``filtered_by``
    (empty: none) may have rewritten.
    """

    view: str
    key: Key
    primary_serial: int | None
    refreshed_at: float
    next_refresh_at: float
    expires_at: float
    last_primary: str
    served_serial: int | None = None
    filtered_by: bytes = b""

    def is_about(self, serial: int) -> bool:
        """Return whether this is known of the version that has *serial* in its file."""
        return serial == (self.primary_serial if self.served_serial is None else self.served_serial)


class StateDb:
    """The open database. Make it with `open`; the methods belong to the event loop's thread.

    Where the database cannot be used, what is asked for is not there and what is saved is lost; each kind
    of trouble is logged when it begins and when it has ended, not for every call.
    """

    def __init__(self, path: Path | None, connection: sqlite3.Connection, lock: int | None) -> None:
        self.path = path
        """The file; None: what is saved is kept in memory only."""
        self._connection = connection
        self._lock = lock
        self._trouble: str | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")

    @classmethod
    def open(cls, directory: str) -> StateDb:
        """Open the database in *directory*, or make it. Blocks for a moment; never raises.

        One that is damaged or of a later version is moved aside, with a warning. Where the directory cannot
        be used or another server uses it, the state is kept in memory only, with a warning.
        """
        path = Path(directory) / FILE_NAME
        lock: int | None = None
        try:
            lock = _lock_directory(directory)
            return cls(path, _open_or_begin_anew(path), lock)
        except (OSError, sqlite3.Error) as error:
            if lock is not None:
                os.close(lock)
            log.warning(
                "state database '%s' cannot be used: %s; timers, acknowledged NOTIFYs and IXFR deltas are "
                "kept in memory only, and learned again after a restart; set state-directory to a "
                "directory that this server may write to",
                path,
                "another server uses it" if isinstance(error, BlockingIOError) else _reason(error),
            )
            return cls(None, _connect(":memory:"), None)

    async def close(self) -> None:
        """Finish what is waiting and close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()
        if self._lock is not None:
            os.close(self._lock)

    def _close(self) -> None:
        self._connection.close()  # which may be another one than when this was asked for

    # --- transactions -----------------------------------------------------------------------------

    async def run(
        self, work: Callable[[sqlite3.Connection], _T], otherwise: _T, *, lasting: bool = False
    ) -> _T:
        """Return what *work* returns, run as one transaction in the database's thread, in order of calls.

        Returns *otherwise* when the database fails, which is logged. Nothing of *work* has happened then.
        *lasting*: what it does outlasts a power cut, as does all before it.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._run, work, otherwise, lasting
        )

    def _run(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T, lasting: bool) -> _T:
        try:
            if lasting:
                self._connection.execute("PRAGMA synchronous = FULL")
            try:
                result = self._transact(work)
            finally:
                if lasting:
                    self._connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error as error:
            if self.path is not None and _is_damaged(error):
                return self._begin_anew(self.path, error, otherwise)
            self._note_trouble(_reason(error))
            return otherwise
        if self._trouble is not None:
            log.info("state database '%s' works again", self.path)
            self._trouble = None
        return result

    def _transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def _begin_anew(self, path: Path, error: sqlite3.Error, otherwise: _T) -> _T:
        self._connection.close()
        try:
            _move_aside(path, "corrupt", _reason(error))
            self._connection = _open_file(path)
        except (OSError, sqlite3.Error) as again:
            self._connection = _connect(":memory:")
            self._note_trouble(f"it is damaged and cannot be replaced: {_reason(again)}")
            # From here on nothing is lasting, and nothing else is wrong.
            self.path = self._trouble = None
        return otherwise

    def _note_trouble(self, reason: str) -> None:
        if reason != self._trouble:
            log.warning(
                "state database '%s': %s; what is not saved now is learned again after a restart",
                self.path,
                reason,
            )
            self._trouble = reason

    # --- secondary zones --------------------------------------------------------------------------

    async def load_times(self) -> dict[_ZoneId, ZoneTimes]:
        """Return what is known of every secondary zone, by view and key."""
        rows: list[tuple[Any, ...]] = await self.run(
            lambda db: db.execute("SELECT * FROM times").fetchall(), []
        )
        return {(row[0], row[1]): ZoneTimes(*row) for row in rows}

    async def save_times(self, *times: ZoneTimes) -> None:
        """Remember each of *times* in place of what was known of its zone."""
        rows = [
            (
                one.view,
                one.key,
                one.primary_serial,
                one.refreshed_at,
                one.next_refresh_at,
                one.expires_at,
                one.last_primary,
                one.served_serial,
                one.filtered_by,
            )
            for one in times
        ]
        statement = "INSERT OR REPLACE INTO times VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        await self.run(lambda db: _nothing(db.executemany(statement, rows)), None)

    # --- NOTIFY -----------------------------------------------------------------------------------

    async def load_acks(self) -> dict[tuple[str, Key, str], int]:
        """Return the serial that each target has acknowledged, by view, key and target."""
        query = "SELECT view, zone, target, serial FROM acks"
        rows: list[tuple[str, Key, str, int]] = await self.run(lambda db: db.execute(query).fetchall(), [])
        return {(view, key, target): serial for view, key, target, serial in rows}

    async def save_ack(self, view: str, key: Key, target: str, serial: int) -> None:
        """Remember that *target* has acknowledged *serial*."""
        row = (view, key, target, serial, time.time())
        await self.run(
            lambda db: _nothing(db.execute("INSERT OR REPLACE INTO acks VALUES (?, ?, ?, ?, ?)", row)), None
        )

    # --- all zones --------------------------------------------------------------------------------

    async def retain(self, zones: Collection[_ZoneId]) -> None:
        """Forget every zone that is not among *zones*."""
        wanted = frozenset(zones)

        def work(db: sqlite3.Connection) -> None:
            for table in TABLES:
                known = db.execute(f"SELECT DISTINCT view, zone FROM {table}").fetchall()
                gone = [zone for zone in known if zone not in wanted]
                db.executemany(f"DELETE FROM {table} WHERE view = ? AND zone = ?", gone)

        await self.run(work, None)

    async def forget(self, zone: _ZoneId) -> None:
        """Forget one zone."""

        def work(db: sqlite3.Connection) -> None:
            for table in TABLES:
                db.execute(f"DELETE FROM {table} WHERE view = ? AND zone = ?", zone)

        await self.run(work, None)


def _nothing(_: object) -> None:
    """Make a statement's cursor, which must not leave its thread, into no result."""


def _lock_directory(directory: str) -> int:
    """Return a descriptor that keeps other servers out. Raises `OSError`."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _open_or_begin_anew(path: Path) -> sqlite3.Connection:
    try:
        return _open_file(path)
    except NewerSchemaError as error:
        _move_aside(path, "newer", str(error))
    except sqlite3.Error as error:
        if not _is_damaged(error) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        _move_aside(path, "corrupt", _reason(error))
    return _open_file(path)


def _open_file(path: Path) -> sqlite3.Connection:
    # SQLite gives its other files the mode of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE))
    return _connect(str(path))


def _connect(place: str) -> sqlite3.Connection:
    connection = sqlite3.connect(place, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_damaged(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _move_aside(path: Path, word: str, reason: str) -> None:
    """Rename the database and what belongs to it. Raises `OSError`."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.{word}-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    log.warning(
        "state database '%s' cannot be read (%s): moved to '%s'; beginning anew: timers, acknowledged "
        "NOTIFYs and IXFR deltas are learned again",
        path,
        reason,
        aside,
    )
