"""The types whose text dnspython reads and writes.

Not imported before there is RDATA of such a type (`bindpy.zone.rdata`): most zones have none that Rust does
not know as well, and dnspython is a tenth of what a start imports.
"""

from __future__ import annotations

import struct
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeAlias

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer

from bindpy.zone import bindwords, strict
from bindpy.zone.lexer import Token, shown, to_ascii
from bindpy.zone.names import Name
from bindpy.zone.rdata import (
    MAX_RDATA_OCTETS,
    RdataError,
    refuse_fault,
    signature_time,
    type_from_text,
    type_to_text,
)

_FAILURES = (dns.exception.DNSException, ValueError, struct.error, OverflowError)


def load_all_types() -> None:
    """Import every type's module now: after a change of user they may not be readable any more."""
    dns.rdata.load_all_types(disable_dynamic_load=False)  # type: ignore[no-untyped-call]


_Normalise: TypeAlias = Callable[[Sequence[Token]], Sequence[Token]]


def _is_base64(text: str) -> bool:
    """Return whether *text* is base64 as BIND takes it: padded, and the unused bits zero."""
    try:
        return b2a_base64(a2b_base64(text, strict_mode=True), newline=False) == text.encode("ascii")
    except ValueError:
        return False


class _Tokens(dns.tokenizer.Tokenizer):
    """dnspython's tokenizer over tokens that are split already; remembers how far a parser got."""

    def __init__(self, tokens: Sequence[Token], *, base64: bool) -> None:
        super().__init__("")
        self._base64 = base64
        self._tokens = tokens
        self._next = 0
        self._after_blank = False

    def get(self, want_leading: bool = False, want_comment: bool = False) -> dns.tokenizer.Token:  # noqa: ARG002 (no comments are left)
        if self.ungotten_token is not None:
            token = self.ungotten_token
            self.ungotten_token = None
            if want_leading or not token.is_whitespace():
                return token
        if self._next >= len(self._tokens):
            self._next = len(self._tokens) + 1
            return dns.tokenizer.Token(dns.tokenizer.EOL, "\n")
        ours = self._tokens[self._next]
        if want_leading and not ours.glued and not self._after_blank:
            self._after_blank = True
            return dns.tokenizer.Token(dns.tokenizer.WHITESPACE, " ")
        self._after_blank = False
        self._next += 1
        kind = dns.tokenizer.QUOTED_STRING if ours.quoted else dns.tokenizer.IDENTIFIER
        value = to_ascii(ours.text)
        return dns.tokenizer.Token(kind, value, "\\" in value)

    def concatenate_remaining_identifiers(self, allow_empty: bool = False) -> str:
        """Join what is left; for base64 refuse padding bits that are not zero, as BIND does."""
        text = super().concatenate_remaining_identifiers(allow_empty)
        if self._base64 and not _is_base64(text):
            raise ValueError("bad base64")
        return text

    @property
    def last(self) -> int:
        """Index of the token that was looked at last."""
        pushed_back = self.ungotten_token is not None and not self.ungotten_token.is_whitespace()
        return max(self._next - 1 - pushed_back, 0)


def from_tokens(rtype: int, tokens: Sequence[Token], origin: Name, rdclass: int) -> bytes:
    """Return the RDATA that *tokens* mean, as `bindpy.zone.rdata.rdata_from_tokens` does."""
    if not _has_text_form(rtype, rdclass):
        raise RdataError(f"{type_to_text(rtype)} has no text form here; write it as '\\# LENGTH HEX'", 0)
    tokens = _normalised(rtype, tokens)
    refuse_fault(rtype, tokens, strict.text_fault(rtype, tokens))
    tok = _Tokens(tokens, base64=rtype in _BASE64_AT_END)
    try:
        name = dns.name.from_wire(origin, 0)[0]
        rdata = dns.rdata.from_text(
            dns.rdataclass.RdataClass.make(rdclass), _rdatatype(rtype), tok, name, relativize=False
        )
        wire = rdata.to_wire() or b""
    except _FAILURES as e:
        _refuse(rtype, tokens, tok.last, to_ascii(str(e)))
    if len(wire) > MAX_RDATA_OCTETS:
        raise RdataError(f"RDATA is {len(wire)} octets long, the limit is {MAX_RDATA_OCTETS}", 0)
    return wire


