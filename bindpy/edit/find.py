"""Which zone of the configuration is meant."""

from __future__ import annotations

from bindpy.config.model import Config, ZoneConfig, ZoneType
from bindpy.edit.errors import EditError
from bindpy.zone.names import Name, to_text


def find_zone(config: Config, origin: Name, view: str | None) -> ZoneConfig:
    """Return the zone *origin* of *view*, which need not be named where only one has it.

    Raises `EditError`.
    """
    found = [
        zone for zone in config.zones() if zone.origin.lower() == origin.lower() and view in (None, zone.view)
    ]
    where = f"view '{view}' of {config.path}" if view is not None else config.path
    if not found:
        raise EditError(f"there is no zone '{to_text(origin)}' in {where}; 'bindpy zone list' shows all")
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
