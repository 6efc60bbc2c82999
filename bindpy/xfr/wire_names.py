"""Names off the wire: decompressed, bounded, each suffix read once (RFC 1035 section 4.1.4)."""

from __future__ import annotations

from bindpy.diagnostics import BindpyError
from bindpy.zone.names import MAX_LABEL_OCTETS, MAX_NAME_OCTETS, ROOT, Name

POINTER = 0xC0
"""First octets from here on begin a compression pointer."""
_MAX_POINTERS = 127
"""Pointers in one name: as many as it can have labels."""


class WireError(BindpyError):
    """Octets that are no DNS message, or RDATA that is none of its type."""


class NameReader:
    """Reads the names of one message.

    A pointer has to lead to before the run of labels that it ends, so that no name goes in circles. All
    methods may raise IndexError for what goes on past the end of the message.
    """

    __slots__ = ("known", "octets")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.known: dict[int, Name] = {}

    def name(self, at: int) -> Name:
        """Return the name at *at*, uncompressed. Raises `WireError`."""
        known, octets = self.known, self.octets
        name = known.get(at)
        if name is not None:
            return name
        labels: list[tuple[int, bytes]] = []
        start, total, pointers = at, 1, 0
        while True:
            size = octets[at]
            if not size:
                name = ROOT
                break
            if size <= MAX_LABEL_OCTETS:
                following = at + 1 + size
                total += 1 + size
                if total > MAX_NAME_OCTETS:
                    raise WireError("a name is longer than 255 octets")
                labels.append((at, octets[at:following]))
                at = following
                continue
            if size < POINTER:
                raise WireError(f"a name holds a label of an unknown kind (first octet {size})")
            target = (size & 0x3F) << 8 | octets[at + 1]
            pointers += 1
            if target >= start or pointers > _MAX_POINTERS:
                raise WireError("a compression pointer does not point backwards, or a name has too many")
            name = known.get(target)
            if name is not None:
                break
            start = at = target
        for place, label in reversed(labels):
            name = label + name
            known[place] = name
        if len(name) > MAX_NAME_OCTETS:
            raise WireError("a name is longer than 255 octets")
        return name

    def end(self, at: int) -> int:
        """Return where the name at *at*, which `name` has read, ends in the message."""
        octets = self.octets
        while size := octets[at]:
            if size >= POINTER:
                return at + 2
            at += 1 + size
        return at + 1


def plain_name_end(octets: bytes, at: int, end: int) -> int:
    """Return where the name at *at* ends, which may not be compressed nor go on past *end*.

    Raises `WireError` or IndexError.
    """
    start = at
    while size := octets[at]:
        if size > MAX_LABEL_OCTETS:
            raise WireError("a name is compressed where that is not allowed, or malformed")
        at += 1 + size
    at += 1
    if at > end or at - start > MAX_NAME_OCTETS:
        raise WireError("a name goes on past the end of its RDATA, or is longer than 255 octets")
    return at
