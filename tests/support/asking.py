"""Asks an Answerer and reads the reply with dnspython, checking what holds for every reply."""

from __future__ import annotations

from collections.abc import Mapping

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from bindpy.answer.policy import AnswerPolicy, Outcome, Transport, ZonePolicy
from bindpy.zone import names
from tests.support.engines import make_engine, zone_of
from tests.support.zones import zone_from_text

DEFAULT_VIEW = "_default"


class Asker:
    """An Answerer of the engine that is tested with zones from text, and a client of it."""

    def __init__(
        self,
        zones: Mapping[str, str],
        policy: AnswerPolicy | None = None,
        zone_policy: ZonePolicy | None = None,
        *,
        default_ttl: int = 3600,
    ) -> None:
        self.policy = policy if policy is not None else AnswerPolicy()
        self.engine = make_engine()
        self.answerer = self.engine.answerer
        self.answerer.configure(self.policy)
        self.zone_policy = zone_policy if zone_policy is not None else ZonePolicy()
        self.default_ttl = default_ttl
        for origin, text in zones.items():
            self.publish(origin, text)

    def publish(self, origin: str, text: str, view: str = DEFAULT_VIEW) -> None:
        """Serve the zone that *text* describes."""
        zone = zone_from_text(origin, text, default_ttl=self.default_ttl)
        self.answerer.publish(view, zone_of(self.engine, zone), self.zone_policy)

    def unavailable(self, origin: str, reason: str) -> None:
        """Serve *origin* without data."""
        self.answerer.unavailable(DEFAULT_VIEW, names.from_text(origin), self.zone_policy, reason)

    def wire(
        self, query: bytes, client: str = "192.0.2.53", local: str = "192.0.2.1", *, tcp: bool = False
    ) -> bytes | Outcome:
        """Return what the Answerer makes of these octets."""
        return self.answerer.answer(query, client, local, Transport.TCP if tcp else Transport.UDP)

    def ask(
        self,
        qname: str,
        qtype: str = "A",
        *,
        rdclass: str = "IN",
        flags: str = "",
        edns: bool = False,
        do: bool = False,
        payload: int = 1232,
        options: list[dns.edns.Option] | None = None,
        version: int = 0,
        client: str = "192.0.2.53",
        local: str = "192.0.2.1",
        tcp: bool = False,
    ) -> Reply:
        """Ask; *flags* is text such as ``"RD CD"``. Every reply is checked against its query."""
        query = dns.message.make_query(dns.name.from_text(qname), qtype, rdclass, flags=0)
        query.flags = dns.flags.from_text(flags)
        if edns or do or options or version:
            query.use_edns(version, dns.flags.DO if do else 0, payload, options=options)
        octets = query.to_wire()
        answer = self.wire(octets, client, local, tcp=tcp)
        assert isinstance(answer, bytes), answer
        limit = 65535 if tcp else max(512, min(payload, self.policy.max_udp_size) if query.edns >= 0 else 512)
        assert len(answer) <= limit
        reply = dns.message.from_wire(answer, one_rr_per_rrset=True)
        assert reply.id == query.id
        assert answer[12 : 12 + len(octets[12:])].startswith(octets[12 : 12 + _question_octets(octets)])
        assert reply.flags & dns.flags.QR
        assert not reply.flags & (dns.flags.RA | dns.flags.AD)
        assert (reply.flags ^ query.flags) & (dns.flags.RD | dns.flags.CD) == 0
        assert (reply.edns >= 0) == (query.edns >= 0)
        return Reply(reply, len(answer))


def _question_octets(query: bytes) -> int:
    at = 12
    while query[at]:
        at += 1 + query[at]
    return at + 5 - 12


class Reply:
    """A reply in words: sections are lists of ``owner ttl type rdata`` in the order of the message."""

    def __init__(self, message: dns.message.Message, size_octets: int) -> None:
        self.message = message
        self.size_octets = size_octets
        self.rcode = dns.rcode.to_text(message.rcode())
        self.flags = set(dns.flags.to_text(message.flags).split()) - {"QR"}
        self.answer = _lines(message.answer)
        self.authority = _lines(message.authority)
        self.additional = _lines(message.additional)
        self.edes = [
            int(option.code) for option in message.options if option.otype == dns.edns.OptionType.EDE
        ]

    @property
    def aa(self) -> bool:
        """Whether the reply is authoritative."""
        return "AA" in self.flags

    @property
    def tc(self) -> bool:
        """Whether the reply is truncated."""
        return "TC" in self.flags

    def types(self, section: str) -> list[str]:
        """Return ``owner type`` of each RRset of a section, with the covered type of RRSIGs, sorted."""
        found = set()
        for rrset in getattr(self.message, section):
            rtype = dns.rdatatype.to_text(rrset.rdtype)
            covers = f"({dns.rdatatype.to_text(rrset.covers)})" if rrset.covers else ""
            found.add(f"{rrset.name} {rtype}{covers}")
        return sorted(found)

    def __repr__(self) -> str:
        return f"\n{self.message}\n"


def _lines(section: list[dns.rrset.RRset]) -> list[str]:
    return [f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rrset[0]}" for rrset in section]
