"""Names in values → what they stand for: ``acl`` names, key names, lists of servers, paths."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from bindpy.config.model import (
    AddressMatchList,
    MatchBuiltin,
    MatchElement,
    MatchKey,
    MatchNested,
    MatchNetwork,
    RemoteServer,
)
from bindpy.config.sections import Entry, Section
from bindpy.config.tree import Statement
from bindpy.config.values import (
    AclElement,
    AclGeoip,
    AclKey,
    AclName,
    AclNested,
    AclNetwork,
    Remote,
    RemoteList,
)
from bindpy.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from bindpy.zone import names

BUILTIN_ACLS = frozenset(("any", "none", "localhost", "localnets"))
REMOTE_LIST_CLAUSES = ("primaries", "remote-servers", "parental-agents")


def key_name(text: str) -> str:
    """Return the lower-cased absolute form that keys are compared by. Raises `names.BadNameError`."""
    return names.to_text(names.from_text(octets(text))).lower()


def octets(text: str) -> str:
    """Return *text* with one character for each octet that the file has, as `names.from_text` wants it."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def absolute_path(directory: str, text: str) -> str:
    """Return *text* as an absolute path; a relative one counts from *directory*, itself such a path."""
    if "/." in text or "//" in text or text[-1:] in ("", "/") or text[0] == "." or directory[-1:] == "/":
        return str(Path(directory) / text)  # which may leave something out
    return text if text[0] == "/" else f"{directory}/{text}"  # as pathlib does, for 100,000 zones


