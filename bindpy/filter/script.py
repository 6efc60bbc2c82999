"""``lua-axfr-script``: one script that judges every record of one transfer."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Protocol

from bindpy.diagnostics import BindpyError, SourceSpan
from bindpy.filter.sandbox import SCRIPT_PLACE, Answer, LuaError, LuaMemoryError, new_sandbox
from bindpy.zone import names
from bindpy.zone.lexer import quoted
from bindpy.zone.names import BadNameError, Name, is_subdomain
from bindpy.zone.rdata import RdataError, is_meta_type, rdata_from_text, type_to_text
from bindpy.zone.records import IN, RR, RRType
from bindpy.zone.writer import RdataText

_KEEP, _DROP, _REPLACE = -1, -2, 0
_LOGGED = 10
"""What codes are lower by while there are lines for the log."""
_OLD_FORM = 7
"""The number of parameters where names have no final dot, and MX and SRV no priority in their content."""
_FIELDS = 5
"""How many values a row of an answer has."""
_WITH_PRIORITY = frozenset((RRType.MX, RRType.SRV))
_PLAIN_TEXT = frozenset((RRType.TXT, RRType.SPF))
_MAX_STRING_OCTETS = 255
_MAX_TTL = (1 << 31) - 1
_MAX_SCRIPT_OCTETS = 1 << 20
_MAX_IGNORED = 10
_NAMED_TYPES = (*range(1, 300), 32768, 32769)
"""Where RR types with names of their own are."""
NO_SCRIPT = b""
"""The digest of no script."""


class Shown(Protocol):
    """Many records that can be shown to a script without making objects of them."""

    def shown(self, apart: bool, rare: Callable[[int, bytes], str], /) -> bytes:
        """Return them one after the other: owner, type, TTL, priority, content.

        Each is what ``string.unpack("<s2I2I4I4s4")`` of Lua reads. With *apart* owners have no final dot, and
        the priority of MX and SRV is not in the content; otherwise it is 0. *rare* returns the text of RDATA
        of types that the other side does not know.
        """


class FilterError(BindpyError):
    """A script that cannot be used, or that failed; the text names the file, and the line where known."""

    def __init__(self, path: str, message: str, line: int = 0) -> None:
        super().__init__(f"{SourceSpan(path, line)}: {message}")
        self.span = SourceSpan(path, line)
        self.message = message


class LuaFilter:
    """A script, loaded for one transfer of one zone: its globals live as long as this.

    *peer* is the primary's address; a script that is running fails soon after *is_abandoned*, which is
    called in its thread, says that nobody waits for it. Not for two threads at once, but for `log_lines`,
    `ignored` and `digest`. Raises `FilterError` for a script that is not there, does not compile, fails when
    it is run, or has no usable ``axfrfilter``.
    """

    def __init__(
        self,
        path: str,
        peer: str,
        origin: Name,
        rdclass: int = IN,
        *,
        is_abandoned: Callable[[], bool] = lambda: False,
    ) -> None:
        source = _read(path)
        self.path = path
        self.digest = _digest(source)
        self.ignored: list[str] = []
        """Records of the script that are not in the zone, for the log; the first ten."""
        self._lines: list[str] = []
        self._key = origin.lower()
        self._rdclass = rdclass
        self._peer = peer
        self._owner: Name = b""
        self._owner_text = ""
        self._text = RdataText(rdclass)
        parameters = self._open(source, is_abandoned)
        self._parameters = parameters
        self._call = self._sandbox.call_with_record if parameters == 3 else self._sandbox.call
        zone = names.to_text(origin)
        self._zone = _without_dot(zone) if parameters == _OLD_FORM else zone

    def _open(self, source: bytes, is_abandoned: Callable[[], bool]) -> int:
        """Run the script and return how many parameters its function has."""
        try:
            self._sandbox = new_sandbox(_types(), is_abandoned)
            answer = self._sandbox.open(source.decode("latin-1"))
        except LuaError as error:
            raise self._broken(error, "") from None
        self._take_lines()
        if isinstance(answer, tuple):
            raise self._failure(answer[1], "")
        if answer == -1:
            raise FilterError(self.path, "the script has no function axfrfilter")
        if answer not in (3, 6, _OLD_FORM):
            has = "any number of" if answer == -2 else str(answer)
            raise FilterError(self.path, f"axfrfilter has {has} parameters; it takes 3, 6 or 7")
        return int(answer)

    def __call__(self, rr: RR) -> Iterable[RR]:
        """Return what *rr* becomes: itself, or any number of records. Raises `FilterError`."""
        owner, rtype, ttl, rdata = rr
        if owner != self._owner:
            self._owner_text = names.to_text(owner)
            self._owner = owner
        qname = self._owner_text
        content = self._text(rtype, rdata)
        try:
            if self._parameters == 3:
                answer = self._call(self._peer, self._zone, qname, rtype, ttl, content, self._rdclass)
            elif self._parameters == 6:
                answer = self._call(self._peer, self._zone, qname, rtype, ttl, content)
            else:
                prio = 0
                if _has_priority(rtype, content):
                    prio, content = _split(content)
                qname = qname[:-1] or qname
                answer = self._call(self._peer, self._zone, qname, rtype, ttl, prio, content)
        except LuaError as error:
            raise self._broken(error, _named(rr)) from None
        if answer == _KEEP:
            return (rr,)
        return self._changed(rr, answer)

    def answers(self, records: Shown) -> Iterator[tuple[int, Answer]]:
        """Yield the number, from 0, of each record that is not just kept, with what `made_of` takes.

        Never raises. Go on only after `made_of` has seen an answer.
        """
        number = 0
        try:
            shown = records.shown(self._parameters == _OLD_FORM, self._text)
            found = self._sandbox.call_all(self._peer, self._zone, self._rdclass, shown)
            while found is not None:
                number, *answer = found
                if answer[0] != _KEEP:
                    yield number, tuple(answer)
                found = self._sandbox.call_next()
        except LuaError as error:
            with contextlib.suppress(LuaError):
                number = self._sandbox.reached()
            yield number, error

    def made_of(self, rr: RR, answer: Answer) -> Iterable[RR]:
        """Return what *rr* becomes by one of the `answers`. Raises `FilterError`."""
        if isinstance(answer, LuaError):
            raise self._broken(answer, _named(rr)) from None
        return self._changed(rr, answer)

    def log_lines(self) -> list[str]:
        """Return what the script has printed so far; printable, and bounded in number and length."""
        return list(self._lines)

    def _changed(self, rr: RR, answer: object) -> Iterable[RR]:
        """Return what *answer* makes of *rr*."""
        code, *flat = answer if isinstance(answer, tuple) else (answer,)
        if code is False:
            self._take_lines()
            raise self._failure(flat[0], _named(rr))
        if code < _DROP:
            self._take_lines()
            code += _LOGGED
        made = self._rows(rr, flat)
        result = made if code in (_DROP, _REPLACE) else [rr, *made]
        soas = [one for one in result if one.rtype == RRType.SOA]
        if rr.rtype != RRType.SOA and soas:
            raise self._bad_row(rr, "of type SOA")
        if rr.rtype == RRType.SOA and (len(soas) != 1 or soas[0].owner.lower() != self._key):
            raise FilterError(
                self.path, f"for {_named(rr)} the script left {len(soas)} SOA records at the apex"
            )
        return result

    def _take_lines(self) -> None:
        try:
            text: str = self._sandbox.logged()
        except LuaError:
            return  # no memory is left even for that; what failed for it is told in its own place
        self._lines += [_printable(line) for line in text.split("\n") if line]

    def _rows(self, rr: RR, flat: list[object]) -> list[RR]:
        made = []
        for at in range(0, len(flat), _FIELDS):
            one = self._row(rr, flat[at : at + _FIELDS])
            if one.owner is rr.owner or is_subdomain(one.owner.lower(), self._key):
                made.append(one)
            elif len(self.ignored) < _MAX_IGNORED:
                self.ignored.append(_named(one))
        return made

    def _row(self, rr: RR, row: list[object]) -> RR:
        """Return one record of a script; what it does not say is as in *rr*."""
        qname, qtype, ttl, content, prio = row
        rtype = rr.rtype if qtype is False else _number(qtype)
        if not 0 < rtype <= 0xFFFF or is_meta_type(rtype):
            raise self._bad_row(rr, f"whose qtype, {rtype}, is no type of data")
        seconds = rr.ttl if ttl is False else _number(ttl)
        if not 0 <= seconds <= _MAX_TTL:
            raise self._bad_row(rr, f"whose ttl, {seconds}, is not from 0 to {_MAX_TTL}")
        owner = rr.owner
        if isinstance(qname, str):
            try:
                owner = names.from_text(qname)
            except BadNameError as error:
                raise self._bad_row(rr, f"with the bad qname {_shown(qname)}: {error}") from None
        if content is False and rtype == rr.rtype and (prio is False or rtype not in _WITH_PRIORITY):
            return RR(owner, rtype, seconds, rr.rdata)
        own = self._text(rr.rtype, rr.rdata)
        said = self._content(rr.rtype, own, rtype, content, prio)
        if rtype == rr.rtype and said == own:
            return RR(owner, rtype, seconds, rr.rdata)
        try:
            if "\n" in said:
                raise RdataError("it has more than one line", 0)
            rdata = rdata_from_text(rtype, said, names.ROOT, self._rdclass)
        except RdataError as error:
            what = f"of type {type_to_text(rtype)} with bad content {_shown(said)}: {error}"
            raise self._bad_row(rr, what) from None
        return RR(owner, rtype, seconds, rdata)

    def _content(self, own_type: int, own: str, rtype: int, content: object, prio: object) -> str:
        """Return RDATA as a zone file has it, by what a row says; the rest is *own*, of type *own_type*."""
        said = own
        first = 0
        is_whole = self._parameters != _OLD_FORM
        if _has_priority(own_type, said):
            first, said = _split(said)
            is_whole = is_whole and content is not False
        if isinstance(content, str):
            said = content
        if rtype in _PLAIN_TEXT and not said.lstrip().startswith('"'):
            return _quoted(said)
        if rtype not in _WITH_PRIORITY or (is_whole and prio is False):
            return said
        return f"{first if prio is False else prio} {said}"

    def _bad_row(self, rr: RR, what: str) -> FilterError:
        return FilterError(self.path, f"for {_named(rr)} the script returned a record {_printable(what)}")

    def _failure(self, reason: object, record: str) -> FilterError:
        """Return the error that *reason*, Lua's own words, tells of."""
        text, line = str(reason), 0
        if text.startswith(SCRIPT_PLACE):
            number, _, rest = text.removeprefix(SCRIPT_PLACE).partition(":")
            if number.isdecimal():
                line, text = int(number), rest.strip()
        return FilterError(self.path, _printable(text) + _at(record), line)

    def _broken(self, error: Exception, record: str) -> FilterError:
        """Return what is told where the runtime itself gave up: the memory did not last for an answer."""
        if isinstance(error, LuaMemoryError):
            return FilterError(self.path, f"the script needs too much memory{_at(record)}")
        return FilterError(
            self.path, f"the script broke its runtime: {_printable(str(error)[:300])}{_at(record)}"
        )


