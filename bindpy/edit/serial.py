"""The next serial of a zone, by ``serial-update-method``."""

from __future__ import annotations

from datetime import UTC, datetime

from bindpy.zone.serials import increment, is_newer


def next_serial(serial: int, method: str, now_s: float) -> int:
    """Return the serial after *serial* by *method*: increment, unixtime or date, at the time *now_s*.

    ``date`` is YYYYMMDD00 in UTC. Where the method's number would not be newer (RFC 1982), because there was
    a change in the same second or day or the zone's serials are ahead of it, one is added instead.
    """
    if method == "unixtime":
        wanted = int(now_s)
    elif method == "date":
        wanted = int(datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%d")) * 100
    else:
        return increment(serial)
    return wanted if is_newer(wanted, serial) else increment(serial)
