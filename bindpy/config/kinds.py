"""The kinds of value that named.conf knows (``<boolean>``, ``<acl>`` …), each as a pyparsing expression.

`bindpy.config.plain_values` knows them, too.

They read *canonical* text (`tree.text_of`): one space between tokens, comments gone. Each gives one Python
value. What BIND refuses while it parses is refused here; what it refuses later is left to the checks.
"""

from __future__ import annotations

import re
from typing import Any

import pyparsing as pp

from bindpy.config import words
from bindpy.config.values import (
    AclGeoip,
    AclKey,
    AclName,
    AclNested,
    AclNetwork,
    Remote,
    RemoteList,
)

OPEN = pp.Suppress(pp.Literal("{").set_name("'{'"))
CLOSE = pp.Suppress(pp.Literal("}").set_name("'}'"))
SEMICOLON = pp.Suppress(pp.Literal(";").set_name("';'"))


def keyword(word: str) -> pp.ParserElement:
    """Return an expression for *word* in any case, unquoted; its value is *word*."""
    element = pp.Regex(rf"(?i:{re.escape(word)}){words.END}")
    return element.set_name(f"'{word}'").set_parse_action(pp.replace_with(word))


def _kind(kind: words.TokenKind) -> pp.ParserElement:
    """Return an expression for one token."""

    def action(text: str, at: int, tokens: pp.ParseResults) -> Any:
        try:
            return kind.convert(tokens[0])
        except words.RangeError as exc:
            raise pp.ParseFatalException(text, at, str(exc)) from None
        except ValueError:
            raise pp.ParseException(text, at, f"Expected {kind.shown}") from None

    return pp.Regex(kind.pattern, flags=re.DOTALL).set_name(kind.shown).set_parse_action(action)


_TOKENS = {name: _kind(kind) for name, kind in words.TOKEN_KINDS.items()}
STRING, INTEGER, PORT = _TOKENS["string"], _TOKENS["integer"], _TOKENS["port"]
IPV4, IPV6, ADDRESS = _TOKENS["ipv4"], _TOKENS["ipv6"], _TOKENS["address"]

_SLASH = pp.Suppress(pp.Literal("/"))


def _network(text: str, at: int, tokens: pp.ParseResults) -> AclNetwork:
    try:
        return words.network(str(tokens[0]), int(tokens[1]) if len(tokens) > 1 else None)
    except words.RangeError as exc:
        raise pp.ParseFatalException(text, at, str(exc)) from None


_NETWORK_WORD = pp.Regex(words.WORD).add_condition(
    lambda tokens: words.looks_like_network(tokens[0]), message="Expected an address or prefix"
)
NETWORK = (
    (_NETWORK_WORD + pp.Opt(_SLASH + INTEGER)).set_name("an address or prefix").set_parse_action(_network)
)

# --- address match lists -------------------------------------------------------------------------

_GEOIP_WORD = pp.MatchFirst(
    [
        keyword(word)
        for word in (
            *("asnum", "city", "continent", "country", "domain", "isp", "metro", "metrocode", "org"),
            *("postal", "postalcode", "region", "timezone", "tz"),
        )
    ]
).set_name("what geoip knows (country, city, asnum …)")
_GEOIP = (
    keyword("geoip").suppress() - (pp.Opt(keyword("db") + _GEOIP_WORD) + _GEOIP_WORD + STRING)
).set_parse_action(lambda tokens: AclGeoip(" ".join(tokens)))
_KEY_ELEMENT = (keyword("key").suppress() - STRING).set_parse_action(lambda tokens: AclKey(tokens[0]))
_NAME_ELEMENT = STRING.copy().add_parse_action(lambda tokens: AclName(tokens[0]))


def _negated(tokens: pp.ParseResults) -> Any:
    element = tokens[-1]
    if len(tokens) == 1:
        return element
    return type(element)(*[getattr(element, name) for name in element.__slots__[:-1]], negated=True)


def as_tuple(tokens: pp.ParseResults) -> tuple[Any, ...]:
    return tuple(tokens)


