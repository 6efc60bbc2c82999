"""Signing and checking single messages, and the answers to bad signatures (RFC 8945 section 5)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import replace

from bindpy.config.model import TsigKey
from bindpy.deferred import dataclass
from bindpy.tsig.keys import Keyring, key_wire, method_of, whole_mac
from bindpy.tsig.record import (
    BADKEY,
    BADSIG,
    BADTIME,
    BADTRUNC,
    FORMERR,
    HEADER_OCTETS,
    TsigError,
    TsigRecord,
    error_name,
    find_record,
    with_record,
    without_record,
)

FUDGE_S = 300
"""The difference of clocks that is recommended to be allowed for (RFC 8945 section 10)."""

NOTAUTH = 9
_RECORD_FIXED_OCTETS = 26  # type, class, TTL and lengths; times, ID and error
_TIME_OCTETS = 6
_PEER_MEANINGS = {
    BADSIG: "its secret of this key is another one",
    BADKEY: "it has no key of this name and algorithm",
    BADTRUNC: "it demands longer ones",
}
_QR, _PRESERVED_FLAGS = 0x8000, 0x7900  # opcode and RD
_QTYPE_OCTETS = 4


@dataclass(frozen=True, slots=True)
class Verified:
    """A message whose signature is good: by which *key*, its *mac*, and the message without the TSIG."""

    key: TsigKey
    mac: bytes
    plain: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed message and its MAC, which the signature of the answer will cover."""

    wire: bytes
    mac: bytes


def room_for(key: TsigKey) -> int:
    """Return how many octets a signature with *key* adds to a message, at most (other data left aside)."""
    algorithm = method_of(key.algorithm).algorithm
    return len(key_wire(key.name)) + len(algorithm.wire) + algorithm.mac_octets + _RECORD_FIXED_OCTETS


def length_prefixed(mac: bytes) -> bytes:
    """Return a MAC as the digest of what follows it begins with; nothing for no MAC."""
    return len(mac).to_bytes(2) + mac if mac else b""


def digested(plain: bytes, original_id: int) -> bytes:
    """Return an unsigned message as a MAC covers it: with the ID that it had when it was signed."""
    return original_id.to_bytes(2) + plain[2:]


def fresh_record(key: TsigKey, message: bytes, now: int, fudge_s: int) -> TsigRecord:
    """Return the record that is to sign *message*, without its MAC."""
    return TsigRecord(
        owner=key_wire(key.name),
        algorithm=method_of(key.algorithm).algorithm.wire,
        time_signed=now,
        fudge_s=fudge_s,
        mac=b"",
        original_id=message[0] << 8 | message[1],
        error=0,
        other=b"",
    )


def sealed(key: TsigKey, record: TsigRecord, parts: Sequence[bytes], least_octets: int = 0) -> TsigRecord:
    """Return *record* with the MAC of *parts*, as long as the key says and at least *least_octets*."""
    return replace(
        record, mac=whole_mac(key, parts)[: max(method_of(key.algorithm).mac_octets, least_octets)]
    )


def sign(
    message: bytes, key: TsigKey, now: int, *, request_mac: bytes = b"", fudge_s: int = FUDGE_S
) -> Signed:
    """Return *message* signed with *key* at *now* (seconds since 1970).

    *request_mac* is that of the request that *message* answers. A truncated MAC is never shorter than the
    request's was, as in BIND.
    """
    record = fresh_record(key, message, now, fudge_s)
    parts = (length_prefixed(request_mac), message, record.variables())
    record = sealed(key, record, parts, len(request_mac))
    return Signed(with_record(message, record), record.mac)


def verify(message: bytes, ring: Keyring, now: int, *, request_mac: bytes = b"") -> Verified | None:
    """Check the signature of *message*; None when it is unsigned.

    *request_mac* is that of our request where *message* is an answer to it. Raises `TsigError`.
    """
    record = find_record(message)
    if record is None:
        return None
    key = ring.find(record.owner)
    is_response = bool(message[2] & 0x80)
    if is_response and not record.mac and record.error:
        raise peer_error(record, key)
    if key is None:
        raise TsigError(BADKEY, "no key of that name here", record=record)
    plain = without_record(message, record)
    check_mac(
        key,
        record,
        (length_prefixed(request_mac), digested(plain, record.original_id), record.variables()),
    )
    if is_response and record.error:
        raise peer_error(record, key)
    check_time_and_length(key, record, now)
    return Verified(key, record.mac, plain)


