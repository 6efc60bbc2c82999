"""What an autoprimary must answer before a zone is taken from it."""

from __future__ import annotations

from collections.abc import Collection

from bindpy.deferred import dataclass
from bindpy.xfr.client import QueryTiming
from bindpy.xfr.failure import Stage, XferFailure, rcode_text
from bindpy.xfr.peers import Primary
from bindpy.xfr.soaquery import ask_primary, ask_version, records_at
from bindpy.xfr.wire import Question
from bindpy.zone.names import Key, Name, to_text
from bindpy.zone.records import IN, RRType

CHECK_TIMING = QueryTiming(udp_s=2.0, udp_attempts=2, connect_s=5.0, tcp_s=5.0)
"""Less patient than for zones that we have: anybody may make us ask."""

_MAX_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Provided:
    """A zone that a server has: its serial, and which of the wanted names is among its name servers."""

    serial: int
    nameserver: Key


async def ask_provider(
    primary: Primary, origin: Name, wanted: Collection[Key], timing: QueryTiming = CHECK_TIMING
) -> Provided:
    """Ask *primary* for the SOA and the NS RRset of *origin*, in class IN, which must hold one of *wanted*.

    With authority, and signed where *primary* has a key. Raises `XferFailure`.
    """
    version = await ask_version(primary, origin, IN, signed=False, try_tcp=True, timing=timing)
    question = Question(origin, RRType.NS, IN)
    answer = await ask_primary(primary, question, timing=timing)
    try:
        if answer.rcode:
            detail = f"answered {rcode_text(answer.rcode)} for the NS records"
            raise XferFailure(Stage.ANSWER, detail, rcode=answer.rcode)
        held = [rr[4] for rr in records_at(answer, question) if rr[1] == RRType.NS]
    except XferFailure as failure:
        raise failure.about(primary.text) from None
    found = next((name.lower() for name in held if name.lower() in wanted), None)
    if found is None:
        raise XferFailure(Stage.DATA, _not_among(held, wanted)).about(primary.text)
    return Provided(version.serial, found)


def _not_among(held: Collection[Name], wanted: Collection[Key]) -> str:
    ours = " or ".join(sorted(to_text(name) for name in wanted))
    if not held:
        return f"has no NS records for it, so that {ours} cannot be among them"
    shown = sorted(to_text(name) for name in held)
    more = f" and {len(shown) - _MAX_NAMES_SHOWN} more" if len(shown) > _MAX_NAMES_SHOWN else ""
    return f"does not have {ours} among its NS records ({', '.join(shown[:_MAX_NAMES_SHOWN])}{more})"
