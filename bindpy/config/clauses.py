"""The clause table: named.conf's names by place, what their values look like, what we do with them.

The rows are in `clauses_options` (options, view, zone) and `clauses_blocks` (everything else, and what BIND
had once); `clause_table` puts them together. ``docs/statements.md`` is made from it.
"""

from __future__ import annotations

import enum

from bindpy.deferred import dataclass

ZONE_TYPE_LETTERS = {
    "p": "primary",
    "s": "secondary",
    "m": "mirror",
    "h": "hint",
    "r": "redirect",
    "u": "stub",
    "t": "static-stub",
    "f": "forward",
    "d": "delegation-only",
    "i": "in-view",
    "n": "native",
}
"""The letters of `Clause.types`."""

PLACES = {"o": "options", "v": "view", "z": "zone"}

ALIASES = {"masters": "primaries"}
"""Old spellings of clause names, and today's."""

ANYTHING = "<any_value>"
"""The notation of a value that is not looked at."""


class Status(enum.Enum):
    """What bindpy does with a clause. The value is how the docs say it."""

    SUPPORTED = "supported"
    NO_EFFECT = "no effect here"
    NOT_YET = "not supported yet"
    REMOVED = "removed from BIND"


@dataclass(frozen=True, slots=True)
class Clause:
    """One name in one context.

    ``value`` is the notation of what follows the name, a block that is a context of its own (``body``) aside.
    ``types`` are zone type letters, "" where there is no such rule. ``security`` marks settings whose absence
    an operator must hear about. ``deprecated`` is BIND's word; ``since`` is the BIND version that brought the
    name, where 9.18 does not have it.
    """

    name: str
    where: str
    value: str
    status: Status
    types: str = ""
    body: str = ""
    multi: bool = False
    security: bool = False
    deprecated: bool = False
    silent: tuple[str, ...] = ()
    since: str = ""

    def zone_types(self) -> tuple[str, ...]:
        """Return the zone types that take this clause; empty: no rule."""
        return tuple([ZONE_TYPE_LETTERS[letter] for letter in self.types])
