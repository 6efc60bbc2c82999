"""AXFR and IXFR out: who gets which zone, in which form, and how many at a time (RFC 5936, RFC 1995).

The version that is served when the request comes is what is sent, whatever is published meanwhile. Nothing
is built up: each message is made when the client has room for it.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import TypeAlias

from bindpy.answer.encode import encode, expire_option
from bindpy.answer.policy import Transport
from bindpy.answer.query import Query, Rcode
from bindpy.answer.response import Ede, Entry, Response
from bindpy.config.acl import AddressMatcher, LocalAddresses, parse_address
from bindpy.config.model import Config, Options, ServerStatement, TransferWay, ZoneSettings
from bindpy.config.servers import server_for
from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError
from bindpy.engine import PYTHON_ZONES, Answerer, Packed, RecordTooLargeError, Zone, Zones
from bindpy.reload.table import ZoneEntry, ZoneState, ZoneTable
from bindpy.server.control_plane import Expiry
from bindpy.server.querylog import Question, read_question
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.request import BrokenStreamError, CheckedRequest, Reply, Stream
from bindpy.xfr.ixfr import client_serial
from bindpy.xfr.journal import Journal
from bindpy.xfr.stream import (
    MAX_MESSAGE_OCTETS,
    Packer,
    axfr_entries,
    ixfr_entries,
)
from bindpy.zone.diff import Delta, soa_record
from bindpy.zone.records import RRType
from bindpy.zone.serials import is_newer

log = logging.getLogger("bindpy.xfer-out")
security_log = logging.getLogger("bindpy.security")


_Messages: TypeAlias = Callable[[Packer], Iterator[Packed]]


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """What the options say of all transfers out together."""

    transfers_out: int = 10
    message_octets: int = 20480
    edns_octets: int = 1232
    udp_octets: int = 1232

    @classmethod
    def from_options(cls, options: Options) -> TransferLimits:
        """Return the limits that *options* set."""
        return cls(
            options.transfers_out,
            options.transfer_message_size,
            options.edns_udp_size,
            max(512, options.max_udp_size),
        )

    @property
    def per_client(self) -> int:
        """How many transfers one address may have at once: one place is left for the others."""
        return max(1, self.transfers_out - 1)


@dataclass(frozen=True, slots=True)
class _Transfer:
    """One transfer that has been granted."""

    request: CheckedRequest
    query: Query
    question: Question
    view: str
    zone: Zone
    settings: ZoneSettings
    server: ServerStatement | None

    @property
    def subject(self) -> tuple[object, ...]:
        """What every log line on it begins with, for ``client %s (%s): transfer of '%s/%s'``."""
        question = self.question
        return (self.request.client, question.name_text, question.name_text, question.class_text)

    @property
    def signed_by(self) -> str:
        """The key, for a log line."""
        return "" if self.request.key is None else f": TSIG {self.request.key.rstrip('.')}"


class _RefusedError(BindpyError):
    """No transfer: what the client is told; the text says why."""

    def __init__(self, rcode: Rcode, ede: Ede | None, why: str) -> None:
        super().__init__(why)
        self.rcode = rcode
        self.ede = ede


class TransfersOut:
    """Answers AXFR and IXFR requests; a `bindpy.server.control_plane.TransferHandler`.

    *table* has the zones, which are of the kind of *zones*. ``journal``, their histories, may be set once it
    is open: without it, every IXFR is answered in the form of an AXFR. Belongs to the event loop.
    """

    def __init__(
        self,
        answerer: Answerer,
        table: ZoneTable,
        journal: Journal | None = None,
        *,
        zones: Zones = PYTHON_ZONES,
        expiry: Expiry | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._zones = zones
        self._expiry = expiry
        self._answerer = answerer
        self._table = table
        self.journal = journal
        self._clock = clock
        self._limits = TransferLimits()
        self._local = LocalAddresses()
        self._servers: dict[str, tuple[ServerStatement, ...]] = {}
        self._running: Counter[str] = Counter()  # by client address
        self._denied_log = RateLimitedLog(security_log)
        self._bad_log = RateLimitedLog(log)

    def configure(self, config: Config, local: LocalAddresses) -> None:
        """Take over what *config* says; *local* is what ``localhost`` and ``localnets`` mean."""
        self._limits = TransferLimits.from_options(config.options)
        self._local = local
        self._servers = {view.name: view.servers for view in config.views}

    @property
    def running(self) -> int:
        """How many transfers are under way."""
        return self._running.total()

    async def __call__(self, request: CheckedRequest, query: Query) -> Reply:
        """Return the reply to the AXFR or IXFR request *query*."""
        question = read_question(request.packet)
        assert question is not None, "a Query has one question"
        try:
            transfer = self._grant(request, query, question)
        except _RefusedError as refused:
            if refused.rcode is Rcode.REFUSED:
                self._deny(request, question, str(refused))
            else:
                self._complain(request, question, f"{refused} ({refused.rcode.name})")
            return self._error(query, refused.rcode, refused.ede)
        if query.qtype == RRType.IXFR:
            return await self._ixfr(transfer)
        return self._stream(transfer, "AXFR", self._whole(transfer.zone))

    # --- whether ----------------------------------------------------------------------------------

    def _grant(self, request: CheckedRequest, query: Query, question: Question) -> _Transfer:
        """Return what is to be sent. Raises `_RefusedError`; the order of the reasons is BIND's."""
        client = request.client.address
        if query.edns_version > 0:
            raise _RefusedError(Rcode.BADVERS, None, f"EDNS version {query.edns_version}")
        view = self._answerer.view_of(client, request.local, query.recursion_desired, request.keys)
        if view is None:
            raise _RefusedError(Rcode.REFUSED, Ede.PROHIBITED, "no view's match-clients matches this client")
        entry = self._table.get((view, query.key))
        if entry is None or entry.config.rdclass != query.qclass:
            raise _RefusedError(Rcode.NOTAUTH, Ede.NOT_AUTHORITATIVE, "non-authoritative zone")
        if query.qtype == RRType.AXFR and request.transport is Transport.UDP:
            raise _RefusedError(Rcode.FORMERR, None, "attempted AXFR over UDP")
        settings = entry.config.settings
        if (why := _wrong_way(request, settings.transfer_way)) is not None:
            raise _RefusedError(Rcode.REFUSED, Ede.PROHIBITED, why)
        matcher = AddressMatcher(settings.allow_transfer, self._local)
        if not matcher.matches(parse_address(client), request.keys):
            raise _RefusedError(Rcode.REFUSED, Ede.PROHIBITED, _what_would_allow(request, entry))
        if entry.zone is None or entry.state is not ZoneState.SERVED:
            ede = Ede.INVALID_DATA if entry.state is ZoneState.EXPIRED else Ede.NOT_READY
            raise _RefusedError(Rcode.SERVFAIL, ede, f"the zone has no data to give: {entry.state.value}")
        server = server_for(self._servers.get(view, ()), client)
        return _Transfer(request, query, question, view, entry.zone, settings, server)

    def _deny(self, request: CheckedRequest, question: Question, why: str) -> None:
        self._denied_log.log(
            logging.ERROR,
            "client %s (%s): zone transfer '%s/%s/%s' denied: %s",
            request.client,
            question.name_text,
            question.name_text,
            question.type_text,
            question.class_text,
            why,
        )

    def _complain(self, request: CheckedRequest, question: Question, why: str) -> None:
        self._bad_log.log(
            logging.INFO,
            "client %s (%s): bad zone transfer request: '%s/%s': %s",
            request.client,
            question.name_text,
            question.name_text,
            question.class_text,
            why,
        )

    def _error(self, query: Query, rcode: Rcode, ede: Ede | None = None) -> bytes:
        response = Response(query.dnssec_ok)
        response.rcode, response.ede = rcode, ede
        return encode(query, response, MAX_MESSAGE_OCTETS, edns_octets=self._limits.edns_octets, nsid=None)

    # --- IXFR -------------------------------------------------------------------------------------

    async def _ixfr(self, transfer: _Transfer) -> Reply:
        request, zone = transfer.request, transfer.zone
        serial = client_serial(transfer.query)
        if serial is None:
            self._complain(request, transfer.question, "IXFR request without the client's SOA (FORMERR)")
            return self._error(transfer.query, Rcode.FORMERR)
        if not is_newer(zone.serial, serial):
            log.debug(
                "client %s (%s): transfer of '%s/%s': IXFR poll up to date%s",
                *transfer.subject,
                transfer.signed_by,
            )
            return self._soa_alone(transfer)
        deltas = await self._deltas(transfer, serial)
        if request.transport is Transport.UDP:
            return self._ixfr_by_udp(transfer, deltas)
        if deltas is None:
            return self._stream(transfer, "AXFR-style IXFR", self._whole(zone))
        entries = ixfr_entries(_soa_entry(zone), deltas)
        return self._stream(transfer, "IXFR", lambda packer: packer.messages(entries), serial)

    async def _deltas(self, transfer: _Transfer, serial: int) -> Sequence[Delta] | None:
        """Return what leads the client to the current version, None where the whole zone is to be sent."""
        settings, server, zone = transfer.settings, transfer.server, transfer.zone
        provide = settings.transfer.provide_ixfr
        if server is not None and server.provide_ixfr is not None:
            provide = server.provide_ixfr
        if not provide or self.journal is None:
            return None
        chain = await self.journal.chain(transfer.view, zone.key, serial, zone.serial)
        if not chain or chain[-1].new_soa.rdata != _soa_entry(zone)[3][0]:
            return None
        ratio = settings.journal.max_ratio_percent
        if ratio is not None and sum(map(len, chain)) * 100 > ratio * zone.rr_count:
            return None
        return chain

    def _ixfr_by_udp(self, transfer: _Transfer, deltas: Sequence[Delta] | None) -> bytes:
        """Return the deltas where one datagram holds them, else the SOA: "use TCP" (RFC 1995 section 2)."""
        if deltas is not None:
            room = min(transfer.query.payload_octets, self._limits.udp_octets)
            room -= transfer.request.reserved_octets
            packer = self._packer(transfer, room, most_octets=room)
            entries = ixfr_entries(_soa_entry(transfer.zone), deltas)
            with contextlib.suppress(RecordTooLargeError):
                packed = list(itertools.islice(packer.messages(entries), 2))
                if len(packed) == 1:
                    log.info(
                        "client %s (%s): transfer of '%s/%s': IXFR ended%s: in one datagram, %d records, %d "
                        "bytes (serial %d -> %d)",
                        *transfer.subject,
                        transfer.signed_by,
                        packed[0].records,
                        len(packed[0].message),
                        deltas[0].old_serial,
                        transfer.zone.serial,
                    )
                    return packed[0].message
        return self._soa_alone(transfer)

    def _soa_alone(self, transfer: _Transfer) -> bytes:
        """Return the current SOA as the whole answer (RFC 1995 sections 2 and 4)."""
        packer = self._packer(transfer, MAX_MESSAGE_OCTETS)
        return next(packer.messages([_soa_entry(transfer.zone)])).message

    # --- how --------------------------------------------------------------------------------------

    def _whole(self, zone: Zone) -> _Messages:
        """Return what makes the messages of *zone*."""
        axfr = self._zones.axfr
        if axfr is None:
            return lambda packer: packer.messages(axfr_entries(zone))
        return lambda packer: axfr(zone, packer.form)

    def _packer(
        self, transfer: _Transfer, limit_octets: int, *, most_octets: int = 0, one_answer: bool = False
    ) -> Packer:
        most = most_octets or MAX_MESSAGE_OCTETS - transfer.request.reserved_octets
        return Packer(
            transfer.query,
            transfer.zone.origin,
            transfer.zone.rdclass,
            limit_octets=min(limit_octets, most),
            most_octets=most,
            one_answer=one_answer,
            edns_octets=self._limits.edns_octets,
            options=self._options(transfer),
        )

    def _options(self, transfer: _Transfer) -> bytes:
        """Return what the OPT record holds: how long our copy is good, for those who ask (RFC 7314)."""
        if not transfer.query.expire or self._expiry is None:
            return b""
        seconds = self._expiry(transfer.view, transfer.zone.key, transfer.zone.rdclass)
        return b"" if seconds is None else expire_option(seconds)

    def _stream(
        self, transfer: _Transfer, kind: str, messages: _Messages, from_serial: int | None = None
    ) -> Reply:
        """Return the transfer as a stream, or a refusal where there are too many already."""
        client = transfer.request.client.address
        full = self.running >= self._limits.transfers_out
        if full or self._running[client] >= self._limits.per_client:
            which = "transfers-out" if full else "of this client"
            self._bad_log.log(
                logging.WARNING,
                "client %s (%s): transfer of '%s/%s': %s request denied: quota reached (%s: %d)",
                *transfer.subject,
                kind,
                which,
                self._limits.transfers_out if full else self._limits.per_client,
            )
            return self._error(transfer.query, Rcode.REFUSED)
        limits = transfer.settings.transfer
        stream = self._send(transfer, kind, messages, from_serial)
        return Stream(stream, limits.max_time_out_s, limits.max_idle_out_s)

    async def _send(
        self, transfer: _Transfer, kind: str, make: _Messages, from_serial: int | None
    ) -> AsyncGenerator[bytes, None]:
        form = transfer.settings.transfer.format
        if transfer.server is not None and transfer.server.transfer_format is not None:
            form = transfer.server.transfer_format
        packer = self._packer(transfer, self._limits.message_octets, one_answer=form == "one-answer")
        serial = transfer.zone.serial
        serials = f"serial {serial}" if from_serial is None else f"serial {from_serial} -> {serial}"
        client = transfer.request.client.address
        started = self._clock()
        messages = records = octets = 0
        outcome = "aborted: the client closed the connection or did not read"
        self._running[client] += 1
        log.info(
            "client %s (%s): transfer of '%s/%s': %s started%s (%s)",
            *transfer.subject,
            kind,
            transfer.signed_by,
            serials,
        )
        try:
            for packed in make(packer):
                messages += 1
                records += packed.records
                octets += len(packed.message)
                yield packed.message
            outcome = "ended"
        except RecordTooLargeError as error:
            outcome = f"aborted: {error}"
            raise BrokenStreamError(str(error)) from error
        finally:
            self._running[client] -= 1
            if not self._running[client]:
                del self._running[client]
            seconds = self._clock() - started
            if outcome != "ended" and seconds >= transfer.settings.transfer.max_time_out_s:
                outcome = "aborted: max-transfer-time-out has passed"
            log.log(
                logging.INFO if outcome == "ended" else logging.ERROR,
                "client %s (%s): transfer of '%s/%s': %s %s: "
                "%d messages, %d records, %d bytes, %.3f secs (%d bytes/sec) (serial %d)",
                *transfer.subject,
                kind,
                outcome,
                messages,
                records,
                octets,
                seconds,
                octets / max(seconds, 0.001),
                serial,
            )


