"""Whose turn it is to be told, with a clock that the test moves."""

from __future__ import annotations

from bindpy.config.model import RemoteServer
from bindpy.xfr.notify_queue import (
    MAX_PER_TARGET,
    PAUSES_S,
    Errand,
    Lane,
    NotifyQueue,
    NotifyState,
    Rate,
    TargetStatus,
)
from bindpy.xfr.targets import Target

ONE, TWO = Target(RemoteServer("192.0.2.1", 53)), Target(RemoteServer("192.0.2.2", 53))
DELAY_S = 5.0


def zone_id(number: int = 0) -> tuple[str, bytes]:
    return "_default", f"zone{number}".encode()


class Queue(NotifyQueue):
    """A queue whose changes are numbered as they come."""

    def __init__(self) -> None:
        super().__init__(wall=lambda: 1000.0)
        self.configure(1000, 1000)
        self._changes = 0

    def change(
        self,
        now: float,
        serial: int,
        number: int = 0,
        target: Target = ONE,
        *,
        lane: Lane = Lane.CHANGE,
        acknowledged: int | None = None,
    ) -> bool:
        self._changes += 1
        return self.want(
            zone_id(number),
            target,
            serial,
            now,
            news=self._changes,
            lane=lane,
            delay_s=DELAY_S,
            acknowledged=acknowledged,
        )

    def taken(self, now: float) -> Errand:
        errand = self.take(now)
        assert errand is not None
        return errand

    def one(self, number: int = 0) -> TargetStatus:
        (status,) = self.status(zone_id(number))
        return status


def drain(queue: NotifyQueue, now: float) -> list[Errand]:
    out = []
    while (errand := queue.take(now)) is not None:
        out.append(errand)
    return out


def test_the_first_change_goes_at_once_and_the_next_after_the_delay_with_the_newest_serial() -> None:
    queue = Queue()
    queue.change(100.0, 1)
    errand = queue.taken(100.0)
    queue.finished(errand, 1, 100.1)
    assert queue.one() == TargetStatus("192.0.2.1#53", NotifyState.ACKNOWLEDGED, 1, 1, 1000.0, 0, "")
    for serial in (2, 3, 4):
        queue.change(100.0 + serial / 10, serial)
        assert queue.take(101.0) is None
    assert queue.next_at() == 105.0
    assert queue.take(104.99) is None
    assert queue.taken(105.0).serial == 4
    assert queue.take(200.0) is None


def test_a_change_while_the_target_is_told_is_told_after_the_delay() -> None:
    queue = Queue()
    queue.change(100.0, 1)
    errand = queue.taken(100.0)
    queue.change(100.5, 2)
    assert queue.take(100.5) is None
    queue.finished(errand, 1, 100.6)
    assert queue.one().state is NotifyState.PENDING
    assert queue.one().acknowledged == 1
    assert queue.next_at() == 105.0
    assert queue.taken(105.0).serial == 2


def test_a_quiet_zone_is_told_at_once_again() -> None:
    queue = Queue()
    queue.change(100.0, 1)
    queue.finished(queue.taken(100.0), 1, 100.1)
    queue.change(106.0, 2)
    assert queue.taken(106.0).serial == 2


def test_tries_back_off_and_end() -> None:
    queue = Queue()
    queue.change(0.0, 1)
    now, moments = 0.0, []
    for number in range(len(PAUSES_S)):
        errand = queue.taken(now)
        moments.append(now)
        given_up = queue.finished(errand, 1, now + 0.5, failure="timed out")
        assert given_up is (number == len(PAUSES_S) - 1)
        now = queue.next_at() or 0.0
    assert moments == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0]
    assert queue.next_at() is None
    assert queue.one().state is NotifyState.FAILED
    assert (queue.one().tries, queue.one().reason) == (6, "timed out")
    queue.change(100.0, 2)
    assert queue.one().tries == 0
    assert queue.taken(100.0).serial == 2


def test_what_no_other_try_would_help_ends_at_once() -> None:
    queue = Queue()
    queue.change(0.0, 1)
    assert queue.finished(queue.taken(0.0), 1, 0.1, failure="REFUSED", final=True)
    assert queue.next_at() is None


def test_a_start_tells_those_who_have_not_acknowledged_this_serial() -> None:
    queue = Queue()
    assert not queue.change(0.0, 7, target=ONE, lane=Lane.START, acknowledged=7)
    assert queue.change(0.0, 7, target=TWO, lane=Lane.START, acknowledged=6)
    assert [errand.target for errand in drain(queue, 0.0)] == [TWO]
    states = [status.state for status in queue.status(zone_id())]
    assert states == [NotifyState.ACKNOWLEDGED, NotifyState.PENDING]


def test_a_change_is_told_even_if_its_serial_was_acknowledged_once() -> None:
    queue = Queue()
    assert queue.change(0.0, 7, lane=Lane.CHANGE, acknowledged=7)
    assert queue.take(0.0) is not None


def test_the_same_news_are_no_news() -> None:
    queue = Queue()
    for expected in (True, False):
        wanted = queue.want(zone_id(), ONE, 1, 0.0, news=1, lane=Lane.CHANGE, delay_s=0)
        assert wanted is expected
    assert len(drain(queue, 0.0)) == 1


