"""A verb: what it is called, what it takes, and how a line that says it is read.

Nothing here needs a server, so a command line that only says a verb starts at once.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from bindpy.control import words
from bindpy.control.errors import VerbError
from bindpy.deferred import dataclass


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


class Group(enum.Enum):
    """What a verb is about; the value is the heading that it stands under."""

    SERVER = "Server"
    ZONES = "Zones"
    FILES = "Configuration and zone files"
    TRANSFERS = "Transfers and notifications"
    LOGGING = "Logging"
    FOREIGN = "Of BIND, with nothing to do here"


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
class Verb:
    """A verb; ``changes`` says that it does more than tell, so a channel that only reads refuses it."""

    name: str
    aliases: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    help: str
    changes: bool
    group: Group = Group.SERVER

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
