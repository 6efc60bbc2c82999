"""Addresses with ports, as the sockets and the logs write them."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple, TypeAlias

SockAddr: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""What `socket.recvfrom` gives for a peer: two members for IPv4, four for IPv6 (flow label, scope id)."""

IPV4_WILDCARD = "0.0.0.0"
IPV6_WILDCARD = "::"


class Endpoint(NamedTuple):
    """An address (presentation form, ``%scope`` where it needs one) and a port; prints as BIND logs it."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}#{self.port}"

    @property
    def family(self) -> socket.AddressFamily:
        """``AF_INET`` or ``AF_INET6``."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    @property
    def is_wildcard(self) -> bool:
        """Whether this means every address of its family."""
        return self.address in (IPV4_WILDCARD, IPV6_WILDCARD)

    def overlaps(self, other: Endpoint) -> bool:
        """Whether the kernel would let only one of the two be bound."""
        if self.port != other.port or self.family != other.family:
            return False
        return self.address == other.address or self.is_wildcard or other.is_wildcard

    def sockaddr(self) -> SockAddr:
        """Return the form that `socket.bind` takes. Raises `OSError` for an unknown scope."""
        if self.family == socket.AF_INET:
            return (self.address, self.port)
        address, _, scope = self.address.partition("%")
        if not scope:
            return (address, self.port, 0, 0)
        return (address, self.port, 0, int(scope) if scope.isdecimal() else socket.if_nametoindex(scope))


def is_link_local(address: str) -> bool:
    """Return whether *address* is an IPv6 address that means nothing without its interface."""
    parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    return isinstance(parsed, IPv6Address) and parsed.is_link_local
