"""The words for classes and types of records that named.conf knows.

Apart from the other values, as dnspython is a lot to import for a command that only wants a path.
"""

from __future__ import annotations

import dns.exception
import dns.rdatatype

_CLASSES = {"in": 1, "internet": 1, "ch": 3, "chaos": 3, "hs": 4, "hesiod": 4, "none": 254, "any": 255}


def class_number(text: str) -> int | None:
    """Return the class that *text* names: its word, or ``CLASSnnn`` (RFC 3597 section 5)."""
    lowered = text.lower()
    if lowered.startswith("class"):
        digits = lowered[5:]
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 65536
        return value if value < 65536 else None
    return _CLASSES.get(lowered)


_TYPES_OF_BIND = {"UINFO": 100, "UID": 101, "GID": 102, "KEYDATA": 65533, "SINK": 40, "ATMA": 34}
_TYPES_OF_DNSPYTHON = frozenset({"NONE", "NSAP_PTR", "NXNAME"})


def type_number(text: str) -> int | None:
    """Return the RRtype that *text* names to BIND, ``TYPEnnn`` too; dnspython knows some other names."""
    name = text.upper()
    if name in _TYPES_OF_BIND or name in _TYPES_OF_DNSPYTHON:
        return _TYPES_OF_BIND.get(name)
    try:
        return int(dns.rdatatype.from_text(name))
    except (dns.exception.DNSException, ValueError):
        return None
