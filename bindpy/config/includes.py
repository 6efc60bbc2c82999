"""Files → one statement tree: reading, ``include`` with globs, and ``directory``, in the order of the text.

As in BIND, ``directory`` counts from where it stands: what is included after it is relative to it.
Nothing here changes the process's own working directory.
"""

# os.path says no where pathlib raises: a name that is too long, links in a loop.
# ruff: noqa: PTH110, PTH112, PTH207

from __future__ import annotations

import errno
import glob
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from bindpy.config.clause_table import contexts
from bindpy.config.scanner import PlainZone, Shape, scan
from bindpy.config.tree import Block, Source, Statement, Token
from bindpy.diagnostics import Diagnostics, SourceSpan

MAX_OCTETS = 256 * 1024 * 1024
"""The most that a configuration may hold, all its files together."""
MAX_FILES = 10_000
"""The most files that a configuration may include, so that files which include each other twice come to
an end."""

_NO_TEXTS: Mapping[str, str] = MappingProxyType({})
_GLOB = re.compile(r"[*?\[]")


class FileReader:
    """Reads a configuration file and all that it includes; findings go into *diagnostics*.

    Relative names count from *base*, else from the working directory, until ``directory`` says otherwise.
    A named pipe is an error unless *wait_for_pipes*. *texts*, by real path, stand for what is in those files.
    """

    def __init__(
        self,
        diagnostics: Diagnostics,
        base: Path | None = None,
        *,
        wait_for_pipes: bool = True,
        texts: Mapping[str, str] = _NO_TEXTS,
    ) -> None:
        self.files: list[str] = []  # absolute, in the order of reading
        self.directory = Path.cwd() if base is None else base
        self._opener = None if wait_for_pipes else _open_without_waiting
        self._texts = texts
        self._diagnostics = diagnostics
        self._octets = 0
        self._shapes: dict[Shape, Shape] = {}
        self._blocks = frozenset(context for context in contexts() if context != "top")

    def read(self, name: str, text: str | None = None) -> list[Statement]:
        """Return the statements of the file *name* (of *text*, where given), includes in their place."""
        return self._read(name, text, None, "top")

    def read_kept(self, path: str) -> list[Statement]:
        """Return the statements of *path*, a file that the server writes; none where it is not there."""
        if not os.path.lexists(path):
            return []
        source = Source(path, "", path, is_kept=True)
        source.text = self._text(source) or ""
        return scan(source, self._diagnostics, shapes=self._shapes)

    def _read(self, name: str, text: str | None, by: Statement | None, context: str) -> list[Statement]:
        path = str(self.directory / name)
        source = Source(name, "", path, by.span if by else None, by.source if by else None)
        if text is None:
            text = self._text(source)
            if text is None:
                return []
        source.text = text
        self.files.append(path)
        statements = scan(source, self._diagnostics, shapes=self._shapes)
        return self._expand(statements, source, context)

    def _text(self, source: Source) -> str | None:
        """Return the file's text; characters that are not UTF-8 are kept as surrogates."""
        if self._texts and (text := self._texts.get(os.path.realpath(source.path))) is not None:
            return text
        span = source.included_from or SourceSpan(source.name)
        # Where the file is the one asked for, its own name is the place; otherwise the message must name it.
        name = f" '{source.name}'" if source.included_from else ""
        notes = source.includer.chain() if source.includer else ()
        try:
            with open(source.path, "rb", opener=self._opener) as stream:
                if stat.S_ISDIR(os.fstat(stream.fileno()).st_mode):
                    raise IsADirectoryError
                data = stream.read(MAX_OCTETS - self._octets + 1)
        except IsADirectoryError:
            self._diagnostics.error(
                f"cannot read{name}: it is a directory", span, hint="name a file", notes=notes
            )
            return None
        except (OSError, ValueError) as exc:  # ValueError: a NUL in the name
            reason = exc.strerror.lower() if isinstance(exc, OSError) and exc.strerror else str(exc)
            self._diagnostics.error(f"cannot read{name}: {reason}", span, notes=notes)
            return None
        self._octets += len(data)
        if self._octets > MAX_OCTETS:
            self._diagnostics.error(
                f"cannot read{name}: the configuration is over {MAX_OCTETS >> 20} MiB", span, notes=notes
            )
            return None
        return data.decode("utf-8", "surrogateescape")

    def _expand(self, statements: list[Statement], source: Source, context: str) -> list[Statement]:
        """Return *statements* with the files that they include in place of the ``include`` statements."""
        look_inside = "include" in source.text.lower()
        result: list[Statement] = []
        for statement in statements:
            keyword = statement.keyword
            if keyword == "include":
                result += self._included(statement, context)
                continue
            result.append(statement)
            if keyword == "directory" and context == "options":
                self._change_directory(statement)
            elif keyword == "options" or (
                look_inside and keyword in self._blocks and not isinstance(statement, PlainZone)
            ):
                body = statement.body()
                if body is not None:
                    body.statements = self._expand(body.statements, source, keyword)
        return result

    def _change_directory(self, statement: Statement) -> None:
        match statement.items:
            case [_, Token(quoted=True, text=text)]:
                directory = self.directory / text
                if text and os.path.isdir(directory):
                    self.directory = directory
                else:
                    self._error(
                        statement,
                        f"cannot change to directory '{text}': there is no such directory",
                        hint="create it, or correct 'directory'",
                    )

    def _included(self, statement: Statement, context: str) -> list[Statement]:
        match statement.items:
            case [_, Token(quoted=True, text=pattern)]:
                pass
            case [_, Token(quoted=True), Token() | Block(), *_]:
                after = statement.items[2]
                self._error(
                    statement, "missing ';' after the include", span=statement.source.span(after.offset)
                )
                return []
            case _:
                self._error(statement, "'include' takes the name of a file, in quotes")
                return []
        names = [pattern]
        if _GLOB.search(pattern) and not os.path.exists(self.directory / pattern):
            names = sorted(glob.glob(pattern, root_dir=self.directory))
            if not names:
                self._error(statement, f"'include' matches no file: '{pattern}'")
        result: list[Statement] = []
        for name in names:
            if self._loops(statement, name):
                self._error(statement, f"include loop: '{name}' is being read already")
            elif len(self.files) >= MAX_FILES:
                self._error(statement, f"more than {MAX_FILES} files are included")
                break
            else:
                result += self._read(name, None, statement, context)
        return result

    def _loops(self, statement: Statement, name: str) -> bool:
        path = os.path.realpath(self.directory / name)
        source: Source | None = statement.source
        while source is not None:
            if os.path.realpath(source.path) == path:
                return True
            source = source.includer
        return False

    def _error(
        self, statement: Statement, message: str, *, span: SourceSpan | None = None, hint: str = ""
    ) -> None:
        self._diagnostics.error(message, span or statement.span, hint=hint, notes=statement.source.chain())


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file, but no named pipe. Raises `OSError`."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is a pipe; name a file")
    return descriptor
