"""Times as people and programs read them. Moments are seconds since 1970."""

from __future__ import annotations

import time
from email.utils import formatdate

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def http_date(moment: float) -> str:
    """Return *moment* as BIND writes it: ``Sun, 22 Nov 2026 01:51:03 GMT``."""
    return formatdate(moment, usegmt=True)


def iso(moment: float | None) -> str | None:
    """Return *moment* as ``2026-11-22T01:51:03Z``, None for None."""
    return None if moment is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def duration_text(seconds: int) -> str:
    """Return a duration as ``2 days, 3 hours, 5 seconds``."""
    parts = []
    for name, size in _UNITS:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number} {name}" if number == 1 else f"{number} {name}s")
    return ", ".join(parts) or "0 seconds"
