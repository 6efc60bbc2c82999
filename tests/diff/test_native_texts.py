"""What zones of the Rust engine become, against Python's: texts, raw files, stored files and messages."""

from __future__ import annotations

import logging
import random
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.engine import PYTHON_ZONES, Zones
from bindpy.files import FileStamp
from bindpy.native.zones import RustZones
from bindpy.xfr.store import StoreError, store_zone
from bindpy.xfr.stream import Packer
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.names import from_text, to_text
from bindpy.zone.protocol import Zone
from bindpy.zone.records import IN, RRType
from tests.diff import native
from tests.diff.native import (
    DEFAULTS,
    FIRST_SEED,
    ZONES,
    by_both,
    packed_by,
    read_alike,
    received_by,
    request_for,
)
from tests.diff.test_engine_reader import _random_checks

rust, worlds = native.rust, native.worlds  # the fixtures


def test_text_raw_and_digest(rust: RustZones, worlds: list[tuple[str, str]]) -> None:
    comments = ("from a test", "with\x07 odd\noctets")
    count = 0
    for python, zone in by_both(rust, worlds):
        assert "".join(rust.text(zone, comments)) == "".join(PYTHON_ZONES.text(python, comments))
        ours, theirs = b"".join(rust.raw(zone)), b"".join(PYTHON_ZONES.raw(python))
        assert (ours[:8], ours[24:]) == (theirs[:8], theirs[24:])  # between them is the time
        assert rust.digest(zone) == PYTHON_ZONES.digest(python)
        count += 1
    assert count > len(worlds) // 2


