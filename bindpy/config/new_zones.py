"""Zone statements that the server itself keeps: of ``rndc addzone``, and of zones that autoprimaries brought.

They are in files of their own, one for each view, and are read as if they stood in that view.
"""

# os.path says no where pathlib raises: a name that is too long, links in a loop.
# ruff: noqa: PTH110

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from bindpy.config.check_report import having, is_true, members, name_of, token, word
from bindpy.config.includes import FileReader
from bindpy.config.scanner import zone_name
from bindpy.config.tree import Source, Statement
from bindpy.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from bindpy.zone.names import BadNameError, Key

DEFAULT_VIEW = "_default"
"""The name of the one view of a configuration without views."""
ALLOW, DIRECTORY, AUTOPRIMARY = "allow-new-zones", "new-zones-directory", "autoprimary-config"

_UNFIT = re.compile(r"[A-Z/\\]")
_HASH_DIGITS = 16


def new_zones_path(directory: str | Path, view: str) -> str:
    """Return where BIND keeps the zones that were added to *view*: ``VIEW.nzf``, or by a hash of the name."""
    digest = hashlib.sha256(view.encode("utf-8", "surrogateescape")).hexdigest()
    for name in (digest, digest[:_HASH_DIGITS]):
        if os.path.exists(path := str(Path(directory) / f"{name}.nzf")):
            return path
    return str(Path(directory) / f"{digest[:_HASH_DIGITS] if _UNFIT.search(view) else view}.nzf")


def autoprimary_path(path: str, view: str) -> str:
    """Return the file of *view* where ``autoprimary-config`` is *path*: it is that of the default view."""
    if view == DEFAULT_VIEW:
        return path
    digest = hashlib.sha256(view.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{path}.{digest[:_HASH_DIGITS] if _UNFIT.search(view) else view}"


def add_new_zones(tree: list[Statement], reader: FileReader, diagnostics: Diagnostics) -> None:
    """Add to *tree*, a whole configuration, the statements that the server keeps; *reader* has read it.

    A zone that the configuration has too is left out with a warning, so that nothing that was added once
    keeps the server from starting after somebody has written the zone down.
    """
    options = members(next(having(tree, "options"), None))
    included = {os.path.realpath(path) for path in reader.files}
    views: list[Statement | None] = [*having(tree, "view")]
    for view in views or [None]:
        body = view.body() if view is not None else None
        if view is not None and body is None:
            continue
        name = word(view) if view is not None else DEFAULT_VIEW
        there = tree if body is None else body.statements
        own = members(view)
        first: dict[Key, Statement] | None = None
        for path in _paths(own, options, name, reader.directory, diagnostics):
            if os.path.realpath(path) in included:
                continue  # as PowerDNS wants it of its own
            statements = _zones(reader.read_kept(path), diagnostics)
            if not statements:
                continue
            if first is None:
                first = {}
                _name_first(there, first)
            there += _not_yet_there(statements, first, diagnostics)
            _name_first(statements, first)


def _paths(
    own: dict[str, Statement],
    options: dict[str, Statement],
    view: str,
    directory: Path,
    diagnostics: Diagnostics,
) -> list[str]:
    """Return which files there may be for *view*, whose own settings are *own*."""
    paths = []
    if is_true(own.get(ALLOW, options.get(ALLOW))):
        said = own.get(DIRECTORY, options.get(DIRECTORY))
        path = Path(new_zones_path(directory / word(said) if said is not None else directory, view))
        _warn_of_database(path, diagnostics)
        paths.append(str(path))
    autoprimary = options.get(AUTOPRIMARY)
    if autoprimary is not None and word(autoprimary):
        paths.append(autoprimary_path(str(directory / word(autoprimary)), view))
    return paths


def _warn_of_database(path: Path, diagnostics: Diagnostics) -> None:
    database = path.with_suffix(".nzd")
    if os.path.exists(database) and not os.path.exists(path):
        diagnostics.warning(
            "this is BIND's database of zones that were added, which cannot be read here",
            SourceSpan(str(database)),
            hint=f"if there are zones in it, write them out: 'named-nzd2nzf {database} > {path}'",
        )


def _zones(statements: list[Statement], diagnostics: Diagnostics) -> list[Statement]:
    """Return those of *statements* that may be in such a file: zones."""
    zones = []
    for statement in statements:
        if statement.keyword == "zone":
            zones.append(statement)
        else:
            diagnostics.error(
                f"the server keeps zones in this file: '{token(statement, 0) or '{'}' cannot be here",
                statement.span,
                hint="write it into named.conf",
            )
    return zones


def _not_yet_there(
    statements: Iterable[Statement], first: dict[Key, Statement], diagnostics: Diagnostics
) -> list[Statement]:
    wanted = []
    for statement in statements:
        key = _key(statement)
        other = None if key is None else first.get(key)
        if other is None:
            wanted.append(statement)
            continue
        note = Diagnostic(Severity.NOTE, "it counts as it is here", other.span)
        diagnostics.warning(
            f"zone '{word(statement)}' is in the configuration already: what was added is left out",
            statement.span,
            hint="'delzone' removes both",
            notes=(note, *other.source.chain()),
        )
    return wanted


def _name_first(statements: Iterable[Statement], first: dict[Key, Statement]) -> None:
    for statement in having(statements, "zone"):
        key = _key(statement)
        if key is not None:
            first.setdefault(key, statement)


def _key(statement: Statement) -> Key | None:
    try:
        return name_of(zone_name(statement)).lower()
    except BadNameError:
        return None  # which others report


def kept_in(source: Source) -> str:
    """Return the file that the server keeps what is in *source* in, "" where it is a person's."""
    return source.path if source.is_kept else ""
