"""A client of rndc's channel: what BIND's rndc does, and whatever else a test wants to send."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Self

from bindpy.config.model import TsigKey
from bindpy.control.rndc_codec import Table, Value, open_body, signed_frame
from bindpy.diagnostics import SourceSpan

SECRET = b"secret-secret-secret-1234"
TIMEOUT_S = 20.0


def rndc_key(algorithm: str = "hmac-sha256", secret: bytes = SECRET, name: str = "rndc-key.") -> TsigKey:
    """Return a key."""
    return TsigKey(name, algorithm, secret, SourceSpan("test"))


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply: ``err`` is None when the command was done."""

    result: int
    err: str | None
    text: str


def request_table(
    command: str | None,
    *,
    serial: int = 1,
    now: int | None = None,
    nonce: int | None = None,
    control: Table | None = None,
) -> Table:
    """Return a request as rndc sends it; entries of *control* replace those of ``_ctrl``."""
    now = int(time.time()) if now is None else now
    ctrl: Table = {b"_ser": b"%d" % serial, b"_tim": b"%d" % now, b"_exp": b"%d" % (now + 60)}
    if nonce is not None:
        ctrl[b"_nonce"] = b"%d" % nonce
    data: Table = {} if command is None else {b"type": command.encode()}
    return {b"_ctrl": ctrl | (control or {}), b"_data": data}


class RndcClient:
    """One connection; a context manager. *address* is a host and a port, or the path of a socket."""

    serials = 0  # of all clients, so that no message of this process is a replay by accident

    def __init__(self, address: tuple[str, int] | str, key: TsigKey) -> None:
        self.key = key
        self.nonce: int | None = None
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(TIMEOUT_S)
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(address, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def open(self) -> Self:
        """Fetch the nonce."""
        self.ask("null")
        assert self.nonce is not None
        return self

    def ask(self, command: str) -> Reply:
        """Send *command* and return the reply. Raises `ConnectionError` when the server closes instead."""
        self.send(command)
        return self.receive()

    def send(self, command: str, *, control: Table | None = None) -> bytes:
        """Send *command*, return the frame."""
        RndcClient.serials += 1
        frame = signed_frame(
            request_table(command, serial=RndcClient.serials, nonce=self.nonce, control=control), self.key
        )
        self.sock.sendall(frame)
        return frame

    def receive(self) -> Reply:
        """Return the next reply, its signature checked."""
        body = self._octets(int.from_bytes(self._octets(4)))
        _, table = open_body(body, [self.key])
        control, data = _table(table[b"_ctrl"]), _table(table[b"_data"])
        self.nonce = int(_octets(control[b"_nonce"]))
        err = data.get(b"err")
        return Reply(
            int(_octets(data[b"result"])),
            None if err is None else _octets(err).decode(),
            _octets(data.get(b"text", b"")).decode(),
        )

    def is_closed(self) -> bool:
        """Wait for the server to close; whether it did so without a word."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True

    def _octets(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            more = self.sock.recv(count - len(received))
            if not more:
                raise ConnectionResetError("the server closed the connection")
            received += more
        return received


def _table(value: Value) -> Table:
    assert isinstance(value, dict)
    return value


def _octets(value: Value) -> bytes:
    assert isinstance(value, bytes)
    return value