def check(rtype: int, wire: bytes, rdclass: int) -> str | None:
    """Return why *wire* is not valid uncompressed RDATA of *rtype*, or None."""
    try:
        again = _from_wire(rtype, wire, rdclass).to_wire()
    except _FAILURES as e:
        return str(e) or "malformed"
    return None if again == wire else "malformed or compressed"


def to_text(rtype: int, wire: bytes, rdclass: int) -> str | None:
    """Return *wire* in presentation form; None where there is no such form, or it is malformed."""
    if not _has_text_form(rtype, rdclass):
        return None
    try:
        return bindwords.readable(rtype, wire, _from_wire(rtype, wire, rdclass))
    except _FAILURES:
        return None


_EXPECTED = {
    1: "an IPv4 address; four numbers from 0 to 255 are expected, with dots between them",
    28: "an IPv6 address; up to eight groups of hexadecimal digits are expected, with colons between them",
}
_BASE64_AT_END = frozenset({24, 25, 37, 45, 46, 48, 49, 60, 61})
"""SIG, KEY, CERT, IPSECKEY, RRSIG, DNSKEY, DHCID, CDNSKEY, OPENPGPKEY."""


def _normalised(rtype: int, tokens: Sequence[Token]) -> Sequence[Token]:
    """Return *tokens* as dnspython wants them; refuse what it takes and BIND does not."""
    at = _ALGORITHM_AT.get(rtype)
    if at is not None and at < len(tokens):
        number = _ALGORITHMS_OF_BIND.get(tokens[at].text.upper())
        if number is not None:
            tokens = [*tokens[:at], tokens[at]._replace(text=number), *tokens[at + 1 :]]
    normalise = _NORMALISE.get(rtype)
    return normalise(tokens) if normalise is not None else tokens


_ALGORITHMS_OF_BIND = {"NSEC3DSA": "6", "NSEC3RSASHA1": "7"}
"""Names that dnspython does not know, and BIND writes."""
_ALGORITHM_AT = {24: 1, 25: 2, 37: 2, 43: 1, 46: 1, 48: 2, 59: 1, 60: 2, 32769: 1}
"""Where SIG, KEY, CERT, DS, RRSIG, DNSKEY, CDS, CDNSKEY and DLV name an algorithm."""


def _numbered_types(first: int) -> _Normalise:
    """Write the type mnemonics from token *first* on as ``TYPEnnn``: we know more of them than dnspython."""

    def normalise(tokens: Sequence[Token]) -> Sequence[Token]:
        return [_as_number(token) if i >= first else token for i, token in enumerate(tokens)]

    return normalise


def _as_number(token: Token) -> Token:
    rtype = type_from_text(token.text)
    return token if rtype is None else token._replace(text=f"TYPE{rtype}")


def _signature(tokens: Sequence[Token]) -> Sequence[Token]:
    out = list(tokens)
    out[0] = _as_number(out[0])
    if out[0].text.isdigit():  # BIND takes a bare number here
        out[0] = out[0]._replace(text=f"TYPE{out[0].text}")
    if len(out) > 3 and not (out[3].text.isascii() and out[3].text.isdigit()):
        raise RdataError(f"the original TTL {shown(out[3].text)} is not a number of seconds", 3)
    for i in (4, 5):
        if i < len(out):
            try:
                out[i] = out[i]._replace(text=str(signature_time(out[i].text)))
            except ValueError as e:
                raise RdataError(str(e), i) from e
    return out


def _old_signature(tokens: Sequence[Token]) -> Sequence[Token]:
    for i in (4, 5):
        if i < len(tokens) and len(tokens[i].text) != len("YYYYMMDDHHMMSS"):
            raise RdataError(f"{shown(tokens[i].text)} is not a time: YYYYMMDDHHMMSS is expected", i)
    return _signature(tokens)


def _recased(change: Callable[[str], str], first: int, last: int | None = None) -> _Normalise:
    """Write the mnemonics from token *first* to before *last* in the case in which dnspython knows them."""

    def normalise(tokens: Sequence[Token]) -> Sequence[Token]:
        middle = [token._replace(text=change(token.text)) for token in tokens[first:last]]
        return [*tokens[:first], *middle, *tokens[first + len(middle) :]]

    return normalise


