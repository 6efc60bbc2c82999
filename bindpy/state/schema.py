"""The tables of the state database and how older ones become them."""

from __future__ import annotations

import sqlite3

from bindpy.diagnostics import BindpyError

_MIGRATIONS = (
    """
    CREATE TABLE times (
        view TEXT NOT NULL, zone BLOB NOT NULL,
        primary_serial INTEGER, refreshed_at REAL NOT NULL, next_refresh_at REAL NOT NULL,
        expires_at REAL NOT NULL, last_primary TEXT NOT NULL,
        PRIMARY KEY (view, zone)
    ) WITHOUT ROWID;
    CREATE TABLE acks (
        view TEXT NOT NULL, zone BLOB NOT NULL, target TEXT NOT NULL,
        serial INTEGER NOT NULL, acknowledged_at REAL NOT NULL,
        PRIMARY KEY (view, zone, target)
    ) WITHOUT ROWID;
    CREATE TABLE deltas (
        number INTEGER PRIMARY KEY, view TEXT NOT NULL, zone BLOB NOT NULL,
        old_serial INTEGER NOT NULL, old_digest BLOB NOT NULL,
        new_serial INTEGER NOT NULL, new_digest BLOB NOT NULL,
        made_at REAL NOT NULL, octets INTEGER NOT NULL, data BLOB NOT NULL
    );
    CREATE INDEX deltas_of_zone ON deltas (view, zone, number);
    """,
    """
    ALTER TABLE times ADD COLUMN served_serial INTEGER;
    ALTER TABLE times ADD COLUMN filtered_by BLOB NOT NULL DEFAULT x'';
    """,
    """
    CREATE TABLE unwritten (
        number INTEGER PRIMARY KEY AUTOINCREMENT, view TEXT NOT NULL, zone BLOB NOT NULL, data BLOB NOT NULL
    );
    CREATE INDEX unwritten_of_zone ON unwritten (view, zone, number);
    CREATE TABLE unwritten_looks (
        view TEXT NOT NULL, zone BLOB NOT NULL, device TEXT NOT NULL, inode TEXT NOT NULL, size TEXT NOT NULL,
        mtime_ns TEXT NOT NULL, after INTEGER NOT NULL
    );
    """,
)
"""The script at index *n* leads from version *n* to the next; a new database runs them all."""

VERSION = len(_MIGRATIONS)

TABLES = ("times", "acks", "deltas", "unwritten", "unwritten_looks")
"""All of them have the columns ``view`` and ``zone``, the zone's key."""


class NewerSchemaError(BindpyError):
    """The database was written by a later version of bindpy."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to `VERSION`, wholly or not at all.

    Raises `NewerSchemaError`, and `sqlite3.Error` when it is not a database of ours.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise NewerSchemaError(f"its version is {version}, this bindpy knows {VERSION}")
    if version < VERSION:
        steps = "".join(_MIGRATIONS[version:])
        connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT;")
    for table in TABLES:
        connection.execute(f"SELECT view, zone FROM {table} LIMIT 1").fetchone()
