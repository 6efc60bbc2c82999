"""What the file system says about a file, to notice that it changed."""

from __future__ import annotations

import os
from typing import NamedTuple


class FileStamp(NamedTuple):
    """Enough of `os.stat` to tell that a file is another one or was written to (times in nanoseconds)."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: str) -> FileStamp | None:
        """Return the stamp of what *path* leads to (links followed), None when there is nothing to stat."""
        try:
            stat = os.stat(path)  # noqa: PTH116 - called for 100,000 files
        except OSError:
            return None
        return cls.of_stat(stat)

    @classmethod
    def of_stat(cls, stat: os.stat_result) -> FileStamp:
        """Return the stamp that *stat* holds."""
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
