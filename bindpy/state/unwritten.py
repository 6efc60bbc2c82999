"""The rows of deltas that are served and not yet in their zone's file, and what that file looks like.

Of a zone there are its deltas, numbered in their order, and one or more looks of its file, each with the
number of the last delta that such a file holds already. A file's look is added just before it is renamed into
place: so whenever the process ends, the file that is there has one of the looks, if nobody has touched it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from bindpy.files import FileStamp
from bindpy.zone.names import Key

ZoneId = tuple[str, Key]


class Look(NamedTuple):
    """What tells one file from all others: what `FileStamp` has, but for the time that renaming changes."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, stamp: FileStamp) -> Look:
        """Return the look of a file with *stamp*."""
        return cls(*stamp.fields[:4])


Rows = tuple[dict[Look, int], list[tuple[int, bytes]]]
"""The looks of one zone's file with the number of the last delta in it, and the deltas with theirs."""


def load(db: sqlite3.Connection) -> dict[ZoneId, Rows]:
    """Return what there is of every zone."""
    found: dict[ZoneId, Rows] = {}
    for view, zone, number, data in db.execute(
        "SELECT view, zone, number, data FROM unwritten ORDER BY number"
    ):
        found.setdefault((view, zone), ({}, []))[1].append((number, data))
    for view, zone, after, *look in db.execute(
        "SELECT view, zone, after, device, inode, size, mtime_ns FROM unwritten_looks"
    ):
        found.setdefault((view, zone), ({}, []))[0][Look(*map(int, look))] = after
    return found


def add(
    db: sqlite3.Connection, zone_id: ZoneId, base: Look | None, after: int, deltas: Iterable[bytes]
) -> list[int]:
    """Add *deltas*, which lead on from that with the number *after*, and return their numbers.

    *base* is the file's look where they are the zone's first. What was added after *after* was never served:
    a refresh was cancelled.
    """
    if base is not None:
        forget(db, zone_id)
        add_look(db, zone_id, base, 0)
    db.execute("DELETE FROM unwritten WHERE view = ? AND zone = ? AND number > ?", (*zone_id, after))
    statement = "INSERT INTO unwritten (view, zone, data) VALUES (?, ?, ?)"
    return [db.execute(statement, (*zone_id, data)).lastrowid or 0 for data in deltas]


def add_look(db: sqlite3.Connection, zone_id: ZoneId, look: Look, after: int) -> bool:
    """Note that a file with *look* holds all up to the delta with the number *after*; True."""
    # SQLite's integers have 63 bits, and inodes may have 64
    row = (*zone_id, *map(str, look), after)
    db.execute(
        "INSERT INTO unwritten_looks (view, zone, device, inode, size, mtime_ns, after)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    return True


def written(db: sqlite3.Connection, zone_id: ZoneId, after: int) -> None:
    """Forget the deltas up to the number *after*: the file that holds them has its name for good."""
    db.execute("DELETE FROM unwritten_looks WHERE view = ? AND zone = ? AND after < ?", (*zone_id, after))
    drop(db, zone_id, after)


def drop(db: sqlite3.Connection, zone_id: ZoneId, last: int) -> None:
    """Forget the deltas up to the number *last*, and all of the zone where there are no others."""
    db.execute("DELETE FROM unwritten WHERE view = ? AND zone = ? AND number <= ?", (*zone_id, last))
    query = "SELECT 1 FROM unwritten WHERE view = ? AND zone = ? LIMIT 1"
    if db.execute(query, zone_id).fetchone() is None:
        forget(db, zone_id)


def forget(db: sqlite3.Connection, zone_id: ZoneId) -> None:
    """Forget all of a zone."""
    for table in ("unwritten", "unwritten_looks"):
        db.execute(f"DELETE FROM {table} WHERE view = ? AND zone = ?", zone_id)
