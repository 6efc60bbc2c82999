"""``update-policy`` rules: names and types are good, and the name field is what the kind of rule asks for."""

from __future__ import annotations

from bindpy.config.check_report import Report, inside, name_of, word
from bindpy.config.class_and_type import type_number
from bindpy.config.tree import Statement, Token
from bindpy.zone.names import ROOT, BadNameError, Name, is_wildcard

_SELF_RULES = frozenset({"self", "selfsub", "selfwild"})
_PLACEHOLDER_RULES = frozenset(
    {"krb5-self", "krb5-selfsub", "ms-self", "ms-selfsub", "tcp-self", "6to4-self"}
)
_RULES = (
    _SELF_RULES
    | _PLACEHOLDER_RULES
    | {
        "external",
        "krb5-subdomain",
        "krb5-subdomain-self-rhs",
        "ms-subdomain",
        "ms-subdomain-self-rhs",
        "name",
        "subdomain",
        "wildcard",
        "zonesub",
    }
)


def check_update_policy(report: Report, policy: Statement) -> None:
    """Check the rules of one ``update-policy``; ``update-policy local`` has none."""
    for rule in inside(policy):
        kind = word(rule, 2).lower()
        if rule.keyword in ("grant", "deny") and kind in _RULES:
            _check_rule(report, rule, kind)


def _check_rule(report: Report, rule: Statement, kind: str) -> None:
    identity = _name(report, rule, 1)
    types_from = 3
    if kind != "zonesub":
        types_from = 4
        if len(rule.items) < 4:
            report.at(f"'{rule.keyword} … {kind}': the name is missing", rule, 2)
            return
        name = _name(report, rule, 3)
        if name is not None and identity is not None:
            _check_name(report, rule, kind, identity, name)
    for index in range(types_from, len(rule.items)):
        item = rule.items[index]
        if isinstance(item, Token):
            _check_type(report, rule, index, item.text)


def _check_name(report: Report, rule: Statement, kind: str, identity: Name, name: Name) -> None:
    if kind in _SELF_RULES:
        # "." stands for the identity, as BIND's manual recommends to write it.
        if name not in (ROOT, identity):
            report.at(f"'{kind}' rule: the identity and the name must be the same", rule, 3)
    elif kind in _PLACEHOLDER_RULES:
        if name != ROOT:
            report.at(f"'{kind}' rule: the name must be the placeholder '.'", rule, 3)
    elif kind == "wildcard" and not is_wildcard(name):
        report.at(f"'{word(rule, 3)}' is not a wildcard", rule, 3)


def _name(report: Report, rule: Statement, index: int) -> Name | None:
    text = word(rule, index)
    try:
        return name_of(text).lower()
    except BadNameError as exc:
        report.at(f"'{text}' is not a valid name: {exc}", rule, index)
        return None


def _check_type(report: Report, rule: Statement, index: int, text: str) -> None:
    """A type may carry the most records that a name may have of it: ``A(5)``."""
    name, parenthesis, rest = text.partition("(")
    if parenthesis:
        digits = rest[:-1] if rest.endswith(")") else ""
        if not (digits.isascii() and digits.isdigit() and int(digits[:6]) <= 65535):
            report.at(f"'({rest}' is not a valid count", rule, index)
            return
    if type_number(name) is None:
        report.at(f"'{name}' is not a valid type", rule, index)
