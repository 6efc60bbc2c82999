"""Verbs about named.conf and zone files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from bindpy.config.model import ZoneType
from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job
from bindpy.control.registry import Result, runs
from bindpy.control.replication import start_refresh
from bindpy.control.server import ControlledServer
from bindpy.control.times import iso
from bindpy.control.verb import Call
from bindpy.control.zones import (
    error_lines,
    find_zone,
    first_errors,
    in_words,
    zone_name,
    zone_of,
    zones_with_errors,
)
from bindpy.host import UnusableError
from bindpy.reload.queue import Loading
from bindpy.reload.table import ZoneEntry

WAIT_S = 2.0
"""How long an answer waits for zones to be loaded; those that take longer are "queued"."""
WAIT_NOW_S = 50.0
"""The same where somebody wants to know; rndc waits for a minute."""

_REREADING = "server reload queued"
_FROZEN = """\
WARNING: The zone was already frozen.
Someone else may be editing it or it may still be re-loading."""
_THAWED = "The zone reload and thaw was successful."
_THAWING = "A zone reload and thaw was started.\nCheck the logs to see the result."


@runs("reload")
async def reload(server: ControlledServer, call: Call) -> Result:
    """Reload all, or one zone."""
    if call.has("zone"):
        return await _reload_zone(server, find_zone(server, call))
    return await _reread(server, server.reload, "server reload successful")


async def _reread(server: ControlledServer, reread: Callable[[], Awaitable[Job]], text: str) -> Result:
    """Have named.conf reread; answer with *text* and with what is wrong in zones that are loaded by then.

    Where that takes too long for whoever waits, as for a named.conf of very many zones, the answer comes
    before it is done.
    """
    before = {entry.id for entry in server.keeper.table}
    in_force = asyncio.Event()
    loading: Job | None = None

    async def work(job: Job) -> str:
        nonlocal loading
        try:
            loading = await reread()
        except UnusableError as error:
            raise VerbError("failure", "\n".join(error.lines())) from error
        finally:
            in_force.set()
        async for progress in loading.follow():
            job.report(progress)
        if loading.error is not None:
            raise loading.error
        return loading.text

    job = server.jobs.start("reading of named.conf", work)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(in_force.wait(), WAIT_NOW_S)
    if not in_force.is_set():
        return Result(_REREADING, job=job)
    await job.wait(WAIT_S)
    if loading is None and job.error is not None:
        raise job.error
    after = {entry.id for entry in server.keeper.table}
    data = {"zones": len(after), "new": len(after - before), "removed": len(before - after)}
    if job.error is not None:
        text = f"{text}\n{job.error.text}".strip()
    return Result(text, data, job)


async def _reload_zone(server: ControlledServer, entry: ZoneEntry) -> Result:
    if entry.config.type is ZoneType.SECONDARY:
        return Result("zone refresh queued", {"zone": zone_name(entry)}, start_refresh(server, entry))
    job, became = await _load(server, entry, WAIT_S)
    match became:
        case None:
            text = "zone reload queued"
        case Loading.CURRENT:
            text = "zone reload up-to-date"
        case _:
            text = "zone reload successful"
    serial = entry.zone.serial if entry.zone is not None else None
    return Result(text, {"zone": zone_name(entry), "serial": serial}, job)


async def _load(
    server: ControlledServer, entry: ZoneEntry, wait_s: float, *, force: bool = False, thaw: bool = False
) -> tuple[Job, Loading | None]:
    """Load a zone; return what came of it, None when that takes longer. Raises `VerbError`."""
    became: Loading | None = None

    async def work(_job: Job) -> str:
        nonlocal became
        keeper = server.keeper
        became = await (_thaw(server, entry) if thaw else keeper.load(entry.id, force=force))
        return _ended(server.keeper.table.get(entry.id), became)

    job = server.jobs.start(f"loading of zone {entry.label}", work)
    await job.wait(wait_s)
    if job.error is not None:
        raise job.error
    return job, became


async def _thaw(server: ControlledServer, entry: ZoneEntry) -> Loading:
    """Follow the zone's file again, and its primaries."""
    became = await server.keeper.thaw(entry.id)
    server.replication.resume(entry.id)
    return became


