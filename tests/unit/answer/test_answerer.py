"""The Answerer of either engine: publishing, views, ACLs, and that nothing shows old data."""

from __future__ import annotations

import threading
from ipaddress import ip_network
from typing import Literal

import dns.edns
import dns.message
import pytest

from bindpy.answer.policy import (
    EXPIRED,
    AnswerPolicy,
    Outcome,
    Publication,
    Transport,
    ViewPolicy,
    ZonePolicy,
)
from bindpy.config.acl import LocalAddresses
from bindpy.config.model import (
    MATCH_ANY,
    AddressMatchList,
    MatchBuiltin,
    MatchNested,
    MatchNetwork,
    OrderRule,
)
from bindpy.engine import Answerer
from bindpy.zone import names
from tests.support.asking import Asker
from tests.support.engines import make_engine, make_zone

QUERY = b"\x12\x34\0\0\0\1\0\0\0\0\0\0\x03www\x07example\0\0\1\0\1"
ORIGIN = names.from_text("example.")

pytestmark = pytest.mark.usefixtures("engine")


def _text(number: int) -> str:
    return f"@ SOA ns1 h {number} 2 3 4 300\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.{number}\n"


def _only(network: str) -> AddressMatchList:
    return (MatchNetwork(ip_network(network)),)


def _answerer(policy: AnswerPolicy | None = None) -> Answerer:
    answerer = make_engine().answerer
    answerer.configure(policy or AnswerPolicy())
    return answerer


def _ask(answerer: Answerer, client: str = "192.0.2.53", local: str = "192.0.2.1", rd: bool = False) -> str:
    query = QUERY[:2] + bytes([rd]) + QUERY[3:]
    answer = answerer.answer(query, client, local, Transport.UDP)
    if isinstance(answer, Outcome):
        return answer.value
    reply = dns.message.from_wire(answer)
    return reply.answer[0][0].address if reply.answer else reply.rcode().name


def test_less_than_a_header_is_dropped() -> None:
    answerer = _answerer()
    assert answerer.answer(b"", "192.0.2.53", "192.0.2.1", Transport.UDP) is Outcome.DROP


def test_publish_unavailable_and_withdraw_take_effect_at_once() -> None:
    answerer = _answerer()
    assert _ask(answerer) == "REFUSED"
    answerer.publish("_default", make_zone("example.", _text(1)), ZonePolicy())
    assert [_ask(answerer), _ask(answerer)] == ["192.0.2.1"] * 2
    answerer.publish("_default", make_zone("EXAMPLE.", _text(2)), ZonePolicy())
    assert [_ask(answerer), _ask(answerer)] == ["192.0.2.2"] * 2
    answerer.unavailable("_default", ORIGIN, ZonePolicy(), "expired")
    assert [_ask(answerer), _ask(answerer)] == ["SERVFAIL"] * 2
    answerer.publish("_default", make_zone("example.", _text(3)), ZonePolicy())
    assert _ask(answerer) == "192.0.2.3"
    answerer.withdraw("_default", names.from_text("Example."))
    answerer.withdraw("_default", names.from_text("never-was."))
    assert [_ask(answerer), _ask(answerer)] == ["REFUSED"] * 2


def test_many_zones_are_published_in_one_change() -> None:
    answerer = _answerer()
    assert _ask(answerer) == "REFUSED"
    zones = [
        Publication("_default", ORIGIN, make_zone("example.", _text(number)), ZonePolicy())
        for number in (1, 2)
    ]
    gone = Publication("_default", ORIGIN, None, ZonePolicy(), EXPIRED)
    answerer.publish_all([*zones, gone._replace(origin=names.from_text("other."))])
    assert [_ask(answerer), _ask(answerer)] == ["192.0.2.2"] * 2, "the last one of a name counts"
    answerer.publish_all([gone])
    assert [_ask(answerer), _ask(answerer)] == ["SERVFAIL"] * 2, "nothing is remembered from before"


def test_a_more_specific_zone_takes_over_and_gives_back() -> None:
    answerer = _answerer()
    answerer.publish("_default", make_zone("example.", _text(1)), ZonePolicy())
    assert _ask(answerer) == "192.0.2.1"
    inner = "@ SOA ns h 1 2 3 4 5\n@ NS ns\n@ A 192.0.2.99\n"
    answerer.publish("_default", make_zone("www.example.", inner), ZonePolicy())
    assert _ask(answerer) == "192.0.2.99"
    answerer.withdraw("_default", names.from_text("www.example."))
    assert _ask(answerer) == "192.0.2.1"


