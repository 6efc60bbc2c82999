"""One connection of rndc, without its socket: which messages are taken, and what the replies look like.

A connection begins with a message that only fetches a nonce; every later one has to show it. Nothing that
a recorded connection holds can therefore be used again, and the memory of messages that came is a second
lock on that door. `RndcSession.receive` refuses in the order that BIND does, and in its words.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from bindpy.config.model import TsigKey
from bindpy.control.rndc_codec import (
    BAD_AUTH,
    LENGTH_OCTETS,
    MAX_REPLY_OCTETS,
    MessageError,
    Table,
    open_body,
    signed_frame,
)
from bindpy.deferred import dataclass

CLOCK_SKEW_S = 300
REPLY_LIFETIME_S = 60
REMEMBERED_FOR_S = 900.0
REMEMBERED_MESSAGES = 100_000
"""About 12 MB. Where more come in 15 minutes the oldest are forgotten; the nonce still refuses them."""

FAILURE = "failure"
EXPIRED = "expired"
CLOCK_SKEW = "clock skew"
DUPLICATE = "duplicate"

_MAX_NUMBER_DIGITS = 10
_BLANKS = b" \t\r\n\v\f"


class ReplayMemory:
    """The messages that came lately, for all connections of a server. Only signed ones get in here."""

    def __init__(
        self,
        *,
        lifetime_s: float = REMEMBERED_FOR_S,
        limit: int = REMEMBERED_MESSAGES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lifetime_s = lifetime_s
        self._limit = limit
        self._clock = clock
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def is_new(self, message: Sequence[bytes]) -> bool:
        """Remember *message*, which is known by these fields; return whether it came for the first time."""
        now = self._clock()
        while self._seen and next(iter(self._seen.values())) <= now - self._lifetime_s:
            self._seen.popitem(last=False)
        digest = hashlib.blake2b(digest_size=16)
        for field in message:
            digest.update(len(field).to_bytes(4) + field)
        mark = digest.digest()
        if mark in self._seen:
            return False
        if len(self._seen) >= self._limit:
            self._seen.popitem(last=False)
        self._seen[mark] = now
        return True


@dataclass(frozen=True, slots=True)
class Request:
    """A message that was taken. ``command`` is None for the first of a connection, which asks for the nonce.

    ``key`` signed it and signs its reply; the rest is copied into the reply.
    """

    key: TsigKey
    command: str | None
    serial: bytes
    from_: bytes | None
    to: bytes | None
    type: bytes


class RndcSession:
    """The state of one connection. Time and chance are parameters: *wall_clock* is Unix time in seconds."""

    def __init__(
        self,
        replays: ReplayMemory,
        *,
        wall_clock: Callable[[], float] = time.time,
        new_nonce: Callable[[], int] = lambda: 1 + secrets.randbelow(0xFFFFFFFF),
    ) -> None:
        self._replays = replays
        self._wall_clock = wall_clock
        self._new_nonce = new_nonce
        self._nonce = 0  # none yet

    @property
    def is_open(self) -> bool:
        """Whether the client has shown that it has a key."""
        return self._nonce != 0

    def receive(self, body: bytes, keys: Sequence[TsigKey]) -> Request:
        """Return the request that *body* is, signed with one of *keys*.

        Raises `MessageError`, and nothing else whatever *body* is: the connection is to be closed then,
        without a reply.
        """
        key, table = open_body(body, keys)
        control = table.get(b"_ctrl")
        if not isinstance(control, dict) or b"_rpl" in control:
            raise MessageError(FAILURE)
        self._check_time(control)
        serial = self._check_is_new(control)
        if self._nonce and _number(control, b"_nonce") != self._nonce:
            raise MessageError(BAD_AUTH)
        data = table.get(b"_data")
        type_ = data.get(b"type") if isinstance(data, dict) else None
        if not isinstance(type_, bytes):
            raise MessageError(FAILURE)
        command = None
        if self._nonce:
            command = type_.decode("utf-8", "surrogateescape")
        else:
            self._nonce = self._new_nonce()
        return Request(key, command, serial, _text(control, b"_frm"), _text(control, b"_to"), type_)

    def _check_time(self, control: Table) -> None:
        now = int(self._wall_clock())
        sent, expires = _number(control, b"_tim"), _number(control, b"_exp")
        if sent is None:
            raise MessageError(FAILURE)
        if abs(now - sent) > CLOCK_SKEW_S:
            raise MessageError(CLOCK_SKEW)
        if expires is None and b"_exp" in control:
            raise MessageError(FAILURE)
        if expires is not None and expires < now:
            raise MessageError(EXPIRED)

    def _check_is_new(self, control: Table) -> bytes:
        """Return the serial of a message that did not come before."""
        fields = [_text(control, name) for name in (b"_frm", b"_to", b"_ser", b"_tim")]
        if fields[2] is None:
            raise MessageError(FAILURE)
        if any(field is not None and any(octet in _BLANKS for octet in field) for field in fields):
            raise MessageError(FAILURE)
        if not self._replays.is_new([b"" if field is None else field for field in fields]):
            raise MessageError(DUPLICATE)
        return fields[2]

    def reply(self, request: Request, *, code: int = 0, err: str | None = None, text: str = "") -> bytes:
        """Return the frame that answers *request*.

        *err*, even an empty one, is what makes rndc fail; *code* is only shown. A *text* that rndc would not
        take for its length is cut after a line, and says so.
        """
        now = int(self._wall_clock())
        control: Table = {
            b"_ser": request.serial,
            b"_tim": b"%d" % now,
            b"_exp": b"%d" % (now + REPLY_LIFETIME_S),
        }
        if request.to is not None:
            control[b"_frm"] = request.to
        if request.from_ is not None:
            control[b"_to"] = request.from_
        control |= {b"_rpl": b"1", b"_nonce": b"%d" % self._nonce}
        data: Table = {b"type": request.type, b"result": b"%d" % code}
        if err is not None:
            data[b"err"] = _octets(err)
        table: Table = {b"_ctrl": control, b"_data": data}
        if text:
            data[b"text"] = b""
            room = LENGTH_OCTETS + MAX_REPLY_OCTETS - len(signed_frame(table, request.key))
            data[b"text"] = _cut(_octets(text).rstrip(b"\n"), room)
        return signed_frame(table, request.key)


def _text(table: Table, name: bytes) -> bytes | None:
    """Return the text *name* of *table*, None where there is none."""
    value = table.get(name)
    return value if isinstance(value, bytes) else None


def _number(table: Table, name: bytes) -> int | None:
    """Return the number *name* of *table*, unsigned 32-bit, None where there is none."""
    text = _text(table, name)
    if text is None or not text.isdigit() or len(text) > _MAX_NUMBER_DIGITS:
        return None
    return number if (number := int(text)) <= 0xFFFFFFFF else None


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _cut(text: bytes, room: int) -> bytes:
    """Return as many whole lines of *text* as fit into *room* octets, with a last line about the others."""
    if len(text) <= room:
        return text
    last = b"\n[cut here: rndc takes no more]"
    kept = text[: max(0, room - len(last))]
    return kept[: kept.rfind(b"\n")] + last if b"\n" in kept else kept + last
