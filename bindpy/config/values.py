"""What clause values are, once read: small frozen values, before names in them are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any

from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError


class BadValueError(BindpyError):
    """A value that its clause does not take; ``offset`` is the place in the value's canonical text."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Value:
    """A clause's value: what has no name in order, and what a keyword announces by that keyword.

    ``[ port <port> ] { … }`` with ``port 53 { any; }`` gives ``args == (acl,)``, ``named == {"port":
    53}``. A list in braces is a tuple; its elements are plain values where an element holds just one,
    else `Value`.
    """

    args: tuple[Any, ...]
    named: Mapping[str, Any]


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
