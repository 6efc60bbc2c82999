"""When a changed file is fit to be read: the pure decisions."""

from __future__ import annotations

import pytest

from bindpy.files import FileStamp
from bindpy.watch.observe import Known, Observation
from bindpy.watch.settle import Hint, Pending, Timing, Verdict, judge

TIMING = Timing(quiet_s=0.1, gone_s=1.0, empty_s=2.0, idle_s=5.0, unknown_idle_s=0.5, longest_s=60.0)
OLD = FileStamp(1, 10, 100, 1, 1)
NEW = FileStamp(1, 11, 120, 2, 2)
BIGGER = FileStamp(1, 11, 150, 3, 3)
EMPTY = FileStamp(1, 11, 0, 2, 2)


def pending(hint: Hint, now: float = 0.0) -> Pending:
    made = Pending(now)
    made.note(hint, now)
    return made


def look(state: Pending, seen: FileStamp | None, now: float, writer: bool | None = False) -> Verdict | float:
    return judge(state, Known(OLD, False), Observation(seen, writer, False), now, TIMING)


def test_a_file_moved_into_place_is_reported_at_once() -> None:
    assert look(pending(Hint.COMPLETE), NEW, 0.0) is Verdict.REPORT


def test_a_complete_file_is_reported_at_once_where_writers_cannot_be_known() -> None:
    assert look(pending(Hint.COMPLETE), NEW, 0.0, writer=None) is Verdict.REPORT


def test_a_file_that_another_writer_still_has_open_is_waited_for() -> None:
    state = pending(Hint.COMPLETE)
    assert look(state, NEW, 0.0, writer=True) == pytest.approx(0.1)
    assert look(state, NEW, 4.9, writer=True) == pytest.approx(0.1)
    assert look(state, NEW, 5.0, writer=True) is Verdict.REPORT


def test_a_written_file_is_reported_when_nobody_has_it_open() -> None:
    assert look(pending(Hint.WRITTEN), NEW, 0.0, writer=False) is Verdict.REPORT


def test_growing_is_not_idling() -> None:
    state = pending(Hint.WRITTEN)
    assert look(state, NEW, 4.0, writer=True) == pytest.approx(0.1)
    assert look(state, BIGGER, 5.5, writer=True) == pytest.approx(0.1)
    assert look(state, BIGGER, 10.4, writer=True) == pytest.approx(0.1)
    assert look(state, BIGGER, 10.5, writer=True) is Verdict.REPORT


def test_a_writer_that_never_stops_is_not_waited_for_for_ever() -> None:
    state = pending(Hint.WRITTEN)
    state.note(Hint.WRITTEN, 59.9)
    assert look(state, NEW, 59.9, writer=True) == pytest.approx(0.1)
    assert look(state, BIGGER, 60.0, writer=True) is Verdict.REPORT


def test_without_knowledge_of_writers_a_missing_close_means_open() -> None:
    state = pending(Hint.WRITTEN)
    assert look(state, NEW, 0.2, writer=None) == pytest.approx(0.1)
    assert look(state, NEW, 0.6, writer=None) == pytest.approx(0.1)
    assert look(state, NEW, 0.71, writer=None) is Verdict.REPORT


def test_a_deleted_file_has_time_to_come_back() -> None:
    state = pending(Hint.LOOK)
    assert look(state, None, 0.0) == pytest.approx(1.0)
    assert look(state, None, 0.4) == pytest.approx(0.6)
    assert look(state, None, 1.0) is Verdict.REPORT


def test_an_empty_file_has_time_to_be_filled_even_when_closed() -> None:
    state = pending(Hint.COMPLETE)
    assert look(state, EMPTY, 0.0) == pytest.approx(2.0)
    assert look(state, EMPTY, 2.0) is Verdict.REPORT


def test_a_change_seen_without_an_event_must_hold_still() -> None:
    state = pending(Hint.LOOK)
    assert look(state, NEW, 0.0) == pytest.approx(0.1)
    assert look(state, BIGGER, 0.1) == pytest.approx(0.1)
    assert look(state, BIGGER, 0.2) is Verdict.REPORT


@pytest.mark.parametrize("hint", Hint)
def test_an_equal_stamp_is_no_change(hint: Hint) -> None:
    assert look(pending(hint), OLD, 0.0) is Verdict.UNCHANGED


@pytest.mark.parametrize(
    ("hint", "verdict"),
    [(Hint.COMPLETE, Verdict.REPORT), (Hint.WRITTEN, Verdict.REPORT), (Hint.LOOK, Verdict.UNCHANGED)],
)
def test_a_write_within_one_clock_tick_counts_though_the_stamp_is_equal(hint: Hint, verdict: Verdict) -> None:
    seen = Observation(OLD, False, True)
    assert judge(pending(hint), Known(OLD, racy=True), seen, 0.0, TIMING) is verdict


def test_a_file_that_was_missing_and_still_is_has_not_changed() -> None:
    assert (
        judge(pending(Hint.COMPLETE), Known(None, False), Observation(None, None, False), 0.0, TIMING)
        is Verdict.UNCHANGED
    )
