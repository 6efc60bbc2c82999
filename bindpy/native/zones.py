"""Zones of the engine in machine code, as the seam wants them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from bindpy.config.model import ZoneChecks
from bindpy.diagnostics import Diagnostic, Severity
from bindpy.engine import MessageForm, Packed, PlainLoad, RecordTooLargeError, Zones
from bindpy.files import FileStamp
from bindpy.native.reading import FileReader, check_changed
from bindpy.zone.diff import Delta, DeltaDoesNotFitError
from bindpy.zone.digest import ZoneDigest
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.names import Key, Name
from bindpy.zone.raw import raw_header
from bindpy.zone.rdata import check_rdata
from bindpy.zone.records import IN, RR, RRset, RRType
from bindpy.zone.snapshot import NoSoaError, OutOfZoneError, ZoneSnapshot, ZoneTooLargeError
from bindpy.zone.zonefile import ReadableText, comment_lines

if TYPE_CHECKING:
    import bindpy_engine

_NAMES_AT_ONCE: Final = 1000


class RustZone:
    """A `bindpy.engine.Zone` whose records are in the engine's memory."""

    __slots__ = ("inner",)

    def __init__(self, inner: bindpy_engine.Zone) -> None:
        self.inner = inner

    @property
    def origin(self) -> Name:
        """The zone's name, case kept."""
        return self.inner.origin

    @property
    def key(self) -> Key:
        """The zone's name in lower case."""
        return self.inner.key

    @property
    def rdclass(self) -> int:
        """The zone's class."""
        return self.inner.rdclass

    @property
    def serial(self) -> int:
        """The serial of its SOA."""
        return self.inner.serial

    @property
    def rr_count(self) -> int:
        """How many records there are."""
        return self.inner.rr_count

    @property
    def node_count(self) -> int:
        """How many names exist in it, empty non-terminals included."""
        return self.inner.node_count

    def get(self, key: Key, rtype: int) -> RRset | None:
        """Return the RRset stored at *key* (no wildcard, no cut applied), or None."""
        found = self.inner.get(key, rtype)
        return RRset(*found) if found is not None else None

    def same_data(self, other: Any) -> bool:
        """Return whether *other*, a zone of this engine, holds the same records."""
        return self.inner.same_data(other.inner)

    def rrsets(self) -> Iterator[tuple[Name, RRset]]:
        """Yield every RRset once with its owner: the SOA first, then in canonical order of owners."""
        for owner, rrsets in self._names():
            for rrset in rrsets:
                yield owner, rrset

    def rrs(self) -> Iterator[RR]:
        """Yield every record once, in canonical order of owners, the SOA first."""
        for owner, rrset in self.rrsets():
            for rdata in rrset.rdatas:
                yield RR(owner, rrset.rtype, rrset.ttl, rdata)

    def _names(self) -> Iterator[tuple[Name, list[RRset]]]:
        """Yield each name with its RRsets sorted by type, at the apex with the SOA before them."""
        after: Key | None = None
        while names := self.inner.names(after, _NAMES_AT_ONCE):
            for owner, found in names:
                rrsets = [RRset(*one) for one in found]
                yield owner, sorted(rrsets, key=lambda rrset: (rrset.rtype != RRType.SOA, rrset.rtype))
            after = names[-1][0].lower()

    def __repr__(self) -> str:
        return repr(self.inner)


class LaidOutZone(RustZone):
    """One that was read from a large file, and of which an edit of that can be read by itself."""

    __slots__ = ("__weakref__",)


