"""Zones that are added, changed and removed while the server runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeAlias

from bindpy.config.check_report import members, word
from bindpy.config.model import MATCH_NONE, Config, ViewConfig, ZoneConfig, ZoneType
from bindpy.config.new_zones import DEFAULT_VIEW, autoprimary_path
from bindpy.config.one_zone import ZoneContext, zone_statement
from bindpy.config.tree import Statement
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, Severity
from bindpy.newzones.errors import NewZoneError
from bindpy.newzones.kept import KeptFile
from bindpy.newzones.show import bind_text
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry, ZoneId
from bindpy.zone.names import to_text
from bindpy.zone.rdata import class_from_text, class_to_text

log = logging.getLogger("bindpy.general")
config_log = logging.getLogger("bindpy.config")

_Zones: TypeAlias = tuple[ZoneConfig, ...]

_NOT_ADDED = frozenset(("hint", "forward", "delegation-only"))
_NO_TYPE = "zone type not specified"


class Replicating(Protocol):
    """What tells other servers of zones, and takes zones from them."""

    def update_zone(self, zone_id: ZoneId) -> None:
        """Take over what the keeper has of one zone, which was added, changed or removed."""

    async def forget_zone(self, zone_id: ZoneId) -> None:
        """Drop what is remembered of one zone, which is not configured any more."""


class ZoneServer(Protocol):
    """The running server, as far as its zones go. ``config`` is what is in force, whatever changes it."""

    config: Config

    @property
    def keeper(self) -> ZoneKeeper:
        """What serves the zones."""

    @property
    def replication(self) -> Replicating:
        """What is between this server and others."""

    @property
    def is_changing(self) -> asyncio.Lock:
        """Held by whoever changes ``config``."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A zone that was removed. ``was_added``: while the server ran, so that it does not come back.

    ``files`` are those that were deleted with it; ``troubles`` say why others were not.
    """

    config: ZoneConfig
    was_added: bool
    files: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()


class NewZones:
    """Adds, changes and removes zones of *server*, one at a time; none of it looks at the other zones.

    What an operation promises is on the disk when it returns, and is served. All methods belong to the event
    loop's thread; `configure` comes first.
    """

    def __init__(self, server: ZoneServer) -> None:
        self._server = server
        self._kept: dict[str, KeptFile] = {}
        self._said: dict[ZoneId, Statement] = {}

    def configure(self, context: ZoneContext) -> None:
        """Take over *context*, that of the server's ``config``, which was read anew."""
        self._context = context
        self._said.clear()

    # --- adding -----------------------------------------------------------------------------------

    async def add(self, text: str, zone: str, rdclass: str | None, view: str | None) -> ZoneId:
        """Add *zone* as *text*, what stands in the braces of its statement and the braces, says.

        *rdclass* and *view* may be left out where there is one view only. A primary zone whose file cannot be
        loaded is not added. Raises `NewZoneError`.
        """
        async with self._server.is_changing:
            found = self._view(view, rdclass)
            _check_allowed(found)
            path = found.new_zones_path
            statement = _statement(text, "addzone", path, zone, rdclass)
            _check_type(statement, "addzone")
            zone_id = await self._add(statement, found)
        log.info("added zone %s in view %s via addzone", _shown(zone_id), found.name)
        return zone_id

    async def provision(self, statement_text: str, view: str, path: str) -> ZoneId:
        """Add a zone that an autoprimary has, as *statement_text* says; *path* is ``autoprimary-config``.

        Raises `NewZoneError`.
        """
        async with self._server.is_changing:
            found = self._view(view, None)
            path = autoprimary_path(path, view)
            return await self._add(_statement(statement_text, path, path), found, statement_text.strip())

    async def _add(self, statement: Statement, view: ViewConfig, text: str | None = None) -> ZoneId:
        """Add the zone of *statement* to *view*, and keep *text*, or the statement as we write it."""
        zone = await self._read(statement, view)
        if self._server.keeper.table.get(zone.id) is not None:
            raise NewZoneError(
                "already exists", [f"there is a zone '{_shown(zone.id)}' in view '{view.name}'"]
            )
        self._check_file(zone, statement)
        before = self._server.config
        self._put(_with_zone(before, zone), zone)
        try:
            await self._check_loaded(zone)
            await self._keep(zone, text or bind_text(statement))
        except BaseException:
            self._remove(before, zone.id)
            raise
        self._said[zone.id] = statement
        return zone.id

    # --- changing ---------------------------------------------------------------------------------

    async def modify(self, zone_id: ZoneId, text: str) -> bool:
        """Give a zone the statement that *text*, the part in braces, says.

        Return whether that is lasting: a zone that named.conf has is as there again when that is reread.
        Where the zone cannot be loaded with it, it stays as it was. Raises `NewZoneError`.
        """
        async with self._server.is_changing:
            was = self._entry(zone_id).config
            view = self._view(was.view, None)
            _check_allowed(view)
            rdclass = class_to_text(was.rdclass)
            name = _shown((was.view, was.origin))
            statement = _statement(text, "modzone", was.kept_in, name, None if rdclass == "IN" else rdclass)
            _check_type(statement, "modzone")
            zone = await self._read(statement, view)
            self._check_file(zone, statement)
            before = self._server.config
            self._put(_with_zone(before, zone, instead_of=was), zone)
            try:
                await self._check_loaded(zone)
                if zone.kept_in:
                    await self._keep(zone, bind_text(statement))
            except BaseException:
                self._put(before, was)
                raise
            self._said[zone_id] = statement
        log.info("updated zone %s in view %s via modzone", name, view.name)
        return bool(zone.kept_in)

    # --- removing ---------------------------------------------------------------------------------

    async def delete(self, zone_id: ZoneId, *, clean: bool) -> Removed:
        """Serve a zone no longer. *clean*: delete the files of a zone that was added.

        Raises `NewZoneError`.
        """
        async with self._server.is_changing:
            zone = self._entry(zone_id).config
            # Where named.conf has the zone, there may be a statement that does not count because of that.
            for path in [zone.kept_in] if zone.kept_in else self._kept_paths(self._view(zone.view, None)):
                await asyncio.to_thread(self._file(path).remove, zone.origin.lower())
            if clean and zone.kept_in:
                await self._server.keeper.freeze(zone_id)  # what a transfer is writing comes before
            self._remove(_without_zone(self._server.config, zone), zone_id)
            self._said.pop(zone_id, None)
            removed = Removed(zone, bool(zone.kept_in))
            if clean and zone.kept_in:
                removed = await self._clean(removed)
        log.info("deleting zone %s in view %s via delzone", _shown(zone_id), zone.view)
        return removed

    async def _clean(self, removed: Removed) -> Removed:
        await self._server.replication.forget_zone(removed.config.id)
        path = removed.config.file
        if path is None or self._server.keeper.table.made_of([path]):
            return removed
        try:
            await asyncio.to_thread(Path(path).unlink)
        except FileNotFoundError:
            return removed
        except OSError as error:
            return replace(removed, troubles=(f"{path} was not deleted: {error.strerror}",))
        return replace(removed, files=(path,))

    # --- showing ----------------------------------------------------------------------------------

    async def show(self, zone_id: ZoneId) -> str:
        """Return a zone's statement, of named.conf or added, as BIND prints it. Raises `NewZoneError`."""
        self._entry(zone_id)
        statement = self._said.get(zone_id)
        if statement is None:
            statement = await asyncio.to_thread(_read_statement, self._context, self._server.config, zone_id)
        return bind_text(statement)

    # --- pieces -----------------------------------------------------------------------------------

    def _view(self, name: str | None, rdclass: str | None) -> ViewConfig:
        views = self._server.config.views
        number = None if rdclass is None else class_from_text(rdclass)
        wanted = DEFAULT_VIEW if name is None and len(views) != 1 else name
        for view in views:
            if wanted in (None, view.name) and (rdclass is None or number == view.rdclass):
                return view
        names = ", ".join(view.name for view in views)
        raise NewZoneError("not found", [f"no matching view found for '{wanted}'", f"there is: {names}"])

    def _entry(self, zone_id: ZoneId) -> ZoneEntry:
        entry = self._server.keeper.table.get(zone_id)
        if entry is None:
            raise NewZoneError("not found", [f"no matching zone '{_shown(zone_id)}' in view '{zone_id[0]}'"])
        return entry

    async def _keep(self, zone: ZoneConfig, text: str) -> None:
        await asyncio.to_thread(self._file(zone.kept_in).put, zone.origin.lower(), text)

    def _file(self, path: str) -> KeptFile:
        return self._kept.setdefault(path, KeptFile(path))

    def _kept_paths(self, view: ViewConfig) -> list[str]:
        """Return the files that statements of zones in *view* are read from."""
        paths = [view.new_zones_path] if view.allow_new_zones else []
        autoprimary = self._server.config.options.autoprimary_config
        return paths if autoprimary is None else [*paths, autoprimary_path(autoprimary, view.name)]

    async def _read(self, statement: Statement, view: ViewConfig) -> ZoneConfig:
        """Return what *statement* means in *view*. Raises `NewZoneError`."""
        one = await asyncio.to_thread(self._context.read, statement, view.name)
        if one.errors:
            raise NewZoneError("failure", findings=one.errors)
        if one.config is None:
            raise NewZoneError("failure", findings=one.diagnostics)
        for item in one.diagnostics:
            if item.severity is Severity.WARNING:
                for line in item.log_lines():
                    config_log.warning("%s", line)
        return one.config

    def _check_file(self, zone: ZoneConfig, statement: Statement) -> None:
        """A file that the server writes has one user. Raises `NewZoneError`."""
        table = self._server.keeper.table
        for other_id in table.made_of([zone.file] if zone.file is not None else []):
            other = table.get(other_id)
            if other is not None and other.id != zone.id and (_is_written(zone) or _is_written(other.config)):
                place = members(statement)["file"].span
                message = (
                    f"file '{zone.file}' is already in use by zone {other.label}, and the server writes it"
                )
                raise NewZoneError("failure", findings=[Diagnostic(Severity.ERROR, message, place)])

    def _put(self, config: Config, zone: ZoneConfig) -> None:
        self._server.config = config
        self._server.keeper.put(zone, urgent=True)
        self._server.replication.update_zone(zone.id)

    def _remove(self, config: Config, zone_id: ZoneId) -> None:
        self._server.config = config
        self._server.keeper.remove(zone_id)
        self._server.replication.update_zone(zone_id)

    async def _check_loaded(self, zone: ZoneConfig) -> None:
        """Wait until a zone is loaded; what primaries have may come later. Raises `NewZoneError`."""
        if zone.type is ZoneType.SECONDARY:
            return
        await self._server.keeper.settled(zone.id)
        entry = self._entry(zone.id)
        if entry.errors:
            missing = entry.loaded is not None and entry.loaded.is_missing
            reason = "file not found" if missing else "failure"
            raise NewZoneError(reason, [f"dns_zone_loadnew failed: {reason}"], entry.errors)


