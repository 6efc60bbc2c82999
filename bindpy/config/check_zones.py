"""Zones and views: names, classes, what must be there, what excludes what, files that two zones write."""

from __future__ import annotations

from collections.abc import Iterable

from bindpy.config.check_keys import KeyTable, check_server_keys
from bindpy.config.check_options import (
    check_block,
    check_general_block,
    check_root_forwarders,
    check_zone_block,
    listening_port,
)
from bindpy.config.check_report import (
    having,
    inside,
    is_true,
    members,
    name_of,
    word,
)
from bindpy.config.check_scope import FileUse, PlacedZone, Scope, Shared, written_class
from bindpy.config.check_servers import check_servers, check_source_port
from bindpy.config.check_signing import check_signing, check_updates
from bindpy.config.clause_table import contexts
from bindpy.config.clauses import ALIASES, ZONE_TYPE_LETTERS
from bindpy.config.tree import Statement, Token
from bindpy.zone.names import ROOT, BadNameError, Key, is_subdomain, to_text

TYPES = {"master": "primary", "slave": "secondary"}
"""Old spellings of zone types, and today's."""

_TYPE_LETTERS = {name: letter for letter, name in ZONE_TYPE_LETTERS.items()}
_NOT_FOR_IN_VIEW = frozenset({"forward", "redirect", "delegation-only"})
_IN_VIEW_MAY_HAVE = frozenset({"in-view", "forward", "forwarders"})
_WRITTEN_TYPES = frozenset({"secondary", "mirror"})
_NOTIFYING_TYPES = frozenset({"primary", "secondary", "mirror"})
_FETCHING_TYPES = frozenset({"secondary", "mirror", "stub"})
_NEVER = ("no", "false", "0")
_SOURCES = frozenset(
    {
        "notify-source",
        "notify-source-v6",
        "parental-source",
        "parental-source-v6",
        "transfer-source",
        "transfer-source-v6",
    }
)


