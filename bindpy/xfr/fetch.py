"""Getting a version of a zone from one primary: IXFR where it can be had, AXFR otherwise, told in the log."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
import time
from concurrent.futures import Executor

from bindpy.config.model import TransferSettings
from bindpy.deferred import dataclass
from bindpy.engine import Zone, Zones
from bindpy.filter.script import NO_SCRIPT, FilterError, LuaFilter
from bindpy.xfr.client import transfer
from bindpy.xfr.failure import Stage, XferFailure
from bindpy.xfr.incoming import Incoming, Limits, Style
from bindpy.xfr.peers import Primary
from bindpy.xfr.report import OnBegin, TransferReport
from bindpy.zone.diff import Delta
from bindpy.zone.names import Name
from bindpy.zone.records import RRType

log = logging.getLogger("bindpy.xfer-in")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of which zone; ``label`` names it in logs.

    ``base`` is the version that an IXFR may start from, None: only the whole zone will do. A version older
    than ``least_serial`` is not taken; ``newer_than_base`` says that the primary has told of a newer one.
    """

    label: str
    origin: Name
    rdclass: int
    base: Zone | None
    least_serial: int | None
    newer_than_base: bool
    max_records: int
    settings: TransferSettings
    script: str | None = None  # lua-axfr-script
    on_begin: OnBegin | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A version that came whole; it is ``Wish.base`` itself where ``style`` is `Style.CURRENT`."""

    zone: Zone
    style: Style
    serial: int  # as the primary sent it
    filtered_by: bytes  # the digest of the script
    report: TransferReport
    deltas: tuple[Delta, ...] = ()
    """What made it of ``Wish.base``; nothing where it came whole."""

    @property
    def how(self) -> str:
        """For people: "AXFR" or "IXFR"."""
        return self.style.value


async def fetch(primary: Primary, wish: Wish, executor: Executor, zones: Zones) -> Received:
    """Return what *primary* has, by IXFR and, on any trouble with that, by AXFR. Raises `XferFailure`."""
    primary.check_key()
    base = wish.base if wish.script is None else None  # what a filter made is no base for IXFR
    if base is not None and primary.request_ixfr:
        try:
            received = await _transfer(primary, wish, executor, zones, base)
        except XferFailure as failure:
            if failure.stage is Stage.CONNECT:
                raise
            log.info(
                "transfer of '%s' from %s: IXFR failed, trying AXFR: %s", wish.label, primary.text, failure
            )
        else:
            if received.style is not Style.CURRENT or not wish.newer_than_base:
                return received
            log.info(
                "transfer of '%s' from %s: IXFR brought no change though the SOA did, trying AXFR",
                wish.label,
                primary.text,
            )
    return await _transfer(primary, wish, executor, zones, None)


async def _transfer(
    primary: Primary, wish: Wish, executor: Executor, zones: Zones, base: Zone | None
) -> Received:
    ended = threading.Event()
    try:
        return await _filtered_transfer(primary, wish, executor, zones, base=base, ended=ended)
    finally:
        ended.set()  # a script that runs on in its thread, because we were cancelled, stops soon


async def _filtered_transfer(
    primary: Primary,
    wish: Wish,
    executor: Executor,
    zones: Zones,
    *,
    base: Zone | None,
    ended: threading.Event,
) -> Received:
    record_filter = await _load_filter(primary, wish, executor, ended)
    incoming = Incoming(
        wish.origin,
        wish.rdclass,
        RRType.AXFR if base is None else RRType.IXFR,
        zones=zones,
        base=base,
        least_serial=wish.least_serial,
        limits=Limits(max_records=wish.max_records),
        record_filter=record_filter,
    )
    if wish.on_begin is not None:
        wish.on_begin(primary.text, incoming)
    started = time.monotonic()

    def connected(local: str) -> None:
        signed = f" TSIG {primary.key.name.rstrip('.')}" if primary.key is not None else ""
        log.info("transfer of '%s' from %s: connected using %s%s", wish.label, primary.text, local, signed)

    try:
        zone = await transfer(
            primary.remote,
            incoming,
            key=primary.key,
            source=primary.source,
            settings=wish.settings,
            executor=executor,
            tsig_start=zones.tsig_start,
            on_connected=connected,
        )
    except XferFailure as failure:
        log.error("transfer of '%s' from %s: Transfer status: failed: %s", wish.label, primary.text, failure)
        raise
    finally:
        if record_filter is not None:
            _log_script(wish, record_filter)
    assert incoming.style is not None, "complete without having begun"
    report = TransferReport.of(primary.text, incoming, time.monotonic() - started)
    log_success(wish, report, incoming.style)
    digest = record_filter.digest if record_filter is not None else NO_SCRIPT
    return Received(zone, incoming.style, incoming.serial, digest, report, tuple(incoming.deltas))


async def _load_filter(
    primary: Primary, wish: Wish, executor: Executor, ended: threading.Event
) -> LuaFilter | None:
    """Return the zone's filter, fresh for one transfer. Raises `XferFailure` where it cannot be used."""
    if wish.script is None:
        return None
    load = functools.partial(
        LuaFilter,
        wish.script,
        primary.remote.address,
        wish.origin,
        wish.rdclass,
        is_abandoned=ended.is_set,
    )
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, load)
    except FilterError as error:
        log.error("transfer of '%s' from %s: not begun: %s", wish.label, primary.text, error)
        raise XferFailure(Stage.FILTER, f"was not asked for the zone: {error}").about(primary.text) from None


def _log_script(wish: Wish, record_filter: LuaFilter) -> None:
    for line in record_filter.log_lines():
        log.info("zone %s: %s: %s", wish.label, record_filter.path, line)
    for record in record_filter.ignored:
        log.warning("zone %s: %s: left out %s, not in the zone", wish.label, record_filter.path, record)


def log_success(wish: Wish, report: TransferReport, style: Style) -> None:
    """Say that a transfer went well."""
    rate = round(report.octets / report.seconds) if report.seconds > 0 else 0
    status = "up to date" if style is Style.CURRENT else "success"
    log.info("transfer of '%s' from %s: Transfer status: %s", wish.label, report.primary, status)
    log.info(
        "transfer of '%s' from %s: Transfer completed: %d messages, %d records, %d bytes, %.3f secs "
        "(%d bytes/sec) (serial %d)",
        wish.label,
        report.primary,
        report.messages,
        report.records,
        report.octets,
        report.seconds,
        rate,
        report.serial,
    )
