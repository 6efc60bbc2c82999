"""Records as they are kept and passed on: RDATA in uncompressed wire form, grouped in RRsets.

Text and wire meet dnspython at one place (`bindpy.zone.rdata`); everything else moves these bytes.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from bindpy.deferred import dataclass
from bindpy.zone.names import Name

IN = 1
CHAOS = 3
ANY_CLASS = 255


class RRType(enum.IntEnum):
    """The types that the server itself looks at; all others are numbers with opaque RDATA."""

    A = 1
    NS = 2
    MD = 3
    MF = 4
    CNAME = 5
    SOA = 6
    MB = 7
    MG = 8
    MR = 9
    PTR = 12
    HINFO = 13
    MINFO = 14
    MX = 15
    TXT = 16
    RP = 17
    AFSDB = 18
    RT = 21
    SIG = 24
    KEY = 25
    PX = 26
    AAAA = 28
    LOC = 29
    NXT = 30
    SRV = 33
    NAPTR = 35
    KX = 36
    DNAME = 39
    OPT = 41
    DS = 43
    RRSIG = 46
    NSEC = 47
    DNSKEY = 48
    NSEC3 = 50
    NSEC3PARAM = 51
    CDS = 59
    CDNSKEY = 60
    SVCB = 64
    HTTPS = 65
    SPF = 99
    TKEY = 249
    TSIG = 250
    IXFR = 251
    AXFR = 252
    MAILB = 253
    MAILA = 254
    ANY = 255
    TA = 32768


class RR(NamedTuple):
    """One record on its way somewhere (a transfer, a diff, a dump)."""

    owner: Name
    rtype: int
    ttl: int
    rdata: bytes


class RRset:
    """All records of one owner and type. Immutable once its snapshot is published.

    RRSIGs form one RRset for each type that they cover, because each has that type's TTL
    (RFC 4034 section 3). ``rdatas`` are in the zone file's order, without duplicates. ``sigs`` are the
    RDATAs of the RRSIGs that cover this RRset (RFC 4035 section 2.2), and ``sigs_ttl`` is their TTL.
    """

    __slots__ = ("rdatas", "rtype", "sigs", "sigs_ttl", "ttl")

    def __init__(
        self, rtype: int, ttl: int, rdatas: tuple[bytes, ...], sigs: tuple[bytes, ...] = (), sigs_ttl: int = 0
    ) -> None:
        self.rtype = rtype
        self.ttl = ttl
        self.rdatas = rdatas
        self.sigs = sigs
        self.sigs_ttl = sigs_ttl

    @property
    def covers(self) -> int:
        """The type that an RRset of RRSIGs covers, 0 for every other RRset."""
        return rrsig_covered(self.rdatas[0]) if self.rtype == RRType.RRSIG else 0

    def __eq__(self, other: object) -> bool:
        """Two RRsets are equal when a client could not tell them apart: the order of RDATAs aside."""
        if not isinstance(other, RRset):
            return NotImplemented
        same_head = self.rtype == other.rtype and self.ttl == other.ttl
        return same_head and frozenset(self.rdatas) == frozenset(other.rdatas)

    def __hash__(self) -> int:
        return hash((self.rtype, self.ttl, frozenset(self.rdatas)))

    def __repr__(self) -> str:
        return f"RRset(type={self.rtype}, ttl={self.ttl}, {len(self.rdatas)} rdatas)"


@dataclass(frozen=True, slots=True)
class Soa:
    """A SOA's fields (RFC 1035 section 3.3.13); the last five are numbers, times in seconds."""

    mname: Name
    rname: Name
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int

    @classmethod
    def from_rdata(cls, rdata: bytes) -> Soa:
        """Read wire RDATA that has been checked to be a SOA's."""
        mname_end = name_end(rdata, 0)
        rname_end = name_end(rdata, mname_end)
        numbers = [int.from_bytes(rdata[rname_end + 4 * i : rname_end + 4 * i + 4], "big") for i in range(5)]
        return cls(rdata[:mname_end], rdata[mname_end:rname_end], *numbers)


def name_end(wire: bytes, start: int) -> int:
    """Return where the uncompressed name that begins at *start* of valid *wire* ends."""
    i = start
    while size := wire[i]:
        i += 1 + size
    return i + 1


_FIRST_NAME_AT = {
    RRType.NS: 0, RRType.CNAME: 0, RRType.PTR: 0, RRType.DNAME: 0, RRType.MB: 0, RRType.MG: 0, RRType.MR: 0,
    RRType.MD: 0, RRType.MF: 0, RRType.NSEC: 0, RRType.MX: 2, RRType.AFSDB: 2, RRType.RT: 2, RRType.KX: 2,
    RRType.SVCB: 2, RRType.HTTPS: 2, RRType.SRV: 6,
}  # fmt: skip


def target(rtype: int, rdata: bytes) -> Name:
    """Return the name that *rdata* points at (NS, CNAME, DNAME, PTR, MX, SRV, SVCB, … only)."""
    start = _FIRST_NAME_AT[RRType(rtype)]
    return rdata[start : name_end(rdata, start)]


def rrsig_covered(rdata: bytes) -> int:
    """Return the type that RRSIG *rdata* covers (RFC 4034 section 3.1.1)."""
    return int.from_bytes(rdata[:2], "big")
