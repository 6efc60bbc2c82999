"""What the entries of a zone file mean: records and directives (RFC 1035 section 5.1, RFC 2308 section 4).

`EntryReader` is the reference for what a line means; `bindpy.zone.fastpath` must agree with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

from bindpy.zone import names
from bindpy.zone.generate import GenerateError, Template, parse_range
from bindpy.zone.lexer import Entry, Token, shown
from bindpy.zone.linestate import LineState
from bindpy.zone.names import BadNameError, Name
from bindpy.zone.rdata import (
    RdataError,
    class_from_text,
    class_to_text,
    is_meta_type,
    rdata_from_text,
    rdata_from_tokens,
    signature_time,
    type_from_text,
    type_to_text,
)
from bindpy.zone.records import RR, RRType, Soa, rrsig_covered
from bindpy.zone.snapshot import SnapshotBuilder, ZoneTooLargeError
from bindpy.zone.ttl import MAX_TTL, parse_ttl

MAX_GENERATED = 1 << 22
"""Records that the $GENERATE lines of one zone may make."""

_T = TypeVar("_T")


class EntryError(Exception):
    """What is wrong with one entry; reading goes on with the next one. ``offset`` is a place in the text."""

    def __init__(self, message: str, offset: int, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint


class Host(Protocol):
    """Who reads the files: what an entry cannot do alone."""

    def warn(self, message: str, offset: int, hint: str = "") -> None:
        """Tell about something at *offset* that was coped with."""

    def include(self, path: str, state: LineState, offset: int) -> None:
        """Read the file *path*, named at *offset*, beginning with *state*."""

    def note_record(self, owner: Name, rtype: int, offset: int) -> None:
        """Take notice of a record of the zone."""


OTHER_TTL = "TTL {ttl} differs from the RRset's other records; {outcome}"
PRIOR_TTL_WINS = "TTL set to prior TTL ({prior})"
OTHER_TTL_HINT = "give all records of one name and type the same TTL (RFC 2181 section 5.2)"


class _Head(NamedTuple):
    """``[TTL] [CLASS] TYPE``: the TTL when given, the type, and the index of the type's token."""

    ttl: int | None
    rtype: int
    type_at: int


