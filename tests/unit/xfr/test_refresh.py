"""The life of a secondary zone: tables of transitions, then anything in any order."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bindpy.config.model import RefreshSettings
from bindpy.xfr.refresh import (
    FIRST_RETRY_S,
    MAX_BLIND_RETRY_S,
    MAX_EXPIRE_S,
    Cause,
    Expired,
    Fresh,
    Held,
    Idle,
    Life,
    NoData,
    NotifyVerdict,
    Running,
    Stale,
    Timers,
    Wanted,
    known_times,
)
from bindpy.zone.records import Soa
from bindpy.zone.serials import is_newer

BOUNDS = RefreshSettings(min_refresh_s=1, max_refresh_s=10**7, min_retry_s=1, max_retry_s=10**7)
HOUR = 3600.0


def soa(serial: int, refresh: int = 3600, retry: int = 900, expire: int = 604800) -> Soa:
    return Soa(b"\0", b"\0", serial, refresh, retry, expire, 60)


def make(random: float = 0.0, bounds: RefreshSettings = BOUNDS) -> Life:
    return Life(bounds, 0.0, lambda: random)


def held(life: Life) -> Held:
    assert isinstance(life.data, Held)
    return life.data


def idle_at(life: Life) -> float:
    assert isinstance(life.work, Idle)
    return life.work.next_at


def running(life: Life, now: float) -> Life:
    """Let the work that is due begin."""
    life.wake(now)
    life.begin()
    return life


def with_data(serial: int = 5, now: float = 0.0, random: float = 0.0) -> Life:
    life = running(make(random), now)
    life.transferred(now, soa(serial))
    return life


# --- timers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "bounds", "expected"),
    [
        ((3600, 900, 604800), RefreshSettings(), (3600, 900, 604800)),
        ((60, 30, 604800), RefreshSettings(), (300, 500, 604800)),
        ((3600000, 3600000, 9000000), RefreshSettings(), (2419200, 1209600, 9000000)),
        ((3600, 900, 10), RefreshSettings(), (3600, 900, 4500)),
        ((3600, 900, 2**31), RefreshSettings(), (3600, 900, MAX_EXPIRE_S)),
        ((0, 0, 0), BOUNDS, (1, 1, 2)),
    ],
)
def test_intervals_are_the_soas_within_bounds(
    of: tuple[int, int, int], bounds: RefreshSettings, expected: tuple[int, int, int]
) -> None:
    assert Timers.of(soa(1, *of), bounds) == Timers(*expected)


def test_a_zone_without_data_is_due_at_once() -> None:
    life = make()
    assert life.next_wake == 0.0
    assert not life.wake(0.0)
    assert life.work == Wanted(Cause.REFRESH)


def test_a_transfer_sets_all_timers() -> None:
    life = with_data(5, now=100.0)
    assert life.data == Fresh(5, Timers(3600, 900, 604800), 100.0, 604900.0)
    assert idle_at(life) == 3700.0
    assert life.next_wake == 3700.0


def test_refreshes_come_up_to_a_quarter_early() -> None:
    assert idle_at(with_data(random=0.999)) == pytest.approx(0.75 * 3600, rel=0.001)


def test_a_confirmation_extends_the_life() -> None:
    life = running(with_data(5), HOUR)
    life.confirmed(HOUR)
    assert life.data == Fresh(5, Timers(3600, 900, 604800), HOUR, HOUR + 604800)
    assert idle_at(life) == 2 * HOUR


@pytest.mark.parametrize(
    ("expire_s", "expires_at"),
    [(None, HOUR + 604800), (0, 604800), (700000, HOUR + 604800), (603000, HOUR + 603000)],
)
def test_a_confirmation_by_a_primary_that_expires_itself(expire_s: int | None, expires_at: float) -> None:
    # RFC 7314 section 4: never less than was left, never more than the SOA says
    life = running(with_data(5), HOUR)
    life.confirmed(HOUR, expire_s)
    assert held(life).expires_at == expires_at


@pytest.mark.parametrize(("expire_s", "lives_s"), [(None, 604800), (50, 50), (700000, 604800)])
def test_a_transfer_from_a_primary_that_expires_itself(expire_s: int | None, lives_s: int) -> None:
    life = running(make(), 0.0)
    life.transferred(10.0, soa(5), expire_s)
    assert held(life).expires_at == 10.0 + lives_s


# --- failures ----------------------------------------------------------------------------------------


def delays(life: Life, now: float, answered: bool, times: int = 5, *, cut_off: bool = False) -> list[float]:
    found = []
    for _ in range(times):
        life.wake(now)
        life.begin()
        found.append(life.failed(now, answered=answered, cut_off=cut_off))
        now = idle_at(life)
    return found


def test_silence_doubles_the_wait_up_to_the_refresh_interval() -> None:
    life = with_data()
    assert delays(life, HOUR, answered=False) == [900, 1800, 3600, 3600, 3600]
    assert isinstance(life.data, Stale)


def test_a_primary_that_answers_is_asked_again_at_the_retry_interval() -> None:
    assert delays(with_data(), HOUR, answered=True) == [900] * 5


def test_a_transfer_that_was_cut_off_is_tried_again_soon() -> None:
    life = with_data()
    assert delays(life, HOUR, answered=True, times=12, cut_off=True) == [
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900,
    ]  # fmt: skip


def test_silence_after_a_cut_does_not_end_the_hurry_but_an_answer_does() -> None:
    life = with_data()
    assert delays(life, HOUR, answered=True, times=1, cut_off=True) == [1]
    assert delays(life, idle_at(life), answered=False, times=2) == [2, 4]
    assert delays(life, idle_at(life), answered=True, times=1) == [900]
    assert delays(life, idle_at(life), answered=False, times=1) == [1800]


def test_success_ends_the_hurry() -> None:
    life = with_data()
    delays(life, HOUR, answered=True, times=3, cut_off=True)
    running(life, idle_at(life))
    life.confirmed(5 * HOUR)
    assert delays(life, idle_at(life), answered=False, times=1) == [900]


@pytest.mark.parametrize("answered", [True, False])
def test_without_data_the_wait_doubles_up_to_an_hour(answered: bool) -> None:
    found = delays(make(), 0.0, answered, times=12)
    assert found[:3] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S]
    assert found[-1] == MAX_BLIND_RETRY_S


def test_max_retry_time_holds_without_data_too() -> None:
    assert delays(make(bounds=RefreshSettings(max_retry_s=4)), 0.0, answered=False, times=3) == [4, 4, 4]


def test_success_ends_the_back_off() -> None:
    life = with_data()
    delays(life, HOUR, answered=False, times=3)
    running(life, idle_at(life))
    life.confirmed(5 * HOUR)
    assert isinstance(life.data, Fresh)
    assert delays(life, idle_at(life), answered=False, times=1) == [900]


# --- expiry ------------------------------------------------------------------------------------------


def expired(serial: int = 5) -> Life:
    life = with_data(serial)
    life.data = Fresh(serial, held(life).timers, 0.0, 50.0)
    assert life.next_wake == 50.0
    assert not life.wake(49.9)
    assert life.wake(50.0)
    return life


def test_a_zone_expires_once_and_then_any_serial_will_do() -> None:
    life = expired(5)
    assert life.data == Expired(5, Timers(3600, 900, 604800))
    assert life.serial is None
    assert not life.wake(51.0)
    assert life.accepts(4)
    assert life.accepts(5)


def test_an_expired_zone_keeps_trying_and_recovers_with_a_lower_serial() -> None:
    life = expired(5)
    assert delays(life, idle_at(life), answered=True, times=9) == [10, 20, 40, 80, 160, 320, 640, 900, 900]
    running(life, idle_at(life)).transferred(9 * HOUR, soa(2))
    assert life.serial == 2


def test_a_zone_may_expire_while_it_is_transferred() -> None:
    life = running(with_data(5), HOUR)
    assert not life.accepts(4)
    assert life.next_wake == held(life).expires_at
    assert life.wake(held(life).expires_at)
    assert isinstance(life.work, Running)
    assert life.accepts(4)


def test_a_zone_that_expired_while_it_was_confirmed_is_wanted_again() -> None:
    life = running(with_data(5), HOUR)
    life.wake(held(life).expires_at)
    life.confirmed(700000.0)
    assert isinstance(life.data, Expired)
    assert idle_at(life) == 700000.0


# --- NOTIFY and commands -----------------------------------------------------------------------------


def test_a_notify_of_what_we_have_changes_nothing() -> None:
    life = with_data(5)
    before = life.work
    assert life.notified("192.0.2.1", 5) is NotifyVerdict.UP_TO_DATE
    assert life.notified("192.0.2.1", 4) is NotifyVerdict.UP_TO_DATE
    assert life.work is before


@pytest.mark.parametrize("hint", [6, None])
def test_a_notify_has_the_primaries_asked_at_once(hint: int | None) -> None:
    life = with_data(5)
    assert life.notified("192.0.2.1", hint) is NotifyVerdict.CHECK
    assert life.work == Wanted(Cause.NOTIFY, source="192.0.2.1", hint=hint)


@pytest.mark.parametrize("life", [make(), expired(5)])
def test_a_notify_of_any_serial_counts_where_there_is_no_data(life: Life) -> None:
    assert life.notified("192.0.2.1", 3) is NotifyVerdict.CHECK


def test_a_notify_of_a_higher_serial_ends_the_back_off() -> None:
    life = with_data(5)
    delays(life, HOUR, answered=False, times=3)
    life.notified("192.0.2.1", 6)
    life.begin()
    assert life.failed(9 * HOUR, answered=False) == 900


def test_a_notify_without_a_serial_does_not_end_the_back_off() -> None:
    life = with_data(5)
    delays(life, HOUR, answered=False, times=3)
    life.notified("192.0.2.1", None)
    life.begin()
    assert life.failed(9 * HOUR, answered=False) == 3600


def test_notifies_during_a_transfer_become_one_more_check() -> None:
    life = running(with_data(5), HOUR)
    for hint in (7, 6):
        assert life.notified("192.0.2.1", hint) is NotifyVerdict.LATER
    life.transferred(HOUR, soa(6))
    assert life.work == Wanted(Cause.NOTIFY, source="192.0.2.1", hint=7)
    life.begin()
    life.transferred(HOUR, soa(7))
    assert isinstance(life.work, Idle)


def test_a_notify_of_what_the_transfer_brought_is_done() -> None:
    life = running(with_data(5), HOUR)
    life.notified("192.0.2.1", 7)
    life.transferred(HOUR, soa(7))
    assert isinstance(life.work, Idle)


def test_a_notify_without_a_serial_during_a_transfer_is_followed_all_the_same() -> None:
    life = running(with_data(5), HOUR)
    life.notified("192.0.2.1", None)
    life.notified("192.0.2.1", 7)
    life.transferred(HOUR, soa(7))
    assert isinstance(life.work, Wanted)


def test_after_a_failed_transfer_a_notify_that_came_meanwhile_gets_one_attempt() -> None:
    life = running(with_data(5), HOUR)
    life.notified("192.0.2.1", 7)
    assert life.failed(HOUR, answered=True) == 0.0
    life.begin()
    assert life.failed(HOUR, answered=True) == 900
    assert idle_at(life) == HOUR + 900


def test_the_operator_goes_first_and_may_take_anything() -> None:
    life = with_data(5)
    life.notified("192.0.2.1", 6)
    life.want(whole=True)
    life.notified("192.0.2.1", 8)
    assert life.begin() == Wanted(Cause.OPERATOR, whole=True)
    assert life.accepts(1)
    life.transferred(HOUR, soa(1))
    assert life.serial == 1


def test_the_operator_ends_the_back_off() -> None:
    life = with_data(5)
    delays(life, HOUR, answered=False, times=3)
    life.want()
    life.begin()
    assert life.failed(9 * HOUR, answered=False) == 900


def test_a_refresh_by_the_operator_takes_nothing_old() -> None:
    life = with_data(5)
    life.want()
    assert life.begin().cause is Cause.OPERATOR
    assert not life.accepts(5)
    assert life.accepts(6)


# --- files and settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file_time", "saved", "expected"),
    [
        (None, (900.0, 5000.0), (900.0, 5000.0)),
        (500.0, (900.0, 950.0), (900.0, 950.0)),  # expired while we were down
        (500.0, None, (500.0, 500.0 + 604800)),
        (-604000.0, None, (-604000.0, 1000.0 + 900)),  # long unchanged, and no word of when it was confirmed
        (2000.0, None, (1000.0, 1000.0 + 604800)),  # from the future
        (None, None, (1000.0, 1000.0 + 604800)),
    ],
)
def test_what_is_known_of_a_file(
    file_time: float | None, saved: tuple[float, float] | None, expected: tuple[float, float]
) -> None:
    assert known_times(Timers.of(soa(5), BOUNDS), 1000.0, file_time, saved) == expected


def test_a_file_at_the_start_is_fresh_and_still_asked_for_at_once() -> None:
    life = make()
    life.loaded(soa(5), -100.0, 700.0, 0.0)
    assert life.data == Fresh(5, Timers(3600, 900, 604800), -100.0, 700.0)
    assert life.next_wake == 0.0


def test_a_file_that_expired_while_we_were_down_is_not_served() -> None:
    life = make()
    life.loaded(soa(5), -200.0, -100.0, 0.0)
    assert isinstance(life.data, Expired)


def test_an_edited_file_changes_no_timer() -> None:
    life = with_data(5)
    before = held(life)
    life.loaded(soa(6), 9 * HOUR, 10 * HOUR, 9 * HOUR)
    assert (held(life).serial, held(life).expires_at) == (6, before.expires_at)


def test_other_settings_shorten_a_wait() -> None:
    life = with_data(5)
    bounds = dataclasses.replace(BOUNDS, max_refresh_s=600)
    life.set_bounds(bounds, soa(5), 100.0)
    assert idle_at(life) == 700.0
    assert held(life).timers.refresh_s == 600


# --- anything in any order ---------------------------------------------------------------------------

SERIALS = st.sampled_from([1, 2, 3, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)
SECONDS = st.sampled_from([0.0, 1.0, 2.0, 900.0, 3600.0, 10.0**6]) | st.floats(0, 10**7)


class AnyOrder(RuleBasedStateMachine):
    """A caller that keeps to the contract, with a clock that jumps forward and never back."""

    @initialize(random=st.floats(0, 0.999), refresh=st.integers(0, 10**5), expire=st.integers(0, 10**6))
    def start(self, random: float, refresh: int, expire: int) -> None:
        self.now = 0.0
        self.life = make(random)
        self.intervals = (refresh, refresh // 3, expire)
        self.operator = False

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        due = self.life.next_wake is not None and self.life.next_wake <= self.now
        served = self.life.serial is not None
        expired = self.life.wake(self.now)
        assert due or not expired
        assert expired == (served and self.life.serial is None)

    @rule(hint=st.none() | SERIALS)
    def notify(self, hint: int | None) -> None:
        self.life.notified("192.0.2.1", hint)

    @rule(whole=st.booleans())
    def command(self, whole: bool) -> None:
        self.life.want(whole=whole)

    @precondition(lambda self: isinstance(self.life.work, Wanted))
    @rule()
    def begin(self) -> None:
        self.operator = self.life.begin().whole

    @precondition(lambda self: isinstance(self.life.work, Running))
    @rule(serial=SERIALS, expire_s=st.none() | st.integers(0, 10**6))
    def primary_has(self, serial: int, expire_s: int | None) -> None:
        before = self.life.serial
        if self.life.accepts(serial):
            assert before is None or self.operator or is_newer(serial, before)
            self.life.transferred(self.now, soa(serial, *self.intervals), expire_s)
            assert self.life.serial == serial
        elif serial == before:
            self.life.confirmed(self.now, expire_s)
            assert self.life.serial == before
        else:
            self.life.failed(self.now, answered=True)
            assert self.life.serial == before

    @precondition(lambda self: isinstance(self.life.work, Running))
    @rule(answered=st.booleans(), cut_off=st.booleans())
    def nothing_comes_of_it(self, answered: bool, cut_off: bool) -> None:
        before = self.life.serial
        assert self.life.failed(self.now, answered=answered, cut_off=cut_off) >= 0
        assert self.life.serial == before

    @rule(serial=SERIALS, age=SECONDS)
    def file_is_read(self, serial: int, age: float) -> None:
        fresh = soa(serial, *self.intervals)
        times = known_times(Timers.of(fresh, BOUNDS), self.now, self.now - age, None)
        self.life.loaded(fresh, *times, self.now)

    @invariant()
    def never_stuck(self) -> None:
        if isinstance(self.life.work, Idle):  # otherwise it is in somebody's queue, or hands
            assert self.life.next_wake is not None
            assert self.life.next_wake <= self.life.work.next_at <= self.now + 10**7

    @invariant()
    def never_served_for_ever(self) -> None:
        if isinstance(self.life.data, Held):
            assert self.life.next_wake is not None
            assert self.life.next_wake <= self.life.data.expires_at
        else:
            assert self.life.serial is None
            assert isinstance(self.life.data, NoData | Expired)


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
