"""This host's addresses, and which of them ``listen-on`` and ``listen-on-v6`` mean."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface

import psutil

from bindpy.config.acl import AddressMatcher, IPAddress, LocalAddresses, parse_address
from bindpy.config.model import AddressMatchList, ListenOn, MatchBuiltin, MatchNested, MatchNetwork
from bindpy.deferred import dataclass
from bindpy.server.endpoint import IPV4_WILDCARD, IPV6_WILDCARD, Endpoint


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One address of one interface. ``text`` has the ``%scope`` that a link-local address needs."""

    interface: str
    text: str
    network: IPv4Network | IPv6Network

    @property
    def address(self) -> IPAddress:
        """The address, its scope dropped."""
        return parse_address(self.text)


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """What is known of this host's network at one moment."""

    addresses: tuple[InterfaceAddress, ...]
    has_ipv6: bool = True

    def local(self) -> LocalAddresses:
        """Return what ``localhost`` and ``localnets`` mean here."""
        return LocalAddresses(
            localhost=tuple(dict.fromkeys(found.address for found in self.addresses)),
            localnets=tuple(dict.fromkeys(found.network for found in self.addresses)),
        )

    def interface_names(self) -> dict[str, str]:
        """Return the name of the interface that has each address (as text)."""
        return {found.text: found.interface for found in self.addresses}


def scan_host() -> HostAddresses:
    """Ask the kernel for the interfaces' addresses, those of interfaces that are down included."""
    found = []
    for name, addresses in psutil.net_if_addrs().items():
        for address in addresses:
            if address.family in (socket.AF_INET, socket.AF_INET6):
                found.append(
                    InterfaceAddress(name, address.address, _network(address.address, address.netmask))
                )
    return HostAddresses(tuple(found), _ipv6_works())


def _network(address: str, netmask: str | None) -> IPv4Network | IPv6Network:
    """Return the network of an interface; one without a mask (point to point) is a network of one."""
    bare = parse_address(address)
    if netmask is None:
        return ip_interface(bare).network
    if bare.version == 4:
        return IPv4Interface(f"{bare}/{netmask}").network
    ones = int.from_bytes(socket.inet_pton(socket.AF_INET6, netmask)).bit_count()
    return IPv6Interface(f"{bare}/{ones}").network


def _ipv6_works() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM):
            return True
    except OSError:
        return False


def can_bind(address: IPAddress) -> bool:
    """Return whether the kernel takes *address* for one of ours.

    That is more than what interfaces list: all of 127/8, and networks that are routed to this host as local.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class ListenPlan:
    """Where to listen, and what to tell the operator about it, one sentence each."""

    endpoints: frozenset[Endpoint]
    warnings: tuple[str, ...] = ()


def listen_endpoints(
    statements: Iterable[ListenOn],
    host: HostAddresses,
    is_ours: Callable[[IPAddress], bool] = can_bind,
) -> ListenPlan:
    """Return where the ``listen-on`` statements say to listen.

    ``any`` alone is one socket for all addresses, of later ones too; ``none`` is nothing. Else each address
    of the host that the list matches, as in BIND; and addresses that are written out are taken as they are
    where *is_ours* says so (BIND wants them on an interface). An address that this host does not have,
    or IPv6 where there is none, is a warning.
    """
    endpoints: set[Endpoint] = set()
    warnings: list[str] = []
    local = host.local()
    for statement in statements:
        if statement.ipv6 and not host.has_ipv6:
            if not AddressMatcher(statement.addresses, local).matches_none:
                warnings.append(f"not listening on IPv6, port {statement.port}: this host has no IPv6")
        elif _is_any(statement.addresses):
            wildcard = IPV6_WILDCARD if statement.ipv6 else IPV4_WILDCARD
            endpoints.add(Endpoint(wildcard, statement.port))
        else:
            found, missing = _expand(statement, host, local, is_ours)
            endpoints |= found
            place = f" ({statement.span})" if statement.span else ""
            warnings += [
                f"not listening on {endpoint}: no interface of this host has that address{place}"
                for endpoint in missing
            ]
    return ListenPlan(_without_covered(endpoints), tuple(warnings))


def _is_any(elements: AddressMatchList) -> bool:
    match elements:
        case (MatchBuiltin(name="any", negated=False), *_):
            return True  # the first element that matches decides, and this one always does
        case (MatchNested(elements=nested, negated=False), *_):
            return _is_any(nested)
    return False


def _expand(
    statement: ListenOn, host: HostAddresses, local: LocalAddresses, is_ours: Callable[[IPAddress], bool]
) -> tuple[set[Endpoint], list[Endpoint]]:
    """Return the endpoints of a list that is not just ``any``, and those whose address is not ours."""
    matcher = AddressMatcher(statement.addresses, local)
    version = 6 if statement.ipv6 else 4
    found: set[Endpoint] = set()
    present: set[IPAddress] = set()
    for candidate in host.addresses:
        if candidate.address.version == version:
            present.add(candidate.address)
            if matcher.matches(candidate.address):
                found.add(Endpoint(candidate.text, statement.port))
    missing = []
    for address in _written_out(statement.addresses):
        if address.version == version and address not in present and matcher.matches(address):
            endpoint = Endpoint(str(address), statement.port)
            if is_ours(address):
                found.add(endpoint)
            else:
                missing.append(endpoint)
    return found, missing


def _written_out(elements: AddressMatchList) -> list[IPAddress]:
    """Return the single addresses that *elements* names, nested lists included."""
    out: list[IPAddress] = []
    for element in elements:
        match element:
            case MatchNetwork(network=network, negated=False) if network.num_addresses == 1:
                out.append(network.network_address)
            case MatchNested(elements=nested, negated=False):
                out += _written_out(nested)
    return out


def _without_covered(endpoints: set[Endpoint]) -> frozenset[Endpoint]:
    """Drop the addresses that a wildcard on the same port serves already: the kernel lets only one in."""
    wildcards = {(endpoint.family, endpoint.port) for endpoint in endpoints if endpoint.is_wildcard}
    return frozenset(e for e in endpoints if e.is_wildcard or (e.family, e.port) not in wildcards)
