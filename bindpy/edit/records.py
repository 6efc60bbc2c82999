"""Adding, deleting and replacing records in a zone file's text."""

from __future__ import annotations

from collections.abc import Sequence

from bindpy.edit.change import ANY_TTL, Part
from bindpy.edit.document import PlacedEntry, ZoneDocument
from bindpy.edit.errors import EditError
from bindpy.edit.lines import LineWriter
from bindpy.zone.lexer import next_entry, quoted, to_octets
from bindpy.zone.names import Key, Name, is_subdomain, to_text
from bindpy.zone.rdata import RdataError, is_meta_type, rdata_from_text, type_to_text
from bindpy.zone.records import RR, RRset, RRType
from bindpy.zone.snapshot import ZoneSnapshot
from bindpy.zone.writer import RdataText

_SIGNER_MADE = (RRType.RRSIG, RRType.NSEC, RRType.NSEC3, RRType.NSEC3PARAM)
_MAX_STRING_OCTETS = 255


def parse_data(texts: Sequence[str], rtype: int, zone: ZoneSnapshot) -> list[bytes]:
    """Return the RDATA of each of *texts*, one record's data each; names are relative to the zone.

    TXT data that is not in double quotes is taken as it stands, blanks and all. Raises `EditError`.
    """
    out: list[bytes] = []
    for text in texts:
        if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
            raise EditError(f"{text!r} has a control character in it; write \\DDD")
        written = text.encode("utf-8", "surrogateescape").decode("latin-1")
        if rtype in (RRType.TXT, RRType.SPF) and not written.startswith('"'):
            written = _as_strings(written)
        try:
            rdata = rdata_from_text(rtype, written, zone.origin, zone.rdclass)
        except RdataError as e:
            hint = "put the data of one record in quotes" if " " not in text else ""
            message = f"{type_to_text(rtype)} '{text}': {e}"
            raise EditError(f"{message}; {hint}" if hint else message) from None
        if rdata not in out:
            out.append(rdata)
    return out


def _as_strings(text: str) -> str:
    """Return character-strings that hold *text*, as many as it needs."""
    octets = to_octets(text)
    if octets is None:
        raise EditError(f"'{text}' has a bad \\DDD in it")
    pieces = [octets[i : i + _MAX_STRING_OCTETS] for i in range(0, len(octets), _MAX_STRING_OCTETS)]
    return " ".join(quoted(piece) for piece in pieces or [b""])


def check_type(rtype: int) -> None:
    """Raise `EditError` for a type whose records are not made by hand."""
    if rtype == RRType.SOA:
        raise EditError("a zone has one SOA: use 'bindpy zone increase-serial' or 'bindpy zone edit'")
    if rtype in _SIGNER_MADE:
        raise EditError(f"{type_to_text(rtype)} records are made by whoever signs the zone")
    if is_meta_type(rtype):
        raise EditError(f"{type_to_text(rtype)} is a meta type and cannot be in a zone")


