"""Where a zone statement stands, for the checks: its view, what it inherits, what all views share."""

from __future__ import annotations

from dataclasses import field

from bindpy.config.check_acls import AclChecks
from bindpy.config.check_keys import KeyTable
from bindpy.config.check_remotes import RemoteLists
from bindpy.config.check_report import Report, token
from bindpy.config.class_and_type import class_number
from bindpy.config.tree import Statement
from bindpy.deferred import dataclass
from bindpy.zone.names import Key


@dataclass(slots=True)
class FileUse:
    """Who uses a zone file, and whether the server writes it."""

    statement: Statement
    written: bool


@dataclass(slots=True, eq=False)
class Shared:
    """What the zones of all views have in common. ``options`` is what that statement says, by keyword."""

    report: Report
    acls: AclChecks
    remotes: RemoteLists
    policies: frozenset[str]
    options: dict[str, Statement]
    files: dict[str, FileUse] = field(default_factory=dict)
    seen_in_views: set[tuple[str, Key]] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Scope:
    """The place that zones stand in: a view, or the file itself (then ``view`` is "", ``settings`` empty)."""

    view: str
    rdclass: int
    settings: dict[str, Statement]
    keys: KeyTable
    zones: dict[tuple[str, Key], Statement] = field(default_factory=dict)
    served: set[Key] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class PlacedZone:
    """A zone statement with a type: ``kind`` is today's word for it, ``inner`` what it says, by keyword."""

    statement: Statement
    name: Key
    kind: str
    inner: dict[str, Statement]
    scope: Scope
    shared: Shared

    def inherited(self, keyword: str) -> Statement | None:
        """Return the statement that holds for the zone: its own, else its view's, else that of options."""
        found = self.inner.get(keyword)
        if found is None:
            found = self.scope.settings.get(keyword)
        return found if found is not None else self.shared.options.get(keyword)


def written_class(statement: Statement) -> int | None:
    """Return the class after the name of a zone or view; None where it is none, or in quotes."""
    item = token(statement, 2)
    if item is None or item.quoted:
        return None
    return class_number(item.text)