def test_answers_over_tcp_and_udp_are_kept_apart() -> None:
    text = _text(1) + "".join(f'big TXT "{i}{"x" * 200}"\n' for i in range(5))
    asker = Asker({"example.": text})
    for _ in range(2):
        assert asker.ask("big.example.", "TXT").tc
        assert not asker.ask("big.example.", "TXT", tcp=True).tc


# --- views and ACLs -----------------------------------------------------------------------------------

VIEWS = (
    ViewPolicy("inside", match_clients=_only("10.0.0.0/8")),
    ViewPolicy("local", match_destinations=_only("127.0.0.0/8")),
    ViewPolicy("resolvers", match_recursive_only=True),
    ViewPolicy("outside", match_clients=_only("192.0.2.0/24")),
)


def _with_views() -> Answerer:
    answerer = _answerer(AnswerPolicy(views=VIEWS))
    for number, view in enumerate(VIEWS, start=1):
        answerer.publish(view.name, make_zone("example.", _text(number)), ZonePolicy())
    return answerer


@pytest.mark.parametrize(
    ("client", "local", "rd", "address"),
    [
        ("10.1.2.3", "192.0.2.1", False, "192.0.2.1"),
        ("10.1.2.3", "127.0.0.1", True, "192.0.2.1"),
        ("192.0.2.53", "127.0.0.1", False, "192.0.2.2"),
        ("192.0.2.53", "192.0.2.1", True, "192.0.2.3"),
        ("192.0.2.53", "192.0.2.1", False, "192.0.2.4"),
        ("::ffff:10.1.2.3", "192.0.2.1", False, "192.0.2.1"),
        ("198.51.100.1", "192.0.2.1", False, "REFUSED"),
        ("2001:db8::1%eth0", "2001:db8::2", False, "REFUSED"),
    ],
)
def test_the_first_view_that_matches_answers(client: str, local: str, rd: bool, address: str) -> None:
    answerer = _with_views()
    assert [_ask(answerer, client, local, rd) for _ in range(2)] == [address] * 2


def test_no_view_sees_anothers_answers() -> None:
    answerer = _with_views()
    for _ in range(3):
        assert _ask(answerer, "10.1.2.3") == "192.0.2.1"
        assert _ask(answerer, "192.0.2.53") == "192.0.2.4"
        assert _ask(answerer, "10.9.9.9") == "192.0.2.1"


def test_a_view_that_is_gone_takes_its_zones_along() -> None:
    answerer = _with_views()
    answerer.configure(AnswerPolicy(views=VIEWS[:1]))
    assert _ask(answerer, "10.1.2.3") == "192.0.2.1"
    assert _ask(answerer, "192.0.2.53") == "REFUSED"
    answerer.configure(AnswerPolicy(views=VIEWS))
    assert _ask(answerer, "192.0.2.53") == "REFUSED"
    with pytest.raises(KeyError):
        answerer.publish("no such view", make_zone("example.", _text(1)), ZonePolicy())


def test_allow_query_and_allow_query_on() -> None:
    answerer = _answerer()
    policy = ZonePolicy(allow_query=_only("10.0.0.0/8"), allow_query_on=_only("192.0.2.0/24"))
    answerer.publish("_default", make_zone("example.", _text(1)), policy)
    for _ in range(2):
        assert _ask(answerer, "10.1.2.3", "192.0.2.1") == "192.0.2.1"
        assert _ask(answerer, "10.1.2.3", "198.51.100.1") == "REFUSED"
        assert _ask(answerer, "192.0.2.53", "192.0.2.1") == "REFUSED"
    answerer.publish("_default", make_zone("example.", _text(2)), ZonePolicy())
    assert _ask(answerer, "192.0.2.53", "192.0.2.1") == "192.0.2.2"


def test_an_alias_into_a_zone_that_the_client_may_not_ask_ends_there() -> None:
    answerer = _answerer()
    text = _text(1).replace("www A 192.0.2.1", "www CNAME www.private.")
    answerer.publish("_default", make_zone("example.", text), ZonePolicy())
    private = ZonePolicy(allow_query=_only("10.0.0.0/8"))
    answerer.publish("_default", make_zone("private.", _text(2)), private)
    lengths = {}
    for client in ("10.1.2.3", "192.0.2.53", "10.1.2.3"):
        answer = answerer.answer(QUERY, client, "192.0.2.1", Transport.UDP)
        assert isinstance(answer, bytes)
        lengths[client] = len(dns.message.from_wire(answer).answer)
    assert lengths == {"10.1.2.3": 2, "192.0.2.53": 1}


