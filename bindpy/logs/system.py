"""The process's one logging system: what connects Python's loggers with the channels."""

from __future__ import annotations

import atexit
import logging
import sys
from typing import Final

from bindpy.config.model import LoggingConfig
from bindpy.diagnostics import Diagnostic
from bindpy.logs.channels import CATEGORIES, RouteBuilder, Routes
from bindpy.logs.levels import OFF
from bindpy.logs.lines import event_of
from bindpy.logs.sinks import SYSLOG_SOCKET, complain
from bindpy.logs.writer import Channel, Writer

_ROOT: Final = "bindpy"
_STOP_S: Final = 2.0


class _Handler(logging.Handler):
    """Sends records to the channels of their category. Never raises, never waits."""

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self.writer = writer
        self.routes = Routes({"default": ()})

    def createLock(self) -> None:  # noqa: N802  # logging's name
        """Need no lock: nothing is changed per record."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Queue *record* for each channel of its category that takes its level."""
        root, _, category = record.name.partition(".")
        if root != _ROOT or not category:
            category = "general"
        routes = self.routes.by_category
        channels = routes[category] if category in routes else routes["default"]
        wanted = tuple(channel for channel in channels if record.levelno >= channel.threshold)
        if not wanted:
            return
        try:
            event = event_of(record, category)
        except Exception:  # noqa: BLE001  # as logging itself: a bad log call must not harm the server
            self.handleError(record)
            return
        self.writer.put(event, wanted)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """Say on standard error where the bad log call is."""
        complain(f"bad log call at {record.pathname}:{record.lineno}: {sys.exc_info()[1]!r}")


def _lowest(channels: tuple[Channel, ...]) -> int:
    return min((channel.threshold for channel in channels), default=OFF)


class _System:
    """What `configure` set up."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.handler = _Handler(self.writer)
        self.debug_level = 0
        logger = logging.getLogger(_ROOT)
        logger.addHandler(self.handler)
        logger.propagate = False
        # The libraries' warnings; asyncio's say which callback raised.
        logging.getLogger().addHandler(self.handler)

    def apply(self, routes: Routes) -> None:
        """Use *routes* from now on; what was logged before still goes where it was meant to."""
        old, self.handler.routes = self.handler.routes, routes
        self.set_debug_level(self.debug_level)
        for channel in old.channels():
            self.writer.call(channel.sink.close)

    def reopen(self) -> None:
        """Have every file opened anew, after what was logged before is written."""
        for channel in self.handler.routes.channels():
            self.writer.call(channel.sink.reopen)

    def set_debug_level(self, level: int) -> None:
        """Set the thresholds of channels, then those of loggers, so that unwanted records are never made."""
        self.debug_level = level
        routes = self.handler.routes
        for channel in routes.channels():
            channel.set_debug_level(level)
        for category in CATEGORIES | routes.by_category.keys():
            if category != "default":
                channels = routes.by_category.get(category)
                lowest = logging.NOTSET if channels is None else _lowest(channels)
                logging.getLogger(f"{_ROOT}.{category}").setLevel(lowest)
        logging.getLogger(_ROOT).setLevel(_lowest(routes.by_category["default"]))

    def close(self) -> None:
        """Write what is waiting and give Python's loggers back as they were."""
        categories = CATEGORIES | self.handler.routes.by_category.keys()
        self.apply(Routes({"default": ()}))
        logger = logging.getLogger(_ROOT)
        logger.removeHandler(self.handler)
        logger.propagate = True
        logging.getLogger().removeHandler(self.handler)
        for name in (_ROOT, *(f"{_ROOT}.{category}" for category in categories)):
            logging.getLogger(name).setLevel(logging.NOTSET)
        self.writer.stop(_STOP_S)


_system: _System | None = None


def configure(
    config: LoggingConfig, *, foreground_stderr: bool, base_dir: str, syslog_socket: str = SYSLOG_SOCKET
) -> list[Diagnostic]:
    """Make Python's ``bindpy.*`` loggers write as *config* says, now and after every change of it.

    Everything is opened first and then used at once; lines on their way still go where they were meant to. A
    file is opened anew each time, so this also serves a HUP after logrotate. A channel that cannot be
    opened writes to standard error, and a warning in the result says why. Where *config* has no category
    ``default``, standard error is used with *foreground_stderr*, else BIND's channels ``default_syslog`` and
    ``default_debug``. Relative paths are below *base_dir*.
    """
    global _system  # noqa: PLW0603  # Python's loggers, too, are one set for the process
    builder = RouteBuilder(
        config, foreground_stderr=foreground_stderr, base_dir=base_dir, syslog_socket=syslog_socket
    )
    routes = builder.build()
    if _system is None:
        _system = _System()
        atexit.register(shutdown)
    _system.apply(routes)
    return builder.findings.items


def set_debug_level(level: int) -> None:
    """Set the debug level (0 or more), which channels of severity ``dynamic`` follow."""
    if _system is not None:
        _system.set_debug_level(max(level, 0))


def debug_level() -> int:
    """Return the debug level."""
    return 0 if _system is None else _system.debug_level


def reopen() -> None:
    """Open all log files anew, as after logrotate has moved them."""
    if _system is not None:
        _system.reopen()


def flush(timeout_s: float = _STOP_S) -> bool:
    """Wait until all that was logged is written; return False if that takes longer than *timeout_s*."""
    return _system is None or _system.writer.wait(timeout_s)


def shutdown() -> None:
    """Write what is waiting, for two seconds at most, and undo `configure`. May be called at any time."""
    global _system
    if _system is not None:
        system, _system = _system, None
        atexit.unregister(shutdown)
        system.close()