def _shown(zone_id: ZoneId) -> str:
    name = to_text(zone_id[1])
    return name if name == "." else name[:-1]


def _check_allowed(view: ViewConfig) -> None:
    if not view.allow_new_zones:
        raise NewZoneError("permission denied", [f"Not allowing new zones in view '{view.name}'"])


def _statement(
    text: str, shown_as: str, kept_in: str, zone: str | None = None, rdclass: str | None = None
) -> Statement:
    statement, findings = zone_statement(text, shown_as, kept_in=kept_in, zone=zone, rdclass=rdclass or "")
    if statement is None:
        raise NewZoneError("unexpected token", findings=findings)
    return statement


def _check_type(statement: Statement, verb: str) -> None:
    """Refuse, in BIND's words, zones that are none that could be added."""
    said = members(statement)
    kind = word(said["type"]) if "type" in said else ""
    if not kind:
        is_in_view = "in-view" in said
        raise NewZoneError(
            "failure", [f"'in-view' zones not supported by {verb}" if is_in_view else _NO_TYPE]
        )
    if kind.lower() in _NOT_ADDED:
        raise NewZoneError("failure", [f"'{kind}' zones not supported by {verb}"])


def _is_written(zone: ZoneConfig) -> bool:
    return zone.type is ZoneType.SECONDARY or zone.settings.allow_update != MATCH_NONE


def _read_statement(context: ZoneContext, config: Config, zone_id: ZoneId) -> Statement:
    """Return the statement of a zone that *config* has; those that did not change stand elsewhere now."""
    zone = next(zone for zone in config.zones() if zone.id == zone_id)
    statement = context.statement_at(zone.span)
    assert statement is not None, f"no statement at {zone.span}"
    return statement


def _with_zone(config: Config, zone: ZoneConfig, instead_of: ZoneConfig | None = None) -> Config:
    """Return *config* with *zone*, at its end or *instead_of* another one."""
    return _changed(
        config,
        zone.view,
        lambda zones: (
            (*zones, zone)
            if instead_of is None
            else tuple([zone if one.origin == instead_of.origin else one for one in zones])
        ),
    )


def _without_zone(config: Config, zone: ZoneConfig) -> Config:
    return _changed(
        config, zone.view, lambda zones: tuple([one for one in zones if one.origin != zone.origin])
    )


def _changed(config: Config, view: str, change: Callable[[_Zones], _Zones]) -> Config:
    views = [replace(one, zones=change(one.zones)) if one.name == view else one for one in config.views]
    return replace(config, views=tuple(views))
