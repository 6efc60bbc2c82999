"""The cache of whole answers: bounded, and kind to what is popular."""

from __future__ import annotations

from bindpy.answer.cache import ENTRY_OVERHEAD_OCTETS, AnswerCache
from bindpy.answer.policy import Transport

UDP = (0, Transport.UDP)
TCP = (0, Transport.TCP)
ENTRY_OCTETS = 8 + 42 + ENTRY_OVERHEAD_OCTETS


def _key(number: int) -> bytes:
    return b"%08d" % number


def _put(cache: AnswerCache, number: int) -> None:
    cache.put(UDP, _key(number), bytes(42))


def test_what_was_put_is_found_under_its_table_only() -> None:
    cache = AnswerCache(1 << 20)
    cache.put(UDP, b"question", b"answer")
    assert cache.get(UDP, b"question") == b"answer"
    assert cache.get(TCP, b"question") is None
    assert cache.get((1, Transport.UDP), b"question") is None
    assert cache.table(UDP) == {b"question": b"answer"}


def test_a_flood_of_new_questions_does_not_make_it_grow() -> None:
    cache = AnswerCache(100 * ENTRY_OCTETS)
    for number in range(10_000):
        _put(cache, number)
        assert len(cache) <= 100
    assert len(cache) >= 50


def test_what_is_asked_for_again_stays_during_a_flood() -> None:
    cache = AnswerCache(100 * ENTRY_OCTETS)
    _put(cache, 0)
    for number in range(1, 10_000):
        _put(cache, number)
        if number % 40 == 0:
            assert cache.get(UDP, _key(0)) is not None, number


def test_the_young_table_is_another_one_when_the_halves_change_places() -> None:
    cache = AnswerCache(4 * ENTRY_OCTETS)
    first = cache.table(UDP)
    _put(cache, 1)
    _put(cache, 2)
    assert cache.table(UDP) is first
    _put(cache, 3)
    assert cache.table(UDP) is not first
    assert cache.get(UDP, _key(1)) is not None, "still in the old half"


def test_a_cache_without_room_keeps_nothing() -> None:
    cache = AnswerCache(0)
    _put(cache, 1)
    assert len(cache) == 0
    assert cache.get(UDP, _key(1)) is None
