"""Times as people and programs read them."""

from __future__ import annotations

import pytest

from bindpy.control.times import duration_text, http_date, iso


def test_moments() -> None:
    assert http_date(1795312263) == "Sun, 22 Nov 2026 01:51:03 GMT"
    assert iso(1795312263.9) == "2026-11-22T01:51:03Z"
    assert iso(None) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (61, "1 minute, 1 second"),
        (7200, "2 hours"),
        (2 * 86400 + 3 * 3600 + 5, "2 days, 3 hours, 5 seconds"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text
