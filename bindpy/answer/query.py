"""From octets to a query: header, question and EDNS (RFC 1035 section 4.1, RFC 6891 section 6).

Nothing here raises, whatever the octets: the outcome is a `Query`, an error to answer with, or an
`Outcome`.
"""

from __future__ import annotations

import enum
from typing import Final

from bindpy.answer.options import is_well_formed
from bindpy.answer.policy import Outcome
from bindpy.deferred import dataclass
from bindpy.zone.names import MAX_NAME_OCTETS, Key, Name
from bindpy.zone.records import RRType

HEADER_OCTETS: Final = 12
MIN_UDP_OCTETS: Final = 512
OPT_FIXED_OCTETS: Final = 11

OPCODE_MASK: Final = 0x7800
NXNAME: Final = 128  # RFC 9824: a type that exists only in NSEC bitmaps

OPTION_NSID: Final = 3
OPTION_EXPIRE: Final = 9
_RESERVED_OPTION: Final = b"\xff\xff"  # RFC 6891 section 9
_NSID_ALONE: Final = b"\0\4\0\3\0\0"  # RDLENGTH and RDATA of an OPT record that asks for it


class Rcode(enum.IntEnum):
    """The RCODEs that are answered; from 16 on the upper bits travel in the OPT record."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    YXDOMAIN = 6
    NOTAUTH = 9
    BADVERS = 16


class Opcode(enum.IntEnum):
    """The opcodes that somebody here handles."""

    QUERY = 0
    NOTIFY = 4
    UPDATE = 5


class Query:
    """One well-formed query.

    ``flags`` is the header's second word; ``qname`` keeps the case it came in and ``key`` is its lower
    case; ``question_end`` is where the question section ends in ``data``. The EDNS fields say whether there
    is an OPT record, its payload size, version and DO, whether NSID and EXPIRE (RFC 7314) were asked for, and
    where its options are.
    """

    __slots__ = (
        "data",
        "dnssec_ok",
        "edns",
        "edns_version",
        "expire",
        "flags",
        "key",
        "nsid",
        "options_at",
        "options_end",
        "payload_octets",
        "qclass",
        "qname",
        "qtype",
        "question_end",
    )

    def __init__(self, data: bytes, flags: int, question_end: int) -> None:
        self.data = data
        self.flags = flags
        self.question_end = question_end
        self.qname: Name = data[HEADER_OCTETS : question_end - 4]
        self.key: Key = self.qname.lower()
        self.qtype = data[question_end - 4] << 8 | data[question_end - 3]
        self.qclass = data[question_end - 2] << 8 | data[question_end - 1]
        self.edns = False
        self.edns_version = 0
        self.dnssec_ok = False
        self.nsid = False
        self.expire = False
        self.payload_octets = MIN_UDP_OCTETS
        self.options_at = 0
        self.options_end = 0

    @property
    def recursion_desired(self) -> bool:
        """The RD bit."""
        return bool(self.flags & 0x0100)

    def common_octets(self) -> bytes | None:
        """Return the query without its ID and without EDNS options that change nothing in the answer.

        Queries for which this is the same are answered alike, but for the ID. None for a query in an
        unusual form, which is not worth being remembered.
        """
        data = self.data
        if not self.edns:
            return data[2:] if len(data) == self.question_end else None
        if self.options_end != len(data) or self.options_at != self.question_end + OPT_FIXED_OCTETS:
            return None
        if self.options_at == self.options_end:
            return data[2:]
        return data[2 : self.options_at - 2] + (_NSID_ALONE if self.nsid else b"\0\0")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A query that is answered with *rcode* alone.

    Its question is repeated when it was read: up to ``question_end``, which is `HEADER_OCTETS` otherwise.
    ``edns`` is the query where its OPT record was read, so that the answer has one, too.
    """

    rcode: Rcode
    flags: int
    question_end: int = HEADER_OCTETS
    edns: Query | None = None


def parse(data: bytes) -> Query | Refusal | Outcome:
    """Read *data* as a query.

    Octets behind the last record are ignored, as BIND does. A compressed name in the question is refused:
    nothing stands before it that it could point at.
    """
    if len(data) < HEADER_OCTETS or data[2] & 0x80:
        return Outcome.DROP
    opcode = data[2] >> 3 & 0xF
    if opcode in (Opcode.NOTIFY, Opcode.UPDATE):
        return Outcome.NOT_MINE
    flags = data[2] << 8 | data[3]
    query = read_query(data, flags)
    if opcode != Opcode.QUERY:
        if query is Outcome.NOT_MINE:  # the answer has to be signed
            return query
        # What the message means is not known: only its EDNS version is looked at (RFC 6891 section 6.1.3).
        edns = _edns_of(query)
        bad_version = edns is not None and edns.edns_version > 0
        return Refusal(Rcode.BADVERS if bad_version else Rcode.NOTIMP, flags, edns=edns)
    return _judge(query) if isinstance(query, Query) else query


def read_query(data: bytes, flags: int) -> Query | Refusal | Outcome:
    """Read *data*, at least a header, as a message of one question, whatever it asks for."""
    if data[4:6] != b"\0\1":
        return _refuse_questions(data, flags)
    end = question_end(data)
    if not end:
        return Refusal(Rcode.FORMERR, flags)
    query = Query(data, flags, end)
    failed = None if data[6:12] == b"\0\0\0\0\0\0" else _read_records(query)
    return failed or query


