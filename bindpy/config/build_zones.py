"""``zone`` statements → `ZoneConfig`."""

from __future__ import annotations

from bindpy.config.build_settings import ZONE_TYPES, Settings, SettingsBuilder
from bindpy.config.class_and_type import class_number
from bindpy.config.model import ProvisionedBy, ZoneConfig, ZoneType
from bindpy.config.new_zones import kept_in
from bindpy.config.resolve import Resolver, octets
from bindpy.config.sections import Entry, Section
from bindpy.zone import names

_DATA_CLASSES = (1, 3, 4)
_NOT_YET_TYPES = frozenset(("in-view", "mirror", "redirect"))
"""Types that an authoritative server could serve. The others are a resolver's."""

_MODERN_TYPES = {"master": "primary", "slave": "secondary"}


def data_class(text: str) -> int | None:
    """Return the class that *text* names if zones can be of it: IN, CHAOS or HESIOD."""
    number = class_number(text)
    return number if number in _DATA_CLASSES else None


class ZoneBuilder:
    """Builds zones of one configuration; the types that are not served are reported once each."""

    def __init__(self, resolver: Resolver, settings: SettingsBuilder) -> None:
        self._resolver = resolver
        self._settings = settings
        self._reported: set[str] = set()

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
        return ZoneConfig(
            origin=origin,
            rdclass=rdclass,
            view=view,
            type=kind,
            file=None if file_entry is None else resolver.path(file_entry.value.args[0]),
            primaries=()
            if primaries is None
            else resolver.servers(primaries.value.args[0], primaries.statement),
            settings=self._settings.settings(section, inherited[kind], kind),
            span=entry.span,
            kept_in=kept_in(entry.statement.source),
            provisioned_by=_provisioned_by(section),
        )

    def _origin(self, entry: Entry) -> names.Name | None:
        written = entry.value.args[0]
        try:
            return names.from_text(octets(written))
        except names.BadNameError as exc:
            self._resolver.error(entry.statement, f"zone '{written}' is not a valid name: {exc}", written)
            return None

    def _class(self, entry: Entry, written: str) -> int | None:
        rdclass = data_class(written)
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


def _provisioned_by(section: Section) -> ProvisionedBy | None:
    entry = section.first("provisioned-by")
    if entry is None:
        return None
    return ProvisionedBy(entry.value.args[0], entry.value.named.get("account", ""))
