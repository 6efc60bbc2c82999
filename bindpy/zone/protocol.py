"""What every engine's zones can do; `bindpy.zone.snapshot` has those of the one written in Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from bindpy.zone.names import Key, Name
from bindpy.zone.records import RR, RRset


class Zone(Protocol):
    """An immutable version of one zone."""

    @property
    def origin(self) -> Name: ...
    @property
    def key(self) -> Key: ...
    @property
    def rdclass(self) -> int: ...
    @property
    def serial(self) -> int: ...
    @property
    def rr_count(self) -> int: ...
    @property
    def node_count(self) -> int:
        """How many names exist in it, empty non-terminals included."""

    def get(self, key: Key, rtype: int) -> RRset | None:
        """Return the RRset stored at *key* (no wildcard, no cut applied), or None."""

    def same_data(self, other: Any) -> bool:
        """Return whether *other*, a zone of the same engine, holds the same records."""

    def rrsets(self) -> Iterator[tuple[Name, RRset]]:
        """Yield every RRset once with its owner: the SOA first, an owner's RRsets together, else unsorted."""

    def rrs(self) -> Iterator[RR]:
        """Yield every record once, in canonical order of owners, the SOA first."""
