"""What the server says to requests that are no plain queries, as long as nothing serves them.

Transfers, NOTIFY and UPDATE are refused, as BIND refuses what its configuration does not allow; signed
requests are told that we do not have their key (RFC 8945 section 5.2.1).
"""

from __future__ import annotations

import logging
import struct
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.rrset
import dns.tsig

from bindpy.server.querylog import Question, read_question
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.request import Request

log = logging.getLogger("bindpy.security")

HEADER_OCTETS = 12
_QR, _RD = 0x8000, 0x0100
_OPCODE = 0x7800
_TRANSFERS = frozenset((dns.rdatatype.AXFR, dns.rdatatype.IXFR))
TSIG_FUDGE_S = 300


class RefusingControlPlane:
    """A `RequestHandler` that serves no transfer, NOTIFY or UPDATE; the peer and the log are told so."""

    def __init__(self) -> None:
        # One for each kind of line, so that a flood of one does not hide the others.
        self._logs = {kind: RateLimitedLog(log) for kind in ("transfer", "notify", "update", "tsig", "other")}

    async def handle(self, request: Request) -> bytes | None:
        """Return the refusal of *request*."""
        packet = request.packet
        if len(packet) < HEADER_OCTETS or packet[2] & 0x80:
            return None  # a response, or nothing that could be answered
        try:
            # keyring=False: read a TSIG without checking it. There is no key here to check it with.
            message = dns.message.from_wire(packet, keyring=False)
        except dns.exception.DNSException:
            return error_response(packet, dns.rcode.FORMERR)
        if message.tsig is not None:
            return self._unknown_key(request, message.tsig)
        question = read_question(packet)
        if question is None:
            return error_response(packet, dns.rcode.FORMERR)
        self._log_refusal(request, message.opcode(), question)
        return error_response(packet, dns.rcode.REFUSED, question)

    def _log_refusal(self, request: Request, opcode: int, question: Question) -> None:
        zone = f"{question.name_text}/{question.class_text}"
        match opcode:
            case dns.opcode.NOTIFY:
                self._logs["notify"].log(
                    logging.INFO,
                    "client %s: refused notify for zone '%s': no secondary zone here takes it "
                    "(its primaries and allow-notify would allow it)",
                    request.client,
                    question.name_text,
                )
            case dns.opcode.UPDATE:
                self._logs["update"].log(
                    logging.INFO,
                    "client %s: update '%s' denied: dynamic update is not supported; edit the zone file",
                    request.client,
                    zone,
                )
            case dns.opcode.QUERY if question.qtype in _TRANSFERS:
                self._logs["transfer"].log(
                    logging.ERROR,
                    "client %s (%s): zone transfer '%s/%s/%s' denied: outgoing transfers are not served yet "
                    "(allow-transfer will allow them)",
                    request.client,
                    question.name_text,
                    question.name_text,
                    question.type_text,
                    question.class_text,
                )
            case _:
                self._logs["other"].log(
                    logging.INFO,
                    "client %s (%s): request with opcode %s for '%s' refused",
                    request.client,
                    question.name_text,
                    dns.opcode.to_text(dns.opcode.Opcode(opcode)),
                    question.type_text,
                )

    def _unknown_key(self, request: Request, tsig: dns.rrset.RRset) -> bytes:
        """Return NOTAUTH with an unsigned TSIG whose error is BADKEY (RFC 8945 sections 5.2.1 and 5.3.2)."""
        theirs = tsig[0]
        assert isinstance(theirs, dns.rdtypes.ANY.TSIG.TSIG)
        self._logs["tsig"].log(
            logging.ERROR,
            "client %s: request has invalid signature: TSIG %s: tsig verify failure (BADKEY): "
            "no 'key' statement of that name and algorithm is in use here",
            request.client,
            tsig.name.to_text(omit_final_dot=True),
        )
        response = error_response(request.packet, dns.rcode.NOTAUTH, read_question(request.packet))
        ours = dns.rdtypes.ANY.TSIG.TSIG(  # type: ignore[no-untyped-call]
            dns.rdataclass.ANY,
            dns.rdatatype.TSIG,
            theirs.algorithm,
            int(time.time()),
            TSIG_FUDGE_S,
            b"",
            theirs.original_id,
            dns.rcode.BADKEY,
            b"",
        )
        record = dns.rrset.from_rdata(tsig.name, 0, ours)
        return response[:10] + b"\0\1" + response[12:] + _wire(record)


def _wire(record: dns.rrset.RRset) -> bytes:
    rdata: bytes | None = record[0].to_wire()
    owner: bytes | None = record.name.to_wire()
    assert rdata is not None and owner is not None  # it is None only where a file to write to is given  # noqa: PT018
    return owner + struct.pack("!HHIH", record.rdtype, record[0].rdclass, 0, len(rdata)) + rdata


def error_response(packet: bytes, rcode: int, question: Question | None = None) -> bytes:
    """Return a response to *packet* (at least a header) of no records, with its *question* where readable."""
    (flags,) = struct.unpack_from("!H", packet, 2)
    flags = _QR | flags & (_OPCODE | _RD) | rcode
    body = packet[HEADER_OCTETS : question.end] if question is not None else b""
    return packet[:2] + struct.pack("!HHHHH", flags, 1 if body else 0, 0, 0, 0) + body
