"""Verbs of BIND that are about what this server does not do: it resolves nothing and signs nothing.

What scripts call to be on the safe side (``flush``) succeeds, since the outcome is what they want: there is
nothing in a cache. What would leave an operator with a wrong belief fails, and says why.
"""

from __future__ import annotations

from bindpy.control.catalogue import NO_CACHE, NOT_HERE
from bindpy.control.errors import VerbError
from bindpy.control.registry import Result, Run, runs
from bindpy.control.server import ControlledServer
from bindpy.control.verb import Call


def _refusing(why: str) -> Run:
    async def refuse(_server: ControlledServer, _call: Call) -> Result:
        raise VerbError("not implemented", why)

    return refuse


async def _nothing(_server: ControlledServer, _call: Call) -> Result:
    return Result()


for _name in NO_CACHE:
    runs(_name)(_nothing)
for _why, _names in NOT_HERE.items():
    for _name in _names:
        runs(_name)(_refusing(_why))
