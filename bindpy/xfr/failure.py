"""Why an exchange with another server came to nothing: values for callers to choose by and people to read."""

from __future__ import annotations

import enum
from typing import Self

from bindpy.diagnostics import BindpyError

_RCODES = (
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
    "NOTAUTH", "NOTZONE",
)  # fmt: skip
_BADVERS = 16


def rcode_text(rcode: int) -> str:
    """Return the name of *rcode* (RFC 6895 section 2.3), or ``RCODE n``."""
    if rcode == _BADVERS:
        return "BADVERS"
    return _RCODES[rcode] if rcode < len(_RCODES) else f"RCODE {rcode}"


_SERVFAIL, _REFUSED, _NOTAUTH = 2, 5, 9
_NO_DATA = {
    _SERVFAIL: "it has no good data of the zone",
    _NOTAUTH: "it does not serve the zone",
}


def soa_refusal(rcode: int) -> str:
    """Return a clause on a primary that answered a SOA query with *rcode*, and what to look at."""
    return _refusal(
        rcode, _NO_DATA | {_REFUSED: "it does not serve the zone, or not to us: see its allow-query"}
    )


def transfer_refusal(rcode: int) -> str:
    """Return a clause on a primary that answered a transfer request with *rcode*, and what to look at."""
    return _refusal(rcode, _NO_DATA | {_REFUSED: "it does not give us the zone: see its allow-transfer"})


def _refusal(rcode: int, meanings: dict[int, str]) -> str:
    meaning = meanings.get(rcode)
    return f"answered {rcode_text(rcode)}" + (f": {meaning}" if meaning else "")


class Stage(enum.Enum):
    """How far an exchange had come."""

    CONNECT = "connect"  # no connection, or no socket with the wanted source address
    WAIT = "wait"  # no answer, or no more of it, in time, or the peer went away
    ANSWER = "answer"  # an answer that says no, or is none to our question
    TSIG = "tsig"  # signatures
    DATA = "data"  # records that are no version of the zone, or no next version of ours
    SERIAL = "serial"  # a version that is older than what was asked for
    LIMIT = "limit"  # more records or octets, or a longer time, than we allow
    FILTER = "filter"  # the Lua script cannot be used, or failed
    STORE = "store"  # the zone's file could not be written


class XferFailure(BindpyError):  # noqa: N818 (a value as much as an exception)
    """An exchange with *peer* about *zone* that failed at *stage*.

    ``detail`` is a clause whose subject is the peer ("closed the connection …"). ``rcode`` is the answer's
    where that is what failed, else None. The counts are of what had come until then. ``peer`` and ``zone``
    are for people ("192.0.2.1#53", "example.com"); empty until `about` is told.
    """

    def __init__(self, stage: Stage, detail: str, *, rcode: int | None = None) -> None:
        super().__init__(detail)
        self.stage = stage
        self.detail = detail
        self.rcode = rcode
        self.peer = ""
        self.zone = ""
        self.messages = 0
        self.records = 0
        self.octets = 0

    def about(self, peer: str, zone: str = "") -> Self:
        """Say with whom, and about which zone; what is known already stays."""
        self.peer = self.peer or peer
        self.zone = self.zone or zone
        return self

    def after(self, messages: int, records: int, octets: int) -> Self:
        """Say how much had come."""
        self.messages, self.records, self.octets = messages, records, octets
        return self

    def __str__(self) -> str:
        text = f"{self.peer} {self.detail}" if self.peer else self.detail
        if not self.records:
            return text
        counted = [
            _counted(self.messages, "message"),
            _counted(self.records, "record"),
            _counted(self.octets, "octet"),
        ]
        return f"{text} (after {', '.join(counted)})"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
