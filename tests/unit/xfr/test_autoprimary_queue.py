"""What a flood of NOTIFYs for unknown zones costs: bounded, and nobody holds up the others."""

from __future__ import annotations

from collections import Counter

from bindpy.xfr.autoprimary_queue import (
    MAX_RUNNING,
    MAX_RUNNING_OF_SOURCE,
    MAX_TRIES,
    MAX_WAITING,
    MAX_WAITING_OF_SOURCE,
    MEMORY_S,
    Candidate,
    CandidateQueue,
    Offer,
    Result,
)
from bindpy.zone.names import from_text

A, B = "192.0.2.1", "192.0.2.2"


def candidate(name: object, source: str = A, key: str = "") -> Candidate:
    return Candidate(from_text(f"{name}.test"), "_default", source, key)


def run_until(
    queue: CandidateQueue, until: float, result: Result = Result.NO, start: float = 0.0
) -> list[tuple[float, Candidate]]:
    """Look into all that may be until *until*, waking as the queue says; every look takes no time."""
    begun: list[tuple[float, Candidate]] = []
    now = start
    while now < until:
        while (one := queue.take(now)) is not None:
            begun.append((now, one))
            queue.done(one, result, now)
        wake_at = queue.next_wake(now)
        if wake_at is None:
            break
        assert wake_at > now, "it would spin"
        now = wake_at
    return begun


def test_one_is_taken_at_once_and_only_once() -> None:
    queue = CandidateQueue(20)
    one = candidate("a")
    assert queue.next_wake(5.0) is None
    assert queue.offer(one, 5.0) is Offer.QUEUED
    assert queue.offer(one, 5.0) is Offer.KNOWN
    assert queue.next_wake(5.0) is not None
    assert queue.take(5.0) == one
    assert queue.offer(one, 5.0) is Offer.KNOWN
    assert queue.take(5.0) is None
    queue.done(one, Result.DONE, 6.0)
    assert queue.offer(one, 6.0) is Offer.QUEUED


def test_other_signatures_and_sources_are_others() -> None:
    queue = CandidateQueue(20)
    offers = [queue.offer(candidate("a", source, key), 1.0) for source in (A, B) for key in ("", "k.")]
    assert offers == [Offer.QUEUED] * 4


def test_a_flood_costs_so_many_a_second_and_no_more_memory_than_that() -> None:
    queue = CandidateQueue(20)
    begun = 0
    most = 0
    for second in range(300):
        for number in range(500):
            queue.offer(candidate(f"{second}-{number}"), float(second))
        begun += len(run_until(queue, second + 1.0, start=float(second)))
        most = max(most, len(queue))
    assert begun <= 300 * 10 + 20
    assert begun >= 290 * 10
    assert most <= MAX_WAITING_OF_SOURCE + 10 * (MEMORY_S + 2)


def test_all_sources_together_are_bounded_too() -> None:
    queue = CandidateQueue(20)
    offers = Counter(
        queue.offer(candidate(number, f"192.0.2.{number % 10}"), 1.0) for number in range(MAX_WAITING + 50)
    )
    assert offers == {Offer.QUEUED: MAX_WAITING, Offer.FULL: 50}
    assert len(run_until(queue, 11.0, start=1.0)) <= 20 * 11 + 1


def test_a_flood_from_one_source_does_not_hold_up_another() -> None:
    queue = CandidateQueue(20)
    for number in range(MAX_WAITING_OF_SOURCE + 1):
        offer = queue.offer(candidate(number), 0.0)
    assert offer is Offer.FULL
    run_until(queue, 5.0)
    honest = candidate("honest", B)
    assert queue.offer(honest, 5.0) is Offer.QUEUED
    assert honest in [one for at, one in run_until(queue, 5.2, start=5.0)]


def test_a_source_that_is_silent_holds_up_itself_only() -> None:
    queue = CandidateQueue(1000)
    for number in range(100):
        queue.offer(candidate(number), 0.0)
    taken = [queue.take(10.0) for _ in range(20)]
    assert [one for one in taken[:MAX_RUNNING_OF_SOURCE] if one is None] == []
    assert taken[MAX_RUNNING_OF_SOURCE:] == [None] * (20 - MAX_RUNNING_OF_SOURCE)
    assert queue.next_wake(10.0) is None, "only an end can change that"
    queue.offer(candidate("b", B), 10.0)
    assert queue.take(10.0) == candidate("b", B)


def test_not_more_run_than_may() -> None:
    queue = CandidateQueue(1000)
    for number in range(100):
        queue.offer(candidate(number, f"192.0.2.{number}"), 0.0)
    taken = [queue.take(10.0) for _ in range(100)]
    assert sum(one is not None for one in taken) == MAX_RUNNING


def test_who_was_asked_in_vain_is_asked_again_later_and_only_if_told_so() -> None:
    queue = CandidateQueue(20)
    one = candidate("a")
    queue.offer(one, 0.0)
    assert run_until(queue, 1000.0) == [(0.0, one)]
    assert queue.offer(one, 1000.0) is Offer.QUEUED
    queue.done(queue.take(1000.0) or one, Result.NO, 1000.0)
    assert queue.offer(one, 1010.0) is Offer.KNOWN
    assert queue.offer(one, 1020.0) is Offer.KNOWN
    assert run_until(queue, 3000.0, start=1020.0) == [(1000.0 + MEMORY_S, one)]


def test_silence_is_tried_again_some_times() -> None:
    queue = CandidateQueue(20)
    one = candidate("a")
    queue.offer(one, 0.0)
    assert [at for at, _ in run_until(queue, 10_000.0, Result.SILENT)] == [
        number * MEMORY_S for number in range(MAX_TRIES)
    ]
    assert len(queue) == 0


def test_new_conditions_are_tried_at_once() -> None:
    queue = CandidateQueue(20)
    asked, other = candidate("a"), candidate("b")
    for one in (asked, other):
        queue.offer(one, 0.0)
    run_until(queue, 1.0)
    queue.offer(asked, 1.0)
    queue.forget()
    assert [one for _, one in run_until(queue, 2.0, start=1.5)] == [asked]
    assert queue.offer(other, 2.0) is Offer.QUEUED


def test_a_slow_rate_is_kept() -> None:
    queue = CandidateQueue(1)
    for number in range(100):
        queue.offer(candidate(number), 0.0)
    assert len(run_until(queue, 60.0)) <= 31
