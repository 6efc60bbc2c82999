"""Raising the serial in a zone file's text."""

from __future__ import annotations

from bindpy.edit.document import PlacedEntry, ZoneDocument
from bindpy.edit.errors import EditError
from bindpy.zone.records import RRType
from bindpy.zone.snapshot import ZoneSnapshot

_SERIAL_AT = 2  # MNAME RNAME SERIAL (RFC 1035 section 3.3.13)


def refuse_signed(zone: ZoneSnapshot) -> None:
    """Raise `EditError` for a signed zone: whatever is changed in it, its signatures would be wrong."""
    if zone.apex.rrsigs():
        raise EditError("the zone is signed: change the file that it was signed from, and sign that again")


def serial_change(document: ZoneDocument, zone: ZoneSnapshot, serial: int) -> tuple[int, int, str]:
    """Return which part of the text is to be replaced by what so that the zone's serial is *serial*.

    *zone* is what the text says. Raises `EditError`.
    """
    place = soa_place(document, zone)
    token = place.rdata[_SERIAL_AT] if len(place.rdata) > _SERIAL_AT else None
    if token is None or token.text.lstrip("0") != str(zone.serial).lstrip("0"):
        raise EditError(f"{document.path}: the serial is not written as a number; use 'bindpy zone edit'")
    return token.offset, token.offset + len(token.text), str(serial)


def soa_place(document: ZoneDocument, zone: ZoneSnapshot) -> PlacedEntry:
    """Return where the zone's SOA stands. Raises `EditError`."""
    return document.places(zone.apex.owner.lower(), RRType.SOA)[0]
