"""Only the ``options`` of a named.conf: for commands that talk to a running server.

They need to know where it listens, at once even where the file has 100,000 zones, and also while it has
errors: a server whose configuration is being repaired can still be asked how it is.
"""

from __future__ import annotations

from pathlib import Path

from bindpy.config.build_options import DEFAULT_PORT, build_options, scalar
from bindpy.config.includes import FileReader
from bindpy.config.model import Options
from bindpy.config.resolve import Resolver
from bindpy.config.scanner import end_of_block
from bindpy.config.sections import Section, SectionReader
from bindpy.config.tree import Source, Statement
from bindpy.diagnostics import Diagnostics

OPTIONS = "options"


def load_options(path: str, *, base: Path | None = None) -> Options | None:
    """Return what the configuration file *path*, or a file that it includes, sets for the whole server.

    What is after the ``options`` is not looked at, errors are passed over, and acls are not resolved.
    Relative names count from *base*, else from the working directory. Returns None where the file cannot
    be read. Never raises.
    """
    reader = _OptionsReader(Diagnostics(), base, wait_for_pipes=False)
    tree = [statement for statement in reader.read(path) if statement.keyword == OPTIONS]
    if not reader.files:
        return None
    quiet = Diagnostics()
    top = SectionReader(quiet).read("top", tree[:1])
    options = next((section for _, section in top.sections(OPTIONS)), Section(OPTIONS))
    resolver = Resolver(top, str(reader.directory), scalar(options, "port", DEFAULT_PORT), quiet)
    return build_options(options, resolver)


class _OptionsReader(FileReader):
    """Reads no further than to the end of the ``options``."""

    _found = False

    def _text(self, source: Source) -> str | None:
        if self._found:
            return ""
        text = super()._text(source)
        end = None if text is None else end_of_block(text, OPTIONS)
        return text if text is None or end is None else text[:end]

    def _expand(self, statements: list[Statement], source: Source, context: str) -> list[Statement]:
        expanded = super()._expand(statements, source, context)
        self._found = self._found or any(one.keyword == OPTIONS for one in expanded)
        return expanded

    def _included(self, statement: Statement, context: str) -> list[Statement]:
        return [] if self._found else super()._included(statement, context)
