"""Verbs that add, change, remove and show one zone's statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bindpy.config.model import ZoneType
from bindpy.control.errors import VerbError
from bindpy.control.registry import Result, runs
from bindpy.control.server import ControlledServer
from bindpy.control.verb import Call
from bindpy.control.zones import find_zone, zone_name
from bindpy.newzones.errors import NewZoneError
from bindpy.newzones.service import Removed
from bindpy.reload.table import ZoneEntry


@contextmanager
def _in_words_of_verbs() -> Iterator[None]:
    try:
        yield
    except NewZoneError as error:
        raise VerbError(error.reason, "\n".join(error.lines)) from error


def _data(entry: ZoneEntry) -> dict[str, str]:
    return {"zone": zone_name(entry), "view": entry.config.view}


@runs("addzone")
async def addzone(server: ControlledServer, call: Call) -> Result:
    """Add a zone."""
    with _in_words_of_verbs():
        zone_id = await server.new_zones.add(
            call["statements"], call["zone"], call.get("class"), call.get("view")
        )
    entry = server.keeper.table.get(zone_id)
    return Result("", None if entry is None else _data(entry))


@runs("modzone")
async def modzone(server: ControlledServer, call: Call) -> Result:
    """Change a zone."""
    entry = find_zone(server, call)
    with _in_words_of_verbs():
        is_lasting = await server.new_zones.modify(entry.id, call["statements"])
    text = f"zone '{zone_name(entry)}' reconfigured."
    if not is_lasting:
        text = (
            f"zone '{zone_name(entry)}' must also be reconfigured in\nnamed.conf to make changes permanent."
        )
    return Result(text, {**_data(entry), "lasting": is_lasting})


@runs("delzone")
async def delzone(server: ControlledServer, call: Call) -> Result:
    """Remove a zone."""
    entry = find_zone(server, call)
    clean = call.has("-clean")
    with _in_words_of_verbs():
        removed = await server.new_zones.delete(entry.id, clean=clean)
    lines = [*_removal(entry, removed, clean=clean), *removed.troubles]
    data = {**_data(entry), "added": removed.was_added, "deleted_files": list(removed.files)}
    return Result("\n".join(lines), data)


def _removal(entry: ZoneEntry, removed: Removed, *, clean: bool) -> Iterator[str]:
    name, file = zone_name(entry), removed.config.file
    if not removed.was_added:
        yield f"zone '{name}' is no longer active and will be deleted."
        yield "To keep it from returning when the server is restarted, it"
        yield "must also be removed from named.conf."
    elif clean:
        yield f"zone '{name}' and associated files will be deleted."
    elif removed.config.type is ZoneType.SECONDARY:
        yield f"zone '{name}' will be deleted."
        if file is not None and Path(file).exists():
            yield "The following files were in use and may now be removed:"
            yield file


@runs("showzone")
async def showzone(server: ControlledServer, call: Call) -> Result:
    """Show a zone's statement in one line, as BIND prints it."""
    entry = find_zone(server, call)
    with _in_words_of_verbs():
        text = await server.new_zones.show(entry.id)
    return Result(text, {**_data(entry), "statement": text})
