"""What the log says of a zone that was loaded, or was not."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from bindpy.config.model import ZoneType
from bindpy.diagnostics import Diagnostic, Severity
from bindpy.engine import Zone
from bindpy.logs import log_lines
from bindpy.reload.loading import Outcome
from bindpy.reload.table import ZoneEntry
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.serials import is_newer

log = logging.getLogger("bindpy.zoneload")


def report_missing(entry: ZoneEntry) -> None:
    """Say that a secondary zone has no file yet."""
    log.info("zone %s: no data yet: %s is not there", entry.label, entry.config.file)


def report_failure(entry: ZoneEntry) -> None:
    """Say why *entry*, whose ``errors`` are those of this load, was not loaded, and what follows from it."""
    secondary = entry.config.type is ZoneType.SECONDARY
    for item in entry.errors:
        _log_lines(logging.WARNING if secondary else logging.ERROR, entry, item)
    if entry.zone is not None:
        log.error("zone %s: reload failed, still serving serial %d", entry.label, entry.zone.serial)
    elif secondary:
        log.warning(
            "zone %s: no data yet: %s cannot be used and will be replaced by a transfer",
            entry.label,
            entry.config.file,
        )
    else:
        log.error("zone %s: not loaded due to errors; its names are answered with SERVFAIL", entry.label)


def report_good_again(entry: ZoneEntry, zone: Zone) -> None:
    """Say that the file has no errors any more, and brings nothing new."""
    log.info("zone %s: good again, data as served (serial %d)", entry.label, zone.serial)


def report_warnings(entry: ZoneEntry, loaded: LoadedZone) -> None:
    """Say what was noticed in files that are good."""
    for item in loaded.diagnostics:
        if item.severity is Severity.WARNING:
            _log_lines(logging.WARNING, entry, item)


def report_all_loaded(changes: Iterable[tuple[ZoneEntry, Zone | None, Zone, Outcome | None]]) -> None:
    """Say of each zone that it is served in place of the one before, and what its operator should know.

    Those that were transferred, without an outcome, have been told of by others.
    """
    lines: list[str] = []
    is_wanted = log.isEnabledFor(logging.INFO)
    for entry, before, zone, outcome in changes:
        if outcome is None:
            continue
        if is_wanted:
            numbers = f"loaded serial {zone.serial} ({zone.rr_count} records, {outcome.seconds:.3f} s)"
            lines.append(f"zone {entry.label}: {numbers}")
        if before is not None or outcome.beyond is not None:
            log_lines(log, logging.INFO, lines)
            lines = []
            _report_doubts(entry, before, zone, outcome)
    log_lines(log, logging.INFO, lines)


def _report_doubts(entry: ZoneEntry, before: Zone | None, zone: Zone, outcome: Outcome) -> None:
    if before is not None and not is_newer(zone.serial, before.serial):
        _warn_of_serial(entry, before.serial, zone.serial)
    if before is not None and entry.config.type is ZoneType.SECONDARY:
        log.warning(
            "zone %s: %s was changed by hand: served, but the next transfer will replace it",
            entry.label,
            entry.config.file,
        )
    if outcome.beyond is not None:
        log.warning(
            "zone %s: BIND's journal %s has changes up to serial %d that the zone file (serial %d) "
            "lacks; it is not read here: run 'rndc sync -clean' in BIND first",
            entry.label,
            *outcome.beyond,
            zone.serial,
        )


def _log_lines(level: int, entry: ZoneEntry, item: Diagnostic) -> None:
    for line in item.log_lines():
        log.log(level, "zone %s: %s", entry.label, line)


def _warn_of_serial(entry: ZoneEntry, old: int, new: int) -> None:
    what = "is unchanged" if old == new else f"went backwards from {old}"
    log.warning(
        "zone %s: the content changed but the serial (%d) %s; the zone is served, but secondaries will not "
        "take it; raise the serial in %s",
        entry.label,
        new,
        what,
        entry.config.file,
    )
