"""Records into the messages of a transfer (RFC 5936 section 2.2, RFC 1995 section 4), one message at a time.

Every message repeats the question, which the RFC allows: so the zone's name stands at the same place in all
of them, and an owner needs no search to be compressed. Speed is what this is made for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct

from bindpy.answer.encode import AA, COMPRESSIBLE, PRESERVED_FLAGS, QR, opt_record
from bindpy.answer.query import HEADER_OCTETS, Query, Rcode
from bindpy.answer.response import Entry
from bindpy.engine import MessageForm, Packed, RecordTooLargeError, Zone
from bindpy.zone import names
from bindpy.zone.diff import Delta
from bindpy.zone.names import Name
from bindpy.zone.records import RR, name_end

MAX_MESSAGE_OCTETS = 65535

_HEADER = Struct("!6H").pack
_RR_HEAD = Struct("!HHIH").pack
_SHORT = Struct("!H").pack
_POINTER = 0xC000
_REACH = 0x3FFF
_QUESTION_NAME = _SHORT(_POINTER | HEADER_OCTETS)
_NO_SUFFIX = bytes(names.MAX_NAME_OCTETS + 1)
"""No name ends in this."""


def axfr_entries(zone: Zone) -> Iterator[Entry]:
    """Yield what an AXFR of *zone* holds: all RRsets, with the SOA first and once more at the end."""
    soa = None
    for owner, rrset in zone.rrsets():
        entry = (owner, rrset.rtype, rrset.ttl, rrset.rdatas)
        soa = soa or entry
        yield entry
    assert soa is not None, "a zone has a SOA"
    yield soa


def ixfr_entries(soa: Entry, deltas: Iterable[Delta]) -> Iterator[Entry]:
    """Yield what an IXFR with *deltas* holds (RFC 1995 section 4); *soa* is the current one."""
    yield soa
    for delta in deltas:
        for old in (delta.old_soa, *delta.removed):
            yield _entry(old)
        for new in (delta.new_soa, *delta.added):
            yield _entry(new)
    yield soa


def _entry(rr: RR) -> Entry:
    return rr.owner, rr.rtype, rr.ttl, (rr.rdata,)


class Packer:
    """Makes the messages of one answer to *query*, a transfer of the zone *origin*.

    Messages have at most *limit_octets*, but for one record that needs more, and then at most *most_octets*;
    exactly one record each where *one_answer*. *edns_octets* is the payload size for an OPT record, and
    *options* what is in it, where the query has one. ``form`` is what it all comes to.
    """

    def __init__(
        self,
        query: Query,
        origin: Name,
        rdclass: int,
        *,
        limit_octets: int,
        most_octets: int = MAX_MESSAGE_OCTETS,
        one_answer: bool = False,
        edns_octets: int,
        options: bytes = b"",
    ) -> None:
        self.form = form = MessageForm(
            id=int.from_bytes(query.data[:2]),
            flags=QR | AA | (query.flags & PRESERVED_FLAGS),
            question=query.data[HEADER_OCTETS : query.question_end],
            opt=opt_record(edns_octets, Rcode.NOERROR, query.dnssec_ok, options) if query.edns else b"",
            limit_octets=limit_octets,
            most_octets=most_octets,
            one_answer=one_answer,
        )
        self._rdclass = rdclass
        self._limit = limit_octets - len(form.opt)
        self._most = most_octets - len(form.opt)
        # The case of names is kept: the question's name stands for the zone's only where it is the same.
        same_case = query.qname == origin and origin != names.ROOT
        self._origin = origin if same_case else None

    def messages(self, entries: Iterable[Entry]) -> Iterator[Packed]:
        """Yield messages with the records of *entries*. Raises `RecordTooLargeError`."""
        start = bytes(HEADER_OCTETS) + self.form.question
        out = bytearray(start)
        places: dict[Name, int] = {}
        count = 0
        rdclass, most = self._rdclass, self._most
        limit = self._limit if not self.form.one_answer else 0
        origin = self._origin or _NO_SUFFIX
        for owner, rtype, ttl, rdatas in entries:
            compressible = COMPRESSIBLE.get(rtype)
            for rdata in rdatas:
                before = len(out)
                while True:
                    place = places.get(owner)
                    if place is not None:
                        out += _SHORT(_POINTER | place)
                    else:
                        if (at := len(out)) <= _REACH:
                            places[owner] = at
                        # It is in the zone: where it ends in the octets of the zone, it ends in its labels.
                        out += owner[: -len(origin)] + _QUESTION_NAME if owner.endswith(origin) else owner
                    if compressible is None:
                        out += _RR_HEAD(rtype, rdclass, ttl, len(rdata)) + rdata
                    else:
                        out += _RR_HEAD(rtype, rdclass, ttl, 0)
                        self._put_names(out, places, rdata, compressible)
                    if len(out) <= limit or (not count and len(out) <= most):
                        break
                    if not count:
                        raise RecordTooLargeError(
                            f"the record '{names.to_text(owner)}' of type {rtype} with {len(rdata)} octets "
                            "of data does not fit a message"
                        )
                    del out[before:]
                    yield self._finish(out, count)
                    out = bytearray(start)
                    places = {}
                    before = len(out)
                    count = 0
                count += 1
        if count:
            yield self._finish(out, count)

    def _finish(self, out: bytearray, count: int) -> Packed:
        form = self.form
        out[:HEADER_OCTETS] = _HEADER(form.id, form.flags, 1, count, 0, 1 if form.opt else 0)
        out += form.opt
        return Packed(bytes(out), count)

    def _shortened(self, name: Name) -> bytes:
        """Return *name* with a pointer for the zone's name, where it ends in that."""
        origin = self._origin
        if origin is None or not name.endswith(origin) or not names.is_subdomain(name, origin):
            return name
        return name[: -len(origin)] + _QUESTION_NAME

    def _put_names(
        self, out: bytearray, places: dict[Name, int], rdata: bytes, compressible: tuple[int, int]
    ) -> None:
        """Write RDATA whose names may be compressed, and its length before it."""
        begin = len(out)
        at, count = compressible
        out += rdata[:at]
        for _ in range(count):
            end = name_end(rdata, at)
            name = rdata[at:end]
            at = end
            place = places.get(name)
            if place is not None:
                out += _SHORT(_POINTER | place)
                continue
            if (here := len(out)) <= _REACH:
                places[name] = here
            out += self._shortened(name)
        out += rdata[at:]
        out[begin - 2 : begin] = _SHORT(len(out) - begin)
