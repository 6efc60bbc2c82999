"""Who is right? The peers vote on each aspect of an answer, except where a rule takes a vote away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import dns.flags
import dns.name
import dns.rcode

from tests.diff.replies import CNAME, NS, SOA, Record, Reply, Section
from tests.generate.names import is_below, text
from tests.generate.queries import Query
from tests.generate.zones import ZoneText

VOTERS = ("named", "nsd", "knot")
UDP_CAP = 1232  # the payload that all servers here are set to: DNS flag day 2020
EXCERPT_LINES = 40
NEARLY_FULL = 0.8  # above this share of the limit, one server's compression may save it from truncation


class ZoneFacts:
    """What the judge looks up in the zones' own text."""

    def __init__(self, zones: Sequence[ZoneText]) -> None:
        self.origins = {str(dns.name.from_text(text(z.origin)).canonicalize()) for z in zones}
        self._owned: dict[tuple[str, str], int] = {}
        self.in_parent: set[str] = set()
        for zone in zones:
            for rrset in zone.rrsets.values():
                owner = str(dns.name.from_text(text(rrset.owner)).canonicalize())
                self._owned[owner, rrset.rtype] = len(rrset.rdatas)
                if self.zone_of(owner) != str(dns.name.from_text(text(zone.origin)).canonicalize()):
                    self.in_parent |= {owner, *_ancestors(owner)}
        self.wildcards = {owner for owner, _ in self._owned if owner.startswith("*.")}
        self.dname_owners = {owner for owner, rtype in self._owned if rtype == "DNAME"}
        below = {ancestor for owner, _ in self._owned for ancestor in _ancestors(owner)}
        self.empty_wildcards = {name for name in below - self.wildcards if name.startswith("*.")}

    def count(self, owner: str, rtype: str) -> int:
        """Return the number of records at *owner* (no wildcard applied)."""
        return self._owned.get((owner, rtype), 0)

    def zone_of(self, name: str) -> str | None:
        """Return the origin of the zone that *name* is in, by longest match, or None."""
        return next((above for above in (name, *_ancestors(name)) if above in self.origins), None)

    def below_dname(self, name: str) -> bool:
        """Return whether a DNAME stands above *name*."""
        return any(above in self.dname_owners for above in _ancestors(name))

    def below_empty_wildcard(self, name: str) -> bool:
        """Return whether a wildcard that is an empty non-terminal is beside *name* or an ancestor of it."""
        return any(f"*.{above}" in self.empty_wildcards for above in _ancestors(name))


def _ancestors(name: str) -> list[str]:
    """Return the names above *name*, the root left out, nearest first."""
    out, at = [], dns.name.from_text(name).parent()
    while at != dns.name.root:
        out.append(str(at.canonicalize()))
        at = at.parent()
    return out


@dataclass(frozen=True)
class Case:
    """One query, the peers' answers and the facts to judge them by."""

    seed: int
    query: Query
    peers: Mapping[str, Reply]
    facts: ZoneFacts

    @property
    def qname(self) -> str:
        """The query's name as comparable text."""
        return str(dns.name.from_wire(self.query.qname, 0)[0].canonicalize())


@dataclass(frozen=True, slots=True)
class Rule:
    """A documented reason why some peers' votes on some aspects do not count in some cases.

    ``anchor`` is its heading in docs/differences-from-bind.md.
    """

    anchor: str
    peers: tuple[str, ...]
    aspects: tuple[str, ...]
    applies: Callable[[Case], bool]


def courtesy_ns(reply: Reply, facts: ZoneFacts) -> Section:
    """Return the apex NS RRset (and its RRSIGs) that a positive answer may carry in the authority section."""
    if not reply.answer:
        return frozenset()
    return frozenset(r for r in reply.authority if r.covers == NS and r.owner in facts.origins)


def _authority(reply: Reply, facts: ZoneFacts) -> Section:
    """Return the authority section without courtesies; the SOA's TTL is an aspect of its own."""
    needed = reply.authority - courtesy_ns(reply, facts)
    return frozenset(r._replace(ttl=0) if r.covers == SOA else r for r in needed)


