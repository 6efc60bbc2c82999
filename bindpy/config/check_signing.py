"""Who changes a zone's data: dynamic updates and signing, and which of their settings exclude others."""

from __future__ import annotations

from bindpy.config.check_report import did_you_mean, inside, is_true, word
from bindpy.config.check_scope import PlacedZone
from bindpy.config.check_updates import check_update_policy
from bindpy.config.tree import Statement, Token

_BUILTIN_POLICIES = frozenset({"none", "insecure", "default"})
_NOT_WITH_POLICY = (
    "dnssec-dnskey-kskonly",
    "dnssec-secure-to-insecure",
    "update-check-ksk",
    "dnssec-update-mode",
)
_SECONDARY_SIGNING = ("dnssec-dnskey-kskonly", "dnssec-loadkeys-interval", "update-check-ksk")


def check_updates(zone: PlacedZone) -> bool:
    """Check who may update *zone*; return whether anybody may, so that the server writes its file."""
    report, inner = zone.shared.report, zone.inner
    policy = inner.get("update-policy")
    if policy is not None:
        if "allow-update" in inner:
            message = (
                f"zone '{word(zone.statement)}': 'allow-update' is ignored where 'update-policy' is there"
            )
            report.at(message, inner["allow-update"], hint="remove one of them")
        check_update_policy(report, policy)
    if zone.kind != "primary":
        return False
    if policy is not None:
        return True
    allowed = zone.inherited("allow-update")
    return allowed is not None and not _is_none(allowed)


def check_signing(zone: PlacedZone, *, dynamic: bool) -> bool:
    """Check how *zone* is signed; return whether the server does it, and so writes its file.

    *dynamic* is whether updates may change the zone.
    """
    inline = bool(is_true(zone.inner.get("inline-signing")))
    policy = _has_policy(zone)
    if zone.kind not in ("primary", "secondary"):
        return False
    if policy and not dynamic and not inline:
        why = " without 'allow-update' or 'update-policy'" if zone.kind == "primary" else ""
        message = (
            f"zone '{word(zone.statement)}': 'dnssec-policy'{why} needs 'inline-signing yes;' in the zone"
        )
        zone.shared.report.at(message, zone.inner.get("dnssec-policy", zone.statement))
    if policy:
        _forbid(zone, _NOT_WITH_POLICY, "cannot be used together with 'dnssec-policy'")
    elif zone.kind == "secondary" and not inline:
        _forbid(zone, _SECONDARY_SIGNING, "in a secondary zone needs 'inline-signing yes;'")
    _check_auto_dnssec(zone, alone=not dynamic and not inline, policy=policy)
    return policy or (zone.kind == "secondary" and inline)


def _forbid(zone: PlacedZone, keywords: tuple[str, ...], why: str) -> None:
    for keyword in keywords:
        if keyword in zone.inner:
            zone.shared.report.at(f"'{keyword}' {why}", zone.inner[keyword])


def _has_policy(zone: PlacedZone) -> bool:
    """Return whether a policy that exists signs the zone."""
    statement = zone.inherited("dnssec-policy")
    name = word(statement) if statement is not None else ""
    if not name or name == "none" or statement is None:
        return False
    if name in _BUILTIN_POLICIES or name in zone.shared.policies:
        return True
    message = f"zone '{word(zone.statement)}': 'dnssec-policy {name}' names a policy that is not defined"
    zone.shared.report.at(message, statement, 1, hint=did_you_mean(name, zone.shared.policies))
    return False


def _check_auto_dnssec(zone: PlacedZone, *, alone: bool, policy: bool) -> None:
    statement = zone.inner.get("auto-dnssec")
    if statement is None or word(statement).lower() == "off":
        return
    if policy:
        zone.shared.report.at("'auto-dnssec' cannot be used together with 'dnssec-policy'", statement)
    elif alone:
        what = "dynamic updates or " if zone.kind == "primary" else ""
        zone.shared.report.at(f"'auto-dnssec' needs {what}'inline-signing yes;' in the zone", statement)


def _is_none(statement: Statement) -> bool:
    """Return whether an address match list is just ``none`` or ``!any``: so BIND tells "nobody"."""
    elements = inside(statement)
    if len(elements) != 1:
        return False
    texts = [item.text.lower() for item in elements[0].items if isinstance(item, Token)]
    return len(texts) == len(elements[0].items) and texts in (["none"], ["!", "any"])
