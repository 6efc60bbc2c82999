"""What ``check-names`` asks of names: host names and mail addresses (RFC 952, RFC 1123 section 2.1).

The lists of RRtypes are those of BIND: which owners and which names in RDATA must be host names.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bindpy.zone.names import MAX_NAME_OCTETS, ROOT, Key, Name, is_subdomain, is_wildcard, labels
from bindpy.zone.records import RRType, name_end

_HOST_LABEL = re.compile(rb"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?").fullmatch
_MAIL_LABEL = re.compile(rb"[\x21-\x7e]+").fullmatch
_BASE32HEX = re.compile(rb"[0-9A-Va-v]*").fullmatch

A6 = 38
WKS = 11
HOST_OWNER_TYPES = frozenset({RRType.A, RRType.AAAA, RRType.MX, WKS, A6})
"""RRtypes whose owner must be a host name; a wildcard is one."""

_SPF_LABELS = frozenset({b"_spf", b"_spf_rate", b"_spf_verify"})
_REVERSE_TREES = (b"\x07in-addr\x04arpa\0", b"\x03ip6\x04arpa\0", b"\x03ip6\x03int\0")

HOST_AT: dict[int, int] = {
    RRType.NS: 0, RRType.MX: 2, RRType.RT: 2, RRType.AFSDB: 2, RRType.SRV: 6, RRType.SVCB: 2, RRType.HTTPS: 2,
}  # fmt: skip
"""Where the RDATA of these RRtypes holds a host name."""
CHECKED_RDATA_TYPES = frozenset({*HOST_AT, RRType.SOA, RRType.PTR, RRType.RP, RRType.MINFO, A6})
"""RRtypes with names in RDATA that `bad_name_in` looks at."""


def is_host_name(name: Name, end: int = MAX_NAME_OCTETS) -> bool:
    """Return whether all labels before *end* are letters, digits and inner hyphens, or there are none."""
    at = 0
    while at < end and (size := name[at]):
        if _HOST_LABEL(name, at + 1, at + 1 + size) is None:
            return False
        at += 1 + size
    return True


def is_mailbox(name: Name) -> bool:
    """Return whether *name* is a mail address: a printable local part before a host name, or the root."""
    if name == ROOT:
        return True
    end = 1 + name[0]
    return _MAIL_LABEL(name, 1, end) is not None and is_host_name(name[end:])


def is_good_owner(key: Key, rtype: int) -> bool:
    """Return whether *key* may own an RRset of *rtype*, one of `HOST_OWNER_TYPES`.

    Addresses may also stand at ``gc._msdcs`` (Active Directory), and A records at and below ``_spf``,
    ``_spf_rate`` and ``_spf_verify`` (the targets of SPF's macros).
    """
    if is_host_name(key[2:] if is_wildcard(key) else key):
        return True
    if rtype not in (RRType.A, RRType.AAAA):
        return False
    parts = labels(key)
    return parts[:2] == [b"gc", b"_msdcs"] or (rtype == RRType.A and not _SPF_LABELS.isdisjoint(parts))


def is_nsec3_owner(key: Key) -> bool:
    """Return whether the leftmost label is unpadded base32hex of whole octets (RFC 5155 section 3)."""
    size = key[0]
    if not size or _BASE32HEX(key, 1, 1 + size) is None:
        return False
    unused_bits = 5 * size % 8
    return unused_bits < 5 and not int(key[size : size + 1], 32) & ((1 << unused_bits) - 1)


def is_reverse(key: Key) -> bool:
    """Return whether *key* lies in a tree where PTR names hosts."""
    return any(is_subdomain(key, tree) for tree in _REVERSE_TREES)


def bad_name_in(rtype: int, rdata: bytes, owner: Key) -> Name | None:
    """Return the first name in *rdata* that is not the host name or mail address that it should be."""
    at = HOST_AT.get(rtype)
    if at is not None:
        if rtype in (RRType.SVCB, RRType.HTTPS) and rdata[:2] == b"\0\0":
            return None  # an alias may point at any name
        return _unless(is_host_name, rdata[at : name_end(rdata, at)])
    if rtype == RRType.PTR:
        return _unless(is_host_name, rdata) if is_reverse(owner) else None
    if rtype == A6:
        at = 1 + (128 - min(rdata[0], 128) + 7) // 8
        return _unless(is_host_name, rdata[at:]) if at < len(rdata) else None
    first, second = rdata[: name_end(rdata, 0)], rdata[name_end(rdata, 0) :]
    if rtype == RRType.SOA:
        second = second[: name_end(second, 0)]
        return _unless(is_host_name, first) or _unless(is_mailbox, second)
    bad = _unless(is_mailbox, first)
    return bad or _unless(is_mailbox, second) if rtype == RRType.MINFO else bad


def _unless(good: Callable[[Name], bool], name: Name) -> Name | None:
    return None if good(name) else name
