"""Zone files by the Rust engine behind the seam against Python's reader: the same data and findings.

More random zones with BINDPY_READER_ZONES=N, others with BINDPY_READER_SEED=N.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.native import reading
from bindpy.native.zones import RustZones
from bindpy.zone.names import from_text
from bindpy.zone.records import IN
from tests.data.zones.corpus import zone_files
from tests.diff import native
from tests.diff.native import DEFAULTS, FIRST_SEED, SEEDS, ZONES, read_alike, records_of
from tests.diff.test_checkzone import ORIGIN, _lines, _mutated_zone, _tangled_zone
from tests.diff.test_engine_reader import _random_checks

rust = native.rust  # the fixture


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
        assert records_of(load.loaded.zone) == records_of(loaded.zone)
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


def test_the_corpus(rust: RustZones, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in zone_files():
        monkeypatch.chdir(file.path.parent)
        for path in (file.path.name, str(file.path)):
            read_alike(rust, path, file.origin)


def test_mutated_zones(rust: RustZones, tmp_path: Path) -> None:
    fine, wrong = _lines("good", "warn"), _lines("bad")
    path = tmp_path / "zone"
    for seed in SEEDS:
        path.write_bytes(_mutated_zone(random.Random(seed), fine, wrong))
        read_alike(rust, str(path), ORIGIN)


def test_tangled_zones(rust: RustZones, tmp_path: Path) -> None:
    """Well-formed records in each other's way: Rust reads them, and Python's checks see suspects only."""
    path = tmp_path / "zone"
    found = 0
    for seed in SEEDS:
        rng = random.Random(seed)
        path.write_bytes(_tangled_zone(rng))
        found += bool(read_alike(rust, str(path), ORIGIN, _random_checks(rng)).diagnostics)
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
        loaded = read_alike(rust, str(path), ORIGIN, ZoneChecks(names=CheckMode.WARN))
        assert len(loaded.diagnostics) > 100


@pytest.mark.parametrize("count", [1, 100, 101, 250])
def test_records_with_another_ttl_than_their_rrset(rust: RustZones, tmp_path: Path, count: int) -> None:
    """Rust reads on where the first TTL counts, and finds the places; where a later one does, Python."""
    path = tmp_path / "zone"
    head = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
    lines = "".join(f"a{n} A 192.0.2.1\n  70 A 192.0.2.2\n" for n in range(count))
    path.write_text(f"{head}{lines}b_b A 192.0.2.3\nc 5 MX 1 ns\nc (\n 6 MX 2\n ns )\n")
    checks = ZoneChecks(names=CheckMode.WARN)
    loaded = read_alike(rust, str(path), ORIGIN, checks)
    assert len(loaded.diagnostics) == min(count + 1, 100) + (count + 1 > 100) + 1
    for more in ("$GENERATE 1-2 d$ A 192.0.2.1\n", "a0 71 A 192.0.2.7\n", "A0 71 TXT x\n 72 TXT y\n"):
        path.write_text(f"{head}{lines}{more}x 1 A 192.0.2.1\n 2 A 192.0.2.2\n")
        read_alike(rust, str(path), ORIGIN, checks)


def test_a_zone_in_several_files(rust: RustZones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    head = "$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS ns.test.\n"
    (tmp_path / "zone").write_text(f"{head}$INCLUDE one\nx_y A 192.0.2.1\n$INCLUDE sub/two sub\n")
    (tmp_path / "one").write_text("a_b A 192.0.2.1\n")
    (tmp_path / "sub" / "two").write_text("c_d A 192.0.2.1\nmail MX 1 a_b\n")
    monkeypatch.chdir(tmp_path)
    checks = ZoneChecks(names=CheckMode.WARN)
    loaded = read_alike(rust, "zone", ORIGIN, checks)
    places = [(item.span.file, item.span.line) for item in loaded.diagnostics if item.span is not None]
    assert {("one", 1), ("zone", 5), ("sub/two", 1)} <= set(places)
    (tmp_path / "one").unlink()
    assert read_alike(rust, "zone", ORIGIN).zone is None
    assert read_alike(rust, "sub", ORIGIN).zone is None
    assert read_alike(rust, "missing", ORIGIN).is_missing
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
