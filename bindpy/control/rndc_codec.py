"""Messages of BIND's rndc as bytes: frames, tables, and the signature in front of them.

A frame is a length (4 octets) and a body; a body is a version (4 octets) and the entries of a table, of
which the first, ``_auth``, signs all octets after itself. There is no I/O here, and no meaning of entries.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from bindpy.config.model import TsigKey
from bindpy.diagnostics import BindpyError

LENGTH_OCTETS = 4
MAX_REQUEST_OCTETS = 32768
"""The longest body that a server takes."""
MAX_REPLY_OCTETS = 1 << 20
"""The longest body that rndc takes."""
MAX_DEPTH = 10

UNEXPECTED_END = "unexpected end of input"
OUT_OF_RANGE = "out of range"
BAD_AUTH = "bad auth"
SYNTAX_ERROR = "syntax error"

Value: TypeAlias = "bytes | list[Value] | Table"
Table: TypeAlias = dict[bytes, Value]

_VERSION = (1).to_bytes(4)
_BINARY, _TABLE, _LIST = 1, 2, 3
_VALUE_HEADER_OCTETS = 5
_AUTH = b"_auth"
_MD5, _SHA = b"hmd5", b"hsha"
_SHA_TEXT_OCTETS = 88  # the base64 text of the longest MAC; shorter ones are followed by NULs
_ALGORITHM_NUMBERS = {
    "hmac-md5": 157,
    "hmac-sha1": 161,
    "hmac-sha224": 162,
    "hmac-sha256": 163,
    "hmac-sha384": 164,
    "hmac-sha512": 165,
}
ALGORITHMS = tuple(_ALGORITHM_NUMBERS)


class MessageError(BindpyError):
    """A message that is refused; its text is BIND's word for why (``bad auth``, ``clock skew`` …)."""


def body_length(prefix: bytes) -> int:
    """Return how long the body is that follows the four octets *prefix*, at most `MAX_REQUEST_OCTETS`.

    Raises `MessageError`.
    """
    length = int.from_bytes(prefix)
    if not length:
        raise MessageError(UNEXPECTED_END)
    if length > MAX_REQUEST_OCTETS:
        raise MessageError(OUT_OF_RANGE)
    return length


def signed_frame(table: Mapping[bytes, Value], key: TsigKey) -> bytes:
    """Return the whole frame that carries *table*, signed with *key*."""
    content = _encoded_table(table)
    signature: Table = {_AUTH: dict([_signature(key, content)])}
    body = _VERSION + _encoded_table(signature) + content
    return len(body).to_bytes(LENGTH_OCTETS) + body


def open_body(body: bytes, keys: Iterable[TsigKey]) -> tuple[TsigKey, Table]:
    """Return the key among *keys* that *body* is signed with, and its table without the signature.

    What is not signed is not looked into. Raises `MessageError` and nothing else, whatever *body* is.
    """
    if body[:4] != _VERSION:
        raise MessageError(BAD_AUTH)
    signature, at = _leading_signature(body)
    content = body[at:]
    for key in keys:
        name, wanted = _signature(key, content)
        given = signature.get(name)
        if isinstance(given, bytes) and hmac.compare_digest(given, wanted):
            return key, _decoded_table(content, 0, len(content), 1)
    raise MessageError(BAD_AUTH)


def _leading_signature(body: bytes) -> tuple[Table, int]:
    """Return what the entry ``_auth`` holds and where the signed octets begin."""
    at = len(_VERSION) + 1 + len(_AUTH)
    if body[len(_VERSION) : at] != bytes((len(_AUTH),)) + _AUTH:
        raise MessageError(BAD_AUTH)
    value, at = _decoded_value(body, at, len(body), 1)
    if not isinstance(value, dict):
        raise MessageError(BAD_AUTH)
    return value, at


def _signature(key: TsigKey, content: bytes) -> tuple[bytes, bytes]:
    """Return the entry of ``_auth`` that signs *content*. A truncated algorithm is not truncated here."""
    algorithm = "-".join(key.algorithm.split("-")[:2])
    mac = base64.b64encode(hmac.digest(key.secret, content, algorithm.removeprefix("hmac-")))
    if algorithm == "hmac-md5":
        return _MD5, mac.rstrip(b"=")
    return _SHA, bytes((_ALGORITHM_NUMBERS[algorithm],)) + mac.ljust(_SHA_TEXT_OCTETS, b"\0")


# --- tables --------------------------------------------------------------------------------------


def _encoded_table(table: Mapping[bytes, Value]) -> bytes:
    parts = []
    for name, value in table.items():
        parts += [bytes((len(name),)), name, _encoded_value(value)]
    return b"".join(parts)


def _encoded_value(value: Value) -> bytes:
    if isinstance(value, bytes):
        kind, content = _BINARY, value
    elif isinstance(value, dict):
        kind, content = _TABLE, _encoded_table(value)
    else:
        kind, content = _LIST, b"".join([_encoded_value(one) for one in value])
    return bytes((kind,)) + len(content).to_bytes(4) + content


def _decoded_table(data: bytes, at: int, end: int, depth: int) -> Table:
    """Return the table whose entries fill *data* from *at* to *end*; of equal names the last one counts."""
    table: Table = {}
    while at < end:
        name_end = at + 1 + data[at]  # if it is past the end, so is the value
        name = data[at + 1 : name_end]
        table[name], at = _decoded_value(data, name_end, end, depth)
    return table


def _decoded_value(data: bytes, at: int, end: int, depth: int) -> tuple[Value, int]:
    """Return the value at *at* and where it ends, which is not after *end*."""
    begin = at + _VALUE_HEADER_OCTETS
    if begin > end:
        raise MessageError(UNEXPECTED_END)
    kind, after = data[at], begin + int.from_bytes(data[at + 1 : begin])
    if after > end:
        raise MessageError(UNEXPECTED_END)
    if kind == _BINARY:
        return data[begin:after], after
    if depth >= MAX_DEPTH:
        raise MessageError(OUT_OF_RANGE)
    if kind == _TABLE:
        return _decoded_table(data, begin, after, depth + 1), after
    if kind == _LIST:
        values: list[Value] = []
        while begin < after:
            value, begin = _decoded_value(data, begin, after, depth + 1)
            values.append(value)
        return values, after
    raise MessageError(SYNTAX_ERROR)
