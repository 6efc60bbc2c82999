"""RDATA, types and classes between presentation form and wire form.

With `bindpy.zone.by_dnspython`, the one place where record text meets dnspython. RDATA on our side is
uncompressed wire form, names in it absolute and with their case kept. Octets that are not ASCII pass through
as octets.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from socket import AF_INET, AF_INET6, inet_pton

import dns.rdatatype

from bindpy.diagnostics import BindpyError
from bindpy.zone import moretypes, names, strict
from bindpy.zone.lexer import LexError, Token, next_entry, shown, to_octets
from bindpy.zone.names import BadNameError, Name
from bindpy.zone.records import IN

MAX_RDATA_OCTETS = 65535


class RdataError(BindpyError):
    """Text that is not RDATA of its type.

    ``token`` is the index of the offending token; the number of tokens means "what should follow is missing".
    """

    def __init__(self, message: str, token: int = 0) -> None:
        super().__init__(message)
        self.token = token


# Types and classes -----------------------------------------------------------------------------------------

_CLASSES = {"IN": 1, "CH": 3, "CHAOS": 3, "HS": 4, "HESIOD": 4, "NONE": 254, "ANY": 255, "RESERVED0": 0}
_CLASS_TEXTS = {1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}
_TYPES: dict[str, int] = {
    **{t.name.replace("_", "-"): int(t) for t in dns.rdatatype.RdataType if t.name != "TYPE0"},
    **moretypes.TYPES,
}
_TYPE_TEXTS = {number: text for text, number in _TYPES.items()}


def _numbered(text: str, prefix: str) -> int | None:
    digits = text[len(prefix) :]
    if not (text.startswith(prefix) and digits.isascii() and digits.isdigit() and len(digits) <= 16):
        return None
    number = int(digits)
    return number if number <= 0xFFFF else None


def load_all_types() -> None:
    """Import every type's module now: after a change of user they may not be readable any more."""
    from bindpy.zone import by_dnspython  # noqa: PLC0415 - most starts do without

    by_dnspython.load_all_types()


def type_from_text(text: str) -> int | None:
    """Return the RRtype that *text* names, in any case, ``TYPEnnn`` too (RFC 3597 section 5), or None."""
    upper = text.upper()
    found = _TYPES.get(upper)
    return found if found is not None else _numbered(upper, "TYPE")


def type_to_text(rtype: int) -> str:
    """Return the mnemonic of *rtype*, or ``TYPEnnn``."""
    return _TYPE_TEXTS.get(rtype) or f"TYPE{rtype}"


def class_from_text(text: str) -> int | None:
    """Return the class that *text* names, in any case, ``CLASSnnn`` too, or None."""
    upper = text.upper()
    found = _CLASSES.get(upper)
    return found if found is not None else _numbered(upper, "CLASS")


def class_to_text(rdclass: int) -> str:
    """Return the mnemonic of *rdclass*, or ``CLASSnnn``."""
    return _CLASS_TEXTS.get(rdclass) or f"CLASS{rdclass}"


def is_meta_type(rtype: int) -> bool:
    """Return whether *rtype* cannot be data (RFC 6895 section 3.1): 0, OPT, and 128 to 255."""
    return rtype in (0, 41) or 128 <= rtype <= 255


# Text to wire ----------------------------------------------------------------------------------------------


def rdata_from_tokens(rtype: int, tokens: Sequence[Token], origin: Name, rdclass: int = IN) -> bytes:
    """Return the RDATA that *tokens* mean for *rtype*, names relative to *origin*.

    ``\\# LENGTH HEX`` is understood for every type (RFC 3597 section 5) and must be valid for a known one.
    Raises `RdataError`.
    """
    if not tokens:
        if rtype == _APL:
            return b""
        raise RdataError(f"{type_to_text(rtype)} has no RDATA", 0)
    if _is_generic(rtype, tokens):
        return _generic(rtype, tokens, rdclass)
    short = _short_way(rtype, tokens, origin, rdclass)
    if short is not None:
        return short
    if rtype in moretypes.GRAMMARS:
        try:
            wire = moretypes.from_tokens(rtype, tokens, origin)
        except moretypes.MoreTypesError as e:
            raise RdataError(f"bad {type_to_text(rtype)} RDATA: {e}", e.token) from e
    else:
        from bindpy.zone import by_dnspython  # noqa: PLC0415 - most starts do without

        wire = by_dnspython.from_tokens(rtype, tokens, origin, rdclass)
    refuse_fault(rtype, tokens, strict.fault(rtype, wire))
    return wire


def refuse_fault(rtype: int, tokens: Sequence[Token], fault: strict.Fault | None) -> None:
    """Raise `RdataError` if there is a *fault* in what *tokens* mean for *rtype*."""
    if fault is not None:
        raise RdataError(f"bad {type_to_text(rtype)} RDATA: {fault.why}", min(fault.token, len(tokens)))


def _is_generic(rtype: int, tokens: Sequence[Token]) -> bool:
    """Return whether RFC 3597's form begins here. In TXT, ``\\#`` without a number is text, as in BIND."""
    if tokens[0].text != r"\#" or tokens[0].quoted:
        return False
    return rtype not in _TEXT_TYPES or (len(tokens) > 1 and tokens[1].text.isdigit())


