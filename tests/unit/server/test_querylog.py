"""Query log lines, compared with what BIND 9.18 wrote for the same queries."""

from __future__ import annotations

import logging
import re

import dns.edns
import dns.flags
import dns.message
import dns.tsig
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindpy.answer.policy import Transport
from bindpy.server.endpoint import Endpoint
from bindpy.server.querylog import QueryLog, describe_query, read_question
from tests.unit.server.fakes import query

COOKIE = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, bytes(8))
NSID = dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")


def message(name: str = "a.example.com", qtype: str = "A", **edns: object) -> dns.message.QueryMessage:
    return dns.message.make_query(name, qtype, **edns)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "transport", "expected"),
    [
        (message(use_edns=False), Transport.UDP, "IN A +"),
        (message(flags=0, use_edns=False), Transport.UDP, "IN A -"),
        (message(use_edns=0, options=[COOKIE]), Transport.UDP, "IN A +E(0)K"),
        (message(use_edns=0, options=[NSID]), Transport.UDP, "IN A +E(0)"),
        (message(use_edns=0, options=[NSID, COOKIE], want_dnssec=True), Transport.TCP, "IN A +E(0)TDK"),
        (
            message(use_edns=0, want_dnssec=True, options=[COOKIE], flags=dns.flags.RD | dns.flags.CD),
            Transport.TCP,
            "IN A +E(0)TDCK",
        ),
        (message(use_edns=3), Transport.UDP, "IN A +E(3)"),
        (message(qtype="TYPE65280", use_edns=False), Transport.UDP, "IN TYPE65280 +"),
        (dns.message.make_query("a.example.com", "TXT", "CH", use_edns=False), Transport.UDP, "CH TXT +"),
    ],
)
def test_flags(made: dns.message.Message, transport: Transport, expected: str) -> None:
    assert describe_query(made.to_wire(), transport) == ("a.example.com", expected)


def test_a_signed_query() -> None:
    made = message(use_edns=0)
    made.use_tsig(dns.tsig.Key("k.", b"0123456789abcdef"))
    assert describe_query(made.to_wire(), Transport.TCP) == ("a.example.com", "IN A +SE(0)T")


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.example.com", "a.example.com"), (".", "."), (r"a\.b\010\;.Example", r"a\.b\010\;.Example")],
)
def test_names_are_escaped(name: str, text: str) -> None:
    described = describe_query(query(name), Transport.UDP)
    assert described is not None
    assert described[0] == text


def test_the_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = QueryLog()
    log(query("a.example.com"), Endpoint("127.0.0.1", 34098), "127.0.0.2", Transport.UDP)
    log(query("a.example.com"), Endpoint("::1", 34098), "::1", Transport.TCP)
    first, second = (r.getMessage() for r in caplog.records)
    assert re.fullmatch(
        r"client @0x[0-9a-f]{12} 127\.0\.0\.1#34098 \(a\.example\.com\): "
        r"query: a\.example\.com IN A \+ \(127\.0\.0\.2\)",
        first,
    )
    assert second.endswith(" ::1#34098 (a.example.com): query: a.example.com IN A +T (::1)")
    assert [(r.name, r.levelno) for r in caplog.records] == [("bindpy.queries", logging.INFO)] * 2


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        bytes(12),
        query()[:-1],
        query()[:2] + b"\x28" + query()[3:],  # UPDATE
        query()[:2] + b"\x81" + query()[3:],  # a response
        query()[:5] + b"\2" + query()[6:],  # two questions
        query()[:12] + b"\xc0\x0c\0\1\0\1",  # a pointer to itself
        query()[:12] + (b"\x3f" + bytes(63)) * 5 + b"\0\0\1\0\1",  # a name of 320 octets
    ],
)
def test_what_is_no_query_is_not_logged(packet: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    QueryLog()(packet, Endpoint("127.0.0.1", 1), "127.0.0.1", Transport.UDP)
    assert caplog.records == []


@given(
    st.binary(max_size=80), st.sampled_from([b"", query(), message(use_edns=0, options=[COOKIE]).to_wire()])
)
def test_any_octets_are_harmless(noise: bytes, base: bytes) -> None:
    for packet in (
        noise,
        base + noise,
        base[:12] + noise,
        bytes(a ^ b for a, b in zip(base, noise, strict=False)),
    ):
        described = describe_query(packet, Transport.UDP)
        if described is not None:
            assert described[0].isprintable()
        question = read_question(packet)
        assert question is None or question.end <= len(packet)
