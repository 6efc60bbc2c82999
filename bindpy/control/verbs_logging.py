"""Verbs about what is logged."""

from __future__ import annotations

import logging

from bindpy import logs
from bindpy.control.registry import Call, Kind, Parameter, Result, verb
from bindpy.control.server import ControlledServer

log = logging.getLogger("bindpy.general")

MAX_LEVEL = 99
_ON = ("on", "yes", "true", "1")
_OFF = ("off", "no", "false", "0")
_LEVEL = Parameter("level", Kind.NUMBER, optional=True)


@verb(
    "querylog",
    Parameter("switch", Kind.WORD, optional=True, choices=(*_ON, *_OFF)),
    help="Log queries, or do not; without a word, the other of the two. A reload leaves it as it is.",
)
async def querylog(server: ControlledServer, call: Call) -> Result:
    """Switch the query log."""
    switch = call.get("switch")
    server.querylog = switch in _ON if switch is not None else not server.querylog
    return Result(data={"querylog": server.querylog})


@verb("trace", _LEVEL, help="Log debug messages up to a level; without one, up to one level more than now.")
async def trace(_server: ControlledServer, call: Call) -> Result:
    """Raise the debug level."""
    level = call.get("level")
    return Result(data=_set_level(int(level) if level is not None else logs.debug_level() + 1))


@verb("notrace", help="Log no debug messages.")
async def notrace(_server: ControlledServer, _call: Call) -> Result:
    """Set the debug level to 0."""
    return Result(data=_set_level(0))


@verb("loglevel", _LEVEL, help="Set the debug level (0: no debug messages) and say what it is.")
async def loglevel(_server: ControlledServer, call: Call) -> Result:
    """Set the debug level where one is given, and answer with it."""
    level = call.get("level")
    data = _set_level(int(level)) if level is not None else {"debug_level": logs.debug_level()}
    return Result(f"debug level is {data['debug_level']}", data)


def _set_level(level: int) -> dict[str, int]:
    logs.set_debug_level(min(level, MAX_LEVEL))
    log.info("debug level is now %d", logs.debug_level())
    return {"debug_level": logs.debug_level()}
