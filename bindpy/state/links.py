"""The rows of the journal: one zone's deltas, each linked to the one before it."""

from __future__ import annotations

import sqlite3
import time

from bindpy.deferred import dataclass
from bindpy.zone.names import Key

ZoneId = tuple[str, Key]


@dataclass(frozen=True, slots=True)
class Link:
    """A delta as octets, and which versions it leads from and to."""

    old_serial: int
    old_digest: bytes
    new_serial: int
    new_digest: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """What is kept of one zone: how many deltas, from which serial to which, in how many octets."""

    deltas: int
    from_serial: int
    to_serial: int
    octets: int


def summary(db: sqlite3.Connection, zone_id: ZoneId) -> JournalStatus | None:
    """Return what is kept of the zone, None where that is nothing."""
    of_zone = "FROM deltas WHERE view = ? AND zone = ?"
    query = f"SELECT count(*), min(number), max(number), sum(octets) {of_zone}"
    number, first, last, octets = db.execute(query, zone_id).fetchone()
    if not number:
        return None
    query = "SELECT old_serial FROM deltas WHERE number = ?"
    (from_serial,) = db.execute(query, (first,)).fetchone()
    (to_serial,) = db.execute("SELECT new_serial FROM deltas WHERE number = ?", (last,)).fetchone()
    return JournalStatus(number, from_serial, to_serial, octets)


def zones_with_links(db: sqlite3.Connection) -> list[ZoneId]:
    """Return every zone that has a chain."""
    return db.execute("SELECT DISTINCT view, zone FROM deltas").fetchall()


def append(db: sqlite3.Connection, zone_id: ZoneId, link: Link, max_octets: int, max_links: int) -> int:
    """Add *link* to the zone's chain, which begins with it where it does not fit what is there.

    The oldest links go until the rest holds at most *max_octets* and *max_links*. Returns how many are left.
    """
    query = (
        "SELECT new_serial, new_digest FROM deltas WHERE view = ? AND zone = ? ORDER BY number DESC LIMIT 1"
    )
    last = db.execute(query, zone_id).fetchone()
    if last is not None and last != (link.old_serial, link.old_digest):
        delete(db, zone_id)
    row = (
        *zone_id,
        link.old_serial,
        link.old_digest,
        link.new_serial,
        link.new_digest,
        time.time(),
        len(link.data),
        link.data,
    )
    db.execute(
        "INSERT INTO deltas"
        " (view, zone, old_serial, old_digest, new_serial, new_digest, made_at, octets, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    return _trim(db, zone_id, max_octets, max_links)


def _trim(db: sqlite3.Connection, zone_id: ZoneId, max_octets: int, max_links: int) -> int:
    query = "SELECT number, octets FROM deltas WHERE view = ? AND zone = ? ORDER BY number DESC"
    kept = total = 0
    for number, octets in db.execute(query, zone_id).fetchall():
        total += octets
        if total > max_octets or kept == max_links:
            db.execute("DELETE FROM deltas WHERE view = ? AND zone = ? AND number <= ?", (*zone_id, number))
            break
        kept += 1
    return kept


def cut_after(db: sqlite3.Connection, zone_id: ZoneId, serial: int, digest: bytes) -> bool:
    """Drop the links that come after the version of *serial* and *digest*; whether one leads to it."""
    query = "SELECT max(number) FROM deltas WHERE view = ? AND zone = ? AND new_serial = ? AND new_digest = ?"
    (number,) = db.execute(query, (*zone_id, serial, digest)).fetchone()
    if number is None:
        return False
    db.execute("DELETE FROM deltas WHERE view = ? AND zone = ? AND number > ?", (*zone_id, number))
    return True


def delete(db: sqlite3.Connection, zone_id: ZoneId) -> None:
    """Drop the zone's chain."""
    db.execute("DELETE FROM deltas WHERE view = ? AND zone = ?", zone_id)


def between(db: sqlite3.Connection, zone_id: ZoneId, from_serial: int, to_serial: int) -> list[Link]:
    """Return the links that lead from one serial to the other by the shortest way, if there is one."""
    of_zone = "FROM deltas WHERE view = ? AND zone = ?"
    query = f"SELECT max(number) {of_zone} AND new_serial = ?"
    (last,) = db.execute(query, (*zone_id, to_serial)).fetchone()
    if last is None:
        return []
    query = f"SELECT max(number) {of_zone} AND old_serial = ? AND number <= ?"
    (first,) = db.execute(query, (*zone_id, from_serial, last)).fetchone()
    if first is None:
        return []
    query = (
        f"SELECT old_serial, old_digest, new_serial, new_digest, data {of_zone} "
        "AND number BETWEEN ? AND ? ORDER BY number"
    )
    return [Link(*row) for row in db.execute(query, (*zone_id, first, last))]
