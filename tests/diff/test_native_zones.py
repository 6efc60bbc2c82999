"""Zones of the Rust engine behind the seam against Python's: the same data, texts, messages and findings.

More random zones with BINDPY_READER_ZONES=N, others with BINDPY_READER_SEED=N.
"""

from __future__ import annotations

import importlib
import os
import random
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bindpy.answer.query import Query, read_query
from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.engine import PYTHON_ZONES, MessageTaker, Packed, RecordTooLargeError, Zones
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
from tests.diff.test_checkzone import ORIGIN, _lines, _mutated_zone, _tangled_zone
from tests.diff.test_engine_reader import _random_checks
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


def _records(zone: Zone | None) -> list[RR] | None:
    return None if zone is None else list(zone.rrs())


def _alike(rust: RustZones, path: str, origin: str, checks: ZoneChecks = DEFAULTS) -> LoadedZone:
    """Read a file by both, compare all that comes of it, and return what Rust made of it."""
    python = PYTHON_ZONES.read_file(path, from_text(origin), IN, checks)
    loaded = rust.read_file(path, from_text(origin), IN, checks)
    assert loaded.diagnostics == python.diagnostics
    assert (loaded.files, loaded.stamps) == (python.files, python.stamps)
    assert _records(loaded.zone) == _records(python.zone)
    return loaded


