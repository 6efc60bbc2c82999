"""The zone-file reader: master files (RFC 1035 section 5) as BIND 9.18 reads them.

`read_zone_text` turns a file and the files that it includes into records. It never raises for what files
hold: what is wrong is told in diagnostics, several in one run.

Most lines of a big zone are simple, and `bindpy.zone.fastpath` reads those; everything else, and everything
that looks wrong, comes through `_ZoneReader._entry` here, which is the reference for what a line means.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from bindpy.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from bindpy.zone import names
from bindpy.zone.generate import GenerateError, Template, parse_range
from bindpy.zone.lexer import Entry, LexError, NeedMoreTextError, Token, next_entry
from bindpy.zone.names import BadNameError, Key, Name
from bindpy.zone.rdata import (
    RdataError,
    class_from_text,
    class_to_text,
    is_meta_type,
    rdata_from_text,
    rdata_from_tokens,
    type_from_text,
    type_to_text,
)
from bindpy.zone.records import IN, RR, RRType, Soa
from bindpy.zone.snapshot import SnapshotBuilder
from bindpy.zone.source import (
    MAX_ENTRY_OCTETS,
    BinaryTextError,
    Source,
    TooLongError,
    UnreadableError,
    open_zone_file,
)
from bindpy.zone.ttl import MAX_TTL, parse_ttl

MAX_ERRORS = 20
MAX_WARNINGS = 100
MAX_INCLUDE_DEPTH = 32
MAX_INCLUDES = 10_000
MAX_GENERATED = 1 << 22
"""Records that the $GENERATE lines of one zone may make."""


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Request:
    """What to read, kept so that positions can be looked up later."""

    path: str
    origin: Name
    rdclass: int
    text: bytes | None
    directory: str


class ZoneText:
    """What a zone file and the files that it includes say.

    ``builder`` holds the records of the zone (not usable when ``diagnostics`` hold an error), ``files`` the
    zone file and then every file that it names in $INCLUDE, also those that could not be opened.
    """

    def __init__(
        self,
        request: _Request,
        builder: SnapshotBuilder,
        diagnostics: tuple[Diagnostic, ...],
        files: tuple[str, ...],
    ) -> None:
        self.builder = builder
        self.diagnostics = diagnostics
        self.files = files
        self._request = request
        self._places: dict[tuple[Key, int], list[SourceSpan]] | None = None

    @property
    def has_errors(self) -> bool:
        """Whether the text is refused."""
        return any(d.severity is Severity.ERROR for d in self.diagnostics)

    def locate(self, key: Key, rtype: int) -> list[SourceSpan]:
        """Return where the records of *key* and *rtype* stand, in the order of the text.

        The first call reads the files again (reading itself keeps no positions): use it for messages only.
        """
        if self._places is None:
            places: dict[tuple[Key, int], list[SourceSpan]] = {}
            _ZoneReader(self._request, places).run()
            self._places = places
        return self._places.get((key, rtype), [])


def read_zone_text(
    path: str, origin: Name, rdclass: int = IN, *, text: bytes | None = None, directory: str = ""
) -> ZoneText:
    """Read the zone *origin* from the file *path*, or from *text* (then *path* is only its name).

    Relative names of files, *path* and those in $INCLUDE, are relative to *directory*, by default to the
    current directory as in BIND. Never raises for what the files hold, nor for files that cannot be read.
    """
    return _ZoneReader(_Request(path, origin, rdclass, text, directory)).run()


class _TooManyErrorsError(Exception):
    """Enough errors have been collected."""


class _Frame:
    """What one file's text depends on: origin and last owner. ``known`` is None for "not in the zone"."""

    __slots__ = ("origin", "owner", "owner_in_zone", "source")

    def __init__(self, source: Source, origin: Name, owner: Name | None, owner_in_zone: bool) -> None:
        self.source = source
        self.origin = origin
        self.owner = owner
        self.owner_in_zone = owner_in_zone