def check_script(path: str) -> FilterError | None:
    """Return why the script *path* cannot be used, None where it can; it is run as for a transfer."""
    try:
        LuaFilter(path, "192.0.2.1", names.ROOT)
    except FilterError as error:
        return error
    return None


def script_digest(path: str) -> bytes | None:
    """Return what tells the script *path* from another one; None where it cannot be read."""
    try:
        return _digest(_read(path))
    except FilterError:
        return None


def _digest(source: bytes) -> bytes:
    return hashlib.sha256(source).digest()


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            source = file.read(_MAX_SCRIPT_OCTETS + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FilterError(path, f"the script cannot be read: {reason}") from None
    if len(source) > _MAX_SCRIPT_OCTETS:
        raise FilterError(path, "the script is larger than 1 MiB")
    return source


@cache
def _types() -> dict[str, int]:
    """Return the numbers of the RR types that have names."""
    texts = {type_to_text(number): number for number in _NAMED_TYPES}
    return {text: number for text, number in texts.items() if not text.startswith("TYPE")}


def _named(rr: RR) -> str:
    return f"{names.to_text(rr.owner)} {type_to_text(rr.rtype)}"


def _at(record: str) -> str:
    return f" (at the record {record})" if record else ""


def _number(value: object) -> int:
    assert isinstance(value, int), "the sandbox lets whole numbers pass only"
    return value


def _has_priority(rtype: int, content: str) -> bool:
    """Return whether *content*, as the zone has it, begins with one: RFC 3597's form does not."""
    return rtype in _WITH_PRIORITY and content[:1] != "\\"


def _split(content: str) -> tuple[int, str]:
    """Return the priority that MX and SRV begin with, and the rest."""
    first, _, rest = content.partition(" ")
    return int(first), rest


def _quoted(text: str) -> str:
    """Return *text* as the strings of a TXT record, as many as it takes."""
    octets = text.encode("latin-1")
    starts = range(0, max(len(octets), 1), _MAX_STRING_OCTETS)
    return " ".join([quoted(octets[start : start + _MAX_STRING_OCTETS]) for start in starts])


def _without_dot(name: str) -> str:
    return name[:-1] or name


def _shown(text: str) -> str:
    return f"'{text[:100]}'"


def _printable(text: str) -> str:
    return "".join([c if c.isprintable() and c.isascii() else "?" for c in text])
