"""Settings with an inner structure (``rate-limit``, ``rrset-order``, ``dns64``): ranges and names in them."""

from __future__ import annotations

from ipaddress import IPv6Address

import dns.exception
import dns.rdataclass

from bindpy.config.check_policies import algorithm_number, digest_number
from bindpy.config.check_report import Report, check_name, inside, members, number, out_of_range, word
from bindpy.config.check_servers import server_prefix
from bindpy.config.class_and_type import type_number
from bindpy.config.tree import Statement, Token

_RATE_LIMIT: dict[str, tuple[int, int]] = {
    "responses-per-second": (0, 1000),
    "referrals-per-second": (0, 1000),
    "nodata-per-second": (0, 1000),
    "nxdomains-per-second": (0, 1000),
    "errors-per-second": (0, 1000),
    "all-per-second": (0, 1000),
    "slip": (0, 10),
    "window": (1, 3600),
    "qps-scale": (1, 0xFFFFFFFF),
    "ipv4-prefix-length": (8, 32),
    "ipv6-prefix-length": (16, 64),
}
_RATE_TABLE = 500
_DNS64_LENGTHS = (32, 40, 48, 56, 64, 96)


def check_rate_limit(report: Report, statement: Statement) -> None:
    """Check the numbers of a ``rate-limit``."""
    inner = members(statement)
    for keyword, (low, high) in _RATE_LIMIT.items():
        value = number(word(inner[keyword])) if keyword in inner else None
        if value is not None and not low <= value <= high:
            out_of_range(report, inner[keyword], low, high)
    least = number(word(inner["min-table-size"])) if "min-table-size" in inner else _RATE_TABLE
    most = number(word(inner["max-table-size"])) if "max-table-size" in inner else None
    if most is not None and least is not None and most < max(least, 1):
        message = f"'max-table-size' {most} is less than 'min-table-size' {least}"
        report.at(message, inner["max-table-size"], 1)


def check_rrset_order(report: Report, statement: Statement) -> None:
    """Check the rules of an ``rrset-order``."""
    for element in inside(statement):
        at = {item.text.lower(): i for i, item in enumerate(element.items[:-1]) if isinstance(item, Token)}
        if "class" in at and not _is_class(word(element, at["class"] + 1)):
            report.at(
                f"'rrset-order': invalid class '{word(element, at['class'] + 1)}'", element, at["class"] + 1
            )
        if "type" in at and type_number(word(element, at["type"] + 1)) is None:
            report.at(
                f"'rrset-order': invalid type '{word(element, at['type'] + 1)}'", element, at["type"] + 1
            )
        if "name" in at:
            check_name(report, element, at["name"] + 1)
        keyword, order = word(element, len(element.items) - 2), word(element, len(element.items) - 1)
        if keyword.lower() != "order":
            continue
        if order.lower() == "fixed":
            report.warn_at(
                "'rrset-order': BIND is usually built without 'fixed'", element, len(element.items) - 1
            )
        elif order.lower() not in ("random", "cyclic", "none"):
            report.at(f"'rrset-order': invalid order '{order}'", element, len(element.items) - 1)


def _is_class(text: str) -> bool:
    try:
        dns.rdataclass.from_text(text)
    except (dns.exception.DNSException, ValueError):
        return False
    return text.upper() != "INTERNET"


def check_dns64(report: Report, statement: Statement) -> None:
    """Check the prefix and the suffix of a ``dns64``."""
    prefix = server_prefix(statement)
    if prefix is None:
        return
    if prefix.version != 6:
        report.at(f"'dns64': prefix {prefix} must be an IPv6 one", statement)
    elif prefix.prefixlen not in _DNS64_LENGTHS:
        lengths = ", ".join(str(length) for length in _DNS64_LENGTHS)
        report.at(f"'dns64': the prefix length must be one of {lengths}, not {prefix.prefixlen}", statement)
    else:
        suffix = members(statement).get("suffix")
        if suffix is not None:
            _check_dns64_suffix(report, suffix, prefix.prefixlen)


def _check_dns64_suffix(report: Report, statement: Statement, length: int) -> None:
    """The suffix is zero where the prefix, the octet that RFC 6052 reserves and the IPv4 address go."""
    try:
        address = IPv6Address(word(statement))
    except ValueError:
        return
    octets = length // 8 + 4 + (length <= 64)
    if any(address.packed[:octets]):
        report.at(f"'suffix': the first {octets} octets of {address} must be zero", statement, 1)


def check_disabled(report: Report, statement: Statement) -> None:
    """Check ``disable-algorithms`` and ``disable-ds-digests``: the domain, and what is switched off."""
    check_name(report, statement, 1)
    number_of = algorithm_number if statement.keyword == "disable-algorithms" else digest_number
    for element in inside(statement):
        if number_of(word(element, 0)) is None:
            what = "algorithm" if statement.keyword == "disable-algorithms" else "digest type"
            report.at(f"invalid {what} '{word(element, 0)}'", element)


def check_dnstap_output(report: Report, statement: Statement) -> None:
    """A socket has no size, versions or suffix."""
    if word(statement).lower() != "unix":
        return
    for index, item in enumerate(statement.items):
        if (
            isinstance(item, Token)
            and not item.quoted
            and item.text.lower() in ("size", "versions", "suffix")
        ):
            report.at(f"'dnstap-output unix' takes no '{item.text}'", statement, index)


def check_port_ranges(report: Report, statement: Statement) -> None:
    """Check the ranges of ``avoid-v4-udp-ports`` and its kin."""
    for element in inside(statement):
        low, high = number(word(element, 1)), number(word(element, 2))
        if element.keyword == "range" and low is not None and high is not None and low > high:
            report.at(f"the range ends before it begins: {low} to {high}", element, 1)


def check_excluded_names(report: Report, statement: Statement) -> None:
    """Check the names that ``root-delegation-only`` leaves out."""
    for element in inside(statement):
        check_name(report, element, 0)
