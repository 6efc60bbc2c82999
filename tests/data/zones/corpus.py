"""The corpus of zone files: what stands in their first comment lines.

``; origin: NAME`` is the zone. ``; options: …`` are named-checkzone's, where they are not the defaults.
Each ``; expect: REGEXP`` is one finding that must be printed, in this order, after ``FILE:`` of the zone
file itself. Files in ``good`` give no finding, those in ``warn`` no error, those in ``bad`` at least one.
Verdicts (not the wording) were taken from named-checkzone 9.18, which `tests.diff.test_checkzone` repeats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent
_HEAD_OCTETS = 4000
_COMMENT = re.compile(r"; (origin|options|expect): ?(.*?)\r?")


@dataclass(frozen=True, slots=True)
class ZoneFile:
    """One file of the corpus. ``kind`` is good, warn or bad."""

    kind: str
    path: Path
    origin: str
    options: tuple[str, ...]
    expected: tuple[re.Pattern[str], ...]

    def __str__(self) -> str:
        return f"{self.kind}/{self.path.stem}"


def _read(path: Path) -> ZoneFile:
    head = path.read_bytes()[:_HEAD_OCTETS].decode("latin-1")
    values: dict[str, list[str]] = {"origin": [], "options": [], "expect": []}
    for line in head.split("\n"):
        m = _COMMENT.fullmatch(line)
        if m is not None:
            values[m[1]].append(m[2])
    (origin,) = values["origin"]
    options = tuple(" ".join(values["options"]).split())
    expected = tuple(re.compile(regexp) for regexp in values["expect"])
    return ZoneFile(path.parent.name, path, origin, options, expected)


def zone_files(*kinds: str) -> list[ZoneFile]:
    """Return the files of *kinds*, by default of all."""
    return [
        _read(path)
        for kind in kinds or ("good", "warn", "bad")
        for path in sorted((ROOT / kind).glob("*.zone"))
    ]