class EntryReader:
    """Turns entries into records in *builder*. ``state`` is that of the file being read."""

    def __init__(self, builder: SnapshotBuilder, host: Host) -> None:
        self.state = LineState(builder.origin)
        self._builder = builder
        self._host = host
        self._origin = builder.origin
        self._origin_key = builder.origin.lower()
        self._rdclass = builder.rdclass
        self._soa: Soa | None = None
        self._generated = 0
        self._retimed_run: tuple[int, Name] | None = None
        self._retimed: set[tuple[int, int]] = set()

    def read(self, entry: Entry) -> None:
        """Read one entry that has tokens. Raises `EntryError`."""
        tokens = entry.tokens
        first = tokens[0]
        if entry.inherits:
            if self.state.owner is None:
                raise EntryError(
                    "no current owner name",
                    first.offset,
                    "the first record of a file cannot begin with a blank",
                )
            self._record(tokens, 0)
            return
        if first.text.startswith("$") and not first.quoted:
            self._directive(tokens)
            return
        owner = self._name(first, self.state.origin)
        self._set_owner(owner)
        if not self.state.owner_in_zone:
            self._warn_out_of_zone(owner, first)
        self._record(tokens, 1)

    def _set_owner(self, owner: Name) -> None:
        state = self.state
        if owner != state.owner:
            state.owner = owner
            state.owner_in_zone = names.is_subdomain(owner.lower(), self._origin_key)
            state.block_start = len(self._builder.owners)

    def _warn_out_of_zone(self, owner: Name, token: Token) -> None:
        self._host.warn(
            f"ignoring out-of-zone data ({names.to_text(owner)})",
            token.offset,
            f"the zone is '{names.to_text(self._origin)}'; is a dot at the end too many, or $ORIGIN wrong?",
        )

    def _name(self, token: Token, origin: Name) -> Name:
        try:
            return names.from_text(token.text, origin)
        except BadNameError as e:
            raise EntryError(str(e), token.offset + e.offset) from e

    def _record(self, tokens: list[Token], at: int) -> None:
        """Read ``[TTL] [CLASS] TYPE RDATA``, TTL and class in either order."""
        head = self._head(tokens, at)
        at = head.type_at
        owner = self.state.owner
        assert owner is not None
        rtype = head.rtype
        try:
            rdata = rdata_from_tokens(rtype, tokens[at + 1 :], self.state.origin, self._rdclass)
        except RdataError as e:
            raise EntryError(str(e), _offset(tokens, at + 1 + e.token)) from e
        is_new = rtype != RRType.SOA or self._check_soa(owner, rdata, tokens[at])
        ttl = self._ttl(tokens[0], head.ttl, rtype, rdata)
        if is_new and self.state.owner_in_zone:
            self._add(RR(owner, rtype, ttl, rdata), tokens[0].offset)

    def _head(self, tokens: list[Token], at: int) -> _Head:
        ttl: int | None = None
        rdclass = 0
        rtype: int | None = None
        for _ in range(3):
            if at >= len(tokens):
                raise EntryError("unexpected end of the entry: a record type is missing", _offset(tokens, at))
            word = tokens[at].text if not tokens[at].quoted else ""
            if ttl is None and (ttl := parse_ttl(word)) is not None:
                ttl = self._limited(ttl, tokens[at])
            elif not rdclass and (found := class_from_text(word)) is not None:
                rdclass = found
            else:
                break
            at += 1
        if at >= len(tokens):
            raise EntryError("unexpected end of the entry: a record type is missing", _offset(tokens, at))
        type_token = tokens[at]
        rtype = type_from_text(type_token.text) if not type_token.quoted else None
        if ttl is not None:
            self.state.last_ttl = ttl
        if rtype is None:
            raise EntryError(
                f"unknown record type {shown(type_token.text)}", type_token.offset, _type_hint(type_token)
            )
        if rdclass and rdclass != self._rdclass:
            raise EntryError(
                f"class {class_to_text(rdclass)} in a zone of class {class_to_text(self._rdclass)}",
                tokens[at - 1].offset,
            )
        if is_meta_type(rtype):
            raise EntryError(
                f"{type_to_text(rtype)} is a meta type and cannot be in a zone", type_token.offset
            )
        if rtype in (RRType.MD, RRType.MF):
            raise EntryError(f"type {type_to_text(rtype)} is obsolete", type_token.offset, "use MX (RFC 973)")
        return _Head(ttl, rtype, at)

    def _limited(self, ttl: int, token: Token) -> int:
        """RFC 2181 section 8: a TTL with the highest bit set counts as 0."""
        if ttl <= MAX_TTL:
            return ttl
        self._host.warn(f"TTL {ttl} is above {MAX_TTL}; it counts as 0", token.offset)
        return 0

    def _ttl(self, first: Token, explicit: int | None, rtype: int, rdata: bytes) -> int:
        """Return the record's TTL: its own, or $TTL (RFC 2308 section 4), or the last one (RFC 1035)."""
        if explicit is not None:
            return explicit
        if self.state.default_ttl is not None:
            return self.state.default_ttl
        if self.state.last_ttl is not None:
            if not self.state.told_rfc1035_ttl:
                self.state.told_rfc1035_ttl = True
                self._host.warn(
                    "no $TTL: this record has the TTL of the one before (RFC 1035)",
                    first.offset,
                    "put a $TTL line at the top",
                )
            return self.state.last_ttl
        if rtype != RRType.SOA:
            raise EntryError("no TTL specified", first.offset, "put a $TTL line at the top")
        self._host.warn(
            "no TTL specified; the SOA's MINIMUM is used instead",
            first.offset,
            "put a $TTL line at the top",
        )
        self.state.default_ttl = self._limited(Soa.from_rdata(rdata).minimum, first)
        return self.state.default_ttl

    def _check_soa(self, owner: Name, rdata: bytes, token: Token) -> bool:
        """Return whether this is the first SOA record; the same one again does not count.

        That of another zone counts as any other out-of-zone data.
        """
        if owner.lower() != self._origin_key:
            if not names.is_subdomain(owner.lower(), self._origin_key):
                return True
            raise EntryError(
                f"the SOA record is not at the top of the zone '{names.to_text(self._origin)}'", token.offset
            )
        soa = Soa.from_rdata(rdata)
        soa = replace(soa, mname=soa.mname.lower(), rname=soa.rname.lower())
        if self._soa is not None and self._soa != soa:
            raise EntryError("a second SOA record; a zone has one", token.offset, "remove one of them")
        is_first = self._soa is None
        self._soa = soa
        return is_first

    def _add(self, rr: RR, offset: int) -> None:
        owner, rtype, ttl, rdata = rr
        try:
            used = self._builder.add(owner, rtype, ttl, rdata)
        except ZoneTooLargeError as e:
            raise EntryError(str(e), offset) from None
        if used != ttl:
            self._settle_ttl(rr, used, offset)
        self._host.note_record(owner, rtype, offset)

    def _settle_ttl(self, rr: RR, prior: int, offset: int) -> None:
        """An RRset has one TTL (RFC 2181 section 5.2). As in BIND, the first of a run of lines with one owner
        wins there, and a later run wins over an earlier one.
        """
        covers = rrsig_covered(rr.rdata) if rr.rtype == RRType.RRSIG else 0
        run = (self.state.block_start, rr.owner)
        if run != self._retimed_run:
            self._retimed_run = run
            self._retimed = set()
        is_new = len(self._builder.owners) > self.state.block_start
        if is_new or (rr.rtype, covers) in self._retimed:
            self.state.last_ttl = prior
            outcome = PRIOR_TTL_WINS.format(prior=prior)
        else:
            self._retimed.add((rr.rtype, covers))
            self._builder.set_ttl(rr.owner, rr.rtype, rr.ttl, covers)
            outcome = f"the later one replaces the prior TTL ({prior})"
        self._host.warn(OTHER_TTL.format(ttl=rr.ttl, outcome=outcome), offset, OTHER_TTL_HINT)

    # Directives --------------------------------------------------------------------------------------------

    def _directive(self, tokens: list[Token]) -> None:
        word = tokens[0].text.upper()
        if word != "$INCLUDE" and len(tokens) > 1:
            _no_quotes(tokens[1:3])
        if word == "$TTL":
            self._expect(tokens, 2, 2, "$TTL TTL")
            ttl = parse_ttl(tokens[1].text)
            if ttl is None:
                raise EntryError(
                    f"{shown(tokens[1].text)} is not a TTL", tokens[1].offset, "write 3600 or 1h, say"
                )
            self.state.default_ttl = self.state.last_ttl = self._limited(ttl, tokens[1])
        elif word == "$ORIGIN":
            self._expect(tokens, 2, 2, "$ORIGIN NAME")
            self.state.origin = self._name(tokens[1], self.state.origin)
        elif word == "$INCLUDE":
            self._expect(tokens, 2, 3, "$INCLUDE FILE [ORIGIN]")
            self._include(tokens)
        elif word == "$GENERATE":
            self._generate(tokens)
        elif word == "$DATE":
            self._expect(tokens, 2, 2, "$DATE YYYYMMDDHHMMSS")  # when BIND 8 dumped a cache; of no effect
            if not _is_date(tokens[1].text):
                raise EntryError(
                    f"{shown(tokens[1].text)} is not a date", tokens[1].offset, "YYYYMMDDHHMMSS is expected"
                )
        else:
            raise EntryError(
                f"unknown directive {shown(tokens[0].text)}",
                tokens[0].offset,
                "known are $TTL, $ORIGIN, $INCLUDE, $GENERATE; a name that begins with '$' is written '\\$'",
            )

    def _expect(self, tokens: list[Token], least: int, most: int, usage: str) -> None:
        """Refuse too few and too many *tokens*."""
        hint = f"'{usage}' is expected"
        if len(tokens) < least:
            raise EntryError("unexpected end of the line", _offset(tokens, len(tokens)), hint)
        if len(tokens) > most:
            raise EntryError(f"extra text {shown(tokens[most].text)}", tokens[most].offset, hint)

    def _include(self, tokens: list[Token]) -> None:
        origin = self._name(tokens[2], self.state.origin) if len(tokens) > 2 else self.state.origin
        path = os.fsdecode(tokens[1].text.encode("latin-1"))
        outer = self.state
        inner = self.state = outer.for_include(origin)
        inner.block_start = len(self._builder.owners)
        try:
            self._host.include(path, inner, tokens[1].offset)
        finally:
            outer.after_include(inner)
            outer.block_start = len(self._builder.owners)
            self.state = outer

    def _generate(self, tokens: list[Token]) -> None:
        usage = "$GENERATE START-STOP[/STEP] LHS [TTL] [CLASS] TYPE RHS"
        self._expect(tokens, 5, 7, usage)
        head = self._head(tokens, 3)
        self._expect(tokens, head.type_at + 2, head.type_at + 2, f"{usage} (in quotes if it has blanks)")
        right = tokens[head.type_at + 1]
        numbers = self._in_generate(tokens[1], parse_range, tokens[1].text)
        lhs = self._in_generate(tokens[2], Template, tokens[2].text)
        rhs = self._in_generate(right, Template, right.text)
        self._generated += len(numbers)
        if self._generated > MAX_GENERATED:
            raise EntryError(
                f"$GENERATE makes {len(numbers)} records; at most {MAX_GENERATED} are allowed in one zone",
                tokens[1].offset,
            )
        for number in numbers:
            try:
                owner_text, rdata_text = lhs.render(number), rhs.render(number)
            except GenerateError as e:
                raise EntryError(f"$GENERATE at {number}: {e}", tokens[2].offset) from e
            self._generated_record(tokens, head, owner_text, rdata_text)

    def _in_generate(self, token: Token, make: Callable[[str], _T], text: str) -> _T:
        try:
            return make(text)
        except GenerateError as e:
            raise EntryError(f"$GENERATE: {e}", token.offset + token.quoted + e.offset) from e

    def _generated_record(self, tokens: list[Token], head: _Head, owner_text: str, rdata_text: str) -> None:
        try:
            owner = names.from_text(owner_text, self.state.origin)
        except BadNameError as e:
            raise EntryError(
                f"$GENERATE made the owner name {shown(owner_text)}: {e}", tokens[2].offset
            ) from e
        try:
            rdata = rdata_from_text(head.rtype, rdata_text, self.state.origin, self._rdclass)
        except RdataError as e:
            offset = tokens[head.type_at + 1].offset
            raise EntryError(f"$GENERATE made the RDATA {shown(rdata_text)}: {e}", offset) from e
        is_new = head.rtype != RRType.SOA or self._check_soa(owner, rdata, tokens[head.type_at])
        ttl = self._ttl(tokens[0], head.ttl, head.rtype, rdata)
        if not is_new:
            return
        if names.is_subdomain(owner.lower(), self._origin_key):
            self._add(RR(owner, head.rtype, ttl, rdata), tokens[0].offset)
        else:
            self._warn_out_of_zone(owner, tokens[2])


def _is_date(text: str) -> bool:
    """Return whether *text* is ``YYYYMMDDHHMMSS``, a second of those that 32 bits count from 1970 on."""
    if len(text) != len("YYYYMMDDHHMMSS"):
        return False
    try:
        signature_time(text[:-2] + "59" if text.endswith("60") else text)
    except ValueError:
        return text == "19700101000000"
    return text < "2106"


def _no_quotes(tokens: list[Token]) -> None:
    for token in tokens:
        if token.quoted:
            raise EntryError(f"{shown(token.text)} cannot be in quotes here", token.offset)


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
