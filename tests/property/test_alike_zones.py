"""Zones that differ by name and file only: made at once, they are what they are one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindpy.config import load, scanner
from bindpy.config.load import ConfigResult, load_config
from bindpy.config.scanner import PlainZone, scan
from bindpy.config.tree import Source, print_statements
from bindpy.diagnostics import Diagnostics

HEAD = """
options { directory "/usr"; also-notify { 192.0.2.9; }; };
key k { algorithm hmac-sha256; secret "MTIz"; };
acl inner { 10.0.0.0/8; !192.0.2.1; };
primaries list { 192.0.2.1; };
"""
BODIES = (
    'type primary; file "FILE";',
    ' type  primary ;\n file  "FILE" ;\n',
    'file "FILE"; type primary;',
    'type primary; file "FILE"; allow-transfer { inner; key k; };',
    'type primary; allow-query { ! 10.0.0.0/8; any; }; file "FILE"; notify no;',
    'type primary; file "FILE"; notify no; also-notify { 192.0.2.3; };',
    'type primary; file "FILE"; allow-update { any; };',
    'type primary; file "FILE"; max-zone-ttl 1d; zone-statistics full;',
    'type secondary; primaries { 192.0.2.1 port 5300 key "k"; list; }; file "FILE";',
    'type secondary; primaries { list; }; file "FILE"; masterfile-format text;',
    'type secondary; primaries { 192.0.2.7 key nobodys; }; file "FILE";',
    'type secondary; primaries { nowhere; }; file "FILE";',
    'type primary; file "FILE"; allow-transfer { missing; };',
    'type primary; file "FILE"; nonsense 1;',
    'type primary; file "FILE"; file "FILE";',
    'type primary; file "FILE"',
    'type primary; file "FILE";;',
    'type primary; file "FILE"; include "other";',
    'type primary; /* note */ file "FILE";',
    'type primary; file "FILE"; // include\n',
    'type primary; file "FILE"; allow-query { any };',
    'type primary; file "FILE"; allow-query { "a } ; b"; };',
    'type primary; file "FILE"; primaries { 192.0.2.1; };',
    'type hint; file "FILE";',
    'type redirect; file "FILE";',
    'type mirror; file "FILE";',
    'type primary; database "x"; file "FILE";',
    'type primary; dnssec-policy default; file "FILE";',
    'file "FILE";',
    "type primary;",
    'in-view "b";',
)
GOOD = 11
"""How many of them are without errors, and have zones that are alike."""
NAMES = ("a", "B", "b.example.", "c.example", "d_e", "-", ".", "a..b", "x" * 64, "ü", "1.2.3.in-addr.arpa")
FILES = ("a.db", "b.db", "/abs/c.db", "/abs//d.db", "./e.db", "sub/../f.db", "g.db/", "/")
NUMBERED = tuple(f"z{number}" for number in range(8))


def zone(name: str, rdclass: str, body: str, file: str) -> str:
    """Return a zone statement."""
    return f'zone "{name}"{rdclass} {{ {body.replace("FILE", file)} }};\n'


RANDOM_ZONES = st.builds(
    zone,
    st.sampled_from(NAMES + NUMBERED),
    st.sampled_from(("", "", " IN", " in", " CH", " nonsense")),
    st.sampled_from(BODIES),
    st.sampled_from(FILES),
)


@st.composite
def similar_zones(draw: st.DrawFn, bodies: tuple[str, ...] = BODIES) -> str:
    """Make several zones that are alike, with names and files of their own most of the time."""
    body = draw(st.sampled_from(bodies))
    names = draw(st.lists(st.sampled_from(NUMBERED), min_size=3, max_size=8, unique=True))
    shared = draw(st.sampled_from(("", "", "shared.db")))
    return "".join(zone(name, "", body, shared or f"{name}.db") for name in names)


GOOD_ZONES = st.lists(similar_zones(BODIES[:GOOD]), max_size=3).map("".join)
ZONES = GOOD_ZONES | st.lists(similar_zones() | RANDOM_ZONES | st.just("// zone\n"), max_size=4).map("".join)
VIEWS = st.lists(ZONES, min_size=1, max_size=3).map(
    lambda bodies: "".join(f"view v{number} {{ {body} }};\n" for number, body in enumerate(bodies))
)
TEXTS = st.builds(
    lambda *parts: "".join(parts), st.sampled_from(("", HEAD)), ZONES | VIEWS, ZONES | st.just("")
)


@contextmanager
def one_by_one() -> Iterator[None]:
    """Have every zone read for itself."""
    with (
        mock.patch.object(scanner.PlainZone, "__init__", side_effect=AssertionError),
        mock.patch.object(load, "leave_out", return_value=None),
        mock.patch("bindpy.config.includes.scan", lambda source, found, **_: scan(source, found)),
    ):
        yield


def said(result: ConfigResult) -> list[list[str]]:
    """Return the findings as they print."""
    return [list(item.lines()) for item in result.diagnostics]


def places(result: ConfigResult) -> list[str]:
    """Return where the zones stand, which no comparison of zones looks at."""
    return [] if result.config is None else [str(one.span) for one in result.config.zones()]


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_the_same_comes_of_it(text: str) -> None:
    quick = load_config("named.conf", text=text, base=Path("/etc"))
    with one_by_one():
        slow = load_config("named.conf", text=text, base=Path("/etc"))
    assert said(quick) == said(slow)
    assert quick.config == slow.config
    assert places(quick) == places(slow)
    assert print_statements(quick.tree) == print_statements(slow.tree)


@pytest.mark.parametrize("body", BODIES[:GOOD])
def test_the_long_way_is_seldom_needed(body: str) -> None:
    """Else the comparison above would prove nothing."""
    text = HEAD + "".join(zone(name, "", body, f"{name}.db") for name in NUMBERED)
    statements = scan(Source("named.conf", text), Diagnostics(), shapes={})
    assert [isinstance(one, PlainZone) for one in statements[-len(NUMBERED) :]] == [False] + 7 * [True]
    tree = load.leave_out(statements)
    assert tree is not None
    assert len(tree.tree) == len(statements) - 5


def test_zones_that_have_the_file_of_another_are_looked_at() -> None:
    """The server writes it: the error is about the ninth zone, which is like those before."""
    body = 'type secondary; primaries { list; }; file "FILE";'
    text = HEAD + "".join(zone(name, "", body, f"{name}.db") for name in NUMBERED)
    result = load_config("named.conf", text=text + zone("ninth", "", body, "z5.db"))
    assert [str(item).partition(": ")[2] for item in result.diagnostics] == [
        "error: file 'z5.db' is already in use by another zone, and the server writes it"
    ]
