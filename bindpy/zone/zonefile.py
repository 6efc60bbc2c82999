"""The text of a zone file that we write: for people to read, and for any name server to load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from bindpy.zone import names
from bindpy.zone.lexer import to_ascii
from bindpy.zone.names import Name
from bindpy.zone.rdata import RdataError, class_to_text, generic_text, rdata_from_text, type_to_text
from bindpy.zone.records import RRset, RRType
from bindpy.zone.snapshot import ZoneSnapshot
from bindpy.zone.writer import RdataText


def zone_file_text(zone: ZoneSnapshot, comments: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield *zone* as the lines of a master file (RFC 1035 section 5), *comments* first.

    Owners are relative to ``$ORIGIN``, in canonical order, and stand where they change; the SOA comes first,
    RRSIGs after what they cover, records of an RRset in the zone's own order. The commonest TTL is ``$TTL``
    and left out.
    """
    yield from comment_lines(comments)
    ttls = Counter(rrset.ttl for node in zone.nodes.values() for rrset in node.rrsets)
    default_ttl = max(ttls, key=lambda ttl: (ttls[ttl], ttl))
    yield f"$ORIGIN {names.to_text(zone.origin)}\n$TTL {default_ttl}\n"
    class_text = class_to_text(zone.rdclass)
    to_text = ReadableText(zone.rdclass)
    types: dict[int, str] = {}
    for node in zone.sorted_nodes():
        head = _owner_text(node.owner, zone.origin)
        for rrset in _in_order(node.rrsets):
            rtype = rrset.rtype
            type_text = types.get(rtype)
            if type_text is None:
                type_text = types[rtype] = type_to_text(rtype)
            ttl = "" if rrset.ttl == default_ttl else f"{rrset.ttl}\t"
            for rdata in rrset.rdatas:
                yield f"{head}\t{ttl}{class_text}\t{type_text}\t{to_text(rtype, rdata)}\n"
                head = ""


def comment_lines(comments: Iterable[str]) -> Iterator[str]:
    """Yield *comments* as lines of a master file, whatever is in them."""
    for comment in comments:
        yield "; " + to_ascii(comment.translate(_CONTROLS)) + "\n"


class ReadableText(RdataText):
    """RDATA as text that surely reads back: where a type's own form does not, that of RFC 3597 is taken."""

    def __init__(self, rdclass: int) -> None:
        super().__init__(rdclass)
        self._class = rdclass

    def __call__(self, rtype: int, rdata: bytes) -> str:
        text = super().__call__(rtype, rdata)
        if rtype in _ALWAYS_READABLE or _is_readable(rtype, rdata, text):
            return text
        try:
            again = rdata_from_text(rtype, text, names.ROOT, self._class)
        except RdataError:
            again = None
        return text if again == rdata else generic_text(rdata)


def _is_readable(rtype: int, rdata: bytes, text: str) -> bool:
    """Return whether what makes big signed zones surely reads back: no type 0, no empty digest."""
    if rtype in (RRType.NSEC, RRType.NSEC3):
        return " TYPE0" not in text
    return rtype == RRType.DS and len(rdata) > _DS_HEAD_OCTETS


_ALWAYS_READABLE = frozenset(
    (
        RRType.A, RRType.NS, RRType.CNAME, RRType.SOA, RRType.PTR, RRType.MX, RRType.TXT, RRType.AAAA,
        RRType.SRV, RRType.DNAME, RRType.RRSIG, RRType.DNSKEY,
    )
)  # fmt: skip
"""Types that make big zones: to read each back here would take longer than to write it."""
_DS_HEAD_OCTETS = 4
_CONTROLS = dict.fromkeys((*range(32), 127), "?")


def _owner_text(owner: Name, origin: Name) -> str:
    """Return *owner*, which is in the zone, relative to *origin*."""
    below = len(owner) - len(origin)
    if not below:
        return "@"
    return ".".join([names.label_to_text(label) for label in names.labels(owner[:below] + names.ROOT)])


def _in_order(rrsets: tuple[RRset, ...]) -> list[RRset] | tuple[RRset, ...]:
    if len(rrsets) < 2:
        return rrsets
    return sorted(rrsets, key=_place)


def _place(rrset: RRset) -> tuple[bool, int, bool]:
    covers = rrset.covers
    return (covers or rrset.rtype) != RRType.SOA, covers or rrset.rtype, bool(covers)
