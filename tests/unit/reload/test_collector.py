"""The cyclic collector never walks zone data, and goes on for everything else."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from bindpy.reload import collector
from bindpy.reload.collector import without_collector


class Thing:
    """Something that the collector tracks."""


def _is_known(thing: object) -> bool:
    return any(other is thing for other in gc.get_objects())


@pytest.fixture(autouse=True)
def _thaw() -> object:
    yield
    gc.unfreeze()


def test_what_is_made_inside_is_out_of_sight_and_garbage_from_before_is_gone() -> None:
    garbage = [Thing()]
    garbage.append(garbage)
    del garbage
    frozen = gc.get_freeze_count()
    with without_collector():
        assert gc.collect() == 0, "collected before"
        assert not gc.isenabled()
        thing = Thing()
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen
    assert not _is_known(thing)
    later = Thing()
    assert _is_known(later)


def test_the_last_to_leave_turns_it_on_again() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with without_collector():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with without_collector():
        thread.start()
        assert inside.wait(10)
    assert not gc.isenabled()
    leave.set()
    thread.join(10)
    assert gc.isenabled()


def test_it_is_on_again_after_an_error() -> None:
    with pytest.raises(ValueError, match="x"), without_collector():
        raise ValueError("x")
    assert gc.isenabled()


def test_hidden_garbage_goes_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "THAW_EVERY", 3)
    monkeypatch.setattr(collector, "THAW_OBJECTS", 10**9)
    monkeypatch.setattr(collector, "_hidden", 1)
    thing = Thing()
    thing.itself = thing  # type: ignore[attr-defined]
    gone = weakref.ref(thing)
    with without_collector():
        pass
    del thing
    with without_collector():
        assert gone() is not None, "hidden while it was in use"
    with without_collector():
        assert gone() is None


def test_where_much_is_hidden_it_is_walked_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "THAW_EVERY", 1)
    monkeypatch.setattr(collector, "THAW_OBJECTS", 100)
    monkeypatch.setattr(collector, "_hidden", 0)
    things = [Thing() for _ in range(1000)]
    gone = []
    for _ in range(3):
        with without_collector():
            pass
        gone.append(gc.get_freeze_count() < len(things))
    assert gone == [False, False, False]
    monkeypatch.setattr(collector, "_hidden", gc.get_freeze_count() // 100 + 1)
    with without_collector():
        assert gc.get_freeze_count() == 0
