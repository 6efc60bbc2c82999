"""The seam between the control plane and the data plane: Protocols, and the one place that chooses a side.

Nothing above the seam (`app`, `server`, `cli`) knows which side is in use; nothing below it (`zone`,
`answer`) knows about files being watched, primaries, keys' owners or logs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from bindpy.answer.answerer import PythonAnswerer
from bindpy.answer.policy import AnswerPolicy, Outcome, Publication, Transport, ZonePolicy
from bindpy.config.model import ZoneChecks
from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError, Diagnostic
from bindpy.serving import StartService
from bindpy.zone.checks import check_changed
from bindpy.zone.diff import Delta, apply, diff
from bindpy.zone.digest import ZoneDigest, zone_digest
from bindpy.zone.load import load_zone_file
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.names import Key, Name
from bindpy.zone.protocol import Zone
from bindpy.zone.raw import raw_octets
from bindpy.zone.records import RR
from bindpy.zone.snapshot import SnapshotBuilder
from bindpy.zone.zonefile import zone_file_text

__all__ = [
    "PYTHON_ZONES",
    "Answerer",
    "ApplyDeltas",
    "Engine",
    "ManyFilesReader",
    "MessageForm",
    "MessageTaker",
    "OpenMessage",
    "Packed",
    "PlainLoad",
    "RecordTooLargeError",
    "WriteChecked",
    "Zone",
    "ZoneBuilder",
    "ZoneFileReader",
    "Zones",
    "python_engine",
]


class ZoneFileReader(Protocol):
    """Reads and checks a zone file. Never raises for what the file holds; blocks, so call it in a worker."""

    def __call__(self, path: str, origin: Name, rdclass: int, checks: ZoneChecks) -> LoadedZone: ...


class PlainLoad(NamedTuple):
    """A zone that was read well from one file, without anything to say of it, and how long that took.

    ``is_link``: the file is a symbolic link. ``has_journal``: there is a file where BIND's journal would be.
    """

    loaded: LoadedZone
    seconds: float
    is_link: bool
    has_journal: bool


class ManyFilesReader(Protocol):
    """Reads many zone files of class IN, one after the other: what `ZoneFileReader` does, at less cost."""

    def __call__(
        self, files: Sequence[tuple[str, Name]], checks: ZoneChecks, *, within_s: float
    ) -> list[PlainLoad | None]:
        """Read *files*, paths and origins, until *within_s* are over, one at least; return what came of it.

        None stands for what has to be read by `ZoneFileReader`, for whatever reason.
        """


class Answerer(Protocol):
    """Turns one query into one response. Safe to call from many threads.

    `publish`, `publish_all`, `unavailable`, `withdraw` and `configure` are called by one thread at a time;
    each takes effect at once and whole: a query sees its zone as it was before or is after, never a mixture.
    """

    @property
    def hot(self) -> Mapping[bytes, bytes] | None:
        """Whole answers for UDP, by query; the ID (the first two octets) is left off both.

        A packet of at least 12 octets that is found here may be answered with its own ID and the entry,
        with no other work. None: every query needs `answer`. Read it for each packet: each change of
        what is served puts another mapping in its place.
        """

    def configure(self, policy: AnswerPolicy) -> None:
        """Replace the policy. Zones of views that are gone are withdrawn."""

    def publish(self, view: str, zone: Any, policy: ZonePolicy) -> None:
        """Serve *zone*, one of the same engine, in *view*, in place of what was served at its origin."""

    def unavailable(self, view: str, origin: Name, policy: ZonePolicy, reason: str) -> None:
        """Answer SERVFAIL at and below *origin*: it is ours, but has no data (not loaded, expired)."""

    def publish_all(self, publications: Iterable[Publication]) -> None:
        """Serve all of *publications*: as `publish` and `unavailable` for each, at a fraction of the cost.

        Raises `KeyError` for a view that the policy does not have.
        """

    def withdraw(self, view: str, origin: Name) -> None:
        """Stop serving *origin*; names in it are answered as if the zone had never been."""

    def answer(
        self,
        query: bytes,
        client: str,
        local: str,
        transport: Transport,
        *,
        keys: Collection[str] = (),
        reserved_octets: int = 0,
    ) -> bytes | Outcome:
        """Return the response to *query*, from address *client* to our address *local* (both without port).

        Never raises, whatever the octets. Addresses are texts as `ipaddress` takes them. *keys* names the
        TSIG keys that the query, which comes without its signature, was signed with; the response then
        leaves *reserved_octets* of the message free for its own.
        """

    def zone_queries(self, view: str, origin: Name) -> int | None:
        """Return how many queries a zone has had since it was first there, None where that is not counted."""

    def view_of(
        self, client: str, local: str, recursion_desired: bool, keys: Collection[str] = ()
    ) -> str | None:
        """Return the name of the view that serves requests of that sender, None where none does."""


class ZoneBuilder(Protocol):
    """Collects the records of one zone and makes a zone of them. Not for use by two threads."""

    @property
    def rr_count(self) -> int:
        """How many different records there are so far."""

    def add(self, owner: Name, rtype: int, ttl: int, rdata: bytes) -> object:
        """Add one record, whose RDATA is valid.

        Raises `OutOfZoneError` and `ZoneTooLargeError` of `bindpy.zone.snapshot`.
        """

    def finish(self) -> Any:
        """Return the zone; the builder must not be used again.

        Raises `NoSoaError` and `ZoneTooLargeError` of `bindpy.zone.snapshot`.
        """


class OpenMessage(Protocol):
    """The records of a message, of which none is in the zone yet."""

    def __len__(self) -> int: ...

    def record(self, number: int) -> RR:
        """Return one of them, counted from 0."""

    def shown(self, apart: bool, rare: Callable[[int, bytes], str]) -> bytes:
        """See `bindpy.filter.script.Shown`."""

    def keep(self, start: int, end: int) -> None:
        """Add those from *start* to before *end* to the zone. Raises `ZoneTooLargeError`."""


@runtime_checkable
class MessageTaker(Protocol):
    """A `ZoneBuilder` that takes the records of a transfer's messages without making objects of them.

    Messages are those from the middle of a transfer, their signatures checked and removed. They must have
    *message_id* and answer the question for *kind*, AXFR or IXFR. *max_records* bounds the zone, 0 means any
    number. A message that has anything in it that is not plainly right is not taken: `bindpy.xfr.incoming`
    has to look at it.
    """

    def take_messages(
        self, messages: Sequence[bytes], message_id: int, kind: int, max_records: int
    ) -> tuple[int, int]:
        """Add the records of *messages* up to the first that is not taken.

        Return how many messages that were, and how many records.
        """

    def open_message(
        self, message: bytes, message_id: int, kind: int, max_records: int
    ) -> OpenMessage | None:
        """Return the records of *message*, None where it is not taken."""


class RecordTooLargeError(BindpyError):
    """A record does not fit any message, and so its zone cannot be transferred."""


@dataclass(frozen=True, slots=True)
class MessageForm:
    """What the messages of one transfer look like: all that stands around the records.

    ``question`` is the query's, in wire form, ``opt`` the OPT record that each message ends with, or nothing.
    A message has at most ``limit_octets``, but for one record that needs more, and then at most
    ``most_octets``; exactly one record each where ``one_answer``.
    """

    id: int
    flags: int
    question: bytes
    opt: bytes
    limit_octets: int
    most_octets: int
    one_answer: bool


@dataclass(frozen=True, slots=True)
class Packed:
    """One message and how many records its answer section has."""

    message: bytes
    records: int


class ApplyDeltas(Protocol):
    """Makes the next version of a zone. Blocks."""

    def __call__(self, zone: Any, deltas: Iterable[Delta], *, may_repeat: bool = False) -> Any:
        """Return *zone* after *deltas*. Raises `bindpy.zone.diff.DeltaDoesNotFitError`.

        *may_repeat*: a delta may add a record that is there already, if it is exactly that.
        """


class WriteChecked(Protocol):
    """Writes the file of a zone of class IN and reads it back in full. Blocks."""

    def __call__(
        self, zone: Any, descriptor: int, path: str, comments: tuple[str, ...], checks: ZoneChecks
    ) -> LoadedZone | None:
        """Write *zone* to *descriptor*, the empty file at *path*, and flush it to the disk.

        Return *zone* with what *checks* say of it, its file not named yet; None where only a `ZoneFileReader`
        can tell whether the file means *zone*. Raises OSError.
        """


@dataclass(frozen=True, slots=True)
class Zones:
    """How one implementation makes its zones, compares them and writes them. All of it may block."""

    read_file: ZoneFileReader
    builder: Callable[[Name, int], ZoneBuilder]
    """A builder for a zone's origin and class."""
    apply: ApplyDeltas
    diff: Callable[[Any, Any], Delta]
    """What leads from one version of a zone to another."""
    digest: Callable[[Any], ZoneDigest]
    """The digest of a zone's data."""
    text: Callable[[Any, tuple[str, ...]], Iterator[str]]
    """A zone as the text of a zone file, in pieces, behind the lines of a comment."""
    raw: Callable[[Any], Iterator[bytes]]
    """A zone in BIND's raw format, in pieces."""
    check: Callable[[Any, ZoneChecks, Iterable[Key]], list[Diagnostic]]
    """What the checks find at some owners of a zone and at its apex, without places."""
    axfr: Callable[[Any, MessageForm], Iterator[Packed]] | None = None
    """The messages of an AXFR, made one by one; raises `RecordTooLargeError`. None: `bindpy.xfr.stream` makes
    them of the zone's RRsets."""
    write_checked: WriteChecked | None = None
    """Writes a zone file that is checked at once. None: it is written, flushed, read with ``read_file``."""
    tsig_start: Callable[[bytes], int | None] | None = None
    """Where the TSIG record of a message begins; None where only `bindpy.tsig` can tell."""
    read_files: ManyFilesReader | None = None
    """None: only `read_file` reads."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One implementation of all that stands below the seam. ``name`` is for people.

    ``start_service``, where there is one, starts threads that answer queries without Python.
    """

    name: str
    answerer: Answerer
    zones: Zones
    start_service: StartService | None = None


PYTHON_ZONES: Final = Zones(
    load_zone_file,
    SnapshotBuilder,
    apply,
    diff,
    zone_digest,
    zone_file_text,
    raw_octets,
    check_changed,
)


def python_engine(on_error: Callable[[bytes, Exception], None]) -> Engine:
    """Return the engine that is written in Python; *on_error* is told of queries that hit a fault of ours."""
    return Engine("pure-Python engine", PythonAnswerer(AnswerPolicy(), on_error), PYTHON_ZONES)
