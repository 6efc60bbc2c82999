"""The zone-file reader: master files (RFC 1035 section 5) as BIND 9.18 reads them.

`read_zone_text` turns a file and the files that it includes into records. It never raises for what files
hold: what is wrong is told in diagnostics, several in one run.

Most lines of a big zone are simple, and `bindpy.zone.fastpath` reads those. Everything else, and everything
that looks wrong there, is split by `bindpy.zone.lexer` and understood by `bindpy.zone.entries`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from bindpy.files import FileStamp
from bindpy.zone.entries import EntryError, EntryReader
from bindpy.zone.fastpath import FastPath
from bindpy.zone.lexer import LexError, NeedMoreTextError, next_entry, skip_blank_lines
from bindpy.zone.linestate import LineState, PlaceIndex
from bindpy.zone.names import Key, Name, is_subdomain
from bindpy.zone.records import IN
from bindpy.zone.snapshot import OutOfZoneError, SnapshotBuilder
from bindpy.zone.source import (
    MAX_ENTRY_OCTETS,
    BinaryTextError,
    Readable,
    Source,
    TooLongError,
    UnreadableError,
    open_zone_file,
)

MAX_ERRORS = 20
MAX_WARNINGS = 100
MORE_WARNINGS = "{count} more warnings are not shown"
MAX_INCLUDE_DEPTH = 32
MAX_FILES = 10_000
"""Files that one zone may be made of; a file that is included twice counts twice."""

_BYTE_ORDER_MARK = "\xef\xbb\xbf"


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
    zone file and then every file that it names in $INCLUDE, also those that could not be opened. ``stamps``
    goes with ``files``: what each was like when reading began, None for one that was not there.
    ``end_origin`` is the origin at the end of the zone file ($ORIGIN).
    """

    def __init__(
        self,
        request: _Request,
        builder: SnapshotBuilder,
        diagnostics: tuple[Diagnostic, ...],
        files: dict[str, FileStamp | None],
        *,
        end_origin: Name,
        places: PlaceIndex | None,
    ) -> None:
        self.builder = builder
        self.diagnostics = diagnostics
        self.files = tuple(files)
        self.stamps = tuple(files.values())
        self.end_origin = end_origin
        self._request = request
        self._places = places

    @property
    def has_errors(self) -> bool:
        """Whether the text is refused."""
        return any(d.severity is Severity.ERROR for d in self.diagnostics)

    def locate(self, key: Key, rtype: int) -> list[SourceSpan]:
        """Return where the records of *key* and *rtype* stand, in the order of the text.

        Unless they were kept, the first call reads the files again: use it for messages only then.
        """
        return self._kept_places().find(key, rtype)

    def places_backwards(self) -> Iterator[SourceSpan]:
        """Yield where records stand, the last one of the text first. As with `locate`, keep the places."""
        return self._kept_places().backwards()

    def _kept_places(self) -> PlaceIndex:
        if self._places is None:
            self._places = PlaceIndex()
            _ZoneReader(self._request, self._places, keep_records=False).run()
        return self._places


def read_zone_text(
    path: str,
    origin: Name,
    rdclass: int = IN,
    *,
    text: bytes | None = None,
    directory: str = "",
    keep_places: bool = False,
) -> ZoneText:
    """Read the zone *origin* from the file *path*, or from *text* (then *path* is only its name).

    Relative names of files, *path* and those in $INCLUDE, are relative to *directory*, by default to the
    current directory as in BIND. *keep_places* makes `ZoneText.locate` quick, and this a little slower. Never
    raises for what the files hold, nor for files that cannot be read.
    """
    return _ZoneReader(
        _Request(path, origin, rdclass, text, directory), PlaceIndex() if keep_places else None
    ).run()


def _printable(path: str) -> str:
    """Return *path* in quotes; a file name need not be UTF-8, a message must."""
    return "'" + os.fsencode(path).decode("utf-8", "backslashreplace") + "'"


class _TooManyErrorsError(Exception):
    """Enough errors have been collected."""


class _GiveUpError(Exception):
    """What follows in this file cannot be trusted; it has been told."""


class _NoRecords(SnapshotBuilder):
    """Keeps nothing, for a run that is only after places."""

    def add(self, owner: Name, rtype: int, ttl: int, rdata: bytes) -> int:  # noqa: ARG002
        """Refuse what the zone would refuse."""
        if not is_subdomain(owner.lower(), self.origin.lower()):
            raise OutOfZoneError("owner is not in the zone")
        return ttl


