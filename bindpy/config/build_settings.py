"""What zones inherit, options → view → zone: each level's clauses change the settings that it got."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from bindpy.config.build_options import match_list, scalar, source_address
from bindpy.config.model import (
    MATCH_NONE,
    AddressMatchList,
    CheckMode,
    TransferWay,
    ZoneChecks,
    ZoneSettings,
    ZoneType,
)
from bindpy.config.resolve import Resolver
from bindpy.config.sections import Entry, Section
from bindpy.config.values import Percentage, Value

ZONE_TYPES = {
    "primary": ZoneType.PRIMARY,
    "master": ZoneType.PRIMARY,
    "secondary": ZoneType.SECONDARY,
    "slave": ZoneType.SECONDARY,
    "native": ZoneType.NATIVE,
}
"""The spellings of the types that are served."""

_LARGEST_JOURNAL = (1 << 31) - 1
"""What ``max-journal-size unlimited`` means in BIND."""

_Fields = Mapping[str, tuple[str, Callable[[Value], Any]]]
"""For each field of a group of settings, its clause and how the clause's value is read."""


def _first(value: Value) -> Any:
    return value.args[0]


def _minutes(value: Value) -> int:
    return 60 * int(value.args[0])


def _limit(value: Value) -> int | None:
    return None if value.args[0] == "unlimited" else int(value.args[0])


def _journal_size(value: Value) -> int | None:
    size = value.args[0]
    if size == "default":
        return None
    return _LARGEST_JOURNAL if size == "unlimited" else min(int(size), _LARGEST_JOURNAL)


def _ratio(value: Value) -> int | None:
    ratio = value.args[0]
    return ratio.percent if isinstance(ratio, Percentage) else None


def _check_mode(value: Value) -> CheckMode:
    return CheckMode(value.args[0])


def _notify(value: Value) -> str:
    written = value.args[0]
    return {True: "yes", False: "no", "master-only": "primary-only"}.get(written, str(written))


_CHECKS: _Fields = {
    "mx": ("check-mx", _check_mode),
    "mx_cname": ("check-mx-cname", _check_mode),
    "srv_cname": ("check-srv-cname", _check_mode),
    "dup_records": ("check-dup-records", _check_mode),
    "spf": ("check-spf", _check_mode),
    "integrity": ("check-integrity", _first),
    "sibling": ("check-sibling", _first),
    "wildcard": ("check-wildcard", _first),
    "max_zone_ttl": ("max-zone-ttl", _limit),
    "max_records": ("max-records", _first),
    "max_records_per_type": ("max-records-per-type", _first),
    "max_types_per_name": ("max-types-per-name", _first),
}
_NOTIFYING: _Fields = {
    "to_soa": ("notify-to-soa", _first),
    "delay_s": ("notify-delay", _first),
    "source": ("notify-source", source_address),
    "source_v6": ("notify-source-v6", source_address),
}
_TRANSFER: _Fields = {
    "format": ("transfer-format", _first),
    "provide_ixfr": ("provide-ixfr", _first),
    "request_ixfr": ("request-ixfr", _first),
    "request_expire": ("request-expire", _first),
    "source": ("transfer-source", source_address),
    "source_v6": ("transfer-source-v6", source_address),
    "max_time_in_s": ("max-transfer-time-in", _minutes),
    "max_time_out_s": ("max-transfer-time-out", _minutes),
    "max_idle_in_s": ("max-transfer-idle-in", _minutes),
    "max_idle_out_s": ("max-transfer-idle-out", _minutes),
    "min_rate_in_octets": ("min-transfer-rate-in", _first),
    "min_rate_in_window_s": ("min-transfer-rate-in", lambda value: 60 * int(value.args[1])),
}
_REFRESH: _Fields = {
    "min_refresh_s": ("min-refresh-time", _first),
    "max_refresh_s": ("max-refresh-time", _first),
    "min_retry_s": ("min-retry-time", _first),
    "max_retry_s": ("max-retry-time", _first),
    "try_tcp": ("try-tcp-refresh", _first),
    "multi_primary": ("multi-master", _first),
}
_JOURNAL: _Fields = {
    "max_octets": ("max-journal-size", _journal_size),
    "max_ratio_percent": ("max-ixfr-ratio", _ratio),
}
_PLAIN: _Fields = {
    "notify": ("notify", _notify),
    "serial_update_method": ("serial-update-method", _first),
    "masterfile_format": ("masterfile-format", _first),
    "watch": ("watch", _first),
}
_GROUPS = (_CHECKS, _NOTIFYING, _TRANSFER, _REFRESH, _JOURNAL, _PLAIN)
_SETTING_CLAUSES = frozenset(
    (
        "allow-notify",
        "allow-query",
        "allow-query-on",
        "allow-transfer",
        "allow-update",
        "also-notify",
        "check-names",
        "ixfr-from-differences",
        "lua-axfr-script",
        *[clause for group in _GROUPS for clause, _ in group.values()],
    )
)

Settings = dict[ZoneType, ZoneSettings]
"""What zones of each type inherit: some clauses are about one type only."""

_DEFAULT_NAMES = {
    ZoneType.PRIMARY: CheckMode.FAIL,
    ZoneType.NATIVE: CheckMode.FAIL,
    ZoneType.SECONDARY: CheckMode.WARN,
}
BUILTIN_SETTINGS: Settings = {
    kind: ZoneSettings(checks=ZoneChecks(names=mode, primary=kind is not ZoneType.SECONDARY))
    for kind, mode in _DEFAULT_NAMES.items()
}
"""What zones inherit where named.conf is silent."""

_T = TypeVar("_T")


