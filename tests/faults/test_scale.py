"""Thousands of secondary zones without data at a start: no flood at the primary, and answers keep coming."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

import psutil
import pytest

from bindpy.xfr.wire import read_message
from bindpy.zone import names
from bindpy.zone.records import RR, RRType
from tests.e2e.daemon import Daemon, options, zone_text
from tests.faults.primary import Action, FaultyPrimary
from tests.support.ports import LOOPBACK, free_port
from tests.support.transfers import AXFR, message

ZONES = int(os.environ.get("BINDPY_SCALE_ZONES", "2000"))
RATE_PER_S = 150
"""serial-query-rate: at the default of 20 the test would last for minutes."""
TRANSFERS_IN = 20
NOTICED_LATE = 5
HOLD_S = 0.2
"""How long the primary thinks about each transfer: the quota of transfers is what limits them then, not that
of queries, by which there would be ``RATE_PER_S * HOLD_S`` at a time."""
UNTIL_TRANSFERRED = ZONES // 2
"""After so many zones the server is stopped, in the midst of it."""
JITTER_S = 1.0
"""Queries that were sent in turn may be read by us, on a busy machine, in a bunch of so many seconds."""
BURST_S = 0.25
PLAIN_QUERIES_PER_S = 100
MAX_DESCRIPTORS = 200
MAX_MEMORY_OCTETS = (120 << 20) + ZONES * (40 << 10)
PATIENCE_S = UNTIL_TRANSFERRED / RATE_PER_S * 2 + 30


class Primary(FaultyPrimary):
    """A primary of all zones. ``asked_at`` are the moments of SOA queries for zones not asked for before."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.asked_at: dict[bytes, float] = {}
        self.sent: set[bytes] = set()
        self.most_at_once = self._at_once = 0

    def _answer(self, request: bytes, over_tcp: bool) -> Iterable[Action]:
        asked = read_message(request)
        assert asked.question is not None
        origin, qtype = asked.question.name, asked.question.rtype
        host = names.from_text("ns.example.")
        soa = RR(origin, RRType.SOA, 60, host + host + struct.pack("!5I", 1, 3600, 900, 604800, 60))
        question = (origin, qtype, 1)
        if qtype == RRType.SOA:
            self.asked_at.setdefault(origin, time.monotonic())
            return [message([soa], message_id=asked.id, question=question)]
        assert over_tcp
        assert qtype == AXFR
        self.sent.add(origin)
        records = [soa, RR(origin, RRType.NS, 60, host), RR(origin, RRType.TXT, 60, b"\1x"), soa]
        return [message(records, message_id=asked.id, question=question)]

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await super()._connection(reader, writer)
        finally:
            self._at_once -= 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(HOLD_S)
        await super()._serve(reader, writer)

    def most_queries_within(self, seconds: float) -> int:
        """Return how many zones were asked for in the busiest *seconds*."""
        moments = sorted(self.asked_at.values())
        most = first = 0
        for last, moment in enumerate(moments):
            while moment - moments[first] > seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


