"""The other end of the local control socket, for the command line: plain calls that wait."""

from __future__ import annotations

import errno
import json
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bindpy.control.errors import FAILURE, VerbError
from bindpy.control.socket_path import address, opened_directory
from bindpy.control.socket_peer import Peer
from bindpy.control.socket_protocol import Request, write_request
from bindpy.diagnostics import BindpyError

TIMEOUT_S = 60.0
"""The longest silence: a server that is there says something every few seconds while one waits."""
_MAX_REPLY_OCTETS = 1 << 30

Reply = Mapping[str, Any]


class NoServerError(BindpyError):
    """Nobody answers on the socket; the text says why and what to do."""


class LostServerError(BindpyError):
    """The server went away, or fell silent, before it had answered."""


class SocketClient:
    """A connection to the running server at *path*. Raises `NoServerError`.

    *timeout_s* is the longest silence of the server that is waited through.
    """

    def __init__(self, path: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._path = path
        self._number = 0
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with opened_directory(path) as directory:
                # A socket with a timeout of Python's would not wait while the server has its hands full.
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(timeout_s))
                self._sock.connect(address(path, directory))
            self._sock.settimeout(timeout_s)
        except OSError as error:
            self._sock.close()
            raise NoServerError(_why_not(path, error)) from error
        self._lines = self._sock.makefile("rb")

    def server_pid(self) -> int:
        """Return the process id of the server. Raises `OSError`."""
        return Peer.of(self._sock).pid

    def request(self, command: str, *, wait: bool = False) -> Iterator[Reply]:
        """Yield the server's replies to *command*, as docs/ctl.md has them; the last is of type ``result``.

        Raises `VerbError` when the server says that it was not done, `LostServerError`.
        """
        self._number += 1
        try:
            self._sock.sendall(write_request(Request(command, wait, self._number)))
        except TimeoutError:
            raise LostServerError(f"the server at {self._path} does not take the command") from None
        except OSError:
            pass  # it has closed; what it said before that says why
        while True:
            reply = self._read()
            if reply.get("type") == "error":
                code = int(reply.get("code", FAILURE))
                raise VerbError(str(reply["error"]), str(reply["text"]), code, data=reply.get("data"))
            yield reply
            if reply.get("type") == "result":
                return

    def ask(self, command: str) -> Reply:
        """Return the server's answer to *command*. Raises as `request` does."""
        *_, last = self.request(command)
        return last

    def _read(self) -> Reply:
        try:
            line = self._lines.readline(_MAX_REPLY_OCTETS)
        except TimeoutError:
            raise LostServerError(
                f"the server at {self._path} is there but does not answer; its log may say why"
            ) from None
        except OSError as error:
            raise LostServerError(f"lost the server at {self._path}: {error.strerror}") from error
        try:
            reply = json.loads(line)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            raise LostServerError(f"the server at {self._path} ended before it had answered")
        return reply

    def close(self) -> None:
        """Close the connection; what the server was told to do goes on."""
        self._lines.close()
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _timeval(seconds: float) -> bytes:
    """Return *seconds* as the kernel wants them."""
    return struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))


def _why_not(path: str, error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return (
            f"no server is running here: there is no control socket '{path}'; start one with 'bindpy serve', "
            "or name its configuration with -c, or its socket with --socket"
        )
    if error.errno == errno.ECONNREFUSED and not Path(path).is_socket():
        return f"'{path}' is no socket; name the server's configuration with -c, or its socket with --socket"
    if error.errno == errno.ECONNREFUSED:
        return (
            f"no server is running: control socket '{path}' was left behind by one that ended without "
            "cleaning up; start it again, that replaces the file"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"permission denied: control socket '{path}' is another user's; run this as that user or as "
            'root, or let a group in with control-socket "PATH" group "NAME"'
        )
    if error.errno == errno.EAGAIN:
        return f"the server at '{path}' does not accept connections; its log may say why"
    return f"cannot connect to control socket '{path}': {error.strerror or error}"
