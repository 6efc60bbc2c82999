"""The outcome of reading a zone file."""

from __future__ import annotations

from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic
from bindpy.files import FileStamp
from bindpy.zone.protocol import Zone
from bindpy.zone.snapshot import ZoneSnapshot


@dataclass(frozen=True, slots=True)
class LoadedZone:
    """A zone file's outcome: the zone, what was noticed on the way, and every file that it was made of.

    ``zone`` is None when ``diagnostics`` hold an error. ``files`` starts with the zone file; the files
    that it includes follow, also those that could not be opened. ``stamps`` goes with ``files`` and was
    taken *before* each file was read (None: it was not there), so that a write meanwhile shows.
    """

    zone: Zone | None
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...]
    stamps: tuple[FileStamp | None, ...]

    @property
    def is_missing(self) -> bool:
        """Whether the zone file itself was not there."""
        return self.stamps[0] is None

    def is_outdated(self) -> bool:
        """Return whether any of the files is not as it was read. Costs a stat for each."""
        return any(FileStamp.of(path) != stamp for path, stamp in zip(self.files, self.stamps, strict=True))


@dataclass(frozen=True, slots=True)
class LoadedSnapshot(LoadedZone):
    """The outcome where the reader that is written in Python read the file."""

    zone: ZoneSnapshot | None
