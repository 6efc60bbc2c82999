"""BIND's raw zone-file format (``masterfile-format raw``), read and written.

A header, then one block for each RRset, numbers in network order: the block's length (4 octets, itself
included), class, type and covered type (2 each), TTL (4), number of records (4), then the owner and each
RDATA, each behind its length (2). Names are uncompressed. BIND writes version 1; version 0 has a shorter
header.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from typing import Final

from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.files import FileStamp
from bindpy.zone.names import MAX_LABEL_OCTETS, MAX_NAME_OCTETS, Key, Name, to_text
from bindpy.zone.rdata import check_rdata, is_meta_type, type_to_text
from bindpy.zone.records import RRset, RRType
from bindpy.zone.snapshot import OutOfZoneError, SnapshotBuilder, ZoneSnapshot, ZoneTooLargeError

MAGIC: Final = b"\0\0\0\2\0\0\0"
"""How a raw file begins: the format's number, then the first octets of its version."""

_HEADERS = {0: 12, 1: 24}  # version → octets of the header
_BLOCK = struct.Struct("!IHHHII")
_SIZE = struct.Struct("!H")
_ADDRESS_OCTETS: dict[int, int] = {RRType.A: 4, RRType.AAAA: 16}
_NAMES_ALONE: frozenset[int] = frozenset((RRType.NS, RRType.CNAME, RRType.PTR, RRType.DNAME))


class _DamagedError(Exception):
    """What is wrong, at an offset of the file."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class RawZone:
    """What a raw file holds, in the shape of `bindpy.zone.reader.ZoneText`; it has no places to point at."""

    def __init__(self, path: str, octets: bytes, stamp: FileStamp | None, origin: Name, rdclass: int) -> None:
        self.builder = SnapshotBuilder(origin, rdclass)
        self.files = (path,)
        self.stamps = (stamp,)
        self.diagnostics: tuple[Diagnostic, ...] = ()
        try:
            _read(octets, self.builder)
        except _DamagedError as e:
            found = Diagnostic(
                Severity.ERROR,
                f"damaged raw zone file (masterfile-format raw): {e}, at octet {e.offset}",
                SourceSpan(path),
                f"make it anew: named-compilezone -f text -F raw -o {path} {to_text(origin)} TEXTFILE",
            )
            self.diagnostics = (found,)

    @property
    def has_errors(self) -> bool:
        """Whether the file is refused."""
        return bool(self.diagnostics)

    def locate(self, key: Key, rtype: int) -> list[SourceSpan]:  # noqa: ARG002 - as ZoneText has it
        """Return the file: there are no lines in it."""
        return [SourceSpan(self.files[0])]


def _read(octets: bytes, builder: SnapshotBuilder) -> None:
    version = octets[7] if len(octets) > 7 else -1
    at = _HEADERS.get(version, 0)
    if not at or len(octets) < at:
        raise _DamagedError(f"version {version} is not known; 0 and 1 are", 4)
    while at < len(octets):
        at = _read_block(octets, at, builder)


def _read_block(octets: bytes, at: int, builder: SnapshotBuilder) -> int:
    if at + _BLOCK.size > len(octets):
        raise _DamagedError("the file ends in the midst of a block", at)
    length, rdclass, rtype, _covers, ttl, count = _BLOCK.unpack_from(octets, at)
    end: int = at + length
    if end > len(octets) or length < _BLOCK.size:
        raise _DamagedError("a block is longer than the file, or shorter than its own head", at)
    if rdclass != builder.rdclass or is_meta_type(rtype):
        raise _DamagedError(f"class {rdclass} and type {type_to_text(rtype)} cannot be in this zone", at)
    owner, place = _piece(octets, at + _BLOCK.size, end)
    if not _is_name(owner):
        raise _DamagedError("an owner is not a name", at)
    for _ in range(count):
        rdata, following = _piece(octets, place, end)
        _check(rtype, rdata, rdclass, place)
        try:
            builder.add(owner, rtype, ttl & 0x7FFFFFFF, rdata)
        except OutOfZoneError:
            raise _DamagedError(f"the owner '{to_text(owner)}' is not in the zone", at) from None
        except ZoneTooLargeError as e:
            raise _DamagedError(str(e), at) from None
        place = following
    if place != end or not count:
        raise _DamagedError("the records of a block do not fill it", at)
    return end


def _piece(octets: bytes, at: int, end: int) -> tuple[bytes, int]:
    """Return what stands at *at* behind its length, and the offset behind it."""
    start = at + _SIZE.size
    if start > end:
        raise _DamagedError("a block ends too early", at)
    behind = start + int.from_bytes(octets[at:start], "big")
    if behind > end:
        raise _DamagedError("a block ends too early", at)
    return octets[start:behind], behind


def _check(rtype: int, rdata: bytes, rdclass: int, place: int) -> None:
    if len(rdata) == _ADDRESS_OCTETS.get(rtype, -1) or (rtype in _NAMES_ALONE and _is_name(rdata)):
        return
    why = check_rdata(rtype, rdata, rdclass)
    if why is not None:
        raise _DamagedError(f"bad {type_to_text(rtype)} RDATA: {why}", place)


def _is_name(octets: bytes) -> bool:
    at = 0
    while at < len(octets) <= MAX_NAME_OCTETS:
        size = octets[at]
        if size > MAX_LABEL_OCTETS:
            return False
        at += 1 + size
        if not size:
            return at == len(octets)
    return False


def raw_header() -> bytes:
    """Return how a raw file of version 1 that is written now begins."""
    # The last three: flags, the serial of a signed zone's source and the last transfer, all "not said".
    return struct.pack("!6I", 2, 1, int(time.time()) & 0xFFFFFFFF, 0, 0, 0)


def raw_octets(zone: ZoneSnapshot) -> Iterator[bytes]:
    """Yield *zone* as a raw file of version 1: owners in canonical order, the SOA first."""
    yield raw_header()
    for node in zone.sorted_nodes():
        for rrset in sorted(node.rrsets, key=lambda r: (r.rtype != RRType.SOA, r.rtype)):
            yield _block(node.owner, rrset, zone.rdclass)


def _block(owner: Name, rrset: RRset, rdclass: int) -> bytes:
    parts = [_SIZE.pack(len(owner)), owner]
    for rdata in rrset.rdatas:
        parts += (_SIZE.pack(len(rdata)), rdata)
    body = b"".join(parts)
    head = _BLOCK.pack(
        _BLOCK.size + len(body), rdclass, rrset.rtype, rrset.covers, rrset.ttl, len(rrset.rdatas)
    )
    return head + body