def _refuse_questions(data: bytes, flags: int) -> Refusal:
    """Refuse a message of no question or several (RFC 9619).

    The answer has OPT if the message does (RFC 6891 section 6.1.1).
    """
    at = HEADER_OCTETS
    for _ in range(data[4] << 8 | data[5]):
        name_end = _name_end(data, at)
        at = name_end + 4
        if not name_end or at > len(data):
            return Refusal(Rcode.FORMERR, flags)
    query = Query(data, flags, at)  # what it says of a question means nothing
    edns = _edns_of(_read_records(query) or query)
    bad_version = edns is not None and edns.edns_version > 0
    return Refusal(Rcode.BADVERS if bad_version else Rcode.FORMERR, flags, edns=edns)


def _edns_of(query: Query | Refusal | Outcome) -> Query | None:
    """Return that query whose OPT record makes the answer have one."""
    if isinstance(query, Refusal):
        return query.edns
    return query if isinstance(query, Query) and query.edns else None


def without_expire(query: Query) -> bytes:
    """Return *query*'s octets with a number that means nothing in place of EXPIRE's."""
    data = bytearray(query.data)
    at = query.options_at
    while at < query.options_end:
        if data[at] << 8 | data[at + 1] == OPTION_EXPIRE:
            data[at : at + 2] = _RESERVED_OPTION
        at += 4 + (data[at + 2] << 8 | data[at + 3])
    return bytes(data)


def question_end(data: bytes) -> int:
    """Return where the first question ends, 0 when it is no whole, uncompressed question."""
    at = HEADER_OCTETS
    size_octets = len(data)
    while at < size_octets and (size := data[at]):
        if size > 63:
            return 0
        at += 1 + size
    end = at + 5
    return end if end <= size_octets and at + 1 - HEADER_OCTETS <= MAX_NAME_OCTETS else 0


_NOT_ASKED_FOR: Final = {
    RRType.OPT: Rcode.FORMERR,
    NXNAME: Rcode.FORMERR,
    RRType.TKEY: Rcode.FORMERR,
    RRType.TSIG: Rcode.FORMERR,
    RRType.MAILA: Rcode.NOTIMP,
    RRType.MAILB: Rcode.NOTIMP,
}
"""Types that no data has, and BIND's verdict on questions for them."""


def _judge(query: Query) -> Query | Refusal | Outcome:
    """Pass on what secondaries ask, and refuse what cannot be answered whatever the data."""
    qtype = query.qtype
    rcode = Rcode.BADVERS if query.edns_version > 0 else _NOT_ASKED_FOR.get(qtype)
    if rcode is not None:
        return Refusal(rcode, query.flags, query.question_end, query if query.edns else None)
    if qtype in (RRType.AXFR, RRType.IXFR):
        return Outcome.NOT_MINE
    # How much is left of the zone's life is not known here.
    return Outcome.NOT_MINE if qtype == RRType.SOA and query.expire else query


def _read_records(query: Query) -> Refusal | Outcome | None:
    """Walk over the records behind the question, look at OPT, and leave signed queries to others."""
    data = query.data
    at = query.question_end
    size_octets = len(data)
    leading = (data[6] << 8 | data[7]) + (data[8] << 8 | data[9])
    count = leading + (data[10] << 8 | data[11])
    for index in range(count):
        root_owner = at < size_octets and data[at] == 0
        at = _name_end(data, at)
        is_whole = at and at + 10 <= size_octets
        end = at + 10 + (data[at + 8] << 8 | data[at + 9]) if is_whole else 0
        if not is_whole or end > size_octets:
            return Refusal(Rcode.FORMERR, query.flags)
        rtype = data[at] << 8 | data[at + 1]
        if rtype == RRType.OPT:
            # RFC 6891 section 6.1.1: one OPT, owned by the root, in the additional section.
            misplaced = query.edns or not root_owner or index < leading
            failed = _malformed(query) if misplaced else _read_opt(query, at, end)
            if failed is not None:
                return failed
        elif rtype in (RRType.TSIG, RRType.SIG):
            if index >= leading and index == count - 1:
                return Outcome.NOT_MINE
            if rtype == RRType.TSIG:  # RFC 8945 section 5.1: it is the last record, in the additional section
                return _malformed(query)
        at = end
    return None


def _malformed(query: Query) -> Refusal:
    return Refusal(Rcode.FORMERR, query.flags, query.question_end)


def _name_end(data: bytes, at: int) -> int:
    """Return where the name at *at* ends, 0 when it runs out of the message. Pointers are not followed."""
    size_octets = len(data)
    start = at
    while at < size_octets:
        size = data[at]
        if not size:
            return at + 1
        if size >= 0xC0:
            # A pointer goes backwards (RFC 1035 section 4.1.4), and not into the header.
            target = (size & 0x3F) << 8 | data[at + 1] if at + 1 < size_octets else 0
            return at + 2 if HEADER_OCTETS <= target < start else 0
        if size > 63:
            return 0
        at += 1 + size
    return 0


def _read_opt(query: Query, at: int, end: int) -> Refusal | None:
    """Take over the OPT record whose type is at *at*; refuse options that are not well-formed."""
    data = query.data
    query.edns = True
    query.payload_octets = max(MIN_UDP_OCTETS, data[at + 2] << 8 | data[at + 3])
    query.edns_version = data[at + 5]
    query.dnssec_ok = data[at + 6] >= 0x80
    at += 10
    query.options_at = at
    query.options_end = end
    while at < end:
        if at + 4 > end:
            return _malformed(query)
        code = data[at] << 8 | data[at + 1]
        start = at + 4
        at = start + (data[at + 2] << 8 | data[at + 3])
        if at > end:
            return _malformed(query)
        if not is_well_formed(code, data[start:at]):
            return Refusal(Rcode.FORMERR, query.flags, query.question_end, query)
        if code == OPTION_NSID:
            query.nsid = True
        elif code == OPTION_EXPIRE:
            query.expire = True
    return None
