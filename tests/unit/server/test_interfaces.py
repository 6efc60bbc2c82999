"""Which addresses `listen-on` means, as BIND reads it."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest

from bindpy.config.acl import IPAddress
from bindpy.config.model import ListenOn, MatchBuiltin, MatchElement, MatchNested, MatchNetwork
from bindpy.diagnostics import SourceSpan
from bindpy.server.endpoint import Endpoint
from bindpy.server.interfaces import (
    HostAddresses,
    InterfaceAddress,
    ListenPlan,
    can_bind,
    listen_endpoints,
    scan_host,
)

HOST = HostAddresses(
    (
        InterfaceAddress("lo", "127.0.0.1", IPv4Network("127.0.0.0/8")),
        InterfaceAddress("lo", "::1", IPv6Network("::1/128")),
        InterfaceAddress("eth0", "192.0.2.1", IPv4Network("192.0.2.0/24")),
        InterfaceAddress("eth0", "192.0.2.2", IPv4Network("192.0.2.0/24")),
        InterfaceAddress("eth0", "2001:db8::1", IPv6Network("2001:db8::/64")),
        InterfaceAddress("eth0", "fe80::1%eth0", IPv6Network("fe80::/64")),
    )
)
ANY, NONE = MatchBuiltin("any"), MatchBuiltin("any", negated=True)


def net(text: str, *, negated: bool = False) -> MatchNetwork:
    return MatchNetwork(ip_network(text), negated)


def plan(
    *elements: MatchElement, ipv6: bool = False, port: int = 53, host: HostAddresses = HOST
) -> ListenPlan:
    span = SourceSpan("named.conf", 3, 5)
    return listen_endpoints([ListenOn(port, elements, ipv6, span)], host, lambda a: a in _OURS)


_OURS: tuple[IPAddress, ...] = (ip_address("127.0.0.2"),)


def addresses(found: ListenPlan) -> list[str]:
    assert not found.warnings
    return sorted(endpoint.address for endpoint in found.endpoints)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ((ANY,), ["0.0.0.0"]),
        ((MatchNested((ANY,), name="everybody"),), ["0.0.0.0"]),
        ((NONE,), []),
        ((), []),
        ((net("127.0.0.1/32"),), ["127.0.0.1"]),
        ((net("127.0.0.2/32"),), ["127.0.0.2"]),  # no interface lists it, the kernel takes it
        ((net("192.0.2.0/24"),), ["192.0.2.1", "192.0.2.2"]),
        ((net("198.51.100.0/24"),), []),  # nobody of that net is here: nothing to say
        ((net("192.0.2.1/32", negated=True), ANY), ["127.0.0.1", "192.0.2.2"]),
        ((net("192.0.2.1/32", negated=True), net("192.0.2.1/32")), []),
        ((MatchBuiltin("localhost"),), ["127.0.0.1", "192.0.2.1", "192.0.2.2"]),
        ((MatchBuiltin("localnets"),), ["127.0.0.1", "192.0.2.1", "192.0.2.2"]),
        ((MatchNested((net("192.0.2.2/32"),), name="dns"), net("127.0.0.1/32")), ["127.0.0.1", "192.0.2.2"]),
        ((MatchNested((ANY,), negated=True), net("127.0.0.1/32")), []),
        ((net("2001:db8::1/128"), net("127.0.0.1/32")), ["127.0.0.1"]),
    ],
)
def test_listen_on(elements: tuple[MatchElement, ...], expected: list[str]) -> None:
    assert addresses(plan(*elements)) == expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ((ANY,), ["::"]),
        ((NONE,), []),
        ((net("::1/128"),), ["::1"]),
        ((net("2001:db8::/32"),), ["2001:db8::1"]),
        ((net("fe80::/10"),), ["fe80::1%eth0"]),
        ((net("::1/128", negated=True), ANY), ["2001:db8::1", "fe80::1%eth0"]),
        ((net("127.0.0.1/32"),), []),
    ],
)
def test_listen_on_v6(elements: tuple[MatchElement, ...], expected: list[str]) -> None:
    assert addresses(plan(*elements, ipv6=True)) == expected


def test_an_address_that_is_not_here_is_a_warning_with_its_place() -> None:
    found = plan(net("127.0.0.1/32"), net("198.51.100.7/32"))
    assert found.endpoints == {Endpoint("127.0.0.1", 53)}
    assert found.warnings == (
        "not listening on 198.51.100.7#53: no interface of this host has that address (named.conf:3:5)",
    )


def test_without_ipv6_there_is_a_warning_where_ipv6_was_wanted() -> None:
    host = HostAddresses(HOST.addresses[:1], has_ipv6=False)
    assert plan(ANY, ipv6=True, host=host) == ListenPlan(
        frozenset(), ("not listening on IPv6, port 53: this host has no IPv6",)
    )
    assert plan(NONE, ipv6=True, host=host) == ListenPlan(frozenset())


def test_a_wildcard_covers_the_addresses_on_its_port_only() -> None:
    statements = [
        ListenOn(53, (ANY,), False),
        ListenOn(53, (net("127.0.0.1/32"),), False),
        ListenOn(5300, (net("127.0.0.1/32"),), False),
        ListenOn(53, (net("::1/128"),), True),
    ]
    assert listen_endpoints(statements, HOST).endpoints == {
        Endpoint("0.0.0.0", 53),
        Endpoint("127.0.0.1", 5300),
        Endpoint("::1", 53),
    }


def test_localhost_and_localnets_of_the_host() -> None:
    local = HOST.local()
    assert IPv4Address("192.0.2.2") in local.localhost
    assert IPv6Address("fe80::1") in local.localhost
    assert local.localnets.count(IPv4Network("192.0.2.0/24")) == 1
    assert HOST.interface_names()["fe80::1%eth0"] == "eth0"


def test_this_host() -> None:
    host = scan_host()
    loopback = [a for a in host.addresses if a.text == "127.0.0.1"]
    assert loopback[0].network == IPv4Network("127.0.0.0/8")
    for found in host.addresses:
        assert found.address in found.network
    assert can_bind(IPv4Address("127.0.0.77"))
    assert not can_bind(IPv4Address("198.51.100.7"))
    assert not can_bind(IPv6Address("2001:db8:ffff::7"))
    assert host.interface_names()["127.0.0.1"] in dict(map(reversed, socket.if_nameindex()))  # type: ignore[arg-type]
