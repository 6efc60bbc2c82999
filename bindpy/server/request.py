"""What passes between the sockets and the handler of everything that is no plain query."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from bindpy.answer.policy import Transport
from bindpy.server.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Request:
    """One message as it came: its octets, who sent it, to which of our addresses (no port), and how."""

    packet: bytes
    client: Endpoint
    local: str
    transport: Transport


Reply: TypeAlias = bytes | AsyncIterator[bytes] | None
"""One message, several (a transfer), or none."""


class RequestHandler(Protocol):
    """Answers what an Answerer calls `Outcome.NOT_MINE`. Runs on the event loop."""

    async def handle(self, request: Request) -> Reply:
        """Return the reply to *request*. Each message is a whole one, at most 65,535 octets.

        May be cancelled at any await, also while its iterator is read: the client went away or the server
        stops. Over TCP the iterator is read only as fast as the client reads.
        """


async def replies(handler: RequestHandler, request: Request) -> AsyncIterator[bytes]:
    """Yield the messages of the reply to *request*; an iterator is closed however the reading ends."""
    reply = await handler.handle(request)
    if reply is None:
        return
    if isinstance(reply, bytes):
        yield reply
        return
    close = getattr(reply, "aclose", None)
    if close is None:
        async for message in reply:
            yield message
        return
    async with aclosing(reply):  # type: ignore[type-var]  # it has aclose: seen above
        async for message in reply:
            yield message
