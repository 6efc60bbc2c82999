"""Zones that need many messages, and zones that are signed with DNSSEC, from and to every server."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import pytest

from tests.generate.names import labels
from tests.generate.signing import Denial, sign
from tests.generate.zones import ZoneMaker
from tests.interop.links import KEYS, PAIRS, SERVERS, FixedZone, linked
from tests.peers.require import require_tool

HOSTS = 1500
SERIAL = 2026112201
SOA = f"@ SOA ns1 hostmaster {SERIAL} 3600 600 86400 300\n@ NS ns1\nns1 A 127.0.0.1\n"
KEYS_OF_LARGE = {name: KEYS[name] for name in ("plain", "hmac-sha512")}


def large(origin: str, path: Path) -> FixedZone:
    """Write a zone of about 200 KiB on the wire."""
    path.write_text(_large_text())
    return FixedZone(origin, path, SERIAL)


@cache
def _large_text() -> str:
    rng = random.Random("large")
    lines = ["$TTL 300", SOA]
    for number in range(HOSTS):
        name = f"host{number}.sub{number % 50}"
        lines += [f"{name} A 10.0.{number // 256}.{number % 256}", f'{name} TXT "{"t" * rng.randrange(200)}"']
    return "\n".join(lines) + "\n"


def signed(origin: str, path: Path) -> FixedZone:
    """Write a random zone with NSEC3."""
    rng = random.Random("signed")
    maker = ZoneMaker(rng, labels(origin))
    maker.apex()
    zone = maker.fill(30)
    sign(zone, Denial.NSEC3, path.parent).rename(path)
    serial = int(zone.rrsets[(zone.origin, "SOA")].rdatas[0].split()[2])
    return FixedZone(origin, path, serial)


@pytest.mark.parametrize(("primary", "secondary"), PAIRS)
def test_zones_of_many_messages(primary: str, secondary: str, tmp_path: Path) -> None:
    with linked(primary, secondary, tmp_path, KEYS_OF_LARGE, large) as link:
        link.wait_for_serials()
        link.assert_same_zones()


@pytest.mark.parametrize("other", [name for name in SERVERS if name != "pdns"])
def test_signed_zones_from_us_and_to_us(other: str, tmp_path: Path) -> None:
    """PowerDNS has to be told with pdnsutil, zone by zone, that a zone is signed already: not here."""
    require_tool("dnssec-signzone")
    keys = {name: KEYS[name] for name in ("plain", "hmac-sha256")}
    for primary, secondary in dict.fromkeys([("bindpy", other), (other, "bindpy")]):
        folder = tmp_path / primary
        folder.mkdir()
        with linked(primary, secondary, folder, keys, signed) as link:
            link.wait_for_serials()
            link.assert_same_zones()
