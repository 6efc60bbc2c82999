"""Address match lists at work: does a client match, first element that matches decides.

A list is compiled once into an `AddressMatcher`; matching costs a walk over its elements.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from bindpy.config.model import (
    MATCH_NONE,
    AddressMatchList,
    MatchBuiltin,
    MatchKey,
    MatchNested,
    MatchNetwork,
)
from bindpy.deferred import dataclass

IPAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """This host's interface addresses, for ``localhost`` and ``localnets``."""

    localhost: tuple[IPv4Address | IPv6Address, ...] = ()
    localnets: tuple[IPv4Network | IPv6Network, ...] = ()


def parse_address(text: str) -> IPAddress:
    """Return the address that *text* means, scope dropped; an IPv4-mapped IPv6 address is its IPv4 one."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class AddressMatcher:
    """A compiled address match list."""

    __slots__ = ("_elements", "_local", "matches_all", "matches_none")

    def __init__(self, elements: AddressMatchList, local: LocalAddresses) -> None:
        self._elements = elements
        self._local = local
        first = elements[0] if elements else MATCH_NONE[0]
        decides = isinstance(first, MatchBuiltin) and first.name == "any"
        self.matches_all = decides and not first.negated
        self.matches_none = decides and first.negated

    def matches(self, address: IPAddress, keys: Collection[str] = ()) -> bool:
        """Return whether the list lets *address* pass, for a request signed with the key names *keys*."""
        if self.matches_all:
            return True
        return not self.matches_none and _decide(self._elements, address, keys, self._local) is True


def _decide(
    elements: AddressMatchList, address: IPAddress, keys: Collection[str], local: LocalAddresses
) -> bool | None:
    """Return True or False as the first matching element says, None when none matches.

    As in BIND, a nested list that says "no" is no match, whatever the sign before it: ``!{ !10/8; any; }``
    does not let 10/8 pass.
    """
    for element in elements:
        match element:
            case MatchNetwork(network=network):
                hit = address.version == network.version and address in network
            case MatchKey(name=name):
                hit = name in keys
            case MatchNested(elements=nested):
                hit = _decide(nested, address, keys, local) is True
            case MatchBuiltin(name="any"):
                hit = True
            case MatchBuiltin(name="localhost"):
                hit = address in local.localhost
            case MatchBuiltin():
                hit = any(address.version == net.version and address in net for net in local.localnets)
        if hit:
            return not element.negated
    return None
