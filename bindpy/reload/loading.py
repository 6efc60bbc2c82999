"""Reading zone files: what the worker thread does. It changes nothing that others see."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from bindpy.config.model import ZoneConfig, ZoneType
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.engine import Zone, ZoneFileReader
from bindpy.files import FileStamp
from bindpy.reload.bind_journal import journal_beyond
from bindpy.reload.collector import without_collector
from bindpy.reload.queue import Wish
from bindpy.reload.table import ZoneEntry
from bindpy.zone.loaded import LoadedZone

log = logging.getLogger("bindpy.zoneload")

BATCH_S = 0.05
"""How long the worker reads before it hands over what it has: zones appear early, hand-overs stay few."""
TORN_READS = 5
"""How often a file that changed while it was read is tried again at once; then its watcher decides."""
LARGE_OCTETS = 1 << 20
"""From which size on a zone file is worth keeping Python's collector from its records."""


@dataclass(frozen=True, slots=True)
class Load:
    """One zone to be read, as it stood when that was decided; ``path`` is its file."""

    wish: Wish
    entry: ZoneEntry
    config: ZoneConfig
    path: str
    served: Zone | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a `Load`."""

    load: Load
    loaded: LoadedZone | None  # None: the files are as they were
    same_data: bool
    seconds: float
    beyond: tuple[str, int] | None = None  # BIND's journal with changes that the file lacks, and its serial


class ZoneLoader:
    """Reads zones with *reader*."""

    def __init__(self, reader: ZoneFileReader) -> None:
        self._reader = reader

    def read_some(self, loads: list[Load]) -> list[Outcome]:
        """Read zones until time is up, one at least."""
        if len(loads) > 1 or _is_large(loads[0]):
            with without_collector():
                return self._read_in_turn(loads)
        return self._read_in_turn(loads)

    def _read_in_turn(self, loads: list[Load]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        deadline = time.monotonic() + BATCH_S
        for load in loads:
            outcomes.append(self._read(load))
            if time.monotonic() > deadline:
                break
        return outcomes

    def _read(self, load: Load) -> Outcome:
        started = time.monotonic()
        before = load.entry.loaded
        if load.wish.only_if_changed and before is not None and not before.is_outdated():
            return Outcome(load, None, same_data=True, seconds=0.0)
        for _ in range(TORN_READS):
            loaded = self._read_file(load)
            if not loaded.is_outdated():
                break
        same_data = loaded.zone is not None and load.served is not None and load.served.same_data(loaded.zone)
        beyond = None
        if loaded.zone is not None and before is None and load.config.type is not ZoneType.SECONDARY:
            beyond = journal_beyond(load.path, loaded.zone.serial)
        return Outcome(load, loaded, same_data, time.monotonic() - started, beyond)

    def _read_file(self, load: Load) -> LoadedZone:
        config, path = load.config, load.path
        try:
            return self._reader(path, config.origin, config.rdclass, config.settings.checks)
        except Exception:
            # A fault of ours in one zone must not take the others down with it.
            log.exception(
                "zone %s: fault in bindpy while reading %s; please report it", load.entry.label, path
            )
            found = Diagnostic(Severity.ERROR, "not read because of a fault in bindpy", SourceSpan(path))
            return LoadedZone(None, (found,), (path,), (FileStamp.of(path),))


def _is_large(load: Load) -> bool:
    stamp = FileStamp.of(load.path)
    return stamp is not None and stamp.size >= LARGE_OCTETS


def absolute_files(loaded: LoadedZone) -> tuple[str, ...]:
    """Return the zone's files as the watcher names them; `$INCLUDE` counts from the working directory."""
    try:
        return tuple([_absolute(path) for path in loaded.files])
    except FileNotFoundError:  # the working directory has been deleted: beside the zone file, most likely
        place = Path(loaded.files[0]).parent
        return tuple(str(place / path) for path in loaded.files)


def _absolute(path: str) -> str:
    if path.startswith("/") and "//" not in path and "/." not in path and not path.endswith("/"):
        return path
    return os.path.abspath(path)  # noqa: PTH100 - for 100,000 zones


def must_load_anew(old: ZoneConfig, new: ZoneConfig) -> bool:
    """Return whether the zone's data may come out differently under the *new* statement."""
    return (old.file, old.type, old.rdclass, old.settings.checks, old.settings.masterfile_format) != (
        new.file,
        new.type,
        new.rdclass,
        new.settings.checks,
        new.settings.masterfile_format,
    )
