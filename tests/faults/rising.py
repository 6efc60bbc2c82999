"""Zones whose serials rise all the time: every record tells its serial, so a mixture of versions shows."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Mapping

from bindpy.xfr.wire import read_message
from bindpy.zone import names
from bindpy.zone.records import RR, RRType, Soa
from bindpy.zone.snapshot import ZoneSnapshot
from tests.faults.primary import Action, FaultyPrimary
from tests.support.transfers import AXFR, IXFR, message

_SOA_TIMES = struct.pack("!4I", 3600, 900, 604800, 60)
_RECORDS_PER_MESSAGE = 150


class RisingZone:
    """The versions of one zone: an SOA, an NS, its address, and *hosts* TXT records with the serial."""

    def __init__(self, name: str, hosts: int) -> None:
        self.name = name
        self.origin = names.from_text(name)
        self._host = names.from_text(f"ns.{name}")
        self._owners = [names.from_text(f"h{number}.{name}") for number in range(hosts)]

    def soa(self, serial: int) -> RR:
        """Return the SOA of the version *serial*."""
        rdata = self._host + names.from_text(f"host.{self.name}") + struct.pack("!I", serial) + _SOA_TIMES
        return RR(self.origin, RRType.SOA, 60, rdata)

    def records(self, serial: int) -> list[RR]:
        """Return all records of the version *serial*."""
        return [self.soa(serial), *self._lasting(), *self._texts(serial)]

    def ixfr(self, old: int, new: int) -> list[RR]:
        """Return an IXFR from *old* to *new*, in which every TXT changes."""
        last = self.soa(new)
        return [last, self.soa(old), *self._texts(old), last, *self._texts(new), last]

    def whole_serial(self, zone: ZoneSnapshot) -> int:
        """Return the serial of *zone*, which must be exactly one of the versions."""
        assert sorted(zone.rrs()) == sorted(self.records(zone.serial)), f"{self.name} is torn"
        return zone.serial

    def _lasting(self) -> list[RR]:
        address = RR(self._host, RRType.A, 60, bytes((192, 0, 2, 1)))
        return [RR(self.origin, RRType.NS, 60, self._host), address]

    def _texts(self, serial: int) -> list[RR]:
        text = str(serial).encode()
        rdata = bytes((len(text),)) + text
        return [RR(owner, RRType.TXT, 60, rdata) for owner in self._owners]


class RisingPrimary(FaultyPrimary):
    """An honest primary of *zones* by origin; ``serials`` are the newest versions, ``sent`` those that some
    transfer has brought, or begun to, and ``transfers`` how many there were."""

    def __init__(self, zones: Mapping[bytes, RisingZone], rng: random.Random) -> None:
        super().__init__(self._answer)
        self._zones = zones
        self.rng = rng
        self.serials = dict.fromkeys(zones, 1)
        self.sent = dict.fromkeys(zones, 0)
        self.transfers = 0

    def _answer(self, request: bytes, over_tcp: bool) -> Iterable[Action]:
        asked = read_message(request)
        assert asked.question is not None
        origin, qtype = asked.question.name, asked.question.rtype
        zone, serial = self._zones[origin], self.serials[origin]
        question = (origin, qtype, 1)
        if qtype == RRType.SOA:
            return [message([zone.soa(serial)], message_id=asked.id, question=question)]
        assert over_tcp
        assert qtype in (AXFR, IXFR)
        self.transfers += 1
        self.sent[origin] = serial
        if qtype == IXFR and self.rng.random() < 0.5:
            records = zone.ixfr(Soa.from_rdata(asked.authority[0][4]).serial, serial)
        else:
            records = [*zone.records(serial), zone.soa(serial)]
        parts = range(0, len(records), _RECORDS_PER_MESSAGE)
        return [
            message(records[at : at + _RECORDS_PER_MESSAGE], message_id=asked.id, question=question)
            for at in parts
        ]