class Plain(asyncio.DatagramProtocol):
    """A client of a zone that is served all the time: each query once, and when its answer came."""

    def __init__(self, port: int) -> None:
        self._server = (LOOPBACK, port)
        self.sent_at: dict[int, float] = {}
        self.waits: dict[int, float] = {}
        self.bad: list[bytes] = []
        self.late_s = 0.0
        """For how long at most this process, of which the primary is a part, had to wait for a processor."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, _: object) -> None:
        number = int.from_bytes(data[:2])
        self.waits[number] = time.monotonic() - self.sent_at[number]
        if data[3] & 15 or not data[7]:
            self.bad.append(data)

    async def run(self) -> None:
        tail = names.from_text("www.plain.") + struct.pack("!HH", RRType.A, 1)
        while True:
            number = len(self.sent_at)
            self.sent_at[number] = time.monotonic()
            head = struct.pack("!6H", number, 0, 1, 0, 0, 0)
            self._transport.sendto(head + tail, self._server)
            await asyncio.sleep(1 / PLAIN_QUERIES_PER_S)
            self.late_s = max(self.late_s, time.monotonic() - self.sent_at[number])


async def until(condition: Callable[[], bool], within_s: float, what: Callable[[], str]) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, what()
        await asyncio.sleep(0.02)


@pytest.mark.timeout(PATIENCE_S + 300)
def test_a_start_with_thousands_of_zones_without_data(tmp_path: Path) -> None:
    server = Daemon(tmp_path, free_port())
    (tmp_path / "plain.db").write_text(zone_text())

    async def steps() -> None:
        async with Primary() as primary:
            quick = f"serial-query-rate {RATE_PER_S}; transfers-in {TRANSFERS_IN}; transfers-per-ns 100;"
            primaries = f"primaries {{ {LOOPBACK} port {primary.remote.port}; }};"
            zones = "".join(
                f'zone "s{i}.example" {{ type secondary; file "s{i}.db"; {primaries} }};\n'
                for i in range(ZONES)
            )
            plain = 'zone "plain" { type primary; file "plain.db"; };\n'
            (tmp_path / "named.conf").write_text(options(server.port, f"notify no; {quick}") + plain + zones)
            server.start()
            try:
                await watched(primary)
            finally:
                assert server.process is not None
                server.process.kill()
                server.process.wait()

    async def watched(primary: Primary) -> None:
        assert server.process is not None
        await until(lambda: "loaded serial 1" in server.log or bool(primary.asked_at), 30, lambda: server.log)
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(
            lambda: Plain(server.port), local_addr=(LOOPBACK, 0)
        )
        asking = asyncio.create_task(client.run())
        process = psutil.Process(server.process.pid)
        most_descriptors = most_octets = 0

        def far_enough() -> bool:
            nonlocal most_descriptors, most_octets
            most_descriptors = max(most_descriptors, process.num_fds())
            most_octets = max(most_octets, process.memory_info().rss)
            return len(primary.sent) >= UNTIL_TRANSFERRED

        began = time.monotonic()
        await until(far_enough, PATIENCE_S, lambda: f"{len(primary.sent)} transfers\n{server.log[-2000:]}")
        seconds = time.monotonic() - began
        asking.cancel()
        await until(lambda: len(client.waits) == len(client.sent_at), 10, lambda: "plain queries were lost")
        server.process.send_signal(signal.SIGTERM)
        stopping = time.monotonic()
        await until(lambda: server.process is not None and server.process.poll() is not None, 20, lambda: "")
        waits = sorted(client.waits.values())
        print(
            f"{ZONES} zones: {len(primary.asked_at)} asked for, {len(primary.sent)} sent in {seconds:.1f} s, "
            f"at most {primary.most_queries_within(1)} queries in a second, {primary.most_at_once} transfers "
            f"at once; {len(waits)} plain queries, p50 {waits[len(waits) // 2] * 1000:.1f} ms, p99 "
            f"{waits[len(waits) * 99 // 100] * 1000:.1f} ms, worst {waits[-1] * 1000:.1f} ms; "
            f"{most_descriptors} descriptors, {most_octets >> 20} MiB; "
            f"stopped within {time.monotonic() - stopping:.2f} s"
        )
        transport.close()
        assert server.process.returncode == 0, server.log[-4000:]
        assert not client.bad
        jitter_s = max(JITTER_S, 2 * client.late_s)
        assert primary.most_queries_within(1) <= RATE_PER_S * (1 + BURST_S + jitter_s)
        assert len(primary.asked_at) <= RATE_PER_S * (seconds + BURST_S + jitter_s), "faster than allowed"
        # A connection that the server has closed may be noticed after the next one was accepted.
        assert TRANSFERS_IN <= primary.most_at_once <= TRANSFERS_IN * 2, (
            "other transfers at once than allowed"
        )
        assert most_descriptors <= MAX_DESCRIPTORS + RATE_PER_S * client.late_s
        assert most_octets <= MAX_MEMORY_OCTETS

    asyncio.run(steps())
    assert "Traceback" not in server.log
    assert server.log.rstrip().endswith(f"no longer listening on {LOOPBACK}#{server.port}")
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".s")]
    stored = [path for path in tmp_path.iterdir() if path.name.startswith("s") and path.suffix == ".db"]
    assert len(stored) >= UNTIL_TRANSFERRED - TRANSFERS_IN
