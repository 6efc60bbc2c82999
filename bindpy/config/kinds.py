"""The kinds of value that named.conf knows (``<boolean>``, ``<acl>`` …), each as a pyparsing expression.

They read *canonical* text (`tree.text_of`): one space between tokens, comments gone. Each gives one Python
value. What BIND refuses while it parses is refused here; what it refuses later is left to the checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from typing import Any

import pyparsing as pp

from bindpy.config.values import (
    AclGeoip,
    AclKey,
    AclName,
    AclNested,
    AclNetwork,
    Percentage,
    Remote,
    RemoteList,
)

_WORD = r'[^\s{};!/"]+'
_END = r'(?![^\s{};!/"])'
_STRING = rf'{_WORD}|"(?:[^"\\]|\\.)*"'
ANY_TOKEN = re.compile(rf"{_STRING}|\S", re.DOTALL)

OPEN = pp.Suppress(pp.Literal("{").set_name("'{'"))
CLOSE = pp.Suppress(pp.Literal("}").set_name("'}'"))
SEMICOLON = pp.Suppress(pp.Literal(";").set_name("';'"))


def keyword(word: str) -> pp.ParserElement:
    """Return an expression for *word* in any case, unquoted; its value is *word*."""
    element = pp.Regex(rf"(?i:{re.escape(word)}){_END}")
    return element.set_name(f"'{word}'").set_parse_action(pp.replace_with(word))


def _kind(
    name: str, pattern: str, convert: Callable[[str], Any], flags: re.RegexFlag = re.RegexFlag.NOFLAG
) -> pp.ParserElement:
    """Return an expression for one token; ValueError from *convert* means "not one", `_RangeError` "no
    good"."""

    def action(text: str, at: int, tokens: pp.ParseResults) -> Any:
        try:
            return convert(tokens[0])
        except _RangeError as exc:
            raise pp.ParseFatalException(text, at, str(exc)) from None
        except ValueError:
            raise pp.ParseException(text, at, f"Expected {name}") from None

    return pp.Regex(pattern, flags=flags).set_name(name).set_parse_action(action)


class _RangeError(Exception):
    """The token is of the right kind and its value is out of bounds."""


# --- strings and numbers -------------------------------------------------------------------------


def unquoted(text: str) -> str:
    """Return the string that the canonical token *text* stands for."""
    return text[1:-1].replace('\\"', '"') if text.startswith('"') else text


def _boolean(text: str) -> bool:
    return text.lower() in ("yes", "true", "1")


def _integer(text: str) -> int:
    """Return a number in C's notation: ``0x1f`` is hexadecimal, ``017`` octal."""
    lowered = text.lower()
    base = 16 if lowered.startswith("0x") else 8 if len(text) > 1 and text[0] == "0" else 10
    number = int(lowered, base)
    if number > 0xFFFFFFFF:
        raise _RangeError(f"'{text}' is out of range: the largest number is 4294967295")
    return number


def _port(text: str) -> int:
    number = _integer(text)
    if number > 65535:
        raise _RangeError(f"port value '{text}' is out of range: ports go to 65535")
    return number


_SIZE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _size(text: str) -> int:
    digits = text.rstrip("kKmMgG")
    number = int(digits) * _SIZE_UNITS[text[len(digits) :].lower()]
    if number >= 1 << 64:
        raise _RangeError(f"'{text}' is out of range")
    return number


# Years and months are 365 and 31 days, as BIND counts them.
_ISO = re.compile(
    r"P(?:(?P<w>\d+)W|(?:(?P<y>\d+)Y)?(?:(?P<mo>\d+)M)?(?:(?P<d>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<h>\d+)H)?(?:(?P<mi>\d+)M)?(?:(?P<s>\d+)S)?)?)",
    re.IGNORECASE,
)
_ISO_SECONDS = {
    "w": 604800,
    "y": 31536000,
    "mo": 31 * 86400,
    "d": 86400,
    "h": 3600,
    "mi": 60,
    "s": 1,
}
_TTL = re.compile(r"(\d+)([smhdw]?)", re.IGNORECASE)
_TTL_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(text: str) -> int:
    """Return the seconds that an ISO 8601 duration (``P1DT12H``) or a TTL value (``1d12h``) means.

    Raises ValueError.
    """
    if text[0] in "pP":
        match = _ISO.fullmatch(text)
        if match is None or len(text) < 3:
            raise ValueError(text)
        total = sum(_ISO_SECONDS[unit] * int(count) for unit, count in match.groupdict().items() if count)
    else:
        if re.fullmatch(r"(?:\d+[smhdw])+|\d+", text, re.IGNORECASE) is None:
            raise ValueError(text)
        total = sum(int(n) * _TTL_SECONDS[unit.lower()] for n, unit in _TTL.findall(text))
    if total > 0xFFFFFFFF:
        raise _RangeError(f"'{text}' is out of range")
    return total


