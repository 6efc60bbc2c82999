"""What is special about the Answerer in Python: its cache, the table for the UDP service, its faults."""

from __future__ import annotations

from ipaddress import ip_network

import dns.edns
import pytest

from bindpy.answer.answerer import PythonAnswerer
from bindpy.answer.policy import AnswerPolicy, Transport, ViewPolicy, ZonePolicy
from bindpy.answer.query import Rcode
from bindpy.config.model import MATCH_NONE, MatchNetwork
from tests.support.asking import Asker
from tests.support.engines import fail_on_error
from tests.support.zones import zone_from_text

QUERY = b"\x12\x34\0\0\0\1\0\0\0\0\0\0\x03www\x07example\0\0\1\0\1"
INSIDE = (MatchNetwork(ip_network("10.0.0.0/8")),)


def _text(number: int) -> str:
    return f"@ SOA ns1 h {number} 2 3 4 300\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.{number}\n"


def _answerer(policy: AnswerPolicy | None = None) -> PythonAnswerer:
    return PythonAnswerer(policy or AnswerPolicy(), fail_on_error)


def _ask(answerer: PythonAnswerer, client: str = "192.0.2.53") -> bytes:
    answer = answerer.answer(QUERY, client, "192.0.2.1", Transport.UDP)
    assert isinstance(answer, bytes)
    return answer


# --- the hot table: the contract with the UDP service -------------------------------------------------


def test_hot_holds_what_was_answered_and_is_another_one_after_each_change() -> None:
    answerer = _answerer()
    answerer.publish("_default", zone_from_text("example.", _text(1)), ZonePolicy())
    before = answerer.hot
    assert before == {}
    answer = answerer.answer(QUERY, "192.0.2.53", "192.0.2.1", Transport.UDP)
    assert isinstance(answer, bytes)
    assert before is not None
    assert before[QUERY[2:]] == answer[2:]
    answerer.publish("_default", zone_from_text("example.", _text(2)), ZonePolicy())
    assert answerer.hot is not before
    assert answerer.hot == {}
    answerer.configure(AnswerPolicy(version="new"))
    assert answerer.hot == {}


def test_hot_follows_the_cache_when_its_halves_change_places() -> None:
    answerer = _answerer(AnswerPolicy(cache_octets=8000))
    answerer.publish("_default", zone_from_text("example.", _text(1)), ZonePolicy())
    for number in range(200):
        query = QUERY.replace(b"\x03www", b"\x03%03d" % number)
        answerer.answer(query, "192.0.2.53", "192.0.2.1", Transport.UDP)
        assert answerer.hot is not None
        assert query[2:] in answerer.hot
        assert len(answerer.hot) < 20


@pytest.mark.parametrize(
    "query",
    [
        b"",
        QUERY[:11],
        QUERY[:2] + b"\x80" + QUERY[3:],
        QUERY[:2] + b"\x20" + QUERY[3:],
        QUERY[:-4] + b"\0\xfc\0\1",
        QUERY + b"garbage",
        QUERY[:5] + b"\2" + QUERY[6:],
    ],
    ids=["empty", "short", "response", "notify", "axfr", "garbage", "two questions"],
)
def test_odd_queries_are_not_kept(query: bytes) -> None:
    answerer = _answerer()
    answerer.publish("_default", zone_from_text("example.", _text(1)), ZonePolicy())
    answerer.answer(query, "192.0.2.53", "192.0.2.1", Transport.UDP)
    assert answerer.hot == {}


def test_queries_with_cookies_share_the_answer_without_one() -> None:
    asker = Asker({"example.": _text(1)})
    assert isinstance(asker.answerer, PythonAnswerer)
    asker.ask("www.example.", edns=True)
    made = asker.answerer.counters[Rcode.NOERROR]
    for number in range(10):
        cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"%08d" % number)
        assert asker.ask("www.example.", edns=True, options=[cookie]).answer == [
            "www.example. 3600 A 192.0.2.1"
        ]
    assert asker.answerer.counters[Rcode.NOERROR] == made
    assert asker.answerer.hot is not None
    assert len(asker.answerer.hot) == 1


def test_with_views_nothing_is_hot_and_each_view_has_its_own_answers() -> None:
    views = (ViewPolicy("inside", match_clients=INSIDE), ViewPolicy("outside"))
    answerer = _answerer(AnswerPolicy(views=views))
    for number, view in enumerate(views, start=1):
        answerer.publish(view.name, zone_from_text("example.", _text(number)), ZonePolicy())
    assert answerer.hot is None
    for client in ("10.1.2.3", "192.0.2.53", "10.9.9.9", "192.0.2.54"):
        _ask(answerer, client)
    assert answerer.counters[Rcode.NOERROR] == 2, "one answer was made for each view"


def test_what_depends_on_the_client_is_not_hot() -> None:
    answerer = _answerer()
    answerer.publish("_default", zone_from_text("example.", _text(1)), ZonePolicy(allow_query=INSIDE))
    _ask(answerer, "10.1.2.3")
    assert answerer.hot == {}
    answerer.publish("_default", zone_from_text("example.", _text(2)), ZonePolicy())
    _ask(answerer)
    assert answerer.hot != {}


def test_nothing_is_hot_where_clients_are_blackholed() -> None:
    answerer = _answerer(AnswerPolicy(blackhole=INSIDE))
    answerer.publish("_default", zone_from_text("example.", _text(1)), ZonePolicy())
    assert answerer.hot is None


def test_zones_without_acls_stay_hot_beside_zones_with_them() -> None:
    answerer = _answerer()
    answerer.publish("_default", zone_from_text("private.", _text(1)), ZonePolicy(allow_query=MATCH_NONE))
    answerer.publish("_default", zone_from_text("example.", _text(2)), ZonePolicy())
    _ask(answerer)
    assert answerer.hot is not None
    assert QUERY[2:] in answerer.hot


# --- faults -------------------------------------------------------------------------------------------


def test_a_fault_is_told_and_answered_with_servfail(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[bytes, Exception]] = []
    answerer = PythonAnswerer(AnswerPolicy(), lambda query, exc: told.append((query, exc)))
    fault = ZeroDivisionError("a bug")

    def broken(*args: object) -> None:
        raise fault

    monkeypatch.setattr("bindpy.answer.answerer.parse", broken)
    query = QUERY[:2] + b"\1" + QUERY[3:]
    answer = answerer.answer(query, "192.0.2.53", "192.0.2.1", Transport.UDP)
    assert answer == b"\x12\x34\x81\2\0\0\0\0\0\0\0\0"
    assert told == [(query, fault)]
