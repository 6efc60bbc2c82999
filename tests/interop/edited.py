"""A random zone in a file that a test edits again and again."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.generate import rdata
from tests.generate.names import Labels, labels, text
from tests.generate.zones import RRsetText, ZoneMaker

MOTIFS = 12
EDITED_TYPES = ("A", "AAAA", "TXT", "MX", "CAA", "SRV")
"""What edits touch: types whose coming and going leaves the zone good, whatever else is in it."""

UNREADABLE_BY_PDNS = ("TYPE65280", "TYPE731")
"""PowerDNS 4.7 writes unknown types into a zone file that its bind backend then cannot read back.

So it does with names that need a backslash: it leaves it out before semicolons and parentheses.
"""


class EditedZone:
    """The zone and its file; the same *seed* makes the same zone and the same edits.

    *for_pdns* leaves out what PowerDNS' bind backend cannot read back.
    """

    def __init__(
        self,
        seed: object,
        origin: str,
        path: Path,
        *,
        for_pdns: bool = False,
        motifs: int = MOTIFS,
    ) -> None:
        self.origin = origin
        self.path = path
        self._for_pdns = for_pdns
        self._rng = random.Random(f"{seed} {origin}")
        self._maker = ZoneMaker(self._rng, labels(origin))
        self._maker.apex()
        self._maker.fill(motifs)
        self._drop_unreadable()
        self._write()

    @property
    def serial(self) -> int:
        """The serial that the file has now."""
        return int(self._soa().rdatas[0].split()[2])

    def edit(self) -> int:
        """Make one to three random changes, raise the serial, write the file; return the new serial."""
        for _ in range(self._rng.randrange(1, 4)):
            self._rng.choice(self._changes())()
        self._drop_unreadable()
        fields = self._soa().rdatas[0].split()
        fields[2] = str((int(fields[2]) + 1) % 2**32)  # RFC 1982: zero follows the highest
        self._soa().rdatas[0] = " ".join(fields)
        self._write()
        return self.serial

    def _soa(self) -> RRsetText:
        zone = self._maker.zone
        return zone.rrsets[(zone.origin, "SOA")]

    def _drop_unreadable(self) -> None:
        if not self._for_pdns:
            return
        rrsets = self._maker.zone.rrsets
        for (owner, rtype), rrset in list(rrsets.items()):
            if rtype != "TXT":
                rrset.rdatas = [value for value in rrset.rdatas if "\\" not in value]
            if rtype in UNREADABLE_BY_PDNS or not rrset.rdatas or any("\\" in label for label in owner):
                del rrsets[(owner, rtype)]
        for owner, rtype in list(rrsets):
            if rtype == "DS" and (owner, "NS") not in rrsets:
                del rrsets[(owner, rtype)]

    def _write(self) -> None:
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.write_text(self._maker.zone.to_text())
        fresh.replace(self.path)

    # --- changes

    def _changes(self) -> list[Callable[[], object]]:
        changes: list[Callable[[], object]] = [self._maker.host, self._maker.plain, self._maker.pointers]
        if self._editable():
            changes += [self._remove, self._remove, self._replace, self._change_ttl]
        return changes

    def _editable(self) -> list[tuple[tuple[Labels, str], RRsetText]]:
        zone = self._maker.zone
        servers = zone.rrsets[(zone.origin, "NS")].rdatas  # BIND insists on their addresses
        return [
            (key, rrset)
            for key, rrset in zone.rrsets.items()
            if rrset.rtype in EDITED_TYPES and text(rrset.owner) not in servers
        ]

    def _remove(self) -> None:
        """Remove one record, and the RRset with its last one."""
        key, rrset = self._rng.choice(self._editable())
        rrset.rdatas.remove(self._rng.choice(rrset.rdatas))
        if not rrset.rdatas:
            del self._maker.zone.rrsets[key]

    def _replace(self) -> None:
        """Put other records into an RRset."""
        _, rrset = self._rng.choice(self._editable())
        make = rdata.PLAIN.get(rrset.rtype)
        if make is not None:
            rrset.rdatas = list(dict.fromkeys(make(self._rng) for _ in range(self._rng.randrange(1, 4))))

    def _change_ttl(self) -> None:
        _, rrset = self._rng.choice(self._editable())
        rrset.ttl = self._maker.ttl()
