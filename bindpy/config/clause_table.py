"""The clause tables of all contexts, ready for look-up by name."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from bindpy.config.clauses import PLACES, Clause
from bindpy.config.clauses_blocks import BLOCKS, REMOVED_ROWS
from bindpy.config.clauses_options import ROWS


def _by_name(rows: Iterable[Clause]) -> dict[str, Clause]:
    return {row.name: row for row in rows}


@cache
def contexts() -> dict[str, dict[str, Clause]]:
    """Return the clauses by context, then by name. "top" is the file itself."""
    tables = {context: _by_name(rows) for context, rows in BLOCKS.items()}
    for letter, place in PLACES.items():
        tables[place] = _by_name(row for row in (*REMOVED_ROWS, *ROWS) if letter in row.where)
    tables["top"] |= _by_name(row for row in REMOVED_ROWS if "f" in row.where)
    return tables


def where_known(name: str) -> list[str]:
    """Return the contexts that know *name*."""
    return [context for context, clauses in contexts().items() if name in clauses]