class RustBuilder:
    """A `bindpy.engine.ZoneBuilder` of the engine's zones."""

    __slots__ = ("_add", "_inner", "_module")

    def __init__(self, module: Any, origin: Name, rdclass: int) -> None:
        self._module = module
        self._inner = module.ZoneBuilder(origin, rdclass)
        self._add = self._inner.add

    @property
    def rr_count(self) -> int:
        """How many different records there are so far."""
        count: int = self._inner.rr_count
        return count

    def add(self, owner: Name, rtype: int, ttl: int, rdata: bytes) -> int:
        """Add one record, whose RDATA is valid, and return its RRset's TTL. Raises `OutOfZoneError`."""
        try:
            known_ttl: int = self._add(owner, rtype, ttl, rdata)
        except self._module.OutOfZoneError as error:
            raise OutOfZoneError(str(error)) from None
        except self._module.ZoneTooLargeError as error:
            raise ZoneTooLargeError(str(error)) from None
        return known_ttl

    def take_messages(
        self, messages: Sequence[bytes], message_id: int, kind: int, max_records: int
    ) -> tuple[int, int]:
        """See `bindpy.engine.MessageTaker`."""
        taken: tuple[int, int] = self._inner.take_messages(
            messages, message_id, kind, max_records, _is_valid_rdata
        )
        return taken

    def open_message(
        self, message: bytes, message_id: int, kind: int, max_records: int
    ) -> OpenRustMessage | None:
        """See `bindpy.engine.MessageTaker`."""
        opened = self._inner.open_message(message, message_id, kind, max_records, _is_valid_rdata)
        return OpenRustMessage(opened, self) if opened is not None else None

    def keep(self, message: bindpy_engine.OpenMessage, start: int, end: int) -> None:
        """Add records of *message*. Raises `ZoneTooLargeError`."""
        try:
            self._inner.keep(message, start, end)
        except self._module.ZoneTooLargeError as error:
            raise ZoneTooLargeError(str(error)) from None

    def finish(self) -> RustZone:
        """Return the zone; the builder must not be used again. Raises `NoSoaError`, `ZoneTooLargeError`."""
        try:
            return RustZone(self._inner.finish())
        except self._module.NoSoaError as error:
            raise NoSoaError(str(error)) from None
        except self._module.ZoneTooLargeError as error:
            raise ZoneTooLargeError(str(error)) from None


class OpenRustMessage:
    """A `bindpy.engine.OpenMessage`."""

    __slots__ = ("_builder", "_inner", "shown")

    def __init__(self, inner: bindpy_engine.OpenMessage, builder: RustBuilder) -> None:
        self._inner = inner
        self._builder = builder
        self.shown = inner.shown

    def __len__(self) -> int:
        return len(self._inner)

    def record(self, number: int) -> RR:
        """Return one of the records, counted from 0."""
        return RR(*self._inner.record(number))

    def keep(self, start: int, end: int) -> None:
        """Add records to the zone. Raises `ZoneTooLargeError`."""
        self._builder.keep(self._inner, start, end)


