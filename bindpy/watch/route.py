"""The way from "/" to a directory: every entry on it whose replacement would lead somewhere else.

A path such as ``/etc/zones/db`` may run through symbolic links at any place (Kubernetes mounts lead
through ``..data``), and parts of it may not exist yet. The route names what must be watched to notice
that the path leads to another place.
"""

# Paths are plain strings here: 100,000 of them are looked at in one scan.
# ruff: noqa: PTH112, PTH115, PTH118, PTH120

from __future__ import annotations

import errno
import os
from collections import deque
from typing import Final

from bindpy.deferred import dataclass

_MAX_LINKS: Final = 40  # as the kernel's limit for one path


@dataclass(frozen=True, slots=True)
class Turn:
    """An entry of a directory that decides where a path goes: a symbolic link, or the first part missing."""

    directory: str  # real
    name: str
    target: str | None  # None: there is no such entry, or it is no directory


@dataclass(frozen=True, slots=True)
class Route:
    """Where a directory is. ``real`` is its path without links, None when it is not there.

    ``passed`` are the real directories on the way, ``real`` itself and "/" left out.
    ``problem`` says why the way could not be followed although it may well exist; "" otherwise.
    """

    real: str | None
    turns: tuple[Turn, ...]
    passed: tuple[str, ...]
    problem: str = ""


def find_route(directory: str) -> Route:
    """Follow the absolute path *directory* one part at a time, ``..`` after links as the kernel does."""
    current = "/"
    turns: list[Turn] = []
    passed: list[str] = []
    parts = deque(directory.split("/"))
    while parts:
        part = parts.popleft()
        if part in {"", "."}:
            continue
        if part == "..":
            current = os.path.dirname(current)
            continue
        child = os.path.join(current, part)
        try:
            target = os.readlink(child)
        except OSError as failure:
            if failure.errno == errno.EINVAL and os.path.isdir(child):
                passed.append(child)
                current = child
                continue
            turns.append(Turn(current, part, None))
            absent = failure.errno in {errno.EINVAL, errno.ENOENT, errno.ENOTDIR}
            problem = "" if absent else f"{child}: {os.strerror(failure.errno or 0)}"
            return Route(None, tuple(turns), tuple(passed), problem)
        except ValueError:
            return Route(None, tuple(turns), tuple(passed), f"{child!r} is not a path")
        turns.append(Turn(current, part, target))
        if len(turns) > _MAX_LINKS:
            return Route(None, tuple(turns), tuple(passed), f"{directory}: {os.strerror(errno.ELOOP)}")
        if target.startswith("/"):
            current = "/"
        parts.extendleft(reversed(target.split("/")))
    way = tuple(dict.fromkeys(place for place in passed if place != current))
    return Route(current, tuple(turns), way)
