"""What one token of a value means: strings, numbers, durations, addresses, and their patterns.

BIND's own rules. A ValueError says that a token is not of a kind, a `RangeError` that it is, and is no good.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from typing import Any, Final, NamedTuple

from bindpy.config.values import AclNetwork, Percentage

WORD = r'[^\s{};!/"]+'
END = r'(?![^\s{};!/"])'
_QUOTED = r'"(?:[^"\\]|\\.)*"'
STRING = f"{WORD}|{_QUOTED}"
_INTEGER = rf"(?i:0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*){END}"
ANY_TOKEN = re.compile(rf"{STRING}|\S", re.DOTALL)


class RangeError(Exception):
    """The token is of the right kind and its value is out of bounds."""


# --- strings and numbers -------------------------------------------------------------------------


def unquoted(text: str) -> str:
    """Return the string that the canonical token *text* stands for."""
    return text[1:-1].replace('\\"', '"') if text.startswith('"') else text


def boolean(text: str) -> bool:
    """Return whether *text*, one of the words that a boolean may be, says yes."""
    return text.lower() in ("yes", "true", "1")


def integer(text: str) -> int:
    """Return a number in C's notation: ``0x1f`` is hexadecimal, ``017`` octal."""
    lowered = text.lower()
    base = 16 if lowered.startswith("0x") else 8 if len(text) > 1 and text[0] == "0" else 10
    number = int(lowered, base)
    if number > 0xFFFFFFFF:
        raise RangeError(f"'{text}' is out of range: the largest number is 4294967295")
    return number


def port(text: str) -> int:
    """Return the number of a port."""
    number = integer(text)
    if number > 65535:
        raise RangeError(f"port value '{text}' is out of range: ports go to 65535")
    return number


_SIZE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def size(text: str) -> int:
    """Return a number of octets: ``10m``."""
    digits = text.rstrip("kKmMgG")
    number = int(digits) * _SIZE_UNITS[text[len(digits) :].lower()]
    if number >= 1 << 64:
        raise RangeError(f"'{text}' is out of range")
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
        raise RangeError(f"'{text}' is out of range")
    return total


# --- addresses -----------------------------------------------------------------------------------


def ipv4(text: str) -> str:
    """Return an address as it is printed. Raises ValueError."""
    return str(IPv4Address(text))


def ipv6(text: str) -> str:
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
        address(text)
    except ValueError:
        return False
    return True


def address(text: str) -> str:
    """Return an address of either kind. Raises ValueError."""
    return ipv6(text) if ":" in text else ipv4(text)


def partial_ipv4(text: str) -> tuple[IPv4Address, int]:
    """Return the address and how many bits of it were written: ``10.1`` is 10.1.0.0 and 16."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 4:
        raise AddressValueError(text)
    return IPv4Address(".".join(parts + ["0"] * (4 - len(parts)))), 8 * len(parts)


def looks_like_network(text: str) -> bool:
    """Return whether *text* may begin an address or prefix."""
    try:
        partial_ipv4(text)
    except AddressValueError:
        return is_address(text)
    return True


def network(word: str, length: int | None) -> AclNetwork:
    """Return the address or prefix *word*, with the *length* behind a slash. Raises `RangeError`."""
    shown = word if length is None else f"{word}/{length}"
    try:
        address, written = partial_ipv4(word)
        bits = 32
        if length is None and written < 32:
            raise RangeError(f"'{word}' is half an IPv4 address: add '/{written}' if it is a prefix")
        base = str(address)
    except AddressValueError:
        base, bits = word.partition("%")[0], 128
    if length is None:
        length = bits
    if length > bits:
        raise RangeError(f"'{shown}': the prefix length is out of range (0 to {bits})")
    try:
        return AclNetwork(ip_network(f"{base}/{length}"))
    except ValueError:
        fix = ip_network(f"{base}/{length}", strict=False)
        raise RangeError(
            f"'{shown}': address bits are set beyond the prefix length; '{fix}' is meant?"
        ) from None


class TokenKind(NamedTuple):
    """A kind of value that is one token: its name for people, its pattern, and what makes a value of it."""

    shown: str
    pattern: str
    convert: Callable[[str], Any]


TOKEN_KINDS: Final = {
    "string": TokenKind("a string", STRING, unquoted),
    "quoted": TokenKind("a quoted string", _QUOTED, unquoted),
    "bare": TokenKind("an unquoted string", WORD, str),
    "boolean": TokenKind("yes or no", rf"(?i:yes|no|true|false|1|0){END}", boolean),
    "integer": TokenKind("a number", _INTEGER, integer),
    "port": TokenKind("a port number", _INTEGER, port),
    "size": TokenKind("a number and an optional unit (k, m or g)", rf"[0-9]+[kKmMgG]?{END}", size),
    "percentage": TokenKind("a percentage", rf"[0-9]+%{END}", lambda text: Percentage(int(text[:-1]))),
    "fixed_point": TokenKind(
        "a number like 0.5", rf"(?=[0-9.]*[0-9])[0-9]{{0,5}}(?:\.[0-9]{{0,2}})?{END}", str
    ),
    "duration": TokenKind("a duration (a TTL value or ISO 8601)", WORD, duration),
    "ipv4": TokenKind("an IPv4 address", WORD, ipv4),
    "ipv6": TokenKind("an IPv6 address", WORD, ipv6),
    "address": TokenKind("an IP address", WORD, address),
}
"""The patterns want ``re.DOTALL``."""