def _short_way(rtype: int, tokens: Sequence[Token], origin: Name, rdclass: int) -> bytes | None:
    """Return RDATA of the commonest types, if it is right; dnspython would take five times as long."""
    if rtype in _TEXT_TYPES:
        strings = [to_octets(token.text) for token in tokens]
        right = [b"%c%s" % (len(s), s) for s in strings if s is not None and len(s) <= 255]
        wire = b"".join(right)
        return wire if len(right) == len(strings) and len(wire) <= MAX_RDATA_OCTETS else None
    if len(tokens) != 1 or tokens[0].quoted:
        return None
    try:
        if rtype in _NAME_TYPES:
            return names.from_text(tokens[0].text, origin)
        if rtype in _ADDRESS_FAMILIES and rdclass == IN:
            return inet_pton(_ADDRESS_FAMILIES[rtype], tokens[0].text)
    except (BadNameError, OSError, ValueError):
        pass
    return None


_TEXT_TYPES = frozenset({16, 56, 99, 258, 261, 262})
"""TXT and the types of the same form: NINFO, SPF, AVC, RESINFO, WALLET."""
_NAME_TYPES = frozenset({2, 5, 12, 39})
"""NS, CNAME, PTR, DNAME."""
_ADDRESS_FAMILIES = {1: AF_INET, 28: AF_INET6}
_APL = 42


def signature_time(text: str) -> int:
    """Return the time that *text* means in a signature: ``YYYYMMDDHHMMSS`` or seconds (RFC 4034 section 3.2).

    Modulo 2^32, as the serial numbers that they are. Raises `ValueError`.
    """
    if text.isascii() and text.isdigit():
        if len(text) <= 10 and int(text) <= 0xFFFFFFFF:
            return int(text)
        if len(text) == 14:
            year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
            hour, minute, second = int(text[8:10]), int(text[10:12]), int(text[12:])
            try:
                when = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
            except ValueError:
                when = None
            if when is not None and when >= _EPOCH:
                return int(when.timestamp()) & 0xFFFFFFFF
    raise ValueError(f"{shown(text)} is not a time: YYYYMMDDHHMMSS or seconds since 1970 are expected")


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def _generic(rtype: int, tokens: Sequence[Token], rdclass: int) -> bytes:
    if len(tokens) < 2:
        raise RdataError("'\\#' needs a length", 1)
    length = tokens[1].text
    if not (length.isascii() and length.isdigit() and len(length) <= 5):
        raise RdataError(f"{shown(length)} is not a length in octets", 1)
    digits = "".join([token.text for token in tokens[2:]])
    try:
        wire = bytes.fromhex(digits)
    except ValueError:
        raise RdataError("what follows '\\# LENGTH' is not an even number of hexadecimal digits", 2) from None
    if len(wire) != int(length):
        raise RdataError(f"'\\#' announces {int(length)} octets, but {len(wire)} follow", 1)
    why = check_rdata(rtype, wire, rdclass)
    if why is not None:
        raise RdataError(f"these octets are no {type_to_text(rtype)} RDATA: {why}", 2)
    return wire


def check_rdata(rtype: int, wire: bytes, rdclass: int = IN) -> str | None:
    """Return why *wire* is not valid uncompressed RDATA of *rtype*, or None (always for unknown types)."""
    if len(wire) > MAX_RDATA_OCTETS:
        return f"RDATA is {len(wire)} octets long, the limit is {MAX_RDATA_OCTETS}"
    if rtype in moretypes.GRAMMARS:
        if moretypes.to_text(rtype, wire) is None:
            return "malformed"
        fault = strict.fault(rtype, wire)
        return fault.why if fault is not None else None
    from bindpy.zone import by_dnspython  # noqa: PLC0415 - most starts do without

    why = by_dnspython.check(rtype, wire, rdclass)
    if why is not None:
        return why
    fault = strict.fault(rtype, wire)
    return fault.why if fault is not None else None


def rdata_from_text(rtype: int, text: str, origin: Name, rdclass: int = IN) -> bytes:
    """Return the RDATA that *text*, the rest of one entry, means for *rtype*. Raises `RdataError`."""
    try:
        tokens = next_entry(text, 0, at_end=True).tokens
    except LexError as e:
        raise RdataError(str(e), 0) from e
    return rdata_from_tokens(rtype, tokens, origin, rdclass)


# Wire to text ----------------------------------------------------------------------------------------------


def rdata_to_text(rtype: int, rdata: bytes, rdclass: int = IN) -> str:
    """Return *rdata* in presentation form, names absolute.

    A type without a text form here, and RDATA that is malformed, comes as ``\\# LENGTH HEX``.
    """
    if rtype in moretypes.GRAMMARS:
        text = moretypes.to_text(rtype, rdata)
    else:
        from bindpy.zone import by_dnspython  # noqa: PLC0415 - most starts do without

        text = by_dnspython.to_text(rtype, rdata, rdclass)
    return text if text is not None else generic_text(rdata)


def generic_text(rdata: bytes) -> str:
    """Return *rdata* as RFC 3597 section 5 writes unknown types."""
    return f"\\# {len(rdata)} {rdata.hex()}" if rdata else "\\# 0"