def test_raw_files(
    rust: RustZones, worlds: list[tuple[str, str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What Rust reads is what Python reads, and most zones need no Python."""
    path = tmp_path / "zone"
    by_python = count = 0
    files = []
    checks = ZoneChecks(integrity=False, names=CheckMode.IGNORE)
    with caplog.at_level(logging.DEBUG, "bindpy.zoneload"):
        for python, zone in by_both(rust, worlds):
            octets = b"".join(PYTHON_ZONES.raw(python))
            files.append((to_text(python.origin), octets))
            path.write_bytes(octets)
            caplog.clear()
            read_alike(rust, str(path), to_text(python.origin))
            loaded = read_alike(rust, str(path), to_text(python.origin), checks)
            assert loaded.zone is None or loaded.zone.same_data(zone)
            by_python += "read by Python" in caplog.text
            count += 1
    assert by_python < count // 2
    rng = random.Random(FIRST_SEED)
    whole = 0
    for _ in range(ZONES):
        origin, octets = rng.choice(files)
        path.write_bytes(_damaged(rng, octets))
        whole += read_alike(rust, str(path), origin, checks).zone is not None
    assert ZONES // 50 < whole < ZONES


def _damaged(rng: random.Random, octets: bytes) -> bytes:
    """Return a raw file with something changed in it."""
    changed = bytearray(octets)
    match rng.randrange(5):
        case 0:
            return octets[: rng.randrange(8, len(octets))]
        case 1:
            return octets + rng.randbytes(rng.randrange(1, 40))
        case 2:
            changed[8 + rng.randrange(4)] ^= 1
        case _:
            for _ in range(rng.randrange(1, 4)):
                place = rng.randrange(7, len(octets))
                changed[place] = rng.choice((0, 1, 2, 6, 46, 0xC0, 0xFF, rng.randrange(256)))
    return bytes(changed)


@pytest.mark.parametrize("limit", [60, 300, 20480, 65535])
def test_axfr(rust: RustZones, worlds: list[tuple[str, str]], limit: int) -> None:
    """The messages hold the same records in the same order, and are taken as the zone that they are of."""
    whole = rust.zones()
    for python, zone in by_both(rust, worlds):
        for edns, upper, one_answer in ((False, False, False), (True, True, False), (True, False, True)):
            query = request_for(zone, edns=edns, upper=upper)
            packer = Packer(
                query, zone.origin, zone.rdclass, limit_octets=limit, one_answer=one_answer, edns_octets=1232
            )  # fmt: skip
            ours, theirs = packed_by(whole, zone, packer), packed_by(PYTHON_ZONES, python, packer)
            if isinstance(ours, str) or isinstance(theirs, str):
                assert ours == theirs
                continue
            assert sum(packed.records for packed in ours) == zone.rr_count + 1
            assert all(len(packed.message) <= limit or packed.records == 1 for packed in ours)
            for zones, expected in ((whole, zone), (PYTHON_ZONES, python)):
                for messages in (ours, theirs):
                    outcome = received_by(zones, zone.origin, [packed.message for packed in messages])
                    assert not isinstance(outcome, str), outcome
                    assert outcome.same_data(expected)


def test_a_stored_zone_is_what_python_stores(
    rust: RustZones, worlds: list[tuple[str, str]], tmp_path: Path
) -> None:
    """The same octets in the file, the same findings with their places, and the same refusals."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    outcomes: Counter[str] = Counter()
    for number, (python, zone) in enumerate(by_both(rust, worlds)):
        checks = _random_checks(random.Random(FIRST_SEED + number))
        checks = replace(checks, primary=False)
        one = _stored(rust.zones(), zone, ours, checks)
        two = _stored(PYTHON_ZONES, python, theirs, checks)
        if isinstance(one, str) or isinstance(two, str):
            assert one == two
            outcomes["refused"] += 1
            continue
        assert _without_time(ours) == _without_time(theirs)
        assert _at_no_file(one, ours) == _at_no_file(two, theirs)
        assert one.zone is not None
        assert one.zone.same_data(zone)
        assert one.stamps == (FileStamp.of(str(ours)),)
        outcomes["with findings" if one.diagnostics else "clean"] += 1
    assert min(outcomes["refused"], outcomes["with findings"], outcomes["clean"]) > 0, outcomes


def _stored(zones: Zones, zone: Zone, path: Path, checks: ZoneChecks) -> LoadedZone | str:
    try:
        return store_zone(zone, str(path), checks=checks, origin_of_data="a test", zones=zones)
    except StoreError as error:
        return str(error)


def _without_time(path: Path) -> list[str]:
    return [line for line in path.read_text("ascii").splitlines() if not line.startswith("; written by")]


def _at_no_file(loaded: LoadedZone, path: Path) -> list[str]:
    return [str(item).replace(str(path), "FILE") for item in loaded.diagnostics]


def test_a_large_zone_is_read_back_while_it_is_written(rust: RustZones, tmp_path: Path) -> None:
    origin = from_text("large.example.")
    builder = rust.builder(origin, IN)
    soa = origin + b"\x04host\0" + struct.pack("!5I", 1, 2, 3, 4, 5)
    builder.add(origin, RRType.SOA, 300, soa)
    builder.add(origin, RRType.NS, 300, b"\x02ns\0")
    for number in range(60_000):
        owner = b"\x08" + b"%08d" % number + origin
        builder.add(owner, RRType.A, 300 if number % 3 else 60, struct.pack("!I", number))
        builder.add(owner, 65280, 300, b"private type, whose text Python writes and reads")
    zone = builder.finish()
    for limit in (CheckMode.WARN, CheckMode.FAIL):
        checks = replace(DEFAULTS, primary=False, names=limit)
        stored = _stored(rust.zones(), zone, tmp_path / "large", checks)
        assert isinstance(stored, LoadedZone)
        assert (stored.zone, stored.diagnostics) == (zone, ())
    again = rust.read_file(str(tmp_path / "large"), origin, IN, DEFAULTS)
    assert again.zone is not None
    assert again.zone.same_data(zone)
    path = tmp_path / "full"
    path.symlink_to("/dev/full")
    with path.open("r+b") as full, pytest.raises(OSError, match=r"\[Errno 28\] No space left on device"):
        rust.write_checked(zone, full.fileno(), str(path), (), DEFAULTS)
