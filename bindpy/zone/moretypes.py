"""Text forms of the record types where dnspython cannot stand in for BIND.

Types that it does not know: MB, MG, MR, MINFO (RFC 1035 section 3.3), NXT (RFC 2535 section 5.2), A6
(RFC 2874), and EID, NIMLOC, ATMA, SINK, RKEY, TALINK, DOA and TA of the registry of types. Types that it
reads more narrowly than BIND: TLSA, SMIMEA, NID, L64 and URI. Each is a row of fields; a field knows how to
read its tokens, and how to print its octets.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from socket import AF_INET6, inet_ntop, inet_pton

import dns.rdatatype

from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError
from bindpy.zone import names
from bindpy.zone.lexer import Token, quoted, shown, to_octets
from bindpy.zone.names import BadNameError, Name

TYPES = {
    "EID": 31, "NIMLOC": 32, "ATMA": 34, "A6": 38, "SINK": 40, "RKEY": 57, "TALINK": 58,
    "UINFO": 100, "UID": 101, "GID": 102, "DOA": 259, "KEYDATA": 65533,
}  # fmt: skip
"""Mnemonics that BIND has and dnspython has not (or, for A6, has without a text form)."""


class MoreTypesError(BindpyError):
    """RDATA that was refused; ``token`` as in `bindpy.zone.rdata.RdataError`."""

    def __init__(self, message: str, token: int = 0) -> None:
        super().__init__(message)
        self.token = token


class _Words:
    """The tokens of one RDATA, taken one after the other."""

    def __init__(self, tokens: Sequence[Token], origin: Name) -> None:
        self._tokens = tokens
        self.origin = origin
        self.at = 0

    def next_token(self, what: str) -> Token:
        if self.at >= len(self._tokens):
            raise MoreTypesError(f"{what} is missing", self.at)
        self.at += 1
        return self._tokens[self.at - 1]

    def next(self, what: str) -> str:
        return self.next_token(what).text

    def rest(self) -> list[str]:
        words = [token.text for token in self._tokens[self.at :]]
        self.at = len(self._tokens)
        return words

    def bad(self, what: str) -> MoreTypesError:
        at = max(self.at - 1, 0)
        return MoreTypesError(f"{shown(self._tokens[at].text)} is not {what}", at)


_Read = Callable[[_Words], bytes]
_Show = Callable[[bytes, int], tuple[str, int]]


@dataclass(frozen=True, slots=True)
class _Field:
    """``read`` takes tokens and gives octets; ``show`` takes octets and a start, gives text and the end.

    ``show`` raises `IndexError` or `ValueError` when the octets are no such field.
    """

    read: _Read
    show: _Show


def _number(octets: int) -> _Field:
    limit = (1 << 8 * octets) - 1

    def read(words: _Words) -> bytes:
        text = words.next("a number")
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= limit):
            raise words.bad(f"a number from 0 to {limit}")
        return int(text).to_bytes(octets, "big")

    def show(wire: bytes, at: int) -> tuple[str, int]:
        if at + octets > len(wire):
            raise IndexError
        return str(int.from_bytes(wire[at : at + octets], "big")), at + octets

    return _Field(read, show)


def _read_name(words: _Words) -> bytes:
    token = words.next_token("a domain name")
    if token.quoted:
        raise words.bad("a domain name: it is in quotes")
    try:
        return names.from_text(token.text, words.origin)
    except BadNameError as e:
        raise MoreTypesError(str(e), words.at - 1) from e


def _show_name(wire: bytes, at: int) -> tuple[str, int]:
    end = at
    while size := wire[end]:
        if size > names.MAX_LABEL_OCTETS:
            raise ValueError("compressed name")
        end += 1 + size
    if end + 1 - at > names.MAX_NAME_OCTETS:
        raise ValueError("name too long")
    return names.to_text(wire[at : end + 1]), end + 1


def _read_hex(words: _Words) -> bytes:
    digits = "".join(words.rest())
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        raise words.bad("an even number of hexadecimal digits") from None
    if not octets:
        raise MoreTypesError("hexadecimal digits are missing", words.at)
    return octets


def _show_hex(wire: bytes, at: int) -> tuple[str, int]:
    if at >= len(wire):
        raise IndexError
    return wire[at:].hex().upper(), len(wire)


def _read_base64(words: _Words) -> bytes:
    digits = "".join(words.rest())
    try:
        return binascii.a2b_base64(digits.encode("latin-1"), strict_mode=True)
    except binascii.Error:
        raise words.bad("base64") from None


def _show_base64(wire: bytes, at: int) -> tuple[str, int]:
    return base64.b64encode(wire[at:]).decode("ascii"), len(wire)


def _read_string(words: _Words) -> bytes:
    octets = to_octets(words.next("a string"))
    if octets is None or len(octets) > 255:
        raise words.bad("a string of at most 255 octets")
    return bytes((len(octets),)) + octets


def _show_string(wire: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + wire[at]
    if end > len(wire):
        raise IndexError
    return quoted(wire[at + 1 : end]), end


def _read_nxt_types(words: _Words) -> bytes:
    """RFC 2535 section 5.2: one bit for each type from 1 to 127, trailing zero octets left out."""
    bits = bytearray(16)
    for word in words.rest():
        try:
            rtype = int(dns.rdatatype.from_text(word))
        except (dns.rdatatype.UnknownRdatatype, ValueError):
            raise MoreTypesError(f"unknown RR type {shown(word)}", words.at - 1) from None
        if not 0 < rtype < 128:
            raise MoreTypesError(f"NXT cannot list type {word}: only types below 128", words.at - 1)
        bits[rtype >> 3] |= 0x80 >> (rtype & 7)
    return bytes(bits).rstrip(b"\0")


def _show_nxt_types(wire: bytes, at: int) -> tuple[str, int]:
    bits = wire[at:]
    if len(bits) > 16 or bits[-1:] == b"\0" or bits[:1] >= b"\x80":
        raise ValueError("bad type bit map")
    present = [i for i in range(len(bits) * 8) if bits[i >> 3] & (0x80 >> (i & 7))]
    return " ".join([dns.rdatatype.to_text(dns.rdatatype.RdataType.make(i)) for i in present]), len(wire)


def _read_a6(words: _Words) -> bytes:
    """RFC 2874 section 3.1: prefix length, the address's other bits, and a name when there is a prefix."""
    text = words.next("a prefix length")
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 128):
        raise words.bad("a prefix length from 0 to 128")
    prefix = int(text)
    suffix = b""
    if prefix < 128:
        try:
            address = inet_pton(AF_INET6, words.next("an IPv6 address"))
        except (OSError, ValueError):
            raise words.bad("an IPv6 address") from None
        number = int.from_bytes(address, "big") & ((1 << (128 - prefix)) - 1)
        suffix = number.to_bytes(16, "big")[prefix // 8 :]
    return bytes((prefix,)) + suffix + (_read_name(words) if prefix else b"")


def _show_a6(wire: bytes, at: int) -> tuple[str, int]:
    prefix = wire[at]
    size = 16 - prefix // 8
    suffix = wire[at + 1 : at + 1 + size]
    if prefix > 128 or len(suffix) != size or (prefix % 8 and suffix[0] >> (8 - prefix % 8)):
        raise ValueError("bad prefix length")
    end = at + 1 + size
    address = f" {inet_ntop(AF_INET6, suffix.rjust(16, bytes(1)))}" if prefix < 128 else ""
    if not prefix:
        return f"0{address}", end
    name, end = _show_name(wire, end)
    return f"{prefix}{address} {name}", end


def _read_atma(words: _Words) -> bytes:
    """A leading ``+`` is an E.164 number (format 1), else hexadecimal digits (format 0), dots in between."""
    text = words.next("an address").replace(".", "")
    if text.startswith("+"):
        if not (text[1:].isascii() and text[1:].isdigit()):
            raise words.bad("an E.164 number")
        return b"\1" + text[1:].encode("ascii")
    try:
        return b"\0" + bytes.fromhex(text)
    except ValueError:
        raise words.bad("an even number of hexadecimal digits") from None


def _show_atma(wire: bytes, at: int) -> tuple[str, int]:
    value = wire[at + 1 :]
    if not value or wire[at] > 1 or (wire[at] == 1 and not value.isdigit()):
        raise ValueError("bad address format")
    return ("+" + value.decode("ascii") if wire[at] else value.hex()), len(wire)


def _read_locator(words: _Words) -> bytes:
    """RFC 6742 section 2.1.2: four groups of up to four hexadecimal digits."""
    groups = words.next("a 64-bit value").split(":")
    if len(groups) != 4 or not all(_GROUP.fullmatch(group) for group in groups):
        raise words.bad("four groups of hexadecimal digits")
    return b"".join([int(group, 16).to_bytes(2, "big") for group in groups])


def _show_locator(wire: bytes, at: int) -> tuple[str, int]:
    value = wire[at : at + 8]
    if len(value) != 8:
        raise IndexError
    return value.hex(":", 2), at + 8


def _read_target(words: _Words) -> bytes:
    """RFC 7553 section 4.4: a quoted string that may be longer than 255 octets."""
    token = words.next_token("a target")
    octets = to_octets(token.text)
    if octets is None or not token.quoted:
        raise words.bad("a target in double quotes")
    return octets


def _show_target(wire: bytes, at: int) -> tuple[str, int]:
    return quoted(wire[at:]), len(wire)


_GROUP = re.compile(r"[0-9A-Fa-f]{1,4}")
_NAME = _Field(_read_name, _show_name)
_HEX = _Field(_read_hex, _show_hex)
_BASE64 = _Field(_read_base64, _show_base64)
_STRING = _Field(_read_string, _show_string)
_LOCATOR = _Field(_read_locator, _show_locator)
_U8, _U16, _U32 = _number(1), _number(2), _number(4)

GRAMMARS: dict[int, tuple[_Field, ...]] = {
    7: (_NAME,),
    8: (_NAME,),
    9: (_NAME,),
    14: (_NAME, _NAME),
    30: (_NAME, _Field(_read_nxt_types, _show_nxt_types)),
    31: (_HEX,),
    32: (_HEX,),
    34: (_Field(_read_atma, _show_atma),),
    38: (_Field(_read_a6, _show_a6),),
    40: (_U8, _U8, _U8, _BASE64),
    52: (_U8, _U8, _U8, _HEX),
    53: (_U8, _U8, _U8, _HEX),
    57: (_U16, _U8, _U8, _BASE64),
    58: (_NAME, _NAME),
    104: (_U16, _LOCATOR),
    106: (_U16, _LOCATOR),
    256: (_U16, _U16, _Field(_read_target, _show_target)),
    259: (_U32, _U32, _U8, _STRING, _BASE64),
    32768: (_U16, _U8, _U8, _HEX),
}
"""The fields of each type, by its number."""


def from_tokens(rtype: int, tokens: Sequence[Token], origin: Name) -> bytes:
    """Return the RDATA of *rtype*, one of `GRAMMARS`. Raises `MoreTypesError`."""
    words = _Words(tokens, origin)
    wire = b"".join([field.read(words) for field in GRAMMARS[rtype]])
    if words.at < len(tokens):
        raise MoreTypesError(f"extra text {shown(tokens[words.at].text)}", words.at)
    return wire


def to_text(rtype: int, wire: bytes) -> str | None:
    """Return the text of RDATA of *rtype*, one of `GRAMMARS`, or None when it is malformed."""
    out = []
    at = 0
    try:
        for field in GRAMMARS[rtype]:
            text, at = field.show(wire, at)
            out.append(text)
    except (IndexError, ValueError):
        return None
    return " ".join(out).rstrip() if at == len(wire) else None
