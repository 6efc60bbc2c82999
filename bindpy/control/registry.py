"""The registry of verbs: what can be told to the server, by whatever way a command comes.

A verb is one function in a module ``verbs_*.py`` of this package::

    @verb("refresh", ZONE, CLASS, VIEW, help="Ask the zone's primaries at once.", changes=True)
    async def refresh(server: ControlledServer, call: Call) -> Result: ...

The registry reads its arguments, the channels carry them, and the documentation is made from it.
"""

from __future__ import annotations

import enum
import functools
import importlib
import logging
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import bindpy.control
from bindpy.control import words
from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job
from bindpy.control.server import ControlledServer

log = logging.getLogger("bindpy.general")

MAX_LOGGED = 500
"""How many characters of a command are logged."""


class Kind(enum.Enum):
    """What a parameter is: for its completion, and for the checks that the registry makes."""

    ZONE = "zone"
    CLASS = "class"
    VIEW = "view"
    HOST = "host"
    NUMBER = "number"
    WORD = "word"
    FLAG = "flag"
    CONFIG = "config"  # configuration text in braces, to the end of the line


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a verb; ``many``: all words that are left. ``choices`` are the words that it takes."""

    name: str
    kind: Kind
    optional: bool = False
    many: bool = False
    choices: tuple[str, ...] = ()


ZONE = Parameter("zone", Kind.ZONE)
OPTIONAL_ZONE = Parameter("zone", Kind.ZONE, optional=True)
CLASS = Parameter("class", Kind.CLASS, optional=True)
VIEW = Parameter("view", Kind.VIEW, optional=True)


def flag(name: str) -> Parameter:
    """Return the parameter for a word like ``-clean``, which may stand anywhere."""
    return Parameter(name, Kind.FLAG, optional=True)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who gave a command: ``channel`` is how ("rndc", "socket"), ``peer`` from where, ``key`` as whom."""

    channel: str
    peer: str = ""
    key: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.channel, self.peer, self.key) if part)


@dataclass(frozen=True, slots=True)
class Call:
    """A command that was read: ``words`` are all after the verb, ``raw`` is their text as it came.

    ``arguments`` has the value of each parameter that was given, by its name; a flag's is the flag itself.
    """

    words: tuple[str, ...]
    raw: str
    who: Caller
    arguments: Mapping[str, str | tuple[str, ...]]

    def get(self, name: str) -> str | None:
        """Return the argument *name*, None where it was not given."""
        value = self.arguments.get(name)
        return value if isinstance(value, str) else None

    def __getitem__(self, name: str) -> str:
        value = self.arguments[name]
        assert isinstance(value, str), f"{name} takes many words"
        return value

    def many(self, name: str) -> tuple[str, ...]:
        """Return the words of *name*, a parameter that takes many."""
        value = self.arguments.get(name, ())
        assert isinstance(value, tuple), f"{name} takes one word"
        return value

    def has(self, name: str) -> bool:
        """Return whether *name*, a flag or an optional parameter, was given."""
        return name in self.arguments


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


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb; ``changes`` says that it does more than tell, so a channel that only reads refuses it."""

    name: str
    aliases: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    help: str
    changes: bool
    run: Run

    @property
    def usage(self) -> str:
        """The verb with its parameters, as in ``reload [ZONE [CLASS [VIEW]]]``."""
        text, still_open = self.name, 0
        for one in sorted(self.parameters, key=lambda one: one.kind is not Kind.FLAG):
            if one.kind is Kind.FLAG:
                text += f" [{one.name}]"
                continue
            shown = "|".join(one.choices) if one.choices else one.name.upper()
            shown = f"{{ {shown} }}" if one.kind is Kind.CONFIG else shown
            shown += "…" if one.many else ""
            if one.optional:
                text, still_open = f"{text} [{shown}", still_open + 1
            else:
                text, still_open = f"{text}{']' * still_open} {shown}", 0
        return text + "]" * still_open

    def read(self, line: words.Line, who: Caller) -> Call:
        """Return the call that *line* is. Raises `VerbError`: what is needed is missing, or there is more."""
        arguments: dict[str, str | tuple[str, ...]] = {}
        flags = {one.name for one in self.parameters if one.kind is Kind.FLAG}
        left = []
        for word in line.words:
            if word.lower() in flags:
                arguments[word.lower()] = word.lower()
            else:
                left.append(word)
        for one in self.parameters:
            if one.kind is Kind.FLAG:
                continue
            if one.kind is Kind.CONFIG:
                if line.config:
                    arguments[one.name] = line.config
            elif one.many:
                arguments[one.name] = tuple(left)
                left.clear()
            elif left:
                arguments[one.name] = _checked(one, left.pop(0))
            if not one.optional and not arguments.get(one.name):
                raise VerbError("unexpected end of input", f"usage: {self.usage}")
        if left:
            raise VerbError("extra input text", f"'{left[0]}' is too much; usage: {self.usage}")
        return Call(line.words, line.rest, who, arguments)


def _checked(parameter: Parameter, word: str) -> str:
    if parameter.choices and word.lower() not in parameter.choices:
        raise VerbError("failure", f"'{word}' is none of: {', '.join(parameter.choices)}")
    if parameter.kind is Kind.NUMBER and not (word.isascii() and word.isdigit() and len(word) < 10):
        raise VerbError("not a valid number", f"'{word}' is not a number")
    return word.lower() if parameter.choices else word


_registered: dict[str, Verb] = {}


def verb(
    name: str, *parameters: Parameter, help: str, changes: bool = True, aliases: tuple[str, ...] = ()
) -> Callable[[Run], Run]:
    """Register the decorated function as the verb *name*."""

    def register(run: Run) -> Run:
        assert name not in _registered, f"two verbs are called {name}"
        _registered[name] = Verb(name, aliases, parameters, help, changes, run)
        return run

    return register


@functools.cache
def verbs() -> Mapping[str, Verb]:
    """Return every verb by its name, in alphabetical order."""
    for module in pkgutil.iter_modules(bindpy.control.__path__, "bindpy.control."):
        if module.name.startswith("bindpy.control.verbs_"):
            importlib.import_module(module.name)
    return dict(sorted(_registered.items()))


@functools.cache
def _by_word() -> Mapping[str, Verb]:
    return {word: one for one in verbs().values() for word in (one.name, *one.aliases)}


def find_verb(word: str) -> Verb | None:
    """Return the verb that *word*, in any case, is a name of."""
    return _by_word().get(word.lower())


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
        return await found.run(server, call)
    except VerbError:
        raise
    except Exception as error:
        log.exception("control channel command '%s': fault in bindpy; please report it", _shown(line))
        raise VerbError("failure", "a fault in bindpy; its log says more") from error


def _shown(line: str) -> str:
    text = line.strip()
    return text if len(text) <= MAX_LOGGED else f"{text[:MAX_LOGGED]}…"
