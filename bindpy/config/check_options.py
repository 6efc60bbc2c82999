"""Settings of ``options``, views and zones: ranges that BIND checks late, settings at odds with others."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Mapping

from bindpy.config.check_report import (
    Report,
    after,
    check_name,
    number,
    out_of_range,
    seconds,
    token,
    word,
)
from bindpy.config.check_servers import check_source_port
from bindpy.config.check_structures import (
    check_disabled,
    check_dns64,
    check_dnstap_output,
    check_excluded_names,
    check_port_ranges,
    check_rate_limit,
    check_rrset_order,
)
from bindpy.config.tree import Statement

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
_SIGNING_TYPES = (65280, 65535)
_LMDB_OCTETS = (1 << 20, 1 << 40)
_SERVER_ID_OCTETS = 1024
_NO_DIALUP = {
    "primary": frozenset({"notify-passive", "refresh", "passive"}),
    "stub": frozenset({"notify", "notify-passive"}),
}
_SIGNING = frozenset({"dnskey-sig-validity", "dnssec-policy", "sig-validity-interval"})
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
    signing: dict[str, Statement] = {}
    roles: dict[str, Statement] = {}
    secured: dict[str, Statement] = {}
    for statement in statements:
        keyword = statement.keyword
        if keyword in _SIGNING:
            signing[keyword] = statement
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
    if signing.pop("dnssec-policy", None) is not None:  # whichever, even "none"
        for keyword, statement in signing.items():
            report.at(f"'{keyword}' cannot stand beside 'dnssec-policy'", statement)
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
            out_of_range(report, zone["sig-signing-type"], low, high)
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


def _check_number(report: Report, statement: Statement) -> None:
    value = number(word(statement))
    low, high = _NUMBERS[statement.keyword]
    # A port above 65535 is none: its own error is there already.
    most = 65535 if (low, high) == _LISTENING else 0xFFFFFFFF
    if value is not None and value <= most and not low <= value <= high:
        out_of_range(report, statement, low, high)


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


def _check_transfer_rate(report: Report, statement: Statement) -> None:
    if number(word(statement)) == 0:
        report.at("'min-transfer-rate-in' must not be zero octets", statement, 1)
    minutes = number(word(statement, 2))
    if minutes is not None and not 1 <= minutes <= _TRANSFER_MINUTES[1]:
        message = (
            f"'min-transfer-rate-in': '{word(statement, 2)}' is out of range (1 to {_TRANSFER_MINUTES[1]})"
        )
        report.at(message, statement, 2)


def _check_rsa_exponent(report: Report, statement: Statement) -> None:
    value = number(word(statement))
    if value and not 35 <= value <= 4096:
        out_of_range(report, statement, 35, 4096)


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
        check_name(report, statement, 1)


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
    check_name(report, statement, 1)
    first = known.setdefault(word(statement).lower().rstrip("."), statement)
    if first is not statement:
        report.repeated("'dnssec-must-be-secure' is given twice for this name", statement, first)


def _check_queue_size(report: Report, statement: Statement) -> None:
    value = number(word(statement))
    if value is None:
        return
    if not 2 <= value <= 16384:
        out_of_range(report, statement, 2, 16384)
    elif value & (value - 1):
        report.at(f"'{statement.keyword}': '{word(statement)}' is not a power of two", statement, 1)


def _check_listening_port(report: Report, statement: Statement) -> None:
    index = after(statement, "port")
    port = number(word(statement, index)) if index else None
    if port is not None and _LISTENING[1] < port <= 65535:
        message = f"port value '{port}' is out of range (0 to {_LISTENING[1]})"
        report.at(message, statement, index)


_Check = Callable[[Report, Statement], None]
_CHECKS: dict[str, _Check] = {
    **dict.fromkeys(_NUMBERS, _check_number),
    **dict.fromkeys(_DURATIONS, _check_duration),
    **dict.fromkeys(_NOT_ZERO, _check_not_zero),
    **dict.fromkeys(_NAMES, _check_domain_name),
    "max-ixfr-ratio": _check_ratio,
    "min-transfer-rate-in": _check_transfer_rate,
    "max-rsa-exponent-size": _check_rsa_exponent,
    "sig-validity-interval": _check_sig_validity,
    "server-id": _check_server_id,
    "lmdb-mapsize": _check_lmdb_size,
    "rate-limit": check_rate_limit,
    "rrset-order": check_rrset_order,
    "dns64": check_dns64,
    "disable-algorithms": check_disabled,
    "disable-ds-digests": check_disabled,
    "root-delegation-only": check_excluded_names,
    "fstrm-set-input-queue-size": _check_queue_size,
    "dnstap-output": check_dnstap_output,
    **dict.fromkeys(
        ("avoid-v4-udp-ports", "avoid-v6-udp-ports", "use-v4-udp-ports", "use-v6-udp-ports"),
        check_port_ranges,
    ),
    "listen-on": _check_listening_port,
    "listen-on-v6": _check_listening_port,
    "allow-transfer": _check_listening_port,
}
