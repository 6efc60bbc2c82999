"""From a zone file to a zone that may be served: read, check, and say what was found."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bindpy.config.model import ZoneChecks
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.files import FileStamp
from bindpy.zone.checks import check_records, check_zone
from bindpy.zone.loaded import LoadedSnapshot
from bindpy.zone.names import Name, to_text
from bindpy.zone.raw import MAGIC, RawZone
from bindpy.zone.reader import ZoneText, read_zone_text
from bindpy.zone.snapshot import NoSoaError, ZoneSnapshot
from bindpy.zone.source import UnreadableError, open_zone_file

MAX_RAW_OCTETS = 1 << 32
"""The largest raw file that is read; it is in memory while it is."""


def load_zone_file(
    path: str, origin: Name, rdclass: int, checks: ZoneChecks, *, directory: str = ""
) -> LoadedSnapshot:
    """Read the zone *origin* from *path* and judge it by *checks*.

    Relative paths, those in $INCLUDE too, are relative to *directory*, by default the current one. Never
    raises for what the file holds or for a file that cannot be read: then ``zone`` is None and the
    diagnostics say why, in the order of the text. A file that was written to while it was read shows in
    `LoadedZone.is_outdated`: what was read may be torn, so read it again.
    """
    raw = _read_raw(path, origin, rdclass, directory)
    if raw is not None:
        return judge(raw, origin, checks)
    return judge(read_zone_text(path, origin, rdclass, directory=directory), origin, checks)


def _read_raw(path: str, origin: Name, rdclass: int, directory: str) -> RawZone | None:
    """Return the zone in *path* if that is in BIND's raw format, which shows in its first octets."""
    place = str(Path(directory, path))
    stamp = FileStamp.of(place)
    try:
        file = open_zone_file(place)
    except UnreadableError:
        return None  # the reader of texts will say why
    try:
        octets = file.read(len(MAGIC))
        if octets != MAGIC:
            return None
        octets += file.read(MAX_RAW_OCTETS)
    except OSError:
        return None
    finally:
        file.close()
    return RawZone(path, octets, stamp, origin, rdclass)


def load_zone_octets(
    name: str, text: bytes, origin: Name, rdclass: int, checks: ZoneChecks, *, directory: str = ""
) -> LoadedSnapshot:
    """Like `load_zone_file` for *text* that is in memory; *name* stands for it in messages."""
    return judge(read_zone_text(name, origin, rdclass, text=text, directory=directory), origin, checks)


def judge(text: ZoneText | RawZone, origin: Name, checks: ZoneChecks) -> LoadedSnapshot:
    """Return the zone that *text* holds, or why there is none, by *checks*."""
    found: list[Diagnostic] = list(text.diagnostics)
    zone: ZoneSnapshot | None = None
    try:
        zone = text.builder.finish()
    except NoSoaError:
        if not text.has_errors:
            found.append(_no_soa(text.files[0], origin))
    else:
        # Where lines are missing, what other lines point at may be missing only because of that.
        check = check_records if text.has_errors else check_zone
        found += check(zone, checks, text.locate)
    if any(item.severity is Severity.ERROR for item in found):
        zone = None
    return LoadedSnapshot(zone, in_text_order(found, text.files), text.files, text.stamps)


def in_text_order(found: Iterable[Diagnostic], files: tuple[str, ...]) -> tuple[Diagnostic, ...]:
    """Sort *found* by place, *files* in the order that they have here; those without a place come last."""
    order = {file: number for number, file in enumerate(files)}

    def place(item: Diagnostic) -> tuple[int, int, int]:
        span = item.span
        return (order.get(span.file, len(order)), span.line, span.column) if span else (len(order) + 1, 0, 0)

    return tuple(sorted(found, key=place))


def _no_soa(path: str, origin: Name) -> Diagnostic:
    return Diagnostic(
        Severity.ERROR,
        f"zone '{to_text(origin)}' has no SOA record",
        SourceSpan(path),
        "the first record of a zone file is its SOA, owned by the zone's own name (RFC 1035 section 5.2)",
    )
