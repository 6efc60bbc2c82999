"""A zone's file as text to be edited: where its records stand, what a new text means, and writing it."""

from __future__ import annotations

import difflib
import io
import os
from collections import Counter
from copy import copy
from dataclasses import replace
from pathlib import Path

from bindpy.config.model import ZoneConfig
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.edit.errors import EditError
from bindpy.files import FileStamp
from bindpy.replacing import replacing
from bindpy.zone.lexer import Entry, Token, next_entry
from bindpy.zone.load import judge
from bindpy.zone.loaded import LoadedSnapshot
from bindpy.zone.names import Key, Name, from_text, to_text
from bindpy.zone.rdata import class_from_text
from bindpy.zone.reader import ZoneText, read_zone_text
from bindpy.zone.snapshot import ZoneSnapshot
from bindpy.zone.source import UnreadableError, open_zone_file
from bindpy.zone.ttl import parse_ttl


@dataclass(frozen=True, slots=True)
class PlacedEntry:
    """One record's entry in the text: from ``start`` (of its line) to ``end`` (of its last line)."""

    start: int
    end: int
    entry: Entry
    type_at: int
    """The index of the type's token."""

    @property
    def type_token(self) -> Token:
        """The token of the record's type."""
        return self.entry.tokens[self.type_at]

    @property
    def rdata(self) -> list[Token]:
        """The tokens of the RDATA."""
        return self.entry.tokens[self.type_at + 1 :]


class ZoneDocument:
    """The file of one zone as it was read. ``text`` has one latin-1 character for each octet."""

    def __init__(self, zone: ZoneConfig, directory: str) -> None:
        """Read the file of *zone*; *directory* is that of the options. Raises `EditError`."""
        if zone.file is None:
            raise EditError(f"zone '{to_text(zone.origin)}' has no file")
        self.zone = zone
        self.path = zone.file
        self.directory = directory
        self.stamp, octets = read_file(zone.file)
        self.text = octets.decode("latin-1")
        self._read: ZoneText | None = None
        self._loaded: LoadedSnapshot | None = None

    def with_text(self, text: str) -> ZoneDocument:
        """Return the same file as if it held *text*."""
        other = copy(self)
        other.text, other._read, other._loaded = text, None, None
        return other

    def with_path(self, path: str) -> ZoneDocument:
        """Return the same zone in another file. Raises `EditError`."""
        return ZoneDocument(replace(self.zone, file=path), self.directory)

    def load(self, text: str) -> LoadedSnapshot:
        """Return what the zone would be with *text* in its file."""
        # what has findings will have them again, and their places take another reading unless they are kept
        keep_places = self._loaded is not None and bool(self._loaded.diagnostics)
        return self._judge(self._read_text(text, keep_places=keep_places))

    def loaded(self) -> LoadedSnapshot:
        """Return what the zone is with the text that the file has."""
        if self._loaded is None:
            self._loaded = self._judge(self._as_read())
        return self._loaded

    def current(self) -> ZoneSnapshot:
        """Return the zone as the file has it. Raises `EditError` when the file is not good."""
        loaded = self.loaded()
        if loaded.zone is None:
            mend = f"bindpy zone edit {to_text(self.zone.origin)}"
            raise EditError(f"{self.path} has errors already; mend it with '{mend}'", loaded.diagnostics)
        return loaded.zone

    def news(self, changed: LoadedSnapshot) -> list[Diagnostic]:
        """Return what is found in *changed*, this zone with another text, and not in the text as it is.

        Errors are always among them. Lines may have moved, so places do not count.
        """
        known = Counter(map(_found, self.loaded().diagnostics))
        news: list[Diagnostic] = []
        for item in changed.diagnostics:
            known[_found(item)] -= 1
            if item.severity is Severity.ERROR or known[_found(item)] < 0:
                news.append(item)
        return news

    def places(self, key: Key, rtype: int) -> list[PlacedEntry]:
        """Return the entries that records of *key* and *rtype* come from, in the order of the text.

        Raises `EditError` for an entry that cannot be edited: one in an included file, and $GENERATE.
        """
        return [self._entry_at(span) for span in self._as_read().locate(key, rtype)]

    def end(self) -> tuple[Name, Entry | None]:
        """Return the origin at the end of a good text, and the last record that has its owner written."""
        read = self._as_read()
        here = (span for span in read.places_backwards() if span.file == self.path)
        entries = (next_entry(self.text, self._line_start(span), at_end=True) for span in here)
        stated = (
            one
            for one in entries
            if not one.inherits and one.tokens and not one.tokens[0].text.startswith("$")
        )
        return read.end_origin, next(stated, None)

    def _as_read(self) -> ZoneText:
        """Return what the text says; it is read once, with the places of its records."""
        if self._read is None:
            self._read = self._read_text(self.text, keep_places=True)
        return self._read

    def _read_text(self, text: str, *, keep_places: bool) -> ZoneText:
        zone, octets = self.zone, _octets(text)
        return read_zone_text(
            self.path,
            zone.origin,
            zone.rdclass,
            text=octets,
            directory=self.directory,
            keep_places=keep_places,
        )

    def _judge(self, read: ZoneText) -> LoadedSnapshot:
        return judge(read, self.zone.origin, self.zone.settings.checks)

    def _line_start(self, span: SourceSpan) -> int:
        """Return where the line of *span* begins, looked for from the nearer end of the text."""
        before = span.line - 1
        after = self.text.count("\n") - before
        if before <= after:
            start = 0
            for _ in range(before):
                start = self.text.index("\n", start) + 1
            return start
        end = len(self.text)
        for _ in range(after + 1):
            end = self.text.rindex("\n", 0, end)
        return end + 1

    def _entry_at(self, span: SourceSpan) -> PlacedEntry:
        if span.file != self.path:
            raise EditError(f"{span}: the record is in a file that {self.path} includes; edit it there")
        start = self._line_start(span)
        entry = next_entry(self.text, start, at_end=True)
        if not entry.tokens or entry.tokens[0].offset != start + span.column - 1:
            raise EditError(f"{span}: the record does not begin where its line does; use 'bindpy zone edit'")
        if not entry.inherits and entry.tokens[0].text.startswith("$"):
            raise EditError(f"{span}: the record is made by {entry.tokens[0].text}; use 'bindpy zone edit'")
        return PlacedEntry(start, entry.end, entry, _type_index(entry))

    def origin_at(self, offset: int) -> Name:
        """Return the origin that holds at *offset* of a text without errors ($ORIGIN)."""
        origin = self.zone.origin
        pos = 0
        while pos < offset:
            entry = next_entry(self.text, pos, at_end=True)
            words = entry.tokens
            if words and not entry.inherits and words[0].text.upper() == "$ORIGIN":
                origin = from_text(words[1].text, origin)
            pos = entry.end
        return origin

    def diff(self, text: str) -> str:
        """Return the difference to *text* in unified form, for a person."""
        before, after = (list(io.StringIO(_shown(one), newline="\n")) for one in (self.text, text))
        lines = difflib.unified_diff(before, after, self.path, f"{self.path} (new)")
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )

    def write(self, text: str) -> None:
        """Make *text* the file's content, unless somebody else has changed it.

        Raises `EditError` and `ReplaceError`.
        """
        write_file(self.path, _octets(text), self.stamp)


