"""Deltas as octets, for the database.

One octet for the form (0 plain, 1 zlib), then: the number of removed records, the number of added ones (four
octets each), the old SOA, the new SOA, the removed records, the added ones. A record is its owner, type (2
octets), TTL (4), the length of its RDATA (2) and its RDATA.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from bindpy.diagnostics import BindpyError
from bindpy.zone.diff import Delta
from bindpy.zone.names import MAX_NAME_OCTETS
from bindpy.zone.records import RR, RRType

MAX_PLAIN_OCTETS = 1 << 29
"""A delta beyond this is not stored: SQLite's values end at 10**9 octets."""

_PLAIN, _ZLIB = b"\0", b"\1"
_WORTH_PACKING_OCTETS = 256
_COUNTS = struct.Struct(">II")
_FIXED = struct.Struct(">HIH")


class DeltaFormatError(BindpyError):
    """Octets that are no delta, or too large a delta."""


def encode_delta(delta: Delta) -> bytes:
    """Return *delta* as octets. Raises `DeltaFormatError` when it is too large."""
    parts = [_COUNTS.pack(len(delta.removed), len(delta.added))]
    for owner, rtype, ttl, rdata in (delta.old_soa, delta.new_soa, *delta.removed, *delta.added):
        parts += (owner, _FIXED.pack(rtype, ttl, len(rdata)), rdata)
    plain = b"".join(parts)
    if len(plain) > MAX_PLAIN_OCTETS:
        raise DeltaFormatError(f"the delta has {len(plain)} octets")
    if len(plain) >= _WORTH_PACKING_OCTETS:
        packed = zlib.compress(plain, 1)
        if len(packed) < len(plain):
            return _ZLIB + packed
    return _PLAIN + plain


def decode_delta(octets: bytes) -> Delta:
    """Return what `encode_delta` was given. Raises `DeltaFormatError`, whatever the octets."""
    plain = _unpacked(octets)
    try:
        removed, added = _COUNTS.unpack_from(plain)
        records = _Records(plain, _COUNTS.size)
        old_soa, new_soa = records.take(2)
        delta = Delta(old_soa, new_soa, tuple(records.take(removed)), tuple(records.take(added)))
    except (struct.error, IndexError) as error:
        raise DeltaFormatError("the delta is cut short") from error
    if records.at != len(plain) or {old_soa.rtype, new_soa.rtype} != {RRType.SOA}:
        raise DeltaFormatError("the delta is not well formed")
    return delta


def _unpacked(octets: bytes) -> bytes:
    form, body = octets[:1], octets[1:]
    if form == _PLAIN:
        return body
    if form != _ZLIB:
        raise DeltaFormatError("the delta's form is unknown")
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(body, MAX_PLAIN_OCTETS + 1)
    except zlib.error as error:
        raise DeltaFormatError(f"the delta cannot be unpacked: {error}") from error
    if not unpacker.eof:
        raise DeltaFormatError("the delta is cut short or too large")
    return plain


class _Records:
    """Reads records from *at* on; raises `struct.error`, `IndexError` and `DeltaFormatError`."""

    def __init__(self, octets: bytes, at: int) -> None:
        self._octets = octets
        self.at = at

    def take(self, count: int) -> Iterable[RR]:
        """Return the next *count* records."""
        octets, at = self._octets, self.at
        found = []
        for _ in range(count):
            end = at
            while size := octets[end]:
                end += 1 + size
            end += 1
            rtype, ttl, length = _FIXED.unpack_from(octets, end)
            start = end + _FIXED.size
            if end - at > MAX_NAME_OCTETS or start + length > len(octets):
                raise DeltaFormatError("the delta is not well formed")
            found.append(RR(octets[at:end], rtype, ttl, octets[start : start + length]))
            at = start + length
        self.at = at
        return found
