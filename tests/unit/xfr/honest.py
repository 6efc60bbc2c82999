"""A primary of ``example.com`` that does as a test says, and the versions that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from bindpy.zone import names
from bindpy.zone.diff import diff
from bindpy.zone.snapshot import ZoneSnapshot
from tests.faults.primary import Action, FaultyPrimary, Handler
from tests.support.zones import zone_from_text

ORIGIN = names.from_text("example.com.")


def version(serial: int, more: str = "") -> ZoneSnapshot:
    hosts = "".join(f"h{number} A 192.0.2.{number}\n" for number in range(serial % 100, 200))
    return zone_from_text(
        "example.com.", f"@ SOA ns h {serial} 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n{hosts}{more}"
    )


def rrsets(zone: ZoneSnapshot, rrs: Iterable[tuple[bytes, int, int, bytes]]) -> list[dns.rrset.RRset]:
    out = []
    for owner, rtype, ttl, rdata in rrs:
        value = dns.rdata.from_wire(1, rtype, rdata, 0, len(rdata))
        out.append(dns.rrset.from_rdata(names.to_text(owner), ttl, value))
    return out


class Honest(FaultyPrimary):
    """A primary of ``example.com`` with one version at a time; *asked* is what it was asked for."""

    def __init__(self, zone: ZoneSnapshot) -> None:
        super().__init__(self._handle)
        self.zone = zone
        self.before: ZoneSnapshot | None = None
        self.asked: list[str] = []
        self.refuses: set[str] = set()
        self.knows_edns = True
        self.expire_s: int | None = None
        self.instead: Handler | None = None
        self.instead_of_ixfr: Callable[[dns.message.Message], Iterable[Action]] | None = None

    def publish(self, zone: ZoneSnapshot) -> None:
        self.before, self.zone = self.zone, zone

    def _handle(self, packet: bytes, over_tcp: bool) -> Iterable[Action]:
        return (self.instead or self.answer)(packet, over_tcp)

    def answer(self, packet: bytes, over_tcp: bool) -> Iterable[Action]:
        """Answer as a primary should."""
        query = dns.message.from_wire(packet, one_rr_per_rrset=True)
        qtype = dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append(qtype)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        if query.edns >= 0 and self.expire_s is not None:
            reply.use_edns(0, options=[dns.edns.GenericOption(9, self.expire_s.to_bytes(4))])
        if query.edns >= 0 and not self.knows_edns:
            reply.use_edns(-1)
            reply.set_rcode(dns.rcode.FORMERR)
            return [reply.to_wire()]
        if qtype in self.refuses:
            reply.set_rcode(dns.rcode.REFUSED)
            return [reply.to_wire()]
        if qtype == "IXFR" and self.instead_of_ixfr is not None:
            return self.instead_of_ixfr(reply)
        records = list(self.zone.rrs())
        soa = records[:1]
        if qtype == "SOA":
            wanted = (6, 46) if query.ednsflags & dns.flags.DO else (6,)
            records = [rr for rr in records if rr.owner == ORIGIN and rr.rtype in wanted]
        elif qtype == "NS":
            records = [rr for rr in records if rr.owner == ORIGIN and rr.rtype == dns.rdatatype.NS]
        elif qtype == "IXFR":
            assert self.before is not None, "asked for IXFR without a version before"
            delta = diff(self.before, self.zone)
            records = [*soa, delta.old_soa, *delta.removed, delta.new_soa, *delta.added, *soa]
        else:
            records += soa
        reply.answer = rrsets(self.zone, records)
        return [reply.to_wire()]
