"""Serves with the server's own means: a thread for each UDP socket, the event loop for TCP."""

from __future__ import annotations

import asyncio

from bindpy.deferred import dataclass
from bindpy.server.bridge import ControlBridge
from bindpy.server.endpoint import Endpoint
from bindpy.server.service import OnFailure, ServerCounters
from bindpy.server.sockets import BoundSockets
from bindpy.server.tcp import TcpListener
from bindpy.server.tcp_connection import TcpContext
from bindpy.server.udp import UdpWorker


class OwnService:
    """A `bindpy.server.service.Service` in Python, which asks the answerer of *context* for each query."""

    def __init__(self, context: TcpContext, bridge: ControlBridge, on_failure: OnFailure) -> None:
        self._context = context
        self._bridge = bridge
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._served: dict[Endpoint, _Served] = {}

    def serve(self, sockets: BoundSockets) -> None:
        """Serve *sockets*, which are the service's from now on."""
        endpoint = sockets.endpoint
        context = self._context
        workers = [
            UdpWorker(
                sock,
                endpoint,
                context.answerer,
                self._bridge,
                context.tap,
                is_shared=sockets.is_udp_shared,
                on_failure=self._failed_elsewhere,
            )
            for sock in sockets.udp
        ]
        tcp = TcpListener(sockets.tcp, endpoint, context, self._on_failure)
        self._served[endpoint] = _Served(tuple(workers), tcp)
        for worker in workers:
            worker.start()
        tcp.start()

    def _failed_elsewhere(self, endpoint: Endpoint, error: BaseException) -> None:
        """Take the failure of a worker's thread to the event loop."""
        self._loop.call_soon_threadsafe(self._on_failure, endpoint, error)

    async def leave(self, endpoint: Endpoint) -> None:
        """Serve *endpoint* no longer."""
        await self._end([self._served.pop(endpoint)])

    async def close(self) -> None:
        """Leave all endpoints, and end all threads."""
        served, self._served = list(self._served.values()), {}
        await self._end(served)

    @staticmethod
    async def _end(served: list[_Served]) -> None:
        for one in served:
            for worker in one.udp:
                worker.request_stop()
        for one in served:
            for worker in one.udp:
                worker.join()
        for one in served:
            await one.tcp.close()

    def settings_changed(self) -> None:
        """Do nothing: every connection and thread looks for itself."""

    def trouble(self) -> str | None:
        """Return why queries are not answered on some socket, None if all is well."""
        workers = (worker for one in self._served.values() for worker in one.udp)
        return next((found for worker in workers if (found := worker.trouble()) is not None), None)

    def counters(self) -> ServerCounters:
        """Return the sums over all sockets that are open."""
        workers = [worker for one in self._served.values() for worker in one.udp]
        tcp = [one.tcp for one in self._served.values()]
        context = self._context
        return ServerCounters(
            udp_hot_answers=sum(worker.hot_answers for worker in workers),
            udp_answers=sum(worker.answers for worker in workers),
            udp_dropped=sum(worker.dropped for worker in workers),
            udp_control_requests=sum(worker.control_requests for worker in workers),
            udp_control_dropped=self._bridge.dropped,
            udp_receive_errors=sum(worker.receive_errors for worker in workers),
            udp_send_errors=sum(worker.send_errors for worker in workers),
            tcp_answers=context.answers,
            tcp_dropped=context.dropped,
            tcp_control_requests=context.control_requests,
            tcp_accepted=sum(listener.accepted for listener in tcp),
            tcp_refused=sum(listener.refused for listener in tcp),
            tcp_expired=context.expired,
            tcp_clients=len(context.table),
            tcp_high_water=context.table.high_water,
        )


@dataclass(frozen=True, slots=True)
class _Served:
    udp: tuple[UdpWorker, ...]
    tcp: TcpListener
