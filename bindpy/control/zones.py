"""Which zone a command is about, in the words that BIND has when there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bindpy.control.errors import VerbError
from bindpy.control.server import ControlledServer
from bindpy.control.verb import Call
from bindpy.reload.table import ZoneEntry
from bindpy.zone.names import BadNameError, Name, from_text, to_text
from bindpy.zone.near import names_near
from bindpy.zone.rdata import class_from_text

MAX_LINES = 20
"""How many zones' errors an answer has."""


def zone_name(entry: ZoneEntry) -> str:
    """Return the zone's name as BIND prints it: without the dot at its end, unless it is the root."""
    return to_text(entry.config.origin).rstrip(".") or "."


def find_zone(server: ControlledServer, call: Call) -> ZoneEntry:
    """Return the zone that the arguments zone, class and view name. Raises `VerbError`."""
    return zone_of(server, call["zone"], class_text=call.get("class"), view=call.get("view"))


def zone_of(
    server: ControlledServer, text: str, *, class_text: str | None = None, view: str | None = None
) -> ZoneEntry:
    """Return the zone called *text*; without a *view* it has to be in one only. Raises `VerbError`."""
    key = _name(text).lower()
    rdclass = _class(class_text)
    views = [one.name for one in server.config.views if view is None or one.name == view]
    if not views:
        raise VerbError("not found", f"no matching view '{view}'")
    table = server.keeper.table
    found = [entry for one in views if (entry := table.get((one, key))) is not None]
    found = [entry for entry in found if entry.config.rdclass == (rdclass or entry.config.rdclass)]
    if len(found) > 1:
        raise VerbError("multiple", f"zone '{text}' was found in multiple views")
    if not found:
        where = "any view" if view is None else f"view '{view}'"
        asked = f"no matching zone '{text}' in {where}"
        origins = (near for near in names_near(key) if any((one, near) in table for one in views))
        if (near := next(origins, None)) is not None:
            asked += f"\ndid you mean '{to_text(near).rstrip('.') or '.'}'?"
        raise VerbError("not found", asked)
    return found[0]


def _name(text: str) -> Name:
    try:
        return from_text(text)
    except BadNameError as error:
        raise VerbError("bad name", f"'{text}': {error}") from error


def _class(text: str | None) -> int | None:
    if text is None:
        return None
    rdclass = class_from_text(text)
    if rdclass is None:
        raise VerbError("unknown class/type", f"'{text}' is no class")
    return rdclass


def error_lines(entry: ZoneEntry) -> Iterator[str]:
    """Yield what is wrong with the zone's files, each with its place."""
    for item in entry.errors:
        yield from item.log_lines()


def zones_with_errors(table: Iterable[ZoneEntry]) -> list[ZoneEntry]:
    """Return the zones whose files cannot be used as they are now."""
    return [entry for entry in table if entry.errors]


def first_errors(entries: list[ZoneEntry]) -> str:
    """Return a line for each of *entries*, up to `MAX_LINES`: its first error."""
    lines = [f"zone {entry.label}: {next(error_lines(entry))}" for entry in entries[:MAX_LINES]]
    if len(entries) > MAX_LINES:
        lines.append(f"and {len(entries) - MAX_LINES} zones more: see list-rejects")
    return "\n".join(lines)


def in_words(number: int, what: str) -> str:
    """Return a number and what it counts: ``1 zone``, ``2 zones``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
