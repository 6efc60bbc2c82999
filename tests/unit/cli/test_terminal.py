"""Facts for people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bindpy.cli.terminal import Painter, Sheet, Tone, duration, moment, octets_text, wants_color


@pytest.fixture
def in_athens(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "EET-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3601, "1 h"),
        (86_400 + 60, "1 d"),
        (2 * 86_400 + 3 * 3600 + 59, "2 d 3 h"),
        (-5, "0 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("after", "how_far"),
    [(0, "0 s ago"), (-61, "in 1 min 1 s"), (5, "5 s ago"), (-0.2, "0 s ago"), (7200, "2 h ago")],
)
def test_moments_are_in_local_time_and_relative(in_athens: None, after: float, how_far: str) -> None:
    then = datetime(2026, 11, 22, 1, 51, 3, tzinfo=UTC).timestamp()
    assert moment("2026-11-22T01:51:03Z", then + after) == f"2026-11-22 03:51:03 EET ({how_far})"
    assert moment(None, then) is None


def test_values_begin_in_the_same_column() -> None:
    sheet = Sheet(Painter(False))
    sheet.add("zone", "a.example")
    sheet.add("primaries", None)
    sheet.add("file", "")
    sheet.add_all("notified", ["192.0.2.1", "192.0.2.2"])
    sheet.add("records", 0)
    assert sheet.lines() == [
        "zone      a.example",
        "notified  192.0.2.1",
        "          192.0.2.2",
        "records   0",
    ]
    assert Sheet(Painter(False)).lines() == []


def test_colours_do_not_move_columns() -> None:
    sheet = Sheet(Painter(True))
    sheet.add("state", "expired", Tone.BAD)
    sheet.add("zone", "a.example")
    assert sheet.lines() == [
        "\x1b[2mstate\x1b[0m  \x1b[31mexpired\x1b[0m",
        "\x1b[2mzone\x1b[0m   a.example",
    ]


def test_no_text_can_drive_the_terminal() -> None:
    assert Painter(True).paint("a\x1b[2Jb\x9b", Tone.PLAIN) == "a�[2Jb�"


@pytest.mark.parametrize(
    ("choice", "terminal", "environment", "wanted"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {}, False),
    ],
)
def test_when_there_are_colours(
    monkeypatch: pytest.MonkeyPatch, choice: str, terminal: bool, environment: dict[str, str], wanted: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    assert wants_color(choice, environment) is wanted


def test_octets_for_people() -> None:
    assert [octets_text(n) for n in (0, 1023, 1024, 1 << 40, 1 << 50)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.0 TiB",
        "1024.0 TiB",
    ]