class ZoneChecks:
    """Checks zones and views one after the other, in the order of the text.

    *servers* are the ``server`` statements outside of views.
    """

    def __init__(self, shared: Shared, servers: Iterable[Statement]) -> None:
        self.shared = shared
        self._outer_servers = list(servers)
        self._outer_servers_seen = False
        self.report = shared.report
        self._inherited_seen: set[int] = set()
        self._has_sources = not _SOURCES.isdisjoint(shared.options)

    # --- views --------------------------------------------------------------------------------------

    def check_views(self, views: Iterable[Statement], keys: KeyTable) -> None:
        """Check views and the zones in them."""
        known: dict[tuple[str, int], Statement] = {}
        for view in views:
            name = word(view)
            if not name:
                continue
            rdclass = self._view_class(view)
            first = known.setdefault((name, rdclass), view)
            if first is not view:
                self.report.repeated(f"view '{name}' is already defined", view, first)
            if (name, rdclass) in (("_default", 1), ("_bind", 3)):
                self.report.at(f"view '{name}' is built in: it cannot be defined again", view)
            self._check_view(view, name, rdclass, keys)

    def _view_class(self, view: Statement) -> int:
        text = word(view, 2)
        if not text:
            return 1
        rdclass = written_class(view)
        if rdclass is None:
            self.report.at(f"view '{word(view)}': invalid class '{text}'", view, 2)
        return 1 if rdclass is None else rdclass

    def _check_view(self, view: Statement, name: str, rdclass: int, outer_keys: KeyTable) -> None:
        statements = inside(view)
        keys = KeyTable(outer_keys)
        keys.define(self.report, statements)
        scope = Scope(name, rdclass, members(view), keys)
        self.shared.acls.check_statements(statements)
        check_block(self.report, statements, self.shared.options)
        output = "dnstap-output" in scope.settings or "dnstap-output" in self.shared.options
        check_general_block(self.report, statements, output=output)
        self._check_servers(list(having(statements, "server")), keys)
        self.check_zones(scope, having(statements, "zone"))

    def _check_servers(self, own: list[Statement], keys: KeyTable) -> None:
        """A view without ``server`` statements takes those outside of views, with its own keys."""
        if own:
            check_servers(self.report, own, listening_port(self.shared.options))
            for server in own:
                check_server_keys(self.report, server, keys)
            return
        if not self._outer_servers_seen:
            self._outer_servers_seen = True
            check_servers(self.report, self._outer_servers, listening_port(self.shared.options))
        # What is wrong for one view need not be said again for the next.
        self._outer_servers = [s for s in self._outer_servers if check_server_keys(self.report, s, keys)]

    # --- zones --------------------------------------------------------------------------------------

    def check_zones(self, scope: Scope, zones: Iterable[Statement]) -> None:
        """Check the zones of one view, or of a configuration without views."""
        for zone in zones:
            self._check_zone(scope, zone)
        for keyword in ("catalog-zones", "response-policy"):
            statement = scope.settings.get(keyword)
            if statement is None and not scope.view:
                statement = self.shared.options.get(keyword)
            if statement is not None:
                self._check_listed_zones(scope, statement)

    def _check_zone(self, scope: Scope, zone: Statement) -> None:
        name = self._zone_name(zone)
        if name is None or zone.body() is None:
            return
        self._check_class(scope, zone)
        inner = members(zone)
        if "in-view" in inner:
            self._remember(scope, zone, name, "in-view")
            self._check_in_view(zone, name, inner)
            return
        if "type" not in inner:
            self.report.at(
                f"zone '{word(zone)}': it has no 'type'", zone, hint="add 'type primary;' or another"
            )
            return
        if len(inner["type"].items) != 2:
            return  # a ';' is missing, and what follows would be reported as missing too
        kind = word(inner["type"]).lower()
        kind = TYPES.get(kind, kind)
        self._remember(scope, zone, name, kind)
        if kind == "redirect" and name != ROOT:
            self.report.at('a redirect zone must be the root zone: zone "."', zone)
            return
        body = inside(zone)
        self._check_allowed(zone, kind, body)
        self.shared.acls.check_statements(body)
        check_block(self.report, body, self.shared.options)
        check_zone_block(self.report, kind, inner)
        if name == ROOT:
            check_root_forwarders(self.report, inner, scope.settings, self.shared.options)
        if kind == "static-stub" and "server-names" in inner:
            self._check_server_names(zone, name, inner["server-names"])
        placed = PlacedZone(zone, name, kind, inner, scope, self.shared)
        if kind == "mirror" and is_true(placed.inherited("recursion")) is False:
            self.report.at(f"zone '{word(zone)}': mirror zones cannot be used with 'recursion no'", zone)
        self._check_remotes(placed)
        dynamic = check_updates(placed)
        signing = check_signing(placed, dynamic=dynamic)
        self._check_file(zone, kind, inner, written=dynamic or signing)

    def _zone_name(self, zone: Statement) -> Key | None:
        item = zone.items[1] if len(zone.items) > 1 else None
        if not isinstance(item, Token):
            return None
        try:
            return name_of(item.text).lower()
        except BadNameError as exc:
            self.report.at(f"zone '{item.text}': this is not a valid name: {exc}", zone, 1)
            return None

    def _check_class(self, scope: Scope, zone: Statement) -> None:
        text = word(zone, 2)
        if not text:
            return
        rdclass = written_class(zone)
        if rdclass is None:
            self.report.at(f"zone '{word(zone)}': invalid class '{text}'", zone, 2)
        elif rdclass != scope.rdclass:
            self.report.at(f"zone '{word(zone)}': class '{text}' is not the class of its view", zone, 2)

    def _remember(self, scope: Scope, zone: Statement, name: Key, kind: str) -> None:
        """A hint or a redirect zone may stand beside another zone of its name."""
        group = kind if kind in ("hint", "redirect") else ""
        first = scope.zones.setdefault((group, name), zone)
        if first is not zone:
            self.report.repeated(f"zone '{word(zone)}' is already defined", zone, first)
        if kind in ("primary", "secondary", "native"):
            scope.served.add(name)
        if scope.view and kind != "in-view" and kind not in _NOT_FOR_IN_VIEW:
            self.shared.seen_in_views.add((scope.view, name))

    def _check_in_view(self, zone: Statement, name: Key, inner: dict[str, Statement]) -> None:
        statement = inner["in-view"]
        view = word(statement)
        if (view, name) not in self.shared.seen_in_views:
            self.report.at(
                f"zone '{word(zone)}': there is no such zone in view '{view}', or that view comes later",
                statement,
            )
        others = [keyword for keyword in inner if keyword not in _IN_VIEW_MAY_HAVE]
        if others:
            message = f"zone '{word(zone)}': 'in-view' goes with no other statement, '{others[0]}' is here"
            self.report.at(message, statement)

    def _check_allowed(self, zone: Statement, kind: str, body: Iterable[Statement]) -> None:
        """Every statement goes with the type of its zone; a native zone takes what a primary takes."""
        clauses = contexts()["zone"]
        letter = _TYPE_LETTERS.get("primary" if kind == "native" else kind, "")
        for statement in body:
            keyword = statement.keyword
            clause = clauses.get(ALIASES.get(keyword, keyword))
            if letter and clause is not None and clause.types and letter not in clause.types:
                hint = f"it goes with {', '.join(clause.zone_types())}"
                message = f"'{keyword}' is not allowed in '{kind}' zone '{word(zone)}'"
                self.report.at(message, statement, hint=hint)

    def _check_server_names(self, zone: Statement, name: Key, statement: Statement) -> None:
        for element in inside(statement):
            text = word(element, 0)
            try:
                server = name_of(text).lower()
            except BadNameError as exc:
                self.report.at(f"server-name '{text}' is not a valid name: {exc}", element)
                continue
            if is_subdomain(server, name):
                message = f"server-name '{text}' must not be a subdomain of zone '{word(zone)}'"
                self.report.at(message, element)

    # --- other servers ------------------------------------------------------------------------------

    def _check_remotes(self, zone: PlacedZone) -> None:
        kind, inner, keys = zone.kind, zone.inner, zone.scope.keys
        if kind in _FETCHING_TYPES and not (kind == "mirror" and zone.name == ROOT):
            self._check_primaries(zone)
        if kind in ("primary", "secondary") and "parental-agents" in inner:
            self.shared.remotes.check(inner["parental-agents"], keys)
        if kind in _NOTIFYING_TYPES:
            self._check_also_notify(zone)
        for keyword in _SOURCES if self._has_sources else _SOURCES & inner.keys():
            # BIND does not look at those of views.
            statement = inner.get(keyword, self.shared.options.get(keyword))
            if statement is not None and len(statement.items) > 2 and self._first_time(statement):
                check_source_port(self.report, statement, listening_port(self.shared.options))

    def _first_time(self, statement: Statement) -> bool:
        """A statement that many zones inherit is checked once."""
        known = id(statement) in self._inherited_seen
        self._inherited_seen.add(id(statement))
        return not known

    def _check_primaries(self, zone: PlacedZone) -> None:
        found = zone.inner.get("primaries", zone.inner.get("masters"))
        if found is None:
            hint = "add 'primaries { ADDRESS; };'"
            self.report.at(f"zone '{word(zone.statement)}': it has no 'primaries'", zone.statement, hint=hint)
        else:
            self.shared.remotes.check(found, zone.scope.keys)

    def _check_also_notify(self, zone: PlacedZone) -> None:
        notify = zone.inherited("notify")
        when = word(notify).lower() if notify is not None else ""
        if zone.kind == "mirror" and "notify" in zone.inner and when not in (*_NEVER, "explicit"):
            message = (
                f"zone '{word(zone.statement)}': a mirror zone takes only 'notify no' or 'notify explicit'"
            )
            self.report.at(message, zone.inner["notify"])
        silent = when in _NEVER or (when in ("primary-only", "master-only") and zone.kind != "primary")
        if not silent:
            statement = zone.inherited("also-notify")
            if statement is not None:
                self.shared.remotes.check(statement, zone.scope.keys, may_be_empty=True)
        elif "also-notify" in zone.inner:
            message = f"zone '{word(zone.statement)}': 'also-notify' has no effect, 'notify' is off"
            self.report.warn_at(message, zone.inner["also-notify"])

    # --- files --------------------------------------------------------------------------------------

    def _check_file(self, zone: Statement, kind: str, inner: dict[str, Statement], *, written: bool) -> None:
        file, dlz, database = inner.get("file"), inner.get("dlz"), inner.get("database")
        if dlz is not None:
            if database is not None:
                self.report.at(f"zone '{word(zone)}': it has both 'dlz' and 'database'", database)
            return
        if database is not None and word(database) != "rbt":
            return
        if file is None:
            if kind in ("primary", "native", "hint") or (kind == "secondary" and written):
                self.report.at(f"zone '{word(zone)}': it has no 'file'", zone, hint="add 'file \"NAME\";'")
        elif word(file):
            self._use_file(file, written=written or kind in _WRITTEN_TYPES)

    def _use_file(self, file: Statement, *, written: bool) -> None:
        name = word(file)
        first = self.shared.files.get(name)
        if first is None:
            self.shared.files[name] = FileUse(file, written)
        elif written or first.written:
            self.report.error(
                f"file '{name}' is already in use by another zone, and the server writes it",
                file.source,
                file.items[1].offset,
                related=[("the other zone's is here", first.statement)],
            )

    # --- zones that other statements name -------------------------------------------------------------

    def _check_listed_zones(self, scope: Scope, statement: Statement) -> None:
        """``catalog-zones`` and ``response-policy`` list zones that are primary or secondary here."""
        listed: dict[Key, Statement] = {}
        for element in inside_first_block(statement):
            name = word(element)
            if element.keyword != "zone" or not name:
                continue
            try:
                key = name_of(name).lower()
            except BadNameError as exc:
                self.report.at(f"'{statement.keyword}': bad domain name '{name}': {exc}", element, 1)
                continue
            if key not in scope.served:
                kind = "catalog zone" if statement.keyword == "catalog-zones" else "response-policy zone"
                message = f"{kind} '{to_text(key)[:-1] or '.'}' is not a primary or secondary zone here"
                self.report.at(message, element, 1)
            first = listed.setdefault(key, element)
            if first is not element and statement.keyword == "catalog-zones":
                self.report.repeated(f"catalog zone '{name}' is already listed", element, first)


def inside_first_block(statement: Statement) -> list[Statement]:
    """Return the statements of the first block of *statement*."""
    for item in statement.items:
        if not isinstance(item, Token):
            return item.statements
    return []
