"""Which file systems change without this kernel being told."""

from __future__ import annotations

import re
import time
from typing import Final

# On these another machine (or the host of a virtual one) can change a file, and inotify is silent about it.
# overlay is not among them: what is done inside the container passes through it and is reported.
_REMOTE_TYPES: Final = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
})  # fmt: skip
_MOUNTINFO: Final = "/proc/self/mountinfo"
_FRESH_S: Final = 1.0
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def parse_mountinfo(text: str) -> dict[str, str]:
    """Return mount point → file system type; of mounts on top of each other the last, which is on top."""
    mounts: dict[str, str] = {}
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if separator and len(fields) > 4:
            point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
            mounts[point] = kind
    return mounts


class MountTable:
    """The mounts that this process sees, read again when older than a second."""

    def __init__(self, path: str = _MOUNTINFO) -> None:
        self._path = path
        self._mounts: dict[str, str] = {}
        self._read_at = -_FRESH_S

    def remote_type(self, directory: str) -> str | None:
        """Return the type of the file system under the real path *directory* if it is a remote one."""
        now = time.monotonic()
        if now - self._read_at >= _FRESH_S:
            self._read_at = now
            try:
                with open(self._path, encoding="utf-8", errors="surrogateescape") as file:
                    self._mounts = parse_mountinfo(file.read())
            except OSError:  # no /proc: nothing is known to be remote
                self._mounts = {}
        place = directory
        while place not in self._mounts and place != "/":
            place = place.rpartition("/")[0] or "/"
        kind = self._mounts.get(place, "")
        return kind if kind in _REMOTE_TYPES or kind.startswith("fuse") else None