def test_the_corpus(rust: RustZones, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in zone_files():
        monkeypatch.chdir(file.path.parent)
        for path in (file.path.name, str(file.path)):
            _alike(rust, path, file.origin)


def test_mutated_zones(rust: RustZones, tmp_path: Path) -> None:
    fine, wrong = _lines("good", "warn"), _lines("bad")
    path = tmp_path / "zone"
    for seed in SEEDS:
        path.write_bytes(_mutated_zone(random.Random(seed), fine, wrong))
        _alike(rust, str(path), ORIGIN)


def test_tangled_zones(rust: RustZones, tmp_path: Path) -> None:
    """Well-formed records in each other's way: Rust reads them, and Python's checks see suspects only."""
    path = tmp_path / "zone"
    found = 0
    for seed in SEEDS:
        rng = random.Random(seed)
        path.write_bytes(_tangled_zone(rng))
        found += bool(_alike(rust, str(path), ORIGIN, _random_checks(rng)).diagnostics)
    assert found > ZONES // 4


def test_many_findings_of_one_kind_come_in_the_order_of_python(rust: RustZones, tmp_path: Path) -> None:
    """Of which only the first hundred are told: those whose names are in the zone first, as Python has it."""
    path = tmp_path / "zone"
    numbers = list(range(300))
    for seed in range(FIRST_SEED, FIRST_SEED + 20):
        rng = random.Random(seed)
        rng.shuffle(numbers)
        owners = [
            rng.choice(("h_{0}", "x.h_{0}", "h_{0}.x", "h_{0}.y.z", "H_{0}")).format(n) for n in numbers
        ]
        lines = "".join(f"{owner} A 192.0.2.1\n" for owner in owners)
        path.write_text(
            "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n" + lines
            + "$GENERATE 1-40 a_$ A 192.0.2.2\n$GENERATE 1-150 $._b MX 1 ns\n"
        )  # fmt: skip
        loaded = _alike(rust, str(path), ORIGIN, ZoneChecks(names=CheckMode.WARN))
        assert len(loaded.diagnostics) > 100


@pytest.mark.parametrize("count", [1, 100, 101, 250])
def test_records_with_another_ttl_than_their_rrset(rust: RustZones, tmp_path: Path, count: int) -> None:
    """Rust reads on where the first TTL counts, and finds the places; where a later one does, Python."""
    path = tmp_path / "zone"
    head = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
    lines = "".join(f"a{n} A 192.0.2.1\n  70 A 192.0.2.2\n" for n in range(count))
    path.write_text(f"{head}{lines}b_b A 192.0.2.3\nc 5 MX 1 ns\nc (\n 6 MX 2\n ns )\n")
    checks = ZoneChecks(names=CheckMode.WARN)
    loaded = _alike(rust, str(path), ORIGIN, checks)
    assert len(loaded.diagnostics) == min(count + 1, 100) + (count + 1 > 100) + 1
    for more in ("$GENERATE 1-2 d$ A 192.0.2.1\n", "a0 71 A 192.0.2.7\n", "A0 71 TXT x\n 72 TXT y\n"):
        path.write_text(f"{head}{lines}{more}x 1 A 192.0.2.1\n 2 A 192.0.2.2\n")
        _alike(rust, str(path), ORIGIN, checks)


def test_a_zone_in_several_files(rust: RustZones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    head = "$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS ns.test.\n"
    (tmp_path / "zone").write_text(f"{head}$INCLUDE one\nx_y A 192.0.2.1\n$INCLUDE sub/two sub\n")
    (tmp_path / "one").write_text("a_b A 192.0.2.1\n")
    (tmp_path / "sub" / "two").write_text("c_d A 192.0.2.1\nmail MX 1 a_b\n")
    monkeypatch.chdir(tmp_path)
    checks = ZoneChecks(names=CheckMode.WARN)
    loaded = _alike(rust, "zone", ORIGIN, checks)
    places = [(item.span.file, item.span.line) for item in loaded.diagnostics if item.span is not None]
    assert {("one", 1), ("zone", 5), ("sub/two", 1)} <= set(places)
    (tmp_path / "one").unlink()
    assert _alike(rust, "zone", ORIGIN).zone is None
    assert _alike(rust, "sub", ORIGIN).zone is None
    assert _alike(rust, "missing", ORIGIN).is_missing
    monkeypatch.chdir("/")
    (tmp_path / "one").write_text("")
    loaded = rust.read_file("zone", from_text(ORIGIN), IN, checks, directory=str(tmp_path))
    assert loaded.zone is not None
    assert loaded.files == tuple(str(tmp_path / name) for name in ("zone", "one", "sub/two"))


def test_another_class_and_raw_files(rust: RustZones, tmp_path: Path) -> None:
    path = str(tmp_path / "zone")
    Path(path).write_text("$TTL 1\n@ CH SOA a b 1 2 3 4 5\n@ CH NS ns.test.\n@ CH TXT hello\n")
    loaded = rust.read_file(path, from_text(ORIGIN), 3, DEFAULTS)
    assert loaded.zone is not None
    assert loaded.zone.rdclass == 3
    Path(path).write_bytes(b"".join(rust.raw(loaded.zone)))
    again = rust.read_file(path, from_text(ORIGIN), 3, DEFAULTS)
    assert again.zone is not None
    assert again.zone.same_data(loaded.zone)


# --- what zones become ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("worlds")
    zones = [
        (zone.origin, str(zone.path))
        for seed in range(FIRST_SEED, FIRST_SEED + 6)
        for zone in make_world(seed).write(folder)
    ]
    return zones + [(file.origin, str(file.path)) for file in zone_files("good")]


def _pairs(rust: RustZones, worlds: list[tuple[str, str]]) -> Iterator[tuple[ZoneSnapshot, RustZone]]:
    for origin, path in worlds:
        loaded = PYTHON_ZONES.read_file(path, from_text(origin), IN, DEFAULTS)
        zone = rust.read_file(path, from_text(origin), IN, DEFAULTS).zone
        assert (loaded.zone is None) == (zone is None)
        if zone is not None:
            assert isinstance(loaded.zone, ZoneSnapshot)
            assert isinstance(zone, RustZone)
            yield loaded.zone, zone


def test_text_raw_and_digest(rust: RustZones, worlds: list[tuple[str, str]]) -> None:
    comments = ("from a test", "with\x07 odd\noctets")
    count = 0
    for python, zone in _pairs(rust, worlds):
        assert "".join(rust.text(zone, comments)) == "".join(PYTHON_ZONES.text(python, comments))
        ours, theirs = b"".join(rust.raw(zone)), b"".join(PYTHON_ZONES.raw(python))
        assert (ours[:8], ours[24:]) == (theirs[:8], theirs[24:])  # between them is the time
        assert rust.digest(zone) == PYTHON_ZONES.digest(python)
        count += 1
    assert count > len(worlds) // 2


def _request(zone: Zone, *, edns: bool, upper: bool = False) -> Query:
    name = zone.origin.upper() if upper else zone.origin
    additional = b"\0\0\x29\x10\0\0\0\0\0\0\0" if edns else b""
    head = struct.pack("!6H", 4711, 0x0100, 1, 0, 0, int(edns))
    packet = head + name + struct.pack("!HH", RRType.AXFR, zone.rdclass) + additional
    query = read_query(packet, 0x0100)
    assert isinstance(query, Query)
    return query


def _packed(zones: Zones, zone: Zone, packer: Packer) -> list[Packed] | str:
    try:
        if zones.axfr is not None:
            return list(zones.axfr(zone, packer.form))
        return list(packer.messages(axfr_entries(zone)))
    except RecordTooLargeError as error:
        return str(error)


@pytest.mark.parametrize("limit", [60, 300, 20480, 65535])
def test_axfr(rust: RustZones, worlds: list[tuple[str, str]], limit: int) -> None:
    """The messages hold the same records in the same order, and are taken as the zone that they are of."""
    whole = rust.zones()
    for python, zone in _pairs(rust, worlds):
        for edns, upper, one_answer in ((False, False, False), (True, True, False), (True, False, True)):
            query = _request(zone, edns=edns, upper=upper)
            packer = Packer(
                query, zone.origin, zone.rdclass, limit_octets=limit, one_answer=one_answer, edns_octets=1232
            )  # fmt: skip
            ours, theirs = _packed(whole, zone, packer), _packed(PYTHON_ZONES, python, packer)
            if isinstance(ours, str) or isinstance(theirs, str):
                assert ours == theirs
                continue
            assert sum(packed.records for packed in ours) == zone.rr_count + 1
            assert all(len(packed.message) <= limit or packed.records == 1 for packed in ours)
            for zones, expected in ((whole, zone), (PYTHON_ZONES, python)):
                for messages in (ours, theirs):
                    outcome = _received(zones, zone.origin, [packed.message for packed in messages])
                    assert not isinstance(outcome, str), outcome
                    assert outcome.same_data(expected)


class _RecordByRecord:
    """A builder of Rust zones that takes no messages."""

    def __init__(self, rust: RustZones, origin: Name, rdclass: int) -> None:
        inner = rust.builder(origin, rdclass)
        self._inner = inner
        self.add = inner.add
        self.finish = inner.finish

    @property
    def rr_count(self) -> int:
        return self._inner.rr_count


def _received(
    zones: Zones, origin: Name, messages: Sequence[bytes], limits: Limits | None = None
) -> Zone | str:
    """Return the zone that *messages* bring, or how that fails."""
    incoming = Incoming(origin, IN, RRType.AXFR, zones=zones, limits=limits)
    incoming.request(4711)
    done = False
    try:
        for message in messages:
            done = incoming.feed(message)
        return incoming.result() if done else f"not complete: {incoming.progress}"
    except XferFailure as failure:
        return f"{failure.stage} {failure} {incoming.progress}"


def _spoilt(rng: random.Random, messages: list[bytes]) -> list[bytes]:
    """Return *messages* with something changed in them."""
    messages = list(messages)
    at = rng.randrange(len(messages))
    octets = bytearray(messages[at])
    match rng.randrange(5):
        case 0:
            messages[at] = bytes(octets[: rng.randrange(len(octets))])
        case 1:
            messages[at] = bytes(octets) + rng.randbytes(rng.randrange(1, 12))
        case 2:
            del messages[at]
        case 3:
            octets[rng.randrange(12)] ^= 1 << rng.randrange(8)
            messages[at] = bytes(octets)
        case _:
            for _ in range(rng.randrange(1, 4)):
                octets[rng.randrange(len(octets))] = rng.choice((0, 1, 6, 0xC0, 0xFF, rng.randrange(256)))
            messages[at] = bytes(octets)
    return messages


def test_spoilt_transfers_fail_in_the_same_words(rust: RustZones, worlds: list[tuple[str, str]]) -> None:
    whole = rust.zones()
    assert isinstance(whole.builder(b"\0", IN), MessageTaker)
    single = replace(whole, builder=lambda origin, rdclass: _RecordByRecord(rust, origin, rdclass))
    assert not isinstance(single.builder(b"\0", IN), MessageTaker)
    pairs = list(_pairs(rust, worlds))
    outcomes: Counter[bool] = Counter()
    for seed in SEEDS:
        rng = random.Random(seed)
        _, zone = rng.choice(pairs)
        packer = Packer(
            _request(zone, edns=False), zone.origin, IN, limit_octets=rng.choice((200, 700, 3000)),
            edns_octets=1232,
        )  # fmt: skip
        packed = _packed(whole, zone, packer)
        if isinstance(packed, str):
            continue
        messages = _spoilt(rng, [one.message for one in packed])
        limits = rng.choice((None, Limits(max_records=rng.randrange(1, 2 * zone.rr_count))))
        one, two = (_received(zones, zone.origin, messages, limits) for zones in (whole, single))
        if isinstance(one, str) or isinstance(two, str):
            assert one == two, seed
        else:
            assert _records(one) == _records(two), seed
        outcomes[isinstance(one, str)] += 1
    assert min(outcomes[True], outcomes[False]) > ZONES // 50
