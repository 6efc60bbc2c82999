"""RDATA that dnspython takes and BIND refuses: faults to be seen in the text, or in the wire form."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bindpy.zone.lexer import Token
from bindpy.zone.names import label_count
from bindpy.zone.records import RRType, name_end


class Fault(NamedTuple):
    """Why RDATA is refused, and which of the tokens of its text is to blame."""

    why: str
    token: int


def fault(rtype: int, rdata: bytes) -> Fault | None:
    """Return why *rdata*, well-formed for *rtype*, is refused all the same, or None."""
    check = _CHECKS.get(rtype)
    return check(rdata) if check is not None else None


def text_fault(rtype: int, tokens: Sequence[Token]) -> Fault | None:
    """Return why *tokens*, which dnspython may take for *rtype*, are refused all the same, or None."""
    return _location(tokens) if rtype == RRType.LOC else None


def _location(tokens: Sequence[Token]) -> Fault | None:
    """RFC 1876 section 3: metres have two decimals, a latitude is at most 90 degrees and a longitude 180.

    What dnspython finds by itself is left to it.
    """
    at = 0
    for most, directions in ((90, ("N", "S")), (180, ("E", "W"))):
        end = next((i for i in range(at, len(tokens)) if tokens[i].text.upper() in directions), at)
        degrees = tokens[at].text if end > at else ""
        if degrees.lstrip("0") == str(most) and any(token.text.strip("0.") for token in tokens[at + 1 : end]):
            return Fault(f"this is more than {most} degrees", at + 1)
        at = end + 1
    for i, token in enumerate(tokens[at:], at):
        if token.quoted or _METRES.fullmatch(token.text) is None:
            return Fault("a number of metres with at most two decimals is expected", i)
        if i > at and int(token.text.rstrip("m").partition(".")[0] or 0) > _MOST_METRES:
            return Fault(f"this is more than {_MOST_METRES} metres", i)
    return None


_METRES = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]{0,2})?|\.[0-9]{1,2})m?")
_MOST_METRES = 90_000_000


def _rrsig(rdata: bytes) -> Fault | None:
    """The signer is at or above the owner, so it cannot have more labels (RFC 4034 section 3.1.7)."""
    signer = rdata[18 : name_end(rdata, 18)]
    if label_count(signer) > rdata[3]:
        return Fault(f"the signer's name has more than {rdata[3]} labels, as many as were signed", 7)
    return None


def _nsec(rdata: bytes) -> Fault | None:
    """An owner of NSEC has at least that type (RFC 4034 section 4.1.2)."""
    return Fault("no types are listed", 1) if name_end(rdata, 0) == len(rdata) else None


def _nsec3(rdata: bytes) -> Fault | None:
    """A SHA-1 hash, the only algorithm there is, has 20 octets (RFC 5155 section 11)."""
    hash_at = 5 + rdata[4]
    if rdata[0] == 1 and rdata[hash_at] != 20:
        return Fault(f"the next hashed owner name has {rdata[hash_at]} octets, a SHA-1 hash has 20", 4)
    return None


def _naptr(rdata: bytes) -> Fault | None:
    """RFC 3402 section 3.2: ``!ere!replacement!flags`` with any delimiter, or nothing."""
    at = 4
    for _ in range(2):  # flags and services
        at += 1 + rdata[at]
    regexp = rdata[at + 1 : at + 1 + rdata[at]]
    if not regexp:
        return None
    delimiter = regexp[:1]
    if delimiter in b"i\\\0" or delimiter.isdigit():
        return Fault("the expression's delimiter cannot be a digit, 'i', a backslash or NUL", 4)
    escaped = re.escape(delimiter)
    octet = rb"(?:[^\\" + escaped + rb"]|\\.)"
    form = escaped + b"(" + octet + b"+)" + escaped + b"(" + octet + b"*)" + escaped + b"i*"
    m = re.fullmatch(form, regexp, re.DOTALL)
    if m is None:
        return Fault("the expression is not of the form !ERE!REPLACEMENT! or !ERE!REPLACEMENT!i", 4)
    groups = len(re.findall(rb"\(", re.sub(rb"\\.|\[\]?[^]]*\]", b"", m[1])))
    used = [int(digit) for digit in re.findall(rb"\\([0-9])", m[2])]
    if any(not 1 <= digit <= groups for digit in used):
        return Fault(f"the replacement refers to a group that is not there: the expression has {groups}", 4)
    return None


def _service_binding(rdata: bytes) -> Fault | None:
    """The ``dohpath`` is a path with a variable ``dns`` in it (RFC 9461 section 5)."""
    at = name_end(rdata, 2)
    while at < len(rdata):
        key, size = int.from_bytes(rdata[at : at + 2], "big"), int.from_bytes(rdata[at + 2 : at + 4], "big")
        value = rdata[at + 4 : at + 4 + size]
        if key == _DOHPATH and not _is_template(value):
            return Fault("the dohpath is not a URI template for a path with the variable 'dns'", 0)
        at += 4 + size
    return None


_DOHPATH = 7
_EXPRESSION = re.compile(r"\{[+#./;?&]?([^{}]*)\}")
_VARIABLE = re.compile(r"((?:[A-Za-z0-9_.]|%[0-9A-Fa-f]{2})+)(?::[1-9][0-9]{0,3}|\*)?")


def _is_template(value: bytes) -> bool:
    """RFC 6570 section 2: literal text, and variables in braces."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    literal = _EXPRESSION.sub("", text)
    if not text.startswith("/") or "{" in literal or re.search(r"%(?![0-9A-Fa-f]{2})", literal):
        return False
    variables = [_VARIABLE.fullmatch(one) for found in _EXPRESSION.findall(text) for one in found.split(",")]
    names_of = [variable[1] for variable in variables if variable is not None]
    return len(names_of) == len(variables) and "dns" in names_of


def _trust_anchor(rdata: bytes) -> Fault | None:
    """The digest is as long as its type says (RFC 4034 section 5.1.4)."""
    size = _DIGEST_OCTETS.get(rdata[3], len(rdata) - 4)
    return Fault(f"a digest of type {rdata[3]} has {size} octets", 3) if len(rdata) != 4 + size else None


_DIGEST_OCTETS = {1: 20, 2: 32, 4: 48}

_CHECKS: dict[int, Callable[[bytes], Fault | None]] = {
    RRType.RRSIG: _rrsig,
    RRType.NSEC: _nsec,
    RRType.NSEC3: _nsec3,
    RRType.NAPTR: _naptr,
    RRType.SVCB: _service_binding,
    RRType.HTTPS: _service_binding,
    RRType.TA: _trust_anchor,
}
