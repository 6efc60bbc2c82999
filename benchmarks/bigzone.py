"""The zone of very many records: made once, and its versions, in which some records differ."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from benchmarks.reader import ORIGIN, zone_lines

SEED: Final = 20261122
RECORDS: Final = 1_000_000
FIRST_SERIAL: Final = 2026112201  # what `zone_lines` writes
CHANGED: Final = 10
"""So many records differ between two versions, beside the SOA."""


def changed_owner(number: int) -> str:
    """Return the owner of a record that differs, 0 to `CHANGED` - 1."""
    return f"changed{number}.{ORIGIN}"


def changed_address(serial: int) -> str:
    """Return the address that these owners have in version *serial*."""
    return f"192.0.2.{serial % 256}"


class BigZone:
    """About *records* mixed records (those of `reader.py`), in ``path`` as of `FIRST_SERIAL`.

    The file in *folder* is made if it is not there yet.
    """

    def __init__(self, folder: Path, records: int) -> None:
        self.records = records
        self.path = folder / f"zone-{records}.db"
        tail = _changed(FIRST_SERIAL)
        if not self.path.exists():
            fresh = self.path.with_suffix(".new")
            with fresh.open("w") as out:
                out.writelines(zone_lines(records, SEED, signed=False))
                out.write(tail)
            fresh.replace(self.path)
        made = self.path.read_bytes()[: -len(tail)]
        self._head, _, self._rest = made.partition(str(FIRST_SERIAL).encode())

    def write(self, path: Path, serial: int) -> None:
        """Write version *serial* to *path*, onto the disk.

        Else ext4 writes it when it is renamed over another, and shows nobody the new name before: that takes
        20 to 30 ms for this one, whatever the server does.
        """
        with path.open("wb") as out:
            out.writelines((self._head, str(serial).encode(), self._rest, _changed(serial).encode()))
            out.flush()
            os.fsync(out.fileno())


def _changed(serial: int) -> str:
    return "".join(f"{changed_owner(at)} A {changed_address(serial)}\n" for at in range(CHANGED))
