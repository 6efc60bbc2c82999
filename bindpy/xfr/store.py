"""A zone that was transferred becomes a zone file, whole or not at all.

Written under another name in the same directory, flushed to the disk, read back and compared, and only then
renamed over the old file. Whatever fails, and whenever the power does, the old file is as it was. Everything
here blocks: call it in a worker thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bindpy import __version__
from bindpy.config.model import ZoneChecks
from bindpy.diagnostics import BindpyError, Diagnostic, Severity
from bindpy.engine import PYTHON_ZONES, Zone, Zones
from bindpy.files import FileStamp
from bindpy.reload.collector import without_collector
from bindpy.replacing import TEMPORARY, ReplaceError, Replacement, reason, replacing, sync_directory
from bindpy.state.unwritten import Look
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.names import to_text
from bindpy.zone.records import IN

LARGE_RECORDS = 10_000
"""From so many records on, a zone is worth keeping Python's collector from it."""
_BUFFER_OCTETS = 1 << 18


class StoreError(BindpyError):
    """A zone that could not be stored, and what to do; the old file is untouched."""


def store_zone(
    zone: Zone,
    path: str,
    *,
    checks: ZoneChecks,
    origin_of_data: str,
    raw: bool = False,
    zones: Zones = PYTHON_ZONES,
    before_rename: Callable[[Look], None] = lambda _: None,
) -> LoadedZone:
    """Make *path* the zone file of *zone* and return it as it was read back.

    The stamps are those of the file in its place. *origin_of_data*, such as "192.0.2.1#53 by AXFR", goes into
    a comment. *raw* is BIND's binary format instead of text. *checks* are those that the file will be
    loaded with; what they refuse is not stored. *before_rename* is told the look of the file when all else is
    done, and may raise `StoreError`. Symbolic links are followed; mode and, where allowed, owner
    of the old file are kept. Raises `StoreError`.

    Until `make_lasting` has been called, too, a power cut may bring the old file back, whole.
    """
    large = zone.rr_count >= LARGE_RECORDS and zones.write_checked is None  # else no objects are made of it
    with without_collector() if large else contextlib.nullcontext():
        return _store(_New(zone, path, checks, None if raw else origin_of_data, zones), before_rename)


class _New(NamedTuple):
    """What is to be stored; ``origin_of_data`` is None for BIND's binary format."""

    zone: Zone
    path: str
    checks: ZoneChecks
    origin_of_data: str | None
    zones: Zones


def _store(what: _New, before_rename: Callable[[Look], None]) -> LoadedZone:
    zone, zones = what.zone, what.zones
    target = Path(os.path.realpath(what.path))
    try:
        with replacing(target) as new:  # its lock says to `remove_stale` that somebody is at work
            loaded = _write_and_read_back(new, zone, what.checks, what.origin_of_data, zones)
            loaded = _judged(loaded, new.path, target, zone)
            before_rename(Look.of(FileStamp.of_stat(os.fstat(new.descriptor))))
            stamp = new.rename()
    except ReplaceError as e:
        raise StoreError(str(e)) from None
    return replace(loaded, files=(what.path,), stamps=(stamp,))


def make_lasting(path: str) -> None:
    """Have the file that was stored as *path* outlast a power cut. Raises `StoreError`."""
    directory = Path(os.path.realpath(path)).parent
    try:
        sync_directory(directory)
    except OSError as e:
        raise StoreError(reason(f"cannot flush the directory {directory}", e)) from None


def remove_stale(directories: Iterable[str]) -> list[str]:
    """Remove what interrupted stores left in *directories*; return the paths.

    A file that a living process is writing stays. What cannot be removed stays too: it does no harm.
    """
    removed: list[str] = []
    for directory in directories:
        try:
            found = [path for path in Path(directory).iterdir() if TEMPORARY.fullmatch(path.name)]
        except OSError:
            continue
        removed += [str(path) for path in found if _remove_if_abandoned(path)]
    return removed


def _remove_if_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _write_and_read_back(
    new: Replacement, zone: Zone, checks: ZoneChecks, origin_of_data: str | None, zones: Zones
) -> LoadedZone:
    """Write *zone* to *new*, flushed to the disk, and return it as it will be read at the next start."""
    if origin_of_data is None:
        _write_raw(new.descriptor, zone, zones)
        new.flush()
    else:
        comments = _comments(zone, origin_of_data)
        if zones.write_checked is not None and zone.rdclass == IN:
            checked = zones.write_checked(zone, new.descriptor, str(new.path), comments, checks)
            if checked is not None:
                return checked
        else:
            _write(new.descriptor, zone, zones, comments)
            new.flush()
    return zones.read_file(str(new.path), zone.origin, zone.rdclass, checks)


def _comments(zone: Zone, origin_of_data: str) -> tuple[str, ...]:
    return (
        f"Zone {to_text(zone.origin)}: serial {zone.serial}, from {origin_of_data},",
        f"written by bindpy {__version__} at {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}.",
        "The next transfer writes this file anew: what is edited here is lost.",
    )


def _write(descriptor: int, zone: Zone, zones: Zones, comments: tuple[str, ...]) -> None:
    with open(
        descriptor, "w", encoding="ascii", newline="\n", buffering=_BUFFER_OCTETS, closefd=False
    ) as file:
        file.writelines(zones.text(zone, comments))


def _write_raw(descriptor: int, zone: Zone, zones: Zones) -> None:
    with open(descriptor, "wb", buffering=_BUFFER_OCTETS, closefd=False) as file:
        file.writelines(zones.raw(zone))


def _judged(loaded: LoadedZone, temporary: Path, target: Path, zone: Zone) -> LoadedZone:
    """Return what was read back of *zone*, if that is what it is. Raises `StoreError`."""
    found = tuple(_at(item, str(temporary), str(target)) for item in loaded.diagnostics)
    if loaded.zone is None:
        errors = [item for item in found if item.severity is Severity.ERROR]
        raise StoreError(f"the zone cannot be used: {errors[0].message}" if errors else "cannot be read back")
    if not loaded.zone.same_data(zone):
        raise StoreError(f"what was written for {target} reads differently; the file is left as it was")
    return replace(loaded, diagnostics=found)


def _at(item: Diagnostic, temporary: str, target: str) -> Diagnostic:
    """Return *item* with the file's lasting name."""
    span = item.span
    if span is not None and span.file == temporary:
        span = replace(span, file=target)
    return replace(item, span=span, notes=tuple(_at(note, temporary, target) for note in item.notes))
