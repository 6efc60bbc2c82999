"""What clause values mean, in a notation that the clause tables and the docs share.

==========================  ===================================================================
``<boolean>``               a value of that kind
``word``                    that word, in any case
``( a | b )``               one of these
``[ a ]``                   a, or nothing
``[* a | b *]``             any of these in any order, each at most once
``{ a; ... }``              a list in braces
==========================  ===================================================================

A word that something other than a word follows announces it: the value is found in `Value.named` by that
word.

Here is what reads values that are right. One that may be wrong, or is rare, goes to `bindpy.config.grammar`,
which says what is wrong with it. That takes pyparsing, whose import is a fifth of a server's start; so it is
imported for such values only. Tests hold the two against each other.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import cache, lru_cache
from types import MappingProxyType, ModuleType
from typing import Any, Final

from bindpy.config.values import AclKey, AclName, AclNested, Named, Remote, RemoteList, Value
from bindpy.config.words import ANY_TOKEN, TOKEN_KINDS, RangeError, looks_like_network, network

_MEMORY: Final = 32768  # values remembered; a configuration repeats a few of them, however large it is
_NOTATION: Final = re.compile(r"<[a-z0-9_]+>|\[\*|\*\]|\.\.\.|[\[\](){}|;]|[^\s\[\](){}|;<>]+")
_CLOSERS: Final = frozenset(("", "|", ")", "]", ";", "}", "*]"))
_SIGNS: Final = frozenset("{};!/")

Tokens = list[str]
Found = tuple[list[Any], int] | None
"""The values of some tokens, and the place behind them; None: the tokens at the place are something else."""
Matcher = Callable[[Tokens, int], Found]


class _DoubtError(Exception):
    """The grammar has to say what this is."""


@lru_cache(maxsize=_MEMORY)
def parse_value(notation: str, text: str) -> Value:
    """Return what the canonical *text* means under *notation*.

    Pure, and remembered by its arguments. Raises `bindpy.config.values.BadValueError`.
    """
    found = plain_value(notation, text)
    if found is None:
        value: Value = load_grammar().value_by_grammar(notation, text)
        return value
    return found


def load_grammar() -> ModuleType:
    """Import what says what is wrong with values: now, as it may not be readable later."""
    return importlib.import_module("bindpy.config.grammar")


def plain_value(notation: str, text: str) -> Value | None:
    """Return what *text* means under *notation*, None where the grammar has to be asked."""
    tokens: Tokens = ANY_TOKEN.findall(text)
    # Letters beyond ASCII have cases of their own, and tabs are spaces to pyparsing.
    if " ".join(tokens) != text or not text.isascii() or not text.isprintable():
        return None
    try:
        found = _compiled(notation)(tokens, 0)
    except _DoubtError:
        return None
    return _collect(found[0]) if found is not None and found[1] == len(tokens) else None


def _collect(values: list[Any]) -> Value:
    named = {value.keyword: value.value for value in values if isinstance(value, Named)}
    return Value(tuple([value for value in values if not isinstance(value, Named)]), MappingProxyType(named))


# --- notations ------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _compiled(notation: str) -> Matcher:
    words = _NOTATION.findall(notation)
    matcher, rest = _alternatives([*words, ""], 0)
    assert rest == len(words), f"bad notation: {notation}"
    return matcher


def _alternatives(words: list[str], at: int) -> tuple[Matcher, int]:
    choices, at = _choices(words, at)

    def match(tokens: Tokens, place: int) -> Found:
        for choice in choices:
            found = choice(tokens, place)
            if found is not None:
                return found
        return None

    return (choices[0] if len(choices) == 1 else match), at


def _choices(words: list[str], at: int) -> tuple[list[Matcher], int]:
    choice, at = _sequence(words, at)
    choices = [choice]
    while words[at] == "|":
        choice, at = _sequence(words, at + 1)
        choices.append(choice)
    return choices, at


def _sequence(words: list[str], at: int) -> tuple[Matcher, int]:
    parts: list[Matcher] = []
    while words[at] not in _CLOSERS:
        word, following = words[at], words[at + 1]
        if word[0] not in "<[({" and (following[:1] in ("(", "{", "<")):
            value, at = _item(words, at + 1)
            parts.append(_announced(word, value))
        else:
            part, at = _item(words, at)
            parts.append(part)
    return (parts[0] if len(parts) == 1 else _all_of(parts)), at


def _item(words: list[str], at: int) -> tuple[Matcher, int]:
    word = words[at]
    if word[0] == "<":
        return _of_kind(word[1:-1]), at + 1
    if word == "(":
        inner, at = _alternatives(words, at + 1)
        return inner, _behind(words, at, ")")
    if word == "[":
        inner, at = _alternatives(words, at + 1)
        return _optional(inner), _behind(words, at, "]")
    if word == "[*":
        choices, at = _choices(words, at + 1)
        return _any_order(choices), _behind(words, at, "*]")
    if word == "{":
        inner, at = _alternatives(words, at + 1)
        return _braced(inner), _behind(words, at, ";", "...", "}")
    return _keyword(word), at + 1


def _behind(words: list[str], at: int, *closers: str) -> int:
    assert tuple(words[at : at + len(closers)]) == closers, f"bad notation: {' '.join(words)}"
    return at + len(closers)


def _all_of(parts: list[Matcher]) -> Matcher:
    def match(tokens: Tokens, at: int) -> Found:
        values: list[Any] = []
        for part in parts:
            found = part(tokens, at)
            if found is None:
                return None
            values += found[0]
            at = found[1]
        return values, at

    return match


def _optional(inner: Matcher) -> Matcher:
    return lambda tokens, at: inner(tokens, at) or ([], at)


def _any_order(choices: list[Matcher]) -> Matcher:
    def match(tokens: Tokens, at: int) -> Found:
        values: list[Any] = []
        left, tried = choices, 0
        while len(left) != tried:
            tried, still = len(left), []
            for choice in left:
                found = choice(tokens, at)
                if found is None:
                    still.append(choice)
                else:
                    values += found[0]
                    at = found[1]
            left = still
        return values, at

    return match


def _keyword(word: str) -> Matcher:
    def match(tokens: Tokens, at: int) -> Found:
        return ([word], at + 1) if at < len(tokens) and tokens[at].lower() == lowered else None

    lowered = word.lower()
    return match


def _announced(word: str, value: Matcher) -> Matcher:
    keyword = _keyword(word)

    def match(tokens: Tokens, at: int) -> Found:
        found = value(tokens, at + 1) if keyword(tokens, at) is not None else None
        if found is None:
            return None
        values = found[0]
        return [Named(word, values[0] if len(values) == 1 else tuple(values))], found[1]

    return match


def _braced(inner: Matcher) -> Matcher:
    def element(tokens: Tokens, at: int) -> Found:
        found = inner(tokens, at)
        if found is None:
            return None
        value = _collect(found[0])
        return [value.args[0] if len(value.args) == 1 and not value.named else value], found[1]

    return _list_of(element)


def _list_of(element: Matcher) -> Matcher:
    """Return what matches a list in braces, as a tuple: whatever is in it has to be right."""

    def match(tokens: Tokens, at: int) -> Found:
        if tokens[at : at + 1] != ["{"]:
            return None
        values: list[Any] = []
        at += 1
        while tokens[at : at + 1] != ["}"]:
            found = element(tokens, at)
            if found is None or tokens[found[1] : found[1] + 1] != [";"]:
                raise _DoubtError
            values += found[0]
            at = found[1] + 1
        return [tuple(values)], at + 1

    return match


# --- kinds ----------------------------------------------------------------------------------------


@cache
def _of_kind(kind: str) -> Matcher:
    if kind not in TOKEN_KINDS:
        return _KINDS[kind]
    pattern, convert = re.compile(TOKEN_KINDS[kind].pattern, re.DOTALL), TOKEN_KINDS[kind].convert

    def match(tokens: Tokens, at: int) -> Found:
        if at >= len(tokens) or pattern.fullmatch(tokens[at]) is None:
            return None
        try:
            return [convert(tokens[at])], at + 1
        except RangeError as error:
            raise _DoubtError from error
        except ValueError:
            return None

    return match


def _network(tokens: Tokens, at: int) -> Found:
    if at >= len(tokens) or tokens[at][0] in '{};!/"' or not looks_like_network(tokens[at]):
        return None
    length = _of_kind("integer")(tokens, at + 2) if tokens[at + 1 : at + 2] == ["/"] else None
    try:
        if length is None:
            return [network(tokens[at], None)], at + 1
        return [network(tokens[at], length[0][0])], length[1]
    except RangeError as error:
        raise _DoubtError from error


def _acl_element(tokens: Tokens, at: int) -> Found:
    negated = tokens[at : at + 1] == ["!"]
    at += negated
    word = tokens[at].lower() if at < len(tokens) else ""
    if word == "{":
        found = _acl(tokens, at)
        return ([AclNested(found[0][0], negated)], found[1]) if found is not None else None
    if word == "key":
        name = _of_kind("string")(tokens, at + 1)
        return ([AclKey(name[0][0], negated)], name[1]) if name is not None else None
    if word == "geoip":
        raise _DoubtError
    found = _network(tokens, at)
    if found is not None:
        [address] = found[0]
        return [type(address)(address.network, negated)], found[1]
    name = _of_kind("string")(tokens, at)
    return ([AclName(name[0][0], negated)], name[1]) if name is not None else None


_acl = _list_of(_acl_element)
_REMOTE_TAIL: Final = "[ port <port> ] [ key <string> ] [ tls <string> ]"
_REMOTE_HEAD: Final = "[* port <port> | source ( <ipv4> | * ) | source-v6 ( <ipv6> | * ) *]"


def _remote(tokens: Tokens, at: int) -> Found:
    address = _of_kind("address")(tokens, at)
    if address is None:
        name = _of_kind("string")(tokens, at)
        return ([Remote(name[0][0], True)], name[1]) if name is not None else None
    tail = _compiled(_REMOTE_TAIL)(tokens, address[1])
    assert tail is not None, "all of it is optional"
    named = _collect(tail[0]).named
    remote = Remote(address[0][0], False, named.get("port"), named.get("key", ""), named.get("tls", ""))
    return [remote], tail[1]


def _remotes(tokens: Tokens, at: int) -> Found:
    head = _compiled(_REMOTE_HEAD)(tokens, at)
    assert head is not None, "all of it is optional"
    if tokens[head[1] : head[1] + 1] == ["dscp"]:
        raise _DoubtError
    found = _list_of(_remote)(tokens, head[1])
    if found is None:
        return None
    named = _collect(head[0]).named
    remotes = RemoteList(found[0][0], named.get("port"), named.get("source", ""), named.get("source-v6", ""))
    return [remotes], found[1]


def _severity(tokens: Tokens, at: int) -> Found:
    found = _compiled("critical | error | warning | notice | info | dynamic | debug")(tokens, at)
    if found is None or found[0] != ["debug"]:
        return found
    level = _of_kind("integer")(tokens, found[1])
    return (["debug", 1], found[1]) if level is None else (["debug", *level[0]], level[1])


def _server_key(tokens: Tokens, at: int) -> Found:
    if tokens[at : at + 1] != ["{"]:
        return _of_kind("string")(tokens, at)
    name = _of_kind("string")(tokens, at + 1)
    return (
        (name[0], name[1] + 2) if name is not None and tokens[name[1] : name[1] + 2] == [";", "}"] else None
    )


def _strings(tokens: Tokens, at: int) -> Found:
    values: list[Any] = []
    while (found := _of_kind("string")(tokens, at)) is not None:
        values += found[0]
        at = found[1]
    return values, at


def _anything(_tokens: Tokens, _at: int) -> Found:
    raise _DoubtError


_KINDS: Final[dict[str, Matcher]] = {
    "network": _network,
    "acl": _acl,
    "remotes": _remotes,
    "severity": _severity,
    "server_key": _server_key,
    "strings": _strings,
    "anything": _anything,
}
