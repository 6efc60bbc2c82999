"""Settings of ``options``, views and zones: ranges that BIND checks late, settings at odds with others."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv6Address

import dns.exception
import dns.rdataclass
import dns.rdatatype

from bindpy.config.check_policies import algorithm_number, digest_number
from bindpy.config.check_report import Report, after, inside, members, name_of, number, seconds, token, word
from bindpy.config.check_servers import check_source_port, server_prefix
from bindpy.config.tree import Statement, Token
from bindpy.zone.names import BadNameError

_WEEK = 7 * 86400
_TRANSFER_MINUTES = (0, 28 * 24 * 60)

_LISTENING = (0, 65534)  # BIND wants a port below the highest one to listen on

_NUMBERS: dict[str, tuple[int, int]] = {
    "heartbeat-interval": _TRANSFER_MINUTES,
    "max-transfer-idle-in": _TRANSFER_MINUTES,
    "max-transfer-idle-out": _TRANSFER_MINUTES,
    "max-transfer-time-in": _TRANSFER_MINUTES,
    "max-transfer-time-out": _TRANSFER_MINUTES,
    "max-query-restarts": (1, 255),
    "dnskey-sig-validity": (0, 3660),
    "fstrm-set-buffer-hint": (1024, 65536),
    "fstrm-set-flush-timeout": (1, 600),
    "fstrm-set-output-notify-threshold": (1, 0xFFFFFFFF),
    "fstrm-set-output-queue-size": (2, 1024),
    "port": _LISTENING,
    "tls-port": _LISTENING,
    "http-port": _LISTENING,
    "https-port": _LISTENING,
    "resolver-nonbackoff-tries": (1, 0xFFFFFFFF),
}
_DURATIONS: dict[str, tuple[int, int]] = {
    "fstrm-set-reopen-interval": (1, 600),
    "interface-interval": _TRANSFER_MINUTES,  # compared as seconds, whatever its unit
    "min-cache-ttl": (0, 90),
    "min-ncache-ttl": (0, 90),
    "max-ncache-ttl": (0, _WEEK),
    "nta-lifetime": (1, _WEEK),
    "nta-recheck": (0, _WEEK),
}
_NOT_ZERO = frozenset({"max-refresh-time", "min-refresh-time", "max-retry-time", "min-retry-time"})
_NAMES = frozenset({"disable-empty-zone", "empty-server", "empty-contact", "dns64-server", "dns64-contact"})
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
_SIGNING_TYPES = (65280, 65535)
_RATE_TABLE = 500
_LMDB_OCTETS = (1 << 20, 1 << 40)
_SERVER_ID_OCTETS = 1024
_DNS64_LENGTHS = (32, 40, 48, 56, 64, 96)
_NO_DIALUP = {
    "primary": frozenset({"notify-passive", "refresh", "passive"}),
    "stub": frozenset({"notify", "notify-passive"}),
}
_CHECK_NAMES = {"primary": "master", "master": "primary", "secondary": "slave", "slave": "secondary"}


def check_block(
    report: Report,
    statements: Iterable[Statement],
    options: Mapping[str, Statement],
    *,
    forwards: bool = True,
) -> None:
    """Check the settings among *statements*, the body of ``options``, a view or a zone.

    *options* is what ``options`` says, by keyword. *forwards* is whether anything forwards by them: options
    do not where there are views.
    """
    forward = forwarders = None
    roles: dict[str, Statement] = {}
    secured: dict[str, Statement] = {}
    for statement in statements:
        keyword = statement.keyword
        check = _CHECKS.get(keyword)
        if check is not None:
            check(report, statement)
        elif keyword == "forward":
            forward = statement
        elif keyword == "forwarders":
            forwarders = statement
        elif keyword == "check-names":
            _check_role(report, statement, roles)
        elif keyword == "dnssec-must-be-secure":
            _check_must_be_secure(report, statement, secured)
        elif keyword == "cookie-secret":
            _check_cookie_secret(report, statement)
        elif keyword in ("query-source", "query-source-v6"):
            check_source_port(report, statement, listening_port(options))
    if forwards and forward is not None and forwarders is None:
        report.at("'forward' without a 'forwarders' statement beside it", forward)


def listening_port(options: Mapping[str, Statement]) -> int:
    """Return the port that the server listens on where ``listen-on`` names none."""
    port = number(word(options["port"])) if "port" in options else None
    return 53 if port is None else port


def check_zone_block(report: Report, kind: str, zone: Mapping[str, Statement]) -> None:
    """Check settings that have another meaning in a zone, here of type *kind*."""
    if "sig-signing-type" in zone:
        value = number(word(zone["sig-signing-type"]))
        low, high = _SIGNING_TYPES
        if value is not None and not low <= value <= high:
            _out_of_range(report, zone["sig-signing-type"], low, high)
    if "dialup" in zone:
        text = word(zone["dialup"]).lower()
        if text in _NO_DIALUP.get(kind, ()):
            report.at(f"'dialup {text}' is not allowed in '{kind}' zones", zone["dialup"], 1)


def check_general_block(report: Report, statements: Iterable[Statement], *, output: bool) -> None:
    """Check what only ``options`` and views have; *output* is whether there is a ``dnstap-output``."""
    for statement in statements:
        keyword = statement.keyword
        if keyword == "auto-dnssec" and word(statement).lower() in ("allow", "maintain"):
            report.at("'auto-dnssec' may only be switched on in a zone", statement)
        elif keyword == "dnstap" and not output:
            report.at("'dnstap' without 'dnstap-output'", statement)


def check_root_forwarders(
    report: Report,
    zone: Mapping[str, Statement],
    view: Mapping[str, Statement],
    options: Mapping[str, Statement],
) -> None:
    """The root zone and the settings around it do not both have ``forwarders``."""
    general = view.get("forwarders", options.get("forwarders"))
    statement = zone.get("forwarders")
    if statement is not None and general is not None:
        report.error(
            "'forwarders' in the root zone and in the general settings",
            statement.source,
            statement.offset,
            related=[("the general ones are here", general)],
        )


# --- one value --------------------------------------------------------------------------------------


def _out_of_range(report: Report, statement: Statement, low: int, high: int) -> None:
    bounds = f"{low} to {high}" if high < 0xFFFFFFFF else f"{low} or more"
    message = f"'{statement.keyword}': '{word(statement)}' is out of range ({bounds})"
    report.at(message, statement, 1)


def _check_number(report: Report, statement: Statement) -> None:
    value = number(word(statement))
    low, high = _NUMBERS[statement.keyword]
    # A port above 65535 is none: its own error is there already.
    most = 65535 if (low, high) == _LISTENING else 0xFFFFFFFF
    if value is not None and value <= most and not low <= value <= high:
        _out_of_range(report, statement, low, high)


def _check_duration(report: Report, statement: Statement) -> None:
    value = seconds(statement)
    low, high = _DURATIONS[statement.keyword]
    if value is not None and not low <= value <= high:
        report.at(
            f"'{statement.keyword}': '{word(statement)}' is out of range ({low} to {high} seconds)",
            statement,
            1,
        )


def _check_not_zero(report: Report, statement: Statement) -> None:
    if number(word(statement)) == 0:
        report.at(f"'{statement.keyword}' must not be zero", statement, 1)


def _check_ratio(report: Report, statement: Statement) -> None:
    text = word(statement)
    digits = text[:-1]
    if not text.endswith("%") or not (digits.isascii() and digits.isdigit()):
        return
    if not int(digits):
        report.at("'max-ixfr-ratio' must not be 0%: give a percentage or 'unlimited'", statement, 1)
    elif int(digits) > 100:
        report.warn_at(f"'max-ixfr-ratio': {text} is more than 100%", statement, 1)


def _check_rsa_exponent(report: Report, statement: Statement) -> None:
    value = number(word(statement))
    if value and not 35 <= value <= 4096:
        _out_of_range(report, statement, 35, 4096)


def _check_sig_validity(report: Report, statement: Statement) -> None:
    validity, resign = number(word(statement)), number(word(statement, 2))
    for index, value in ((1, validity), (2, resign)):
        if value is not None and not 1 <= value <= 3660:
            message = f"'sig-validity-interval': '{word(statement, index)}' is out of range (1 to 3660)"
            report.at(message, statement, index)
            return
    if validity is not None and resign is not None and resign > (validity if validity > 7 else validity * 24):
        report.at("'sig-validity-interval': signatures expire before they are made again", statement, 2)


def _check_server_id(report: Report, statement: Statement) -> None:
    if len(word(statement).encode(errors="surrogateescape")) > _SERVER_ID_OCTETS:
        report.at(f"'server-id' is over {_SERVER_ID_OCTETS} octets long", statement, 1)


def _check_lmdb_size(report: Report, statement: Statement) -> None:
    text = word(statement)
    digits = text.rstrip("kKmMgG")
    if not (digits.isascii() and digits.isdigit()):
        return
    octets = int(digits) << {"": 0, "k": 10, "m": 20, "g": 30}.get(text[len(digits) :].lower(), 0)
    low, high = _LMDB_OCTETS
    if not low <= octets <= high:
        report.at(f"'lmdb-mapsize': '{text}' is out of range (1M to 1024G)", statement, 1)


def _check_domain_name(report: Report, statement: Statement) -> None:
    item = token(statement)
    if item is not None:
        _name_is_good(report, statement, 1)


def _name_is_good(report: Report, statement: Statement, index: int) -> None:
    text = word(statement, index)
    try:
        name_of(text)
    except BadNameError as exc:
        report.at(f"bad domain name '{text}': {exc}", statement, index)


def _check_cookie_secret(report: Report, statement: Statement) -> None:
    """The message never shows the secret."""
    try:
        octets = binascii.unhexlify(word(statement))
    except (binascii.Error, ValueError):
        report.at("'cookie-secret': invalid hex string", statement, 1)
        return
    if len(octets) != 16:
        report.at("'cookie-secret' must be 128 bits, which are 32 hex digits", statement, 1)


# --- lists and combinations -------------------------------------------------------------------------


def _check_role(report: Report, statement: Statement, roles: dict[str, Statement]) -> None:
    """``check-names ROLE MODE`` once a role, in one spelling of it."""
    role = word(statement).lower()
    if role not in _CHECK_NAMES or len(statement.items) < 3:
        return
    other = _CHECK_NAMES[role]
    if role in roles:
        report.repeated(f"'check-names {role}' is given twice", statement, roles[role])
    elif other in roles:
        report.repeated(f"'check-names' takes '{role}' or '{other}', not both", statement, roles[other])
    roles.setdefault(role, statement)


def _check_must_be_secure(report: Report, statement: Statement, known: dict[str, Statement]) -> None:
    _name_is_good(report, statement, 1)
    first = known.setdefault(word(statement).lower().rstrip("."), statement)
    if first is not statement:
        report.repeated("'dnssec-must-be-secure' is given twice for this name", statement, first)


def _check_rate_limit(report: Report, statement: Statement) -> None:
    inner = members(statement)
    for keyword, (low, high) in _RATE_LIMIT.items():
        value = number(word(inner[keyword])) if keyword in inner else None
        if value is not None and not low <= value <= high:
            _out_of_range(report, inner[keyword], low, high)
    least = number(word(inner["min-table-size"])) if "min-table-size" in inner else _RATE_TABLE
    most = number(word(inner["max-table-size"])) if "max-table-size" in inner else None
    if most is not None and least is not None and most < max(least, 1):
        message = f"'max-table-size' {most} is less than 'min-table-size' {least}"
        report.at(message, inner["max-table-size"], 1)


def _check_rrset_order(report: Report, statement: Statement) -> None:
    for element in inside(statement):
        at = {item.text.lower(): i for i, item in enumerate(element.items[:-1]) if isinstance(item, Token)}
        if "class" in at and _class_is_bad(word(element, at["class"] + 1)):
            report.at(
                f"'rrset-order': invalid class '{word(element, at['class'] + 1)}'", element, at["class"] + 1
            )
        if "type" in at and _type_is_bad(word(element, at["type"] + 1)):
            report.at(
                f"'rrset-order': invalid type '{word(element, at['type'] + 1)}'", element, at["type"] + 1
            )
        if "name" in at:
            _name_is_good(report, element, at["name"] + 1)
        keyword, order = word(element, len(element.items) - 2), word(element, len(element.items) - 1)
        if keyword.lower() != "order":
            continue
        if order.lower() == "fixed":
            report.warn_at(
                "'rrset-order': BIND is usually built without 'fixed'", element, len(element.items) - 1
            )
        elif order.lower() not in ("random", "cyclic", "none"):
            report.at(f"'rrset-order': invalid order '{order}'", element, len(element.items) - 1)


def _class_is_bad(text: str) -> bool:
    try:
        dns.rdataclass.from_text(text)
    except (dns.exception.DNSException, ValueError):
        return True
    return False


def _type_is_bad(text: str) -> bool:
    try:
        dns.rdatatype.from_text(text)
    except (dns.exception.DNSException, ValueError):
        return True
    return False


def _check_dns64(report: Report, statement: Statement) -> None:
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


def _check_disabled(report: Report, statement: Statement) -> None:
    _name_is_good(report, statement, 1)
    number_of = algorithm_number if statement.keyword == "disable-algorithms" else digest_number
    for element in inside(statement):
        if number_of(word(element, 0)) is None:
            what = "algorithm" if statement.keyword == "disable-algorithms" else "digest type"
            report.at(f"invalid {what} '{word(element, 0)}'", element)


def _check_queue_size(report: Report, statement: Statement) -> None:
    value = number(word(statement))
    if value is None:
        return
    if not 2 <= value <= 16384:
        _out_of_range(report, statement, 2, 16384)
    elif value & (value - 1):
        report.at(f"'{statement.keyword}': '{word(statement)}' is not a power of two", statement, 1)


def _check_dnstap_output(report: Report, statement: Statement) -> None:
    if word(statement).lower() != "unix":
        return
    for index, item in enumerate(statement.items):
        if (
            isinstance(item, Token)
            and not item.quoted
            and item.text.lower() in ("size", "versions", "suffix")
        ):
            report.at(f"'dnstap-output unix' takes no '{item.text}'", statement, index)


def _check_port_ranges(report: Report, statement: Statement) -> None:
    for element in inside(statement):
        low, high = number(word(element, 1)), number(word(element, 2))
        if element.keyword == "range" and low is not None and high is not None and low > high:
            report.at(f"the range ends before it begins: {low} to {high}", element, 1)


def _check_listening_port(report: Report, statement: Statement) -> None:
    index = after(statement, "port")
    port = number(word(statement, index)) if index else None
    if port is not None and _LISTENING[1] < port <= 65535:
        message = f"port value '{port}' is out of range (0 to {_LISTENING[1]})"
        report.at(message, statement, index)


def _check_excluded_names(report: Report, statement: Statement) -> None:
    for element in inside(statement):
        _name_is_good(report, element, 0)


_Check = Callable[[Report, Statement], None]
_CHECKS: dict[str, _Check] = {
    **dict.fromkeys(_NUMBERS, _check_number),
    **dict.fromkeys(_DURATIONS, _check_duration),
    **dict.fromkeys(_NOT_ZERO, _check_not_zero),
    **dict.fromkeys(_NAMES, _check_domain_name),
    "max-ixfr-ratio": _check_ratio,
    "max-rsa-exponent-size": _check_rsa_exponent,
    "sig-validity-interval": _check_sig_validity,
    "server-id": _check_server_id,
    "lmdb-mapsize": _check_lmdb_size,
    "rate-limit": _check_rate_limit,
    "rrset-order": _check_rrset_order,
    "dns64": _check_dns64,
    "disable-algorithms": _check_disabled,
    "disable-ds-digests": _check_disabled,
    "root-delegation-only": _check_excluded_names,
    "fstrm-set-input-queue-size": _check_queue_size,
    "dnstap-output": _check_dnstap_output,
    **dict.fromkeys(
        ("avoid-v4-udp-ports", "avoid-v6-udp-ports", "use-v4-udp-ports", "use-v6-udp-ports"),
        _check_port_ranges,
    ),
    "listen-on": _check_listening_port,
    "listen-on-v6": _check_listening_port,
    "allow-transfer": _check_listening_port,
}
