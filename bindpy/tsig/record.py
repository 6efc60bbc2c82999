"""The TSIG record of a message: where it is, what it says, and how it is written (RFC 8945 section 4)."""

from __future__ import annotations

import struct
from typing import Final

from bindpy.config.model import TsigKey
from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError
from bindpy.zone import names
from bindpy.zone.names import Key, Name

FORMERR: Final = 1
BADSIG: Final = 16
BADKEY: Final = 17
BADTIME: Final = 18
BADTRUNC: Final = 22

_ERROR_NAMES: Final = {
    FORMERR: "FORMERR",
    BADSIG: "BADSIG",
    BADKEY: "BADKEY",
    BADTIME: "BADTIME",
    BADTRUNC: "BADTRUNC",
}

HEADER_OCTETS: Final = 12
TSIG_TYPE: Final = 250
ANY_CLASS: Final = 255

_COUNTS = struct.Struct("!HHHH")
_HEAD = struct.Struct("!HHIH")
_TIMES = struct.Struct("!HIHH")
_TAIL = struct.Struct("!HHH")


@dataclass(frozen=True, slots=True)
class TsigRecord:
    """A TSIG record's fields; ``start`` is where it begins in the message that it was read from.

    ``owner`` (the key's name) and ``algorithm`` are lower-case wire form. Times are seconds.
    """

    owner: Key
    algorithm: Key
    time_signed: int
    fudge_s: int
    mac: bytes
    original_id: int
    error: int
    other: bytes
    start: int = 0

    @property
    def key_text(self) -> str:
        """The key's name for a log line: presentation form, no final dot."""
        text = names.to_text(self.owner)
        return text if text == "." else text[:-1]

    def timers(self) -> bytes:
        """Return "time signed" and "fudge" as a MAC covers them (RFC 8945 section 4.3.3)."""
        return struct.pack("!HIH", self.time_signed >> 32, self.time_signed & 0xFFFFFFFF, self.fudge_s)

    def variables(self) -> bytes:
        """Return the TSIG variables as a MAC covers them (RFC 8945 section 4.3.3)."""
        head = self.owner + struct.pack("!HI", ANY_CLASS, 0) + self.algorithm
        return head + self.timers() + struct.pack("!HH", self.error, len(self.other)) + self.other

    def to_wire(self) -> bytes:
        """Return the whole record; no name in it is compressed."""
        rdata = b"".join(
            (
                self.algorithm,
                _TIMES.pack(
                    self.time_signed >> 32, self.time_signed & 0xFFFFFFFF, self.fudge_s, len(self.mac)
                ),
                self.mac,
                _TAIL.pack(self.original_id, self.error, len(self.other)),
                self.other,
            )
        )
        return self.owner + _HEAD.pack(TSIG_TYPE, ANY_CLASS, 0, len(rdata)) + rdata


class TsigError(BindpyError):
    """A message whose signature is not good.

    ``error`` is BADSIG, BADKEY, BADTIME or BADTRUNC, or FORMERR for a TSIG that is malformed or where none
    may be. ``key`` is the key that it names, where we have it; ``mac`` what it was signed with; ``record``
    the TSIG record, None where it could not be read. ``from_peer``: the error is what the peer says of
    *our* signature.
    """

    def __init__(
        self,
        error: int,
        reason: str,
        *,
        record: TsigRecord | None = None,
        key: TsigKey | None = None,
        from_peer: bool = False,
    ) -> None:
        super().__init__(reason)
        self.error = error
        self.record = record
        self.key = key
        self.from_peer = from_peer

    @property
    def mac(self) -> bytes:
        """The MAC of the message; empty where it has none."""
        return self.record.mac if self.record is not None else b""

    @property
    def error_name(self) -> str:
        """The error in the words of RFC 8945."""
        return error_name(self.error)


def error_name(error: int) -> str:
    """Return a TSIG error in the words of RFC 8945."""
    return _ERROR_NAMES.get(error, f"TSIG error {error}")


