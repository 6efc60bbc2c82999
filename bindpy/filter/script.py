"""``lua-axfr-script``: one script that judges every record of one transfer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from bindpy.diagnostics import BindpyError, SourceSpan
from bindpy.filter.sandbox import LuaError, LuaMemoryError, new_sandbox
from bindpy.zone import names
from bindpy.zone.names import BadNameError, Name, is_subdomain
from bindpy.zone.rdata import RdataError, is_meta_type, rdata_from_text, rdata_to_text, type_to_text
from bindpy.zone.records import IN, RR, RRType

_KEEP, _DROP, _REPLACE = -1, -2, 0
_WITH_PRIORITY = frozenset((RRType.MX, RRType.SRV))
_MAX_TTL = (1 << 31) - 1
_MAX_SCRIPT_OCTETS = 1 << 20
_NAMED_TYPES = (*range(1, 300), 32768, 32769)
"""Where RR types with names of their own are."""


class FilterError(BindpyError):
    """A script that cannot be used, or that failed; the text names the file, and the line where known."""

    def __init__(self, path: str, message: str, line: int = 0) -> None:
        super().__init__(f"{SourceSpan(path, line)}: {message}")
        self.span = SourceSpan(path, line)
        self.message = message


class LuaFilter:
    """A script, loaded for one transfer of one zone: its globals live as long as this.

    *peer* is the primary's address. Not safe for use by two threads at once. Raises `FilterError` for a
    script that is not there, does not compile, fails when it is run, or has no usable ``axfrfilter``.
    """

    def __init__(self, path: str, peer: str, origin: Name, rdclass: int = IN) -> None:
        self.path = path
        self.ignored: list[str] = []
        """Records of the script that are not in the zone, for the log; the first ten."""
        self._key = origin.lower()
        self._rdclass = rdclass
        self._peer = peer
        source = _read(path)
        try:
            open_script, chosen, self._logged = new_sandbox(_types())
            parameters = open_script(source.decode("latin-1"))
        except (LuaError, LuaMemoryError) as error:
            raise self._error(error) from None
        if parameters == -1:
            raise FilterError(path, "the script has no function axfrfilter")
        if parameters not in (3, 6, 7):
            has = "any number of" if parameters == -2 else str(parameters)
            raise FilterError(path, f"axfrfilter has {has} parameters; it takes 3, 6 or 7")
        self._parameters = parameters
        self._call = chosen(parameters)
        self._zone = names.to_text(origin) if parameters == 3 else _without_dot(names.to_text(origin))

    def __call__(self, rr: RR) -> Iterable[RR]:
        """Return what *rr* becomes: itself, or any number of records. Raises `FilterError`."""
        owner, rtype, ttl, rdata = rr
        qname = names.to_text(owner)
        content = rdata_to_text(rtype, rdata, self._rdclass)
        prio = 0
        try:
            if self._parameters == 3:
                answer = self._call(self._peer, self._zone, qname, rtype, ttl, content, self._rdclass)
            elif self._parameters == 6:
                answer = self._call(self._peer, self._zone, _without_dot(qname), rtype, ttl, content)
            else:
                if rtype in _WITH_PRIORITY:
                    first, content = content.split(" ", 1)
                    prio = int(first)
                answer = self._call(self._peer, self._zone, _without_dot(qname), rtype, ttl, prio, content)
        except (LuaError, LuaMemoryError) as error:
            raise self._error(error, f"{qname} {type_to_text(rtype)}") from None
        if answer == _KEEP:
            return (rr,)
        if answer in (_DROP, _REPLACE):
            return ()
        if answer == 1:
            return (rr,)
        return self._rows(rr, answer, content, prio)

    def log_lines(self) -> list[str]:
        """Return, and forget, what the script has printed; printable, and bounded in number and length."""
        try:
            text: str = self._logged()
        except (LuaError, LuaMemoryError):
            return []  # the script has used up its time or memory, and nothing works in there any more
        return [_printable(line) for line in text.split("\n") if line]

    def _rows(self, rr: RR, answer: tuple[object, ...], content: str, prio: int) -> Iterator[RR]:
        code, *flat = answer
        if code != _REPLACE:
            yield rr
        for at in range(0, len(flat), 5):
            made = self._row(rr, flat[at : at + 5], content, prio)
            if is_subdomain(made.owner.lower(), self._key):
                yield made
            elif len(self.ignored) < 10:
                self.ignored.append(f"{names.to_text(made.owner)} {type_to_text(made.rtype)}")

    def _row(self, rr: RR, row: list[object], content: str, prio: int) -> RR:
        """Return one record of a script; what it does not say is as in *rr*."""
        qname, qtype, ttl, text, priority = row
        what = f"for {names.to_text(rr.owner)} {type_to_text(rr.rtype)} the script returned a record"
        rtype = qtype if isinstance(qtype, int) and qtype is not False else rr.rtype
        if not 0 < rtype <= 0xFFFF or is_meta_type(rtype):
            raise FilterError(self.path, f"{what} whose qtype, {rtype}, is no type of data")
        seconds = ttl if isinstance(ttl, int) and ttl is not False else rr.ttl
        if not 0 <= seconds <= _MAX_TTL:
            raise FilterError(self.path, f"{what} whose ttl, {seconds}, is not from 0 to {_MAX_TTL}")
        if text is False and priority is False and rtype == rr.rtype:
            rdata = rr.rdata
        else:
            said = text if isinstance(text, str) else content
            if self._parameters == 7 and rtype in _WITH_PRIORITY:
                said = f"{prio if priority is False else priority} {said}"
            if rtype == RRType.TXT and not said.lstrip().startswith('"'):
                said = '"' + said.replace("\\", "\\\\").replace('"', '\\"') + '"'
            try:
                rdata = rdata_from_text(rtype, said, names.ROOT, self._rdclass)
            except RdataError as error:
                shown = _printable(said[:100])
                raise FilterError(
                    self.path, f"{what} of type {type_to_text(rtype)} with bad content '{shown}': {error}"
                ) from None
        owner = rr.owner
        if isinstance(qname, str):
            try:
                owner = names.from_text(qname)
            except BadNameError as error:
                shown = _printable(qname[:100])
                raise FilterError(self.path, f"{what} with the bad qname '{shown}': {error}") from None
        return RR(owner, rtype, seconds, rdata)

    def _error(self, error: Exception, record: str = "") -> FilterError:
        at = f" (at the record {record})" if record else ""
        if isinstance(error, LuaMemoryError):
            return FilterError(self.path, f"the script needs too much memory{at}")
        text = str(error).split("\nstack traceback:", 1)[0]
        line = 0
        if text.startswith("SCRIPT:"):
            number, _, rest = text.removeprefix("SCRIPT:").partition(":")
            if number.isdecimal():
                line, text = int(number), rest.strip()
        return FilterError(self.path, f"{_printable(text[:300])}{at}", line)


def check_script(path: str) -> FilterError | None:
    """Return why the script *path* cannot be used, None where it can; it is run as for a transfer."""
    try:
        LuaFilter(path, "192.0.2.1", names.ROOT)
    except FilterError as error:
        return error
    return None


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


def _without_dot(name: str) -> str:
    return name[:-1] if len(name) > 1 else name


def _printable(text: str) -> str:
    return "".join([c if c.isprintable() and c.isascii() else "?" for c in text])
