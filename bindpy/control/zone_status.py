"""All that is known of one zone: as values for programs, and in the words of BIND's ``zonestatus``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bindpy.config.model import ProvisionedBy, ZoneConfig, ZoneType
from bindpy.control.server import ControlledServer
from bindpy.control.times import http_date, iso
from bindpy.control.zones import error_lines, zone_name
from bindpy.reload.table import ZoneEntry
from bindpy.xfr.notify_queue import TargetStatus
from bindpy.xfr.report import TransferReport
from bindpy.xfr.secondary import SecondaryStatus
from bindpy.zone.rdata import class_to_text
from bindpy.zone.records import RRType


async def zone_data(server: ControlledServer, entry: ZoneEntry) -> dict[str, Any]:
    """Return all that is known of a zone as JSON values; docs/verbs.md says what they mean."""
    status = server.replication.status(entry.id)
    secondary = status.secondary
    journal = await server.replication.journal_status(entry.id)
    settings = entry.config.settings
    zone = entry.zone
    return {
        **zone_summary(entry),
        "records": zone.rr_count if zone is not None else None,
        "names": zone.node_count if zone is not None else None,
        "signed": _is_signed(entry),
        "queries": server.engine.answerer.zone_queries(entry.config.view, entry.config.origin),
        "file": entry.config.file,
        "files": list(entry.files),
        "watched": settings.watch and not entry.frozen,
        "frozen": entry.frozen,
        "loaded_at": iso(entry.loaded_at),
        "errors": [error.as_json() for error in entry.errors],
        "error": _trouble(entry, secondary),
        "statement": str(entry.config.span),
        "kept_in": entry.config.kept_in or None,
        "provisioned_by": _provisioned_by(entry.config.provisioned_by),
        "secondary": _secondary(entry.config, secondary) if secondary is not None else None,
        "filter": _filter(settings.lua_axfr_script, secondary),
        "notify": {"mode": settings.notify, "targets": [_target(one) for one in status.targets]},
        "journal": None
        if journal is None
        else {
            "deltas": journal.deltas,
            "from_serial": journal.from_serial,
            "to_serial": journal.to_serial,
            "octets": journal.octets,
        },
    }


def zone_summary(entry: ZoneEntry) -> dict[str, Any]:
    """Return what a list of zones says of each."""
    return {
        "name": zone_name(entry),
        "class": class_to_text(entry.config.rdclass),
        "view": entry.config.view,
        "type": entry.config.type.value,
        "state": entry.state.value,
        "serial": entry.zone.serial if entry.zone is not None else None,
    }


def _is_signed(entry: ZoneEntry) -> bool:
    return entry.zone is not None and entry.zone.get(entry.zone.key, RRType.DNSKEY) is not None


def _trouble(entry: ZoneEntry, secondary: SecondaryStatus | None) -> str | None:
    for line in error_lines(entry):
        return line
    return secondary.trouble or None if secondary is not None else None


def _provisioned_by(autoprimary: ProvisionedBy | None) -> dict[str, Any] | None:
    if autoprimary is None:
        return None
    return {"autoprimary": autoprimary.address, "account": autoprimary.account or None}


def _filter(script: str | None, secondary: SecondaryStatus | None) -> dict[str, Any] | None:
    if script is None:
        return None
    trouble = secondary.trouble if secondary is not None and secondary.by_script else ""
    return {"script": script, "error": trouble or None}


def _secondary(config: ZoneConfig, status: SecondaryStatus) -> dict[str, Any]:
    under_way = status.under_way
    return {
        "state": status.state,
        "refreshing": status.is_refreshing,
        "serial": status.serial,
        "primaries": [f"{one.address}#{one.port}" for one in config.primaries],
        "last_primary": status.primary or None,
        "refreshed_at": iso(status.refreshed_at),
        "next_refresh_at": iso(status.next_refresh_at),
        "expires_at": iso(status.expires_at),
        "trouble": status.trouble or None,
        "transfer": _transfer(status.transfer) if status.transfer is not None else None,
        "under_way": None
        if under_way is None
        else {"primary": under_way.primary, "records": under_way.records, "octets": under_way.octets},
    }


def _transfer(report: TransferReport) -> dict[str, Any]:
    return {
        "primary": report.primary,
        "how": report.how,
        "serial": report.serial,
        "messages": report.messages,
        "records": report.records,
        "octets": report.octets,
        "seconds": round(report.seconds, 3),
        "ended_at": iso(report.ended_at),
    }


def _target(status: TargetStatus) -> dict[str, Any]:
    return {
        "target": status.target,
        "state": status.state.value,
        "serial": status.serial,
        "acknowledged": status.acknowledged,
        "since": iso(status.since),
        "tries": status.tries,
        "reason": status.reason or None,
    }


def bind_text(server: ControlledServer, entry: ZoneEntry) -> str:
    """Return what BIND's ``zonestatus`` prints of a zone that has data, and then what only we know."""
    return "\n".join(_bind_lines(server, entry))


def _bind_lines(server: ControlledServer, entry: ZoneEntry) -> Iterator[str]:
    zone = entry.zone
    assert zone is not None, "a zone without data has no such text"
    status = server.replication.status(entry.id).secondary
    yield f"name: {zone_name(entry)}"
    yield f"type: {entry.config.type.value}"
    if entry.files:
        yield f"files: {', '.join(entry.files)}"
    yield f"serial: {zone.serial}"
    yield f"nodes: {zone.node_count}"
    if entry.loaded_at is not None:
        yield f"last loaded: {http_date(entry.loaded_at)}"
    if status is not None and status.next_refresh_at is not None:
        yield f"next refresh: {http_date(status.next_refresh_at)}"
    if status is not None and status.expires_at is not None:
        yield f"expires: {http_date(status.expires_at)}"
    yield f"secure: {'yes' if _is_signed(entry) else 'no'}"
    yield "dynamic: no"
    if entry.frozen:
        yield "frozen: yes"
    yield f"reconfigurable via modzone: {'yes' if entry.config.kept_in else 'no'}"
    if (by := entry.config.provisioned_by) is not None:
        yield f"provisioned by: {by.address}" + (f", account {by.account}" if by.account else "")
    if (trouble := _trouble(entry, status)) is not None:
        yield f"error: {trouble}"


def pdns_line(entry: ZoneEntry) -> str:
    """Return what PowerDNS' ``bind-domain-status`` prints of a zone."""
    name = zone_name(entry)
    if entry.zone is not None:
        said = f"parsed into memory at {iso(entry.loaded_at)}"
    elif entry.config.type is ZoneType.SECONDARY:
        said = "not transferred yet"
    else:
        said = "not loaded yet"
    wrong = next(error_lines(entry), None)
    return f"{name}: \t{said}" if wrong is None else f"{name}: \t[rejected] {wrong}"
