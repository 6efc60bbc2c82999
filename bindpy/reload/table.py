"""Every configured zone and what became of it. Touched by the event loop's thread only."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import field

from bindpy.config.model import ZoneConfig
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic
from bindpy.engine import Zone
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.names import Key, to_text
from bindpy.zone.rdata import class_to_text

ZoneId = tuple[str, Key]
"""View name and the origin's key."""


class ZoneState(enum.Enum):
    """Where a zone stands; only `SERVED` and `EXPIRED` have data."""

    WAITING = "waiting"  # to be loaded, or a secondary that has no data yet
    SERVED = "served"
    EXPIRED = "expired"  # a secondary that could not be refreshed in time; answers SERVFAIL
    FAILED = "failed"  # never loaded; answers SERVFAIL


@dataclass(slots=True)
class ZoneEntry:
    """One zone's present. ``errors`` are those of the last attempt to load it, empty when that went well."""

    config: ZoneConfig
    zone: Zone | None = None
    files: tuple[str, ...] = ()
    loaded: LoadedZone | None = None  # the last attempt, good or bad
    errors: tuple[Diagnostic, ...] = ()
    loaded_at: float | None = None
    expired: bool = False
    is_stored: bool = False  # the file was written by us and not read since
    frozen: bool = False  # its file is somebody else's for now
    id: ZoneId = field(init=False)  # the key in the table

    def __post_init__(self) -> None:
        self.id = self.config.id
        if self.config.file is not None:
            self.files = (self.config.file,)

    @property
    def label(self) -> str:
        """How logs name it: ``example.com/IN``, and its view where that has a name."""
        config = self.config
        origin = to_text(config.origin)
        name = origin[:-1] if len(origin) > 1 else origin
        suffix = "" if config.view == "_default" else f"/{config.view}"
        return f"{name}/{class_to_text(config.rdclass)}{suffix}"

    @property
    def is_unsound(self) -> bool:
        """Whether it should be read also when its files are as they were."""
        return self.zone is None or bool(self.errors)

    @property
    def state(self) -> ZoneState:
        """Where the zone stands."""
        if self.zone is not None:
            return ZoneState.EXPIRED if self.expired else ZoneState.SERVED
        return ZoneState.FAILED if self.errors else ZoneState.WAITING


class ZoneTable:
    """The zones by id and by the files that they are made of."""

    def __init__(self) -> None:
        self._entries: dict[ZoneId, ZoneEntry] = {}
        self._by_file: dict[str, ZoneId | set[ZoneId]] = {}  # a set where several have the file

    def __iter__(self) -> Iterator[ZoneEntry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, zone_id: ZoneId) -> bool:
        return zone_id in self._entries

    def get(self, zone_id: ZoneId) -> ZoneEntry | None:
        """Return the zone, or None when it is not (or no longer) configured."""
        return self._entries.get(zone_id)

    def add(self, entry: ZoneEntry) -> None:
        """Add a zone, in place of one with the same id."""
        if entry.id in self._entries:
            self.remove(entry.id)
        self._entries[entry.id] = entry
        self._link(entry, entry.files)

    def remove(self, zone_id: ZoneId) -> ZoneEntry | None:
        """Forget a zone and return what was known of it."""
        entry = self._entries.pop(zone_id, None)
        if entry is not None:
            self._unlink(entry)
        return entry

    def set_files(self, entry: ZoneEntry, files: tuple[str, ...]) -> None:
        """Note the files that *entry* is made of."""
        if files != entry.files:
            self._unlink(entry)
            self._link(entry, files)
        entry.files = files  # which may be shared with what was loaded

    def made_of(self, paths: Iterable[str]) -> set[ZoneId]:
        """Return the zones that any of *paths* is part of."""
        found: set[ZoneId] = set()
        for path in paths:
            zones = self._by_file.get(path, set())
            if isinstance(zones, set):
                found |= zones
            else:
                found.add(zones)
        return found

    def _link(self, entry: ZoneEntry, files: Iterable[str]) -> None:
        for path in files:
            zones = self._by_file.setdefault(path, entry.id)
            if zones is entry.id:
                continue
            if isinstance(zones, set):
                zones.add(entry.id)
            elif zones != entry.id:
                self._by_file[path] = {zones, entry.id}

    def _unlink(self, entry: ZoneEntry) -> None:
        for path in entry.files:
            zones = self._by_file.get(path)
            if isinstance(zones, set):
                zones.discard(entry.id)
            if not zones or zones == entry.id:
                self._by_file.pop(path, None)
