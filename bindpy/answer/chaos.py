"""Class CHAOS: what a server tells about itself (RFC 4892 and BIND's ``version.bind`` and its kin)."""

from __future__ import annotations

from typing import Final

from bindpy.answer.policy import AnswerPolicy
from bindpy.answer.query import Query, Rcode
from bindpy.answer.response import Response
from bindpy.zone.names import Key, Name, from_text
from bindpy.zone.records import RRset, RRType

_VERSION: Final[Key] = from_text("version.bind.")
_HOSTNAME: Final[Key] = from_text("hostname.bind.")
_ID: Final[Key] = from_text("id.server.")

_SOA_NUMBERS: Final = (0, 28800, 7200, 604800, 86400)
_SOA_TTL: Final = 86400
_MAX_STRING_OCTETS: Final = 255


class ChaosZones:
    """The names of class CHAOS that are answered: each a zone of its own, as in BIND.

    A text that is not set has no zone, so that asking for it is refused.
    """

    __slots__ = ("_zones",)

    def __init__(self, policy: AnswerPolicy) -> None:
        texts = {_VERSION: policy.version, _HOSTNAME: policy.hostname, _ID: policy.server_id}
        self._zones = {name: _zone(name, text) for name, text in texts.items() if text is not None}

    def respond(self, query: Query) -> Response:
        """Return the response to *query*, of class CHAOS."""
        response = Response(dnssec_ok=False)
        rrsets = self._zones.get(query.key)
        if rrsets is None:
            response.rcode = Rcode.REFUSED
            return response
        response.authoritative = True
        for rrset in rrsets:
            if query.qtype in (rrset.rtype, RRType.ANY):
                response.add_answer(query.qname, rrset)
        if not response.answer:
            response.add_authority(query.key, rrsets[-1])
        return response


def _zone(name: Name, text: str) -> tuple[RRset, ...]:
    """Return the TXT, NS and SOA RRsets of *name*."""
    octets = text.encode("utf-8")
    strings = [octets[i : i + _MAX_STRING_OCTETS] for i in range(0, len(octets), _MAX_STRING_OCTETS)] or [b""]
    txt = b"".join([b"%c%s" % (len(string), string) for string in strings])
    numbers = b"".join([number.to_bytes(4, "big") for number in _SOA_NUMBERS])
    soa = name + b"\x0ahostmaster" + name + numbers
    return (
        RRset(RRType.TXT, 0, (txt,)),
        RRset(RRType.NS, 0, (name,)),
        RRset(RRType.SOA, _SOA_TTL, (soa,)),
    )
