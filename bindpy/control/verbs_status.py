"""Verbs that tell how the server and its zones are."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
from typing import Any

from bindpy import __version__, logs
from bindpy.config.model import TsigKey
from bindpy.control.errors import VerbError
from bindpy.control.registry import Result, runs
from bindpy.control.server import ControlledServer
from bindpy.control.times import http_date, iso
from bindpy.control.verb import Call
from bindpy.control.zone_names import FOUND_NAMES, names_beginning, spread
from bindpy.control.zone_status import bind_text, pdns_line, zone_data, zone_summary
from bindpy.control.zones import error_lines, find_zone, zone_name, zone_of, zones_with_errors
from bindpy.reload.table import ZoneState


@runs("status")
async def status(server: ControlledServer, _call: Call) -> Result:
    """Answer with what BIND's ``status`` says, and our own lines."""
    data = _status(server)
    lines = [
        f"version: bindpy {data['version']}",
        f"running on {data['host']}: {data['system']}",
        f"boot time: {http_date(server.started_at)}",
        f"last configured: {http_date(server.configured_at)}",
        f"configuration file: {data['configuration_file']}",
        f"CPUs found: {data['cpus']}",
        f"worker threads: {data['udp_workers']}",
        f"UDP listeners per interface: {data['udp_workers']}",
        f"number of zones: {data['zones']['total']} (0 automatic)",
        f"debug level: {data['debug_level']}",
        f"xfers running: {data['transfers']['in'] + data['transfers']['out']}",
        f"xfers deferred: {data['transfers']['waiting']}",
        f"soa queries in progress: {data['transfers']['soa_queries']}",
        f"query logging is {'ON' if data['querylog'] else 'OFF'}",
        "recursive clients: 0/0/0",
        f"tcp clients: {data['tcp']['clients']}/{data['tcp']['limit']}",
        f"TCP high-water: {data['tcp']['high_water']}",
    ]
    if server.reloading:
        lines.append(f"reload/reconfig {server.reloading}")
    lines += [
        f"engine: {data['engine']}",
        f"zones with data: {data['zones']['served']}",
        f"zones with errors: {data['zones']['with_errors']}",
        f"zones to be loaded: {data['zones']['loading']}",
        "server is up and running",
    ]
    return Result("\n".join(lines), data)


def _status(server: ControlledServer) -> dict[str, Any]:
    table = server.keeper.table
    activity = server.replication.activity()
    counters = server.listeners.counters()
    states = [entry.state for entry in table]
    return {
        "version": __version__,
        "engine": server.engine.name,
        "host": socket.gethostname(),
        "system": " ".join((platform.system(), platform.machine(), platform.release(), platform.version())),
        "pid": os.getpid(),
        "started_at": iso(server.started_at),
        "configured_at": iso(server.configured_at),
        "configuration_file": server.config.path,
        "reload": server.reloading or None,
        "cpus": os.cpu_count() or 1,
        "udp_workers": server.listeners.udp_workers,
        "debug_level": logs.debug_level(),
        "querylog": server.querylog,
        "listening_on": [str(endpoint) for endpoint in server.listeners.bound().values()],
        "zones": {
            "total": len(table),
            "served": states.count(ZoneState.SERVED),
            "expired": states.count(ZoneState.EXPIRED),
            "waiting": states.count(ZoneState.WAITING),
            "failed": states.count(ZoneState.FAILED),
            "with_errors": len(zones_with_errors(table)),
            "loading": server.keeper.waiting,
        },
        "transfers": {
            "in": activity.transfers,
            "waiting": activity.waiting,
            "soa_queries": activity.questions,
            "out": server.replication.transfers_out,
        },
        "tcp": {
            "clients": counters.tcp_clients,
            "limit": server.config.options.tcp_clients,
            "high_water": counters.tcp_high_water,
        },
    }


@runs("zonestatus")
async def zonestatus(server: ControlledServer, call: Call) -> Result:
    """Answer with what BIND's ``zonestatus`` says; the data has all there is."""
    entry = find_zone(server, call)
    data = await zone_data(server, entry)
    if entry.zone is None:
        raise VerbError("zone not loaded", data["error"] or "", data=data)
    return Result(bind_text(server, entry), data)


@runs("bind-domain-status")
async def bind_domain_status(server: ControlledServer, call: Call) -> Result:
    """Answer with a line for each zone."""
    entries, lines = [], []
    for name in call.many("zone"):
        try:
            entries.append(zone_of(server, name))
        except VerbError as error:
            if error.err != "not found":
                raise
            lines.append(f"{name} no such domain")
    entries = entries if call.many("zone") else list(server.keeper.table)
    text = "\n".join([*(pdns_line(entry) for entry in entries), *lines])
    return Result(text, {"zones": [zone_summary(entry) for entry in entries]})


@runs("list-zones")
async def list_zones(server: ControlledServer, call: Call) -> Result:
    """Answer with a line for each zone."""
    wanted = call.get("type")
    zones = [
        zone_summary(entry)
        for entry in server.keeper.table
        if wanted is None or entry.config.type.value == wanted
    ]
    lines = [" ".join("-" if value is None else str(value) for value in zone.values()) for zone in zones]
    return Result("\n".join(lines), {"zones": zones})


@runs("find-zones")
async def find_zones(server: ControlledServer, call: Call) -> Result:
    """Answer with names, sorted; `data` says how many there are in all."""
    bound = int(call.get("number") or FOUND_NAMES)
    origins = [entry.config.origin for entry in server.keeper.table]
    # In a thread: with 100,000 zones this takes long enough to keep queries waiting.
    names = await asyncio.to_thread(names_beginning, origins, call.get("beginning") or "")
    shown = spread(names, bound)
    return Result("\n".join(shown), {"names": shown, "total": len(names)})


@runs("list-rejects")
async def list_rejects(server: ControlledServer, _call: Call) -> Result:
    """Answer with a line for each zone that has errors."""
    entries = zones_with_errors(server.keeper.table)
    lines = [f"{zone_name(entry)}\t{next(error_lines(entry))}" for entry in entries]
    zones = [
        {**zone_summary(entry), "errors": [error.as_json() for error in entry.errors]} for entry in entries
    ]
    return Result("\n".join(lines), {"zones": zones})


@runs("tsig-list")
async def tsig_list(server: ControlledServer, _call: Call) -> Result:
    """Answer with a line for each view and key, as BIND has it."""
    found: list[tuple[str, TsigKey]] = [
        (view.name, key) for view in server.config.views for key in view.keys.values()
    ]
    lines = [f'view "{view}"; type "static"; key "{key.name.rstrip(".")}";' for view, key in found]
    keys = [{"view": view, "name": key.name, "algorithm": key.algorithm} for view, key in found]
    return Result("\n".join(lines), {"keys": keys})
