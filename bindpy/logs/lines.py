"""One event, one line, in BIND's format: ``22-Nov-2026 03:04:05.123 category: severity: message``."""

from __future__ import annotations

import logging
import re
import time
import traceback
from collections.abc import Sequence
from typing import Final, NamedTuple

from bindpy.config.model import LogChannel
from bindpy.deferred import dataclass
from bindpy.logs.levels import severity_text

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FRAMES: Final = 6  # of a traceback; more does not fit a line that people read


@dataclass(frozen=True, slots=True)
class Event:
    """A log record as it waits to be written: nothing in it changes any more. ``created`` as `time.time`.

    ``more`` are further messages, lines of their own, of the same moment.
    """

    created: float
    level: int
    category: str
    message: str
    more: tuple[str, ...] = ()


class Lines(NamedTuple):
    """A log record's message that is several lines: what `log_lines` makes."""

    lines: Sequence[str]

    def __str__(self) -> str:
        return "\n".join(self.lines)


def log_lines(logger: logging.Logger, level: int, lines: Sequence[str]) -> None:
    """Log each of *lines*, at a tenth of what calls for each would cost; there are thousands at a start."""
    if len(lines) == 1:
        logger.log(level, "%s", lines[0])
    elif lines:
        logger.log(level, "%s", Lines(lines))


def escape(text: str) -> str:
    r"""Return *text* without what could break a line or drive a terminal: ``\DDD``, as names are printed."""
    return text if text.isprintable() else _UNSAFE.sub(_escape_one, text)


def event_of(record: logging.LogRecord, category: str) -> Event:
    """Return the event that *record* is, a traceback folded into its line.

    Raises whatever formatting the message raises, so that the caller can say where the bad call is.
    """
    match record.args:
        case (Lines(lines=(first, *more)),):
            return Event(record.created, record.levelno, category, escape(first), tuple(map(escape, more)))
    message = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        message = f"{message}: {_describe(record.exc_info[1])}"
    return Event(record.created, record.levelno, category, escape(message))


def prefix(channel: LogChannel, event: Event) -> str:
    """Return what goes before the message in *channel*: time, category, severity, as it asks for."""
    time_text = f"{format_time(event.created, channel.print_time)} " if channel.print_time != "no" else ""
    category = f"{event.category}: " if channel.print_category else ""
    severity = f"{severity_text(event.level)}: " if channel.print_severity else ""
    return time_text + category + severity


def format_time(when: float, style: str) -> str:
    """Return *when* as ``print-time`` has it: ``local``, ``iso8601`` or ``iso8601-utc``."""
    seconds, milliseconds = divmod(int(when * 1000), 1000)
    if style == "local":
        now = time.localtime(seconds)
        date = f"{now.tm_mday:02}-{MONTHS[now.tm_mon - 1]}-{now.tm_year}"
        return f"{date} {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02}.{milliseconds:03}"
    utc = style == "iso8601-utc"
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds) if utc else time.localtime(seconds))
    return f"{text}.{milliseconds:03}{'Z' if utc else ''}"


def _escape_one(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\{code:03}" if code < 0x100 else f"\\u{code:04x}"


def _describe(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))
    text = f"{type(error).__name__}: {error}"
    return f"{text} [{places}]" if places else text
