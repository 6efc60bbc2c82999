"""NOTIFY from primaries (RFC 1996): acknowledged at once, followed when the zone's turn comes."""

from __future__ import annotations

import logging
import struct

from bindpy.answer.policy import Outcome
from bindpy.answer.query import Rcode
from bindpy.config.acl import AddressMatcher, LocalAddresses, parse_address
from bindpy.config.model import Config, ZoneType
from bindpy.engine import Answerer
from bindpy.logs.levels import NOTICE
from bindpy.reload.table import ZoneEntry, ZoneTable
from bindpy.server.control_plane import error_reply
from bindpy.server.querylog import Question
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.request import CheckedRequest
from bindpy.xfr import wire
from bindpy.xfr.autoprimary import HEARD, AutoprimaryZones, Reception
from bindpy.xfr.refresh import NotifyVerdict
from bindpy.xfr.secondaries import Secondaries
from bindpy.xfr.wire import Message, WireError, read_message
from bindpy.zone.records import IN, RRType, Soa

log = logging.getLogger("bindpy.notify")

_AA = 0x04  # in the third octet of a message


_NO_VIEW = Reception(Rcode.REFUSED, "no view's match-clients matches this client")
_UNKNOWN = Reception(Rcode.NOTAUTH, "no such zone is configured here")


class NotifyIn:
    """Answers NOTIFY; a `bindpy.server.control_plane.NotifyHandler`. Belongs to the event loop.

    As in BIND a primary is known by its address, whether it signs its NOTIFYs or not (many do not, even where
    their transfers are signed): all that a NOTIFY does is that the primaries are asked, with their keys.
    Others need ``allow-notify``. A NOTIFY for a zone that is not there is *autoprimaries*' affair.
    """

    def __init__(
        self,
        answerer: Answerer,
        table: ZoneTable,
        secondaries: Secondaries,
        autoprimaries: AutoprimaryZones,
    ) -> None:
        self._answerer = answerer
        self._table = table
        self._secondaries = secondaries
        self._autoprimaries = autoprimaries
        self._local = LocalAddresses()
        self._edns_octets = 0
        self._refused_log = RateLimitedLog(log)
        # Whoever is allowed may tell of 100,000 zones: what they lead to is logged in full elsewhere.
        self._taken_log = RateLimitedLog(log, burst=1000, lines_per_s=100)

    def configure(self, config: Config, local: LocalAddresses) -> None:
        """Take over *config*; *local* is what ``localhost`` and ``localnets`` mean in ``allow-notify``."""
        self._edns_octets = config.options.edns_udp_size
        self._local = local

    async def __call__(self, request: CheckedRequest, question: Question) -> bytes | Outcome:
        """Return the reply, not signed; none where the sender had better try again later."""
        try:
            message = read_message(request.packet)
        except WireError:
            return error_reply(request.packet, Rcode.FORMERR)
        reception = await self._take(request, question, message)
        if reception.rcode is None:
            return Outcome.DROP
        if reception.refusal:
            self._refused_log.log(
                NOTICE,
                "client %s: refused notify for zone '%s'%s: %s",
                request.client,
                question.name_text,
                f": TSIG '{request.key.rstrip('.')}'" if request.key is not None else "",
                reception.refusal,
            )
        return self._reply(request.packet, question, reception.rcode, edns=message.edns is not None)

    def _reply(self, packet: bytes, question: Question, rcode: Rcode, *, edns: bool) -> bytes:
        reply = bytearray(error_reply(packet, rcode, question))
        if rcode is Rcode.NOERROR:
            reply[2] |= _AA
        if edns:  # RFC 6891 section 6.1.1
            reply[11] = 1
            reply += b"\0" + struct.pack("!HHIH", RRType.OPT, self._edns_octets, 0, 0)
        return bytes(reply)

    async def _take(self, request: CheckedRequest, question: Question, message: Message) -> Reception:
        if question.qtype != RRType.SOA:
            return Reception(Rcode.FORMERR, f"it is about {question.type_text}; only SOA has a meaning")
        client = request.client.address
        view = self._answerer.view_of(client, request.local, False, request.keys)
        entry = self._table.get((view, question.name.lower())) if view is not None else None
        if view is not None and entry is None and question.qclass == IN:
            return await self._unknown(request, question, view)
        if entry is None or entry.config.rdclass != question.qclass:
            return _NO_VIEW if view is None else _UNKNOWN
        match entry.config.type:
            case ZoneType.PRIMARY:
                log.debug("zone %s: notify from %s ignored: we are a primary", entry.label, request.client)
                return HEARD
            case ZoneType.NATIVE:
                return Reception(Rcode.REFUSED, "the zone is native: it changes by its file only")
            case ZoneType.SECONDARY:
                return self._follow(request, message, entry)

    async def _unknown(self, request: CheckedRequest, question: Question, view: str) -> Reception:
        reception = await self._autoprimaries.notified(request, question.name, view)
        return _UNKNOWN if reception is None else reception

    def _follow(self, request: CheckedRequest, message: Message, entry: ZoneEntry) -> Reception:
        config = entry.config
        client = parse_address(request.client.address)
        if not any(parse_address(primary.address) == client for primary in config.primaries):
            allowed = AddressMatcher(config.settings.allow_notify, self._local)
            if not allowed.matches(client, request.keys):
                return Reception(Rcode.REFUSED, self._why_not_followed(request, entry))
        serial = _serial_hint(message)
        verdict = self._secondaries.notified(entry.id, request.client.address, serial)
        told = f"serial {serial}" if serial is not None else "no serial"
        if verdict is NotifyVerdict.UP_TO_DATE or verdict is NotifyVerdict.LATER:
            told = f"{verdict.value} ({told})"
        self._taken_log.log(logging.INFO, "zone %s: notify from %s: %s", entry.label, request.client, told)
        return HEARD

    def _why_not_followed(self, request: CheckedRequest, entry: ZoneEntry) -> str:
        address = request.client.address
        first = entry.config.provisioned_by
        if first is not None and self._autoprimaries.is_listed(address):
            return (
                f"autoprimary {first.address} was first with this zone; "
                f"allow-notify {{ {address}; }} in its statement would have {first.address} asked"
            )
        how = f"key {request.key}" if request.key is not None else address
        return f"not from one of the zone's primaries; allow-notify {{ {how}; }} would allow it"


def _serial_hint(message: Message) -> int | None:
    """Return the serial that the NOTIFY tells of. It is a hint only (RFC 1996 section 3.11)."""
    asked = message.question
    for owner, rtype, rdclass, _, rdata in message.answer:
        if asked is not None and asked.same_as(wire.Question(owner, rtype, rdclass)):
            return Soa.from_rdata(rdata).serial
    return None
