"""Where lines go: files, the system log, standard error. Used by the writer's thread only, once opened.

A sink never raises for what the outside does: it counts what was lost, says so once on standard error, and
says in its own place how much was lost as soon as it can write again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import stat
import syslog
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from bindpy.config.model import LogChannel
from bindpy.logs.levels import syslog_priority
from bindpy.logs.lines import MONTHS, escape
from bindpy.logs.rolling import roll

SYSLOG_SOCKET: Final = "/dev/log"
FACILITIES: Final = {
    name.lower(): getattr(syslog, f"LOG_{name}")
    for name in (
        "KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV",
        "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7",
    )
} | {"ftp": 11 << 3}  # fmt: skip

_STDERR: Final = 2
_BUFFER_OCTETS: Final = 32768
_LOOK_S: Final = 1.0  # between two looks whether a file was moved away
_RETRY_S: Final = 5.0  # between two attempts to get something back that failed


class Line(NamedTuple):
    """A line without its end, and its level."""

    text: str
    level: int
    created: float


class Sink(Protocol):
    """A place for lines."""

    def write(self, lines: Sequence[Line]) -> None: ...
    def flush(self) -> None:
        """Write what is held back."""

    def reopen(self) -> None:
        """Let go of a file that was moved away."""

    def close(self) -> None: ...


def complain(text: str) -> None:
    """Say on standard error that logging itself has a problem."""
    with contextlib.suppress(OSError):
        os.write(_STDERR, f"bindpy: {escape(text)}\n".encode(errors="backslashreplace"))


class _Losses:
    """Counts lines that could not be written, and makes the first one known."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._count = 0
        self._reason = ""

    def lost(self, count: int, reason: str) -> None:
        """Take in that *count* lines are lost."""
        if not self._count:
            complain(f"log messages to {self._place} are being lost: {reason}")
        self._count += count
        self._reason = reason

    def confession(self) -> str:
        """Return what to write now that writing may work again, "" if nothing was lost."""
        if not self._count:
            return ""
        return f"{self._count} log messages were lost here: {self._reason}"

    def forget(self) -> None:
        """The confession has been written."""
        self._count = 0


