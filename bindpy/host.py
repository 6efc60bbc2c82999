"""What a configuration needs of the host it runs on: its directory, its log files, its addresses."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable

from bindpy import logs
from bindpy.config.model import Config
from bindpy.diagnostics import BindpyError, Diagnostic, Severity
from bindpy.server.interfaces import HostAddresses, scan_host

config_log = logging.getLogger("bindpy.config")

_LEVELS = {
    Severity.ERROR: logging.ERROR,
    Severity.WARNING: logging.WARNING,
    Severity.NOTE: logging.INFO,
}


class UnusableError(BindpyError):
    """The server cannot run as it should; `lines` says why, one finding a line."""

    def __init__(self, findings: Iterable[str]) -> None:
        self._lines = tuple(findings)
        super().__init__("; ".join(self._lines))

    def lines(self) -> tuple[str, ...]:
        """Return what to show the person who tried."""
        return self._lines


def enter_directory(config: Config) -> None:
    """Make ``directory`` the working directory, as `$INCLUDE` and people who read core dumps expect.

    Raises `UnusableError`.
    """
    try:
        os.chdir(config.options.directory)
    except OSError as error:
        why = f"cannot change to directory '{config.options.directory}': {error.strerror}"
        raise UnusableError([f"{config.path}: {why}"]) from error


def open_logs(config: Config) -> None:
    """Log as *config* says from now on."""
    report(logs.configure(config.logging, foreground_stderr=True, base_dir=config.options.directory))


def report(findings: Iterable[Diagnostic]) -> None:
    """Log what reading a configuration found."""
    for finding in findings:
        for line in finding.log_lines():
            config_log.log(_LEVELS[finding.severity], "%s", line)


async def host_addresses() -> HostAddresses:
    """Return this host's addresses. Raises `UnusableError`, for want of file descriptors for example."""
    try:
        return await asyncio.to_thread(scan_host)
    except OSError as error:
        raise UnusableError([f"cannot read this host's addresses: {error.strerror}"]) from error