def test_more_acls_than_tell_classes_apart_still_decide() -> None:
    answerer = _answerer()
    for number in range(100):
        policy = ZonePolicy(allow_query=_only(f"10.0.{number}.0/24"))
        answerer.publish("_default", make_zone(f"z{number}.", _text(1)), policy)
    answerer.publish(
        "_default", make_zone("example.", _text(2)), ZonePolicy(allow_query=_only("10.1.0.0/16"))
    )
    for _ in range(2):
        assert _ask(answerer, "10.1.2.3") == "192.0.2.2"
        assert _ask(answerer, "10.2.2.3") == "REFUSED"


def test_a_new_acl_is_known_to_clients_that_asked_before() -> None:
    answerer = _answerer()
    answerer.publish("_default", make_zone("example.", _text(1)), ZonePolicy(allow_query=_only("10.0.0.0/8")))
    assert _ask(answerer, "10.1.2.3") == "192.0.2.1"
    answerer.publish(
        "_default", make_zone("example.", _text(2)), ZonePolicy(allow_query=_only("10.1.0.0/16"))
    )
    assert _ask(answerer, "10.1.2.3") == "192.0.2.2"
    assert _ask(answerer, "10.2.2.3") == "REFUSED"


def test_localhost_is_what_the_policy_says() -> None:
    localhost = (MatchBuiltin("localhost"),)
    local = LocalAddresses(localhost=(ip_network("192.0.2.7/32").network_address,))
    answerer = _answerer(AnswerPolicy(local=local))
    answerer.publish("_default", make_zone("example.", _text(1)), ZonePolicy(allow_query=localhost))
    assert (_ask(answerer, "192.0.2.7"), _ask(answerer, "192.0.2.8")) == ("192.0.2.1", "REFUSED")
    answerer.configure(AnswerPolicy())
    assert _ask(answerer, "192.0.2.7") == "REFUSED"


def test_blackholed_clients_get_no_answer() -> None:
    answerer = _answerer(AnswerPolicy(blackhole=_only("192.0.2.0/24")))
    answerer.publish("_default", make_zone("example.", _text(1)), ZonePolicy())
    assert [_ask(answerer, "192.0.2.53"), _ask(answerer, "10.1.2.3"), _ask(answerer, "192.0.2.53")] == [
        "drop", "192.0.2.1", "drop",
    ]  # fmt: skip


def test_a_named_acl_that_lets_everybody_pass_is_none() -> None:
    everybody = (MatchNested(MATCH_ANY, name="trusted"),)
    answerer = _answerer()
    answerer.publish("_default", make_zone("example.", _text(1)), ZonePolicy(allow_query=everybody))
    assert _ask(answerer) == "192.0.2.1"


# --- the order of RRs ---------------------------------------------------------------------------------


def test_the_order_in_the_zone_is_kept() -> None:
    asker = Asker({"example.": _text(1) + "many A 192.0.2.30\nmany A 192.0.2.10\nmany A 192.0.2.20\n"})
    for _ in range(5):
        assert [line[-2:] for line in asker.ask("many.example.").answer] == ["30", "10", "20"]


@pytest.mark.parametrize("order", ["cyclic", "random"])
def test_the_order_is_turned_when_asked_to(order: Literal["cyclic", "random"]) -> None:
    policy = AnswerPolicy(views=(ViewPolicy("_default", rrset_order=(OrderRule(order),)),))
    many = "".join(f"many A 192.0.2.{i}\n" for i in range(10, 16))
    asker = Asker({"example.": _text(1) + many}, policy)
    seen = [tuple(asker.ask("many.example.").answer) for _ in range(60)]
    assert all(sorted(answer) == sorted(seen[0]) for answer in seen)
    assert len({answer[0] for answer in seen}) == 6 if order == "cyclic" else len(set(seen)) > 2
    assert asker.ask("www.example.").answer == ["www.example. 3600 A 192.0.2.1"]


