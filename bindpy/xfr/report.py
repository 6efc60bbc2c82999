"""What is told of a transfer in, while it goes on and afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

from bindpy.deferred import dataclass
from bindpy.xfr.incoming import Incoming


@dataclass(frozen=True, slots=True)
class TransferReport:
    """A transfer that went well. ``how`` is "AXFR", "IXFR" or "up to date"; ``ended_at`` is `time.time`'s."""

    primary: str
    how: str
    serial: int
    messages: int
    records: int
    octets: int
    seconds: float
    ended_at: float

    @classmethod
    def of(cls, primary: str, incoming: Incoming, seconds: float) -> TransferReport:
        """Return the report on *incoming*, which is complete now and took *seconds*."""
        assert incoming.style is not None, "complete without having begun"
        progress = incoming.progress
        return cls(
            primary,
            incoming.style.value,
            incoming.serial,
            progress.messages,
            progress.records,
            progress.octets,
            seconds,
            time.time(),
        )


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A transfer that goes on: how much has come from which primary."""

    primary: str
    records: int
    octets: int


OnBegin: TypeAlias = Callable[[str, Incoming], None]
"""Told of each transfer that begins: the primary, and what it comes into."""
