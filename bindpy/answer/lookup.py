"""Finding the zone and the node that a name belongs to: dictionary probes by suffix, O(labels).

The facts about cuts, DNAMEs and wildcards are on the nodes (`bindpy.zone.snapshot`), so that a query only
reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from bindpy.zone.names import Key
from bindpy.zone.snapshot import Node

Z = TypeVar("Z")


def longest_match(zones: Mapping[Key, Z], key: Key) -> Z | None:
    """Return the value of *key* or of its closest ancestor in *zones* (RFC 1034 section 4.3.2 step 2)."""
    while (found := zones.get(key)) is None:
        if not key[0]:
            return None
        key = key[1 + key[0] :]
    return found


def closest_encloser(nodes: Mapping[Key, Node], key: Key) -> tuple[Node, Key | None]:
    """Return *key*'s node and None, or its closest encloser and the next closer name.

    RFC 4592 section 3.3.1, RFC 5155 section 1.3. *key* is at or below the
    zone's apex, which ends the search. Owners of nothing but NSEC3 do not exist (RFC 5155 section 7.2.8).
    """
    node = nodes.get(key)
    if node is not None and node.nsec3 is not node:
        return node, None
    while True:
        below = key
        key = key[1 + key[0] :]
        node = nodes.get(key)
        if node is not None and node.nsec3 is not node:
            return node, below