def _location(tokens: Sequence[Token]) -> Sequence[Token]:
    """Write seconds like ``1.`` and ``.5`` as dnspython wants them; of metres it takes these."""
    out = list(tokens)
    for i, token in enumerate(tokens[2:], 2):
        if tokens[i - 2].text.isdigit() and tokens[i - 1].text.isdigit():
            whole, point, rest = token.text.partition(".")
            out[i] = token._replace(text=f"{whole or '0'}{point if rest else ''}{rest}")
    return out


def _nsap(tokens: Sequence[Token]) -> Sequence[Token]:
    if tokens[0].text.startswith("0X"):
        return [tokens[0]._replace(text=tokens[0].text.lower()), *tokens[1:]]
    return tokens


def _address(tokens: Sequence[Token]) -> Sequence[Token]:
    if "\\" in tokens[0].text:
        raise RdataError(f"{shown(tokens[0].text)} is not an address: it has an escape", 0)
    return tokens


def _digest(tokens: Sequence[Token]) -> Sequence[Token]:
    if len(tokens) < 3 or (number := _DIGEST_TYPES.get(tokens[2].text.upper())) is None:
        return tokens
    return [*tokens[:2], tokens[2]._replace(text=number), *tokens[3:]]


def _x25(tokens: Sequence[Token]) -> Sequence[Token]:
    text = tokens[0].text
    if not (text.isascii() and text.isdigit() and len(text) >= 4):
        raise RdataError(
            f"{shown(text)} is not a PSDN address: four digits or more (RFC 1183 section 3.1)", 0
        )
    return tokens


def _hip(tokens: Sequence[Token]) -> Sequence[Token]:
    if len(tokens) > 2 and not _is_base64(tokens[2].text):
        raise RdataError("the public key is not base64", 2)
    return tokens


def _caa(tokens: Sequence[Token]) -> Sequence[Token]:
    if len(tokens) > 1 and tokens[1].quoted:
        raise RdataError(f"the tag {shown(tokens[1].text)} cannot be in quotes", 1)
    return tokens


_DIGEST_TYPES = {
    "SHA-1": "1",
    "SHA1": "1",
    "SHA-256": "2",
    "SHA256": "2",
    "GOST": "3",
    "SHA-384": "4",
    "SHA384": "4",
}
_NORMALISE: dict[int, _Normalise] = {
    1: _address,
    11: _recased(str.lower, 1),
    19: _x25,
    22: _nsap,
    24: _old_signature,
    28: _address,
    29: _location,
    37: _recased(str.upper, 0, 3),
    43: _digest,
    46: _signature,
    47: _numbered_types(1),
    50: _numbered_types(5),
    55: _hip,
    59: _digest,
    62: _numbered_types(2),
    257: _caa,
    32769: _digest,
}


def _has_text_form(rtype: int, rdclass: int) -> bool:
    known = dns.rdata.get_rdata_class(dns.rdataclass.RdataClass.make(rdclass), _rdatatype(rtype))  # type: ignore[no-untyped-call]
    return known is not dns.rdata.GenericRdata


def _rdatatype(rtype: int) -> dns.rdatatype.RdataType:
    return dns.rdatatype.RdataType.make(rtype)


def _from_wire(rtype: int, wire: bytes, rdclass: int) -> dns.rdata.Rdata:
    return dns.rdata.from_wire(dns.rdataclass.RdataClass.make(rdclass), _rdatatype(rtype), wire, 0, len(wire))


_NO_REASON = str(dns.exception.SyntaxError())  # type: ignore[no-untyped-call]
"""What dnspython says when it has nothing to say."""


def _refuse(rtype: int, tokens: Sequence[Token], last: int, why: str) -> NoReturn:
    if last >= len(tokens):
        raise RdataError(
            f"{type_to_text(rtype)} RDATA ends too early: {why or 'more is needed'}", len(tokens)
        )
    if not why or why == _NO_REASON:
        if last == 0 and rtype in _EXPECTED:
            raise RdataError(f"{shown(tokens[0].text)} is not {_EXPECTED[rtype]}", 0)
        why = "bad syntax"
    raise RdataError(f"bad {type_to_text(rtype)} RDATA near {shown(tokens[last].text)}: {why}", last)
