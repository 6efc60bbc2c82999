"""Encoding: compression that every reader can follow."""

from __future__ import annotations

import pytest

from bindpy.answer.policy import AnswerPolicy, ViewPolicy
from tests.support.asking import Asker

APEX = "@ SOA ns1 h 1 2 3 4 300\n@ NS ns1\nns1 A 192.0.2.1\n"

pytestmark = pytest.mark.usefixtures("engine")


def _most_pointers(message: bytes) -> int:
    """Return how many pointers must be followed for the name that needs the most of them."""

    def passed(at: int) -> int:
        while size := message[at]:
            if size >= 0xC0:
                return 1 + passed((size & 0x3F) << 8 | message[at + 1])
            at += 1 + size
        return 0

    return max(passed(at) for at in range(12, len(message) - 1) if message[at] >= 0xC0)


def test_chains_of_pointers_are_short() -> None:
    chain = "".join(f"{'x.' * i}c CNAME {'x.' * (i + 1)}c\n" for i in range(1, 20))
    server = Asker({"example.": APEX + chain})
    query = b"\0\1\0\0\0\1\0\0\0\0\0\0\x01x\x01c\x07example\0\0\1\0\1"
    answer = server.wire(query)
    assert isinstance(answer, bytes)
    assert 4 < _most_pointers(answer) <= 8


def test_names_beyond_the_reach_of_pointers_are_not_pointed_at() -> None:
    hosts = "".join(
        f"many MX {i} host{i}.farm\nhost{i}.farm A 10.0.{i // 256}.{i % 256}\n" for i in range(1100)
    )
    policy = AnswerPolicy(views=(ViewPolicy("_default", minimal_responses="no-auth"),))
    reply = Asker({"example.": APEX + hosts}, policy).ask("many.example.", "MX", tcp=True)
    assert reply.size_octets > 0x4000 + 1100 * 16
    assert reply.answer == [f"many.example. 3600 MX {i} host{i}.farm.example." for i in range(1100)]
    assert reply.additional == [
        f"host{i}.farm.example. 3600 A 10.0.{i // 256}.{i % 256}" for i in range(1100)
    ]


def test_a_name_that_stands_in_another_case_is_written_out() -> None:
    server = Asker({"example.": APEX})
    small = server.ask("ns1.example.", flags="RD")
    mixed = server.ask("nS1.eXample.", flags="RD")
    assert mixed.answer == small.answer
    assert mixed.size_octets == small.size_octets - 2 + len(b"\3ns1\7example\0")
