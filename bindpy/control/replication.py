"""Refreshes that commands begin, as work that can be followed."""

from __future__ import annotations

import asyncio
import contextlib

from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job, Progress
from bindpy.control.server import ControlledServer
from bindpy.reload.table import ZoneEntry
from bindpy.xfr.report import TransferReport
from bindpy.xfr.secondary import SecondaryStatus

PROGRESS_EVERY_S = 0.2
"""How often those who follow a transfer are told how far it is."""


def start_refresh(server: ControlledServer, entry: ZoneEntry, *, whole: bool = False) -> Job:
    """Have the primaries of a secondary zone asked, or with *whole* the zone transferred whatever its serial.

    Raises `VerbError`: the zone is frozen.
    """
    if entry.frozen:
        raise VerbError("failure", f"zone {entry.label} is frozen: thaw it first")
    replication = server.replication
    end = replication.next_end(entry.id)
    if end is None or not replication.refresh(entry.id, whole=whole):
        raise VerbError("not found", f"zone {entry.label} is no secondary zone any more")

    async def follow(job: Job) -> str:
        while not end.done():
            status = replication.status(entry.id).secondary
            if status is not None:
                job.report(_progress(status))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(end), PROGRESS_EVERY_S)
        status = replication.status(entry.id).secondary
        if status is None:
            raise VerbError("not found", f"zone {entry.label} is no secondary zone any more")
        return _ended(entry, status, job)

    return server.jobs.start(f"{'transfer' if whole else 'refresh'} of zone {entry.label}", follow)


def _progress(status: SecondaryStatus) -> Progress:
    if status.under_way is not None:
        coming = status.under_way
        text = f"{coming.records} records from {coming.primary}"
        return Progress(coming.octets, None, "bytes", text)
    return Progress(text="asking the primaries" if status.is_refreshing else "waiting for its turn")


def _ended(entry: ZoneEntry, status: SecondaryStatus, job: Job) -> str:
    """Return what became of a refresh. Raises `VerbError` where it failed."""
    transfer = status.transfer
    if transfer is not None and transfer.ended_at >= job.started_at:
        job.report(Progress(transfer.octets, transfer.octets, "bytes", f"{transfer.records} records"))
        text = transfer_text(transfer)
    else:
        text = f"{status.primary} has nothing newer than serial {status.serial}"
    if status.trouble:
        raise VerbError("failure", f"zone {entry.label}: {status.trouble}")
    return f"zone {entry.label}: {text}"


def transfer_text(transfer: TransferReport) -> str:
    """Return a transfer for people: what came from where."""
    return (
        f"serial {transfer.serial} from {transfer.primary} by {transfer.how}: {transfer.messages} messages, "
        f"{transfer.records} records, {transfer.octets} bytes, {transfer.seconds:.3f} s"
    )