def peer_error(record: TsigRecord, key: TsigKey | None) -> TsigError:
    """Return what the peer says of our signature, in a record with an error."""
    reason = f"the peer does not accept our signature: {error_name(record.error)}"
    if record.error in _PEER_MEANINGS:
        reason += f" ({_PEER_MEANINGS[record.error]})"
    if record.error == BADTIME and len(record.other) == _TIME_OCTETS:
        reason += f" (its clock says {int.from_bytes(record.other)}, ours said {record.time_signed})"
    return TsigError(record.error, reason, record=record, key=key, from_peer=True)


def check_mac(key: TsigKey, record: TsigRecord, parts: Sequence[bytes]) -> None:
    """Raise `TsigError` unless *record* holds *key*'s MAC of *parts*, in constant time.

    The key comes first, then the MAC, and only then time and length, which a stranger could have made up
    (RFC 8945 section 5.2).
    """
    algorithm = method_of(key.algorithm).algorithm
    if record.algorithm != algorithm.wire:
        raise TsigError(BADKEY, "the key is for another algorithm", record=record)
    size = len(record.mac)
    if not size:
        raise TsigError(BADSIG, "the signature is empty", record=record, key=key)
    if not algorithm.min_mac_octets <= size <= algorithm.mac_octets:
        raise TsigError(FORMERR, f"a MAC of {size} octets is malformed", record=record, key=key)
    if not hmac.compare_digest(whole_mac(key, parts)[:size], record.mac):
        raise TsigError(BADSIG, "the signature is wrong", record=record, key=key)


def check_time_and_length(key: TsigKey, record: TsigRecord, now: int) -> None:
    """Raise `TsigError` when a good MAC is too old, too young or too short for *key*."""
    if abs(now - record.time_signed) > record.fudge_s:
        which = "has expired" if now > record.time_signed else "is in the future"
        reason = f"the signature {which} (signed at {record.time_signed}, our clock says {now})"
        raise TsigError(BADTIME, reason, record=record, key=key)
    least = method_of(key.algorithm).mac_octets
    if len(record.mac) < least:
        reason = f"a MAC of {len(record.mac)} octets is shorter than the {least} that the key demands"
        raise TsigError(BADTRUNC, reason, record=record, key=key)


def error_response(request: bytes, error: TsigError, now: int) -> bytes:
    """Return the answer to *request* (at least a header), whose signature is bad (RFC 8945 section 5.3.2).

    FORMERR has no TSIG. BADKEY and BADSIG are not signed, as there is nothing to sign with. BADTIME, which
    tells our time, and BADTRUNC are.
    """
    flags = request[2] << 8 | request[3]
    rcode = FORMERR if error.error == FORMERR else NOTAUTH
    question = b"" if error.error == FORMERR else _question(request)
    flags = _QR | flags & _PRESERVED_FLAGS | rcode
    counts = b"\0\1" if question else b"\0\0"
    response = request[:2] + flags.to_bytes(2) + counts + bytes(6) + question
    record, key = error.record, error.key
    if record is None or error.error == FORMERR:
        return response
    answer = replace(record, time_signed=now, fudge_s=FUDGE_S, mac=b"", error=error.error, other=b"")
    if key is not None and error.error in (BADTIME, BADTRUNC):
        if error.error == BADTIME:
            answer = replace(answer, time_signed=record.time_signed, other=now.to_bytes(_TIME_OCTETS))
        parts = (length_prefixed(record.mac), digested(response, record.original_id), answer.variables())
        answer = sealed(key, answer, parts, len(record.mac))
    return with_record(response, answer)


def _question(request: bytes) -> bytes:
    """Return the one question of *request*, which `find_record` has walked through; empty for others."""
    if request[4:6] != b"\0\1":
        return b""
    at = HEADER_OCTETS
    while size := request[at]:
        if size >= 0xC0:
            return b""
        at += 1 + size
    return request[HEADER_OCTETS : at + 1 + _QTYPE_OCTETS]
