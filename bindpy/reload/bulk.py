"""What makes the first reading of very many zones cheap."""

from __future__ import annotations

from collections.abc import Callable

from bindpy.deferred import dataclass
from bindpy.engine import ManyFilesReader
from bindpy.files import FileStamp
from bindpy.reload.table import ZoneId


@dataclass(frozen=True, slots=True)
class Bulk:
    """A reader of many files at once, and a watcher that need not look at them.

    *expect_file* is told of a zone's file before it is read, *file_read* afterwards how it was then, with
    what *expect_file* has returned, if it is no symbolic link: what happens in between is an event. Of all
    other files the watcher is told when they have been read, and looks at them once more.
    """

    read_files: ManyFilesReader
    expect_file: Callable[[ZoneId, str], object]
    file_read: Callable[[ZoneId, str, FileStamp | None, object], None]
