"""bindpy's engine in machine code. Names and RDATA are `bytes` in uncompressed wire form."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, final

VERSION: Final[str]

_RRset: TypeAlias = tuple[int, int, tuple[bytes, ...], tuple[bytes, ...], int]
"""Type, TTL, RDATAs, RDATAs of the RRSIGs that cover them, TTL of these."""
_RR: TypeAlias = tuple[bytes, int, int, bytes]
"""Owner, type, TTL, RDATA."""
_Word: TypeAlias = tuple[bytes, bool, bool]
"""One word of RDATA: its octets, escapes as written; whether it was quoted; whether it is glued on."""
_Stamp: TypeAlias = tuple[int, int, int, int, int]
"""The fields of a `bindpy.files.FileStamp`."""
_Delta: TypeAlias = tuple[_RR, _RR, list[_RR], list[_RR]]
"""The old SOA, the new one, what goes, what comes."""
_Element: TypeAlias = tuple[str, Any, bool]
"""One element of an address match list: kind, value, whether it is negated."""

class OutOfZoneError(ValueError): ...
class NoSoaError(ValueError): ...
class DeltaDoesNotFitError(ValueError): ...
class RecordTooLargeError(ValueError): ...
class NeedsPythonError(Exception): ...
class FaultError(Exception): ...

@final
class Zone:
    """One immutable version of a zone."""

    @property
    def origin(self) -> bytes: ...
    @property
    def key(self) -> bytes: ...
    @property
    def rdclass(self) -> int: ...
    @property
    def serial(self) -> int: ...
    @property
    def rr_count(self) -> int: ...
    @property
    def node_count(self) -> int: ...
    def get(self, key: bytes, rtype: int) -> _RRset | None: ...
    def names(self, after: bytes | None, count: int) -> list[tuple[bytes, list[_RRset]]]: ...
    def node(
        self, key: bytes
    ) -> tuple[bytes, list[_RRset], bytes | None, bytes | None, bytes | None] | None: ...
    def digest(self) -> tuple[bytes, int]: ...
    def same_data(self, other: Zone) -> bool: ...
    def diff(self, new: Zone) -> _Delta: ...
    def apply(
        self, deltas: Sequence[tuple[_RR, _RR, Sequence[_RR], Sequence[_RR]]], may_repeat: bool
    ) -> Zone: ...

@final
class ZoneBuilder:
    """Collects records and makes a zone of them."""

    def __new__(cls, origin: bytes, rdclass: int) -> ZoneBuilder: ...
    @property
    def rr_count(self) -> int: ...
    def add(self, owner: bytes, rtype: int, ttl: int, rdata: bytes) -> int: ...
    def finish(self) -> Zone: ...
    def take_message(
        self,
        message: bytes,
        id: int,
        qtype: int,
        max_records: int,
        rare: Callable[[int, bytes], bool],
    ) -> int | None: ...

@final
class Checks:
    """How strictly a zone's content is judged; made of a `bindpy.config.model.ZoneChecks`."""

    def __new__(cls, checks: object) -> Checks: ...

@final
class Loaded:
    """A zone whose text has nothing wrong."""

    @property
    def zone(self) -> Zone: ...
    @property
    def files(self) -> list[tuple[bytes, _Stamp]]: ...
    @property
    def suspects(self) -> list[bytes]: ...
    @property
    def suspect_apex(self) -> bool: ...
    @property
    def other_ttls(self) -> list[tuple[int, int, int, int]]: ...
    @property
    def other_ttl_count(self) -> int: ...

@final
class Places:
    """Where the records of a zone stand in its text."""

    def find(self, key: bytes, rtype: int) -> list[tuple[bytes, int, int]]: ...
    def rank(self, zone: Zone, key: bytes) -> tuple[int, int]: ...

def read_zone(
    path: bytes,
    origin: bytes,
    directory: bytes,
    checks: Checks,
    rare: Callable[[int, list[_Word], bytes], bytes | None],
) -> Loaded: ...
def read_places(
    path: bytes,
    origin: bytes,
    directory: bytes,
    rare: Callable[[int, list[_Word], bytes], bytes | None],
) -> Places: ...

@final
class ZoneText:
    """A zone as the text of a zone file, in pieces."""

    def __new__(cls, zone: Zone, rare: Callable[[int, bytes], str]) -> ZoneText: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...

@final
class RawBlocks:
    """The blocks of a zone in BIND's raw format, in pieces, without its header."""

    def __new__(cls, zone: Zone) -> RawBlocks: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...

@final
class AxfrMessages:
    """The messages of an AXFR, each with the number of its records."""

    def __new__(
        cls,
        zone: Zone,
        *,
        id: int,
        flags: int,
        question: bytes,
        opt: bytes,
        limit: int,
        most: int,
        one_answer: bool,
    ) -> AxfrMessages: ...
    def __iter__(self) -> Iterator[tuple[bytes, int]]: ...
    def __next__(self) -> tuple[bytes, int]: ...

@final
class Answerer:
    """Turns one query into one response, from zones by view."""

    def __new__(cls, on_fault: Callable[[bytes, str], object]) -> Answerer: ...
    def configure(self, policy: Mapping[str, object]) -> None: ...
    def publish(
        self, view: str, zone: Zone, allow_query: list[_Element], allow_query_on: list[_Element]
    ) -> None: ...
    def unavailable(
        self,
        view: str,
        origin: bytes,
        allow_query: list[_Element],
        allow_query_on: list[_Element],
        expired: bool,
    ) -> None: ...
    def withdraw(self, view: str, origin: bytes) -> None: ...
    def answer(
        self, query: bytes, client: str, local: str, tcp: bool, keys: list[str], reserved_octets: int
    ) -> bytes | Literal[True] | None: ...
    def view_of(self, client: str, local: str, recursion_desired: bool, keys: list[str]) -> str | None: ...
    def zone_queries(self, view: str, origin: bytes) -> int | None: ...
