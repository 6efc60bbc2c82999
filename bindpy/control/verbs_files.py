"""Verbs that write what the server knows to a file, where BIND's tools look for it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job, Progress
from bindpy.control.registry import Result, runs
from bindpy.control.server import ControlledServer
from bindpy.control.stats import counters, statistics_text
from bindpy.control.verb import Call
from bindpy.control.zones import in_words
from bindpy.engine import Zone, Zones
from bindpy.replacing import ReplaceError, reason, replacing
from bindpy.zone.names import to_text
from bindpy.zone.rdata import class_to_text

STATISTICS_FILE = "named.stats"
DUMP_FILE = "named_dump.db"
"""Names in ``directory`` where named.conf has none, as in BIND."""

_FILE_MODE = 0o644
_PIECES = 1000
"""How many pieces of text are written at a time."""


@runs("stats")
async def stats(server: ControlledServer, call: Call) -> Result:
    """Write the counters, or show them."""
    found = counters(server)
    text = statistics_text(found, int(time.time()))
    if call.has("-show"):
        return Result(text.rstrip("\n"), found)
    options = server.config.options
    path = options.statistics_file or str(Path(options.directory) / STATISTICS_FILE)
    try:
        await asyncio.to_thread(_append, path, text)
    except OSError as error:
        raise VerbError("failure", reason(f"cannot write {path}", error)) from error
    return Result(data={**found, "file": path})


def _append(path: str, text: str) -> None:
    # Whoever may write into the directory must not have us write to another place.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, _FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)


@runs("dumpdb")
async def dumpdb(server: ControlledServer, call: Call) -> Result:
    """Write the data that is served."""
    options = server.config.options
    path = Path(options.dump_file or str(Path(options.directory) / DUMP_FILE))
    views = [view.name for view in server.config.views]
    for name in call.many("view"):
        if name not in views:
            raise VerbError("not found", f"no matching view '{name}'")
    wanted = [] if call.has("-cache") else list(call.many("view") or views)
    served = [
        (entry.config.view, entry.zone)
        for entry in server.keeper.table
        if entry.zone is not None and entry.config.view in wanted
    ]

    async def work(job: Job) -> str:
        job.report(Progress(0, len(served), "zones"))
        ended = threading.Event()
        try:
            await asyncio.to_thread(_dump, path, server.engine.zones, wanted, served, ended)
        except ReplaceError as error:
            raise VerbError("failure", str(error)) from error
        finally:
            ended.set()
        job.report(Progress(len(served), len(served), "zones"))
        return f"{in_words(len(served), 'zone')} in {path}"

    job = server.jobs.start(f"dump to {path}", work)
    return Result(data={"file": str(path), "zones": len(served)}, job=job)


def _dump(
    path: Path, zones: Zones, views: list[str], served: list[tuple[str, Zone]], ended: threading.Event
) -> None:
    """Write the zones; nobody waits for it any more when *ended* is set. Raises `ReplaceError`."""
    with replacing(path.resolve()) as file, os.fdopen(file.descriptor, "wb", closefd=False) as out:
        for number, piece in enumerate(_dump_text(zones, views, served)):
            if number % _PIECES == 0 and ended.is_set():
                return
            out.write(piece.encode("ascii"))
        out.flush()
        file.commit()


def _dump_text(zones: Zones, views: Iterable[str], served: list[tuple[str, Zone]]) -> Iterator[str]:
    for view in views:
        yield f";\n; Start view {view}\n;\n"
        for zone in (zone for name, zone in served if name == view):
            label = f"{to_text(zone.origin).rstrip('.') or '.'}/{class_to_text(zone.rdclass)}"
            yield ";\n"
            yield from zones.text(zone, (f"Zone dump of '{label}'", ""))
    yield "; Dump complete\n"
