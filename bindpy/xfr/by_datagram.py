"""IXFR by UDP (RFC 1995): one question and its answer in place of a SOA query, a connection and a transfer.

A server that has more to send than a datagram holds, or that sends no deltas by UDP, answers with its SOA: so
the one question tells no less than a SOA query would. Only primaries with a key are asked like this: to forge
an answer that is not signed takes guessing an ID and a port, and who can forge a NOTIFY may try as often as
they like.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import Executor

from bindpy.deferred import dataclass
from bindpy.engine import Zone, Zones
from bindpy.filter.script import NO_SCRIPT
from bindpy.xfr.client import QueryTiming, query
from bindpy.xfr.failure import XferFailure
from bindpy.xfr.fetch import Received, Wish, log_success
from bindpy.xfr.incoming import Incoming, Limits
from bindpy.xfr.peers import Primary
from bindpy.xfr.report import TransferReport
from bindpy.xfr.soaquery import EDNS_OCTETS, PrimaryVersion
from bindpy.zone.records import RRType

log = logging.getLogger("bindpy.xfer-in")

ONCE = QueryTiming(udp_s=1.0, udp_attempts=1)
"""A server that ignores such questions costs no more than this, and seldom."""
SMALL_RECORDS = 2000
"""Up to so many records the next version is made at once: asking a worker thread for it takes longer."""


@dataclass(frozen=True, slots=True)
class DatagramAnswer:
    """What a primary said: its version, and the zone where that came with it."""

    version: PrimaryVersion
    received: Received | None


def can_be_asked(primary: Primary, wish: Wish) -> bool:
    """Return whether *primary* may be asked by UDP for what leads on from ``wish.base``."""
    by_udp = primary.key is not None and primary.request_ixfr and primary.edns and not primary.tcp_only
    return by_udp and wish.base is not None and wish.script is None


async def ask_by_datagram(primary: Primary, wish: Wish, executor: Executor, zones: Zones) -> DatagramAnswer:
    """Ask *primary* once for what leads on from ``wish.base``.

    Raises `XferFailure`, which says no more than that it has to be asked in another way.
    """
    assert wish.base is not None, "see can_be_asked"
    incoming = Incoming(
        wish.origin,
        wish.rdclass,
        RRType.IXFR,
        zones=zones,
        base=wish.base,
        least_serial=wish.least_serial,
        limits=Limits(max_records=wish.max_records),
    )
    if wish.on_begin is not None:
        wish.on_begin(primary.text, incoming)
    started = time.monotonic()
    message = incoming.request(0, edns_payload_octets=EDNS_OCTETS, expire=primary.request_expire)
    answer = await query(
        primary.remote, message, key=primary.key, source=primary.source, udp_only=True, timing=ONCE
    )
    try:
        is_whole = incoming.feed_only(answer)
        zone = await _result(incoming, wish.base, executor) if is_whole else None
    except XferFailure as failure:
        raise failure.about(primary.text) from None
    version = PrimaryVersion(
        incoming.serial, frozenset(), answer.edns.expire_s if answer.edns is not None else None
    )
    if zone is None or zone is wish.base:
        return DatagramAnswer(version, None)
    assert incoming.style is not None, "complete without having begun"
    report = TransferReport.of(primary.text, incoming, time.monotonic() - started)
    log_success(wish, report, incoming.style)
    received = Received(zone, incoming.style, incoming.serial, NO_SCRIPT, report, tuple(incoming.deltas))
    return DatagramAnswer(version, received)


async def _result(incoming: Incoming, base: Zone, executor: Executor) -> Zone:
    if base.rr_count <= SMALL_RECORDS:
        return incoming.result()
    return await asyncio.get_running_loop().run_in_executor(executor, incoming.result)
