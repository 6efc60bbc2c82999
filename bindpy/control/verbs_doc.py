"""The reference of all verbs as Markdown, made from the registry.

``python -m bindpy.control.verbs_doc`` prints the table. docs/verbs.md and README.md hold it between the two
lines `BEGIN` and `END`; with the names of files it is put there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bindpy.control.catalogue import verbs
from bindpy.control.verb import Verb

BEGIN = "<!-- verbs -->"
END = "<!-- /verbs -->"


def verbs_markdown() -> str:
    """Return the table."""
    head = "| verb | also | changes something | what it does |\n| --- | --- | --- | --- |\n"
    return head + "".join(_row(one) for one in verbs().values())


def _row(one: Verb) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in one.aliases)
    usage = one.usage.replace("|", "\\|")
    return f"| `{usage}` | {aliases} | {'yes' if one.changes else 'no'} | {one.help} |\n"


def table_in(page: str) -> str | None:
    """Return what stands between the markers of *page*, None where there are none."""
    _, begin, rest = page.partition(f"{BEGIN}\n")
    inside, end, _ = rest.partition(END)
    return inside if begin and end else None


def with_table(page: str) -> str:
    """Return *page* with the table of today between its markers."""
    inside = table_in(page)
    assert inside is not None, f"no {BEGIN} and {END}"
    return page.replace(f"{BEGIN}\n{inside}{END}", f"{BEGIN}\n{verbs_markdown()}{END}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(with_table(Path(name).read_text()))
    if not sys.argv[1:]:
        print(verbs_markdown(), end="")
