"""RDATA that dnspython takes and BIND refuses: faults to be seen in the wire form."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

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


_CHECKS: dict[int, Callable[[bytes], Fault | None]] = {
    RRType.RRSIG: _rrsig,
    RRType.NSEC: _nsec,
    RRType.NSEC3: _nsec3,
    RRType.NAPTR: _naptr,
}
