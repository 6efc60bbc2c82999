"""One zone statement, judged and read as if it stood in a configuration that was read before.

The configuration's other zones are not looked at, so what it costs does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bindpy.config.build import build_config
from bindpy.config.checks import check_statements
from bindpy.config.load import ConfigResult
from bindpy.config.model import Config, ZoneConfig
from bindpy.config.new_zones import DEFAULT_VIEW
from bindpy.config.scanner import end_of_block, scan
from bindpy.config.sections import SectionReader
from bindpy.config.tree import Block, Source, Statement, Token, with_body
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan

_LEFT_OUT = frozenset(("zone", "catalog-zones", "response-policy", "autoprimaries"))
"""Statements that are zones or name zones, or that would have other files read."""


@dataclass(frozen=True, slots=True)
class OneZone:
    """A zone statement and what it means; ``config`` is None where ``diagnostics`` have an error, and for a
    zone of a type that is not served."""

    statement: Statement
    config: ZoneConfig | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Why the statement is refused."""
        return tuple([item for item in self.diagnostics if item.severity is Severity.ERROR])


class ZoneContext:
    """A configuration without its zones, which one more zone can be put into."""

    def __init__(self, result: ConfigResult) -> None:
        """*result* has a configuration."""
        assert result.config is not None, "there is no configuration"
        self._config: Config = result.config
        self._tree = _without_zones(result.tree)
        self._sources = _sources(result.tree)
        for source in self._sources.values():
            source.forget_lines()

    def read(self, statement: Statement, view: str) -> OneZone:
        """Return what *statement*, a ``zone`` statement, means in *view* (`DEFAULT_VIEW`: outside of views).

        Every check of a whole configuration is made, except those that compare it with other zones.
        """
        tree = list(self._tree)
        if view == DEFAULT_VIEW:
            tree.append(statement)
        else:
            at = next(at for at, one in enumerate(tree) if _is_view(one, view))
            tree[at] = with_body(tree[at], [*_body(tree[at]), statement])
        diagnostics = Diagnostics()
        section = SectionReader(diagnostics).read("top", tree)
        diagnostics.extend(check_statements(tree))
        zone: ZoneConfig | None = None
        if not diagnostics.has_errors:
            was = self._config
            config = build_config(section, was.path, was.files, was.options.directory, diagnostics)
            zone = next(iter(config.zones()), None)
        # The rest was good before, so every error there is because of this zone.
        here = [
            item
            for item in diagnostics.items
            if item.severity is Severity.ERROR or _is_in(item, statement.source)
        ]
        return OneZone(statement, None if diagnostics.has_errors else zone, tuple(here))

    def statement_at(self, span: SourceSpan) -> Statement | None:
        """Return the ``zone`` statement that stood at *span* when the configuration was read."""
        source = self._sources.get(span.file)
        if source is None:
            return None
        start = source.offset(span)
        end = end_of_block(rest := source.text[start:], "zone")
        if end is None:
            return None
        [statement] = scan(Source(source.name, rest[:end], source.path), Diagnostics())
        return statement


def zone_statement(
    text: str, name: str, *, kept_in: str = "", zone: str | None = None, rdclass: str = ""
) -> tuple[Statement | None, tuple[Diagnostic, ...]]:
    """Return *text* as a ``zone`` statement, None with the findings where it is not one.

    *name* is what its places are shown with. With *zone*, the text is only what stands in its braces, braces
    and all, the zone's name and class being known. *kept_in* is the file that the server will keep it in.
    """
    diagnostics = Diagnostics()
    text = text.rstrip()
    if zone is not None and text.endswith("}"):
        text += ";"  # a command ends where it ends
    source = Source(name, text, kept_in, is_kept=bool(kept_in))
    statements = scan(source, diagnostics)
    if not diagnostics.has_errors and len(statements) != 1:
        place = statements[1].span if statements else SourceSpan(name, 1, 1)
        diagnostics.error("one zone is expected here", place)
    if diagnostics.has_errors:
        return None, tuple(diagnostics.items)
    statement = statements[0]
    if zone is not None:
        head = [Token("zone", 0), Token(zone, 0, quoted=True), *([Token(rdclass, 0)] if rdclass else [])]
        if not isinstance(statement.items[0], Block) or len(statement.items) > 1:
            diagnostics.error("'{ STATEMENTS };' is expected here", statement.span)
        statement = Statement(source, [*head, *statement.items])
    elif statement.keyword != "zone":
        diagnostics.error("a 'zone' statement is expected here", statement.span)
    return None if diagnostics.has_errors else statement, tuple(diagnostics.items)


def _without_zones(tree: Sequence[Statement]) -> list[Statement]:
    left = []
    for statement in tree:
        if statement.keyword in ("options", "view") and statement.body() is not None:
            body = [one for one in _body(statement) if one.keyword not in _LEFT_OUT]
            left.append(with_body(statement, body))
        elif statement.keyword != "zone":
            left.append(statement)
    return left


def _body(statement: Statement) -> list[Statement]:
    body = statement.body()
    return [] if body is None else body.statements


def _is_view(statement: Statement, name: str) -> bool:
    match statement.items:
        case [_, Token(text=text), *_] if statement.keyword == "view":
            return text == name
    return False


def _sources(tree: Iterable[Statement]) -> dict[str, Source]:
    """Return the texts that there are zones in, by the names that their places have."""
    found: dict[str, Source] = {}
    for statement in tree:
        inner = _body(statement) if statement.keyword == "view" else [statement]
        for one in inner:
            if one.keyword == "zone":
                found.setdefault(one.source.name, one.source)
    return found


def _is_in(item: Diagnostic, source: Source) -> bool:
    return item.span is not None and item.span.file == source.name
