"""Recognises BIND's journals (``ZONEFILE.jnl``), which are never read: only where they matter is said.

After a dynamic update or an incremental transfer BIND's zone file lags behind its journal until the next
dump. Whoever moves such a zone here without ``rndc sync`` would go back in time without noticing.
"""

from __future__ import annotations

import struct

from bindpy.zone.serials import is_newer

SUFFIX = ".jnl"

_MAGIC = b";BIND LOG V9"
_HEADER = struct.Struct(">16sIIII")  # the format's name; serial and offset of the begin, and of the end


def journal_beyond(zone_file: str, serial: int) -> tuple[str, int] | None:
    """Return the path of BIND's journal of *zone_file* and its last serial, if that is after *serial*.

    None where there is no such journal, or nothing in it that the zone file lacks. Blocks for a moment.
    """
    path = zone_file + SUFFIX
    try:
        with open(path, "rb") as file:
            header = file.read(_HEADER.size)
    except OSError:
        return None
    if len(header) < _HEADER.size:
        return None
    magic, first, _, last, _ = _HEADER.unpack(header)
    if not magic.startswith(_MAGIC) or first == last or not is_newer(last, serial):
        return None
    return path, last