def write_file(path: str, octets: bytes, stamp: FileStamp | None) -> None:
    """Make *octets* the content of *path*, which must still have *stamp* (None: must not be there).

    Raises `EditError` and `ReplaceError`.
    """
    with replacing(Path(os.path.realpath(path))) as new:
        _write_all(new.descriptor, octets)
        new.flush()
        if FileStamp.of(path) != stamp:
            raise EditError(f"{path} was changed by somebody else meanwhile; nothing was written")
        new.commit()


def read_file(path: str) -> tuple[FileStamp, bytes]:
    """Return the stamp and the octets of the regular file *path*. Raises `EditError`."""
    try:
        with open_zone_file(path) as file:
            stamp = FileStamp.of_stat(os.fstat(file.fileno()))
            return stamp, file.readall()
    except UnreadableError as e:
        raise EditError(f"{path} {e}") from None
    except OSError as e:
        raise EditError(f"{path} cannot be read: {e.strerror or e}") from None


def _type_index(entry: Entry) -> int:
    """Return where the type stands in ``[OWNER] [TTL] [CLASS] TYPE …``, TTL and class in either order."""
    at = 0 if entry.inherits else 1
    has_ttl = has_class = False
    while True:
        word = entry.tokens[at].text
        if not has_ttl and parse_ttl(word) is not None:
            has_ttl = True
        elif not has_class and class_from_text(word) is not None:
            has_class = True
        else:
            return at
        at += 1


def _write_all(descriptor: int, octets: bytes) -> None:
    with open(descriptor, "wb", closefd=False) as file:
        file.write(octets)


def _found(item: Diagnostic) -> tuple[Severity, str]:
    return item.severity, item.message


def _octets(text: str) -> bytes:
    return text.encode("latin-1")


def _shown(text: str) -> str:
    """Return *text* for a person: as UTF-8 where it is that."""
    return _octets(text).decode("utf-8", "replace")
