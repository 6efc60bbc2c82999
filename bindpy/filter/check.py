"""What is wrong with the scripts of a configuration, found without a transfer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bindpy.config.sections import Entry, Section
from bindpy.diagnostics import Diagnostic, Severity
from bindpy.filter.script import FilterError, check_script

_CLAUSE = "lua-axfr-script"


def check_scripts(top: Section, directory: str) -> list[Diagnostic]:
    """Return an error for each ``lua-axfr-script`` below *top* whose script cannot be used.

    Each script is run once, as before a transfer. Errors are at the script's line, with the place of the
    statement as a note. Relative names count from *directory*.
    """
    known: dict[str, FilterError | None] = {}
    found = []
    for entry in _entries(top):
        written = str(entry.value.args[0])
        if written == "none":
            continue
        path = str(Path(directory) / written)
        if path not in known:
            known[path] = check_script(path)
        error = known[path]
        if error is not None:
            source = entry.statement.source
            place = Diagnostic(Severity.NOTE, f"'{_CLAUSE}' is here", entry.span)
            notes = (place, *source.chain())
            found.append(Diagnostic(Severity.ERROR, error.message, error.span, notes=notes))
    return found


def _entries(section: Section) -> Iterator[Entry]:
    for entries in section.entries.values():
        for entry in entries:
            if entry.clause.name == _CLAUSE:
                yield entry
            elif entry.section is not None:
                yield from _entries(entry.section)
