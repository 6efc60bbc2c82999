"""Verbs about what is logged."""

from __future__ import annotations

import logging

from bindpy import logs
from bindpy.control.catalogue import ON
from bindpy.control.registry import Result, runs
from bindpy.control.server import ControlledServer
from bindpy.control.verb import Call

log = logging.getLogger("bindpy.general")

MAX_LEVEL = 99


@runs("querylog")
async def querylog(server: ControlledServer, call: Call) -> Result:
    """Switch the query log."""
    switch = call.get("switch")
    server.querylog = switch in ON if switch is not None else not server.querylog
    return Result(data={"querylog": server.querylog})


@runs("trace")
async def trace(_server: ControlledServer, call: Call) -> Result:
    """Raise the debug level."""
    level = call.get("level")
    return Result(data=_set_level(int(level) if level is not None else logs.debug_level() + 1))


@runs("notrace")
async def notrace(_server: ControlledServer, _call: Call) -> Result:
    """Set the debug level to 0."""
    return Result(data=_set_level(0))


@runs("loglevel")
async def loglevel(_server: ControlledServer, call: Call) -> Result:
    """Set the debug level where one is given, and answer with it."""
    level = call.get("level")
    data = _set_level(int(level)) if level is not None else {"debug_level": logs.debug_level()}
    return Result(f"debug level is {data['debug_level']}", data)


def _set_level(level: int) -> dict[str, int]:
    logs.set_debug_level(min(level, MAX_LEVEL))
    log.info("debug level is now %d", logs.debug_level())
    return {"debug_level": logs.debug_level()}
