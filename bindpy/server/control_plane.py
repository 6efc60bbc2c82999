"""What becomes of requests that are no plain queries: their signature first, then whoever is in charge.

Signed queries are answered by the Answerer, transfers and NOTIFY by the handlers that are passed in, UPDATE
is refused. Everything that answers a signed request is signed (RFC 8945 section 5.3).
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

import dns.opcode

from bindpy.answer.encode import EXPIRE_OCTETS, encode_refusal, expire_option, with_option
from bindpy.answer.policy import Outcome
from bindpy.answer.query import OPCODE_MASK, Opcode, Query, Rcode, Refusal, read_query, without_expire
from bindpy.config.model import Config, TsigKey
from bindpy.deferred import dataclass
from bindpy.engine import Answerer
from bindpy.server.querylog import Question, read_question
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.request import CheckedRequest, Reply, Request, Stream
from bindpy.tsig import (
    BADKEY,
    Keyring,
    StreamSigner,
    TsigError,
    Verified,
    error_response,
    room_for,
    sign,
    verify,
)
from bindpy.zone.names import Key
from bindpy.zone.records import RRType

log = logging.getLogger("bindpy.security")

HEADER_OCTETS = 12
DEFAULT_EDNS_OCTETS = 1232
_QR, _RD = 0x8000, 0x0100
_AA_OCTET = 0x04  # in the third octet
_KNOWN = frozenset(Opcode)
_TRANSFERS = frozenset((RRType.AXFR, RRType.IXFR))


class TransferHandler(Protocol):
    """Answers AXFR and IXFR."""

    async def __call__(self, request: CheckedRequest, query: Query) -> Reply:
        """Return the reply, not signed; *query* is the request as it was read."""


class Expiry(Protocol):
    """Knows how long the zones here are good."""

    def __call__(self, view: str, zone: Key, rdclass: int) -> int | None:
        """Return in how many seconds our copy of *zone* expires; None where nothing of it is served."""


class NotifyHandler(Protocol):
    """Answers NOTIFY."""

    async def __call__(self, request: CheckedRequest, question: Question) -> bytes | Outcome | None:
        """Return the reply, not signed; `Outcome.DROP` for none, or None to refuse with a line in the log."""


@dataclass(frozen=True, slots=True)
class _Ring:
    keys: Keyring
    views: frozenset[str]


class ControlPlane:
    """A `RequestHandler`. It has no keys until `configure` is called, as it is at each reload."""

    def __init__(
        self,
        answerer: Answerer,
        transfers: TransferHandler,
        notify: NotifyHandler | None = None,
        *,
        expiry: Expiry | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._answerer = answerer
        self._transfers = transfers
        self._notify = notify
        self._expiry = expiry
        self._clock = clock
        self._rings: tuple[_Ring, ...] = (_Ring(Keyring({}), frozenset()),)
        self._edns_octets = DEFAULT_EDNS_OCTETS
        # One for each kind of line, so that a flood of one does not hide the others.
        self._logs = {kind: RateLimitedLog(log) for kind in ("notify", "update", "tsig", "other")}

    def configure(self, config: Config) -> None:
        """Take over the keys of *config*. Views with the same keys share a ring."""
        views_by_keys: list[tuple[Mapping[str, TsigKey], set[str]]] = []
        for view in config.views:
            shared = next((views for keys, views in views_by_keys if keys == view.keys), None)
            if shared is None:
                views_by_keys.append((view.keys, {view.name}))
            else:
                shared.add(view.name)
        self._rings = tuple(_Ring(Keyring(keys), frozenset(views)) for keys, views in views_by_keys)
        self._edns_octets = config.options.edns_udp_size

    async def handle(self, request: Request) -> Reply:
        """Return the reply to *request*, signed where it was signed."""
        packet = request.packet
        if len(packet) < HEADER_OCTETS or packet[2] & 0x80:
            return None  # a response, or nothing that could be answered
        try:
            verified = self._verify(request)
        except TsigError as error:
            self._log_bad_signature(request, error)
            return error_response(packet, error, int(self._clock()))
        if verified is None:
            return await self._dispatch(
                CheckedRequest(packet, request.client, request.local, request.transport, port=request.port)
            )
        checked = CheckedRequest(
            verified.plain,
            request.client,
            request.local,
            request.transport,
            verified.key.name,
            room_for(verified.key),
            request.port,
        )
        return self._signed(await self._dispatch(checked), verified)

    # --- signatures -------------------------------------------------------------------------------

    def _verify(self, request: Request) -> Verified | None:
        """Check the signature with the keys of the view that the request comes to be in because of it.

        Raises `TsigError`.
        """
        error = None
        now = int(self._clock())
        recursion_desired = bool(request.packet[2] & 1)
        for ring in self._rings:
            try:
                verified = verify(request.packet, ring.keys, now)
            except TsigError as exc:
                if error is None or error.error == BADKEY:
                    error = exc
                continue
            if verified is None or len(self._rings) == 1:
                return verified
            view = self._answerer.view_of(
                request.client.address, request.local, recursion_desired, (verified.key.name,)
            )
            if view is None or view in ring.views:
                return verified
        if error is not None:
            raise error
        raise TsigError(BADKEY, "the key is of another view")

    def _signed(self, reply: Reply, verified: Verified) -> Reply:
        if isinstance(reply, bytes):
            return sign(reply, verified.key, int(self._clock()), request_mac=verified.mac).wire
        if reply is None:
            return None
        signer = StreamSigner(verified.key, verified.mac)
        return replace(reply, messages=self._sign_messages(reply, signer))

    async def _sign_messages(self, stream: Stream, signer: StreamSigner) -> AsyncGenerator[bytes, None]:
        async with aclosing(stream.messages):
            async for message in stream.messages:
                yield signer.sign(message, int(self._clock()))

    def _log_bad_signature(self, request: Request, error: TsigError) -> None:
        if error.record is None:
            return  # a malformed message: FORMERR says it all
        self._logs["tsig"].log(
            logging.ERROR,
            "client %s: request has invalid signature: TSIG %s: tsig verify failure (%s): %s",
            request.client,
            error.record.key_text,
            error.error_name,
            error,
        )

    # --- who is in charge -------------------------------------------------------------------------

    async def _dispatch(self, request: CheckedRequest) -> Reply:
        packet = request.packet
        flags = packet[2] << 8 | packet[3]
        query = read_query(packet, flags)
        refusal = _refusal(packet, query)
        if refusal is not None:
            return encode_refusal(packet, refusal, self._edns_octets)
        opcode = packet[2] >> 3 & 0xF
        question = read_question(packet)
        if question is None:
            return error_reply(packet, Rcode.FORMERR)
        reply: Reply | Outcome = Outcome.NOT_MINE
        if opcode == Opcode.NOTIFY and self._notify is not None:
            reply = await self._notify(request, question) or Outcome.NOT_MINE
        elif opcode == Opcode.QUERY and isinstance(query, Query):
            if query.qtype in _TRANSFERS:
                return await self._transfers(request, query)
            reply = self._answer(request, query)
        if isinstance(reply, Outcome):
            if reply is Outcome.DROP:
                return None
            self._log_refusal(request, opcode, question)
            edns = query if isinstance(query, Query) and query.edns else None
            refusal = Refusal(Rcode.REFUSED, flags, question.end, edns)
            reply = encode_refusal(packet, refusal, self._edns_octets)
        return reply

    def _answer(self, request: CheckedRequest, query: Query) -> bytes | Outcome:
        """Answer a query that is signed, or that asks how long the zone is good (RFC 7314)."""
        wants_expire = query.qtype == RRType.SOA and query.expire
        answer = self._answerer.answer(
            without_expire(query) if wants_expire else request.packet,
            request.client.address,
            request.local,
            request.transport,
            keys=request.keys,
            reserved_octets=request.reserved_octets + (EXPIRE_OCTETS if wants_expire else 0),
        )
        if not wants_expire or self._expiry is None or not isinstance(answer, bytes):
            return answer
        if not answer[2] & _AA_OCTET or answer[6:8] == b"\0\0":
            return answer
        view = self._answerer.view_of(
            request.client.address, request.local, query.recursion_desired, request.keys
        )
        seconds = self._expiry(view, query.key, query.qclass) if view is not None else None
        return answer if seconds is None else with_option(answer, expire_option(seconds))

    def _log_refusal(self, request: CheckedRequest, opcode: int, question: Question) -> None:
        match opcode:
            case Opcode.NOTIFY:
                self._logs["notify"].log(
                    logging.INFO,
                    "client %s: refused notify for zone '%s': no secondary zone here takes it "
                    "(its primaries and allow-notify would allow it)",
                    request.client,
                    question.name_text,
                )
            case Opcode.UPDATE:
                self._logs["update"].log(
                    logging.INFO,
                    "client %s: update '%s/%s' denied: dynamic update is not supported; edit the zone file",
                    request.client,
                    question.name_text,
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


def _refusal(packet: bytes, query: Query | Refusal | Outcome) -> Refusal | None:
    """Return how *packet*, read as *query*, is refused whatever it asks for."""
    if isinstance(query, Refusal):
        return query
    flags = packet[2] << 8 | packet[3]
    edns = query if isinstance(query, Query) and query.edns else None
    if packet[2] >> 3 & 0xF not in _KNOWN:
        return Refusal(Rcode.NOTIMP, flags, edns=edns)
    if edns is not None and edns.edns_version > 0:
        return Refusal(Rcode.BADVERS, flags, edns.question_end, edns)
    return None


def error_reply(packet: bytes, rcode: int, question: Question | None = None) -> bytes:
    """Return a response to *packet* (at least a header) of no records, with its *question* where readable."""
    (flags,) = struct.unpack_from("!H", packet, 2)
    flags = _QR | flags & (OPCODE_MASK | _RD) | rcode
    body = packet[HEADER_OCTETS : question.end] if question is not None else b""
    return packet[:2] + struct.pack("!HHHHH", flags, 1 if body else 0, 0, 0, 0) + body
