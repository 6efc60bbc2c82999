"""Verbs about the server as a process."""

from __future__ import annotations

import os
import time

from bindpy import __version__
from bindpy.control.errors import VerbError
from bindpy.control.registry import Result, runs
from bindpy.control.server import ControlledServer
from bindpy.control.times import duration_text, iso
from bindpy.control.verb import Call
from bindpy.host import UnusableError


@runs("ping")
async def ping(_server: ControlledServer, _call: Call) -> Result:
    """Answer."""
    return Result("PONG", {"pong": True})


@runs("null")
async def null(_server: ControlledServer, _call: Call) -> Result:
    """Answer with nothing."""
    return Result()


@runs("version")
async def version(_server: ControlledServer, _call: Call) -> Result:
    """Answer with our version."""
    return Result(f"bindpy {__version__}", {"version": __version__})


@runs("uptime")
async def uptime(server: ControlledServer, _call: Call) -> Result:
    """Answer with the time since the start."""
    seconds = max(0, round(time.time() - server.started_at))
    return Result(f"up {duration_text(seconds)}", {"uptime_s": seconds, "started_at": iso(server.started_at)})


@runs("stop")
async def stop(server: ControlledServer, call: Call) -> Result:
    """Stop once the answer is on its way."""
    return _ending(server, call, at_once=False)


@runs("halt")
async def halt(server: ControlledServer, call: Call) -> Result:
    """Stop once the answer is on its way, and wait for nothing."""
    return _ending(server, call, at_once=True)


def _ending(server: ControlledServer, call: Call, *, at_once: bool) -> Result:
    why = f"by command ({call.who})"
    text = f"pid: {os.getpid()}" if call.has("-p") else ""
    return Result(text, {"pid": os.getpid()}, then=lambda: server.stop(why, at_once=at_once))


@runs("scan")
async def scan(server: ControlledServer, _call: Call) -> Result:
    """Listen on what there is now."""
    try:
        await server.scan()
    except UnusableError as error:
        raise VerbError("failure", "\n".join(error.lines())) from error
    return Result()
