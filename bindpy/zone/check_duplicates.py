"""Records that DNSSEC tells apart and plain DNS does not: their RDATA differs only in the case of names."""

from __future__ import annotations

from collections.abc import Callable

from bindpy.zone.records import RRset, RRType, name_end

_HIP = 55
_IPSECKEY = 45
_LP = 107
_AMTRELAY = 260
_IS_NAME = 3  # what a gateway or relay field holds (RFC 4025 section 2.3, RFC 8777 section 4.2.3)


def _hip(rdata: bytes) -> int:
    return 4 + rdata[0] + int.from_bytes(rdata[2:4], "big")


_NAME_AT: dict[int, Callable[[bytes], int]] = {
    RRType.NSEC: lambda _: 0,
    _LP: lambda _: 2,
    _HIP: _hip,
    _IPSECKEY: lambda rdata: 3 if rdata[1] == _IS_NAME else len(rdata),
    _AMTRELAY: lambda rdata: 2 if rdata[1] & 0x7F == _IS_NAME else len(rdata),
}
TYPES = frozenset(_NAME_AT)
"""RRtypes with names whose case counts in DNSSEC (RFC 6840 section 5.1): for others case is folded anyway."""


def _fold(rtype: int, rdata: bytes) -> bytes:
    """Return *rdata* with the names in it in lower case."""
    start = _NAME_AT[rtype](rdata)
    end = start
    while end < len(rdata) and (end == start or rtype == _HIP):
        end = name_end(rdata, end)
    return rdata[:start] + rdata[start:end].lower() + rdata[end:]


def has_duplicates(rrset: RRset) -> bool:
    """Return whether plain DNS would see some record of *rrset*, of one of `TYPES`, twice."""
    return len({_fold(rrset.rtype, rdata) for rdata in rrset.rdatas}) < len(rrset.rdatas)
