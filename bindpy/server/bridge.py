"""Carries requests from the threads that read UDP to the event loop, never more than a fixed number."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.request import Request, RequestHandler
from bindpy.server.tasks import TaskSet

REQUESTS_AT_ONCE = 256

log = logging.getLogger("bindpy.client")


class ControlBridge:
    """The way from UDP threads to a `RequestHandler`.

    At most *limit* requests are waiting or being handled; more are dropped and counted in `dropped`, as a
    client that uses UDP asks again. Made on, and closed on, the event loop's thread.
    """

    def __init__(self, handler: RequestHandler, limit: int = REQUESTS_AT_ONCE) -> None:
        self.dropped = 0
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._tasks = TaskSet(log)
        self._free = threading.BoundedSemaphore(limit)
        self._closed = False
        self._drop_log = RateLimitedLog(log)

    def submit(self, request: Request, send: Callable[[bytes], None]) -> bool:
        """Have *request* handled; *send* is called on the loop with the reply, if any. From any thread.

        Returns False when the request was dropped.
        """
        if not self._free.acquire(blocking=False):
            self.dropped += 1
            self._drop_log.log(
                logging.WARNING,
                "client %s: request dropped: too many requests for the control plane are waiting",
                request.client,
            )
            return False
        try:
            self._loop.call_soon_threadsafe(self._start, request, send)
        except RuntimeError:  # the loop has been closed: we are stopping
            self._free.release()
            return False
        return True

    def _start(self, request: Request, send: Callable[[bytes], None]) -> None:
        if self._closed:
            self._free.release()
            return
        task = self._tasks.spawn(self._answer(request, send), f"request of {request.client}")
        task.add_done_callback(lambda _: self._free.release())

    async def _answer(self, request: Request, send: Callable[[bytes], None]) -> None:
        reply = await self._handler.handle(request)
        assert reply is None or isinstance(reply, bytes), "streams are for TCP"
        if reply is not None:
            send(reply)

    async def close(self) -> None:
        """Cancel what is being handled; what comes later is dropped."""
        self._closed = True
        await self._tasks.close()