def find_record(message: bytes) -> TsigRecord | None:
    """Return the TSIG record of *message*, None where it has none.

    Raises `TsigError` (FORMERR) for a message that cannot be walked through, and for a TSIG that is
    malformed, not the last record, or there twice (RFC 8945 section 5.2).
    """
    if len(message) < HEADER_OCTETS:
        raise TsigError(FORMERR, "message is shorter than a header")
    questions, answers, authorities, additionals = _COUNTS.unpack_from(message, 4)
    if not additionals:
        return None
    at = HEADER_OCTETS
    for _ in range(questions):
        at = _skip_name(message, at) + 4
    before = answers + authorities
    count = before + additionals
    size_octets = len(message)
    for index in range(count):
        start = at
        at = _skip_name(message, at)
        if at + 10 > size_octets:
            raise TsigError(FORMERR, "message ends inside a record")
        is_tsig = message[at] == 0 and message[at + 1] == TSIG_TYPE
        end = at + 10 + (message[at + 8] << 8 | message[at + 9])
        if end > size_octets:
            raise TsigError(FORMERR, "message ends inside a record")
        if is_tsig:
            if index != count - 1:
                raise TsigError(FORMERR, "TSIG is not the last record")
            return _read(message, start, at, end)
        at = end
    return None


def record_at(message: bytes, start: int) -> TsigRecord:
    """Return the TSIG record that begins at *start* of *message*, its last one. Raises `TsigError`."""
    at = _skip_name(message, start)
    return _read(message, start, at, at + _HEAD.size + (message[at + 8] << 8 | message[at + 9]))


def _read(message: bytes, start: int, at: int, end: int) -> TsigRecord:
    _, rdclass, ttl, _ = _HEAD.unpack_from(message, at)
    owner = _read_name(message, start)
    if rdclass != ANY_CLASS or ttl:
        raise TsigError(FORMERR, "TSIG has a class other than ANY or a TTL other than 0")
    at += 10
    algorithm = _read_name(message, at)
    at = _skip_name(message, at)
    if at + _TIMES.size > end:
        raise TsigError(FORMERR, "TSIG is too short")
    high, low, fudge_s, mac_octets = _TIMES.unpack_from(message, at)
    at += _TIMES.size
    mac = message[at : at + mac_octets]
    at += mac_octets
    if at + _TAIL.size > end:
        raise TsigError(FORMERR, "TSIG is too short")
    original_id, error, other_octets = _TAIL.unpack_from(message, at)
    at += _TAIL.size
    if at + other_octets != end:
        raise TsigError(FORMERR, "TSIG has another length than its fields")
    return TsigRecord(
        owner, algorithm, high << 32 | low, fudge_s, mac, original_id, error, message[at:end], start
    )


def _skip_name(message: bytes, at: int) -> int:
    """Return where the name at *at* ends; pointers are not followed."""
    size_octets = len(message)
    while at < size_octets:
        size = message[at]
        if not size:
            return at + 1
        if size >= 0xC0:
            return at + 2
        if size > names.MAX_LABEL_OCTETS:
            break
        at += 1 + size
    raise TsigError(FORMERR, "a name in the message is malformed")


def _read_name(message: bytes, at: int) -> Key:
    """Return the name at *at* in lower case. Pointers, which some senders use, only go backwards."""
    parts: list[bytes] = []
    octets = 0
    lowest = at
    while at < len(message):
        size = message[at]
        if not size:
            name: Name = b"".join(parts) + b"\0"
            return name.lower()
        if size >= 0xC0 and at + 1 < len(message):
            at = (size & 0x3F) << 8 | message[at + 1]
            if at >= lowest:
                break
            lowest = at
            continue
        octets += 1 + size
        if size > names.MAX_LABEL_OCTETS or octets >= names.MAX_NAME_OCTETS or at + 1 + size > len(message):
            break
        parts.append(message[at : at + 1 + size])
        at += 1 + size
    raise TsigError(FORMERR, "a name in the TSIG is malformed")


def without_record(message: bytes, record: TsigRecord) -> bytes:
    """Return *message* as it was before it was signed, its ID aside: the TSIG taken out and not counted."""
    additionals = (message[10] << 8 | message[11]) - 1
    return message[:10] + additionals.to_bytes(2) + message[HEADER_OCTETS : record.start]


def with_record(message: bytes, record: TsigRecord) -> bytes:
    """Return *message* with *record* as its last one."""
    additionals = (message[10] << 8 | message[11]) + 1
    return message[:10] + additionals.to_bytes(2) + message[HEADER_OCTETS:] + record.to_wire()
