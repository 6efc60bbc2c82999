"""Which ``server`` statement holds for an address."""

from __future__ import annotations

from collections.abc import Iterable

from bindpy.config.acl import IPAddress, parse_address
from bindpy.config.model import ServerStatement


def server_for(servers: Iterable[ServerStatement], address: IPAddress | str) -> ServerStatement | None:
    """Return the statement with the longest prefix that *address* is in, None where none is.

    *servers* are a view's (`ViewConfig.servers`). Text is read as `parse_address` does: scope dropped,
    IPv4-mapped addresses as IPv4. Raises ValueError where it is no address.
    """
    wanted = parse_address(address) if isinstance(address, str) else address
    holding = [one for one in servers if wanted in one.prefix]
    return max(holding, key=lambda one: one.prefix.prefixlen, default=None)