class RecordsChange:
    """One change of records in the making: ``parts`` of the text, and what is to come of them."""

    def __init__(self, document: ZoneDocument, zone: ZoneSnapshot) -> None:
        """*zone* is what the text of *document* says."""
        self.removed: list[RR] = []
        self.added: list[RR] = []
        self._document = document
        self._zone = zone
        self._parts: list[Part] = []
        self._deleted: dict[int, PlacedEntry] = {}

    @property
    def parts(self) -> list[Part]:
        """What is to be done with the text."""
        handed_on = [part for place in self._deleted.values() for part in self._hand_on_owner(place)]
        return [*self._parts, *((place.start, place.end, "") for place in self._deleted.values()), *handed_on]

    def add(self, owner: Name, rtype: int, rdatas: Sequence[bytes], ttl: int | None) -> None:
        """Add records to the RRset. Raises `EditError` when one is there already."""
        old = self._zone.get(owner.lower(), rtype)
        if old is None:
            self._rewrite(owner, rtype, list(rdatas), ttl)
            return
        if ttl not in (None, old.ttl):
            raise EditError(
                f"the {type_to_text(rtype)} records of {to_text(owner)} have TTL {old.ttl}, and one RRset has"
                " one TTL (RFC 2181 section 5.2); 'bindpy zone replace' changes it"
            )
        for rdata in rdatas:
            if rdata in old.rdatas:
                raise EditError(f"{self._shown(owner, rtype, rdata)} is there already")
        self._rewrite(owner, rtype, [*old.rdatas, *rdatas], None)

    def delete(self, owner: Name, rtype: int, rdatas: Sequence[bytes]) -> None:
        """Delete *rdatas*, or without any the whole RRset. Raises `EditError` when one is not there."""
        old = self._zone.get(owner.lower(), rtype)
        if old is None:
            raise EditError(f"{to_text(owner)} has no {type_to_text(rtype)} records")
        for rdata in rdatas:
            if rdata not in old.rdatas:
                there = ", ".join(RdataText(self._zone.rdclass)(rtype, one) for one in old.rdatas)
                raise EditError(f"there is no {self._shown(owner, rtype, rdata)}; there is: {there}")
        keep = [rdata for rdata in old.rdatas if rdatas and rdata not in rdatas]
        self._rewrite(owner, rtype, keep, None)

    def delete_name(self, owner: Name) -> None:
        """Delete all records of *owner*. Raises `EditError` when there are none."""
        node = self._zone.nodes.get(owner.lower())
        if node is None or not node.rrsets:
            raise EditError(f"{to_text(owner)} has no records")
        for rrset in node.rrsets:
            check_type(rrset.rtype)
            self.delete(owner, rrset.rtype, ())

    def replace(self, owner: Name, rtype: int, rdatas: Sequence[bytes], ttl: int | None) -> None:
        """Make *rdatas* the RRset, whether there is one or not; without *ttl* it keeps its TTL."""
        self._rewrite(owner, rtype, list(rdatas), ttl)

    def _shown(self, owner: Name, rtype: int, rdata: bytes) -> str:
        return f"{to_text(owner)} {type_to_text(rtype)} {RdataText(self._zone.rdclass)(rtype, rdata)}"

    def _rewrite(self, owner: Name, rtype: int, wanted: list[bytes], ttl: int | None) -> None:
        """Make *wanted* the RRset; what stays is not touched unless the TTL changes."""
        key = owner.lower()
        if not is_subdomain(key, self._zone.origin.lower()):
            raise EditError(f"{to_text(owner)} is not in the zone {to_text(self._zone.origin)}")
        old = self._zone.get(key, rtype)
        was = [] if old is None else list(old.rdatas)
        retimed = old is not None and ttl not in (None, old.ttl)
        gone = [rdata for rdata in was if retimed or rdata not in wanted]
        fresh = [rdata for rdata in wanted if retimed or rdata not in was]
        if old is not None:
            self.removed += [RR(owner, rtype, old.ttl, rdata) for rdata in gone]
        new_ttl = ttl if ttl is not None else old.ttl if old is not None else ANY_TTL
        self.added += [RR(owner, rtype, new_ttl, rdata) for rdata in fresh]
        places = self._paired(key, old)
        writer = LineWriter(self._document, owner, rtype)
        leaving = [places[rdata] for rdata in gone]
        if fresh and leaving:
            self._exchange(writer, leaving, fresh, ttl if retimed else None)
        elif fresh:
            self._insert(writer, key, list(places.values()), fresh, ttl)
        else:
            self._deleted |= {place.start: place for place in leaving}

    def _paired(self, key: Key, old: RRset | None) -> dict[bytes, PlacedEntry]:
        """Return where each record of *old* stands."""
        if old is None:
            return {}
        places = self._document.places(key, old.rtype)
        if len(places) != len(old.rdatas):
            raise EditError(
                f"a {type_to_text(old.rtype)} record of {to_text(key)} is written more than once in"
                f" {self._document.path}; use 'bindpy zone edit'"
            )
        return dict(zip(old.rdatas, places, strict=True))

    def _exchange(
        self, writer: LineWriter, leaving: list[PlacedEntry], fresh: list[bytes], ttl: int | None
    ) -> None:
        """Put *fresh* where *leaving* is, one for one; what is left over follows, or is deleted."""
        for place, rdata in zip(leaving, fresh, strict=False):
            self._parts.append((place.start, place.end, writer.instead(place, rdata, ttl)))
        self._deleted |= {place.start: place for place in leaving[len(fresh) :]}
        more = [writer.beside(leaving[-1], rdata, ttl, keep_ttl=True) for rdata in fresh[len(leaving) :]]
        if more:
            start, end, new = self._parts.pop()
            self._parts.append((start, end, _ended(new) + "".join(more)))

    def _insert(
        self, writer: LineWriter, key: Key, places: list[PlacedEntry], fresh: list[bytes], ttl: int | None
    ) -> None:
        """Put *fresh* after the other records of the RRset, of the name, or at the end of the file."""
        text = self._document.text
        beside = places or self._places_of_name(key)
        if beside:
            last = max(beside, key=lambda place: place.end)
            lines = [writer.beside(last, rdata, ttl, keep_ttl=bool(places)) for rdata in fresh]
            end = last.end
        else:
            lines = [writer.at_end(rdata, ttl) for rdata in fresh]
            end = len(text)
        before = "" if text[:end].endswith("\n") else writer.newline
        self._parts.append((end, end, before + "".join(lines)))

    def _places_of_name(self, key: Key) -> list[PlacedEntry]:
        """Return where the other records of the name stand, as far as something can be put beside them."""
        node = self._zone.nodes.get(key)
        found: list[PlacedEntry] = []
        for rrset in node.rrsets if node is not None else ():
            try:
                found += self._document.places(key, rrset.rtype)
            except EditError:
                continue  # in an included file, or made by $GENERATE
        return found

    def _hand_on_owner(self, place: PlacedEntry) -> list[Part]:
        """Return what gives the owner of *place* to the next line that inherits it and stays."""
        if place.entry.inherits:
            return []
        text = self._document.text
        owner = place.entry.tokens[0]
        written = text[owner.offset : owner.offset + len(owner.text) + 2 * owner.quoted]
        pos = place.end
        while pos < len(text):
            entry = next_entry(text, pos, at_end=True)
            is_directive = bool(entry.tokens) and entry.tokens[0].text.startswith("$")
            if entry.tokens and not (is_directive and not entry.inherits):
                if not entry.inherits:
                    return []
                if pos not in self._deleted:
                    blank = entry.tokens[0].offset - pos
                    fits = text[pos : pos + len(written)].strip(" ") == "" and blank > len(written)
                    return [(pos, pos + len(written) if fits else pos, written)]
            pos = entry.end
        return []


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
