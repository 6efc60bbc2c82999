"""Sections → `Config`: defaults, inheritance, and every name resolved.

Reports what it meets when it resolves: undefined or looping acls, undefined lists of servers, names that
are none, keys without a secret, zones without a type or with clauses of another type, channels without a
destination. Checks that compare statements with each other (doubles, shared files, missing primaries …)
are in `checks`.
"""

from __future__ import annotations

from bindpy.config import new_zones
from bindpy.config.build_autoprimaries import check_keys
from bindpy.config.build_logging import build_logging, has_query_log
from bindpy.config.build_options import (
    DEFAULT_PORT,
    build_controls,
    build_keys,
    build_options,
    build_servers,
    match_list,
    scalar,
)
from bindpy.config.build_order import rrset_order
from bindpy.config.build_settings import BUILTIN_SETTINGS, Settings, SettingsBuilder
from bindpy.config.build_zones import ZoneBuilder, data_class
from bindpy.config.model import (
    MATCH_ANY,
    Config,
    ServerStatement,
    TsigKey,
    ViewConfig,
    ZoneType,
)
from bindpy.config.new_zones import DEFAULT_VIEW
from bindpy.config.resolve import Resolver
from bindpy.config.sections import Entry, Section
from bindpy.diagnostics import Diagnostics
from bindpy.zone.records import IN

_DEFAULT_MINIMAL = "no-auth-recursive"
_NOTHING = Section("options")
_SERVER_WIDE = ("max-udp-size", "edns-udp-size")
"""What BIND can set for each view, and bindpy for the whole server only."""


def build_config(
    top: Section,
    path: str,
    files: tuple[str, ...],
    directory: str,
    diagnostics: Diagnostics,
    *,
    like: Config | None = None,
) -> Config:
    """Return the configuration that *top* describes; it means something only if no error was found.

    *directory* is what relative paths count from; *path* and *files* are absolute. Settings of zones that
    *like* has too are the same objects.
    """
    known = {} if like is None else {id(zone.settings): zone.settings for zone in like.zones()}
    options = next((section for _, section in top.sections("options")), _NOTHING)
    resolver = Resolver(top, directory, scalar(options, "port", DEFAULT_PORT), diagnostics)
    logging_section = next((section for _, section in top.sections("logging")), None)
    keys = build_keys(top, resolver)
    servers = build_servers(top, resolver)
    settings = SettingsBuilder(resolver, known.values())
    views = _ViewBuilder(options, resolver, keys, servers, settings).views(top)
    logging = build_logging(logging_section, resolver)
    general = build_options(options, resolver, logs_queries=has_query_log(logging))
    check_keys(general.autoprimaries, views, diagnostics)
    return Config(
        path=path,
        files=files,
        options=general,
        views=views,
        keys=keys,
        servers=servers,
        controls=build_controls(top, resolver),
        logging=logging,
        acls=resolver.all_acls(),
    )


class _ViewBuilder:
    def __init__(
        self,
        options: Section,
        resolver: Resolver,
        keys: dict[str, TsigKey],
        servers: tuple[ServerStatement, ...],
        settings: SettingsBuilder,
    ) -> None:
        self._options = options
        self._resolver = resolver
        self._keys = keys
        self._servers = servers
        self._settings = settings
        self._zones = ZoneBuilder(resolver, self._settings)
        self._inherited = self._settings.inherited(options, BUILTIN_SETTINGS)

    def views(self, top: Section) -> tuple[ViewConfig, ...]:
        """Return the views; the zones outside views make one of their own, which matches everybody."""
        entries = list(top.sections("view"))
        if not entries:
            return (self._view(None, top, DEFAULT_VIEW, IN),)
        for entry in top.all("zone"):
            name = entry.value.args[0]
            self._resolver.error(
                entry.statement,
                f"zone '{name}' is outside the views: when there are views, all zones must be in them",
                name,
                hint="move it into a view",
            )
            break
        return tuple([self._view(e, s, e.value.args[0], self._class(e)) for e, s in entries])

    def _note_server_wide(self, section: Section) -> None:
        for name in _SERVER_WIDE:
            if (entry := section.first(name)) is not None:
                self._resolver.warning(
                    entry.statement, f"'{name}' in a view is not supported yet: that of 'options' holds"
                )

    def _class(self, entry: Entry) -> int:
        if len(entry.value.args) == 1:
            return IN
        written = entry.value.args[1]
        rdclass = data_class(written)
        if rdclass is None:
            self._resolver.error(entry.statement, f"invalid class '{written}'", written)
        return rdclass or IN

    def _view(self, entry: Entry | None, section: Section, name: str, rdclass: int) -> ViewConfig:
        options, resolver = self._options, self._resolver
        inherited: Settings = self._inherited
        # Without views the section is the whole file, whose own entries are not a view's.
        own = _NOTHING if entry is None else section
        if entry is not None:
            inherited = self._settings.inherited(section, inherited)
            self._note_server_wide(section)
        zones = []
        for zone_entry, zone_section in section.sections("zone"):
            zone = self._zones.zone(zone_entry, zone_section, name, rdclass, inherited)
            if zone is not None:
                zones.append(zone)
        minimal = scalar(own, "minimal-responses", scalar(options, "minimal-responses", _DEFAULT_MINIMAL))
        return ViewConfig(
            name=name,
            rdclass=rdclass,
            match_clients=match_list(own, "match-clients", MATCH_ANY, resolver),
            match_destinations=match_list(own, "match-destinations", MATCH_ANY, resolver),
            match_recursive_only=scalar(own, "match-recursive-only", False),
            minimal_responses={True: "yes", False: "no"}.get(minimal, minimal),
            minimal_any=scalar(own, "minimal-any", scalar(options, "minimal-any", False)),
            rrset_order=rrset_order(own.first("rrset-order") or options.first("rrset-order"), resolver),
            settings=inherited[ZoneType.PRIMARY],
            zones=tuple(zones),
            keys=self._keys | build_keys(own, resolver),
            servers=build_servers(own, resolver) or self._servers,
            span=None if entry is None else entry.span,
            allow_new_zones=scalar(own, new_zones.ALLOW, scalar(options, new_zones.ALLOW, False)),
            new_zones_path=self._new_zones_path(own, name),
        )

    def _new_zones_path(self, own: Section, view: str) -> str:
        said = own.first(new_zones.DIRECTORY) or self._options.first(new_zones.DIRECTORY)
        directory = self._resolver.path("" if said is None else said.value.args[0])
        return new_zones.new_zones_path(directory, view)
