"""Verbs about other servers: to be asked, to be told."""

from __future__ import annotations

from bindpy.config.model import RemoteServer, ZoneType
from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job, Progress
from bindpy.control.registry import Result, runs
from bindpy.control.replication import start_refresh
from bindpy.control.server import ControlledServer
from bindpy.control.verb import Call
from bindpy.control.zones import find_zone, zone_name, zone_of
from bindpy.reload.table import ZoneEntry, ZoneState
from bindpy.xfr.notify_exchange import NotNotifiedError
from bindpy.xfr.targets import is_notifying
from bindpy.zone.names import BadNameError, from_text, to_text

DNS_PORT = 53


@runs("refresh")
async def refresh(server: ControlledServer, call: Call) -> Result:
    """Ask the primaries."""
    entry = find_zone(server, call)
    if entry.config.type is not ZoneType.SECONDARY:
        raise VerbError("failure", "not a secondary, mirror, or stub zone")
    return Result("zone refresh queued", {"zone": zone_name(entry)}, start_refresh(server, entry))


@runs("retransfer")
async def retransfer(server: ControlledServer, call: Call) -> Result:
    """Transfer the whole zone."""
    entry = find_zone(server, call)
    if entry.config.type is not ZoneType.SECONDARY:
        kind = entry.config.type.value
        raise VerbError("failure", f"retransfer: inappropriate zone type: {kind}")
    return Result("", {"zone": zone_name(entry)}, start_refresh(server, entry, whole=True))


@runs("notify")
async def notify(server: ControlledServer, call: Call) -> Result:
    """Send NOTIFYs, also to those who have acknowledged the serial."""
    if call["zone"] == "*":
        return Result("zone notify queued", {"zones": _notify_all(server)})
    entry = find_zone(server, call)
    _check_data(entry)
    if not is_notifying(entry.config):
        raise VerbError("failure", "nobody is told: the zone is native, or its notify statement says so")
    server.replication.notify(entry.id)
    return Result("zone notify queued", {"zone": zone_name(entry)})


def _notify_all(server: ControlledServer) -> int:
    """Tell of all zones, as fast as ``notify-rate`` allows; return of how many."""
    told = [
        entry
        for entry in server.keeper.table
        if is_notifying(entry.config) and server.replication.notify(entry.id)
    ]
    return len(told)


@runs("notify-host")
async def notify_host(server: ControlledServer, call: Call) -> Result:
    """Send a NOTIFY to any server."""
    entry = zone_of(server, call["zone"], view=call.get("view"))
    _check_data(entry)
    host, _, port_text = call["host"].partition("#")
    port = _port(port_text or call.get("port") or str(DNS_PORT))
    to = RemoteServer(host, port, _key(call.get("key")))

    async def work(job: Job) -> str:
        job.report(Progress(text=f"looking for {host}"))
        try:
            reached = await server.replication.notify_host(entry.id, to)
        except NotNotifiedError as error:
            raise VerbError("failure", str(error)) from error
        return f"acknowledged by {', '.join(reached)}"

    job = server.jobs.start(f"NOTIFY of zone {entry.label} to {host}", work)
    return Result("zone notify queued", {"zone": zone_name(entry), "host": host, "port": port}, job)


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 0 < port < 65536:
        raise VerbError("not a valid number", f"'{text}' is no port")
    return port


def _key(text: str | None) -> str:
    """Return a key's name as the configuration has it, "" for none."""
    if text is None or text == "-":
        return ""
    try:
        return to_text(from_text(text).lower())
    except BadNameError as error:
        raise VerbError("bad name", f"'{text}': {error}") from error


def _check_data(entry: ZoneEntry) -> None:
    if entry.state is not ZoneState.SERVED:
        raise VerbError("zone not loaded", f"zone {entry.label} has nothing to tell of: {entry.state.value}")
