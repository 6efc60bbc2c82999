"""Who may provide zones: the entries of the configuration and of the files that it names, kept up to date."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from bindpy.config.autoprimaries_file import read_autoprimaries_file
from bindpy.config.model import Autoprimary, AutoprimaryFile, Options
from bindpy.deferred import dataclass
from bindpy.diagnostics import Severity
from bindpy.files import FileStamp

log = logging.getLogger("bindpy.config")

LOOK_EVERY_S = 1.0
"""How often, at most, the files are looked at; they are only when a NOTIFY asks for it."""


@dataclass(slots=True)
class _File:
    """A list and how its file was when it was last read, well or not; None: it was not there."""

    read: AutoprimaryFile
    stamp: FileStamp | None


class AutoprimaryList:
    """The autoprimaries by address. Belongs to the event loop."""

    def __init__(self, on_change: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        """*on_change* is called after a file brought other entries."""
        self._on_change = on_change
        self._clock = clock
        self._listed: tuple[Autoprimary, ...] = ()
        self._files: list[_File] = []
        self._entries: dict[str, list[Autoprimary]] = {}
        self._looked_at = float("-inf")
        self._reading = asyncio.Lock()

    def __bool__(self) -> bool:
        """Whether anybody is listed, or might be."""
        return bool(self._entries or self._files)

    def configure(self, options: Options) -> None:
        """Take over what named.conf says."""
        self._listed = options.autoprimaries
        self._files = [_File(one, one.stamp) for one in options.autoprimary_files]
        self._index()

    def of(self, address: str) -> list[Autoprimary]:
        """Return the entries of *address*, in their order."""
        return self._entries.get(address, [])

    async def look_at_files(self) -> None:
        """Read the files that were changed since they were last looked at; one in error changes nothing."""
        if not self._files or self._clock() < self._looked_at + LOOK_EVERY_S:
            return
        async with self._reading:
            self._looked_at = self._clock()
            files = self._files
            changed = [await self._look_at(file) for file in files]
            if any(changed) and files is self._files:
                self._index()
                self._on_change()

    async def _look_at(self, file: _File) -> bool:
        path = file.read.path
        stamp = await asyncio.to_thread(FileStamp.of, path)
        if stamp == file.stamp:
            return False
        file.stamp = stamp
        read, findings = await asyncio.to_thread(read_autoprimaries_file, path, file.read.port)
        for finding in findings:
            level = logging.ERROR if finding.severity is Severity.ERROR else logging.WARNING
            for line in finding.log_lines():
                log.log(level, "%s", line)
        if read is None:
            log.error("%s is in error: its autoprimaries stay as they were", path)
            return False
        before, file.read, file.stamp = file.read, read, read.stamp
        log.info("%s was changed: %d autoprimaries", path, len(read.entries))
        return before.entries != read.entries

    def _index(self) -> None:
        entries: defaultdict[str, list[Autoprimary]] = defaultdict(list)
        sources: list[Iterable[Autoprimary]] = [self._listed, *(file.read.entries for file in self._files)]
        for source in sources:
            for entry in source:
                entries[entry.address].append(entry)
        self._entries = dict(entries)
