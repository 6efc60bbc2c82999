"""Keys by name, and the MACs that they make.

A truncated form is written as in BIND: ``hmac-sha256-128`` is the algorithm ``hmac-sha256`` on the wire, with
MACs of 128 bits (RFC 8945 section 5.2.2.1), and a longer MAC is taken as well.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

import dns.name
import dns.tsig

from bindpy.config.model import TsigKey
from bindpy.deferred import dataclass
from bindpy.zone import names
from bindpy.zone.names import Key, Name

MIN_MAC_OCTETS = 10
"""A MAC is never shorter than this, nor than half of the whole one (RFC 8945 section 5.2.2.1)."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One HMAC: its name on the wire, dnspython's name for it, and how long a whole MAC is."""

    wire: Name
    dnspython: dns.name.Name
    mac_octets: int

    @property
    def min_mac_octets(self) -> int:
        """The length below which a MAC is malformed, whatever the key says."""
        return max(MIN_MAC_OCTETS, (self.mac_octets + 1) // 2)


def _algorithm(dnspython: dns.name.Name) -> Algorithm:
    return Algorithm(dnspython.to_digestable(), dnspython, dns.tsig.mac_sizes[dnspython])


ALGORITHMS: dict[str, Algorithm] = {
    "hmac-md5": _algorithm(dns.tsig.HMAC_MD5),
    "hmac-sha1": _algorithm(dns.tsig.HMAC_SHA1),
    "hmac-sha224": _algorithm(dns.tsig.HMAC_SHA224),
    "hmac-sha256": _algorithm(dns.tsig.HMAC_SHA256),
    "hmac-sha384": _algorithm(dns.tsig.HMAC_SHA384),
    "hmac-sha512": _algorithm(dns.tsig.HMAC_SHA512),
}


@dataclass(frozen=True, slots=True)
class Method:
    """How one key signs: its algorithm and the length of its MACs, which is shorter for a truncated form."""

    algorithm: Algorithm
    mac_octets: int


@functools.cache
def method_of(algorithm: str) -> Method:
    """Return what a key's *algorithm*, as the configuration has it, means."""
    known = ALGORITHMS.get(algorithm)
    if known is not None:
        return Method(known, known.mac_octets)
    base, _, bits = algorithm.rpartition("-")
    return Method(ALGORITHMS[base], int(bits) // 8)


@functools.lru_cache(maxsize=1024)
def key_wire(name: str) -> Key:
    """Return the wire form, lower case, of a key's name as the configuration has it."""
    return names.from_text(name).lower()


def whole_mac(key: TsigKey, parts: Iterable[bytes]) -> bytes:
    """Return the MAC of *parts*, one after the other, not truncated."""
    context = dns.tsig.HMACTSig(  # type: ignore[no-untyped-call]
        key.secret, method_of(key.algorithm).algorithm.dnspython
    )
    for part in parts:
        context.update(part)  # type: ignore[no-untyped-call]
    mac: bytes = context.sign()  # type: ignore[no-untyped-call]
    return mac


class Keyring:
    """The keys that a server or a client has. Immutable; its repr shows no secret."""

    def __init__(self, keys: Mapping[str, TsigKey]) -> None:
        self._by_text = dict(keys)
        self._by_wire = {key_wire(key.name): key for key in keys.values()}

    def get(self, name: str) -> TsigKey | None:
        """Return the key called *name*, which is lower-cased absolute text."""
        return self._by_text.get(name)

    def find(self, name: Key) -> TsigKey | None:
        """Return the key whose name in wire form, lower case, is *name*."""
        return self._by_wire.get(name)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(sorted(self._by_text))})"
