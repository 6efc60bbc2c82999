"""Generated zones and queries: our answers against those of named, nsd and knotd.

An answer is right when it agrees with the majority of the peers, aspect by aspect. Where an RFC decides
otherwise, `tests.diff.accepted` says so, and docs/differences-from-bind.md explains it.
More seeds: ``python -m tests.diff.hunt``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bindpy.native import choose_engine
from tests.diff.arena import Arena, Ask, ask_server, in_process, open_arena, report
from tests.diff.judge import VOTERS
from tests.peers.require import require_peer, require_tool
from tests.peers.servers import Bindpy
from tests.support.engines import fail_on_error, usable_engines

SEEDS = range(15)
QUERIES_PER_SEED = 600
QUERIES_OVER_SOCKETS = 40


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    for name in VOTERS:
        require_peer(name)
    require_tool("dnssec-signzone")
    require_tool("dnssec-keygen")
    with open_arena(SEEDS, tmp_path_factory.mktemp("worlds")) as opened:
        yield opened


@pytest.fixture(scope="module")
def answerers(arena: Arena) -> dict[str, Ask]:
    """Each engine that there is; the peers, who take most of the time, are asked once for all of them."""
    engines = (choose_engine(choice, fail_on_error) for choice in usable_engines())
    return {engine.name: in_process(arena.zones, engine) for engine in engines}


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_agree_with_the_majority_of_the_peers(
    seed: int, arena: Arena, answerers: dict[str, Ask]
) -> None:
    queries = arena.worlds[seed].queries(QUERIES_PER_SEED)
    cases = arena.cases(seed, queries)
    for engine, answerer in answerers.items():
        wrong = arena.verdicts(cases, answerer)
        if wrong:
            message = f"{len(wrong)} of {len(queries)} answers of the {engine} are wrong:\n{report(wrong)}"
            pytest.fail(message, pytrace=False)


def test_the_server_process_gives_the_same_answers_over_udp_and_tcp(arena: Arena, tmp_path: Path) -> None:
    wrong = []
    with Bindpy(arena.zones) as server:
        for seed in SEEDS:
            cases = arena.cases(seed, arena.worlds[seed].queries(QUERIES_OVER_SOCKETS))
            wrong += arena.verdicts(cases, lambda queries: ask_server(server, queries))
    if wrong:
        pytest.fail(f"{len(wrong)} answers are wrong:\n{report(wrong)}", pytrace=False)