MANY = (
    _text(1)
    + "sub NS ns1\nsub NS ns2\nsub NS ns3\n"
    + "mail MX 10 many\nmail MX 20 many\nmail MX 30 many\n"
    + "".join(
        f"{owner} A 192.0.2.{i}\n{owner} AAAA 2001:db8::{i}\n"
        for owner in ("many", "x.many")
        for i in range(2)
    )
)


def _orders(rules: tuple[OrderRule, ...], *questions: tuple[str, str]) -> list[int]:
    """Return how many orders the answer to each question has when all are asked in turns."""
    views = (ViewPolicy("_default", minimal_responses="no", rrset_order=rules),)
    asker = Asker({"example.": MANY}, AnswerPolicy(views=views))
    seen: list[set[tuple[str, ...]]] = [set() for _ in questions]
    for _ in range(40):
        for orders, question in zip(seen, questions, strict=True):
            reply = asker.ask(*question)
            orders.add((*reply.answer, *reply.authority, *reply.additional))
    return [len(orders) for orders in seen]


def test_the_types_of_a_name_take_turns_of_their_own() -> None:
    assert _orders((OrderRule("cyclic"),), ("many.example.", "A"), ("many.example.", "AAAA")) == [2, 2]


def test_the_first_rule_that_matches_decides() -> None:
    def of(name: str) -> bytes:
        return names.from_text(name)

    rules = (
        OrderRule("none", 1, of("x.many.example.")),
        OrderRule("cyclic", None, of("*.many.example.")),
        OrderRule("cyclic", 15),
    )
    a, aaaa = ("x.MANY.example.", "A"), ("x.Many.example.", "AAAA")
    above, mx = ("many.example.", "A"), ("mail.example.", "MX")
    assert _orders(rules, a, aaaa, above, mx) == [1, 2, 1, 3]
    assert _orders((OrderRule("cyclic", None, of("many.example.")),), a, above, mx) == [1, 2, 1]
    assert _orders((OrderRule("cyclic", None, of("*.any.example.")),), a, above) == [1, 1]
    assert _orders((OrderRule("none"), OrderRule("cyclic")), a, mx) == [1, 1]


def test_referrals_are_ordered_and_additional_data_is_not() -> None:
    assert _orders((OrderRule("cyclic", 2),), ("www.sub.example.", "A")) == [3]
    assert _orders((OrderRule("cyclic", 1),), ("mail.example.", "MX")) == [1]


# --- publishing while queries come in -----------------------------------------------------------------


def test_a_query_sees_one_version_of_a_zone_and_never_an_older_one() -> None:
    def version(number: int) -> str:
        return f"@ SOA ns h {number} 2 3 4 300\n@ NS ns.other.\n@ MX {number} host\nhost A 10.0.0.{number}\n"

    numbers = range(1, 250)
    zones = [make_zone("example.", version(number)) for number in numbers]
    answerer = _answerer(AnswerPolicy(views=(ViewPolicy("_default", minimal_responses="no-auth"),)))
    answerer.publish("_default", zones[0], ZonePolicy())
    query = QUERY[:12] + b"\x07example\0\0\x0f\0\1"
    published = [1]
    wrong: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            at_least = published[0]
            found = (answerer.hot or {}).get(query[2:])
            answer = answerer.answer(query, "192.0.2.53", "192.0.2.1", Transport.UDP)
            for octets in (query[:2] + found if found else answer, answer):
                assert isinstance(octets, bytes)
                reply = dns.message.from_wire(octets)
                preference = reply.answer[0][0].preference
                if reply.additional[0][0].address != f"10.0.0.{preference}":
                    wrong.append("a mixture")
                if preference < at_least:
                    wrong.append(f"{preference} after {at_least}")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number, zone in zip(numbers, zones, strict=True):
        answerer.publish("_default", zone, ZonePolicy())
        published[0] = number
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(answerer.hot or {}) <= 1


def test_who_asks_how_long_the_zone_is_good_is_for_the_control_plane() -> None:
    option = dns.edns.GenericOption(dns.edns.OptionType(9), b"")
    answerer = _answerer()
    for rtype, is_passed_on in (("SOA", True), ("A", False)):
        query = dns.message.make_query("www.example.", rtype, use_edns=0, options=[option])
        answer = answerer.answer(query.to_wire(), "192.0.2.1", "192.0.2.2", Transport.UDP)
        assert (answer is Outcome.NOT_MINE) == is_passed_on
