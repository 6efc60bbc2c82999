"""What clause values are, once read: small frozen values, before names in them are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any

import dns.exception
import dns.rdatatype


@dataclass(frozen=True, slots=True)
class Value:
    """A clause's value: what has no name in order, and what a keyword announces by that keyword.

    ``[ port <port> ] { … }`` with ``port 53 { any; }`` gives ``args == (acl,)``, ``named == {"port":
    53}``. A list in braces is a tuple; its elements are plain values where an element holds just one,
    else `Value`.
    """

    args: tuple[Any, ...]
    named: Mapping[str, Any]


_CLASSES = {"in": 1, "internet": 1, "ch": 3, "chaos": 3, "hs": 4, "hesiod": 4, "none": 254, "any": 255}


def class_number(text: str) -> int | None:
    """Return the class that *text* names: its word, or ``CLASSnnn`` (RFC 3597 section 5)."""
    lowered = text.lower()
    if lowered.startswith("class"):
        digits = lowered[5:]
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 65536
        return value if value < 65536 else None
    return _CLASSES.get(lowered)


_TYPES_OF_BIND = {"UINFO": 100, "UID": 101, "GID": 102, "KEYDATA": 65533, "SINK": 40, "ATMA": 34}
_TYPES_OF_DNSPYTHON = frozenset({"NONE", "NSAP_PTR", "NXNAME"})


def type_number(text: str) -> int | None:
    """Return the RRtype that *text* names to BIND, ``TYPEnnn`` too; dnspython knows some other names."""
    name = text.upper()
    if name in _TYPES_OF_BIND or name in _TYPES_OF_DNSPYTHON:
        return _TYPES_OF_BIND.get(name)
    try:
        return int(dns.rdatatype.from_text(name))
    except (dns.exception.DNSException, ValueError):
        return None


EMPTY = Value((), MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Named:
    """A keyword and what follows it, on the way into `Value.named`."""

    keyword: str
    value: Any


@dataclass(frozen=True, slots=True)
class AclNetwork:
    """An address or prefix in an address match list."""

    network: IPv4Network | IPv6Network
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AclKey:
    """``key NAME``, as written."""

    name: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AclName:
    """A built-in or ``acl`` name, as written."""

    name: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AclGeoip:
    """A ``geoip`` element; we have no such database, so it never matches."""

    text: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AclNested:
    """A list in braces."""

    elements: tuple[AclElement, ...]
    negated: bool = False


AclElement = AclNetwork | AclKey | AclName | AclGeoip | AclNested


@dataclass(frozen=True, slots=True)
class Remote:
    """One element of a list of servers: an address, or the name of another list (``port`` is None then)."""

    target: str
    is_list: bool
    port: int | None = None
    key: str = ""
    tls: str = ""


@dataclass(frozen=True, slots=True)
class RemoteList:
    """A list of servers, with the port and sources that hold where an element says nothing."""

    elements: tuple[Remote, ...]
    port: int | None = None
    source: str = ""
    source_v6: str = ""


@dataclass(frozen=True, slots=True)
class Percentage:
    """``80%``."""

    percent: int
