"""BIND's severities as Python logging levels.

| BIND     | level                                   |
| -------- | --------------------------------------- |
| critical | 50 `logging.CRITICAL`                   |
| error    | 40 `logging.ERROR`                      |
| warning  | 30 `logging.WARNING`                    |
| notice   | 25 `NOTICE`                             |
| info     | 20 `logging.INFO`                       |
| debug n  | 11 - n: 10 `logging.DEBUG` for debug 1, |
|          | 1 for debug 10 and all above            |
"""

from __future__ import annotations

import logging
import syslog
from typing import Final

NOTICE: Final = 25
logging.addLevelName(NOTICE, "NOTICE")

OFF: Final = logging.CRITICAL + 1  # a threshold that nothing passes

_DEEPEST: Final = 10
_NAMED: Final = (
    (logging.CRITICAL, "critical", syslog.LOG_CRIT),
    (logging.ERROR, "error", syslog.LOG_ERR),
    (logging.WARNING, "warning", syslog.LOG_WARNING),
    (NOTICE, "notice", syslog.LOG_NOTICE),
    (logging.INFO, "info", syslog.LOG_INFO),
)
_LEVELS: Final = {name: level for level, name, _ in _NAMED}


def debug(number: int) -> int:
    """Return the level of BIND's ``debug number`` (1 or more)."""
    return logging.DEBUG + 1 - min(max(number, 1), _DEEPEST)


def severity_text(level: int) -> str:
    """Return the word that BIND prints for a level: ``notice``, ``debug 3``, …"""
    for bound, name, _ in _NAMED:
        if level >= bound:
            return name
    return f"debug {min(max(logging.DEBUG + 1 - level, 1), _DEEPEST)}"


def syslog_priority(level: int) -> int:
    """Return the priority that syslog(3) has for a level."""
    return next((priority for bound, _, priority in _NAMED if level >= bound), syslog.LOG_DEBUG)


def threshold(severity: str, number: int, debug_level: int) -> int:
    """Return the lowest level that a channel of *severity* takes.

    *number* is what follows ``debug`` there; *debug_level* is the server's, which only ``dynamic`` follows.
    As in BIND, a channel with ``debug 3`` gets that much at any time.
    """
    if severity == "debug" and number > 0:
        return debug(number)
    if severity in {"debug", "dynamic"}:
        return debug(debug_level) if debug_level > 0 else logging.INFO
    return _LEVELS[severity]
