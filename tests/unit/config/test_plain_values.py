"""What reads values that are right reads them as the grammar does, which knows what is wrong with others."""

from __future__ import annotations

import random
import re

import pytest

from bindpy.config.clause_table import contexts
from bindpy.config.clauses import ANYTHING
from bindpy.config.grammar import value_by_grammar
from bindpy.config.plain_values import plain_value
from bindpy.config.values import BadValueError, Value

NOTATIONS = sorted({row.value for rows in contexts().values() for row in rows.values()} - {ANYTHING})
LISTS = (
    "{ }",
    "{ any ; }",
    "{ ! 10.0.0.0 / 8 ; key k ; }",
    "{ { ! 192.0.2.1 ; } ; ! { none ; } ; 2001:db8:: / 32 ; }",
)
BAD_LISTS = ("{ any }", "{ 10.1 ; }", "{ key ; }", "{ geoip country DE ; }", "any", "{ ! ! a ; }")
WORDS = {
    "string": ("word", '"two words"', '"a \\" quote"', '""', "*", "10", "key"),
    "quoted": ('"quoted"', '"{ ; }"', "bare"),
    "bare": ("bare", "10/8", '"quoted"'),
    "boolean": ("yes", "No", "TRUE", "0", "maybe", "yes1", '"yes"'),
    "integer": ("0", "0x1F", "017", "4294967295", "4294967296", "08", "-1"),
    "port": ("53", "65535", "65536", "0x35", "dns"),
    "size": ("10", "10k", "4G", "99999999999999999999G", "k", "unlimited"),
    "percentage": ("80%", "080%", "80"),
    "fixed_point": ("0.5", ".25", "1.", ".", "1.255", "12345"),
    "duration": ("1h", "1d12H", "P1DT12H", "P", "10", "9999999w", "1x", "PT1S"),
    "ipv4": ("192.0.2.1", "192.0.2", "::1", "*"),
    "ipv6": ("2001:DB8::1", "fe80::1%eth0", "::1%x", "192.0.2.1"),
    "address": ("192.0.2.1", "::1", "a.example", "fe80::1%2"),
    "network": ("192.0.2.1", "10 / 8", "10.1", "10.0.0.1 / 8", "::1 / 129", "::1 / x", "fe80:: / 10", "any"),
    "acl": (*LISTS, *BAD_LISTS, '{ "q" ; }'),
    "remotes": (
        "{ }",
        "{ 192.0.2.1 ; ::1 port 5353 key k tls t ; others ; }",
        "port 53 { 192.0.2.1 port 54 ; }",
        "source-v6 :: port 53 source * { 192.0.2.1 key k ; }",
        "source * source * { a ; }",
        "dscp 4 { a ; }",
        "port 53 dscp 4 { a ; }",
        "{ 192.0.2.1 tls t key k ; }",
        "{ others key k ; }",
        "port 99999 { }",
    ),
    "severity": ("info", "Debug", "debug 3", "debug 99999999999", "dynamic", "loud"),
    "server_key": ("k", "{ k ; }", "{ k }", "{ a ; b ; }"),
    "strings": ("", "a", 'a "b c" d'),
    "anything": ("{ }", "{ a { b ; } ; }", "{ ! ; / }", "a"),
}
FIRST = {kind: words[:3] for kind, words in WORDS.items()}
NOT_PLAIN = re.compile(r"geoip|dscp|99999999")


def written(notation: str, rng: random.Random) -> str:
    """Return a text that *notation* may be meant to take; most are right."""
    pieces: list[str] = []
    words = re.findall(r"<\w+>|\[\*|\*\]|\.\.\.|[\[\](){}|;]|[^\s\[\](){}|;<>]+", notation)

    def choice(at: int, *, write: bool) -> int:
        """Write one of the alternatives from *at* on; return the place of what closes them."""
        starts, depth, end = [at], 0, at
        while end < len(words) and (depth or words[end] not in (")", "]", "*]", ";")):
            depth += words[end] in ("(", "[", "[*", "{")
            depth -= words[end] in (")", "]", "*]", "}")
            if words[end] == "|" and not depth:
                starts.append(end + 1)
            end += 1
        chosen = rng.choice(starts) if write else -1
        for start in starts:
            sequence(start, write=start == chosen)
        return end

    def sequence(at: int, *, write: bool) -> None:
        while at < len(words) and words[at] not in (")", "]", "*]", ";", "|"):
            word = words[at]
            if word in ("(", "["):
                at = choice(at + 1, write=write and (word == "(" or rng.random() < 0.6))
            elif word == "[*":
                order = [part for part in range(4) if rng.random() < 0.5]
                end = choice(at + 1, write=False)
                for _ in order:
                    choice(at + 1, write=write)
                at = end
            elif word == "{":
                count = rng.randrange(3) if write else 0
                end = choice(at + 1, write=False)
                pieces.extend(["{"] * write)
                for _ in range(count):
                    choice(at + 1, write=True)
                    pieces.append(";")
                pieces.extend(["}"] * write)
                at = end + 2
            elif write:
                kind = word[1:-1] if word[0] == "<" else ""
                pool = WORDS[kind] if kind and rng.random() < 0.2 else FIRST.get(kind, (word, word.upper()))
                pieces.append(rng.choice(pool))
            at += 1

    choice(0, write=True)
    if rng.random() < 0.15 and pieces:
        place = rng.randrange(len(pieces))
        pieces[place : place + rng.randrange(2)] = [rng.choice(["{", "}", ";", "x", "1", "any", '"q"', "!"])]
    return " ".join(piece for piece in pieces if piece)


def by_grammar(notation: str, text: str) -> Value | None:
    try:
        return value_by_grammar(notation, text)
    except BadValueError:
        return None


@pytest.mark.parametrize("notation", NOTATIONS)
def test_both_read_the_same(notation: str) -> None:
    rng = random.Random(notation)
    for _ in range(40):
        text = written(notation, rng)
        expected, plain = by_grammar(notation, text), plain_value(notation, text)
        if plain is None:
            assert expected is None or NOT_PLAIN.search(text) or "<anything>" in notation, text
        else:
            assert plain == expected, text


@pytest.mark.parametrize("kind", WORDS)
def test_both_read_each_kind_alike(kind: str) -> None:
    places = ((f"<{kind}>", ""), (f"[ <{kind}> ] <strings>", ""), (f"word <{kind}>", "Word "))
    for text in WORDS[kind]:
        for notation, before in places:
            whole = (before + text).strip()
            expected, plain = by_grammar(notation, whole), plain_value(notation, whole)
            assert plain in (None, expected), (notation, whole)
            is_left = NOT_PLAIN.search(whole) is not None or kind == "anything"
            assert plain is not None or expected is None or is_left, (notation, whole)


def test_texts_of_which_pyparsing_has_a_view_of_its_own_are_left_to_it() -> None:
    for text in ('"a\tb"', "\u017fecret", '"two\nlines"', " word", "a  b"):
        assert plain_value("<strings>", text) is None
    assert plain_value("<boolean>", "ye\u017f") is None
    assert value_by_grammar("<boolean>", "ye\u017f") is not None
