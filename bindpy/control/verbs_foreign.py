"""Verbs of BIND that are about what this server does not do: it resolves nothing and signs nothing.

What scripts call to be on the safe side (``flush``) succeeds, since the outcome is what they want: there is
nothing in a cache. What would leave an operator with a wrong belief fails, and says why.
"""

from __future__ import annotations

from bindpy.control.errors import VerbError
from bindpy.control.registry import Call, Kind, Parameter, Result, Run, verb
from bindpy.control.server import ControlledServer

_WORDS = Parameter("words", Kind.WORD, optional=True, many=True)

_NO_CACHE = ("flush", "flushname", "flushtree")
_NO_RESOLVER = ("managed-keys", "nta", "recursing", "secroots", "serve-stale", "validation")
_NO_SIGNER = ("dnssec", "loadkeys", "sign", "signing")
_NO_DNSTAP = ("dnstap", "dnstap-reopen")
_BY_CONFIGURATION = ("tcp-timeouts",)


def _refusing(why: str) -> Run:
    async def refuse(_server: ControlledServer, _call: Call) -> Result:
        raise VerbError("not implemented", why)

    return refuse


async def _nothing(_server: ControlledServer, _call: Call) -> Result:
    return Result()


for _name in _NO_CACHE:
    verb(_name, _WORDS, changes=False, help="Nothing to do: an authoritative server has no cache.")(_nothing)
for _name in _NO_RESOLVER:
    _why = "bindpy is not a resolver"
    verb(_name, _WORDS, changes=False, help=f"Not here: {_why}.")(_refusing(_why))
for _name in _NO_SIGNER:
    _why = "bindpy serves zones with the signatures that their files hold, and makes none"
    verb(_name, _WORDS, changes=False, help=f"Not here: {_why}.")(_refusing(_why))
for _name in _NO_DNSTAP:
    _why = "there is no dnstap; see querylog"
    verb(_name, _WORDS, changes=False, help=f"Not here: {_why}.")(_refusing(_why))
for _name in _BY_CONFIGURATION:
    _why = "named.conf says them, and reconfig takes them over"
    verb(_name, _WORDS, changes=False, help=f"Not here: {_why}.")(_refusing(_why))