class Resolver:
    """Looks names up in one configuration. Each finding is reported where the name is used, once."""

    def __init__(self, top: Section, directory: str, port: int, diagnostics: Diagnostics) -> None:
        self.directory = directory
        self.port = port
        self._diagnostics = diagnostics
        self._acl_entries: dict[str, Entry] = {}
        for entry in top.all("acl"):
            self._acl_entries.setdefault(entry.value.args[0].lower(), entry)
        self._acls: dict[str, AddressMatchList] = {}
        self._lists: dict[str, Entry] = {}
        for clause in REMOTE_LIST_CLAUSES:
            for entry in top.all(clause):
                self._lists.setdefault(entry.value.args[0].lower(), entry)
        self._lists_seen: dict[RemoteList, tuple[RemoteServer, ...]] = {}
        self._left_out: set[tuple[int, Remote]] = set()
        self._match_lists: dict[tuple[AclElement, ...], AddressMatchList] = {}

    def path(self, text: str) -> str:
        """Return *text* as an absolute path; a relative one counts from ``directory``."""
        return absolute_path(self.directory, text)

    def error(self, statement: Statement, message: str, word: str = "", *, hint: str = "") -> None:
        """Report an error at *word* in *statement*, or at its beginning."""
        self._diagnostics.error(message, place(statement, word), hint=hint, notes=statement.source.chain())

    def warning(self, statement: Statement, message: str, word: str = "", *, hint: str = "") -> None:
        """Report a warning at *word* in *statement*, or at its beginning."""
        self._diagnostics.warning(message, place(statement, word), hint=hint, notes=statement.source.chain())

    def note(self, statement: Statement, message: str, word: str = "") -> None:
        """Report a note at *word* in *statement*, or at its beginning."""
        self._diagnostics.note(message, place(statement, word))

    def found(self, findings: Iterable[Diagnostic], statement: Statement) -> None:
        """Report *findings* in a file that *statement* names."""
        note = Diagnostic(Severity.NOTE, "the file is named here", statement.span)
        for item in findings:
            self._diagnostics.extend([replace(item, notes=(*item.notes, note, *statement.source.chain()))])

    # --- address match lists ----------------------------------------------------------------------

    def match_list(self, elements: tuple[AclElement, ...], statement: Statement) -> AddressMatchList:
        """Return *elements* with every name in them resolved."""
        known = self._match_lists.get(elements)
        if known is None:
            known = self._match_lists[elements] = self._elements(elements, statement, ())
        return known

    def all_acls(self) -> dict[str, AddressMatchList]:
        """Return the ``acl`` statements that are used, by lower-case name. (BIND does not judge the
        others.)"""
        return dict(self._acls)

    def _elements(
        self, elements: Iterable[AclElement], statement: Statement, within: tuple[str, ...]
    ) -> AddressMatchList:
        return tuple([e for element in elements for e in self._element(element, statement, within)])

    def _element(
        self, element: AclElement, statement: Statement, within: tuple[str, ...]
    ) -> Iterator[MatchElement]:
        if element.negated and (geoip := self._geoip(element, set())):
            # It may be about anybody, so nobody may pass it.
            yield MatchBuiltin("any", negated=True)
            self.warning(
                statement,
                f"nobody passes the negated 'geoip {geoip}': there is no geographic database",
                "!",
            )
            return
        match element:
            case AclNetwork(network=network, negated=negated):
                yield MatchNetwork(network, negated)
            case AclKey(name=name, negated=negated):
                try:
                    yield MatchKey(key_name(name), negated)
                except names.BadNameError as exc:
                    self.error(statement, f"'{name}' is not a key name: {exc}", name)
            case AclNested(elements=nested, negated=negated):
                yield MatchNested(self._elements(nested, statement, within), negated)
            case AclGeoip(text=text):
                self.warning(
                    statement, f"'geoip {text}' never matches: there is no geographic database", "geoip"
                )
            case AclName(name=name, negated=negated) if name.lower() in BUILTIN_ACLS:
                word = name.lower()
                # As in BIND, `none` matches everybody and says "no"; `!none` lets everybody pass.
                yield MatchBuiltin("any", not negated) if word == "none" else MatchBuiltin(word, negated)
            case AclName(name=name, negated=negated):
                yield MatchNested(self._named(name, statement, within), negated, name)

    def _geoip(self, element: AclElement, seen: set[str]) -> str:
        """Return the text of a ``geoip`` element in *element*, "" where there is none. *seen*: acl names."""
        inner: tuple[AclElement, ...] = ()
        match element:
            case AclGeoip(text=text):
                return text
            case AclNested(elements=nested):
                inner = nested
            case AclName(name=name) if name.lower() not in seen:
                seen.add(name.lower())
                entry = self._acl_entries.get(name.lower())
                inner = () if entry is None else entry.value.args[1]
        return next((text for one in inner if (text := self._geoip(one, seen))), "")

    def _named(self, name: str, statement: Statement, within: tuple[str, ...]) -> AddressMatchList:
        lowered = name.lower()
        if lowered in within:
            self.error(statement, f"ACL loop: {' → '.join((*within, lowered))}", name)
            return ()
        known = self._acls.get(lowered)
        if known is not None:
            return known
        entry = self._acl_entries.get(lowered)
        if entry is None:
            near = difflib.get_close_matches(lowered, [*self._acl_entries, *BUILTIN_ACLS], 1, 0.7)
            self.error(
                statement,
                f"undefined ACL '{name}'",
                name,
                hint=f"'{near[0]}' is meant?" if near else "define it with an 'acl' statement",
            )
            return ()
        resolved = self._elements(entry.value.args[1], entry.statement, (*within, lowered))
        self._acls[lowered] = resolved
        return resolved

    # --- lists of servers -------------------------------------------------------------------------

    def servers(
        self, remotes: RemoteList, statement: Statement, *, lenient: bool = False
    ) -> tuple[RemoteServer, ...]:
        """Return the servers of *remotes*, named lists resolved. A list that is named twice counts once.

        With *lenient*, a list that is not defined is a warning and counts as empty.
        """
        known = self._lists_seen.get(remotes)
        if known is None:
            known = tuple(self._servers(remotes, statement, set(), self.warning if lenient else self.error))
            self._lists_seen[remotes] = known
        return known

    def _servers(
        self,
        remotes: RemoteList,
        statement: Statement,
        seen: set[str],
        complain: Callable[..., None],
    ) -> Iterator[RemoteServer]:
        for element in remotes.elements:
            if not element.is_list:
                if not self._needs_tls(element, statement):
                    yield self._server(element, remotes, statement)
                continue
            lowered = element.target.lower()
            entry = self._lists.get(lowered)
            if entry is None:
                near = difflib.get_close_matches(lowered, self._lists, 1, 0.7)
                complain(
                    statement,
                    f"there is no list of servers '{element.target}'",
                    element.target,
                    hint=f"'{near[0]}' is meant?" if near else "define it with a 'primaries' statement",
                )
            elif lowered not in seen:
                seen.add(lowered)
                yield from self._servers(entry.value.args[1], entry.statement, seen, complain)

    def _needs_tls(self, element: Remote, statement: Statement) -> bool:
        """Return whether the server is to be reached by TLS, and warn of that once."""
        if not element.tls:
            return False
        if (place := (id(statement), element)) not in self._left_out:
            self._left_out.add(place)
            # Talking to it in the clear would be less than was asked for.
            self.warning(
                statement,
                f"server {element.target} is left out of the list: 'tls' is not supported yet",
                element.tls,
            )
        return True

    def _server(self, element: Remote, remotes: RemoteList, statement: Statement) -> RemoteServer:
        key = element.key
        port = next(port for port in (element.port, remotes.port, self.port) if port is not None)
        if key:
            try:
                key = key_name(key)
            except names.BadNameError as exc:
                self.error(statement, f"'{key}' is not a key name: {exc}", key)
        source = remotes.source_v6 if ":" in element.target else remotes.source
        return RemoteServer(element.target, port, key, "" if source == "*" else source)


def place(statement: Statement, word: str) -> SourceSpan:
    """Return where *word* stands in *statement*, or where the statement begins."""
    if word:
        for token in statement.tokens():
            if token.text == word:
                return statement.source.span(token.offset)
    return statement.span
