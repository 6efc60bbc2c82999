"""``zone`` statements, and what they inherit: options → view → zone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bindpy.config.build_options import match_list, scalar
from bindpy.config.model import (
    MATCH_NONE,
    AddressMatchList,
    CheckMode,
    MatchBuiltin,
    ZoneChecks,
    ZoneConfig,
    ZoneSettings,
    ZoneType,
)
from bindpy.config.resolve import Resolver, octets
from bindpy.config.sections import Entry, Section
from bindpy.zone import names

CLASSES = {"in": 1, "internet": 1, "chaos": 3, "ch": 3, "hesiod": 4, "hs": 4}
"""The classes that a view or zone may have, as BIND spells them in named.conf, and their numbers."""

ZONE_TYPES = {
    "primary": ZoneType.PRIMARY,
    "master": ZoneType.PRIMARY,
    "secondary": ZoneType.SECONDARY,
    "slave": ZoneType.SECONDARY,
    "native": ZoneType.NATIVE,
}
"""The spellings of the types that are served."""

_NOT_YET_TYPES = frozenset(("in-view", "mirror", "redirect"))
"""Types that an authoritative server could serve. The others are a resolver's."""

_MODERN_TYPES = {"master": "primary", "slave": "secondary"}
_CHECK_MODES = {
    "mx": "check-mx",
    "mx_cname": "check-mx-cname",
    "srv_cname": "check-srv-cname",
    "dup_records": "check-dup-records",
    "spf": "check-spf",
}
_CHECK_VALUES = {
    "integrity": "check-integrity",
    "sibling": "check-sibling",
    "wildcard": "check-wildcard",
    "max_records": "max-records",
    "max_records_per_type": "max-records-per-type",
    "max_types_per_name": "max-types-per-name",
}
_SETTING_CLAUSES = frozenset(
    (
        "allow-query",
        "allow-query-on",
        "allow-transfer",
        "allow-notify",
        "allow-update",
        "also-notify",
        "notify",
        "check-names",
        "masterfile-format",
        "watch",
        "max-zone-ttl",
        *_CHECK_MODES.values(),
        *_CHECK_VALUES.values(),
    )
)

Settings = dict[ZoneType, ZoneSettings]
"""What zones of each type inherit: `check-names` makes them differ."""

_DEFAULT_NAMES = {
    ZoneType.PRIMARY: CheckMode.FAIL,
    ZoneType.NATIVE: CheckMode.FAIL,
    ZoneType.SECONDARY: CheckMode.WARN,
}
BUILTIN_SETTINGS: Settings = {
    kind: ZoneSettings(checks=ZoneChecks(names=mode)) for kind, mode in _DEFAULT_NAMES.items()
}
"""What zones inherit where named.conf is silent."""


