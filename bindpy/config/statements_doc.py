"""The reference of all statements as Markdown, made from the clause table.

``python -m bindpy.config.statements_doc > docs/statements.md`` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from bindpy.config.clause_table import contexts
from bindpy.config.clauses import ALIASES, ANYTHING, Clause

_INTRODUCTION = """\
# Statements of named.conf

Every statement that BIND 9.18 and 9.20 know, and what bindpy does with it. This page is made from the table
that the reader itself works with (`bindpy/config/clauses_options.py` and `clauses_blocks.py`); write it anew
with `python -m bindpy.config.statements_doc > docs/statements.md`.

- **supported**: it does what BIND's manual says.
- **no effect here**: known and checked, but about something that an authoritative server does not do. A
  note, once.
- **not supported yet**: known and checked, then ignored. A warning, once.
- **removed from BIND**: BIND refuses it today. bindpy warns and goes on, whatever its value.

A value that the statement does not take is an error in any of these cases, except the last. *!* marks
settings about which the warning says that what they allow or forbid is not in force. A name in none of these
tables is an error.

In the values, `<kind>` stands for a value of that kind, `( a | b )` for one of these, `[ a ]` for something
that may be left out, `[* a | b *]` for any of these in any order, `{ a; ... }` for a list in braces. `<acl>`
is an address match list and `<remotes>` a list of servers, braces included. Relative paths count from
`directory`; what is included, from the `directory` that stands above the `include`.
"""

_TITLES = {
    "top": "The file itself",
    "options": "options",
    "view": "view",
    "zone": "zone",
}


def statements_markdown() -> str:
    """Return the page."""
    return "".join(_page())


def _page() -> Iterator[str]:
    yield _INTRODUCTION
    yield f"\nOld spellings: {', '.join(f'`{old}` for `{new}`' for old, new in ALIASES.items())}.\n"
    tables = contexts()
    order = [*_TITLES, *sorted(name for name in tables if name not in _TITLES)]
    for context in order:
        yield f"\n## {_TITLES.get(context, context)}\n\n"
        with_types = context == "zone"
        yield "| statement | value | status |" + (" zone types |\n" if with_types else "\n")
        yield "| --- | --- | --- |" + (" --- |\n" if with_types else "\n")
        for name in sorted(tables[context]):
            yield _row(tables[context][name], with_types)


def _row(clause: Clause, with_types: bool) -> str:
    value = "" if clause.value == ANYTHING else clause.value.replace("|", "\\|")
    if clause.body:
        value = f"{value} {{ … }}".strip()
    status = clause.status.value + (" *!*" if clause.security else "")
    if clause.deprecated:
        status += ", deprecated by BIND"
    if clause.since:
        status += ", bindpy's own" if clause.since == "bindpy" else f", BIND {clause.since}"
    shown = f"`{value}`" if value else ""
    cells = [f"`{clause.name}`", shown, status]
    if with_types:
        cells.append(", ".join(clause.zone_types()))
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    print(statements_markdown(), end="")
