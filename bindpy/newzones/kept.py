"""A file of zone statements that the server writes: replaced whole, and lastingly, for each change.

What is not changed stays as it stands, comments before a statement with it. Everything here blocks.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from bindpy.config.check_report import name_of
from bindpy.deferred import dataclass
from bindpy.files import FileStamp
from bindpy.newzones.errors import NewZoneError
from bindpy.replacing import ReplaceError, replacing
from bindpy.zone.names import BadNameError, Key

HEADING = """\
# Zones that were added while the server ran. The server writes this file anew for each of them:
# change and remove them with 'modzone' and 'delzone'.

"""

_SKIPPED = r"(?:[ \t\r\n]++|\#[^\n]*+|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)*+"
# Over everything up to the next character that matters; strings and comments may have such in them.
_TO_STRUCTURE = re.compile(
    r'(?:[^{};"/\#]++|"(?:[^"\\]++|\\[\s\S])*+"|//[^\n]*+|\#[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/|/)*+([{};])'
)
_ZONE = re.compile(
    _SKIPPED + r"(?i:zone)\b" + _SKIPPED + r'(?:"((?:[^"\\]++|\\[\s\S])*+)"|([^\s{};!/"\#]++))'
)
_SKIPPED_ALL = re.compile(_SKIPPED)
_TO_LINE_END = re.compile(r"[ \t\r]*+\n")


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file holds: its own heading, each zone's statement with the comments before it, what follows."""

    stamp: FileStamp | None  # None: it is not there
    heading: str
    statements: dict[Key, str]
    rest: str

    def octets(self) -> bytes:
        return "".join([self.heading, *self.statements.values(), self.rest]).encode(
            "utf-8", "surrogateescape"
        )


class KeptFile:
    """The file *path*; what it holds is remembered as long as nobody else writes it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._known = _Content(None, HEADING, {}, "")

    def has(self, key: Key) -> bool:
        """Return whether there is a statement of the zone *key*. Raises `NewZoneError`."""
        return key in self._now().statements

    def put(self, key: Key, statement: str) -> None:
        """Have *statement*, which ends in a semicolon, as that of the zone *key*. Raises `NewZoneError`."""
        now = self._now()
        self._write(replace(now, statements=now.statements | {key: f"{statement}\n"}))

    def remove(self, key: Key) -> bool:
        """Have no statement of the zone *key*; return whether there was one. Raises `NewZoneError`."""
        now = self._now()
        if key not in now.statements:
            return False
        self._write(replace(now, statements={k: text for k, text in now.statements.items() if k != key}))
        return True

    def _now(self) -> _Content:
        stamp = FileStamp.of(self.path)
        if stamp is None:
            self._known = _Content(None, HEADING, {}, "")
        elif stamp != self._known.stamp:
            try:
                octets = Path(self.path).read_bytes()
            except OSError as error:
                raise NewZoneError("failure", [f"cannot read {self.path}: {error.strerror}"]) from None
            self._known = _read(self.path, stamp, octets.decode("utf-8", "surrogateescape"))
        return self._known

    def _write(self, content: _Content) -> None:
        try:
            with replacing(Path(self.path).resolve()) as new:
                with open(new.descriptor, "wb", closefd=False) as file:
                    file.write(content.octets())
                new.flush()
                if FileStamp.of(self.path) != content.stamp:
                    raise NewZoneError(
                        "failure", [f"{self.path} was changed by somebody else meanwhile; nothing was done"]
                    )
                self._known = replace(content, stamp=new.commit())
        except ReplaceError as error:
            raise NewZoneError("failure", [str(error)]) from None


def _read(path: str, stamp: FileStamp, text: str) -> _Content:
    heading = HEADING if text.startswith(HEADING) else ""
    statements: dict[Key, str] = {}
    start = at = len(heading)
    depth = 0
    while (found := _TO_STRUCTURE.match(text, at)) is not None:
        at = found.end()
        depth += {"{": 1, "}": -1, ";": 0}[found[1]]
        if depth == 0 and found[1] == ";":
            line_end = _TO_LINE_END.match(text, at)
            end = at if line_end is None else line_end.end()
            statements[_zone_key(path, text, start)] = text[start:end]
            start = at = end
    if depth or _SKIPPED_ALL.fullmatch(text, start) is None:
        line = text.count("\n", 0, start) + 1
        raise NewZoneError("failure", [f"{path}:{line}: what begins here is never completed; mend the file"])
    return _Content(stamp, heading, statements, text[start:])


def _zone_key(path: str, text: str, start: int) -> Key:
    found = _ZONE.match(text, start)
    try:
        if found is not None:
            return name_of((found[1] or found[2]).replace('\\"', '"')).lower()
    except BadNameError:
        pass
    line = text.count("\n", 0, start) + 1
    raise NewZoneError("failure", [f"{path}:{line}: there is something besides zones; mend the file"])