ASPECTS: dict[str, Callable[[Reply, ZoneFacts], Hashable]] = {
    "rcode": lambda reply, _: reply.rcode,
    "flags": lambda reply, _: reply.flags & ~(dns.flags.AD | dns.flags.CD),
    "AD": lambda reply, _: reply.flags & dns.flags.AD,
    "CD": lambda reply, _: reply.flags & dns.flags.CD,
    "answer": lambda reply, _: reply.answer,
    "authority": _authority,
    "negative TTL": lambda reply, _: frozenset(r.ttl for r in reply.authority if r.covers == SOA),
    "courtesy NS": courtesy_ns,
    "additional": lambda reply, _: reply.additional,
}


FIT_ALWAYS = {"rcode", "flags", "AD", "CD"}
"""What is compared even where something was truncated, if the peers agree about it."""

OPTIONAL = ("courtesy NS", "additional")
"""What is compared with BIND only, and only where the rest of BIND's answer is like ours."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with an answer."""

    aspect: str
    message: str


def votes(case: Case, aspect: str, rules: Sequence[Rule]) -> dict[str, Hashable]:
    """Return what each peer whose vote counts has for *aspect*."""
    excluded = {p for r in rules if aspect in r.aspects and r.applies(case) for p in r.peers}
    return {name: ASPECTS[aspect](case.peers[name], case.facts) for name in VOTERS if name not in excluded}


def winners(cast: Mapping[str, Hashable]) -> list[Hashable]:
    """Return the plurality of the votes; in a tie BIND's, or each of the best where BIND does not vote."""
    ranking = Counter(cast.values()).most_common()
    best = [value for value, count in ranking if count == ranking[0][1]]
    return [cast["named"]] if cast.get("named") in best and "named" in cast else best


def judge(case: Case, ours: Reply, rules: Sequence[Rule]) -> list[Finding]:
    """Return all that is wrong with *ours*, nothing when it is right."""
    findings: list[Finding] = []
    truncated = [name for name in VOTERS if case.peers[name].truncated]
    for aspect, of in ASPECTS.items():
        if aspect in OPTIONAL and findings:
            break
        cast = votes(case, aspect, rules)
        if aspect in OPTIONAL and not _alike(case.peers["named"], ours, case.facts):
            continue
        if not cast:
            continue  # no peer can tell
        if (ours.truncated or truncated) and (aspect not in FIT_ALWAYS or len(set(cast.values())) > 1):
            continue  # each may have stopped at another place, also inside a chain of aliases
        if aspect == "additional" and _nearly_full(case, ours):
            continue  # what is added last depends on how well the rest was compressed
        want, have = winners(cast), of(ours, case.facts)
        if have not in want:
            findings.append(Finding(aspect, _difference(aspect, want[0], have)))
    if not ours.truncated and not truncated:
        findings += _missing_glue(case, ours)
    return findings + _truncation(case, ours, truncated) + _form(case, ours)


def _alike(one: Reply, other: Reply, facts: ZoneFacts) -> bool:
    decided = [of for aspect, of in ASPECTS.items() if aspect not in OPTIONAL]
    return all(of(one, facts) == of(other, facts) for of in decided)


def _form(case: Case, ours: Reply) -> list[Finding]:
    """Check what no vote is needed for: question as sent, size, repeated records, foreign additional data."""
    findings = []
    sent = case.query.qname + case.query.qtype.to_bytes(2, "big") + b"\0\1"
    if ours.question != sent:
        findings.append(Finding("question", f"sent {sent!r}, returned {ours.question!r}"))
    if len(ours.wire) > case.query.size_limit:
        findings.append(Finding("size", f"{len(ours.wire)} octets, the client takes {case.query.size_limit}"))
    if ours.repeated:
        findings.append(Finding("repeated", f"records more than once: {[str(r) for r in ours.repeated]}"))
    named = case.peers["named"]
    if (ours.edns is None) != (named.edns is None) or (ours.edns and named.edns and ours.edns != named.edns):
        findings.append(Finding("edns", f"expected {named.edns}, got {ours.edns}"))
    foreign = [r for r in ours.additional if not _in_zones(case, r)]
    if foreign:
        findings.append(Finding("foreign data", f"not in any zone: {[str(r) for r in foreign]}"))
    return findings


def _in_zones(case: Case, record: Record) -> bool:
    rtype = {1: "A", 5: "CNAME", 28: "AAAA"}.get(record.covers)
    if rtype is None:
        return record.covers in {33, 64, 65}  # SRV behind NAPTR, SVCB and HTTPS in alias mode
    if case.facts.count(record.owner, rtype):
        return True
    return any(record.owner.endswith(w[1:]) for w in case.facts.wildcards)


