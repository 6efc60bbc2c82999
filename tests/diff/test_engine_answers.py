"""Both engines answer alike, octet by octet: generated zones, policies and queries, and spoiled packets.

``BINDPY_ENGINE_QUERIES`` is how many questions in all (20,000 unless set, in CI 500,000),
``BINDPY_ENGINE_SEED`` where to begin. The zones are signed by half, in every way there is.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import dns.message
import pytest

from bindpy.answer.policy import EXPIRED, AnswerPolicy, Outcome, Transport, ViewPolicy, ZonePolicy
from bindpy.config.model import OrderRule
from bindpy.zone.names import from_text
from bindpy.zone.records import RRType
from tests.diff.engine import (
    OPEN,
    Duel,
    Question,
    Scenario,
    ServedAs,
    random_list,
    random_policy,
    random_questions,
    records_of,
)
from tests.generate.names import text
from tests.generate.worlds import World, make_world
from tests.support.engine import engine_example
from tests.support.packets import ZONE, corpus, spoil
from tests.support.signed import signed
from tests.support.zones import zone_from_text

QUERIES = int(os.environ.get("BINDPY_ENGINE_QUERIES", "20000"))
SEED = int(os.environ.get("BINDPY_ENGINE_SEED", "1"))
QUERIES_PER_WORLD = 5000
_SHOWN = 3
_SIGNED: tuple[dict[str, bool] | None, ...] = (
    None, {"nsec3": False}, None, {"nsec3": True}, None, {"nsec3": True, "opt_out": True},
)  # fmt: skip


@pytest.fixture(scope="module")
def program() -> Path:
    return engine_example("answer")


def _settle(duel: Duel, scenario: Scenario, questions: list[Question]) -> None:
    differences = duel.differences(scenario, questions)
    if differences:
        smallest = [str(duel.smallest(difference)) for difference in differences[:_SHOWN]]
        pytest.fail(
            f"{len(differences)} of {len(questions)} answers differ\n" + "\n\n".join(smallest), pytrace=False
        )


def _scenario(rng: random.Random, world: World, seed: int) -> Scenario:
    """Return the zones of *world* under a random policy; now and then a zone is unavailable or has ACLs."""
    owners = [text(zone.origin) for zone in world.zones]
    owners += [text(owner) for zone in world.zones for owner in rng.sample(sorted(zone.owners()), 2)]
    policy = random_policy(rng, owners)
    zones = []
    for view in policy.views:
        for zone in world.zones:
            if rng.random() < 0.1 and len(policy.views) > 1:
                continue
            origin = text(zone.origin)
            signing = _SIGNED[seed % len(_SIGNED)]
            content = signed(origin, zone.to_text(), **signing) if signing is not None else zone.to_text()
            records = records_of(zone_from_text(origin, content))
            limits = OPEN
            if rng.random() < 0.2:
                limits = ZonePolicy(random_list(rng), random_list(rng))
            unavailable = rng.random() < 0.05
            zones.append(
                ServedAs(
                    view.name,
                    from_text(origin),
                    None if unavailable else records,
                    limits,
                    rng.choice((EXPIRED, "not loaded")) if unavailable else "",
                )
            )
    return Scenario(policy, tuple(zones))


def _packets(rng: random.Random, world: World, count: int) -> list[bytes]:
    """Return queries for *world*, a third of them spoiled; some with another class or version of EDNS."""
    packets = []
    for query in world.queries(count):
        packet = query.wire()
        packet = rng.randbytes(2) + packet[2:]
        if rng.random() < 0.3:
            packet = spoil(packet, rng)
        packets.append(packet)
    return packets


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(max(1, QUERIES // QUERIES_PER_WORLD)))
def test_generated_worlds(number: int, program: Path) -> None:
    seed = SEED * 1000 + number
    rng = random.Random(f"engine {seed}")
    world = make_world(seed)
    scenario = _scenario(rng, world, number)
    questions = random_questions(rng, _packets(rng, world, QUERIES_PER_WORLD), QUERIES_PER_WORLD)
    _settle(Duel(program), scenario, questions)


def _zones_with_everything() -> tuple[ServedAs, ...]:
    texts = {
        "plain.": ZONE,
        "nsec.": signed("nsec.", ZONE),
        "nsec3.": signed("nsec3.", ZONE, nsec3=True),
        "optout.": signed("optout.", ZONE, nsec3=True, opt_out=True),
    }
    return tuple([
        ServedAs("_default", from_text(origin), records_of(zone_from_text(origin, content)))
        for origin, content in texts.items()
    ])  # fmt: skip


@pytest.mark.parametrize("minimal_responses", ["no", "yes", "no-auth", "no-auth-recursive"])
def test_every_query_of_the_corpus(minimal_responses: str, program: Path) -> None:
    view = ViewPolicy("_default", minimal_responses=minimal_responses, minimal_any=True)
    policy = AnswerPolicy(views=(view,), server_id="id", version="v", hostname="h")
    rng = random.Random(0)
    questions = random_questions(rng, corpus(), 4 * len(corpus()))
    _settle(Duel(program), Scenario(policy, _zones_with_everything()), questions)


@pytest.mark.timeout(3600)
def test_spoiled_queries(program: Path) -> None:
    rng = random.Random(f"spoiled {SEED}")
    packets = [spoil(query, rng) for query in corpus() for _ in range(4)]
    policy = AnswerPolicy(server_id="id", version="v")
    questions = random_questions(rng, packets, max(len(packets), QUERIES // 10))
    _settle(Duel(program), Scenario(policy, _zones_with_everything()), questions)


def _as_sets(answer: str) -> tuple[object, ...] | str:
    """Return what is in an answer, but for the order of the RDATAs in its RRsets."""
    if answer in {outcome.value for outcome in Outcome}:
        return answer
    message = dns.message.from_wire(bytes.fromhex(answer))
    sections = [
        [(rrset.name, set(rrset.to_text().splitlines())) for rrset in section] for section in message.sections
    ]
    return message.flags, message.rcode(), message.ednsflags, sections


def test_random_orders(program: Path) -> None:
    """Over TCP, where nothing is left out; the order may decide what of names is compressed."""
    rules = (OrderRule("cyclic", RRType.NS), OrderRule("random"))
    policy = AnswerPolicy(views=(ViewPolicy("_default", minimal_responses="no", rrset_order=rules),))
    questions = [Question(packet, transport=Transport.TCP) for packet in corpus()]
    scenario = Scenario(policy, _zones_with_everything())
    python = [question.ask(answerer) for answerer in (scenario.python(),) for question in questions]
    rust = Duel(program).rust(scenario, questions)
    assert python != rust, "with so many answers of twelve records"
    assert [_as_sets(answer) for answer in python] == [_as_sets(answer) for answer in rust]
