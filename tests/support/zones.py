"""Zones for tests, from text."""

from __future__ import annotations

from bindpy.zone import names
from bindpy.zone.reader import read_zone_text
from bindpy.zone.records import IN
from bindpy.zone.snapshot import ZoneSnapshot


def zone_from_text(origin: str, text: str, *, default_ttl: int = 3600) -> ZoneSnapshot:
    """Return the zone *origin* with the records of *text*; *default_ttl* is for those that name no TTL.

    The zone is read but not checked: answers have to be right for zones that no check would let pass, too.
    """
    octets = f"$TTL {default_ttl}\n{text}".encode("latin-1")
    read = read_zone_text("test.zone", names.from_text(origin), IN, text=octets)
    assert not read.has_errors, "\n".join(str(item) for item in read.diagnostics)
    return read.builder.finish()
