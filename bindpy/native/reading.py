"""Zone files by the engine in machine code; where it is not sure that all is well, Python's reader decides.

The engine reads what is plainly right. It leaves a file that has anything wrong to `bindpy.zone.load`, so
what is told of it is the same with both engines. Where a zone reads well, and a check may have something to
say, that check is Python's, of just the owners in question.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from bindpy.config.model import ZoneChecks
from bindpy.diagnostics import Diagnostic, Severity, SourceSpan
from bindpy.files import FileStamp
from bindpy.zone import checks as zone_checks
from bindpy.zone.checks import check_owners
from bindpy.zone.entries import OTHER_TTL, OTHER_TTL_HINT, PRIOR_TTL_WINS
from bindpy.zone.lexer import Token
from bindpy.zone.load import in_text_order, load_zone_file
from bindpy.zone.loaded import LoadedSnapshot
from bindpy.zone.names import Key, Name
from bindpy.zone.rdata import RdataError, rdata_from_tokens
from bindpy.zone.reader import MORE_WARNINGS
from bindpy.zone.records import IN, RRset
from bindpy.zone.snapshot import Node, ZoneSnapshot
from bindpy.zone.zonefile import ReadableText

if TYPE_CHECKING:
    import bindpy_engine

log = logging.getLogger("bindpy.zoneload")

_FS_ENCODING: Final = sys.getfilesystemencoding()
_FS_ERRORS: Final = sys.getfilesystemencodeerrors()


class FileReading:
    """What came of reading one zone file, by whichever reader.

    Either ``zone``, one of the engine's, or ``snapshot`` is there, or neither where there are errors.
    """

    def __init__(
        self,
        zone: bindpy_engine.Zone | None,
        snapshot: ZoneSnapshot | None,
        diagnostics: tuple[Diagnostic, ...],
        files: tuple[str, ...],
        stamps: tuple[FileStamp | None, ...],
    ) -> None:
        self.zone = zone
        self.snapshot = snapshot
        self.diagnostics = diagnostics
        self.files = files
        self.stamps = stamps


class FileReader:
    """Reads zone files with the module `bindpy_engine`."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._checks = functools.lru_cache(maxsize=64)(module.Checks)

    def read(
        self, path: str, origin: Name, rdclass: int, checks: ZoneChecks, directory: str = ""
    ) -> FileReading:
        """Read and judge the zone *origin* from *path*, as `load_zone_file` does."""
        if rdclass == IN:
            where = (os.fsencode(path), origin, os.fsencode(directory))
            try:
                return self._read(where, checks)
            except self._module.NeedsPythonError as why:
                log.debug("%s: read by Python: %s", path, why)
            except self._module.FaultError:
                log.exception("%s: fault in bindpy's Rust engine; please report it; read by Python", path)
        return _of_python(load_zone_file(path, origin, rdclass, checks, directory=directory))

    def read_again(
        self, path: str, served: bindpy_engine.Zone, checks: ZoneChecks, directory: str
    ) -> tuple[bindpy_engine.Zone | None, str, FileStamp] | None:
        """Read what an edit of *path* changed in *served*, an earlier version; None: it has to be read whole.

        Return the zone (None: it is as it was), the file's name as `read` gives it, and the file's stamp.
        """
        try:
            found = self._module.read_again(
                os.fsencode(path), os.fsencode(directory), self._checks(checks), _rare_rdata, served
            )
        except self._module.FaultError:
            log.exception("%s: fault in bindpy's Rust engine; please report it; read whole", path)
            return None
        if found is None:
            return None
        zone, file, stamp = found
        return zone, os.fsdecode(file), FileStamp(*stamp)

    def write_checked(
        self, zone: bindpy_engine.Zone, descriptor: int, path: str, head: bytes, checks: ZoneChecks
    ) -> tuple[Diagnostic, ...] | None:
        """Write *zone* behind *head* to *descriptor*, the file at *path*, flush it and read it back.

        Return what there is to say of it; None where only `read` can tell whether the file means *zone*.
        """
        written = self._module.write_checked(
            zone, descriptor, head, self._checks(checks), ReadableText(IN), _rare_rdata
        )
        if written is None:
            return None
        suspects, suspect_apex = written
        if not suspects and not suspect_apex:
            return ()
        where = (os.fsencode(path), zone.origin, b"")
        return in_text_order(self._judge(zone, suspects, _Places(self._module, where), checks), (path,))

    def read_many(
        self, files: Sequence[tuple[str, Name]], checks: ZoneChecks, within_s: float
    ) -> list[tuple[bindpy_engine.Zone, tuple[int, int, int, int, int], float, bool, bool] | None]:
        """See `bindpy_engine.read_zones`; *files* are paths and origins."""
        # As `os.fsencode` does, for 100,000 zones.
        plain = [(path.encode(_FS_ENCODING, _FS_ERRORS), origin) for path, origin in files]
        found: list[Any] = self._module.read_zones(plain, self._checks(checks), within_s, _rare_rdata)
        return found

    def _read(self, where: tuple[bytes, Name, bytes], checks: ZoneChecks) -> FileReading:
        loaded: bindpy_engine.Loaded = self._module.read_zone(*where, self._checks(checks), _rare_rdata)
        files = tuple(os.fsdecode(file) for file, _ in loaded.files)
        stamps = tuple(FileStamp(*stamp) for _, stamp in loaded.files)
        found = _ttl_warnings(loaded, files[0])
        if loaded.suspects or loaded.suspect_apex:
            found += self._judge(loaded.zone, loaded.suspects, _Places(self._module, where), checks)
        elif not found:
            return FileReading(loaded.zone, None, (), files, stamps)
        refused = any(item.severity is Severity.ERROR for item in found)
        zone = None if refused else loaded.zone
        return FileReading(zone, None, in_text_order(found, files), files, stamps)

    def _judge(
        self, zone: bindpy_engine.Zone, owners: Sequence[Key], places: _Places, checks: ZoneChecks
    ) -> Sequence[Diagnostic]:
        """Return what Python's checks say of the suspects *owners*, and of the zone as a whole."""
        if len(owners) > 1:
            owners = sorted(owners, key=lambda key: places.index.rank(zone, key))
        # It has all that the checks ask of a zone.
        seen = cast(ZoneSnapshot, _SeenZone(zone))
        return check_owners(seen, checks, places.locate, owners)


