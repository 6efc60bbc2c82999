"""Which EDNS options of a query are well-formed, by their codes; what BIND refuses is refused."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

_CLIENT_SUBNET: Final = 8

_OCTETS: Final[dict[int, Container[int]]] = {
    1: (18,),  # LLQ: RFC 8764 section 3.2
    9: (0, 4),  # EXPIRE: RFC 7314 section 2
    10: (8, *range(16, 41)),  # a cookie: RFC 7873 section 4
    14: range(2, 65536, 2),  # key tags: RFC 8145 section 4.1
    15: range(2, 65536),  # an Extended DNS Error: RFC 8914 section 2
    16: (2,),  # a client's tag
    17: (2,),  # a server's
}
"""How long options can be; those of other codes have any length."""

_FAMILY_BITS: Final = {0: 0, 1: 32, 2: 128}
"""The longest prefixes by address family; that of none has no octets (RFC 7871 section 7.1.2)."""


def is_well_formed(code: int, option: bytes) -> bool:
    """Return whether *option*, the octets of an option of that *code*, can be one in a query."""
    if code == _CLIENT_SUBNET:
        return _is_client_subnet(option)
    octets = _OCTETS.get(code)
    return octets is None or len(option) in octets


def _is_client_subnet(option: bytes) -> bool:
    """RFC 7871 section 6: as many octets as the prefix needs, no bits behind it, and no scope in queries."""
    if len(option) < 4:
        return False
    family, source, scope, address = option[0] << 8 | option[1], option[2], option[3], option[4:]
    if source > _FAMILY_BITS.get(family, -1) or scope or len(address) != (source + 7) // 8:
        return False
    return not source % 8 or not address[-1] & 0xFF >> source % 8