class _ZoneReader:
    """One run over one zone's text; the `Host` of its `EntryReader`."""

    def __init__(
        self,
        request: _Request,
        places: PlaceIndex | None = None,
        *,
        keep_records: bool = True,
        fast: bool = True,
    ) -> None:
        self._request = request
        self._places = places
        make_builder = SnapshotBuilder if keep_records else _NoRecords
        self._builder = make_builder(request.origin, request.rdclass)
        self._entries = EntryReader(self._builder, self)
        self._fast = FastPath(self._builder, None if places is None else self.note_record) if fast else None
        self._found = Diagnostics()
        self._errors = 0
        self._warnings = 0
        self._files: dict[str, FileStamp | None] = {}
        self._files_read = 0
        self._sources: list[Source] = []
        self._includers: list[SourceSpan] = []

    def run(self) -> ZoneText:
        """Read everything."""
        request = self._request
        path = self._path(request.path)
        try:
            self._file(path, self._entries.state, SourceSpan(path), text=request.text)
        except _TooManyErrorsError:
            self._found.note(f"stopped after {MAX_ERRORS} errors")
        if self._warnings > MAX_WARNINGS:
            self._found.note(MORE_WARNINGS.format(count=self._warnings - MAX_WARNINGS))
        end_origin = self._entries.state.origin
        del self._entries, self._fast  # they refer to us: without the cycle references free it all
        found = tuple(self._found.items)
        return ZoneText(
            request, self._builder, found, self._files, end_origin=end_origin, places=self._places
        )

    def _path(self, path: str) -> str:
        directory = self._request.directory
        return str(Path(directory) / path) if directory else path

    # Findings ----------------------------------------------------------------------------------------------

    def warn(self, message: str, offset: int, hint: str = "") -> None:
        """See `Host`."""
        self._warning(message, self._span(offset), hint)

    def note_record(self, owner: Name, rtype: int, offset: int) -> None:
        """See `Host`."""
        if self._places is not None:
            source = self._sources[-1]
            self._places.note(owner.lower(), rtype, (source.name, *source.place(offset)))

    def _span(self, offset: int) -> SourceSpan:
        source = self._sources[-1]
        return SourceSpan(source.name, *source.place(offset))

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

    def include(self, path: str, state: LineState, offset: int) -> None:
        """See `Host`."""
        path = self._path(path)
        here = self._span(offset)
        if any(source.name == path for source in self._sources):
            raise EntryError(f"{_printable(path)} includes itself", offset)
        if len(self._includers) >= MAX_INCLUDE_DEPTH:
            raise EntryError(f"files include each other more than {MAX_INCLUDE_DEPTH} deep", offset)
        if self._files_read >= MAX_FILES:
            raise EntryError(f"the zone is made of more than {MAX_FILES} files", offset)
        self._file(path, state, here)

    def _file(self, path: str, state: LineState, named_at: SourceSpan, text: bytes | None = None) -> None:
        self._files_read += 1
        included = bool(self._sources)
        try:
            stream = self._open(path, text)
        except UnreadableError as e:
            self._files.setdefault(path, FileStamp.of(path))
            self._error(
                f"file {_printable(path)} {e}" if included else f"the zone file {e}", named_at, e.hint
            )
            return
        source = Source(path, stream)
        self._sources.append(source)
        if included:
            self._includers.append(named_at)
        try:
            self._text(source, state)
        except _GiveUpError:
            pass
        except UnreadableError as e:
            self._error(f"the file {e}", SourceSpan(path, source.line))
        except BinaryTextError as e:
            self._error(str(e), self._span(e.offset), e.hint)
        except TooLongError:
            message = f"the line that begins here has no end within {MAX_ENTRY_OCTETS} octets"
            self._error(message, self._span(len(source.text)), "is this a zone file in text form?")
        finally:
            source.close()
            self._sources.pop()
            if included:
                self._includers.pop()

    def _open(self, path: str, text: bytes | None) -> Readable:
        if text is not None:
            self._files.setdefault(path, FileStamp.of(path))
            return io.BytesIO(text)
        file = open_zone_file(path)
        self._files.setdefault(path, FileStamp.of_stat(os.fstat(file.fileno())))
        return file

    def _text(self, source: Source, state: LineState) -> None:
        """Read *source* from beginning to end."""
        pos = 0
        if source.advance(0) and source.text.startswith(_BYTE_ORDER_MARK):
            pos = len(_BYTE_ORDER_MARK)
            self._error("the file begins with a UTF-8 byte order mark", self._span(0), "save it without one")
        while True:
            if pos >= len(source.text):
                if not source.advance(pos):
                    break
                pos = 0
            if self._fast is not None:
                pos = self._fast.run(source.text, pos, state)
            pos = skip_blank_lines(source.text, pos)
            if pos < len(source.text):
                pos = self._entry(source, pos)
        if source.no_newline:
            self._warning("the file does not end with a newline", SourceSpan(source.name, source.line - 1))

    def _entry(self, source: Source, pos: int) -> int:
        """Read the entry at *pos* of the source's text; return where the next one begins."""
        try:
            entry = next_entry(source.text, pos, at_end=source.at_end)
        except LexError as e:
            self._error(str(e), self._span(e.offset), e.hint)
            return e.resume
        except NeedMoreTextError as e:
            if len(source.text) - pos <= MAX_ENTRY_OCTETS:
                source.advance(pos)
                return 0
            what = (
                "unbalanced parentheses: this '(' is not closed"
                if e.in_parentheses
                else "no end of this entry"
            )
            self._error(f"{what} within {MAX_ENTRY_OCTETS} octets", self._span(e.offset))
            raise _GiveUpError from None
        if entry.tokens:
            try:
                self._entries.read(entry)
            except EntryError as e:
                self._error(str(e), self._span(e.offset), e.hint)
        return entry.end
