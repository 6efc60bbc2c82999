"""Zone statements that differ by name and file only: judged and built by two of each kind, for all.

Such zones are judged by what their names and files have to do with each other, which is looked at here, and
by all the rest, which is the same for all of them. So a configuration is read with two zones of each kind
only, and if nothing is wrong with it, the others are made after them. Whatever cannot be known like this is
found out the long way, with all zones.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import field, replace

from bindpy.config.check_report import having, inside, members, name_of, word
from bindpy.config.model import Config, ZoneConfig
from bindpy.config.new_zones import kept_in
from bindpy.config.resolve import absolute_path
from bindpy.config.scanner import PlainZone, Shape, zone_name
from bindpy.config.tree import Statement, with_body
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, SourceSpan
from bindpy.zone.names import BadNameError, Key, Name

Kind = tuple[Shape, str]
"""What is the same for zones of one kind, in one view: their shape, and the file that the server keeps them
in, or ""."""

EXAMPLES = 2
"""How many of each kind are read: what is said of one only is said of none that follows; what is said of the
second, too, is said of all."""


@dataclass(slots=True, eq=False)
class _View:
    """The zone statements of a view, or of the file itself.

    ``examples`` are the plain ones that are read. ``like`` says of each zone of which kind it is if it is
    left out.
    """

    zones: list[Statement]
    origins: dict[Key, Name] = field(default_factory=dict)
    examples: dict[Kind, list[PlainZone]] = field(default_factory=dict)
    like: list[Kind | None] = field(default_factory=list)

    def name_all(self) -> bool:
        """Note the names; return whether they are names, and each is there once."""
        for zone in self.zones:
            try:
                origin = name_of(zone_name(zone))
            except BadNameError:
                return False
            if self.origins.setdefault(origin.lower(), origin) is not origin:
                return False
        return True

    def choose(self, wanted: Container[Statement]) -> None:
        """Choose which zones are read: those that are like no other, the examples, and all of *wanted*."""
        for zone in self.zones:
            kind = _kind(zone)
            if kind is not None and isinstance(zone, PlainZone):
                examples = self.examples.setdefault(kind, [])
                if len(examples) < EXAMPLES or zone in wanted:
                    examples.append(zone)
                    kind = None
            self.like.append(kind)

    def chosen(self, statements: Iterable[Statement]) -> list[Statement]:
        """Return *statements*, in which the zones stand, without those that are left out."""
        kinds = iter(self.like)
        return [one for one in statements if one.keyword != "zone" or next(kinds) is None]

    def with_others(self, read: Iterable[ZoneConfig], directory: str) -> tuple[ZoneConfig, ...] | None:
        """Return *read* and the zones that are like some of them, in the order of the text."""
        by_place = {zone.span: zone for zone in read}
        models = {kind: by_place.get(examples[0].span) for kind, examples in self.examples.items()}
        zones = []
        for statement, origin, kind in zip(self.zones, self.origins.values(), self.like, strict=True):
            if kind is None or not isinstance(statement, PlainZone):
                zone = by_place.get(statement.span)
                if zone is not None:
                    zones.append(zone)
                continue
            model = models[kind]
            if model is None:
                return None
            zones.append(
                ZoneConfig(
                    origin,
                    model.rdclass,
                    model.view,
                    model.type,
                    absolute_path(directory, statement.file),
                    model.primaries,
                    model.settings,
                    statement.span,
                    model.kept_in,
                    model.provisioned_by,
                )
            )
        return tuple(zones)


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """A configuration without most of its zones: ``tree`` is what is to be read."""

    tree: list[Statement]
    _views: list[_View]

    def says_more(self, diagnostics: Sequence[Diagnostic]) -> bool:
        """Return whether *diagnostics* have anything that may be said of the zones that are left out, too."""
        if len(set(diagnostics)) < len(diagnostics):
            return True
        notes = [note for item in diagnostics for note in item.notes]
        places = {item.span for item in (*diagnostics, *notes) if item.span is not None and item.span.line}
        later = [zone for view in self._views for examples in view.examples.values() for zone in examples[1:]]
        return any(_is_in(place, zone) for place in places for zone in later)

    def with_all(self, config: Config) -> Config | None:
        """Return *config*, which was made of ``tree``, with the other zones; None where that is not clear."""
        if len(config.views) != len(self._views):
            return None
        views = []
        for built, view in zip(config.views, self._views, strict=True):
            zones = view.with_others(built.zones, config.options.directory)
            if zones is None:
                return None
            views.append(replace(built, zones=zones))
        return replace(config, views=tuple(views))


def leave_out(tree: list[Statement]) -> Alike | None:
    """Return *tree* without the zones that are like others; None where there are none, or all are needed."""
    blocks = [view for view in having(tree, "view") if view.body() is not None]
    views = [_View(list(having(inside(block), "zone"))) for block in blocks]
    if not blocks:
        views.append(_View(list(having(tree, "zone"))))
    if not all(view.name_all() for view in views):
        return None
    wanted = _with_files_of_others(views)
    for view in views:
        view.choose(wanted)
    if not any(kind for view in views for kind in view.like):
        return None
    if not blocks:
        return Alike(views[0].chosen(tree), views)
    of_block = dict(zip(blocks, views, strict=True))
    chosen = [with_body(one, of_block[one].chosen(inside(one))) if one in of_block else one for one in tree]
    return Alike(chosen, views)


def _with_files_of_others(views: Iterable[_View]) -> set[Statement]:
    """Return zones that have the files of others: two of each two kinds, as the rest is judged like them."""
    users: dict[str, tuple[int, Statement]] = {}
    known: set[tuple[object, ...]] = set()
    found: set[Statement] = set()
    for number, view in enumerate(views):
        for zone in view.zones:
            file = _file(zone)
            there, user = users.setdefault(file, (number, zone))
            if user is zone or not file:
                continue
            pair = (there, _kind(user) or user, number, _kind(zone) or zone)
            if pair not in known:
                known.add(pair)
                found |= {user, zone}
    return found


def _kind(zone: Statement) -> Kind | None:
    return (zone.shape, kept_in(zone.source)) if isinstance(zone, PlainZone) else None


def _file(zone: Statement) -> str:
    if isinstance(zone, PlainZone):
        return zone.file
    file = members(zone).get("file")
    return "" if file is None else word(file)


def _is_in(place: SourceSpan, zone: PlainZone) -> bool:
    source = zone.source
    return place.file == source.name and zone.offset <= source.offset(place) < zone.end
