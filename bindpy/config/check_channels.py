"""Ways into the server: ``controls``, ``statistics-channels``, listeners, and their ``tls`` and ``http``."""

from __future__ import annotations

from collections.abc import Iterable

from bindpy.config.check_acls import AclChecks
from bindpy.config.check_keys import KeyTable, check_control_keys
from bindpy.config.check_report import Report, after, did_you_mean, having, inside, members, number, word
from bindpy.config.tree import Statement, Token

_TLS_VERSIONS = frozenset({"TLSv1.2", "TLSv1.3"})
_BUILTIN_TLS = ("ephemeral", "none")
_BUILTIN_HTTP = "default"
_EVERYBODY = 0o002  # connecting to a socket needs the right to write to it, and no other
_SOMEBODY = 0o222
_RIGHTS = 0o777


def check_controls(report: Report, controls: Statement, acls: AclChecks, keys: KeyTable) -> None:
    """Check the channels of one ``controls`` statement."""
    for channel in having(inside(controls), "inet", "unix"):
        check_control_keys(report, channel, keys)
        if channel.keyword == "inet":
            acls.check_list(channel)
        else:
            _check_permissions(report, channel)


def _check_permissions(report: Report, channel: Statement) -> None:
    index = after(channel, "perm")
    mode = number(word(channel, index)) if index else None
    if mode is None:
        return
    if mode > _RIGHTS:
        report.warn_at(
            f"perm {word(channel, index)} is 0{mode:o} in octal",
            channel,
            index,
            hint="a mode begins with a zero, such as 0600",
        )
    elif mode & _EVERYBODY:
        report.warn_at(f"unix control '{word(channel)}' allows access to everyone", channel, index)
    elif not mode & _SOMEBODY:
        report.warn_at(f"unix control '{word(channel)}' allows access to nobody", channel, index)


def check_statistics(acls: AclChecks, channels: Statement) -> None:
    """Check the lists of ``statistics-channels``."""
    for channel in having(inside(channels), "inet"):
        acls.check_list(channel)


def check_tls(report: Report, statements: Iterable[Statement]) -> frozenset[str]:
    """Check ``tls`` statements; return their names in lower case."""
    known: dict[str, Statement] = {}
    for statement in statements:
        name = word(statement)
        if not name:
            continue
        if name.lower() in _BUILTIN_TLS:
            report.at(f"tls '{name}': the name is reserved", statement)
        first = known.setdefault(name.lower(), statement)
        if first is not statement:
            report.repeated(f"tls '{name}' is already defined", statement, first)
        inner = members(statement)
        if ("cert-file" in inner) != ("key-file" in inner):
            report.at(f"tls '{name}': 'cert-file' and 'key-file' go together", statement)
        if "protocols" in inner:
            _check_protocols(report, inner["protocols"])
    return frozenset(known)


def _check_protocols(report: Report, statement: Statement) -> None:
    seen: dict[str, Statement] = {}
    for element in inside(statement):
        version = word(element, 0)
        if version not in _TLS_VERSIONS:
            known = " and ".join(sorted(_TLS_VERSIONS))
            report.at(f"'{version}' is not a valid TLS protocol version: there are {known}", element)
        elif version in seen:
            report.repeated(f"'{version}' is given twice", element, seen[version])
        seen.setdefault(version, element)
    if not inside(statement):
        report.at("'protocols' names no TLS protocol version", statement)


def check_http(report: Report, statements: Iterable[Statement]) -> frozenset[str]:
    """Check ``http`` statements; return their names in lower case."""
    known: dict[str, Statement] = {}
    for statement in statements:
        name = word(statement)
        if not name:
            continue
        if name.lower() == _BUILTIN_HTTP:
            report.at(f"http '{name}' is built in: it cannot be defined again", statement)
        first = known.setdefault(name.lower(), statement)
        if first is not statement:
            report.repeated(f"http '{name}' is already defined", statement, first)
        for endpoints in having(inside(statement), "endpoints"):
            for element in inside(endpoints):
                path = word(element, 0)
                if not path.startswith("/") or path == "/":
                    report.at(f"endpoint '{path}' is not an absolute HTTP path", element)
    return frozenset(known)


def check_listeners(
    report: Report, statements: Iterable[Statement], tls: frozenset[str], http: frozenset[str]
) -> None:
    """Check that ``listen-on`` names ``tls`` and ``http`` statements that exist."""
    for statement in having(statements, "listen-on", "listen-on-v6"):
        if not any(isinstance(item, Token) for item in statement.items[1:]):
            continue
        tls_at, http_at = after(statement, "tls"), after(statement, "http")
        if tls_at:
            _is_defined(report, statement, tls_at, "tls", {*tls, *_BUILTIN_TLS})
        if http_at:
            if not tls_at:
                report.at("'http' needs a 'tls' beside it: a name, 'ephemeral' or 'none'", statement, http_at)
            _is_defined(report, statement, http_at, "http", {*http, _BUILTIN_HTTP})


def _is_defined(report: Report, statement: Statement, index: int, what: str, known: set[str]) -> None:
    name = word(statement, index)
    if name and name.lower() not in known:
        report.at(f"{what} '{name}' is not defined", statement, index, hint=did_you_mean(name, known))
