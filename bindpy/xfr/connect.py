"""Sockets towards another server, and what goes wrong with them in words."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading

from bindpy.config.model import ANY_SOURCE, RemoteServer, SourceAddress
from bindpy.xfr.failure import Stage, XferFailure

_RECEIVE_OCTETS = 256 * 1024


def peer_text(remote: RemoteServer) -> str:
    """Return *remote* as logs name it: ``192.0.2.1#53``."""
    return f"{remote.address}#{remote.port}"


def open_socket(remote: RemoteServer, source: SourceAddress, kind: socket.SocketKind) -> socket.socket:
    """Return a non-blocking socket of *kind* for talking to *remote*, bound to *source*.

    The port of *source* is for UDP alone, as in BIND; where it is in use, the kernel chooses another one:
    better than not to ask at all. Raises `XferFailure`.
    """
    family = socket.AF_INET6 if ":" in remote.address else socket.AF_INET
    try:
        sock = socket.socket(family, kind)
    except OSError as e:
        raise _failed(e) from None
    try:
        sock.setblocking(False)
        if source != ANY_SOURCE:
            _bind(sock, source)
    except OSError as e:
        sock.close()
        what = f"cannot be asked from {source.address or 'any address'}: {_reason(e)}"
        raise XferFailure(Stage.CONNECT, what) from None
    return sock


def _bind(sock: socket.socket, source: SourceAddress) -> None:
    address = source.address or ("::" if sock.family == socket.AF_INET6 else "0.0.0.0")
    port = source.port if sock.type == socket.SOCK_DGRAM else 0
    try:
        sock.bind((address, port))
    except OSError as e:
        if e.errno != errno.EADDRINUSE or not port:
            raise
        sock.bind((address, 0))


def open_udp(remote: RemoteServer, source: SourceAddress) -> socket.socket:
    """Return a UDP socket that only talks to *remote*. Raises `XferFailure`."""
    sock = open_socket(remote, source, socket.SOCK_DGRAM)
    try:
        sock.connect((remote.address, remote.port))
    except OSError as e:
        sock.close()
        raise _failed(e) from None
    return sock


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _failed(error: OSError) -> XferFailure:
    return XferFailure(Stage.CONNECT, f"cannot be reached: {_reason(error)}")


class TcpStream:
    """A TCP connection that carries whole messages (RFC 1035 section 4.2.2). A context manager."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self._closing = threading.Lock()  # a descriptor that somebody reads from must not become another one

    @classmethod
    async def open(cls, remote: RemoteServer, source: SourceAddress, timeout_s: float) -> TcpStream:
        """Connect. Raises `XferFailure`."""
        sock = open_socket(remote, source, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(timeout_s):
                await asyncio.get_running_loop().sock_connect(sock, (remote.address, remote.port))
        except TimeoutError:
            sock.close()
            detail = f"did not accept a TCP connection within {timeout_s:g} s"
            raise XferFailure(Stage.CONNECT, detail) from None
        except ConnectionRefusedError:
            sock.close()
            raise XferFailure(Stage.CONNECT, "refused the TCP connection") from None
        except OSError as e:
            sock.close()
            raise _failed(e) from None
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    @property
    def local(self) -> str:
        """Our end of it, as logs name it."""
        address, port = self._sock.getsockname()[:2]
        return f"{address}#{port}"

    def __enter__(self) -> TcpStream:
        return self

    def __exit__(self, *_: object) -> None:
        with self._closing:
            self._sock.close()

    async def send(self, message: bytes) -> None:
        """Send one message. Raises OSError."""
        framed = len(message).to_bytes(2) + message
        await asyncio.get_running_loop().sock_sendall(self._sock, framed)

    async def receive(self) -> int:
        """Wait until octets have come and return their number, 0 at the end. Raises OSError."""
        octets = await asyncio.get_running_loop().sock_recv(self._sock, _RECEIVE_OCTETS)
        self._buffer += octets
        return len(octets)

    def receive_now(self) -> int:
        """Take what has come, in any thread while nobody awaits `receive`; 0 for nothing. Raises OSError."""
        with self._closing:
            try:
                octets = self._sock.recv(_RECEIVE_OCTETS)
            except BlockingIOError:
                return 0
        self._buffer += octets
        return len(octets)

    def messages(self) -> list[bytes]:
        """Take out the messages that have come whole."""
        buffer = self._buffer
        out: list[bytes] = []
        at = 0
        while at + 2 <= len(buffer):
            end = at + 2 + (buffer[at] << 8 | buffer[at + 1])
            if end > len(buffer):
                break
            out.append(bytes(buffer[at + 2 : end]))
            at = end
        del buffer[:at]
        return out

    @property
    def is_inside_message(self) -> bool:
        """Whether the peer began a message that is not complete."""
        return bool(self._buffer)