def check_changed(zone: bindpy_engine.Zone, checks: ZoneChecks, owners: Iterable[Key]) -> list[Diagnostic]:
    """Return what Python's checks find at *owners* and at the apex, without places."""
    return zone_checks.check_changed(cast(ZoneSnapshot, _SeenZone(zone)), checks, owners)


def _ttl_warnings(loaded: bindpy_engine.Loaded, file: str) -> list[Diagnostic]:
    """Return what Python's reader says of records that have another TTL than their RRset."""
    found = []
    for line, column, ttl, prior in loaded.other_ttls:
        message = OTHER_TTL.format(ttl=ttl, outcome=PRIOR_TTL_WINS.format(prior=prior))
        found.append(Diagnostic(Severity.WARNING, message, SourceSpan(file, line, column), OTHER_TTL_HINT))
    more = loaded.other_ttl_count - len(found)
    if more:
        found.append(Diagnostic(Severity.NOTE, MORE_WARNINGS.format(count=more)))
    return found


def _of_python(loaded: LoadedSnapshot) -> FileReading:
    return FileReading(None, loaded.zone, loaded.diagnostics, loaded.files, loaded.stamps)


def _rare_rdata(rtype: int, words: list[tuple[bytes, bool, bool]], origin: bytes) -> bytes | None:
    """Return RDATA of a type that the engine does not read, None where the text is in error."""
    tokens = [Token(text.decode("latin-1"), 0, quoted, glued) for text, quoted, glued in words]
    try:
        return rdata_from_tokens(rtype, tokens, origin)
    except RdataError:
        return None


class _Places:
    """Where records stand. The files are read again for it when that is asked for first."""

    def __init__(self, module: Any, where: tuple[bytes, Name, bytes]) -> None:
        self._module = module
        self._where = where

    @functools.cached_property
    def index(self) -> bindpy_engine.Places:
        """The index of all places. Raises `NeedsPythonError` where a file is not right any more."""
        return cast("bindpy_engine.Places", self._module.read_places(*self._where, _rare_rdata))

    def locate(self, key: Key, rtype: int) -> list[SourceSpan]:
        """Return where the records of *key* and *rtype* stand, in the order of the text."""
        found = self.index.find(key, rtype)
        return [SourceSpan(os.fsdecode(file), line, column) for file, line, column in found]


class _SeenZone:
    """One of the engine's zones as Python's checks see it."""

    def __init__(self, zone: bindpy_engine.Zone) -> None:
        self.origin = zone.origin
        self.key = zone.key
        self.rdclass = zone.rdclass
        self.rr_count = zone.rr_count
        self.nodes = _SeenNodes(zone)
        self.apex = self.nodes[self.key]


class _SeenNodes(dict[Key, "Node | None"]):
    """The nodes that were asked for so far, None for those that do not exist."""

    def __init__(self, zone: bindpy_engine.Zone) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, key: Key) -> Node | None:
        found = self._zone.node(key)
        if found is None:
            self[key] = None
            return None
        owner, rrsets, cut, dname, wildcard = found
        # There before those that it refers to: a cut refers to itself.
        node = self[key] = Node(owner)
        node.rrsets = tuple(RRset(*rrset) for rrset in rrsets)
        node.cut = self[cut] if cut is not None else None
        node.dname = self[dname] if dname is not None else None
        node.wildcard = self[wildcard] if wildcard is not None else None
        return node

    def get(self, key: Key, default: Any = None) -> Any:
        """Return the node of *key*, or *default*."""
        node = self[key]
        return default if node is None else node
