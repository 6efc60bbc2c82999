"""How many TCP clients there may be, and who has to go when there are too many."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_network
from typing import Protocol

from bindpy.config.acl import parse_address
from bindpy.config.model import Options
from bindpy.deferred import dataclass

MIN_CLIENTS_PER_ADDRESS = 10
CLIENTS_PER_ADDRESS_SHARE = 4
IPV6_HOST_PREFIX = 64
"""One host can use any address of its /64, so IPv6 clients are counted by that."""


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """Limits of TCP. Times are seconds.

    *clients* is ``tcp-clients``; one address may hold a quarter of it, and 10 in any case.
    *initial_timeout_s* runs until a new client's first message is there, *idle_timeout_s* between messages,
    over the arrival of one message from its first octet, and over a stall of a client that does not read.
    """

    clients: int = 150
    initial_timeout_s: float = 30.0
    idle_timeout_s: float = 30.0
    backlog: int = 10

    @classmethod
    def from_options(cls, options: Options) -> TcpSettings:
        """Return what named.conf says."""
        return cls(
            clients=options.tcp_clients,
            initial_timeout_s=options.tcp_initial_timeout,
            idle_timeout_s=options.tcp_idle_timeout,
            backlog=options.tcp_listen_queue,
        )

    @property
    def clients_per_address(self) -> int:
        """How many connections one address (IPv6: one /64) may hold."""
        return min(self.clients, max(MIN_CLIENTS_PER_ADDRESS, self.clients // CLIENTS_PER_ADDRESS_SHARE))


def client_group(address: str) -> str:
    """Return what connections from *address* are counted by."""
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), IPV6_HOST_PREFIX), strict=False))
    return str(parsed)


class Evictable(Protocol):
    """A connection, as the quota sees it."""

    @property
    def group(self) -> str:
        """What it is counted by."""

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being worked on and no answer waits to be read."""

    def evict(self) -> None:
        """End it now; it calls `ConnectionTable.remove` before it returns."""


class ConnectionTable:
    """All TCP connections of the server, the one that was quiet for longest first."""

    def __init__(self, settings: TcpSettings) -> None:
        self.settings = settings
        self.high_water = 0  # the most that there have been
        self._by_age: OrderedDict[Evictable, None] = OrderedDict()
        self._by_group: dict[str, OrderedDict[Evictable, None]] = {}

    def __len__(self) -> int:
        return len(self._by_age)

    def connections(self) -> list[Evictable]:
        """Return all connections."""
        return list(self._by_age)

    def make_room(self, group: str) -> str | None:
        """Make room for one more connection of *group*, if need be by ending an idle one.

        Returns None when there is room, else the reason why the newcomer is to be refused.
        """
        own = self._by_group.get(group, OrderedDict())
        if len(own) >= self.settings.clients_per_address and not self._evict_from(own):
            return f"its {len(own)} TCP connections are the limit for one address, and all are busy"
        if len(self._by_age) >= self.settings.clients and not self._evict_from(self._by_age):
            return f"all {len(self._by_age)} TCP clients (tcp-clients) are busy"
        return None

    @staticmethod
    def _evict_from(connections: OrderedDict[Evictable, None]) -> bool:
        victim = next((connection for connection in connections if connection.is_idle), None)
        if victim is None:
            return False
        victim.evict()
        return True

    def add(self, connection: Evictable) -> None:
        """Count *connection*."""
        self._by_age[connection] = None
        self.high_water = max(self.high_water, len(self._by_age))
        self._by_group.setdefault(connection.group, OrderedDict())[connection] = None

    def touch(self, connection: Evictable) -> None:
        """Note that *connection* has just sent a message."""
        self._by_age.move_to_end(connection)
        self._by_group[connection.group].move_to_end(connection)

    def remove(self, connection: Evictable) -> None:
        """Forget *connection*; does nothing when it is not here."""
        if connection in self._by_age:
            del self._by_age[connection]
            own = self._by_group[connection.group]
            del own[connection]
            if not own:
                del self._by_group[connection.group]