class SettingsBuilder:
    """Builds settings of one configuration; what is not supported is reported once each.

    Settings that are equal to one of *known* are that object, so that comparing is quick.
    """

    def __init__(self, resolver: Resolver, known: Iterable[ZoneSettings] = ()) -> None:
        self._resolver = resolver
        self._shared = {settings: settings for settings in known}
        self._reported: set[str] = set()
        self._known: dict[tuple[object, ...], tuple[ZoneSettings, ZoneSettings]] = {}

    def inherited(self, section: Section, base: Settings) -> Settings:
        """Return what zones inherit below *section* (``options`` or a view), which inherits *base*."""
        # BIND judges lists of servers where a zone uses them, so an unknown one is only a warning here.
        return {kind: self.settings(section, got, kind, lenient=True) for kind, got in base.items()}

    def settings(
        self, section: Section, base: ZoneSettings, kind: ZoneType, *, lenient: bool = False
    ) -> ZoneSettings:
        """Return *base* as *section* changes it; *base* itself where it changes nothing.

        Zones that say the same share what they get. With *lenient*, an unknown list of servers is a warning
        and counts as empty.
        """
        if _SETTING_CLAUSES.isdisjoint(section.entries):
            return base
        # `plain_values.parse_value` returns one object for one text, and the sections keep these alive.
        said = [
            (name, *[id(entry.value) for entry in entries])
            for name, entries in section.entries.items()
            if name in _SETTING_CLAUSES
        ]
        key = (id(base), kind, lenient, *said)
        if key not in self._known:
            self._known[key] = base, self._built(section, base, kind, lenient=lenient)
        return self._known[key][1]

    def _built(self, section: Section, base: ZoneSettings, kind: ZoneType, *, lenient: bool) -> ZoneSettings:
        resolver = self._resolver
        also_notify = section.first("also-notify")
        settings = replace(
            _changed(base, section, _PLAIN),
            allow_query=match_list(section, "allow-query", base.allow_query, resolver),
            allow_query_on=match_list(section, "allow-query-on", base.allow_query_on, resolver),
            allow_notify=match_list(section, "allow-notify", base.allow_notify, resolver),
            allow_update=match_list(section, "allow-update", base.allow_update, resolver),
            allow_transfer=self._allow_transfer(section, base),
            transfer_way=_transfer_way(section, base),
            also_notify=base.also_notify
            if also_notify is None
            else resolver.servers(also_notify.value.args[0], also_notify.statement, lenient=lenient),
            notifying=_changed(base.notifying, section, _NOTIFYING),
            transfer=_changed(base.transfer, section, _TRANSFER),
            refresh=_changed(base.refresh, section, _REFRESH),
            journal=_changed(base.journal, section, _JOURNAL),
            checks=_changed(base.checks, section, _CHECKS),
            lua_axfr_script=self._script(section, base),
        )
        settings = _of_type(settings, section, kind)
        self._report(section, settings)
        return base if settings == base else self._shared.setdefault(settings, settings)

    def _script(self, section: Section, base: ZoneSettings) -> str | None:
        entry = section.first("lua-axfr-script")
        if entry is None:
            return base.lua_axfr_script
        written = entry.value.args[0]
        return None if written == "none" else self._resolver.path(str(written))

    def _allow_transfer(self, section: Section, base: ZoneSettings) -> AddressMatchList:
        entry = section.first("allow-transfer")
        if entry is not None and entry.value.named.get("transport") == "tls":
            # Letting these clients transfer in the clear would be more than was asked for.
            self._once(
                "allow-transfer",
                entry,
                "'allow-transfer' with 'transport tls' is not supported yet: nobody may transfer",
            )
            return MATCH_NONE
        return match_list(section, "allow-transfer", base.allow_transfer, self._resolver)

    def _report(self, section: Section, settings: ZoneSettings) -> None:
        if not _is_none(settings.allow_update) and (entry := section.first("allow-update")):
            self._once(
                "allow-update",
                entry,
                "'allow-update' is not supported yet: every dynamic update is refused",
            )

    def _once(self, what: str, entry: Entry, message: str) -> None:
        if what not in self._reported:
            self._reported.add(what)
            self._resolver.warning(entry.statement, message)


def _transfer_way(section: Section, base: ZoneSettings) -> TransferWay:
    entry = section.first("allow-transfer")
    if entry is None:
        return base.transfer_way
    named = entry.value.named
    return TransferWay(named.get("port", 0), named.get("transport") == "tcp")


def _changed(base: _T, section: Section, fields: _Fields) -> _T:
    changes = {
        field: convert(entry.value)
        for field, (clause, convert) in fields.items()
        if (entry := section.first(clause)) is not None
    }
    return replace(base, **changes) if changes else base  # type: ignore[type-var]


def _of_type(settings: ZoneSettings, section: Section, kind: ZoneType) -> ZoneSettings:
    """Return *settings* with what ``options`` and views can set for zones of one type."""
    checks, journal = settings.checks, settings.journal
    for entry in section.all("check-names"):
        *which, mode = entry.value.args
        if not which or _is_about(which[0], kind):
            checks = replace(checks, names=CheckMode(mode))
    wanted = scalar(section, "ixfr-from-differences", None)
    if wanted is not None:
        journal = replace(
            journal, from_differences=wanted if isinstance(wanted, bool) else _is_about(wanted, kind)
        )
    return replace(settings, checks=checks, journal=journal)


def _is_about(word: str, kind: ZoneType) -> bool:
    return ZONE_TYPES.get(word) is (ZoneType.PRIMARY if kind is ZoneType.NATIVE else kind)


def _is_none(elements: AddressMatchList) -> bool:
    return not elements or elements[0] == MATCH_NONE[0]
