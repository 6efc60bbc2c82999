"""The same zones by both engines: what tests of them need."""

from __future__ import annotations

import importlib
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bindpy.answer.query import Query, read_query
from bindpy.config.model import ZoneChecks
from bindpy.engine import PYTHON_ZONES, Packed, RecordTooLargeError, Zones
from bindpy.filter.script import LuaFilter
from bindpy.native import EngineChoice
from bindpy.native.zones import RustZone, RustZones
from bindpy.xfr.failure import XferFailure
from bindpy.xfr.incoming import Incoming, Limits
from bindpy.xfr.stream import Packer, axfr_entries
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.names import Name, from_text
from bindpy.zone.protocol import Zone
from bindpy.zone.records import IN, RR, RRType
from bindpy.zone.snapshot import ZoneSnapshot
from tests.data.zones.corpus import zone_files
from tests.generate.worlds import make_world
from tests.support.engines import usable_engines

ZONES = int(os.environ.get("BINDPY_READER_ZONES", "1500"))
FIRST_SEED = int(os.environ.get("BINDPY_READER_SEED", "0"))
SEEDS = range(FIRST_SEED, FIRST_SEED + ZONES)
DEFAULTS = ZoneChecks()


@pytest.fixture(scope="module")
def rust() -> RustZones:
    if EngineChoice.RUST not in usable_engines():
        pytest.skip("the Rust engine cannot be used here")
    return RustZones(importlib.import_module("bindpy_engine"))


def records_of(zone: Zone | None) -> list[RR] | None:
    return None if zone is None else list(zone.rrs())


def read_alike(rust: RustZones, path: str, origin: str, checks: ZoneChecks = DEFAULTS) -> LoadedZone:
    """Read a file by both, compare all that comes of it, and return what Rust made of it."""
    python = PYTHON_ZONES.read_file(path, from_text(origin), IN, checks)
    loaded = rust.read_file(path, from_text(origin), IN, checks)
    assert loaded.diagnostics == python.diagnostics
    assert (loaded.files, loaded.stamps) == (python.files, python.stamps)
    assert records_of(loaded.zone) == records_of(python.zone)
    return loaded


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("worlds")
    zones = [
        (zone.origin, str(zone.path))
        for seed in range(FIRST_SEED, FIRST_SEED + 6)
        for zone in make_world(seed).write(folder)
    ]
    return zones + [(file.origin, str(file.path)) for file in zone_files("good")]


def by_both(rust: RustZones, worlds: list[tuple[str, str]]) -> Iterator[tuple[ZoneSnapshot, RustZone]]:
    for origin, path in worlds:
        loaded = PYTHON_ZONES.read_file(path, from_text(origin), IN, DEFAULTS)
        zone = rust.read_file(path, from_text(origin), IN, DEFAULTS).zone
        assert (loaded.zone is None) == (zone is None)
        if zone is not None:
            assert isinstance(loaded.zone, ZoneSnapshot)
            assert isinstance(zone, RustZone)
            yield loaded.zone, zone


def request_for(zone: Zone, *, edns: bool, upper: bool = False) -> Query:
    name = zone.origin.upper() if upper else zone.origin
    additional = b"\0\0\x29\x10\0\0\0\0\0\0\0" if edns else b""
    head = struct.pack("!6H", 4711, 0x0100, 1, 0, 0, int(edns))
    packet = head + name + struct.pack("!HH", RRType.AXFR, zone.rdclass) + additional
    query = read_query(packet, 0x0100)
    assert isinstance(query, Query)
    return query


def packed_by(zones: Zones, zone: Zone, packer: Packer) -> list[Packed] | str:
    try:
        if zones.axfr is not None:
            return list(zones.axfr(zone, packer.form))
        return list(packer.messages(axfr_entries(zone)))
    except RecordTooLargeError as error:
        return str(error)


def received_by(
    zones: Zones,
    origin: Name,
    messages: Sequence[bytes],
    limits: Limits | None = None,
    *,
    script: Path | None = None,
    at_once: int = 7,
) -> Zone | str:
    """Return the zone that *messages* bring, so many *at_once*, or how that fails."""
    record_filter = LuaFilter(str(script), "192.0.2.1", origin) if script is not None else None
    incoming = Incoming(origin, IN, RRType.AXFR, zones=zones, limits=limits, record_filter=record_filter)
    incoming.request(4711)
    done = False
    try:
        for at in range(0, len(messages), at_once):
            done = incoming.feed_all(messages[at : at + at_once])
        outcome = incoming.result() if done else f"not complete: {incoming.progress}"
    except XferFailure as failure:
        outcome = f"{failure.stage} {failure} {incoming.progress}"
    if record_filter is not None and isinstance(outcome, str):
        outcome += f" {record_filter.log_lines()} {record_filter.ignored}"
    return outcome
