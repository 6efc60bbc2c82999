"""What the meaning of a zone file's next line depends on, and an index of where records stand."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import takewhile

from bindpy.deferred import dataclass
from bindpy.diagnostics import SourceSpan
from bindpy.zone.names import Key, Name


@dataclass(slots=True)
class LineState:
    """The reader's state between two lines of one file.

    ``owner`` is the last owner (None before the first one and after a bad one), ``owner_in_zone`` whether its
    records are kept. ``default_ttl`` comes from $TTL or the SOA, ``last_ttl`` is the last one written; RFC
    1035's "same as before" applies only without a default, and ``told_rfc1035_ttl`` when that was said.
    ``block_start`` counts the zone's owners at the line where this run of one owner's lines began.
    """

    origin: Name
    owner: Name | None = None
    owner_in_zone: bool = True
    default_ttl: int | None = None
    last_ttl: int | None = None
    told_rfc1035_ttl: bool = False
    block_start: int = 0

    def for_include(self, origin: Name) -> LineState:
        """Return the state at the beginning of an included file."""
        return LineState(
            origin, self.owner, self.owner_in_zone, self.default_ttl, self.last_ttl, self.told_rfc1035_ttl
        )

    def after_include(self, inner: LineState) -> None:
        """Take over what outlasts an included file: TTLs, not origin and owner (RFC 1035 section 5.1)."""
        self.default_ttl = inner.default_ttl
        self.last_ttl = inner.last_ttl
        self.told_rfc1035_ttl = inner.told_rfc1035_ttl


_MAX_COLUMN = 0xFFFF
_MAX_LINE = 0x3FFFFFFFF
_SCANS = 16
"""So many times all records are looked through: sorting a million takes as long as some forty times that."""


class PlaceIndex:
    """Where the records of a zone stand: 16 octets a record, because a zone may have millions."""

    def __init__(self) -> None:
        self._files: list[str] = []
        self._numbers: dict[str, int] = {}
        self._hashes = array("q")
        self._places = array("Q")
        self._scans = 0
        self._sorted = array("Q")  # the numbers of the records by hash, those of one hash as in the text

    def note(self, key: Key, rtype: int, span: tuple[str, int, int]) -> None:
        """Remember that a record of *key* and *rtype* stands at *span*: file, line, column."""
        file, line, column = span
        number = self._numbers.get(file)
        if number is None:
            number = self._numbers[file] = len(self._files)
            self._files.append(file)
        self._hashes.append(hash((key, rtype)))
        self._places.append(number << 50 | min(line, _MAX_LINE) << 16 | min(column, _MAX_COLUMN))

    def backwards(self) -> Iterator[SourceSpan]:
        """Yield the places of all records, the last one of the text first."""
        return (self._span(place) for place in reversed(self._places))

    def find(self, key: Key, rtype: int) -> list[SourceSpan]:
        """Return the places of *key* and *rtype* in the order of the text."""
        wanted = hash((key, rtype))
        numbers = self._scan(wanted) if self._scans < _SCANS else self._look_up(wanted)
        return [self._span(self._places[number]) for number in numbers]

    def _scan(self, wanted: int) -> Iterator[int]:
        self._scans += 1
        at = -1
        while True:
            try:
                at = self._hashes.index(wanted, at + 1)
            except ValueError:
                return
            yield at

    def _look_up(self, wanted: int) -> Iterator[int]:
        hashes = self._hashes
        if len(self._sorted) != len(hashes):
            self._sorted = array("Q", sorted(range(len(hashes)), key=hashes.__getitem__))
        first = bisect_left(self._sorted, wanted, key=hashes.__getitem__)
        following = (self._sorted[at] for at in range(first, len(hashes)))
        return takewhile(lambda number: hashes[number] == wanted, following)

    def _span(self, place: int) -> SourceSpan:
        return SourceSpan(self._files[place >> 50], place >> 16 & _MAX_LINE, place & _MAX_COLUMN)
