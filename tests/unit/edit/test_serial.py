"""The next serial by each method, with serials that go round (RFC 1982)."""

from __future__ import annotations

import pytest

from bindpy.edit.serial import next_serial

NOW = 1795323600.0  # 2026-11-22 05:00 UTC
NOON = 2026112200


@pytest.mark.parametrize(
    ("method", "serial", "expected"),
    [
        ("increment", 7, 8),
        ("increment", 0xFFFFFFFF, 1),
        ("unixtime", 7, 1795323600),
        ("unixtime", 1795323600, 1795323601),  # twice in one second
        ("unixtime", NOON, NOON + 1),  # ahead of the clock
        ("unixtime", 0xFFFFFFF0, 1795323600),  # round the end
        ("date", 7, NOON),
        ("date", NOON - 50, NOON),
        ("date", NOON, NOON + 1),
        ("date", NOON + 99, NOON + 100),  # the hundredth change of a day
    ],
)
def test_next_serial(method: str, serial: int, expected: int) -> None:
    assert next_serial(serial, method, NOW) == expected
