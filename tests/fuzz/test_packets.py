"""Spoiled queries: whatever the octets, there is an answer that may be sent, or silence.

``BINDPY_FUZZ_PACKETS`` is how many (200,000 unless set), ``BINDPY_FUZZ_SEED`` where to begin.
"""

from __future__ import annotations

import os
import random

import pytest

from bindpy.answer.policy import Outcome, Transport
from tests.support.engines import make_engine
from tests.support.packets import check_reply, corpus, fuzzed_answerer, spoil

PACKETS = int(os.environ.get("BINDPY_FUZZ_PACKETS", "200000"))
SEED = int(os.environ.get("BINDPY_FUZZ_SEED", "20261122"))
_PARSED_ONE_IN = 50
"""Reading a reply with dnspython takes ten times as long as making it."""

pytestmark = pytest.mark.usefixtures("engine")

CLIENT, LOCAL = "192.0.2.53", "192.0.2.1"


def test_every_query_of_the_corpus_is_answered() -> None:
    answerer = fuzzed_answerer(make_engine())
    for query in corpus():
        for transport in Transport:
            reply = answerer.answer(query, CLIENT, LOCAL, transport)
            assert reply is not Outcome.DROP
            check_reply(query, reply, transport)
            assert answerer.answer(query, CLIENT, LOCAL, transport) == reply, "from the cache"


@pytest.mark.timeout(600)
def test_spoiled_queries() -> None:
    answerer = fuzzed_answerer(make_engine())
    queries = corpus()
    rng = random.Random(SEED)
    answered = 0
    for number in range(PACKETS):
        query = spoil(queries[number % len(queries)], rng)
        transport = Transport.TCP if number % 7 == 0 else Transport.UDP
        reply = answerer.answer(query, CLIENT, LOCAL, transport)
        try:
            check_reply(query, reply, transport, parse=number % _PARSED_ONE_IN == 0)
        except Exception as exc:
            exc.add_note(f"seed {SEED}, packet {number}: {query.hex()} over {transport.value}")
            raise
        answered += isinstance(reply, bytes)
    assert answered > PACKETS // 2
