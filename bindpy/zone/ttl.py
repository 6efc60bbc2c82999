"""TTLs and other durations as master files write them (BIND's units)."""

from __future__ import annotations

import re

MAX_TTL = 0x7FFFFFFF
"""The largest TTL (RFC 2181 section 8), in seconds."""

_MAX_COUNTER = 0xFFFFFFFF
_SHAPE = re.compile(r"(?:\d+[wWdDhHmMsS])+")
_PART = re.compile(r"(\d+)([wdhms])")
_UNIT_S = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_MAX_CHARACTERS = 64


def parse_ttl(text: str) -> int | None:
    """Return the seconds that *text* means: ``3600``, ``1h30m``, ``2W``; None when it is not a duration.

    Results go up to 2^32-1, which is more than a TTL may be: the caller knows what to do with those.
    A number without a unit after one with a unit (``1h30``) is not a duration; neither are signs.
    """
    if not text.isascii() or len(text) > _MAX_CHARACTERS:
        return None
    if text.isdigit():
        total = int(text)
    elif _SHAPE.fullmatch(text) is not None:
        total = sum(int(number) * _UNIT_S[unit] for number, unit in _PART.findall(text.lower()))
    else:
        return None
    return total if total <= _MAX_COUNTER else None
