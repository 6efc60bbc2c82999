"""Zones of the Rust engine behind the seam against Python's: the same data, texts, messages and findings.

More random zones with BINDPY_READER_ZONES=N, others with BINDPY_READER_SEED=N.
"""

from __future__ import annotations

import importlib
import logging
import os
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bindpy.answer.query import Query, read_query
from bindpy.config.model import CheckMode, TsigKey, ZoneChecks
from bindpy.diagnostics import SourceSpan
from bindpy.engine import PYTHON_ZONES, MessageTaker, Packed, RecordTooLargeError, Zones
from bindpy.files import FileStamp
from bindpy.filter.script import LuaFilter
from bindpy.native import EngineChoice, reading
from bindpy.native.zones import RustZone, RustZones
from bindpy.tsig import StreamSigner, TsigError
from bindpy.tsig.record import TsigRecord, find_record, record_at
from bindpy.xfr.failure import XferFailure
from bindpy.xfr.incoming import Incoming, Limits
from bindpy.xfr.store import StoreError, store_zone
from bindpy.xfr.stream import Packer, axfr_entries
from bindpy.zone.diff import Delta
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.names import Name, from_text, to_text
from bindpy.zone.protocol import Zone
from bindpy.zone.records import IN, RR, RRType
from bindpy.zone.snapshot import MAX_RRSETS, ZoneSnapshot, ZoneTooLargeError
from tests.data.zones.corpus import zone_files
from tests.diff.test_checkzone import ORIGIN, _lines, _mutated_zone, _tangled_zone
from tests.diff.test_engine_reader import _random_checks
from tests.generate.worlds import make_world
from tests.support.engines import usable_engines
from tests.support.transfers import message

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


@pytest.mark.parametrize("checks", [DEFAULTS, ZoneChecks(names=CheckMode.WARN, primary=False)])
def test_many_files_at_once_are_what_they_are_one_by_one(rust: RustZones, checks: ZoneChecks) -> None:
    files = [(str(file.path), from_text(file.origin)) for file in zone_files()]
    found = rust.read_files(files, checks, within_s=600.0)
    assert len(found) == len(files)
    plain = 0
    for (path, origin), load in zip(files, found, strict=True):
        loaded = rust.read_file(path, origin, IN, checks)
        if load is None:
            continue
        plain += 1
        assert (load.loaded.diagnostics, loaded.diagnostics) == ((), ())
        assert (load.loaded.files, load.loaded.stamps) == (loaded.files, loaded.stamps)
        assert _records(load.loaded.zone) == _records(loaded.zone)
        assert (load.is_link, load.has_journal) == (False, False)
    quiet = [load for load, file in zip(found, zone_files(), strict=True) if file.kind == "good"]
    assert plain > sum(load is not None for load in quiet) > len(quiet) / 2


def test_many_files_links_and_journals(rust: RustZones, tmp_path: Path) -> None:
    text = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
    paths = [tmp_path / name for name in ("plain", "link", "journal", "included", "includes", "none")]
    for path in paths[:4]:
        path.write_text(text)
    paths[1].unlink()
    paths[1].symlink_to("plain")
    (tmp_path / "journal.jnl").write_text("x")
    paths[4].write_text(f"$INCLUDE {paths[3]}\n")
    files = [(str(path), from_text("example.com")) for path in paths]
    found = rust.read_files(files, DEFAULTS, within_s=60.0)
    seen = [load and (load.is_link, load.has_journal) for load in found]
    assert seen == [(False, False), (True, False), (False, True), (False, False), None, None]
    assert len(rust.read_files(files, DEFAULTS, within_s=0.0)) == 1


