"""A named.conf, read whole: the one function that others call."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from bindpy.config.alike import leave_out
from bindpy.config.build import build_config
from bindpy.config.checks import check_statements
from bindpy.config.includes import FileReader
from bindpy.config.model import Config
from bindpy.config.new_zones import add_new_zones
from bindpy.config.sections import Section, SectionReader
from bindpy.config.tree import Statement
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, Diagnostics, Severity

_NO_TEXTS: Mapping[str, str] = MappingProxyType({})
MAX_ERRORS = 100
"""How many errors one run shows."""


@dataclass(frozen=True, slots=True, eq=False)
class ConfigResult:
    """What came of reading a configuration.

    ``config`` is None if ``diagnostics`` hold an error. ``tree`` is all that was read, included files in
    their place; ``section`` the same by clause. Both are there even after errors, as far as the text
    could be understood. Of zones that differ by name and file only, the section may have the first ones.
    """

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]
    tree: tuple[Statement, ...]
    section: Section


def load_config(
    path: str,
    *,
    text: str | None = None,
    texts: Mapping[str, str] = _NO_TEXTS,
    base: Path | None = None,
    wait_for_pipes: bool = True,
    like: Config | None = None,
) -> ConfigResult:
    """Read the configuration file *path*, or *text* under that name, with all that it includes.

    What the server keeps of zones that were added while it ran counts as part of it. *texts* stand for the
    content of files, by their real paths, so that a change can be judged before it is written.

    Reads files and nothing else; relative names count from *base*, else from the working directory. A named
    pipe, which somebody has to write to first, is an error unless *wait_for_pipes*. To compare what is read
    with *like*, which was read before, is quick.

    Never raises for what is in the files or for files that cannot be read: that is in the result's
    diagnostics, at most `MAX_ERRORS` errors of it.
    """
    diagnostics = Diagnostics()
    with _no_collections():
        reader = FileReader(diagnostics, base, wait_for_pipes=wait_for_pipes, texts=texts)
        tree = reader.read(path, text)
        add_new_zones(tree, reader, diagnostics)
        absolute = str(base / path if base is not None else Path(path).absolute())
        meaning = _Meaning(absolute, tuple(reader.files), str(reader.directory), like)
        section, config = meaning.of(tree, diagnostics)
    return ConfigResult(config, _limited(diagnostics.items), tuple(tree), section)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """From statements to what they mean; the fields are what `build_config` asks for."""

    path: str
    files: tuple[str, ...]
    directory: str
    like: Config | None

    def of(self, tree: list[Statement], diagnostics: Diagnostics) -> tuple[Section, Config | None]:
        """Return *tree* by clause and as a configuration, None after errors."""
        alike = None if diagnostics.has_errors else leave_out(tree)
        if alike is not None:
            found = Diagnostics()
            section, config = self._of_all(alike.tree, found)
            if config is not None and not alike.says_more(found.items):
                whole = alike.with_all(config)
                if whole is not None:
                    diagnostics.extend(found.items)
                    return section, whole
        return self._of_all(tree, diagnostics)

    def _of_all(self, tree: list[Statement], diagnostics: Diagnostics) -> tuple[Section, Config | None]:
        section = SectionReader(diagnostics).read("top", tree)
        diagnostics.extend(check_statements(tree))
        if diagnostics.has_errors:
            return section, None
        config = build_config(section, self.path, self.files, self.directory, diagnostics, like=self.like)
        return section, None if diagnostics.has_errors else config


def _limited(items: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return *items* up to the last error that is shown, and a line that says so where there are more."""
    errors = sum(item.severity is Severity.ERROR for item in items)
    if errors <= MAX_ERRORS:
        return tuple(items)
    shown: list[Diagnostic] = []
    left = MAX_ERRORS
    for item in items:
        if item.severity is Severity.ERROR:
            if not left:
                continue
            left -= 1
        shown.append(item)
    more = f"there are {errors - MAX_ERRORS} more errors; only the first {MAX_ERRORS} are shown"
    return (*shown, Diagnostic(Severity.ERROR, more))


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the cycle collector from walking a growing tree over and over: it costs more than all the rest."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
