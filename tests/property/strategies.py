"""Hypothesis strategies for names, RDATA, records and zones."""

from __future__ import annotations

from hypothesis import strategies as st

from bindpy.zone import names
from bindpy.zone.names import Name
from bindpy.zone.records import RR, RRType

ORIGIN = names.from_text("example.")

labels = st.one_of(
    st.sampled_from(
        [b"www", b"*", b"_tcp", b"a", b"A", b"\0", b".", b"\\", b'"', b"a b", b"$", b"@", b"(;)", b"\xff"]
    ),
    st.binary(min_size=1, max_size=12),
    st.binary(min_size=63, max_size=63),
)
"""Labels of any octets, the awkward ones often."""


def _fits(name: bytes) -> bool:
    return len(name) <= names.MAX_NAME_OCTETS


def _join(parts: list[bytes], end: Name) -> bytes:
    return b"".join([bytes((len(part),)) + part for part in parts]) + end


absolute_names = st.lists(labels, max_size=6).map(lambda parts: _join(parts, names.ROOT)).filter(_fits)
"""Names of up to six labels, the root too."""

owners = st.lists(labels, max_size=3).map(lambda parts: _join(parts, ORIGIN)).filter(_fits)
"""Names at or below `ORIGIN`."""

ttls = st.one_of(st.integers(0, 0x7FFFFFFF), st.just(3600))


def _number(octets: int) -> st.SearchStrategy[bytes]:
    return st.integers(0, (1 << 8 * octets) - 1).map(lambda n: n.to_bytes(octets, "big"))


def _row(*fields: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*fields).map(b"".join)


_strings = st.binary(max_size=255).map(lambda s: bytes((len(s),)) + s)
_substitutions = st.sampled_from(
    [b"\0", b"\x0e!^.*$!sip:x@y!", b'\x0c#(\xff)"#\\1$#ii', b"\x05^a ^^", b'\x0a"\\"."b"iii']
)
_soa_numbers = _row(*[_number(4)] * 5)
_tags = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=15).map(
    lambda tag: bytes((len(tag),)) + tag.encode()
)
_bitmaps = st.sampled_from([b"\0\1\x40", b"\0\6\x40\x01\0\0\0\3", b"\0\1\x02\1\1\x40", b"\xff\1\x80"])

rdatas_by_type: dict[int, st.SearchStrategy[bytes]] = {
    RRType.A: st.binary(min_size=4, max_size=4),
    RRType.NS: absolute_names,
    RRType.CNAME: absolute_names,
    RRType.PTR: absolute_names,
    RRType.DNAME: absolute_names,
    RRType.MX: _row(_number(2), absolute_names),
    RRType.TXT: st.lists(_strings, min_size=1, max_size=3).map(b"".join),
    RRType.HINFO: _row(_strings, _strings),
    RRType.RP: _row(absolute_names, absolute_names),
    RRType.AAAA: st.binary(min_size=16, max_size=16),
    RRType.SRV: _row(_number(2), _number(2), _number(2), absolute_names),
    RRType.NAPTR: _row(_number(2), _number(2), _strings, _strings, _substitutions, absolute_names),
    RRType.DS: _row(_number(2), _number(1), st.just(b"\2"), st.binary(min_size=32, max_size=32)),
    RRType.NSEC: _row(absolute_names, _bitmaps),
    RRType.NSEC3: _row(
        _number(1),
        _number(1),
        _number(2),
        _strings,
        st.binary(min_size=20, max_size=20).map(b"\x14".__add__),
        _bitmaps,
    ),
    RRType.DNSKEY: _row(_number(2), st.just(b"\3"), _number(1), st.binary(min_size=1, max_size=80)),
    257: _row(_number(1), _tags, st.binary(max_size=80)),  # CAA
    14: _row(absolute_names, absolute_names),  # MINFO
    52: _row(_number(1), _number(1), _number(1), st.binary(min_size=1, max_size=40)),  # TLSA
    256: _row(_number(2), _number(2), st.binary(max_size=300)),  # URI
    65400: st.binary(max_size=40),
}
"""Valid wire-form RDATA for each of many types."""

typed_rdatas: st.SearchStrategy[tuple[int, bytes]] = st.sampled_from(sorted(rdatas_by_type)).flatmap(
    lambda rtype: rdatas_by_type[rtype].map(lambda rdata: (int(rtype), rdata))
)

soa_rdatas = (
    st.tuples(absolute_names, absolute_names, _soa_numbers).map(b"".join).filter(lambda r: len(r) < 65536)
)


@st.composite
def zone_records(draw: st.DrawFn) -> list[RR]:
    """Draw a zone's records, the SOA first, RRsets of one TTL."""
    records = [RR(ORIGIN, RRType.SOA, draw(ttls), draw(soa_rdatas))]
    rrset_ttls: dict[tuple[bytes, int], int] = {}
    for _ in range(draw(st.integers(0, 8))):
        owner = draw(owners)
        rtype, rdata = draw(typed_rdatas)
        ttl = rrset_ttls.setdefault((owner.lower(), rtype), draw(ttls))
        records.append(RR(owner, rtype, ttl, rdata))
    return records
