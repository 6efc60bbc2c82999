"""Lists of autoprimaries in PowerDNS' form: a line each of ``ADDRESS NAME [ACCOUNT]``, and comments.

``ADDRESS`` may have a port as PowerDNS writes it (``192.0.2.1:5300``, ``[2001:db8::1]:5300``). ``NAME`` is
our own name among the zones' NS records. A comment begins with ``#``, ``;`` or ``//``.
"""

from __future__ import annotations

import os
import re
import stat

from bindpy.config.acl import parse_address
from bindpy.config.model import Autoprimary, AutoprimaryFile
from bindpy.config.resolve import octets
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, Diagnostics, SourceSpan
from bindpy.files import FileStamp
from bindpy.zone.names import BadNameError, from_text

MAX_OCTETS = 1 << 20
"""The longest list that is read."""

_COMMENT = re.compile(r"(?:^|(?<=\s))(?:#|;|//).*")
_WORD = re.compile(r"\S+")
_WITH_PORT = re.compile(r"(?P<v4>[0-9.]+):(?P<port4>[0-9]{1,5})|\[(?P<v6>[^\]]+)\]:(?P<port6>[0-9]{1,5})")
_UNFIT = re.compile(r'["\\\x00-\x1f\x7f]')


@dataclass(frozen=True, slots=True)
class AutoprimaryLine:
    """An entry and where it stands in the text: its line, from ``start`` to behind its end at ``end``."""

    entry: Autoprimary
    start: int
    end: int


def read_autoprimaries_file(path: str, port: int) -> tuple[AutoprimaryFile | None, list[Diagnostic]]:
    """Return the list in *path*, None where it cannot be used, and the findings.

    *port* is that of entries which have none. Blocks; never raises for what the file is or holds.
    """
    diagnostics = Diagnostics()
    try:
        with open(path, "rb", opener=_open_without_waiting) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(0, "not a regular file")
            data = stream.read(MAX_OCTETS + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
        diagnostics.error(f"cannot read the list of autoprimaries: {reason}", SourceSpan(path))
        return None, diagnostics.items
    if len(data) > MAX_OCTETS:
        diagnostics.error(f"the list of autoprimaries is over {MAX_OCTETS >> 20} MiB", SourceSpan(path))
        return None, diagnostics.items
    lines = autoprimary_lines(data.decode("utf-8", "surrogateescape"), path, port, diagnostics)
    if diagnostics.has_errors:
        return None, diagnostics.items
    entries = tuple(dict.fromkeys(line.entry for line in lines))
    return AutoprimaryFile(path, port, entries, FileStamp.of_stat(status)), diagnostics.items


def autoprimary_lines(text: str, path: str, port: int, diagnostics: Diagnostics) -> list[AutoprimaryLine]:
    """Return the entries of *text*, the content of *path*; what is wrong with it goes into *diagnostics*."""
    found = []
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        end = min(start + len(line) + 1, len(text))
        words = list(_WORD.finditer(_COMMENT.sub("", line)))
        if words:
            entry = _entry(words, path, number, port, diagnostics)
            if entry is not None:
                found.append(AutoprimaryLine(entry, start, end))
        start = end
    return found


def _entry(
    words: list[re.Match[str]], path: str, number: int, port: int, diagnostics: Diagnostics
) -> Autoprimary | None:
    def place(at: int) -> SourceSpan:
        return SourceSpan(path, number, words[at].start() + 1)

    address = _address(words[0][0], port)
    if address is None:
        diagnostics.error(
            f"'{words[0][0]}' is not an address", place(0), hint="a line is 'ADDRESS NAME [ACCOUNT]'"
        )
        return None
    if len(words) == 1:
        diagnostics.error(
            f"the entry of {words[0][0]} ends too early",
            place(0),
            hint="our own name, as it stands in the zones' NS records, must follow the address",
        )
        return None
    if len(words) > 3:
        diagnostics.error(f"'{words[3][0]}' is one word too many", place(3), hint="an account is one word")
        return None
    try:
        nameserver = from_text(octets(words[1][0]))
    except BadNameError as error:
        diagnostics.error(f"'{words[1][0]}' is not a name: {error}", place(1))
        return None
    account = words[2][0] if len(words) == 3 else ""
    if (why := unfit_account(account)) is not None:
        diagnostics.error(f"the account {why}", place(2))
        return None
    if len(words) == 2 and "." not in words[1][0]:
        diagnostics.warning(
            f"'{words[1][0]}' is taken for our own name among the NS records",
            place(1),
            hint="if it is an account, as in a file of PowerDNS' bind backend, put our name before it",
        )
    return Autoprimary(address[0], address[1], "", nameserver, account, place(0))


def _address(word: str, port: int) -> tuple[str, int] | None:
    """Return the address and the port that *word* means, None where it means none."""
    match = _WITH_PORT.fullmatch(word)
    if match is not None:
        word, port = match["v4"] or match["v6"], int(match["port4"] or match["port6"])
    try:
        address = parse_address(word)
    except ValueError:
        return None
    return (str(address), port) if 0 < port <= 65535 else None


def unfit_account(account: str) -> str | None:
    """Return why *account* cannot be recorded in a zone statement, None where it can."""
    if _UNFIT.search(account):
        return "has a quote, a backslash or a control character"
    return "is over 255 characters long" if len(account) > 255 else None


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
