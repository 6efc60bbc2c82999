"""Serial number arithmetic (RFC 1982), the only way in which serials are compared."""

from __future__ import annotations

_HALF = 1 << 31
_MASK = (1 << 32) - 1


def is_newer(serial: int, than: int) -> bool:
    """Return whether *serial* comes after *than* (RFC 1982 section 3.2).

    Serials that are exactly 2**31 apart are in no order: neither is newer than the other.
    """
    return serial != than and 0 < ((serial - than) & _MASK) < _HALF


def increment(serial: int) -> int:
    """Return the next serial; 0 is left out because some servers take it for "no serial"."""
    return (serial + 1) & _MASK or 1
