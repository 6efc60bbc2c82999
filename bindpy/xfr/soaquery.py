"""Asking a primary which version of a zone it has (RFC 1035 section 4.3.5, RFC 7314)."""

from __future__ import annotations

from bindpy.answer.query import Rcode
from bindpy.deferred import dataclass
from bindpy.xfr.client import DEFAULT_TIMING, QueryTiming, query
from bindpy.xfr.failure import Stage, XferFailure, soa_refusal
from bindpy.xfr.peers import Primary
from bindpy.xfr.wire import AA, Message, Question, WireRR, build_query
from bindpy.zone.names import Name
from bindpy.zone.records import RRType, Soa, rrsig_covered

EDNS_OCTETS = 1232
_NO_EDNS = frozenset((Rcode.FORMERR, Rcode.NOTIMP, Rcode.BADVERS))
"""What servers say that do not know EDNS."""
_SILENCE = frozenset((Stage.CONNECT, Stage.WAIT))


@dataclass(frozen=True, slots=True)
class PrimaryVersion:
    """What a primary said.

    ``signatures`` are the RDATAs of the SOA's RRSIGs, empty unless they were asked for. ``expire_s`` is
    how long the primary's own copy lives, None where it did not say (RFC 7314).
    """

    serial: int
    signatures: frozenset[bytes]
    expire_s: int | None


async def ask_version(
    primary: Primary,
    origin: Name,
    rdclass: int,
    *,
    signed: bool,
    try_tcp: bool,
    timing: QueryTiming = DEFAULT_TIMING,
) -> PrimaryVersion:
    """Ask *primary* for the SOA of *origin*, and for its RRSIGs if *signed*. Raises `XferFailure`.

    By UDP, then by TCP where UDP has no answer and *try_tcp* says so. Without EDNS where EDNS is not
    understood.
    """
    primary.check_key()
    question = Question(origin, RRType.SOA, rdclass)
    answer = await ask_primary(primary, question, signed=signed, try_tcp=try_tcp, timing=timing)
    if answer.rcode:
        failure = XferFailure(Stage.ANSWER, soa_refusal(answer.rcode), rcode=answer.rcode)
        raise failure.about(primary.text)
    try:
        return _version(answer, question)
    except XferFailure as failure:
        raise failure.about(primary.text) from None


async def ask_primary(
    primary: Primary,
    question: Question,
    *,
    signed: bool = False,
    try_tcp: bool = True,
    timing: QueryTiming = DEFAULT_TIMING,
) -> Message:
    """Return what *primary* answers to *question*, whatever its rcode. Raises `XferFailure`."""
    plain = build_query(question)
    message = plain
    if primary.edns:
        message = build_query(
            question,
            edns_payload_octets=EDNS_OCTETS,
            expire=primary.request_expire,
            dnssec_ok=signed,
        )
    answer = await _ask_either_way(primary, message, try_tcp, timing)
    if answer.rcode in _NO_EDNS and message is not plain:
        answer = await _ask_either_way(primary, plain, try_tcp, timing)
    return answer


async def _ask_either_way(primary: Primary, message: bytes, try_tcp: bool, timing: QueryTiming) -> Message:
    async def ask(*, tcp: bool) -> Message:
        return await query(
            primary.remote, message, key=primary.key, source=primary.source, tcp=tcp, timing=timing
        )

    if primary.tcp_only:
        return await ask(tcp=True)
    try:
        return await ask(tcp=False)
    except XferFailure as by_udp:
        if not try_tcp or by_udp.stage not in _SILENCE:
            raise
        try:
            return await ask(tcp=True)
        except XferFailure as by_tcp:
            if by_tcp.stage not in _SILENCE:
                raise
        raise


def records_at(answer: Message, question: Question) -> list[WireRR]:
    """Return the records of the name that was asked for. Raises `XferFailure`: no answer with authority."""
    if not answer.flags & AA:
        raise XferFailure(Stage.ANSWER, "answered without authority (AA): the zone is not configured there")
    key = question.name.lower()
    return [rr for rr in answer.answer if rr[0].lower() == key and rr[2] == question.rdclass]


def _version(answer: Message, question: Question) -> PrimaryVersion:
    at_apex = records_at(answer, question)
    soas = [rdata for _, rtype, _, _, rdata in at_apex if rtype == RRType.SOA]
    if len(soas) != 1:
        raise XferFailure(Stage.ANSWER, f"answered with {len(soas) or 'no'} SOA records")
    signatures = frozenset(
        rdata
        for _, rtype, _, _, rdata in at_apex
        if rtype == RRType.RRSIG and rrsig_covered(rdata) == RRType.SOA
    )
    expire_s = answer.edns.expire_s if answer.edns is not None else None
    return PrimaryVersion(Soa.from_rdata(soas[0]).serial, signatures, expire_s)