class RustZones:
    """What `bindpy.engine.Zones` asks for, of the engine's zones."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._reader = FileReader(module)
        self._laid_out: WeakValueDictionary[tuple[str, Name, ZoneChecks, str], LaidOutZone] = (
            WeakValueDictionary()
        )
        """The large zones that are there, by what they were read from and how."""

    def zones(self) -> Zones:
        """Return it all as the seam wants it."""
        return Zones(
            self.read_file,
            self.builder,
            self.apply,
            self.diff,
            self.digest,
            self.text,
            self.raw,
            self.check,
            self.axfr,
            self.write_checked,
            self._module.tsig_start,
            self.read_files,
        )

    def builder(self, origin: Name, rdclass: int) -> RustBuilder:
        """Return a builder for a zone's origin and class."""
        return RustBuilder(self._module, origin, rdclass)

    def read_file(
        self, path: str, origin: Name, rdclass: int, checks: ZoneChecks, *, directory: str = ""
    ) -> LoadedZone:
        """Read and check a zone file as `bindpy.zone.load.load_zone_file` does."""
        how = path, origin, checks, directory
        served = self._laid_out.get(how) if rdclass == IN else None
        if served is not None:
            again = self._reader.read_again(path, served.inner, checks, directory)
            if again is not None:
                inner, file, stamp = again
                read = self._kept(inner, how) if inner is not None else served
                return LoadedZone(read, (), (file,), (stamp,))
        reading = self._reader.read(path, origin, rdclass, checks, directory)
        zone = self._kept(reading.zone, how) if reading.zone is not None else None
        if reading.snapshot is not None:
            zone = self.of_snapshot(reading.snapshot)
        return LoadedZone(zone, reading.diagnostics, reading.files, reading.stamps)

    def _kept(self, inner: bindpy_engine.Zone, how: tuple[str, Name, ZoneChecks, str]) -> RustZone:
        """Return the zone *inner*, which was read from a file."""
        if not inner.is_laid_out:
            return RustZone(inner)
        self._laid_out[how] = zone = LaidOutZone(inner)
        return zone

    def read_files(
        self, files: Sequence[tuple[str, Name]], checks: ZoneChecks, *, within_s: float
    ) -> list[PlainLoad | None]:
        """See `bindpy.engine.ManyFilesReader`."""
        loads: list[PlainLoad | None] = []
        for (path, origin), found in zip(
            files, self._reader.read_many(files, checks, within_s), strict=False
        ):
            if found is None:
                loads.append(None)
            else:
                zone, stamp, seconds, is_link, has_journal = found
                read = self._kept(zone, (path, origin, checks, "")) if zone.is_laid_out else RustZone(zone)
                loaded = LoadedZone(read, (), (path,), (FileStamp(*stamp),))
                loads.append(PlainLoad(loaded, seconds, is_link, has_journal))
        return loads

    def of_snapshot(self, snapshot: ZoneSnapshot) -> RustZone:
        """Return the engine's zone with the records of *snapshot*."""
        builder = self.builder(snapshot.origin, snapshot.rdclass)
        for owner, rrset in snapshot.rrsets():
            for rdata in rrset.rdatas:
                builder.add(owner, rrset.rtype, rrset.ttl, rdata)
        return builder.finish()

    def apply(self, zone: RustZone, deltas: Iterable[Delta], *, may_repeat: bool = False) -> RustZone:
        """Return *zone* after *deltas*. Raises `DeltaDoesNotFitError` and `ZoneTooLargeError`."""
        plain = [(d.old_soa, d.new_soa, list(d.removed), list(d.added)) for d in deltas]
        try:
            return RustZone(zone.inner.apply(plain, may_repeat))
        except self._module.DeltaDoesNotFitError as error:
            raise DeltaDoesNotFitError(str(error)) from None
        except self._module.ZoneTooLargeError as error:
            raise ZoneTooLargeError(str(error)) from None

    def diff(self, old: RustZone, new: RustZone) -> Delta:
        """Return what leads from *old* to *new*."""
        old_soa, new_soa, removed, added = old.inner.diff(new.inner)
        return Delta(
            RR(*old_soa), RR(*new_soa), tuple(RR(*rr) for rr in removed), tuple(RR(*rr) for rr in added)
        )

    def digest(self, zone: RustZone) -> ZoneDigest:
        """Return the digest of the zone's data."""
        value, octets = zone.inner.digest()
        return ZoneDigest(int.from_bytes(value, "big"), octets)

    def text(self, zone: RustZone, comments: tuple[str, ...] = ()) -> Iterator[str]:
        """Yield *zone* as the text of a zone file, behind the lines of a comment."""
        yield from comment_lines(comments)
        for piece in self._module.ZoneText(zone.inner, ReadableText(zone.rdclass)):
            yield piece.decode("ascii")

    def write_checked(
        self, zone: RustZone, descriptor: int, path: str, comments: tuple[str, ...], checks: ZoneChecks
    ) -> LoadedZone | None:
        """See `bindpy.engine.WriteChecked`."""
        head = "".join(comment_lines(comments)).encode("ascii")
        found = self._reader.write_checked(zone.inner, descriptor, path, head, checks)
        if found is None:
            return None
        refused = any(item.severity is Severity.ERROR for item in found)
        return LoadedZone(None if refused else zone, found, (), ())

    def raw(self, zone: RustZone) -> Iterator[bytes]:
        """Yield *zone* in BIND's raw format."""
        yield raw_header()
        yield from self._module.RawBlocks(zone.inner)

    def check(self, zone: RustZone, checks: ZoneChecks, owners: Iterable[Key]) -> list[Diagnostic]:
        """Return what the checks find at *owners* and at the apex, without places."""
        return check_changed(zone.inner, checks, owners)

    def axfr(self, zone: RustZone, form: MessageForm) -> Iterator[Packed]:
        """Yield the messages of an AXFR of *zone*. Raises `RecordTooLargeError`."""
        messages = self._module.AxfrMessages(
            zone.inner,
            id=form.id,
            flags=form.flags,
            question=form.question,
            opt=form.opt,
            limit=form.limit_octets,
            most=form.most_octets,
            one_answer=form.one_answer,
        )
        try:
            for message, records in messages:
                yield Packed(message, records)
        except self._module.RecordTooLargeError as error:
            raise RecordTooLargeError(str(error)) from None


def _is_valid_rdata(rtype: int, rdata: bytes) -> bool:
    return check_rdata(rtype, rdata, IN) is None
