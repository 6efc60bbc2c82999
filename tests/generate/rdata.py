"""Random RDATA in presentation form, for the types that hold no name of the zone."""

from __future__ import annotations

import random
from collections.abc import Callable


def _hex(rng: random.Random, octets: int) -> str:
    return rng.randbytes(octets).hex().upper()


def a(rng: random.Random) -> str:
    """An A record's address, from the documentation prefixes."""
    return f"{rng.choice(['192.0.2', '198.51.100', '203.0.113'])}.{rng.randrange(256)}"


def aaaa(rng: random.Random) -> str:
    """An AAAA record's address, from the documentation prefix."""
    return f"2001:db8:{rng.randrange(0x10000):x}::{rng.randrange(1, 0x10000):x}"


def txt(rng: random.Random) -> str:
    """One to three character-strings, with escapes, empty ones and long ones among them."""
    words = ["v=spf1 -all", "", 'a\\"b', "semi;colon", "\\000\\255", "  spaces  ", "x" * 200, "plain"]
    return " ".join(f'"{rng.choice(words)}{rng.randrange(1000)}"' for _ in range(rng.randrange(1, 4)))


def long_txt(rng: random.Random) -> str:
    """A TXT record of about 200 octets."""
    return f'"{rng.randrange(10**9)} {"long " * 38}"'


def ds(rng: random.Random) -> str:
    """A DS record with a digest of the right length for its digest type."""
    digest_type, octets = rng.choice([(2, 32), (4, 48)])
    return f"{rng.randrange(65536)} 13 {digest_type} {_hex(rng, octets)}"


def _caa(rng: random.Random) -> str:
    tag = rng.choice(["issue", "issuewild", "iodef"])
    return f'{rng.choice([0, 128])} {tag} "ca{rng.randrange(50)}.example"'


def _tlsa(rng: random.Random) -> str:
    return f"3 1 1 {_hex(rng, 32)}"


def _sshfp(rng: random.Random) -> str:
    return f"4 2 {_hex(rng, 32)}"


def _hinfo(rng: random.Random) -> str:
    return f'"CPU {rng.randrange(9)}" "OS"'


def _loc(rng: random.Random) -> str:
    return f"{rng.randrange(90)} 10 0.000 N 4 {rng.randrange(60)} 0.000 E 10.00m 20m 100m 10m"


def _eui48(rng: random.Random) -> str:
    return rng.randbytes(6).hex("-")


def _cert(rng: random.Random) -> str:
    return f"1 {rng.randrange(65536)} 8 aGVsbG8gd29ybGQ="


def _uri(rng: random.Random) -> str:
    return f'{rng.randrange(99)} 1 "https://example.net/{rng.randrange(999)}"'


def _unknown(rng: random.Random) -> str:
    octets = rng.randrange(12)
    return f"\\# {octets} {_hex(rng, octets)}".rstrip()


PLAIN: dict[str, Callable[[random.Random], str]] = {
    "A": a, "AAAA": aaaa, "TXT": txt, "CAA": _caa, "TLSA": _tlsa, "SSHFP": _sshfp, "HINFO": _hinfo,
    "LOC": _loc, "EUI48": _eui48, "CERT": _cert, "URI": _uri, "TYPE65280": _unknown, "TYPE731": _unknown,
}  # fmt: skip
"""RRtype → maker of one RDATA; none of them points at a name."""
