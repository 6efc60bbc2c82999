"""Who is told of a zone's changes: its name servers as they resolve here, and ``also-notify``.

Pure: what a name's addresses are is asked of functions that are passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from bindpy.config.acl import IPAddress, LocalAddresses, parse_address
from bindpy.config.model import (
    ANY_SOURCE,
    NotifySettings,
    RemoteServer,
    SourceAddress,
    TsigKey,
    ViewConfig,
    ZoneConfig,
    ZoneType,
)
from bindpy.config.servers import server_for
from bindpy.deferred import dataclass
from bindpy.engine import Zone
from bindpy.reload.table import ZoneTable
from bindpy.server.endpoint import Endpoint
from bindpy.xfr.connect import peer_text
from bindpy.zone.names import Name, ancestors
from bindpy.zone.records import IN, RRset, RRType, name_end

Addresses: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """One server that is told. Two are the same when address, port and the list's key are.

    ``remote.key`` is the key that ``also-notify`` names, "" where it names none.
    """

    remote: RemoteServer = field(compare=False)
    text: str = field(init=False)
    """How logs and the state database name it: ``192.0.2.1#53``, and its key where it has one."""

    def __post_init__(self) -> None:
        key = f" key {self.remote.key}" if self.remote.key else ""
        object.__setattr__(self, "text", peer_text(self.remote) + key)


@dataclass(frozen=True, slots=True)
class Route:
    """How a target is told. ``missing_key`` names a key that is configured and does not exist."""

    key: TsigKey | None
    missing_key: str
    source: SourceAddress
    tcp_only: bool


@dataclass(frozen=True, slots=True)
class Targets:
    """Whom a zone's changes are told to, and the name servers that have no address as far as is known."""

    known: tuple[Target, ...]
    unresolved: tuple[Name, ...] = ()


class Ourselves:
    """The addresses and ports that we answer at; wildcard endpoints stand for all of this host's."""

    def __init__(self, endpoints: Collection[Endpoint] = (), local: LocalAddresses | None = None) -> None:
        hosts = local.localhost if local is not None else ()
        self._known: set[tuple[IPAddress, int]] = set()
        for endpoint in endpoints:
            listening = parse_address(endpoint.address)
            wanted = [host for host in hosts if host.version == listening.version]
            self._known |= {(one, endpoint.port) for one in (wanted if endpoint.is_wildcard else [listening])}

    def includes(self, address: str, port: int) -> bool:
        """Return whether a message to *address* and *port* would come to us."""
        return (parse_address(address), port) in self._known


class ServedAddresses:
    """The addresses that the zones served here give for names."""

    def __init__(self, table: ZoneTable) -> None:
        self._table = table

    def find(self, name: Name, views: Iterable[str]) -> Addresses:
        """Return the addresses of *name* in the first of *views* that has any; glue counts."""
        key = name.lower()
        for view in views:
            zone = self._zone_of(view, key)
            if zone is not None and (found := tuple(_addresses(zone, key))):
                return found
        return ()

    def _zone_of(self, view: str, key: Name) -> Zone | None:
        for origin in ancestors(key):
            entry = self._table.get((view, origin))
            if entry is not None and entry.config.rdclass == IN:
                return entry.zone
        return None


def _addresses(zone: Zone, key: Name) -> Iterator[str]:
    for rtype, kind in ((RRType.A, IPv4Address), (RRType.AAAA, IPv6Address)):
        rrset = zone.get(key, rtype)
        if rrset is not None:
            yield from (str(kind(rdata)) for rdata in rrset.rdatas)


def apex_rrset(zone: Zone, rtype: int) -> RRset | None:
    """Return the RRset of *rtype* at the zone's apex."""
    return zone.get(zone.key, rtype)


def is_notifying(config: ZoneConfig) -> bool:
    """Return whether anybody is to be told of changes of this zone."""
    if config.type is ZoneType.NATIVE or config.settings.notify == "no":
        return False
    return config.settings.notify != "primary-only" or config.type is ZoneType.PRIMARY


def find_targets(
    zone: Zone,
    config: ZoneConfig,
    *,
    port: int,
    ourselves: Ourselves,
    addresses_of: Callable[[Name], Addresses],
) -> Targets:
    """Return who is told of *zone*, each once: ``also-notify`` in its order, then the name servers.

    Name servers are told at *port*, where *addresses_of* knows any. Never ourselves, unless ``also-notify``
    has a key for it: that is how one view tells another.
    """
    if not is_notifying(config):
        return Targets(())
    found: dict[Target, None] = {}
    taken: set[tuple[IPAddress, int]] = set()
    for remote in config.settings.also_notify:
        if remote.key or not ourselves.includes(remote.address, remote.port):
            found[Target(remote)] = None
            taken.add((parse_address(remote.address), remote.port))
    unresolved = []
    names = () if config.settings.notify == "explicit" else _name_servers(zone, config.settings.notifying)
    for name in names:
        addresses = addresses_of(name)
        if not addresses:
            unresolved.append(name)
        for address in addresses:
            place = (parse_address(address), port)
            if place in taken or not _is_sendable(address) or ourselves.includes(address, port):
                continue
            taken.add(place)
            found[Target(RemoteServer(address, port))] = None
    return Targets(tuple(found), tuple(unresolved))


def _name_servers(zone: Zone, settings: NotifySettings) -> list[Name]:
    """Return the names of the zone's servers, each once, without the SOA MNAME unless it is wanted."""
    rrset = apex_rrset(zone, RRType.NS)
    soa = apex_rrset(zone, RRType.SOA)
    by_key = {name.lower(): name for name in (rrset.rdatas if rrset is not None else ())}
    if soa is not None and not settings.to_soa:
        rdata = soa.rdatas[0]
        by_key.pop(rdata[: name_end(rdata, 0)].lower(), None)  # the SOA's first field
    return list(by_key.values())


def _is_sendable(address: str) -> bool:
    """Return whether *address* is one host's; 0.0.0.0 would be us, whatever our addresses are."""
    parsed = ip_address(address)
    return not (parsed.is_unspecified or parsed.is_multicast)


def route_to(target: Target, view: ViewConfig, settings: NotifySettings) -> Route | None:
    """Return how to reach *target* from a zone of *view*; None when a server statement calls it bogus.

    The ``also-notify`` entry has the first word, then the server statement, then the zone.
    """
    remote = target.remote
    server = server_for(view.servers, remote.address)
    if server is not None and server.bogus:
        return None
    name = remote.key or (server.keys[0] if server is not None and server.keys else "")
    key = _key(view.keys, name)
    source = settings.source_v6 if ":" in remote.address else settings.source
    if server is not None:
        by_server = server.notify_source_v6 if ":" in remote.address else server.notify_source
        if by_server is not None and by_server != ANY_SOURCE:
            source = by_server
    if remote.source:
        source = SourceAddress(remote.source)
    tcp_only = bool(server is not None and server.tcp_only)
    return Route(key, name if key is None else "", source, tcp_only)


def _key(keys: Mapping[str, TsigKey], name: str) -> TsigKey | None:
    return keys.get(name) if name else None
