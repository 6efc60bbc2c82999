"""What passes between the sockets and the handler of everything that is no plain query."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol, TypeAlias

from bindpy.answer.policy import Transport
from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError
from bindpy.server.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Request:
    """One message as it came: its octets, who sent it, to which of our addresses, how, and to which port.

    ``port`` is 0 where it is not known any more.
    """

    packet: bytes
    client: Endpoint
    local: str
    transport: Transport
    port: int = 0


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request whose signature was found good, and taken off, or that has none.

    ``key`` is the name of the key that signed it, None for an unsigned one. The reply is signed by whoever
    checked the request: each of its messages has to leave ``reserved_octets`` of its size limit free.
    """

    packet: bytes
    client: Endpoint
    local: str
    transport: Transport
    key: str | None = None
    reserved_octets: int = 0
    port: int = 0

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the keys that it was signed with, as address match lists take them."""
        return () if self.key is None else (self.key,)


@dataclass(frozen=True, slots=True)
class Stream:
    """A reply of several messages, for TCP. ``time_s`` is how long all of it may take.

    ``idle_s`` is how long the client may go without reading. A client that exceeds either is disconnected.
    An iterator that raises `BrokenStreamError` disconnects the client, too.
    """

    messages: AsyncGenerator[bytes, None]
    time_s: float
    idle_s: float


class BrokenStreamError(BindpyError):
    """A stream cannot go on; whoever raises it has logged why."""


Reply: TypeAlias = bytes | Stream | None
"""One message, several (a transfer), or none."""


class RequestHandler(Protocol):
    """Answers what an Answerer calls `Outcome.NOT_MINE`. Runs on the event loop."""

    async def handle(self, request: Request) -> Reply:
        """Return the reply to *request*. Each message is a whole one, at most 65,535 octets.

        May be cancelled at any await: the client went away or the server stops. A stream, which only a
        request over TCP may get, is read only as fast as the client reads, and is always closed.
        """
