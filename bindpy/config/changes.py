"""What is different between two configurations' zones."""

from __future__ import annotations

from bindpy.config.model import Config, ZoneConfig
from bindpy.deferred import dataclass
from bindpy.zone.names import Key


@dataclass(frozen=True, slots=True)
class ZoneChanges:
    """The zones that are new or say something else, and the ids of those that are gone."""

    put: tuple[ZoneConfig, ...]
    removed: tuple[tuple[str, Key], ...]

    @property
    def ids(self) -> list[tuple[str, Key]]:
        """The ids of all of them."""
        return [*(zone.id for zone in self.put), *self.removed]


def zone_changes(old: Config, new: Config) -> ZoneChanges:
    """Return what to do to the zones of *old* so that they are those of *new*.

    Quick where *new* was read with *old* at hand (`bindpy.config.load.load_config`).
    """
    left = {zone.id: zone for zone in old.zones()}
    put = tuple([zone for zone in new.zones() if left.pop(zone.id, None) != zone])
    return ZoneChanges(put, tuple(left))
