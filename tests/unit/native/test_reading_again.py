"""A large zone file that was edited is read in parts, and comes out as if it were read whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bindpy.config.model import ZoneChecks
from bindpy.diagnostics import Diagnostic
from bindpy.engine import Zones
from bindpy.native import EngineChoice, NoEngineError, choose_engine
from bindpy.zone import names
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.records import IN
from tests.support.engines import fail_on_error

ORIGIN = names.from_text("example.")
CHECKS = ZoneChecks()
HOSTS = 2_500
LONG = "x" * 250  # so that they make more than a megabyte
ROUNDS = 25


def zones() -> Zones:
    try:
        return choose_engine(EngineChoice.RUST, fail_on_error).zones
    except NoEngineError:
        pytest.skip("the engine in Rust is not installed")


def text(serial: int = 1) -> list[str]:
    head = ["$TTL 300\n", f"@ SOA ns host {serial} 2 3 4 5\n\tNS ns\nns A 192.0.2.1\nmail A 192.0.2.2\n"]
    return head + [
        f"host{number} A 10.0.{number >> 8}.{number & 255}\n\tMX 10 mail\n\tTXT {LONG} {LONG}\n"
        for number in range(HOSTS)
    ]


def read(by: Zones, path: Path) -> LoadedZone:
    return by.read_file(str(path), ORIGIN, IN, CHECKS)


def told(loaded: LoadedZone) -> tuple[tuple[Diagnostic, ...], tuple[str, ...], object]:
    return loaded.diagnostics, loaded.files, loaded.stamps


def same(one: LoadedZone, two: LoadedZone) -> bool:
    """Return whether all that can be seen of both is the same, the order of records included."""
    if one.zone is None or two.zone is None:
        return one.zone is two.zone
    return told(one) == told(two) and list(one.zone.rrsets()) == list(two.zone.rrsets())


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read whole."""
    bindpy_engine = pytest.importorskip("bindpy_engine", reason="the engine in Rust is not installed")
    whole: list[str] = []
    real: Callable[..., object] = bindpy_engine.read_zone

    def read_zone(path: bytes, *rest: object) -> object:
        whole.append(path.decode())
        return real(path, *rest)

    monkeypatch.setattr(bindpy_engine, "read_zone", read_zone)
    return whole


def test_only_what_was_edited_is_read(tmp_path: Path, counted: list[str]) -> None:
    by, path = zones(), tmp_path / "zone"
    lines = text()
    path.write_text("".join(lines))
    first = read(by, path)
    assert len(counted) == 1
    lines = text(2)
    lines[100] = "host98 A 192.0.2.98\n\tMX 10 mail\n"
    lines.insert(1_000, "new TXT (\n one ; a comment\n two )\n")
    path.write_text("".join(lines))
    second = read(by, path)
    assert len(counted) == 1
    assert same(second, read(zones(), path))
    assert (first.zone is not None, second.zone is not None) == (True, True)
    lines.insert(2_000, "; nothing but a comment\n")
    path.write_text("".join(lines))
    assert read(by, path).zone is second.zone
    counted.clear()
    other = by.read_file(str(path), ORIGIN, IN, ZoneChecks(max_records=10))
    assert (len(counted), other.zone) == (1, None)


@pytest.mark.parametrize(
    "line",
    [
        "$INCLUDE other\n",
        "$GENERATE 1-3 g$ A 10.6.6.$\n",
        "host5 A not-an-address\n",
        "host5 60 A 10.7.7.7\n",
        "host5 MX 10 nowhere\n",
        "host7 CNAME host8\n",
        "x TXT (\n",
        "$TTL 20\n",
    ],
)
def test_what_is_not_plainly_right_is_judged_as_ever(tmp_path: Path, counted: list[str], line: str) -> None:
    by, path = zones(), tmp_path / "zone"
    lines = text()
    path.write_text("".join(lines))
    kept = read(by, path)
    lines.insert(1_000, line)
    path.write_text("".join(lines))
    counted.clear()
    again = read(by, path)
    assert counted
    assert same(again, read(zones(), path))
    path.write_text("".join(text(3)))
    assert same(read(by, path), read(zones(), path))
    assert kept.zone is not None


def test_random_edits(tmp_path: Path, counted: list[str]) -> None:
    rng = random.Random(20261122)
    by, path = zones(), tmp_path / "zone"
    lines = text()
    path.write_text("".join(lines))
    loaded = read(by, path)
    by_parts = 0
    for serial in range(2, ROUNDS + 2):
        lines[1] = text(serial)[1]
        for _ in range(rng.randrange(1, 6)):
            at, host = rng.randrange(2, len(lines)), rng.randrange(HOSTS)
            match rng.randrange(5):
                case 0:
                    del lines[at]
                case 1:
                    lines.insert(at, f"HOST{host} A 10.9.{rng.randrange(256)}.1\n")
                case 2:
                    lines.insert(at, f"a.b{host} TXT {rng.random()}\n")
                case 3:
                    lines.insert(at, f"\tTXT {host}\n")
                case _:
                    lines.append(lines.pop(at))
        path.write_text("".join(lines))
        counted.clear()
        loaded = read(by, path)
        by_parts += not counted
        assert same(loaded, read(zones(), path)), f"round {serial}"
    assert by_parts > ROUNDS // 2
