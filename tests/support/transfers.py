"""Messages of transfers as a primary sends them, made from zones; written apart from bindpy's own writer."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise

from bindpy.zone.diff import Delta, diff, soa_record
from bindpy.zone.names import Name
from bindpy.zone.records import RR, RRType
from bindpy.zone.snapshot import ZoneSnapshot

AXFR, IXFR = int(RRType.AXFR), int(RRType.IXFR)


def message(
    records: Iterable[RR],
    *,
    message_id: int = 0,
    flags: int = 0x8400,
    question: tuple[Name, int, int] | None = None,
    rdclass: int = 1,
) -> bytes:
    """Return an answer with *records*; nothing is compressed."""
    answer = [
        rr.owner + struct.pack("!HHIH", rr.rtype, rdclass, rr.ttl, len(rr.rdata)) + rr.rdata for rr in records
    ]
    asked = question[0] + struct.pack("!HH", *question[1:]) if question is not None else b""
    head = struct.pack("!6H", message_id, flags, int(question is not None), len(answer), 0, 0)
    return head + asked + b"".join(answer)


def axfr_records(zone: ZoneSnapshot) -> list[RR]:
    """Return the records of an AXFR, the SOA first and last."""
    return [*zone.rrs(), soa_record(zone)]


def delta_records(delta: Delta) -> list[RR]:
    """Return the records of one delta, its SOAs as marks."""
    return [delta.old_soa, *delta.removed, delta.new_soa, *delta.added]


def ixfr_records(versions: Sequence[ZoneSnapshot]) -> list[RR]:
    """Return the records of an IXFR from the first of *versions* to the last, step by step."""
    last = soa_record(versions[-1])
    steps = [delta_records(diff(a, b)) for a, b in pairwise(versions)]
    return [last, *[rr for step in steps for rr in step], last]