def _soa_entry(zone: Zone) -> Entry:
    soa = soa_record(zone)
    return soa.owner, soa.rtype, soa.ttl, (soa.rdata,)


def _wrong_way(request: CheckedRequest, way: TransferWay) -> str | None:
    """Return why ``allow-transfer`` does not count for *request*; None where it does."""
    if way.tcp_only and request.transport is not Transport.TCP:
        return "allow-transfer of the zone has 'transport tcp'; this request came by UDP"
    if way.port and way.port != request.port:
        return f"allow-transfer of the zone has 'port {way.port}'; this request came to port {request.port}"
    return None


def _what_would_allow(request: CheckedRequest, entry: ZoneEntry) -> str:
    """Return why a request was refused and what the operator could write."""
    address = request.client.address
    who = f"allow-transfer {{ {address}; }}"
    if request.key is not None:
        who += f" or allow-transfer {{ key {request.key.rstrip('.')}; }}"
    settings = entry.config.settings
    if AddressMatcher(settings.allow_transfer, LocalAddresses()).matches_none:
        return f"allow-transfer is 'none', the default; {who} would allow it"
    signed = "" if request.key is None else f" signed with '{request.key.rstrip('.')}'"
    return f"allow-transfer of the zone does not match {address}{signed}; {who} would allow it"
