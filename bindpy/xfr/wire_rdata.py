"""RDATA off the wire: uncompressed, and checked to be RDATA of its type.

Senders may compress names in the types of RFC 1035 and, in practice, in those that RFC 3597 section 4 lists;
in all others a pointer is an error. The commonest types are checked here, the rest by `zone.rdata`: what
comes out may be served, compared and written to a zone file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

from bindpy.xfr.wire_names import NameReader, WireError, plain_name_end
from bindpy.zone.names import label_count
from bindpy.zone.rdata import check_rdata, is_meta_type, type_to_text
from bindpy.zone.records import IN, RRType

RdataReader: TypeAlias = Callable[[NameReader, int, int], bytes]
"""Returns the RDATA between two offsets of a message. Raises `WireError`, or IndexError past its end."""

_SOA_NUMBERS_OCTETS = 20
_DIGEST_OCTETS = {1: 20, 2: 32, 4: 48}
_SHA1, _SHA1_OCTETS = 1, 20
_MAX_BITMAPS = 10_000


def _opaque(names: NameReader, at: int, end: int) -> bytes:
    return names.octets[at:end]


def _of_size(size: int) -> RdataReader:
    def read(names: NameReader, at: int, end: int) -> bytes:
        if end - at != size:
            raise WireError(f"an address is {end - at} octets long, not {size}")
        return names.octets[at:end]

    return read


def _one_name(names: NameReader, at: int, end: int) -> bytes:
    name = names.name(at)
    if names.end(at) != end:
        raise WireError("RDATA of one name has another length than the name")
    return name


def _name_after(head_octets: int) -> RdataReader:
    def read(names: NameReader, at: int, end: int) -> bytes:
        name_at = at + head_octets
        name = names.name(name_at)
        if names.end(name_at) != end:
            raise WireError("RDATA has another length than its fields")
        return names.octets[at:name_at] + name

    return read


def _soa(names: NameReader, at: int, end: int) -> bytes:
    mname = names.name(at)
    at = names.end(at)
    rname = names.name(at)
    at = names.end(at)
    if end - at != _SOA_NUMBERS_OCTETS:
        raise WireError("SOA RDATA has another length than its fields")
    return mname + rname + names.octets[at:end]


def _dname(names: NameReader, at: int, end: int) -> bytes:
    if plain_name_end(names.octets, at, end) != end:
        raise WireError("RDATA of one name has another length than the name")
    return names.octets[at:end]


def _txt(names: NameReader, at: int, end: int) -> bytes:
    octets, string = names.octets, at
    while string < end:
        string += 1 + octets[string]
    if string != end or at == end:
        raise WireError("the strings of a TXT do not fill its RDATA")
    return octets[at:end]


def _rrsig(names: NameReader, at: int, end: int) -> bytes:
    octets = names.octets
    signer_at = at + 18
    signer_end = plain_name_end(octets, signer_at, end)
    if signer_end == end:
        raise WireError("an RRSIG has no signature")
    if label_count(octets[signer_at:signer_end]) > octets[at + 3]:
        raise WireError("the signer of an RRSIG has more labels than the name that is signed")
    return octets[at:end]


def _nsec(names: NameReader, at: int, end: int) -> bytes:
    bitmap = names.octets[plain_name_end(names.octets, at, end) : end]
    if not bitmap:
        raise WireError("an NSEC lists no types")
    _check_bitmap(bitmap)
    return names.octets[at:end]


def _nsec3(names: NameReader, at: int, end: int) -> bytes:
    octets = names.octets
    hash_at = at + 5 + octets[at + 4]
    bitmap_at = hash_at + 1 + octets[hash_at]
    if bitmap_at > end or not octets[hash_at]:
        raise WireError("NSEC3 RDATA has another length than its fields")
    if octets[at] == _SHA1 and octets[hash_at] != _SHA1_OCTETS:
        raise WireError("an NSEC3 has a hash of another length than its algorithm makes")
    _check_bitmap(octets[bitmap_at:end])
    return octets[at:end]


@functools.lru_cache(maxsize=_MAX_BITMAPS)
def _check_bitmap(bitmap: bytes) -> None:
    """Raise `WireError` unless *bitmap* is a type bit map (RFC 4034 section 4.1.2)."""
    at, last_window = 0, -1
    while at < len(bitmap):
        window, size = bitmap[at], bitmap[at + 1] if at + 1 < len(bitmap) else 0
        at += 2 + size
        if window <= last_window or not 1 <= size <= 32 or at > len(bitmap) or not bitmap[at - 1]:
            raise WireError("a type bit map is malformed")
        last_window = window


def _ds(names: NameReader, at: int, end: int) -> bytes:
    octets = names.octets
    if end - at - 4 != _DIGEST_OCTETS.get(octets[at + 3]):
        return _checked(RRType.DS, IN, octets[at:end])
    return octets[at:end]


def _dnskey(names: NameReader, at: int, end: int) -> bytes:
    if end - at <= 4:
        raise WireError("a DNSKEY has no key")
    return names.octets[at:end]


def _checked(rtype: int, rdclass: int, rdata: bytes) -> bytes:
    why = check_rdata(rtype, rdata, rdclass)
    if why is not None:
        raise WireError(f"bad {type_to_text(rtype)} RDATA: {why}")
    return rdata


def _decompressed(names: NameReader, at: int, end: int, rtype: int, rdclass: int) -> bytes:
    """Read a seldom type, by what its fields are: numbers of octets, names (N) and strings (S)."""
    octets = names.octets
    parts: list[bytes] = []
    for field in _COMPRESSIBLE.get(rtype, ()):
        start = at
        if field == _NAME:
            parts.append(names.name(at))
            at = names.end(at)
        else:
            at += 1 + octets[at] if field == _STRING else field
            parts.append(octets[start:at])
        if at > end:
            raise WireError(f"{type_to_text(rtype)} RDATA is too short")
    parts.append(octets[at:end])
    return _checked(rtype, rdclass, b"".join(parts))


_NAME, _STRING = -1, -2
_COMPRESSIBLE: dict[int, tuple[int, ...]] = {
    RRType.MINFO: (_NAME, _NAME),
    RRType.RP: (_NAME, _NAME),
    RRType.AFSDB: (2, _NAME),
    RRType.RT: (2, _NAME),
    RRType.SIG: (18, _NAME),
    RRType.PX: (2, _NAME, _NAME),
    RRType.NXT: (_NAME,),
    RRType.NAPTR: (4, _STRING, _STRING, _STRING, _NAME),
}
_ONE_NAME = (RRType.NS, RRType.MD, RRType.MF, RRType.CNAME, RRType.MB, RRType.MG, RRType.MR, RRType.PTR)
_ANY_CLASS: dict[int, RdataReader] = {
    **dict.fromkeys(_ONE_NAME, _one_name),
    RRType.SOA: _soa,
    RRType.MX: _name_after(2),
    RRType.TXT: _txt,
    RRType.DNAME: _dname,
    RRType.DS: _ds,
    RRType.RRSIG: _rrsig,
    RRType.NSEC: _nsec,
    RRType.DNSKEY: _dnskey,
    RRType.NSEC3: _nsec3,
}


class _Readers(dict[int, RdataReader]):
    """The readers of one class by type; those of seldom types are made when they are asked for."""

    def __init__(self, rdclass: int, readers: dict[int, RdataReader]) -> None:
        super().__init__(readers)
        self._rdclass = rdclass

    def __missing__(self, rtype: int) -> RdataReader:
        if is_meta_type(rtype):
            return _opaque  # no data: whoever finds it where data should be has something to say
        # not kept: there are 65,536 types, and a peer may send them all
        return functools.partial(_decompressed, rtype=rtype, rdclass=self._rdclass)


_IN = _Readers(
    IN, _ANY_CLASS | {RRType.A: _of_size(4), RRType.AAAA: _of_size(16), RRType.SRV: _name_after(6)}
)


def readers_of(rdclass: int) -> dict[int, RdataReader]:
    """Return the reader of every type (by subscript) in *rdclass*."""
    return _IN if rdclass == IN else _Readers(rdclass, _ANY_CLASS)
