"""Signatures of a transfer's messages, each of which continues the last one's (RFC 8945 section 5.3.1)."""

from __future__ import annotations

from collections.abc import Callable

from bindpy.config.model import TsigKey
from bindpy.tsig.keys import key_wire
from bindpy.tsig.messages import (
    FUDGE_S,
    check_mac,
    check_time_and_length,
    digested,
    fresh_record,
    length_prefixed,
    peer_error,
    sealed,
)
from bindpy.tsig.record import (
    BADKEY,
    BADSIG,
    FORMERR,
    TsigError,
    TsigRecord,
    find_record,
    record_at,
    with_record,
    without_record,
)

MAX_UNSIGNED = 99
"""So many messages in a row may be unsigned between two that are signed."""


class StreamSigner:
    """Signs the messages of one answer, every one of them, in their order."""

    def __init__(self, key: TsigKey, request_mac: bytes) -> None:
        self._key = key
        self._last_mac = request_mac
        self._least_octets = len(request_mac)
        self._first = True

    def sign(self, message: bytes, now: int) -> bytes:
        """Return *message* with its signature."""
        record = fresh_record(self._key, message, now, FUDGE_S)
        covered = record.variables() if self._first else record.timers()
        parts = (length_prefixed(self._last_mac), message, covered)
        record = sealed(self._key, record, parts, self._least_octets)
        self._first = False
        self._last_mac = record.mac
        return with_record(message, record)


class StreamVerifier:
    """Checks the messages of one answer, in their order; what it returned is good once `finish` passes.

    The first and the last message have to be signed, and at least each hundredth. *find_start* may say where
    the TSIG record of a message begins: finding it takes a walk over all of its records.
    """

    def __init__(
        self,
        key: TsigKey,
        request_mac: bytes,
        find_start: Callable[[bytes], int | None] | None = None,
    ) -> None:
        self._key = key
        self._find_start = find_start
        self._last_mac = request_mac
        self._first = True
        self._unsigned: list[bytes] = []

    def feed(self, message: bytes, now: int) -> bytes:
        """Return *message* without its signature. Raises `TsigError`."""
        start = self._find_start(message) if self._find_start is not None else None
        record = find_record(message) if start is None else record_at(message, start)
        if record is None:
            if self._first:
                raise TsigError(FORMERR, "the answer to a signed request is not signed", key=self._key)
            self._unsigned.append(message)
            if len(self._unsigned) > MAX_UNSIGNED:
                raise TsigError(FORMERR, f"more than {MAX_UNSIGNED} messages in a row are not signed")
            return message
        return self._check(message, record, now)

    def _check(self, message: bytes, record: TsigRecord, now: int) -> bytes:
        if not record.mac and record.error:
            raise peer_error(record, self._key)
        if record.owner != key_wire(self._key.name):
            raise TsigError(BADKEY, "the answer is signed with another key", record=record)
        plain = without_record(message, record)
        parts = [length_prefixed(self._last_mac), *self._unsigned, digested(plain, record.original_id)]
        parts.append(record.variables() if self._first else record.timers())
        check_mac(self._key, record, parts)
        if record.error:
            raise peer_error(record, self._key)
        check_time_and_length(self._key, record, now)
        self._first = False
        self._last_mac = record.mac
        self._unsigned.clear()
        return plain

    def finish(self) -> None:
        """Raise `TsigError` when the last message was not signed."""
        if self._first or self._unsigned:
            raise TsigError(BADSIG, "the last message of the answer is not signed", key=self._key)
