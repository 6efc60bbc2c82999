"""Changes of a zone's text, and the proof that they mean what was asked for and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bindpy.edit.document import ZoneDocument
from bindpy.edit.errors import EditError
from bindpy.zone.diff import diff
from bindpy.zone.loaded import LoadedSnapshot
from bindpy.zone.records import RR
from bindpy.zone.snapshot import ZoneSnapshot

Part = tuple[int, int, str]
"""From where to where the text is replaced, by what. Parts of one change do not overlap."""


ANY_TTL = -1
"""Stands in a record that is to be added for whatever TTL the file gives it."""


def apply_parts(text: str, parts: Iterable[Part]) -> str:
    """Return *text* with every part replaced."""
    for start, end, new in sorted(parts, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def checked(
    document: ZoneDocument, before: ZoneSnapshot, text: str, *, removed: Collection[RR], added: Collection[RR]
) -> LoadedSnapshot:
    """Return the zone that *text* means. It must be good, and *before* less *removed* plus *added*.

    The SOA aside, all that a line stands for may depend on the lines before it (owner, TTL, $ORIGIN): what
    would change another record is refused. Raises `EditError`.
    """
    loaded = document.load(text)
    if loaded.zone is None:
        raise EditError("the zone would not load any more; nothing was written", document.news(loaded))
    delta = diff(before, loaded.zone)
    untimed = {(rr.owner.lower(), rr.rtype) for rr in added if rr.ttl == ANY_TTL}
    came = [rr._replace(ttl=ANY_TTL) if (rr.owner.lower(), rr.rtype) in untimed else rr for rr in delta.added]
    if _set(delta.removed) != _set(removed) or _set(came) != _set(added):
        raise EditError(
            "the change would touch other records too, because their lines depend on the changed ones;"
            " use 'bindpy zone edit'"
        )
    return loaded


def _set(records: Iterable[RR]) -> set[RR]:
    return {rr._replace(owner=rr.owner.lower()) for rr in records}
