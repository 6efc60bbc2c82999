"""The lines of new records, in the manner of the lines that they stand beside."""

from __future__ import annotations

import re

from bindpy.edit.document import PlacedEntry, ZoneDocument
from bindpy.zone.names import Name, to_relative_text
from bindpy.zone.rdata import class_from_text, class_to_text, type_to_text
from bindpy.zone.ttl import parse_ttl
from bindpy.zone.writer import RdataText

_PLAIN = re.compile(r'[^()";\r\n]*')


class LineWriter:
    """Writes records of one owner and type for *document*; ``ttl`` None leaves the TTL to the file."""

    def __init__(self, document: ZoneDocument, owner: Name, rtype: int) -> None:
        self._document = document
        self._text = document.text
        self._owner = owner
        self._type = type_to_text(rtype)
        self._rtype = rtype
        self._to_rdata = RdataText(document.zone.rdclass)
        self.newline = "\r\n" if "\r\n" in document.text else "\n"

    def beside(self, place: PlacedEntry, rdata: bytes, ttl: int | None, *, keep_ttl: bool) -> str:
        """Return the line of *rdata* in the manner of *place*, a record of the same owner.

        Without *ttl* it has the one that *place* states where *keep_ttl*, else none.
        """
        words = self._line(self._head(place, ttl, keep_ttl=keep_ttl), place, rdata)
        return words + self.newline

    def instead(self, place: PlacedEntry, rdata: bytes, ttl: int | None) -> str:
        """Return what replaces *place*, a record of the same RRset, comment and layout kept."""
        last = place.entry.tokens[-1]
        tail = self._text[last.offset + len(last.text) + 2 * last.quoted : place.end]
        line = self._line(self._head(place, ttl, keep_ttl=True), place, rdata)
        comment = tail.split(";", 1)[0]
        keeps = "\n" not in self._text[place.start : last.offset] and not set("()") & set(comment)
        return line + (tail if keeps and tail else self.newline)

    def at_end(self, rdata: bytes, ttl: int | None) -> str:
        """Return the line of *rdata* at the end of the file, in the manner of the last record there."""
        origin, last = self._document.end()
        owner = to_relative_text(self._owner, origin)
        gap = "\t"
        rest = [] if ttl is None else [str(ttl)]
        if last is not None:
            first, second = last.tokens[:2]
            between = self._text[first.offset + len(first.text) : second.offset]
            if between.strip(" ") == "":
                gap = " " * max(1, len(first.text) + len(between) - len(owner))
            if any(class_from_text(token.text) is not None for token in last.tokens[1:3]):
                rest.append(class_to_text(self._document.zone.rdclass))
        words = " ".join([*rest, self._type, self._to_rdata(self._rtype, rdata)])
        return f"{owner}{gap}{words}{self.newline}"

    def _line(self, head: str, place: PlacedEntry, rdata: bytes) -> str:
        kind = place.type_token
        gap = " "
        if place.rdata:
            written = self._text[kind.offset + len(kind.text) : place.rdata[0].offset]
            if written.strip(" ") == "":
                gap = " " * max(1, len(kind.text) + len(written) - len(self._type))
            elif written.strip() == "" and "\n" not in written:
                gap = written
        return f"{head}{self._type}{gap}{self._to_rdata(self._rtype, rdata)}"

    def _head(self, place: PlacedEntry, ttl: int | None, *, keep_ttl: bool) -> str:
        """Return what stands before the type: owner or blank, TTL, class."""
        start, end = place.start, place.type_token.offset
        head = self._text[start:end]
        if _PLAIN.fullmatch(head) is None:
            origin = self._document.origin_at(start)
            head = f"{to_relative_text(self._owner, origin)}\t"
            return head if ttl is None else f"{head}{ttl}\t"
        tokens = place.entry.tokens[: place.type_at]
        middle = tokens if place.entry.inherits else tokens[1:]
        stated = next((token for token in middle if parse_ttl(token.text) is not None), None)
        if stated is None:
            at = (middle[0].offset if middle else end) - start
            return head if ttl is None else f"{head[:at]}{ttl} {head[at:]}"
        if ttl is None and keep_ttl:
            return head
        at, after = stated.offset - start, stated.offset - start + len(stated.text)
        width = len(stated.text)
        if ttl is None:
            return head[:at] + head[after:].lstrip(" \t")
        return f"{head[:at]}{ttl:<{width}}{head[after:]}"