def _ended(entry: ZoneEntry | None, became: Loading) -> str:
    """Return what a load came to, for people. Raises `VerbError` where it failed."""
    if entry is None:
        raise VerbError("not found", "the zone is not configured any more")
    if became is Loading.FAILED:
        lines = list(error_lines(entry))
        if entry.zone is not None and not entry.expired:
            lines.append(f"zone {entry.label}: still serving serial {entry.zone.serial}")
        raise VerbError("failure", "\n".join(lines))
    if entry.zone is None:
        return f"zone {entry.label}: has no data yet"
    return f"zone {entry.label}: serial {entry.zone.serial}, {in_words(entry.zone.rr_count, 'record')}"


@runs("reload-now")
async def reload_now(server: ControlledServer, call: Call) -> Result:
    """Read the files of some zones."""
    entries = [zone_of(server, name) for name in call.many("zone")]
    loads = [_load(server, entry, WAIT_NOW_S, force=True) for entry in entries]
    outcomes = await asyncio.gather(*loads, return_exceptions=True)
    lines, failed = [], False
    for entry, outcome in zip(entries, outcomes, strict=True):
        if isinstance(outcome, VerbError):
            failed = True
            lines.append(f"{zone_name(entry)}: \t[rejected] {outcome.text}")
        elif isinstance(outcome, BaseException):
            raise outcome
        elif outcome[1] is None:
            lines.append(f"{zone_name(entry)}: \tis being parsed")
        else:
            lines.append(f"{zone_name(entry)}: \tparsed into memory at {iso(entry.loaded_at)}")
    if failed:
        raise VerbError("failure", "\n".join(lines))
    return Result("\n".join(lines), {"zones": [zone_name(entry) for entry in entries]})


@runs("reconfig")
async def reconfig(server: ControlledServer, _call: Call) -> Result:
    """Take over named.conf."""
    return await _reread(server, server.reconfig, "")


@runs("rediscover")
async def rediscover(server: ControlledServer, _call: Call) -> Result:
    """Take over named.conf, and count."""
    result = await _reread(server, server.reconfig, "")
    if result.data is None:
        return result
    counts = f"{result.data['new']} new, {result.data['removed']} removed"
    text = f"Done parsing domains, {len(zones_with_errors(server.keeper.table))} rejected, {counts}"
    return Result(f"{text}\n{result.text}".strip(), result.data, result.job)


# --- zones that people edit in peace --------------------------------------------------------------


@runs("freeze")
async def freeze(server: ControlledServer, call: Call) -> Result:
    """Leave files alone."""
    if not call.has("zone"):
        for entry in [one for one in server.keeper.table if not one.frozen]:
            await server.keeper.freeze(entry.id)
        return Result()
    entry = find_zone(server, call)
    if entry.frozen:
        raise VerbError("already frozen", _FROZEN)
    await server.keeper.freeze(entry.id)
    return Result(data={"zone": zone_name(entry), "frozen": True})


@runs("thaw")
async def thaw(server: ControlledServer, call: Call) -> Result:
    """Load what was edited in peace."""
    if not call.has("zone"):
        return await _thaw_all(server)
    entry = find_zone(server, call)
    if not entry.frozen:
        return Result()
    job, became = await _load(server, entry, WAIT_S, thaw=True)
    return Result(_THAWING if became is None else _THAWED, {"zone": zone_name(entry), "frozen": False}, job)


async def _thaw_all(server: ControlledServer) -> Result:
    entries = [entry for entry in server.keeper.table if entry.frozen]

    async def work(_job: Job) -> str:
        await asyncio.gather(*(_thaw(server, entry) for entry in entries))
        failed = [entry for entry in entries if entry.errors]
        if failed:
            raise VerbError("failure", first_errors(failed))
        return in_words(len(entries), "zone")

    job = server.jobs.start("thawing of all zones", work)
    await job.wait(WAIT_S)
    if job.error is not None:
        raise job.error
    return Result(data={"zones": len(entries)}, job=job)


@runs("sync")
async def sync(server: ControlledServer, call: Call) -> Result:
    """Confirm that files are current; discard deltas with ``-clean``."""
    entries = [find_zone(server, call)] if call.has("zone") else list(server.keeper.table)
    if call.has("-clean"):
        await server.replication.discard_journal([entry.id for entry in entries])
    return Result(data={"zones": len(entries)})