class ZoneBuilder:
    """Builds zones of one configuration; the types that are not served are reported once each."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._reported: set[str] = set()

    def inherited(self, section: Section, base: Settings) -> Settings:
        """Return what zones inherit below *section* (``options`` or a view), which inherits *base*."""
        return {
            kind: self._settings(section, settings, kind, lenient=True) for kind, settings in base.items()
        }

    def zone(
        self, entry: Entry, section: Section, view: str, view_class: int, inherited: Settings
    ) -> ZoneConfig | None:
        """Return the zone, or None where it is not served or is wrong (then that is reported)."""
        args = entry.value.args
        origin = self._origin(entry)
        rdclass = view_class if len(args) == 1 else self._class(entry, args[1])
        kind = self._type(entry, section, args[0])
        if kind is None or origin is None or rdclass is None:
            return None
        resolver = self._resolver
        file_entry, primaries = section.first("file"), section.first("primaries")
        base = inherited[kind]
        settings = (
            base if _SETTING_CLAUSES.isdisjoint(section.entries) else self._settings(section, base, kind)
        )
        return ZoneConfig(
            origin=origin,
            rdclass=rdclass,
            view=view,
            type=kind,
            file=None if file_entry is None else resolver.path(file_entry.value.args[0]),
            primaries=()
            if primaries is None
            else resolver.servers(primaries.value.args[0], primaries.statement),
            settings=settings,
            span=entry.span,
        )

    def _origin(self, entry: Entry) -> names.Name | None:
        written = entry.value.args[0]
        try:
            return names.from_text(octets(written))
        except names.BadNameError as exc:
            self._resolver.error(entry.statement, f"zone '{written}' is not a valid name: {exc}", written)
            return None

    def _class(self, entry: Entry, written: str) -> int | None:
        rdclass = CLASSES.get(written.lower())
        if rdclass is None:
            self._resolver.error(
                entry.statement, f"invalid class '{written}'", written, hint="IN is the usual one"
            )
        return rdclass

    def _type(self, entry: Entry, section: Section, name: str) -> ZoneType | None:
        """Return the zone's type if it is served; check that its clauses go with it."""
        kind_entry = section.first("type")
        if kind_entry is not None:
            written = str(kind_entry.value.args[0])
        elif section.first("in-view"):
            written = "in-view"
        else:
            likely = "secondary" if section.first("primaries") else "primary"
            self._resolver.error(
                entry.statement, f"zone '{name}' has no type", name, hint=f"add 'type {likely};'"
            )
            return None
        kind = ZONE_TYPES.get(written)
        if kind is None and written not in self._reported:
            self._reported.add(written)
            message = f"zone '{name}': zones of type '{written}' are left out: "
            if written in _NOT_YET_TYPES:
                self._resolver.warning(entry.statement, message + "the type is not supported yet", name)
            else:
                self._resolver.note(entry.statement, message + "bindpy only answers from its own zones", name)
        self._check_types(section, _MODERN_TYPES.get(written, written), name)
        return kind

    def _check_types(self, section: Section, kind: str, name: str) -> None:
        wanted = "primary" if kind == "native" else kind
        for clause_name, entries in section.entries.items():
            if clause_name == "type":
                continue
            clause = entries[0].clause
            if clause.types and wanted not in clause.zone_types():
                self._resolver.error(
                    entries[0].statement,
                    f"'{entries[0].statement.keyword}' is not allowed in '{kind}' zone '{name}'",
                    hint=f"it goes with {', '.join(clause.zone_types())}",
                )

    # --- settings ---------------------------------------------------------------------------------

    def _settings(
        self, section: Section, base: ZoneSettings, kind: ZoneType, *, lenient: bool = False
    ) -> ZoneSettings:
        """Return *base* as *section* changes it; *base* itself where it changes nothing.

        With *lenient*, an unknown list of servers is only a warning: BIND judges it where a zone uses it.
        """
        resolver = self._resolver
        also_notify = section.first("also-notify")
        update = section.first("allow-update")
        settings = replace(
            base,
            allow_query=match_list(section, "allow-query", base.allow_query, resolver),
            allow_query_on=match_list(section, "allow-query-on", base.allow_query_on, resolver),
            allow_transfer=self._allow_transfer(section, base),
            allow_notify=match_list(section, "allow-notify", base.allow_notify, resolver),
            allow_update=match_list(section, "allow-update", base.allow_update, resolver),
            also_notify=base.also_notify
            if also_notify is None
            else resolver.servers(also_notify.value.args[0], also_notify.statement, lenient=lenient),
            notify=_notify(scalar(section, "notify", base.notify)),
            checks=self._checks(section, base.checks, kind),
            masterfile_format=scalar(section, "masterfile-format", base.masterfile_format),
            watch=scalar(section, "watch", base.watch),
        )
        if update is not None and not _is_none(settings.allow_update):
            self._once(
                "allow-update",
                update,
                "'allow-update' is not supported yet: every dynamic update is refused",
            )
        if settings.masterfile_format == "raw" and (entry := section.first("masterfile-format")):
            self._once(
                "masterfile-format",
                entry,
                "'masterfile-format raw' is not supported: zone files are read and written as text",
            )
        return base if settings == base else settings

    def _allow_transfer(self, section: Section, base: ZoneSettings) -> AddressMatchList:
        entry = section.first("allow-transfer")
        if entry is not None and entry.value.named:
            # Letting these clients transfer over any port and in the clear would be more than was asked for.
            self._once(
                "allow-transfer",
                entry,
                "'allow-transfer' with 'port' or 'transport' is not supported yet: nobody may transfer",
            )
            return MATCH_NONE
        return match_list(section, "allow-transfer", base.allow_transfer, self._resolver)

    def _once(self, what: str, entry: Entry, message: str) -> None:
        if what not in self._reported:
            self._reported.add(what)
            self._resolver.warning(entry.statement, message)

    def _checks(self, section: Section, base: ZoneChecks, kind: ZoneType) -> ZoneChecks:
        changes: dict[str, Any] = {}
        for field_name, clause in _CHECK_MODES.items():
            if (entry := section.first(clause)) is not None:
                changes[field_name] = CheckMode(entry.value.args[0])
        for field_name, clause in _CHECK_VALUES.items():
            if (entry := section.first(clause)) is not None:
                changes[field_name] = entry.value.args[0]
        if (entry := section.first("max-zone-ttl")) is not None:
            limit = entry.value.args[0]
            changes["max_zone_ttl"] = None if limit == "unlimited" else limit
        for entry in section.all("check-names"):
            *which, mode = entry.value.args
            if not which or ZONE_TYPES.get(which[0]) in (kind, _checked_as(kind)):
                changes["names"] = CheckMode(mode)
        return replace(base, **changes) if changes else base


def _checked_as(kind: ZoneType) -> ZoneType:
    return ZoneType.PRIMARY if kind is ZoneType.NATIVE else kind


def _is_none(elements: AddressMatchList) -> bool:
    return all(isinstance(element, MatchBuiltin) and element.name == "none" for element in elements)


def _notify(value: bool | str) -> str:
    return {True: "yes", False: "no", "master-only": "primary-only"}.get(value, str(value))


def rrset_order(section: Section, base: str, resolver: Resolver) -> str:
    """Return the order for all RRsets; rules for some names, types or classes only are reported."""
    entry = section.first("rrset-order")
    if entry is None:
        return base
    partial = False
    for rule in entry.value.args[0]:
        wanted = rule.named["order"].lower()
        if wanted not in ("fixed", "random", "cyclic", "none"):
            resolver.error(
                entry.statement,
                f"invalid rrset-order '{wanted}'",
                rule.named["order"],
                hint="fixed, random, cyclic or none",
            )
        elif _matches_all(rule.named):
            base = wanted
            break
        else:
            partial = True
    if partial:
        resolver.warning(
            entry.statement, "'rrset-order' for some names, types or classes only is not supported yet"
        )
    return base


def _matches_all(rule: Any) -> bool:
    return (
        rule.get("class", "any").lower() in ("any", "in")
        and rule.get("type", "any").lower() == "any"
        and rule.get("name", "*") == "*"
    )
