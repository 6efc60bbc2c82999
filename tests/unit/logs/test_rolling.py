"""Which old versions of a log file are left, by which names; observed with BIND 9.18."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.logs.rolling import roll

WHEN = 1795316645.123


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


@pytest.mark.parametrize(
    ("versions", "left"),
    [
        (0, {}),
        (1, {"log.0": "5"}),
        (3, {"log.0": "5", "log.1": "4", "log.2": "3"}),
        (-1, {f"log.{number}": str(5 - number) for number in range(6)}),
    ],
)
def test_increment(tmp_path: Path, versions: int, left: dict[str, str]) -> None:
    for number in range(6):
        (tmp_path / "log").write_text(str(number))
        roll(tmp_path / "log", versions, "increment", WHEN)
    assert contents(tmp_path) == left


def test_timestamp(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / "log").write_text(str(number))
        roll(tmp_path / "log", 2, "timestamp", WHEN + number)
    assert contents(tmp_path) == {"log.20261122030407123": "2", "log.20261122030408123": "3"}


def test_versions_beyond_a_lowered_number_go_and_other_files_stay(tmp_path: Path) -> None:
    for name in ("log", "log.0", "log.1", "log.7", "log.gz", "log.1.gz", "other.1", "log.٣"):
        (tmp_path / name).write_text(name)
    roll(tmp_path / "log", 2, "increment", WHEN)
    assert contents(tmp_path) == {
        "log.0": "log", "log.1": "log.0", "log.gz": "log.gz", "log.1.gz": "log.1.gz", "other.1": "other.1",
        "log.٣": "log.٣",
    }  # fmt: skip


def test_a_gap_is_filled(tmp_path: Path) -> None:
    for name in ("log", "log.0", "log.2"):
        (tmp_path / name).write_text(name)
    roll(tmp_path / "log", 5, "increment", WHEN)
    assert contents(tmp_path) == {"log.0": "log", "log.1": "log.0", "log.2": "log.2"}