def test_rates_are_kept_and_changes_do_not_wait_for_a_start() -> None:
    queue = Queue()
    queue.configure(10, 2)
    for number in range(100):
        queue.change(0.0, 1, number, Target(RemoteServer(f"192.0.2.{number}", 53)), lane=Lane.START)
    assert len(drain(queue, 0.0)) == 2
    assert queue.next_at() == 0.5
    queue.change(0.1, 1, 200)
    assert [errand.zone_id for errand in drain(queue, 0.1)] == [zone_id(200)]
    told = sum(len(drain(queue, 0.1 * step)) for step in range(1, 101))
    assert told == 20


def test_a_change_overtakes_what_the_start_has_left() -> None:
    queue = Queue()
    queue.configure(10, 1)
    for number in range(3):
        queue.change(0.0, 1, number, lane=Lane.START)
    assert [errand.zone_id for errand in drain(queue, 0.0)] == [zone_id(0)]
    queue.change(0.0, 2, 2)
    assert [errand.zone_id for errand in drain(queue, 0.0)] == [zone_id(2)]


def test_one_zone_that_changes_all_the_time_keeps_its_place() -> None:
    queue = Queue()
    queue.configure(1, 1)
    queue.change(0.0, 1, 0)
    drain(queue, 0.0)
    queue.change(0.0, 1, 1)
    queue.change(0.0, 1, 2)
    for serial in range(2, 6):
        queue.change(0.1 * serial, serial, 1)
        assert queue.take(0.1 * serial) is None
    first = queue.taken(1.0)
    assert (first.zone_id, first.serial) == (zone_id(1), 5)


def test_a_silent_server_does_not_take_the_turns_of_others() -> None:
    queue = Queue()
    for number in range(1000):
        queue.change(0.0, 1, number, ONE, lane=Lane.START)
    queue.change(0.0, 1, 5000, TWO, lane=Lane.START)
    under_way = drain(queue, 0.0)
    assert [errand.target for errand in under_way].count(ONE) == MAX_PER_TARGET
    assert [errand.target for errand in under_way].count(TWO) == 1
    silent = [errand for errand in under_way if errand.target is ONE]
    for errand in silent:
        queue.finished(errand, 1, 1.0, failure="timed out")
    again = drain(queue, 1.0)
    assert len(again) == 1
    queue.change(1.0, 2, 999)
    (urgent,) = drain(queue, 1.0)
    assert urgent.zone_id == zone_id(999)
    queue.finished(again[0], 1, 1.1)
    assert len(drain(queue, 1.1)) == MAX_PER_TARGET - 1


def test_all_are_told_in_the_end_when_a_server_comes_back() -> None:
    queue = Queue()
    for number in range(100):
        queue.change(0.0, 1, number, ONE, lane=Lane.START)
    for number in range(0, 100, 7):
        queue.keep(zone_id(number))
    now, answered = 0.0, set()
    while (at := queue.next_at()) is not None:
        now = max(now, at)
        for errand in drain(queue, now):
            failure = "timed out" if now < 20 else ""
            queue.finished(errand, 1, now + 0.5, failure=failure)
            if not failure:
                answered.add(errand.zone_id)
        now += 0.5
    states = {number: queue.status(zone_id(number)) for number in range(100)}
    assert all(not states[number] for number in range(0, 100, 7))
    assert all(states[n][0].state is not NotifyState.PENDING for n in range(100) if n % 7)
    assert len(answered) > 50


def test_who_waits_for_a_server_is_not_forgotten_with_the_zone_that_was_to_go_before() -> None:
    queue = Queue()
    for number in range(MAX_PER_TARGET + 3):
        queue.change(0.0, 1, number, lane=Lane.START)
    under_way = drain(queue, 0.0)
    for errand in under_way:
        queue.finished(errand, 1, 1.0, failure="timed out", final=False)
        queue.keep(errand.zone_id)
    queue.keep(zone_id(MAX_PER_TARGET))  # the only one that was let in
    (following,) = drain(queue, 1.0)
    assert following.zone_id == zone_id(MAX_PER_TARGET + 1)


def test_forgetting_a_zone_ends_what_waits_and_ignores_what_comes() -> None:
    queue = Queue()
    queue.change(0.0, 1)
    errand = queue.taken(0.0)
    queue.keep(zone_id())
    assert not queue.finished(errand, 1, 0.1, failure="timed out")
    assert (queue.status(zone_id()), queue.next_at()) == ((), None)


def test_a_target_that_is_gone_is_forgotten() -> None:
    queue = Queue()
    queue.change(0.0, 1, target=ONE)
    queue.change(0.0, 1, target=TWO)
    queue.keep(zone_id(), [TWO])
    assert [errand.target for errand in drain(queue, 0.0)] == [TWO]


def test_what_was_not_told_yet_can_be_dropped() -> None:
    queue = Queue()
    queue.change(0.0, 1, target=ONE)
    queue.finished(queue.taken(0.0), 1, 0.1)
    queue.change(10.0, 2, target=TWO)
    queue.drop_pending(zone_id())
    assert queue.take(20.0) is None
    assert queue.one().state is NotifyState.ACKNOWLEDGED


def test_the_rate_holds_over_time_and_allows_a_second_s_worth_at_once() -> None:
    rate = Rate(20)
    assert sum(rate.take(100.0) for _ in range(50)) == 20
    assert sum(rate.take(100.0 + step / 100) for step in range(1000)) in (199, 200)
