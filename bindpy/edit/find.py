"""Which zone of the configuration is meant."""

from __future__ import annotations

from bindpy.config.model import Config, ZoneConfig, ZoneType
from bindpy.edit.errors import EditError
from bindpy.zone.names import Name, to_text
from bindpy.zone.near import names_near

_SHOW_ALL = "; 'bindpy zone list' shows all"


def find_zone(config: Config, origin: Name, view: str | None) -> ZoneConfig:
    """Return the zone *origin* of *view*, which need not be named where only one has it.

    Raises `EditError`.
    """
    found = [
        zone for zone in config.zones() if zone.origin.lower() == origin.lower() and view in (None, zone.view)
    ]
    where = f"view '{view}' of {config.path}" if view is not None else config.path
    if not found:
        known = {zone.origin.lower() for zone in config.zones() if view in (None, zone.view)}
        near = next((name for name in names_near(origin.lower()) if name in known), None)
        meant = "" if near is None else f"; did you mean '{to_text(near)}'?"
        raise EditError(f"there is no zone '{to_text(origin)}' in {where}{meant or _SHOW_ALL}")
    if len(found) > 1:
        views = ", ".join(zone.view for zone in found)
        raise EditError(f"zone '{to_text(origin)}' is in several views ({views}); name one with --view")
    return found[0]


def refuse_secondary(zone: ZoneConfig) -> None:
    """Raise `EditError` for a zone that the next transfer would overwrite."""
    if zone.type is ZoneType.SECONDARY:
        primaries = ", ".join(f"{server.address}#{server.port}" for server in zone.primaries)
        raise EditError(
            f"zone '{to_text(zone.origin)}' is a secondary zone: its data comes from"
            f" {primaries or 'its primaries'} and the next transfer would undo the change; make it there"
        )
