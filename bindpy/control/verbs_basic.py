"""Verbs about the server as a process."""

from __future__ import annotations

from bindpy import __version__
from bindpy.control.registry import Call, Result, verb
from bindpy.control.server import ControlledServer


@verb("ping", aliases=("rping",), changes=False, help="Say that the server is there.")
async def ping(_server: ControlledServer, _call: Call) -> Result:
    """Answer."""
    return Result("PONG", {"pong": True})


@verb("version", changes=False, help="Say which version of bindpy is running.")
async def version(_server: ControlledServer, _call: Call) -> Result:
    """Answer with our version."""
    return Result(f"bindpy {__version__}", {"version": __version__})
