"""What an IXFR request says besides its question (RFC 1995 section 3)."""

from __future__ import annotations

import struct

from bindpy.answer.query import Query
from bindpy.zone.records import RRType

_NUMBERS_OCTETS = 20


def client_serial(query: Query) -> int | None:
    """Return the serial that the client has, None where *query* does not tell it with one SOA of the zone.

    The records of *query* have been walked through once, so they are whole.
    """
    data = query.data
    answers, authorities = struct.unpack_from("!HH", data, 6)
    if answers or authorities != 1:
        return None
    at = query.question_end
    if data[at] < 0xC0:
        end = _label_end(data, at)
        if data[at:end].lower() != query.key:
            return None
        at = end
    elif data[at : at + 2] == b"\xc0\x0c":
        at += 2
    else:
        return None
    rtype, rdclass, _, size = struct.unpack_from("!HHIH", data, at)
    if rtype != RRType.SOA or rdclass != query.qclass or size < 2 + _NUMBERS_OCTETS:
        return None
    end = at + 10 + size
    (serial,) = struct.unpack_from("!I", data, end - _NUMBERS_OCTETS)
    return int(serial)


def _label_end(data: bytes, at: int) -> int:
    """Return where the name at *at* ends; one that ends in a pointer is cut before it."""
    while 0 < data[at] < 0xC0:
        at += 1 + data[at]
    return at + (0 if data[at] else 1)