def _missing_glue(case: Case, ours: Reply) -> list[Finding]:
    """Check that a referral holds all glue for in-domain name servers (RFC 9471 section 3.1)."""
    if not ours.is_referral:
        return []
    missing = []
    for ns in [r for r in ours.authority if r.rtype == NS]:
        target = dns.name.from_wire(ns.rdata, 0)[0]
        key = str(target.canonicalize())
        if not target.is_subdomain(dns.name.from_text(ns.owner)):
            continue
        for rtype, number in (("A", 1), ("AAAA", 28)):
            have = sum(1 for r in ours.additional if r.owner == key and r.rtype == number)
            if have < case.facts.count(key, rtype):
                missing.append(f"{key} {rtype}")
    return [Finding("glue", f"missing: {', '.join(missing)}")] if missing else []


def _nearly_full(case: Case, *more: Reply) -> bool:
    limit = case.query.size_limit if case.query.tcp else min(case.query.size_limit, UDP_CAP)
    return any(len(reply.wire) > NEARLY_FULL * limit for reply in (*case.peers.values(), *more))


def _truncation(case: Case, ours: Reply, truncated: list[str]) -> list[Finding]:
    if case.query.tcp and ours.truncated:
        return [Finding("truncation", "TC over TCP")]
    if ours.truncated and not truncated and not _nearly_full(case):
        biggest = max(len(peer.wire) for peer in case.peers.values())
        return [Finding("truncation", f"TC, but the peers' biggest answer has {biggest} octets")]
    if not ours.truncated and len(truncated) == len(VOTERS):
        parts = frozenset[Record]().union(*(case.peers[name].answer for name in truncated))
        if not parts <= ours.answer:
            return [Finding("truncation", "no TC, but less in the answer than the peers' truncated ones")]
    return []


def _difference(aspect: str, want: Hashable, have: Hashable) -> str:
    if isinstance(want, frozenset) and isinstance(have, frozenset):
        lines = [f"  - {record}" for record in sorted(want - have)]
        lines += [f"  + {record}" for record in sorted(have - want)]
        return "expected (-), got (+):\n" + "\n".join(lines)
    if aspect == "rcode" and isinstance(want, int) and isinstance(have, int):
        words = [dns.rcode.to_text(dns.rcode.Rcode(value)) for value in (want, have)]
        return f"expected {words[0]}, got {words[1]}"
    if isinstance(want, int) and isinstance(have, int):
        return f"expected {dns.flags.to_text(want)}, got {dns.flags.to_text(have)}"
    return f"expected {want!r}, got {have!r}"


def chain_end(reply: Reply, qname: str) -> tuple[str, int]:
    """Return the name that the CNAMEs of the answer lead to from *qname*, and the number of steps."""
    targets = {r.owner: dns.name.from_wire(r.rdata, 0)[0] for r in reply.answer if r.rtype == CNAME}
    name, steps = qname, 0
    while name in targets and steps <= len(targets):
        name, steps = str(targets[name].canonicalize()), steps + 1
    return name, steps


def excerpt(zones: Sequence[ZoneText], case: Case, replies: Sequence[Reply]) -> str:
    """Return the zone lines that matter: the names that occur, their ancestors, and what is just below."""
    seen = {case.qname}
    for reply in replies:
        for record in (*reply.answer, *reply.authority, *reply.additional):
            seen.add(record.owner)
            if record.rtype in {CNAME, NS}:
                seen.add(str(dns.name.from_wire(record.rdata, 0)[0].canonicalize()))
    wanted = [tuple(name.rstrip(".").split(".")) for name in seen]
    lines = []
    for zone in zones:
        for rrset in zone.rrsets.values():
            key = tuple(text(rrset.owner).lower().rstrip(".").split("."))
            bare = key[1:] if key[0] == "*" else key
            near = any(key == w or is_below(w, bare) for w in wanted)
            if near and (key != zone.origin or rrset.rtype in {"SOA", "NS"}):
                lines += [f"{text(rrset.owner)} {rrset.ttl} {rrset.rtype} {v[:80]}" for v in rrset.rdatas[:3]]
    return "\n".join(list(dict.fromkeys(lines))[:EXCERPT_LINES])
