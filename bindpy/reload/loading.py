"""Reading zone files: what the worker thread does. It changes nothing that others see."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bindpy.config.model import ZoneConfig, ZoneType
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.engine import ManyFilesReader, Zone, ZoneFileReader
from bindpy.files import FileStamp
from bindpy.reload.bind_journal import journal_beyond
from bindpy.reload.collector import without_collector
from bindpy.reload.queue import Wish
from bindpy.reload.table import ZoneEntry
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.records import IN

log = logging.getLogger("bindpy.zoneload")

BATCH_S = 0.05
"""How long the worker reads before it hands over what it has: zones appear early, hand-overs stay few."""
TORN_READS = 5
"""How often a file that changed while it was read is tried again at once; then its watcher decides."""
LARGE_OCTETS = 1 << 20
"""From which size on a zone file is worth keeping Python's collector from its records."""


class Load(NamedTuple):
    """One zone to be read, as it stood when that was decided; ``path`` is its file.

    ``expected`` is what its watcher has to say of that.
    """

    wish: Wish
    entry: ZoneEntry
    config: ZoneConfig
    path: str
    served: Zone | None
    expected: object = None


class Outcome(NamedTuple):
    """What came of a `Load`.

    ``is_file``: the zone's only file is no symbolic link, and was after reading as it had been before.
    """

    load: Load
    loaded: LoadedZone | None  # None: the files are as they were
    same_data: bool
    seconds: float
    beyond: tuple[str, int] | None = None  # BIND's journal with changes that the file lacks, and its serial
    is_file: bool = False


class ZoneLoader:
    """Reads zones with *reader*; with *many*, where there is one, those that were not read before."""

    def __init__(self, reader: ZoneFileReader, many: ManyFilesReader | None) -> None:
        self._reader = reader
        self._many = many

    def read_some(self, loads: list[Load]) -> list[Outcome]:
        """Read zones until time is up, one at least."""
        if len(loads) > 1 or _is_large(loads[0]):
            with without_collector():
                return self._read_in_turn(loads)
        return self._read_in_turn(loads)

    def _read_in_turn(self, loads: list[Load]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        deadline = time.monotonic() + BATCH_S
        while len(outcomes) < len(loads) and (not outcomes or time.monotonic() < deadline):
            alike = self._alike(loads, len(outcomes))
            if alike:
                outcomes += self._read_many(alike, max(0.0, deadline - time.monotonic()))
            else:
                outcomes.append(self._read(loads[len(outcomes)]))
        return outcomes

    def _alike(self, loads: list[Load], start: int) -> list[Load]:
        """Return the loads from *start* on that can be read together: none where the first cannot."""
        if self._many is None:
            return []
        checks = loads[start].config.settings.checks
        for end in range(start, len(loads)):
            load = loads[end]
            if (
                load.served is not None
                or load.entry.loaded is not None
                or load.config.rdclass != IN
                or load.config.settings.checks != checks
            ):
                return loads[start:end]
        return loads[start:]

    def _read_many(self, loads: list[Load], within_s: float) -> Iterator[Outcome]:
        assert self._many is not None
        checks = loads[0].config.settings.checks
        try:
            found = self._many([(load.path, load.config.origin) for load in loads], checks, within_s=within_s)
        except Exception:
            log.exception(
                "fault in bindpy while reading many zones; please report it; reading them one by one"
            )
            found = [None]
        for load, plain in zip(loads, found, strict=False):
            if plain is None:
                yield self._read(load)
                continue
            loaded, seconds, is_link, has_journal = plain
            beyond = None
            if has_journal and loaded.zone is not None and load.config.type is not ZoneType.SECONDARY:
                beyond = journal_beyond(load.path, loaded.zone.serial)
            yield Outcome(load, loaded, False, seconds, beyond, not is_link)

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
    if len(loaded.files) == 1 and _is_absolute(loaded.files[0]):
        return loaded.files
    try:
        return tuple([_absolute(path) for path in loaded.files])
    except FileNotFoundError:  # the working directory has been deleted: beside the zone file, most likely
        place = Path(loaded.files[0]).parent
        return tuple(str(place / path) for path in loaded.files)


def _is_absolute(path: str) -> bool:
    return path.startswith("/") and "//" not in path and "/." not in path and not path.endswith("/")


def _absolute(path: str) -> str:
    return path if _is_absolute(path) else os.path.abspath(path)  # noqa: PTH100 - for 100,000 zones


def must_load_anew(old: ZoneConfig, new: ZoneConfig) -> bool:
    """Return whether the zone's data may come out differently under the *new* statement."""
    return (old.file, old.type, old.rdclass, old.settings.checks, old.settings.masterfile_format) != (
        new.file,
        new.type,
        new.rdclass,
        new.settings.checks,
        new.settings.masterfile_format,
    )