class StderrSink:
    """Standard error."""

    def write(self, lines: Sequence[Line]) -> None:
        """Write *lines*; what standard error does not take is lost."""
        with contextlib.suppress(OSError):
            _write_all(_STDERR, _encode(lines))

    def flush(self) -> None:
        """Nothing is held back."""

    def reopen(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Standard error stays open."""


class FileSink:
    """A file, with BIND's rules for ``versions`` and ``size``.

    With both, it is rolled over when it has grown beyond *size*; with *versions* alone, whenever it is
    opened; with *size* alone, writing stops there until the file has been emptied or moved away.
    Raises (on creation, unless told not to open it *at_once*): OSError.
    """

    def __init__(self, channel: LogChannel, path: Path, *, at_once: bool = True) -> None:
        self._path = path
        self._versions = channel.versions
        self._limit = channel.size
        self._suffix = channel.suffix
        self._hold = _BUFFER_OCTETS if channel.buffered else 0
        self._held: list[Line] = []
        self._held_octets = 0
        self._losses = _Losses(str(path))
        self._looked = time.monotonic()
        self._retry = self._looked
        self._fd: int | None = None
        self._size = 0
        self._regular = False
        if at_once:
            self._open(fresh=True)

    def write(self, lines: Sequence[Line]) -> None:
        """Write *lines*, or hold them back for a while if the channel is ``buffered``."""
        if self._hold:
            self._held.extend(lines)
            self._held_octets += sum(len(line.text) for line in lines)
            if self._held_octets >= self._hold:
                self.flush()
        else:
            self._write(lines)

    def flush(self) -> None:
        """Write what is held back."""
        held, self._held, self._held_octets = self._held, [], 0
        if held:
            self._write(held)

    def reopen(self) -> None:
        """Open the path anew, whatever it leads to now."""
        self.flush()
        self._replace(fresh=True)

    def close(self) -> None:
        """Write what is held back and close the file."""
        self.flush()
        self._close()

    def _write(self, lines: Sequence[Line]) -> None:
        now = time.monotonic()
        if self._fd is None:
            if now >= self._retry:
                self._retry = now + _RETRY_S
                self._replace(fresh=True)
        elif now - self._looked >= _LOOK_S:
            self._looked = now
            if self._moved_away(self._fd):
                self._replace(fresh=False)
        rest = list(lines)
        while rest:
            if self._full() and not self._make_room(now):
                return  # as BIND: no more is written, and that is no error
            if self._fd is None:
                self._losses.lost(len(rest), "the file cannot be opened")
                return
            count, octets = self._portion(rest)
            self._put(octets, count)
            del rest[:count]

    def _portion(self, lines: Sequence[Line]) -> tuple[int, bytes]:
        """Return the number of lines to write before the size must be looked at, and them."""
        confession = self._losses.confession()
        pieces = [confession.encode() + b"\n"] if confession else []
        size = self._size
        for count, line in enumerate(lines, 1):
            pieces.append(_encode((line,)))
            size += len(pieces[-1])
            if self._limit and size > self._limit:
                return count, b"".join(pieces)
        return len(lines), b"".join(pieces)

    def _put(self, octets: bytes, count: int) -> None:
        assert self._fd is not None
        try:
            self._size += _write_all(self._fd, octets)
        except OSError as failure:
            self._losses.lost(count, failure.strerror or str(failure))
        else:
            self._losses.forget()

    def _full(self) -> bool:
        return bool(self._limit) and self._size > (self._limit or 0) and self._regular

    def _make_room(self, now: float) -> bool:
        if self._versions is None:
            # Somebody may have emptied the file, or moved it away.
            if self._on_disk() >= (self._limit or 0):
                return False
            self._replace(fresh=False)
            return True
        if now < self._retry:
            return True  # rolling over has just failed: better a long file than lost lines
        self._replace(fresh=True)
        if self._full():
            self._retry = now + _RETRY_S
        return True

    def _on_disk(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def _moved_away(self, fd: int) -> bool:
        try:
            here = self._path.stat()
        except OSError:
            return True
        opened = os.fstat(fd)
        return (here.st_dev, here.st_ino) != (opened.st_dev, opened.st_ino)

    def _replace(self, *, fresh: bool) -> None:
        """Open the path anew; if that fails, go on with the file that is open."""
        old = self._fd
        try:
            self._open(fresh=fresh)
        except OSError as failure:
            complain(f"cannot open log file {self._path}: {failure.strerror}")
            return
        if old is not None:
            os.close(old)

    def _open(self, *, fresh: bool) -> None:
        if fresh and self._versions is not None and self._must_roll():
            try:
                roll(self._path, self._versions, self._suffix, time.time())
            except OSError as failure:
                complain(f"cannot roll over log file {self._path}: {failure.strerror}")
        # O_NONBLOCK: a pipe that nobody reads must not stop the server. Files do not mind.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        self._fd = os.open(self._path, flags, 0o666)
        opened = os.fstat(self._fd)
        self._regular = stat.S_ISREG(opened.st_mode)
        self._size = opened.st_size

    def _must_roll(self) -> bool:
        try:
            found = self._path.stat()
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and (not self._limit or found.st_size >= self._limit)

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class SyslogSink:
    """The system log, by its local socket; a log daemon that is slow or gone costs lines, never time.

    Raises (on creation): OSError.
    """

    def __init__(self, channel: LogChannel, path: str = SYSLOG_SOCKET) -> None:
        self._facility = FACILITIES[channel.facility]
        self._path = path
        self._losses = _Losses("syslog")
        self._socket: socket.socket | None = None
        self._retry = 0.0
        self._connect()

    def write(self, lines: Sequence[Line]) -> None:
        """Send each of *lines* as a datagram."""
        for number, line in enumerate(lines):
            confession = self._losses.confession()
            try:
                if confession:
                    self._send(Line(confession, logging.WARNING, line.created))
                    self._losses.forget()
                self._send(line)
            except OSError as failure:
                self._losses.lost(len(lines) - number, failure.strerror or str(failure))
                return

    def flush(self) -> None:
        """Nothing is held back."""

    def reopen(self) -> None:
        """Connect anew with the next line."""
        self.close()
        self._retry = 0.0

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, line: Line) -> None:
        if self._socket is None:
            if time.monotonic() < self._retry:
                raise ConnectionError(None, "no log daemon")
            self._connect()
        assert self._socket is not None
        now = time.localtime(line.created)
        date = f"{MONTHS[now.tm_mon - 1]} {now.tm_mday:2} {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02}"
        text = f"<{self._facility | syslog_priority(line.level)}>{date} bindpy[{os.getpid()}]: {line.text}"
        try:
            self._socket.send(text.encode(errors="backslashreplace"))
        except BlockingIOError:
            raise
        except OSError:
            self.close()
            raise

    def _connect(self) -> None:
        self._retry = time.monotonic() + _RETRY_S
        fresh = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            fresh.setblocking(False)
            fresh.connect(self._path)
        except OSError:
            fresh.close()
            raise
        self._socket = fresh


def _encode(lines: Sequence[Line]) -> bytes:
    return "".join(f"{line.text}\n" for line in lines).encode(errors="backslashreplace")


def _write_all(fd: int, octets: bytes) -> int:
    view = memoryview(octets)
    while view:
        view = view[os.write(fd, view) :]
    return len(octets)