@pytest.mark.parametrize("how", ["written", "replaced", "moved away", "not at all"])
def test_many_files_one_that_changes_while_it_is_read(
    rust: RustZones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It is left to be read by itself. RDATA of a rare type is where the reading can be met half-way."""
    path, other = tmp_path / "zone", tmp_path / "other"
    text = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n@ APL 1:192.0.2.0/24\n"
    path.write_text(text)
    other.write_text(text)
    real = reading._rare_rdata

    def met(rtype: int, words: list[tuple[bytes, bool, bool]], origin: bytes) -> bytes | None:
        if how == "written":
            path.write_text(text + "; more\n")
        elif how == "replaced":
            other.replace(path)
        elif how == "moved away":
            path.rename(tmp_path / "away")
            other.rename(path)
        return real(rtype, words, origin)

    monkeypatch.setattr(reading, "_rare_rdata", met)
    [found] = rust.read_files([(str(path), from_text("example.com"))], DEFAULTS, within_s=60.0)
    assert (found is not None) == (how == "not at all")


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


def test_raw_files(
    rust: RustZones, worlds: list[tuple[str, str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What Rust reads is what Python reads, and most zones need no Python."""
    path = tmp_path / "zone"
    by_python = count = 0
    files = []
    checks = ZoneChecks(integrity=False, names=CheckMode.IGNORE)
    with caplog.at_level(logging.DEBUG, "bindpy.zoneload"):
        for python, zone in _pairs(rust, worlds):
            octets = b"".join(PYTHON_ZONES.raw(python))
            files.append((to_text(python.origin), octets))
            path.write_bytes(octets)
            caplog.clear()
            _alike(rust, str(path), to_text(python.origin))
            loaded = _alike(rust, str(path), to_text(python.origin), checks)
            assert loaded.zone is None or loaded.zone.same_data(zone)
            by_python += "read by Python" in caplog.text
            count += 1
    assert by_python < count // 2
    rng = random.Random(FIRST_SEED)
    whole = 0
    for _ in range(ZONES):
        origin, octets = rng.choice(files)
        path.write_bytes(_damaged(rng, octets))
        whole += _alike(rust, str(path), origin, checks).zone is not None
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


def _one_by_one(rust: RustZones) -> Zones:
    """Return *rust*'s zones, but with builders that take no messages."""
    whole = rust.zones()
    assert isinstance(whole.builder(b"\0", IN), MessageTaker)
    single = replace(whole, builder=lambda origin, rdclass: _RecordByRecord(rust, origin, rdclass))
    assert not isinstance(single.builder(b"\0", IN), MessageTaker)
    return single


def test_spoilt_transfers_fail_in_the_same_words(rust: RustZones, worlds: list[tuple[str, str]]) -> None:
    whole, single = rust.zones(), _one_by_one(rust)
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
        at_once = rng.choice((1, 3, 1000))
        one = _received(whole, zone.origin, messages, limits, at_once=at_once)
        two = _received(single, zone.origin, messages, limits)
        if isinstance(one, str) or isinstance(two, str):
            assert one == two, seed
        else:
            assert _records(one) == _records(two), seed
        outcomes[isinstance(one, str)] += 1
    assert min(outcomes[True], outcomes[False]) > ZONES // 50


_FILTER = """
        local n = 0
        function axfrfilter({parameters})
            n = n + 1
            if {qtype} == pdns.SOA then return pdns.PASS, {{}} end
            local what = (n * {seed}) % 29
            if what == 1 then return pdns.DROP, {{}} end
            if what == 2 then return 0, {{{{content = {content}}}}} end
            if what == 3 then return 0, {{{{ttl = n}}, {{qtype = 16, content = "x" .. n}}}} end
            local row = {{qname = "added" .. n .. "." .. zone, qtype = 1, content = "192.0.2.9"}}
            if what == 5 then row.qname = "not.here." end
            if what == 4 or what == 5 then return 1, {{row}} end
            if what == 6 then print(n, {content}) end
            if n == {fails} then {failure} end
            return pdns.PASS, {{}}
        end
"""
_FORMS = {
    "remoteip, zone, record": ("record:qtype()", "record:content()"),
    "remoteip, zone, qname, qtype, ttl, content": ("qtype", "content"),
    "remoteip, zone, qname, qtype, ttl, prio, content": ("qtype", "content"),
}
_FAILURES = (
    "error('no more')",
    "return 7, {}",
    "while true do end",
    "return 0, {{qtype = 1, content = 'no address'}}",
    "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
    "return 0, 'rows'",
)


def test_filtered_transfers_come_to_the_same(
    rust: RustZones, worlds: list[tuple[str, str]], tmp_path: Path
) -> None:
    """Scripts that judge many records at a time decide as they do one by one, and fail in the same words."""
    whole, single = rust.zones(), _one_by_one(rust)
    pairs = list(_pairs(rust, worlds))
    path = tmp_path / "f.lua"
    outcomes: Counter[bool] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + max(20, ZONES // 10)):
        rng = random.Random(seed)
        _, zone = rng.choice(pairs)
        parameters = rng.choice(list(_FORMS))
        qtype, content = _FORMS[parameters]
        fails = rng.choice((0, 0, rng.randrange(1, zone.rr_count + 2)))
        path.write_text(
            _FILTER.format(
                parameters=parameters,
                qtype=qtype,
                content=content,
                seed=rng.randrange(1, 29),
                fails=fails,
                failure=rng.choice(_FAILURES),
            )
        )
        packer = Packer(
            _request(zone, edns=False), zone.origin, IN, limit_octets=rng.choice((300, 3000)),
            edns_octets=1232,
        )  # fmt: skip
        packed = _packed(whole, zone, packer)
        if isinstance(packed, str):
            continue
        messages = [one.message for one in packed]
        limits = rng.choice((None, Limits(max_records=rng.randrange(1, 2 * zone.rr_count))))
        one, two = (_received(zones, zone.origin, messages, limits, script=path) for zones in (whole, single))
        if isinstance(one, str) or isinstance(two, str):
            assert one == two, seed
        else:
            assert _records(one) == _records(two), seed
        outcomes[isinstance(one, str)] += 1
    assert min(outcomes[True], outcomes[False]) > 3


def test_a_stored_zone_is_what_python_stores(
    rust: RustZones, worlds: list[tuple[str, str]], tmp_path: Path
) -> None:
    """The same octets in the file, the same findings with their places, and the same refusals."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    outcomes: Counter[str] = Counter()
    for number, (python, zone) in enumerate(_pairs(rust, worlds)):
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


def _messages(records: Sequence[RR]) -> list[bytes]:
    return [message(records[at : at + 100], message_id=4711) for at in range(0, len(records), 100)]


def test_too_many_types_at_one_name_fail_in_the_same_words(rust: RustZones, tmp_path: Path) -> None:
    origin = from_text("large.example.")
    soa = RR(origin, RRType.SOA, 300, origin + b"\x04host\0" + struct.pack("!5I", 1, 2, 3, 4, 5))
    owner = b"\x01a" + origin
    many = [RR(owner, rtype, 300, b"x") for rtype in range(1000, 1000 + MAX_RRSETS)]
    last = RR(owner, 65280, 300, b"y")
    newer = soa._replace(rdata=soa.rdata[:-20] + struct.pack("!5I", 2, 2, 3, 4, 5))
    failed = []
    for zones in (rust.zones(), PYTHON_ZONES):
        most = _received(zones, origin, _messages([soa, *many, soa]))
        assert not isinstance(most, str), most
        for records in ([soa, *many, last, soa], [soa, last, *many, soa]):
            failed.append(_received(zones, origin, _messages(records)))
        with pytest.raises(ZoneTooLargeError, match="a name has more than 8192 RRsets"):
            zones.apply(most, [Delta(soa, newer, (), (last,))])
    assert failed[:2] == failed[2:]
    reason = "Stage.LIMIT sent a zone that is too large: a name has more than 8192 RRsets"
    assert all(isinstance(why, str) and why.startswith(reason) for why in failed), failed
    path = tmp_path / "zone"
    lines = [f"a TYPE{rr.rtype} \\# 1 78\n" for rr in (*many, last)]
    path.write_text("$TTL 300\n@ SOA @ host 1 2 3 4 5\n@ NS ns.example.net.\n" + "".join(lines))
    loaded = _alike(rust, str(path), "large.example.", replace(DEFAULTS, max_types_per_name=0))
    [error] = loaded.diagnostics
    assert str(error).startswith(f"{path}:{len(lines) + 3}:1: error: a name has more than 8192 RRsets")


def test_where_a_signature_is(rust: RustZones, worlds: list[tuple[str, str]]) -> None:
    """Rust finds it in all messages of a transfer, and never where Python would not."""
    key = TsigKey("k.", "hmac-sha256", b"0123456789abcdef", SourceSpan("test"))
    tsig_start = rust.zones().tsig_start
    assert tsig_start is not None
    signed = []
    for _, zone in list(_pairs(rust, worlds))[:20]:
        packer = Packer(_request(zone, edns=True), zone.origin, IN, limit_octets=3000, edns_octets=1232)
        packed = _packed(rust.zones(), zone, packer)
        signer = StreamSigner(key, b"")
        for one in packed if isinstance(packed, list) else []:
            signed.append(signer.sign(one.message, 1_000_000))
            assert tsig_start(one.message) is None
            assert tsig_start(signed[-1]) == len(one.message)
            assert record_at(signed[-1], len(one.message)) == find_record(signed[-1])
    rng = random.Random(FIRST_SEED)
    outcomes: Counter[bool] = Counter()
    for _ in range(10 * ZONES):
        [octets] = _spoilt(rng, [rng.choice(signed)]) or [b""]
        start = tsig_start(octets)
        outcomes[start is None] += 1
        if start is not None:
            assert _outcome(record_at, octets, start) == _outcome(find_record, octets)
    assert min(outcomes[True], outcomes[False]) > ZONES // 20


def _outcome(read: Callable[..., TsigRecord | None], *arguments: object) -> TsigRecord | str | None:
    try:
        return read(*arguments)
    except TsigError as error:
        return str(error)