ACL = pp.Forward()
ACL.set_name("an address match list in braces")
_NESTED = ACL.copy().add_parse_action(lambda tokens: AclNested(tokens[0]))
_ELEMENT = (
    pp.Opt(pp.Literal("!"))
    + (_NESTED | _KEY_ELEMENT | _GEOIP | NETWORK | _NAME_ELEMENT).set_name("an address match element")
).set_parse_action(_negated)
ACL <<= (OPEN + pp.ZeroOrMore(pp.NotAny(CLOSE) - _ELEMENT - SEMICOLON) + CLOSE).set_parse_action(as_tuple)

# --- lists of servers ----------------------------------------------------------------------------

_REMOTE_TAIL = pp.Opt((keyword("key").suppress() + STRING).set_results_name("key")) + pp.Opt(
    (keyword("tls").suppress() + STRING).set_results_name("tls")
)


def _remote_address(tokens: pp.ParseResults) -> Remote:
    return Remote(tokens[0], False, _number(tokens, "port"), *_remote_tail(tokens))


def _remote_list_name(tokens: pp.ParseResults) -> Remote:
    return Remote(tokens[0], True)


def _remote_tail(tokens: pp.ParseResults) -> tuple[str, str]:
    return _only(tokens, "key"), _only(tokens, "tls")


def _number(tokens: pp.ParseResults, name: str) -> int | None:
    return int(tokens[name]) if name in tokens else None


def _only(tokens: pp.ParseResults, name: str) -> str:
    return "".join(tokens[name]) if name in tokens else ""


_REMOTE = (
    (
        ADDRESS + pp.Opt(keyword("port").suppress() + PORT.set_results_name("port")) + _REMOTE_TAIL
    ).set_parse_action(_remote_address)
    | STRING.copy().add_parse_action(_remote_list_name)
).set_name("an address or the name of a list")


def _remote_list(tokens: pp.ParseResults) -> RemoteList:
    elements = tuple([token for token in tokens if isinstance(token, Remote)])
    port = _number(tokens, "port")
    return RemoteList(elements, port, _only(tokens, "source"), _only(tokens, "source_v6"))


_ANY_SOURCE = keyword("*")
REMOTES = (
    pp.Each(
        [
            pp.Opt(keyword("port").suppress() + PORT.set_results_name("port")),
            pp.Opt((keyword("source").suppress() + (IPV4 | _ANY_SOURCE)).set_results_name("source")),
            pp.Opt((keyword("source-v6").suppress() + (IPV6 | _ANY_SOURCE)).set_results_name("source_v6")),
        ]
    )
    + pp.Opt(keyword("dscp").suppress() + INTEGER.suppress())
    + OPEN
    + pp.ZeroOrMore(pp.NotAny(CLOSE) - _REMOTE - SEMICOLON)
    + CLOSE
).set_parse_action(_remote_list)

# --- logging, text that nobody reads --------------------------------------------------------------

SEVERITY = (
    pp.MatchFirst([keyword(word) for word in ("critical", "error", "warning", "notice", "info", "dynamic")])
    | (keyword("debug") + pp.Opt(INTEGER, default=1))
).set_name("a severity (critical, error, warning, notice, info, debug or dynamic)")

_ANYTHING = pp.Forward()
_ANYTHING <<= pp.Suppress(OPEN + pp.ZeroOrMore(_ANYTHING) + CLOSE) | pp.Suppress(
    pp.NotAny(pp.Literal("{") | pp.Literal("}")) + pp.Regex(rf"{words.STRING}|[;!/]", flags=re.DOTALL)
)

KINDS: dict[str, pp.ParserElement] = {
    **_TOKENS,
    "network": NETWORK,
    "acl": ACL,
    "remotes": REMOTES,
    "severity": SEVERITY,
    "server_key": STRING | (OPEN + STRING + SEMICOLON + CLOSE),
    "strings": pp.ZeroOrMore(STRING),
    "anything": OPEN + pp.ZeroOrMore(_ANYTHING) + CLOSE,
}
