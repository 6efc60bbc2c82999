"""The registry of verbs: what each does, by whatever way a command comes.

A verb has an entry in the catalogue, and is one function in a module ``verbs_*.py`` of this package::

    @runs("refresh")
    async def refresh(server: ControlledServer, call: Call) -> Result: ...

Its arguments are read as the catalogue says, the channels carry them, and the documentation is made from it.
"""

from __future__ import annotations

import functools
import importlib
import logging
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import bindpy.control
from bindpy.control import words
from bindpy.control.catalogue import find_verb, verbs
from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job
from bindpy.control.server import ControlledServer
from bindpy.control.verb import Call, Caller, Kind
from bindpy.deferred import dataclass

log = logging.getLogger("bindpy.general")

MAX_LOGGED = 500
"""How many characters of a command are logged."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command came to: ``text`` in BIND's words, ``data`` as JSON values for programs.

    ``job`` is work that goes on after the answer. ``then`` is to be called once the answer is on its way, or
    cannot be sent: a server that is told to stop still says so.
    """

    text: str = ""
    data: Mapping[str, Any] | None = None
    job: Job | None = None
    then: Callable[[], None] | None = None


Run: TypeAlias = Callable[[ControlledServer, Call], Awaitable[Result]]

_registered: dict[str, Run] = {}


def runs(name: str) -> Callable[[Run], Run]:
    """Register the decorated function as what the verb *name* does."""

    def register(run: Run) -> Run:
        assert name in verbs(), f"{name} is not in the catalogue"
        assert name not in _registered, f"two functions for {name}"
        _registered[name] = run
        return run

    return register


@functools.cache
def all_runs() -> Mapping[str, Run]:
    """Return what each verb does, by its name."""
    for module in pkgutil.iter_modules(bindpy.control.__path__, "bindpy.control."):
        if module.name.startswith("bindpy.control.verbs_"):
            importlib.import_module(module.name)
    return _registered


async def execute(server: ControlledServer, line: str, who: Caller, *, read_only: bool) -> Result:
    """Do what *line* says; *read_only*: only if it changes nothing.

    Raises `VerbError`, and nothing else whatever the line: a fault of ours is logged and becomes one.
    """
    name = words.first_word(line)
    found = find_verb(name)
    if found is None and not name:
        raise VerbError("failure", "there is no command")
    if read_only and (found is None or found.changes):
        log.info("rejecting restricted control channel command '%s' (%s)", _shown(line), who)
        raise VerbError("failure", "this control channel is read-only")
    log.log(
        logging.INFO if found is None or found.changes else logging.DEBUG,
        "received control channel command '%s' (%s)",
        _shown(line),
        who,
    )
    if found is None:
        raise VerbError("unknown command")
    with_config = any(one.kind is Kind.CONFIG for one in found.parameters)
    call = found.read(words.split(line, with_config=with_config), who)
    try:
        return await all_runs()[found.name](server, call)
    except VerbError:
        raise
    except Exception as error:
        log.exception("control channel command '%s': fault in bindpy; please report it", _shown(line))
        raise VerbError("failure", "a fault in bindpy; its log says more") from error


def _shown(line: str) -> str:
    text = line.strip()
    return text if len(text) <= MAX_LOGGED else f"{text[:MAX_LOGGED]}…"
