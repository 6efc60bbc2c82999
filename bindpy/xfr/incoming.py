"""One answer to AXFR or IXFR, message by message, to a new version of a zone (RFC 5936, RFC 1995). No I/O.

    SOA ── another record ──> AXFR: records … SOA again                    a whole zone
     │──── our SOA ─────────> IXFR: (SOA old, removed, SOA new, added) … SOA again   deltas
     │──── the same SOA ────> a zone that has nothing but its SOA
     └──── nothing, and the serial is ours ──> we have it already

Anything else is an `XferFailure`; nothing of a failed answer is ever used.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from bindpy.deferred import dataclass
from bindpy.engine import PYTHON_ZONES, MessageTaker, OpenMessage, Zone, Zones
from bindpy.filter.script import FilterError, LuaFilter
from bindpy.xfr.failure import Stage, XferFailure, transfer_refusal
from bindpy.xfr.wire import Message, Question, WireError, WireRR, build_query, read_message
from bindpy.zone.diff import Delta, DeltaDoesNotFitError, soa_record
from bindpy.zone.names import Name, is_subdomain, to_text
from bindpy.zone.rdata import class_to_text, is_meta_type, type_to_text
from bindpy.zone.records import IN, RR, RRType, Soa
from bindpy.zone.serials import is_newer
from bindpy.zone.snapshot import OutOfZoneError, ZoneTooLargeError


class Style(enum.Enum):
    """What an answer turned out to be."""

    WHOLE = "AXFR"
    DELTAS = "IXFR"
    CURRENT = "up to date"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of an answer is taken; 0 records means any number (``max-records``)."""

    max_records: int = 0
    max_octets: int = 1 << 32
    max_messages: int = 1 << 24


@dataclass(slots=True)
class Progress:
    """How much has come. ``octets`` are those of the messages, signatures left out."""

    messages: int = 0
    records: int = 0
    octets: int = 0