STRING = _kind("a string", _STRING, unquoted, re.DOTALL)
QUOTED = _kind("a quoted string", r'"(?:[^"\\]|\\.)*"', unquoted, re.DOTALL)
BARE = _kind("an unquoted string", _WORD, str)
BOOLEAN = _kind("yes or no", rf"(?i:yes|no|true|false|1|0){_END}", _boolean)
INTEGER = _kind("a number", rf"(?i:0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*){_END}", _integer)
PORT = _kind("a port number", rf"(?i:0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*){_END}", _port)
SIZE = _kind("a number and an optional unit (k, m or g)", rf"[0-9]+[kKmMgG]?{_END}", _size)
PERCENTAGE = _kind("a percentage", rf"[0-9]+%{_END}", lambda text: Percentage(int(text[:-1])))
FIXED_POINT = _kind("a number like 0.5", rf"(?=[0-9.]*[0-9])[0-9]{{0,5}}(?:\.[0-9]{{0,2}})?{_END}", str)
DURATION = _kind("a duration (a TTL value or ISO 8601)", _WORD, duration)


# --- addresses -----------------------------------------------------------------------------------


def _ipv4(text: str) -> str:
    return str(IPv4Address(text))


def _ipv6(text: str) -> str:
    """Return an address; only a link-local one has a scope that is an interface's name."""
    address = IPv6Address(text)
    scope = address.scope_id
    if scope is not None and not scope.isdecimal() and not address.is_link_local:
        raise ValueError(text)
    return str(address)


@lru_cache(maxsize=4096)
def is_address(text: str) -> bool:
    """Return whether *text* is an IP address."""
    try:
        _address(text)
    except ValueError:
        return False
    return True


def _address(text: str) -> str:
    return _ipv6(text) if ":" in text else _ipv4(text)


_SLASH = pp.Suppress(pp.Literal("/"))
IPV4 = _kind("an IPv4 address", _WORD, _ipv4)
IPV6 = _kind("an IPv6 address", _WORD, _ipv6)
ADDRESS = _kind("an IP address", _WORD, _address)


def _partial_ipv4(text: str) -> tuple[IPv4Address, int]:
    """Return the address and how many bits of it were written: ``10.1`` is 10.1.0.0 and 16."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 4:
        raise AddressValueError(text)
    return IPv4Address(".".join(parts + ["0"] * (4 - len(parts)))), 8 * len(parts)


def _looks_like_network(text: str) -> bool:
    try:
        _partial_ipv4(text)
    except AddressValueError:
        return is_address(text)
    return True


def _network(text: str, at: int, tokens: pp.ParseResults) -> AclNetwork:
    word, length = str(tokens[0]), int(tokens[1]) if len(tokens) > 1 else None
    shown = word if length is None else f"{word}/{length}"
    try:
        address, written = _partial_ipv4(word)
        bits = 32
        if length is None and written < 32:
            raise pp.ParseFatalException(
                text, at, f"'{word}' is half an IPv4 address: add '/{written}' if it is a prefix"
            )
        base = str(address)
    except AddressValueError:
        base, bits = word.partition("%")[0], 128
    if length is None:
        length = bits
    if length > bits:
        raise pp.ParseFatalException(text, at, f"'{shown}': the prefix length is out of range (0 to {bits})")
    try:
        return AclNetwork(ip_network(f"{base}/{length}"))
    except ValueError:
        fix = ip_network(f"{base}/{length}", strict=False)
        raise pp.ParseFatalException(
            text, at, f"'{shown}': address bits are set beyond the prefix length; '{fix}' is meant?"
        ) from None


_NETWORK_WORD = pp.Regex(_WORD).add_condition(
    lambda tokens: _looks_like_network(tokens[0]), message="Expected an address or prefix"
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
    pp.NotAny(pp.Literal("{") | pp.Literal("}")) + pp.Regex(rf"{_STRING}|[;!/]", flags=re.DOTALL)
)

KINDS: dict[str, pp.ParserElement] = {
    "string": STRING,
    "quoted": QUOTED,
    "bare": BARE,
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "port": PORT,
    "size": SIZE,
    "percentage": PERCENTAGE,
    "fixed_point": FIXED_POINT,
    "duration": DURATION,
    "ipv4": IPV4,
    "ipv6": IPV6,
    "address": ADDRESS,
    "network": NETWORK,
    "acl": ACL,
    "remotes": REMOTES,
    "severity": SEVERITY,
    "server_key": STRING | (OPEN + STRING + SEMICOLON + CLOSE),
    "strings": pp.ZeroOrMore(STRING),
    "anything": OPEN + pp.ZeroOrMore(_ANYTHING) + CLOSE,
}
