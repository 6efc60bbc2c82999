"""Names of zones that somebody has begun to write."""

from __future__ import annotations

from collections.abc import Iterable

from bindpy.zone.names import Name, to_text

FOUND_NAMES = 100
"""How many names an answer has where it is not said."""


def names_beginning(origins: Iterable[Name], beginning: str) -> list[str]:
    """Return those of *origins* that begin with *beginning*, in any case, as text and sorted."""
    wanted = beginning.lower()
    first = wanted.partition(".")[0].encode("ascii", "replace")
    found = set()
    for origin in origins:
        # Most are told apart by their first label; one with escapes is known by its text only.
        if b"\\" in first or origin[1 : 1 + len(first)].lower() == first:
            text = to_text(origin).rstrip(".") or "."
            if text.lower().startswith(wanted):
                found.add(text)
    return sorted(found)


def spread(names: list[str], bound: int) -> list[str]:
    """Return *bound* of the sorted *names*, the first and the last among them.

    What these two have in common, all have; a shell that writes what all candidates begin with stays right.
    """
    if len(names) <= bound or bound < 2:
        return names[:bound]
    last = len(names) - 1
    return [names[number * last // (bound - 1)] for number in range(bound)]
