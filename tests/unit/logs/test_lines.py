"""The format of a line, and BIND's severities."""

from __future__ import annotations

import logging
import time

import pytest

from bindpy.config.model import LogChannel
from bindpy.logs.levels import NOTICE, OFF, debug, severity_text, threshold
from bindpy.logs.lines import Event, escape, event_of, format_time, prefix

WHEN = 1795316645.123  # 2026-11-22T03:04:05.123Z


@pytest.fixture(autouse=True)
def _east(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("TZ", "XYZ-2")  # two hours east of Greenwich
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("local", "22-Nov-2026 05:04:05.123"),
        ("iso8601", "2026-11-22T05:04:05.123"),
        ("iso8601-utc", "2026-11-22T03:04:05.123Z"),
    ],
)
def test_times_are_as_bind_prints_them(style: str, text: str) -> None:
    assert format_time(WHEN, style) == text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, ""),
        ({"print_severity": True}, "notice: "),
        ({"print_category": True}, "xfer-in: "),
        (
            {"print_time": "local", "print_category": True, "print_severity": True},
            "22-Nov-2026 05:04:05.123 xfer-in: notice: ",
        ),
    ],
)
def test_a_prefix_has_what_the_channel_asks_for(options: dict[str, object], text: str) -> None:
    channel = LogChannel("c", "file", **options)  # type: ignore[arg-type]
    assert prefix(channel, Event(WHEN, NOTICE, "xfer-in", "text")) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain ünïcode", "plain ünïcode"),
        ("two\nlines\r\n", r"two\010lines\013\010"),
        ("\x1b[2Jcleared\x7f\x9b", r"\027[2Jcleared\127\155"),
        ("nul\0tab\t", r"nul\000tab\009"),
        ("line\u2028separator", r"line\u2028separator"),
        ("half \udc80", r"half \udc80"),
    ],
)
def test_nothing_breaks_a_line(text: str, escaped: str) -> None:
    assert escape(text) == escaped
    assert len(escape(text).splitlines()) == 1


def test_a_traceback_is_part_of_the_line() -> None:
    def broken() -> None:
        raise ValueError("bad\nvalue")

    try:
        broken()
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, "f", 1, "failed %d", (7,), (ValueError, error, error.__traceback__)
        )
    message = event_of(record, "general").message
    assert message.startswith(r"failed 7: ValueError: bad\010value [broken (")
    assert "test_a_traceback_is_part_of_the_line" in message


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (logging.CRITICAL, "critical"),
        (logging.ERROR, "error"),
        (logging.WARNING, "warning"),
        (NOTICE, "notice"),
        (logging.INFO, "info"),
        (logging.DEBUG, "debug 1"),
        (debug(1), "debug 1"),
        (debug(3), "debug 3"),
        (debug(99), "debug 10"),
    ],
)
def test_severities(level: int, text: str) -> None:
    assert severity_text(level) == text


@pytest.mark.parametrize(
    ("severity", "number", "debug_level", "taken", "refused"),
    [
        ("critical", 0, 0, logging.CRITICAL, logging.ERROR),
        ("error", 0, 9, logging.ERROR, logging.WARNING),
        ("warning", 0, 0, logging.WARNING, NOTICE),
        ("notice", 0, 0, NOTICE, logging.INFO),
        ("info", 0, 9, logging.INFO, debug(1)),
        ("debug", 3, 0, debug(3), debug(4)),
        ("debug", 3, 9, debug(3), debug(4)),
        ("dynamic", 0, 0, logging.INFO, debug(1)),
        ("dynamic", 0, 2, debug(2), debug(3)),
        ("debug", 0, 2, debug(2), debug(3)),
    ],
)
def test_thresholds(severity: str, number: int, debug_level: int, taken: int, refused: int) -> None:
    assert refused < threshold(severity, number, debug_level) <= taken < OFF