class _ZoneReader:
    """One run over one zone's text."""

    def __init__(
        self, request: _Request, places: dict[tuple[Key, int], list[SourceSpan]] | None = None
    ) -> None:
        self._request = request
        self._places = places
        self._origin = request.origin
        self._origin_key = request.origin.lower()
        self._rdclass = request.rdclass
        self._builder = SnapshotBuilder(request.origin, request.rdclass)
        self._found = Diagnostics()
        self._errors = 0
        self._warnings = 0
        self._files: list[str] = []
        self._open: list[str] = []
        self._includers: list[SourceSpan] = []
        self._default_ttl: int | None = None
        self._last_ttl: int | None = None
        self._told_rfc1035_ttl = False
        self._soa: bytes | None = None
        self._generated = 0

    def run(self) -> ZoneText:
        """Read everything."""
        request = self._request
        path = _joined(request.directory, request.path)
        try:
            self._file(path, request.origin, None, True, text=request.text)
        except _TooManyErrorsError:
            self._found.note(f"stopped after {MAX_ERRORS} errors")
        if self._warnings > MAX_WARNINGS:
            self._found.note(f"{self._warnings - MAX_WARNINGS} more warnings are not shown")
        return ZoneText(request, self._builder, tuple(self._found.items), tuple(dict.fromkeys(self._files)))

    # Diagnostics -------------------------------------------------------------------------------------------

    def _span(self, frame: _Frame, offset: int) -> SourceSpan:
        return SourceSpan(frame.source.name, *frame.source.place(offset))

    def _notes(self) -> list[Diagnostic]:
        return [Diagnostic(Severity.NOTE, "included from here", span) for span in reversed(self._includers)]

    def _error(self, message: str, span: SourceSpan, hint: str = "") -> None:
        self._found.error(message, span, hint=hint, notes=self._notes())
        self._errors += 1
        if self._errors >= MAX_ERRORS:
            raise _TooManyErrorsError

    def _warning(self, message: str, span: SourceSpan, hint: str = "") -> None:
        self._warnings += 1
        if self._warnings <= MAX_WARNINGS:
            self._found.warning(message, span, hint=hint, notes=self._notes())

    # Files -------------------------------------------------------------------------------------------------

    def _file(
        self, path: str, origin: Name, owner: Name | None, owner_in_zone: bool, text: bytes | None = None
    ) -> None:
        """Read one file; the place that includes it, if any, is the last of ``_includers``."""
        self._files.append(path)
        here = self._includers[-1] if self._includers else SourceSpan(path)
        try:
            stream = io.BytesIO(text) if text is not None else open_zone_file(path)
        except UnreadableError as e:
            if self._includers:
                self._includers.pop()
                self._error(f"included file '{path}' {e}", here, e.hint)
                self._includers.append(here)
            else:
                self._error(f"zone file {e}", here, e.hint)
            return
        source = Source(path, stream)
        try:
            self._text(_Frame(source, origin, owner, owner_in_zone))
        except UnreadableError as e:
            self._error(f"file {e}", SourceSpan(path, source.line), e.hint)
        except BinaryTextError as e:
            self._error(str(e), SourceSpan(path, *source.place(e.offset)), e.hint)
        except TooLongError:
            self._error(
                f"an entry that begins here has no end within {MAX_ENTRY_OCTETS} octets",
                SourceSpan(path, source.line, source.column),
                "is this a zone file in text form?",
            )
        finally:
            source.close()

    def _text(self, frame: _Frame) -> None:
        source = frame.source
        pos = 0
        if source.advance(0) and source.text.startswith("\xef\xbb\xbf"):
            self._error(
                "the file begins with a UTF-8 byte order mark", self._span(frame, 0), "save it without"
            )
            pos = 3
        while True:
            if pos >= len(source.text):
                if not source.advance(pos):
                    break
                pos = 0
            try:
                pos = self._entry(frame, source.text, pos)
            except NeedMoreTextError as e:
                if len(source.text) - pos > MAX_ENTRY_OCTETS:
                    self._endless(frame, pos, e.opened_at)
                    return
                source.advance(pos)
                pos = 0
        if source.no_newline:
            self._warning("file does not end with a newline", SourceSpan(source.name, source.line - 1))

    def _endless(self, frame: _Frame, pos: int, opened_at: int | None) -> None:
        limit = f"within {MAX_ENTRY_OCTETS} octets"
        if opened_at is not None:
            self._error(
                f"unbalanced parentheses: this '(' is not closed {limit}", self._span(frame, opened_at)
            )
        else:
            self._error(f"the entry that begins here has no end {limit}", self._span(frame, pos))

    # Entries -----------------------------------------------------------------------------------------------

    def _entry(self, frame: _Frame, text: str, pos: int) -> int:
        """Read the entry at *pos*; return where the next one begins. Raises `NeedMoreTextError`."""
        try:
            entry = next_entry(text, pos, at_end=frame.source.at_end)
        except LexError as e:
            self._error(str(e), self._span(frame, e.offset), e.hint)
            return e.resume
        if entry.tokens:
            try:
                self._understand(frame, entry)
            except _EntryError as e:
                self._error(str(e), self._span(frame, e.offset), e.hint)
        return entry.end

    def _understand(self, frame: _Frame, entry: Entry) -> None:
        tokens = entry.tokens
        first = tokens[0]
        if entry.inherits:
            if frame.owner is None:
                raise _EntryError(
                    "no current owner name",
                    first.offset,
                    "the first record of a file cannot begin with a blank",
                )
            self._record(frame, tokens, 0)
            return
        if first.text.startswith("$") and not first.quoted:
            self._directive(frame, tokens)
            return
        frame.owner = None
        frame.owner = self._name(first, frame.origin)
        frame.owner_in_zone = names.is_subdomain(frame.owner.lower(), self._origin_key)
        if not frame.owner_in_zone:
            self._warn_out_of_zone(frame, frame.owner, first)
        self._record(frame, tokens, 1)

    def _warn_out_of_zone(self, frame: _Frame, owner: Name, token: Token) -> None:
        self._warning(
            f"ignoring out-of-zone data ({names.to_text(owner)})",
            self._span(frame, token.offset),
            f"the zone is '{names.to_text(self._origin)}'; is a dot at the end too many, or $ORIGIN wrong?",
        )

    def _name(self, token: Token, origin: Name) -> Name:
        try:
            return names.from_text(token.text, origin)
        except BadNameError as e:
            raise _EntryError(str(e), token.offset + e.offset) from e

    def _record(self, frame: _Frame, tokens: list[Token], at: int) -> None:
        """Read ``[TTL] [CLASS] TYPE RDATA``, TTL and class in either order."""
        head = self._head(frame, tokens, at)
        at = head.type_at
        owner = frame.owner
        assert owner is not None
        rtype = head.rtype
        try:
            rdata = rdata_from_tokens(rtype, tokens[at + 1 :], frame.origin, self._rdclass)
        except RdataError as e:
            raise _EntryError(str(e), _offset(tokens, at + 1 + e.token)) from e
        if rtype == RRType.SOA:
            self._check_soa(owner, rdata, tokens[at])
        ttl = self._ttl(frame, tokens[0], head.ttl, rtype, rdata)
        if frame.owner_in_zone:
            self._add(frame, RR(owner, rtype, ttl, rdata), tokens[0].offset)

    def _head(self, frame: _Frame, tokens: list[Token], at: int) -> _Head:
        ttl: int | None = None
        rdclass = 0
        rtype: int | None = None
        for _ in range(3):
            if at >= len(tokens):
                raise _EntryError(
                    "unexpected end of the entry: a record type is missing", _offset(tokens, at)
                )
            word = tokens[at].text if not tokens[at].quoted else ""
            if ttl is None and (ttl := parse_ttl(word)) is not None:
                ttl = self._limited(frame, ttl, tokens[at])
            elif not rdclass and (found := class_from_text(word)) is not None:
                rdclass = found
            else:
                break
            at += 1
        if at >= len(tokens):
            raise _EntryError("unexpected end of the entry: a record type is missing", _offset(tokens, at))
        type_token = tokens[at]
        rtype = type_from_text(type_token.text) if not type_token.quoted else None
        if ttl is not None:
            self._last_ttl = ttl
        if rtype is None:
            raise _EntryError(
                f"unknown record type '{type_token.text}'", type_token.offset, _type_hint(type_token)
            )
        if rdclass and rdclass != self._rdclass:
            raise _EntryError(
                f"class {class_to_text(rdclass)} in a zone of class {class_to_text(self._rdclass)}",
                tokens[at - 1].offset,
            )
        if is_meta_type(rtype):
            raise _EntryError(
                f"{type_to_text(rtype)} is a meta type and cannot be in a zone", type_token.offset
            )
        if rtype in (RRType.MD, RRType.MF):
            raise _EntryError(
                f"type {type_to_text(rtype)} is obsolete", type_token.offset, "use MX (RFC 973)"
            )
        return _Head(ttl, rtype, at)

    def _limited(self, frame: _Frame, ttl: int, token: Token) -> int:
        """RFC 2181 section 8: a TTL with the highest bit set counts as 0."""
        if ttl <= MAX_TTL:
            return ttl
        self._warning(f"TTL {ttl} is above {MAX_TTL}; it counts as 0", self._span(frame, token.offset))
        return 0

    def _ttl(self, frame: _Frame, first: Token, explicit: int | None, rtype: int, rdata: bytes) -> int:
        """Return the record's TTL: its own, or $TTL (RFC 2308 section 4), or the last one (RFC 1035)."""
        if explicit is not None:
            return explicit
        if self._default_ttl is not None:
            return self._default_ttl
        if self._last_ttl is not None:
            if not self._told_rfc1035_ttl:
                self._told_rfc1035_ttl = True
                self._warning(
                    "no $TTL: this record has the TTL of the one before (RFC 1035)",
                    self._span(frame, first.offset),
                    "put a $TTL line at the top",
                )
            return self._last_ttl
        if rtype != RRType.SOA:
            raise _EntryError("no TTL specified", first.offset, "put a $TTL line at the top")
        self._warning(
            "no TTL specified; the SOA's MINIMUM is used instead",
            self._span(frame, first.offset),
            "put a $TTL line at the top",
        )
        self._default_ttl = self._limited(frame, Soa.from_rdata(rdata).minimum, first)
        return self._default_ttl

    def _check_soa(self, owner: Name, rdata: bytes, token: Token) -> None:
        if owner.lower() != self._origin_key:
            raise _EntryError(
                f"the SOA record is not at the top of the zone '{names.to_text(self._origin)}'", token.offset
            )
        if self._soa is not None and self._soa != rdata:
            raise _EntryError("a second SOA record; a zone has one", token.offset, "remove one of them")
        self._soa = rdata

    def _add(self, frame: _Frame, rr: RR, offset: int) -> None:
        owner, rtype, ttl, rdata = rr
        used = self._builder.add(owner, rtype, ttl, rdata)
        if used != ttl:
            self._last_ttl = used
            self._warning(
                f"TTL {ttl} differs from the RRset's other records; TTL set to prior TTL ({used})",
                self._span(frame, offset),
                "give all records of one name and type the same TTL (RFC 2181 section 5.2)",
            )
        if self._places is not None:
            self._places.setdefault((owner.lower(), rtype), []).append(self._span(frame, offset))

    # Directives --------------------------------------------------------------------------------------------

    def _directive(self, frame: _Frame, tokens: list[Token]) -> None:
        word = tokens[0].text.upper()
        if word == "$TTL":
            self._expect(tokens, 2, 2, "$TTL TTL")
            ttl = parse_ttl(tokens[1].text)
            if ttl is None:
                raise _EntryError(
                    f"'{tokens[1].text}' is not a TTL", tokens[1].offset, "write 3600 or 1h, say"
                )
            self._default_ttl = self._last_ttl = self._limited(frame, ttl, tokens[1])
        elif word == "$ORIGIN":
            self._expect(tokens, 2, 2, "$ORIGIN NAME")
            frame.origin = self._name(tokens[1], frame.origin)
        elif word == "$INCLUDE":
            self._expect(tokens, 2, 3, "$INCLUDE FILE [ORIGIN]")
            self._include(frame, tokens)
        elif word == "$GENERATE":
            self._generate(frame, tokens)
        elif word == "$DATE":
            self._expect(tokens, 2, 2, "$DATE YYYYMMDDHHMMSS")  # when BIND 8 dumped a cache; of no effect
        else:
            raise _EntryError(
                f"unknown directive '{tokens[0].text}'",
                tokens[0].offset,
                "known are $TTL, $ORIGIN, $INCLUDE, $GENERATE; a name that begins with '$' is written '\\$'",
            )

    def _expect(self, tokens: list[Token], least: int, most: int, usage: str) -> None:
        if len(tokens) < least:
            raise _EntryError(
                "unexpected end of the line", _offset(tokens, len(tokens)), f"'{usage}' is expected"
            )
        if len(tokens) > most:
            raise _EntryError(
                f"extra text '{tokens[most].text}'", tokens[most].offset, f"'{usage}' is expected"
            )

    def _include(self, frame: _Frame, tokens: list[Token]) -> None:
        origin = self._name(tokens[2], frame.origin) if len(tokens) > 2 else frame.origin
        path = _joined(self._request.directory, os.fsdecode(tokens[1].text.encode("latin-1")))
        place = tokens[1].offset
        if len(self._includers) >= MAX_INCLUDE_DEPTH:
            raise _EntryError(
                f"files include each other more than {MAX_INCLUDE_DEPTH} deep", place, "is this a loop?"
            )
        if len(self._files) > MAX_INCLUDES:
            raise _EntryError(f"more than {MAX_INCLUDES} files are included", place)
        self._includers.append(self._span(frame, place))
        try:
            self._file(path, origin, frame.owner, frame.owner_in_zone)
        finally:
            self._includers.pop()

    def _generate(self, frame: _Frame, tokens: list[Token]) -> None:
        usage = "$GENERATE START-STOP[/STEP] LHS [TTL] [CLASS] TYPE RHS"
        if len(tokens) < 5:
            raise _EntryError(
                "unexpected end of the line", _offset(tokens, len(tokens)), f"'{usage}' is expected"
            )
        head = self._head(frame, tokens, 3)
        self._expect(
            tokens, head.type_at + 2, head.type_at + 2, f"{usage}', RHS in quotes if it has blanks: '"
        )
        right = tokens[head.type_at + 1]
        numbers = self._in_generate(tokens[1], parse_range, tokens[1].text)
        lhs = self._in_generate(tokens[2], Template, tokens[2].text)
        rhs = self._in_generate(right, Template, right.text)
        self._generated += len(numbers)
        if self._generated > MAX_GENERATED:
            raise _EntryError(
                f"$GENERATE makes {len(numbers)} records; at most {MAX_GENERATED} are allowed in one zone",
                tokens[1].offset,
            )
        for number in numbers:
            try:
                owner_text, rdata_text = lhs.render(number), rhs.render(number)
            except GenerateError as e:
                raise _EntryError(f"$GENERATE at {number}: {e}", tokens[2].offset) from e
            self._generated_record(frame, tokens, head, owner_text, rdata_text)

    def _in_generate(self, token: Token, make: Callable[[str], _T], text: str) -> _T:
        try:
            return make(text)
        except GenerateError as e:
            raise _EntryError(f"$GENERATE: {e}", token.offset + token.quoted + e.offset) from e

    def _generated_record(
        self, frame: _Frame, tokens: list[Token], head: _Head, owner_text: str, rdata_text: str
    ) -> None:
        try:
            owner = names.from_text(owner_text, frame.origin)
        except BadNameError as e:
            raise _EntryError(f"$GENERATE made the owner name '{owner_text}': {e}", tokens[2].offset) from e
        try:
            rdata = rdata_from_text(head.rtype, rdata_text, frame.origin, self._rdclass)
        except RdataError as e:
            offset = tokens[head.type_at + 1].offset
            raise _EntryError(f"$GENERATE made the RDATA '{rdata_text}': {e}", offset) from e
        if head.rtype == RRType.SOA:
            self._check_soa(owner, rdata, tokens[head.type_at])
        ttl = self._ttl(frame, tokens[0], head.ttl, head.rtype, rdata)
        if names.is_subdomain(owner.lower(), self._origin_key):
            self._add(frame, RR(owner, head.rtype, ttl, rdata), tokens[0].offset)
        else:
            self._warn_out_of_zone(frame, owner, tokens[2])


class _EntryError(Exception):
    """What is wrong with one entry; reading goes on with the next one."""

    def __init__(self, message: str, offset: int, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint


class _Head(NamedTuple):
    """``[TTL] [CLASS] TYPE``: the TTL when given, the type, and the index of the type's token."""

    ttl: int | None
    rtype: int
    type_at: int


def _joined(directory: str, path: str) -> str:
    """Return *path* relative to *directory*, unchanged where that says nothing new."""
    return str(Path(directory) / path) if directory else path


def _offset(tokens: list[Token], index: int) -> int:
    """Return where token *index* is, or the end of the last one when there are not so many."""
    if index < len(tokens):
        return tokens[index].offset
    last = tokens[-1]
    return last.offset + len(last.text) + 2 * last.quoted


def _type_hint(token: Token) -> str:
    if class_from_text(token.text) is not None or parse_ttl(token.text) is not None:
        return "a type is expected here: TTL and class come once, before it"
    return (
        "is the owner name missing or not at the start of the line? Types without a name are written TYPEnnn"
    )
