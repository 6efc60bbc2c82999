"""The outcome of reading a zone file."""

from __future__ import annotations

from dataclasses import dataclass

from bindpy.diagnostics import Diagnostic
from bindpy.zone.snapshot import ZoneSnapshot


@dataclass(frozen=True, slots=True)
class LoadedZone:
    """A zone file's outcome: the zone, what was noticed on the way, and every file that it was made of.

    ``zone`` is None when ``diagnostics`` hold an error. ``files`` starts with the zone file; the files
    that it includes follow, also those that could not be opened.
    """

    zone: ZoneSnapshot | None
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...]
