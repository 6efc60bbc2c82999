"""Log lines held to a rate."""

from __future__ import annotations

import logging

import pytest

from bindpy.server.ratelog import RateLimitedLog


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_a_trickle_and_the_number_of_lines_left_out(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    limited = RateLimitedLog(logging.getLogger("t"), burst=3, lines_per_s=0.5, clock=clock)
    for number in range(10):
        limited.log(logging.WARNING, "line %d", number)
    assert [r.getMessage() for r in caplog.records] == ["line 0", "line 1", "line 2"]
    clock.now += 1.9
    limited.log(logging.WARNING, "too early")
    clock.now += 0.1
    limited.log(logging.WARNING, "line %d", 10)
    limited.log(logging.WARNING, "too many")
    assert caplog.records[-1].getMessage() == "line 10 (8 similar messages suppressed)"
    clock.now += 1000
    for _ in range(9):
        limited.log(logging.WARNING, "again")
    messages = [r.getMessage() for r in caplog.records[4:]]
    assert messages == ["again (1 similar messages suppressed)", "again", "again"]


def test_lines_that_nobody_wants_use_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("t.quiet")
    limited = RateLimitedLog(logger, burst=1, lines_per_s=0.0, clock=Clock())
    logger.setLevel(logging.WARNING)
    for _ in range(5):
        limited.log(logging.DEBUG, "detail")
    limited.log(logging.WARNING, "news")
    assert [r.getMessage() for r in caplog.records] == ["news"]
