"""BIND's raw zone files, against BIND's own tool."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from bindpy.config.model import ZoneChecks
from bindpy.zone import names
from bindpy.zone.load import load_zone_file
from bindpy.zone.raw import raw_octets
from bindpy.zone.snapshot import ZoneSnapshot
from tests.peers.require import require_tool

PROJECT = Path(__file__).parents[3]
ZONES = {"example.com": "example.com.db", "signed.example": "signed.example.db.signed"}


def load(path: Path, origin: str) -> ZoneSnapshot:
    loaded = load_zone_file(str(path), names.from_text(origin), 1, ZoneChecks())
    assert loaded.zone is not None, [str(item) for item in loaded.diagnostics]
    return loaded.zone


def compile_zone(origin: str, source: Path, source_format: str, target: Path, target_format: str) -> None:
    tool = require_tool("named-compilezone")
    command = [tool, "-q", "-i", "local", "-f", source_format, "-F", target_format, "-o", str(target), origin]
    subprocess.run([*command, str(source)], check=True, timeout=30)


@pytest.mark.parametrize("version", ["raw", "raw=0"])
@pytest.mark.parametrize("origin", ZONES)
def test_what_bind_writes_is_read(origin: str, version: str, tmp_path: Path) -> None:
    text = PROJECT / "zones" / ZONES[origin]
    compile_zone(origin, text, "text", tmp_path / "raw", version)
    assert load(tmp_path / "raw", origin).same_data(load(text, origin))


@pytest.mark.parametrize("origin", ZONES)
def test_what_we_write_is_read_by_bind_and_by_us(origin: str, tmp_path: Path) -> None:
    zone = load(PROJECT / "zones" / ZONES[origin], origin)
    (tmp_path / "raw").write_bytes(b"".join(raw_octets(zone)))
    compile_zone(origin, tmp_path / "raw", "raw", tmp_path / "text", "text")
    assert load(tmp_path / "text", origin).same_data(zone)
    assert load(tmp_path / "raw", origin).same_data(zone)


def test_damage_is_refused_with_its_place_and_never_raises(tmp_path: Path) -> None:
    zone = load(PROJECT / "zones/example.com.db", "example.com")
    whole = b"".join(raw_octets(zone))
    chance = random.Random(20261122)
    path = tmp_path / "raw"
    refused = 0
    for _ in range(300):
        spoilt = bytearray(whole[: chance.randrange(8, len(whole))] if chance.random() < 0.5 else whole)
        spoilt[chance.randrange(7, len(spoilt))] ^= 1 << chance.randrange(8)
        path.write_bytes(spoilt)
        loaded = load_zone_file(str(path), names.from_text("example.com"), 1, ZoneChecks())
        if loaded.zone is None:
            refused += 1
            assert str(path) in str(loaded.diagnostics[0])
    assert refused > 100


def test_another_zones_file_is_refused(tmp_path: Path) -> None:
    zone = load(PROJECT / "zones/example.com.db", "example.com")
    (tmp_path / "raw").write_bytes(b"".join(raw_octets(zone)))
    loaded = load_zone_file(str(tmp_path / "raw"), names.from_text("example.net"), 1, ZoneChecks())
    assert "damaged raw zone file" in str(loaded.diagnostics[0])
    assert "'example.com.' is not in the zone, at octet 24" in str(loaded.diagnostics[0])
