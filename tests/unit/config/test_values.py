"""Clause values: what each kind takes, what it gives, and what is said about the rest."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest

from bindpy.config.clause_table import contexts
from bindpy.config.clauses import ANYTHING
from bindpy.config.plain_values import parse_value
from bindpy.config.scanner import MAX_DEPTH, scan
from bindpy.config.tree import Source, text_of
from bindpy.config.values import (
    AclGeoip,
    AclKey,
    AclName,
    AclNested,
    AclNetwork,
    BadValueError,
    Percentage,
    Remote,
    RemoteList,
    Value,
)
from bindpy.diagnostics import Diagnostics


def value(notation: str, text: str) -> Value:
    diagnostics = Diagnostics()
    statements = scan(Source("t", f"{text} ;" if text else ""), diagnostics)
    assert not diagnostics.items
    return parse_value(notation, text_of(statements[0].items) if statements else "")


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("boolean", "yes", True),
        ("boolean", "TRUE", True),
        ("boolean", "1", True),
        ("boolean", "no", False),
        ("boolean", "False", False),
        ("boolean", "0", False),
        ("integer", "0", 0),
        ("integer", "4294967295", 4294967295),
        ("integer", "0x1F", 31),
        ("integer", "017", 15),
        ("port", "65535", 65535),
        ("size", "0", 0),
        ("size", "5k", 5120),
        ("size", "32M", 33554432),
        ("size", "1g", 1073741824),
        ("percentage", "80%", Percentage(80)),
        ("duration", "3600", 3600),
        ("duration", "1h30m", 5400),
        ("duration", "1W2D", 777600),
        ("duration", "30m1h", 5400),
        ("duration", "P1D", 86400),
        ("duration", "p2w", 1209600),
        ("duration", "PT1H30M5S", 5405),
        ("duration", "P1Y2M", 31536000 + 62 * 86400),
        ("string", "word", "word"),
        ("string", '"two words"', "two words"),
        ("quoted", '"a \\" b"', 'a " b'),
        ("address", "192.0.2.1", "192.0.2.1"),
        ("address", "2001:DB8::1", "2001:db8::1"),
        ("network", "10/8", AclNetwork(IPv4Network("10.0.0.0/8"))),
        ("network", "10.1/16", AclNetwork(IPv4Network("10.1.0.0/16"))),
        ("network", "192.0.2.1", AclNetwork(IPv4Network("192.0.2.1/32"))),
        ("network", "2001:db8::/32", AclNetwork(IPv6Network("2001:db8::/32"))),
    ],
)
def test_a_kind_gives_its_value(kind: str, text: str, expected: Any) -> None:
    assert value(f"<{kind}>", text) == Value((expected,), {})


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("boolean", "maybe", "expected yes or no, found 'maybe'"),
        ("boolean", '"yes"', 'expected yes or no, found "yes"'),
        ("boolean", "", "expected yes or no, found nothing more"),
        ("boolean", "yes yes", "unexpected 'yes'"),
        ("integer", "-1", "expected a number, found '-1'"),
        ("integer", "08", "expected a number, found '08'"),
        ("integer", "5x", "expected a number, found '5x'"),
        ("integer", "4294967296", "'4294967296' is out of range: the largest number is 4294967295"),
        ("port", "65536", "port value '65536' is out of range: ports go to 65535"),
        ("size", "5t", "expected a number and an optional unit"),
        ("size", "99999999999g", "'99999999999g' is out of range"),
        ("percentage", "80", "expected a percentage, found '80'"),
        ("duration", "1y", "expected a duration"),
        ("duration", "1d12", "expected a duration"),
        ("duration", "P", "expected a duration"),
        ("duration", "P1DT", "expected a duration"),
        ("duration", "P1W2D", "expected a duration"),
        ("duration", "99999w", "'99999w' is out of range"),
        ("quoted", "word", "expected a quoted string, found 'word'"),
        ("address", "192.0.2", "expected an IP address, found '192.0.2'"),
        ("ipv4", "::1", "expected an IPv4 address, found '::1'"),
        ("network", "10", "'10' is half an IPv4 address: add '/8' if it is a prefix"),
        (
            "network",
            "10.0.0.1/8",
            "'10.0.0.1/8': address bits are set beyond the prefix length; '10.0.0.0/8'",
        ),
        ("network", "10.0.0.0/33", "'10.0.0.0/33': the prefix length is out of range (0 to 32)"),
        ("severity", "loud", "expected a severity"),
    ],
)
def test_what_a_kind_does_not_take_is_explained(kind: str, text: str, why: str) -> None:
    with pytest.raises(BadValueError) as caught:
        value(f"<{kind}>", text)
    assert str(caught.value).startswith(why)


def test_an_address_match_list_keeps_its_structure() -> None:
    text = '{ !10.0.0.1; key k; ! { 10/8; !"inner"; }; any; "10.0.0.1"; geoip country DE; fe80::1%eth0; }'
    assert value("<acl>", text).args[0] == (
        AclNetwork(IPv4Network("10.0.0.1/32"), negated=True),
        AclKey("k"),
        AclNested((AclNetwork(IPv4Network("10.0.0.0/8")), AclName("inner", negated=True)), negated=True),
        AclName("any"),
        AclName("10.0.0.1"),
        AclGeoip("country DE"),
        AclNetwork(IPv6Network("fe80::1/128")),
    )
    assert value("<acl>", "{ }").args == ((),)


def test_the_deepest_nesting_that_is_scanned_is_parsed() -> None:
    depth = MAX_DEPTH
    nested = value("<acl>", "{ " * depth + "any; " + "}; " * (depth - 1) + "}").args[0]
    for _ in range(depth - 1):
        nested = nested[0].elements
    assert nested == (AclName("any"),)


@pytest.mark.parametrize(
    ("text", "offset"),
    [("{ any; 10.0.0.1/8; }", 8), ("{ any; ! ; }", 10), ("{ key; }", 6), ("{ any 10; }", 6), ("any", 0)],
)
def test_an_error_in_a_list_points_at_its_element(text: str, offset: int) -> None:
    with pytest.raises(BadValueError) as caught:
        value("<acl>", text)
    assert caught.value.offset == offset


def test_a_list_of_servers_keeps_ports_keys_and_names() -> None:
    text = 'port 5353 { 192.0.2.1; 2001:db8::1 port 54 key k; 192.0.2.2 key "x.y" tls t; others; }'
    assert value("<remotes>", text).args[0] == RemoteList(
        (
            Remote("192.0.2.1", False),
            Remote("2001:db8::1", False, 54, "k"),
            Remote("192.0.2.2", False, None, "x.y", "t"),
            Remote("others", True),
        ),
        5353,
    )


def test_words_announce_values_in_any_order() -> None:
    notation = "<quoted> [* versions ( unlimited | <integer> ) | size <size> *]"
    for text in ('"f" versions 3 size 1k', '"f" size 1k versions 3'):
        assert value(notation, text) == Value(("f",), {"versions": 3, "size": 1024})
    assert value(notation, '"f" versions unlimited') == Value(("f",), {"versions": "unlimited"})
    with pytest.raises(BadValueError):
        value(notation, '"f" size 1k size 2k')


def test_equal_text_is_parsed_once() -> None:
    assert parse_value("<acl>", "{ any ; }") is parse_value("<acl>", "{ any ; }")


def test_every_clause_has_a_notation_that_works() -> None:
    for context, clauses in contexts().items():
        for clause in clauses.values():
            if clause.value and clause.value != ANYTHING:
                # Nothing takes a lone brace, so each notation must refuse it, and refuse it as documented.
                with pytest.raises(BadValueError):
                    parse_value(clause.value, "}")
            if clause.body:
                assert clause.body in contexts(), (context, clause.name)
