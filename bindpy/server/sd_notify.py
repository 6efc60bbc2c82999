"""Tells systemd how the service is: sd_notify(3), the protocol of ``Type=notify`` and of its watchdog.

A module of our own rather than a library: the protocol is a datagram of ``NAME=value`` lines to a socket that
the environment names, it has been stable since 2010, and the Python packages for it either bind
libsystemd or have not been kept up.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

log = logging.getLogger("bindpy.general")

EXTEND_BY_S = 30.0
"""How much longer systemd is to wait for a start that goes on, said with each status."""


class ServiceManager:
    """The service manager that started us, if any; where there is none, every call does nothing.

    The calls never block and never raise: a service manager that does not listen must not stop the server.
    """

    def __init__(self, socket_address: str = "", watchdog_s: float | None = None) -> None:
        self._watchdog_s = watchdog_s
        self._sock: socket.socket | None = None
        if not socket_address:
            return
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            # A name that starts with @ is no path: Linux's abstract names start with a NUL.
            sock.connect(f"\0{socket_address[1:]}" if socket_address[0] == "@" else socket_address)
        except OSError as error:
            log.warning("cannot tell the service manager how we are: %s: %s", socket_address, error.strerror)
            sock.close()
            return
        self._sock = sock

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] | None = None) -> ServiceManager:
        """Return the one that the environment names, and take its variables away: they are ours alone."""
        variables = os.environ if environment is None else environment
        address = variables.pop("NOTIFY_SOCKET", "")
        period = variables.pop("WATCHDOG_USEC", "")
        process = variables.pop("WATCHDOG_PID", str(os.getpid()))
        watched = period.isascii() and period.isdecimal() and int(period) > 0 and process == str(os.getpid())
        return cls(address, int(period) / 1_000_000 if watched else None)

    @property
    def is_there(self) -> bool:
        """Whether there is anybody to tell."""
        return self._sock is not None

    def starting(self, status: str) -> None:
        """Say how far the start is. It takes as long as the zones need, so ask for more time."""
        self._send(STATUS=status, EXTEND_TIMEOUT_USEC=round(EXTEND_BY_S * 1_000_000))

    def ready(self, status: str) -> None:
        """Say that the service is up, or that a reload has ended, well or not."""
        self._send(READY=1, STATUS=status)

    def reloading(self, status: str) -> None:
        """Say that a reload begins; `ready` has to follow."""
        # The clock that systemd compares with its own, to know which of two reloads this is.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(RELOADING=1, MONOTONIC_USEC=now, STATUS=status)

    def stopping(self, status: str) -> None:
        """Say that the service goes down."""
        self._send(STOPPING=1, STATUS=status)

    async def watchdog(self, trouble: Callable[[], str | None]) -> None:
        """Tell the watchdog that we live, for as long as *trouble* finds none; returns where nobody watches.

        Runs on the event loop, so a loop that hangs is silent by itself. After silence for the time that the
        unit gives (``WatchdogSec=``) systemd ends the process and starts it again.
        """
        if self._watchdog_s is None or not self.is_there:
            return
        reported: str | None = None
        while True:
            found = trouble()
            if found is None:
                self._send(WATCHDOG=1)
            elif found != reported:
                log.critical("%s: no longer telling the watchdog that the server lives", found)
                self._send(STATUS=found)
            reported = found
            await asyncio.sleep(self._watchdog_s / 3)

    def close(self) -> None:
        """Say nothing more."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _send(self, **assignments: str | int) -> None:
        if self._sock is None:
            return
        # A line each; what is shown to people may not begin another.
        lines = [f"{name}={' '.join(str(value).split())}" for name, value in assignments.items()]
        try:
            self._sock.send("\n".join(lines).encode("utf-8", "replace"))
        except OSError as error:
            log.debug("telling the service manager failed: %s", error.strerror)
