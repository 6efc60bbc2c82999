"""Keys by name, and the MACs that they make.

A truncated form is written as in BIND: ``hmac-sha256-128`` is the algorithm ``hmac-sha256`` on the wire, with
MACs of 128 bits (RFC 8945 section 5.2.2.1), and a longer MAC is taken as well.
"""

from __future__ import annotations

import functools
import hmac
from collections.abc import Iterable, Mapping

from bindpy.config.model import TsigKey
from bindpy.deferred import dataclass
from bindpy.zone import names
from bindpy.zone.names import Key, Name

MIN_MAC_OCTETS = 10
"""A MAC is never shorter than this, nor than half of the whole one (RFC 8945 section 5.2.2.1)."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One HMAC: its name on the wire, hashlib's name of its hash, and how long a whole MAC is."""

    wire: Name
    hash_name: str
    mac_octets: int

    @property
    def min_mac_octets(self) -> int:
        """The length below which a MAC is malformed, whatever the key says."""
        return max(MIN_MAC_OCTETS, (self.mac_octets + 1) // 2)


ALGORITHMS = {
    "hmac-md5": Algorithm(names.from_text("hmac-md5.sig-alg.reg.int"), "md5", 16),
    "hmac-sha1": Algorithm(names.from_text("hmac-sha1"), "sha1", 20),
    "hmac-sha224": Algorithm(names.from_text("hmac-sha224"), "sha224", 28),
    "hmac-sha256": Algorithm(names.from_text("hmac-sha256"), "sha256", 32),
    "hmac-sha384": Algorithm(names.from_text("hmac-sha384"), "sha384", 48),
    "hmac-sha512": Algorithm(names.from_text("hmac-sha512"), "sha512", 64),
}
"""By the name that the configuration has; of the names on the wire, see RFC 8945 section 6."""


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
    context = hmac.new(key.secret, digestmod=method_of(key.algorithm).algorithm.hash_name)
    for part in parts:
        context.update(part)
    return context.digest()


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
