"""What the file system says about a file, to notice that it changed."""

from __future__ import annotations

import os
import struct
from typing import Final

_FIELDS: Final = struct.Struct("=QQQqq")
_TIMES: Final = range(-(1 << 63), 1 << 63)


class FileStamp(bytes):
    """Enough of `os.stat` to tell that a file is another one or was written to (times in nanoseconds).

    Its fields are in 40 octets, as there may be 100,000. A time beyond the year 2262 is the last one before.
    """

    __slots__ = ()

    def __new__(cls, device: int, inode: int, size: int, mtime_ns: int, ctime_ns: int) -> FileStamp:
        """Return the stamp that has these fields."""
        try:
            octets = _FIELDS.pack(device, inode, size, mtime_ns, ctime_ns)
        except struct.error:
            times = [min(max(time_ns, _TIMES[0]), _TIMES[-1]) for time_ns in (mtime_ns, ctime_ns)]
            octets = _FIELDS.pack(device, inode, size, *times)
        return super().__new__(cls, octets)

    @property
    def fields(self) -> tuple[int, int, int, int, int]:
        """Device, inode, size, and when it was written to and changed."""
        fields: tuple[int, int, int, int, int] = _FIELDS.unpack(self)
        return fields

    @property
    def touched_ns(self) -> int:
        """When it was written to or anything of it changed, whichever was last."""
        _, _, _, mtime_ns, ctime_ns = _FIELDS.unpack(self)
        last_ns: int = mtime_ns if mtime_ns > ctime_ns else ctime_ns
        return last_ns

    @property
    def size(self) -> int:
        """How many octets the file has."""
        size: int = _FIELDS.unpack(self)[2]
        return size

    @property
    def mtime_ns(self) -> int:
        """When it was written to."""
        time_ns: int = _FIELDS.unpack(self)[3]
        return time_ns

    @property
    def ctime_ns(self) -> int:
        """When anything of it changed."""
        time_ns: int = _FIELDS.unpack(self)[4]
        return time_ns

    def __repr__(self) -> str:
        return f"FileStamp{_FIELDS.unpack(self)}"

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
