"""Keeps Python's cyclic collector away from zone data.

A full collection walks every object that it knows, and nothing else runs meanwhile: more than a tenth of a
second for a zone of 300,000 records. Zones have no cycles (`bindpy.zone.snapshot`), so there is nothing in
them to find: while many records are made the collector is off, and afterwards all that is there is taken out
of its sight. Counting references still frees it.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

THAW_EVERY = 200
"""How often what is there is hidden, at least, before all of it is walked once: cycles that were in use when
they were hidden, and have come out of use since, go then."""
THAW_OBJECTS = 1000
"""And so often for each so many hidden objects: walking a million takes a tenth of a second or more, and
what each hiding may leave behind does not depend on how many there are."""

_lock = threading.Lock()
_inside = 0
_hidden = 0


@contextmanager
def without_collector() -> Iterator[None]:
    """Make many objects without cycles inside the ``with``, from any thread; they are never walked.

    Cycles that other threads leave behind meanwhile stay for long, so use it for large data only.
    """
    global _inside, _hidden  # noqa: PLW0603 - the collector is one for the process, and so are the counts
    with _lock:
        _inside += 1
        if _inside == 1:
            if _hidden and not _hidden % THAW_EVERY and gc.get_freeze_count() <= _hidden * THAW_OBJECTS:
                gc.unfreeze()
                _hidden = 0
            gc.collect()  # what is garbage now would stay for long; what was hidden before costs nothing
            gc.disable()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                gc.freeze()
                _hidden += 1
                gc.enable()


def free_cycles() -> None:
    """Free cycles that were made inside of `without_collector`, where this is called, and are out of use.

    Else they would stay for long. Costs a walk over all that was made there.
    """
    gc.collect(0)
