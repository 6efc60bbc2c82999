"""Zone files as bounded pieces of text: no file, however large or strange, is read into memory whole."""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from pathlib import Path
from typing import Protocol

from bindpy.diagnostics import BindpyError

PIECE_OCTETS = 1 << 18
MAX_ENTRY_OCTETS = 1 << 20
"""The longest entry (a line, or lines joined by parentheses); 65535 octets of RDATA need less text."""


class UnreadableError(BindpyError):
    """A file that cannot be opened or read; the message says why, ``hint`` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Readable(Protocol):
    """An open file."""

    def read(self, size: int, /) -> bytes:
        """Return at most *size* octets, none at the end."""

    def close(self) -> None:
        """Close it."""


def open_zone_file(path: str) -> FileIO:
    """Open *path* for reading; it must be a regular file (others may block or never end) or ``/dev/null``.

    Raises `UnreadableError`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError:
        raise UnreadableError("the file name holds a NUL octet") from None
    except OSError as e:
        raise UnreadableError(_reason(e), _HINTS.get(e.errno or 0, "")) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) and not _is_null_device(found):
            what = "a directory" if stat.S_ISDIR(found.st_mode) else "not a regular file"
            raise UnreadableError(f"is {what}", "name a zone file")
        return FileIO(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _is_null_device(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == Path(os.devnull).stat().st_rdev


_HINTS = {
    errno.ENOENT: "create it, or correct its name",
    errno.EACCES: "give the user that reads it the right to",
}


def _reason(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"


class Source:
    """One file's text, piece by piece: ``text`` ends with a newline, its first line is number ``line``.

    Octets are latin-1 characters. At the end of the file, a missing newline is added and ``no_newline`` set.
    """

    def __init__(self, name: str, stream: Readable) -> None:
        self.name = name
        self.text = ""
        self.line = 1
        self.column = 1
        self.at_end = False
        self.no_newline = False
        self._stream = stream
        self._rest = b""
        self._known = (0, 1)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def advance(self, consumed: int) -> bool:
        """Drop *consumed* characters and read on; return whether ``text`` has grown.

        Raises `UnreadableError`, and `TooLongError` when no line ends within `MAX_ENTRY_OCTETS`.
        """
        if consumed:
            self.line, self.column = self.place(consumed)
            self.text = self.text[consumed:]
            self._known = (0, self.line)
        if self.at_end:
            return False
        pieces = [self._rest]
        size = len(self._rest)
        while True:
            try:
                piece = self._stream.read(PIECE_OCTETS)
            except OSError as e:
                raise UnreadableError(_reason(e)) from None
            if not piece:
                self.at_end = True
                break
            pieces.append(piece)
            size += len(piece)
            if b"\n" in piece:
                break
            if size > MAX_ENTRY_OCTETS:
                raise TooLongError
        data = b"".join(pieces)
        cut = len(data) if self.at_end else data.rindex(b"\n") + 1
        self._rest = data[cut:]
        before = len(self.text)
        self.text += data[:cut].decode("latin-1")
        nul = self.text.find("\0", before)
        if nul >= 0:
            raise BinaryTextError(nul)
        if self.at_end and self.text and self.text[-1] not in "\r\n":
            self.text += "\n"
            self.no_newline = True
        return bool(cut)

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of ``text[offset]``, both from 1. Cheap when asked in the text's order."""
        if offset < self._known[0]:
            self._known = (0, self.line)
        known, line = self._known
        line += self.text.count("\n", known, offset)
        self._known = (offset, line)
        line_start = self.text.rfind("\n", 0, offset) + 1
        column = offset - line_start + 1
        return line, column if line_start else column + self.column - 1


class TooLongError(BindpyError):
    """A line without an end."""


class BinaryTextError(BindpyError):
    """A NUL octet: the file is not text. ``offset`` is its place in the source's text."""

    hint = "is this a zone file in raw form? named-compilezone -f raw -F text converts it"

    def __init__(self, offset: int) -> None:
        super().__init__("a NUL octet: this is not a zone file in text form")
        self.offset = offset
