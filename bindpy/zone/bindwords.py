"""Words in texts of RDATA that dnspython writes and BIND 9.18 cannot read: written as numbers instead."""

from __future__ import annotations

from collections.abc import Iterator

import dns.rdata
from dns.rdtypes import svcbbase

from bindpy.zone.records import RRType, name_end

_CERT = 37
_CSYNC = 62
_LISTING_TYPES = frozenset({RRType.SIG, RRType.RRSIG, RRType.NSEC, RRType.NSEC3, _CSYNC})
"""Their RDATA names types."""

_NXNAME = "NXNAME"
_MANDATORY = 0
_LAST_KEY = 7
"""`dohpath`; of keys of service parameters from there on, only the numbers are known to BIND 9.18."""


def readable(rtype: int, wire: bytes, rdata: dns.rdata.Rdata) -> str:
    """Return the text of *rdata*, which is *wire* and of type *rtype*."""
    if isinstance(rdata, svcbbase.SVCBBase):
        return " ".join([str(rdata.priority), rdata.target.to_text(), *_parameters(wire, rdata)])
    text = rdata.to_text()
    if rtype == _CERT:  # BIND knows few of the algorithms by dnspython's names
        kind, tag, _, rest = text.split(" ", 3)
        return f"{kind} {tag} {wire[4]} {rest}"
    if rtype in _LISTING_TYPES and _NXNAME in text:
        return " ".join(["TYPE128" if word == _NXNAME else word for word in text.split(" ")])
    return text


def _parameters(wire: bytes, rdata: svcbbase.SVCBBase) -> Iterator[str]:
    at = name_end(wire, 2)
    while at < len(wire):
        key = wire[at] << 8 | wire[at + 1]
        end = at + 4 + (wire[at + 2] << 8 | wire[at + 3])
        param = rdata.params[key]
        if key == _MANDATORY:
            value = f'"{",".join([_key_text(named) for named in param.keys])}"'
        elif key > _LAST_KEY and end > at + 4:
            value = svcbbase.GenericParam(wire[at + 4 : end]).to_text()  # type: ignore[no-untyped-call]
        else:
            value = "" if param is None else param.to_text()
        yield f"{_key_text(key)}={value}" if value else _key_text(key)
        at = end


def _key_text(key: int) -> str:
    return f"key{key}" if key > _LAST_KEY else str(svcbbase.key_to_text(key))  # type: ignore[no-untyped-call]
