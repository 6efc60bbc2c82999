"""Zones as text: the canonical dump, one record a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from socket import AF_INET, AF_INET6, inet_ntop

from bindpy.zone import names
from bindpy.zone.lexer import quoted
from bindpy.zone.names import Name
from bindpy.zone.rdata import class_to_text, generic_text, rdata_to_text, type_to_text
from bindpy.zone.records import IN, RRset, RRType
from bindpy.zone.snapshot import ZoneSnapshot


def dump(zone: ZoneSnapshot) -> Iterator[str]:
    """Yield *zone* as master-file lines: OWNER, TTL, class, type, RDATA, separated by tabs; names absolute.

    Owners are in canonical order (RFC 4034 section 6.1), the SOA comes first, then types by number with the
    RRSIGs by the type that they cover, then RDATA in wire order. Equal zones give equal lines.
    """
    class_text = class_to_text(zone.rdclass)
    to_text = RdataText(zone.rdclass)
    for node in zone.sorted_nodes():
        if not node.rrsets:
            continue
        owner = names.to_text(node.owner)
        for rrset in sorted(node.rrsets, key=_place):
            head = f"{owner}\t{rrset.ttl}\t{class_text}\t{type_to_text(rrset.rtype)}\t"
            for rdata in sorted(rrset.rdatas):
                yield f"{head}{to_text(rrset.rtype, rdata)}\n"


def _place(rrset: RRset) -> tuple[bool, int, int]:
    return rrset.rtype != RRType.SOA, rrset.rtype, rrset.covers


class RdataText:
    """Turns RDATA to text like `bindpy.zone.rdata.rdata_to_text`, with a short way for the common types."""

    def __init__(self, rdclass: int) -> None:
        self._rdclass = rdclass
        self._short = _SHORT_IN if rdclass == IN else _SHORT

    def __call__(self, rtype: int, rdata: bytes) -> str:
        """Return *rdata* in presentation form."""
        short = self._short.get(rtype)
        if short is not None:
            try:
                return short(rdata)
            except (ValueError, IndexError):
                return generic_text(rdata)  # malformed
        return rdata_to_text(rtype, rdata, self._rdclass)


def _name_text(rdata: bytes, at: int = 0) -> str:
    """Return the name that *rdata* ends with, from *at* on."""
    end = at
    while size := rdata[end]:
        if size > names.MAX_LABEL_OCTETS:
            raise ValueError("not an uncompressed name")
        end += 1 + size
    name: Name = rdata[at:]
    if end + 1 != len(rdata) or len(name) > names.MAX_NAME_OCTETS:
        raise ValueError("not one name")
    return names.to_text(name)


def _mx(rdata: bytes) -> str:
    return f"{int.from_bytes(rdata[:2], 'big')} {_name_text(rdata, 2)}"


def _srv(rdata: bytes) -> str:
    priority, weight, port = (int.from_bytes(rdata[i : i + 2], "big") for i in (0, 2, 4))
    return f"{priority} {weight} {port} {_name_text(rdata, 6)}"


def _txt(rdata: bytes) -> str:
    out = []
    at = 0
    while at < len(rdata):
        end = at + 1 + rdata[at]
        string = rdata[at + 1 : end]
        if end > len(rdata):
            raise ValueError("string too long")
        out.append(quoted(string))
        at = end
    if not out:
        raise ValueError("no string")
    return " ".join(out)


_SHORT: dict[int, Callable[[bytes], str]] = {
    RRType.NS: _name_text,
    RRType.CNAME: _name_text,
    RRType.PTR: _name_text,
    RRType.DNAME: _name_text,
    RRType.MX: _mx,
    RRType.TXT: _txt,
}
_SHORT_IN: dict[int, Callable[[bytes], str]] = _SHORT | {
    RRType.A: lambda rdata: inet_ntop(AF_INET, rdata),
    RRType.AAAA: lambda rdata: inet_ntop(AF_INET6, rdata),
    RRType.SRV: _srv,
}