class Incoming:
    """The receiving end of one answer.

    *kind* is AXFR or IXFR; for IXFR *base* is the version that we have, which is never changed. A serial that
    is older than *least_serial*, what the primary said before, is refused; None takes any. Give each message
    to `feed` until it returns True, then ask for `result`, which may take long for big zones.
    """

    def __init__(
        self,
        origin: Name,
        rdclass: int = IN,
        kind: int = RRType.AXFR,
        *,
        zones: Zones = PYTHON_ZONES,
        base: Zone | None = None,
        least_serial: int | None = None,
        limits: Limits | None = None,
        record_filter: LuaFilter | None = None,
    ) -> None:
        if kind == RRType.IXFR and base is None:
            raise ValueError("IXFR needs the version that it starts from")
        if kind == RRType.IXFR and record_filter is not None:
            raise ValueError("what a filter made of a zone is no base for IXFR")
        self.origin = origin
        self.rdclass = rdclass
        self.kind = kind
        self.id = 0
        self.style: Style | None = None
        self.serial = 0
        self.deltas: list[Delta] = []
        self.progress = Progress()
        self._key = origin.lower()
        self._base = base if kind == RRType.IXFR else None
        self._least_serial = least_serial
        self._zones = zones
        self._limits = limits or Limits()
        self._filter = record_filter
        self._question = Question(origin, kind, rdclass)
        self._first_soa: RR | None = None
        # What the next record means; returns whether it was the last one. A function, not a bound method: no
        # cycle keeps the zone and its base alive until the collector comes by.
        self._take: Callable[[Incoming, RR], bool] = Incoming._take_first
        self._builder = zones.builder(origin, rdclass)
        taker = self._builder if rdclass == IN else None
        self._taker: MessageTaker | None = taker if isinstance(taker, MessageTaker) else None
        self._old_soa: RR | None = None
        self._new_soa: RR | None = None
        self._removed: list[RR] = []
        self._added: list[RR] = []
        self._done = False
        self._failed = False

    @property
    def makes_objects(self) -> bool:
        """Whether the records that come become objects of Python's."""
        return self._taker is None or self.style is Style.DELTAS or self._old_soa is not None

    def request(self, message_id: int, *, edns_payload_octets: int = 0, expire: bool = False) -> bytes:
        """Return the query to send, with *message_id*, which the answer must have; else as `build_query`."""
        self.id = message_id
        authority: tuple[WireRR, ...] = ()
        if self.kind == RRType.IXFR and self._base is not None:
            soa = soa_record(self._base)
            authority = ((soa.owner, soa.rtype, self.rdclass, soa.ttl, soa.rdata),)
        query = build_query(
            self._question, authority=authority, edns_payload_octets=edns_payload_octets, expire=expire
        )
        return message_id.to_bytes(2) + query[2:]

    def feed(self, octets: bytes) -> bool:
        """Take the next message, its signature checked and removed; return whether it was the last one.

        Raises `XferFailure`.
        """
        with self._counted(len(octets)):
            if not self._take_filtered(octets):
                self._take_records(_read(octets))
        return self._done

    def feed_all(self, messages: Sequence[bytes]) -> bool:
        """Take the next messages as `feed` takes each; return whether the last one was among them.

        Raises `XferFailure`.
        """
        at = 0
        while at < len(messages):
            at += self._take_whole_messages(messages[at:] if at else messages)
            if at < len(messages):
                self.feed(messages[at])
                at += 1
        return self._done

    def feed_only(self, message: Message) -> bool:
        """Take *message*, which was checked to be the answer, as all of it; return whether it is whole.

        It is not where it holds but the SOA of a later version: the rest is to be asked for by TCP (RFC 1995
        section 2). Raises `XferFailure`.
        """
        self.id = message.id
        with self._counted(message.octets):
            self._take_records(message)
            if not self._done and self.progress.records > 1:
                raise XferFailure(Stage.DATA, "sent a part of a transfer by UDP")
        return self._done

    @contextmanager
    def _counted(self, octets: int) -> Iterator[None]:
        """Take one message inside the ``with``."""
        limits, progress = self._limits, self.progress
        progress.messages += 1
        progress.octets += octets
        try:
            if self._done:
                raise XferFailure(Stage.DATA, "sent more after the end of the zone")
            if progress.octets > limits.max_octets or progress.messages > limits.max_messages:
                raise XferFailure(Stage.LIMIT, "sent more than is taken of one zone")
            yield
        except XferFailure as failure:
            self._failed = True
            raise failure.after(progress.messages, progress.records, progress.octets) from None

    def discard(self) -> None:
        """Make this an answer that failed: its signature, say, turned out not to be good."""
        self._failed = True

    def result(self) -> Zone:
        """Return the new version: for `Style.CURRENT` it is *base* itself. Raises `XferFailure`."""
        if not self._done or self._failed:
            raise ValueError("the answer is not complete, or it failed")
        try:
            return self._finish()
        except XferFailure as failure:
            progress = self.progress
            raise failure.after(progress.messages, progress.records, progress.octets) from None

    def _finish(self) -> Zone:
        if self.style is Style.WHOLE:
            try:
                whole: Zone = self._builder.finish()
            except ZoneTooLargeError as error:
                raise _too_large(error) from None
            return whole
        assert self._base is not None  # only an answer to IXFR has another style
        if self.style is Style.CURRENT:
            return self._base
        try:
            # NSD sends some records as added that were there before, unchanged.
            zone: Zone = self._zones.apply(self._base, self.deltas, may_repeat=True)
        except DeltaDoesNotFitError as e:
            raise XferFailure(Stage.DATA, f"sent an IXFR that does not fit our version: {e}") from None
        except ZoneTooLargeError as error:
            raise _too_large(error) from None
        if 0 < self._limits.max_records < zone.rr_count:
            raise self._too_many_records()
        return zone

    # --- messages -----------------------------------------------------------------------------------

    def _take_records(self, message: Message) -> None:
        self._check_head(message)
        progress = self.progress
        rdclass, take = self.rdclass, self._take_record
        for owner, rtype, record_class, ttl, rdata in message.answer:
            progress.records += 1
            if self._done:
                raise XferFailure(Stage.DATA, "sent more records after the end of the zone")
            if record_class != rdclass:
                what = f"{to_text(owner)} {type_to_text(rtype)}"
                raise XferFailure(Stage.DATA, f"sent {what} of the class {class_to_text(record_class)}")
            take(RR(owner, rtype, ttl, rdata))
        if not message.answer:
            raise XferFailure(Stage.DATA, "sent a message without records")
        self._judge_single_soa()

    def _is_in_the_middle(self) -> bool:
        return not self._done and not self._failed and self._take is Incoming._take_whole

    def _take_whole_messages(self, messages: Sequence[bytes]) -> int:
        """Take messages from the middle of a whole zone at once, as far as they are plainly right.

        Return how many that were.
        """
        if self._taker is None or self._filter is not None or not self._is_in_the_middle():
            return 0
        limits, progress = self._limits, self.progress
        if progress.messages + len(messages) > limits.max_messages:
            return 0
        if progress.octets + sum(map(len, messages)) > limits.max_octets:
            return 0
        taken, records = self._taker.take_messages(messages, self.id, self.kind, limits.max_records)
        progress.messages += taken
        progress.records += records
        progress.octets += sum(map(len, messages[:taken]))
        return taken

    def _take_filtered(self, octets: bytes) -> bool:
        """Show the records of a message from the middle of a whole zone to the filter, all of them at once.

        False where the message is not plainly right: then nothing has been done.
        """
        if self._taker is None or self._filter is None or not self._is_in_the_middle():
            return False
        opened = self._taker.open_message(octets, self.id, self.kind, self._limits.max_records)
        if opened is None:
            return False
        kept, before = 0, self.progress.records
        for number, answer in self._filter.answers(opened):
            self._keep_opened(opened, kept, number, before)
            self.progress.records = before + number + 1
            rr = opened.record(number)
            try:
                for made in self._filter.made_of(rr, answer):
                    self._add(made)
            except FilterError as error:
                raise _filter_failed(error) from None
            self._check_count()
            kept = number + 1
        self._keep_opened(opened, kept, len(opened), before)
        return True

    def _keep_opened(self, opened: OpenMessage, start: int, end: int, before: int) -> None:
        """Add records of *opened* as they are; *before* is how many there were before that message."""
        most = self._limits.max_records
        step = end - start
        if 0 < most < self._builder.rr_count + step:
            step = 1  # one of them is too many: find out which
        for at in range(start, end, max(step, 1)):
            self.progress.records = before + at + step
            try:
                opened.keep(at, at + step)
            except ZoneTooLargeError as error:
                raise _too_large(error) from None
            self._check_count()

    def _check_head(self, message: Message) -> None:
        if message.id != self.id:
            raise XferFailure(Stage.ANSWER, f"sent a message with the ID {message.id}, not {self.id}")
        if not message.is_response or message.opcode:
            raise XferFailure(Stage.ANSWER, "sent a message that is no answer to a query")
        if message.rcode:
            raise XferFailure(Stage.ANSWER, transfer_refusal(message.rcode), rcode=message.rcode)
        if message.is_truncated:
            raise XferFailure(Stage.ANSWER, "sent a truncated message")
        # RFC 5936 section 2.2.1 lets later messages, and those of old servers the first, go without
        if message.question is not None and not message.question.same_as(self._question):
            raise XferFailure(Stage.ANSWER, "answered another question than ours")

    def _judge_single_soa(self) -> None:
        """After a first message: nothing but a SOA with our serial is "you have it" (RFC 1995 section 2)."""
        if self.progress.records == 1 and self._base is not None and self.serial == self._base.serial:
            self._done = self._end(Style.CURRENT)

    # --- records ------------------------------------------------------------------------------------

    def _take_record(self, rr: RR) -> None:
        """Every record of every answer passes through here, in order."""
        if rr.rtype == RRType.SOA:
            if rr.owner.lower() != self._key:
                raise XferFailure(Stage.DATA, f"sent an SOA record at {to_text(rr.owner)}")
        elif is_meta_type(rr.rtype):
            raise XferFailure(Stage.DATA, f"sent a record of type {type_to_text(rr.rtype)}, which is no data")
        self._done = self._take(self, rr)

    def _take_first(self, rr: RR) -> bool:
        if rr.rtype != RRType.SOA:
            raise XferFailure(Stage.DATA, "sent an answer that does not begin with the zone's SOA")
        self._first_soa = rr
        self.serial = _serial(rr)
        for least in (self._least_serial, self._base.serial if self._base is not None else None):
            if least is not None and least != self.serial and not is_newer(self.serial, least):
                raise XferFailure(Stage.SERIAL, f"sent serial {self.serial}, which is not newer than {least}")
        self._take = Incoming._take_second
        return False

    def _take_second(self, rr: RR) -> bool:
        assert self._first_soa is not None
        if self._base is not None and rr.rtype == RRType.SOA:
            if _serial(rr) == self._base.serial:
                if self.serial == self._base.serial:
                    return self._end(Style.CURRENT)
                self._old_soa = rr
                self._take = Incoming._take_removed
                return False
            if _serial(rr) != self.serial:
                ours = self._base.serial
                raise XferFailure(Stage.DATA, f"sent an IXFR from serial {_serial(rr)}; we have {ours}")
        self._keep(self._first_soa)
        self._take = Incoming._take_whole
        return self._take_whole(rr)

    def _take_whole(self, rr: RR) -> bool:
        if rr.rtype == RRType.SOA:
            self._check_last_soa(rr)
            return self._end(Style.WHOLE)
        self._keep(rr)
        self._check_count()
        return False

    def _check_count(self) -> None:
        if 0 < self._limits.max_records < self._builder.rr_count:
            raise self._too_many_records()

    def _keep(self, rr: RR) -> None:
        """Add *rr*, or what the filter makes of it, to the zone."""
        if self._filter is None:
            self._add(rr)
            return
        self._in_zone(rr)
        try:
            for made in self._filter(rr):
                self._add(made)
        except FilterError as error:
            raise _filter_failed(error) from None

    def _add(self, rr: RR) -> None:
        try:
            self._builder.add(*rr)
        except OutOfZoneError:
            raise _out_of_zone(rr) from None
        except ZoneTooLargeError as error:
            raise _too_large(error) from None

    def _take_removed(self, rr: RR) -> bool:
        if rr.rtype != RRType.SOA:
            self._removed.append(self._in_zone(rr))
            return False
        assert self._old_soa is not None
        if not is_newer(_serial(rr), _serial(self._old_soa)):
            numbers = f"{_serial(self._old_soa)} to {_serial(rr)}"
            raise XferFailure(Stage.DATA, f"sent an IXFR whose serial does not rise: from {numbers}")
        self._new_soa = rr
        self._take = Incoming._take_added
        return False

    def _take_added(self, rr: RR) -> bool:
        if rr.rtype != RRType.SOA:
            self._added.append(self._in_zone(rr))
            return False
        assert self._old_soa is not None
        assert self._new_soa is not None
        serial = _serial(self._new_soa)
        if _serial(rr) != serial:
            raise XferFailure(Stage.DATA, f"sent an IXFR with a gap: from {serial} to {_serial(rr)}")
        self.deltas.append(Delta(self._old_soa, self._new_soa, tuple(self._removed), tuple(self._added)))
        if serial == self.serial:
            self._check_last_soa(self._new_soa)
            self._check_last_soa(rr)
            return self._end(Style.DELTAS)
        self._old_soa, self._new_soa = rr, None
        self._removed, self._added = [], []
        self._take = Incoming._take_removed
        return False

    def _check_last_soa(self, rr: RR) -> None:
        """The SOA at the end is the one at the beginning, or the zone changed meanwhile (RFC 5936 2.2)."""
        assert self._first_soa is not None
        if _comparable(rr) != _comparable(self._first_soa):
            serials = f"serial {_serial(rr)}, the first one {self.serial}"
            raise XferFailure(Stage.DATA, f"sent another SOA at the end than at the beginning ({serials})")

    def _in_zone(self, rr: RR) -> RR:
        if not is_subdomain(rr.owner.lower(), self._key):
            raise _out_of_zone(rr)
        return rr

    def _end(self, style: Style) -> bool:
        self.style = style
        return True

    def _too_many_records(self) -> XferFailure:
        return XferFailure(Stage.LIMIT, f"sent more than {self._limits.max_records} records (max-records)")


def _read(octets: bytes) -> Message:
    try:
        return read_message(octets)
    except WireError as e:
        raise XferFailure(Stage.DATA, f"sent a message that is malformed: {e}") from None


def _serial(soa: RR) -> int:
    return int.from_bytes(soa.rdata[-20:-16])


def _comparable(soa: RR) -> Soa:
    fields = Soa.from_rdata(soa.rdata)
    return replace(fields, mname=fields.mname.lower(), rname=fields.rname.lower())


def _out_of_zone(rr: RR) -> XferFailure:
    what = f"{to_text(rr.owner)} {type_to_text(rr.rtype)}"
    return XferFailure(Stage.DATA, f"sent a record that is not in the zone: {what}")


def _filter_failed(error: FilterError) -> XferFailure:
    return XferFailure(Stage.FILTER, f"sent what the filter failed on: {error}")


def _too_large(error: ZoneTooLargeError) -> XferFailure:
    return XferFailure(Stage.LIMIT, f"sent a zone that is too large: {error}")
