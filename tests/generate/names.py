"""Random owner names: a small pool of labels, so that names meet, nest and shadow each other."""

from __future__ import annotations

import random
from typing import TypeAlias

Labels: TypeAlias = tuple[str, ...]
"""An absolute name as presentation-form labels, leftmost first; the root label is left out."""

COMMON = ("a", "b", "c", "d", "www", "mail", "ns", "x", "y", "z")
SERVICE = ("_tcp", "_sip", "_443")
ODD = (
    "WWW", "MiXed", "under_score", "-", "0", "xn--bcher-kva", "a\\.b", "sp\\032ace", "\\000", "\\255",
    "\\001nul\\000", "*x", "x*", "\\@", "q\\\"uote", "\\;semi", "\\(", "l" * 63,
)  # fmt: skip


def text(name: Labels) -> str:
    """Return *name* in absolute presentation form."""
    return ".".join(name) + "."


def labels(absolute: str) -> Labels:
    """Return the labels of *absolute*, a name without escaped dots."""
    return tuple(absolute.rstrip(".").split("."))


def key(name: Labels) -> Labels:
    """Return what names are compared by (RFC 4343)."""
    return tuple(label.lower() for label in name)


def is_below(name: Labels, ancestor: Labels) -> bool:
    """Return whether *name* is below *ancestor*, and not the same."""
    return len(name) > len(ancestor) and key(name)[-len(ancestor) :] == key(ancestor)


def wire_length(name: Labels) -> int:
    """Return the octets of *name* on the wire, at most (an escape counts as what is written)."""
    return 1 + sum(len(label) + 1 for label in name)


def label(rng: random.Random) -> str:
    """Return a label; one in eight is odd in some way."""
    pool = rng.choices((COMMON, SERVICE, ODD), weights=(12, 2, 2))[0]
    return rng.choice(pool)


def below(rng: random.Random, parent: Labels, depth: int | None = None) -> Labels:
    """Return a name below *parent*, *depth* labels deeper (one to three if None)."""
    count = depth or rng.choices((1, 2, 3), weights=(6, 3, 1))[0]
    name = parent
    for _ in range(count):
        longer = (label(rng), *name)
        if wire_length(longer) > 200:
            break
        name = longer
    return name
