"""Random zones with everything that makes an answer interesting.

A zone is a heap of *motifs*: a wildcard, an empty non-terminal, a delegation with one of the kinds of glue, a
CNAME chain… Each motif finds itself a place among the names that are there, so that they nest.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.generate import rdata
from tests.generate.names import Labels, below, is_below, key, text

TTLS = (0, 60, 300, 3600, 86400)
OUTSIDE: tuple[Labels, ...] = (
    ("www", "outside", "example"), ("nowhere", "invalid"), ("test",), ("ns", "elsewhere", "example"),
)  # fmt: skip


@dataclass(slots=True)
class RRsetText:
    """One RRset as presentation text."""

    owner: Labels
    rtype: str
    ttl: int
    rdatas: list[str]


@dataclass(slots=True)
class ZoneText:
    """A zone: its RRsets, and the names that queries should know about."""

    origin: Labels
    rrsets: dict[tuple[Labels, str], RRsetText] = field(default_factory=dict)
    cuts: list[Labels] = field(default_factory=list)
    dnames: list[Labels] = field(default_factory=list)

    def add(self, owner: Labels, rtype: str, ttl: int, *rdatas: str) -> None:
        """Add records; those of an RRset that is there take its TTL."""
        rrset = self.rrsets.setdefault((key(owner), rtype), RRsetText(owner, rtype, ttl, []))
        rrset.rdatas += [r for r in dict.fromkeys(rdatas) if r not in rrset.rdatas]

    def types(self, owner: Labels) -> set[str]:
        """Return the types that *owner* has."""
        return {rtype for name, rtype in self.rrsets if name == key(owner)}

    def owners(self) -> list[Labels]:
        """Return every owner name once, in the order of creation."""
        return list(dict.fromkeys(rrset.owner for rrset in self.rrsets.values()))

    def to_text(self) -> str:
        """Return the zone file, one absolute record a line."""
        return "".join(
            f"{text(rrset.owner)} {rrset.ttl} IN {rrset.rtype} {value}\n"
            for rrset in self.rrsets.values()
            for value in rrset.rdatas
        )


class ZoneMaker:
    """Makes one zone. *others* are names of other zones, to point at."""

    def __init__(self, rng: random.Random, origin: Labels, others: Sequence[Labels] = ()) -> None:
        self.rng = rng
        self.zone = ZoneText(origin)
        self.others = tuple(others)

    # --- places and targets

    def ttl(self) -> int:
        """Return a TTL."""
        return self.rng.choice(TTLS)

    def covered(self, name: Labels) -> bool:
        """Return whether *name* is below a cut or a DNAME, where no data of the zone may be."""
        return any(is_below(name, top) for top in (*self.zone.cuts, *self.zone.dnames))

    def place(self, depth: int | None = None) -> Labels:
        """Return a name for ordinary data, often below a name that exists."""
        while True:
            parent = self.rng.choice(self.zone.owners()) if self.rng.random() < 0.6 else self.zone.origin
            name = below(self.rng, parent, depth)
            taken = self.zone.types(name)
            if "*" in name and self.rng.random() < 0.7:
                continue
            if not taken & {"CNAME", "NS", "DNAME"} and not self.covered(name) and name != parent:
                return name

    def fresh(self) -> Labels:
        """Return a name that has no data, and nothing below it: for a CNAME, a cut or a DNAME."""
        while True:
            name = self.place()
            if not self.zone.types(name) and not any(is_below(o, name) for o in self.zone.owners()):
                return name

    def free(self) -> Labels:
        """Return a name without data; it may be an empty non-terminal."""
        while self.zone.types(name := self.place()):
            pass
        return name

    def target(self) -> Labels:
        """Return a name to point at, of any kind: in the zone or not, existing or not, below a cut…"""
        rng, zone = self.rng, self.zone
        kind = rng.randrange(10)
        if kind <= 4:
            return rng.choice(zone.owners())
        if kind == 5:
            return below(rng, rng.choice(zone.owners()))
        if kind == 6 and zone.cuts:
            return below(rng, rng.choice(zone.cuts), 1)
        if kind == 7 and zone.dnames:
            return below(rng, rng.choice(zone.dnames), 1)
        if kind == 8 and self.others:
            other = rng.choice(self.others)
            return other if rng.random() < 0.7 else below(rng, other, 1)
        return rng.choice(OUTSIDE)

    def target_text(self) -> str:
        """Return `target` in absolute presentation form; an asterisk label as it is."""
        return text(self.target())

    # --- motifs

    def apex(self) -> None:
        """SOA, NS of several kinds, and often more types."""
        rng, zone, origin = self.rng, self.zone, self.zone.origin
        minimum = rng.choice((0, 30, 900, 86400))
        people = f"{text(('ns1', *origin))} {text(('hostmaster', *origin))}"
        soa = f"{people} {rng.randrange(1, 2**32)} 3600 600 86400 {minimum}"
        zone.add(origin, "SOA", rng.choice((60, 3600)), soa)
        servers = [("ns1", *origin)]
        if rng.random() < 0.5:
            servers.append(("ns2", "deep", *origin))
        if rng.random() < 0.3:
            servers.append(rng.choice(OUTSIDE))
        zone.add(origin, "NS", self.ttl(), *[text(s) for s in servers])
        for server in servers[: 2 if len(servers) > 1 else 1]:
            if server not in OUTSIDE:
                zone.add(server, "A", self.ttl(), rdata.a(rng))
                if rng.random() < 0.5:
                    zone.add(server, "AAAA", self.ttl(), rdata.aaaa(rng))
        for rtype in rng.sample(sorted(rdata.PLAIN), rng.randrange(4)):
            zone.add(origin, rtype, self.ttl(), rdata.PLAIN[rtype](rng))

    def plain(self) -> None:
        """A name with one to four types."""
        name = self.place()
        for rtype in self.rng.sample(sorted(rdata.PLAIN), self.rng.randrange(1, 5)):
            for _ in range(self.rng.choice((1, 1, 2, 3))):
                self.zone.add(name, rtype, self.ttl(), rdata.PLAIN[rtype](self.rng))

    def host(self) -> Labels:
        """A name with addresses."""
        name = self.place()
        self.zone.add(name, "A", self.ttl(), rdata.a(self.rng))
        if self.rng.random() < 0.5:
            self.zone.add(name, "AAAA", self.ttl(), rdata.aaaa(self.rng))
        return name

    def empty_non_terminal(self) -> None:
        """Data two or three labels below anything else."""
        name = below(self.rng, self.place(), 2)
        if not self.covered(name) and "CNAME" not in self.zone.types(name):
            self.zone.add(name, "TXT", self.ttl(), rdata.txt(self.rng))

    def wildcard(self) -> None:
        """A wildcard at a name, at an empty non-terminal or below another wildcard (RFC 4592 section 4)."""
        rng, zone = self.rng, self.zone
        parent = (
            rng.choice([n for n in zone.owners() if not self.covered(n)])
            if rng.random() < 0.5
            else self.place()
        )
        name = ("*", *parent)
        if (
            zone.types(name)
            or self.covered(name)
            or zone.types(parent) & {"NS", "DNAME"} - zone.types(zone.origin)
        ):
            return
        kind = rng.randrange(7)
        if kind == 6 and not any(is_below(o, name) for o in zone.owners()):
            zone.dnames.append(name)
            zone.add(name, "DNAME", self.ttl(), self.target_text())
        elif kind == 0:
            zone.add(name, "CNAME", self.ttl(), self.target_text())
        elif kind == 1:
            zone.add(name, "MX", self.ttl(), f"10 {self.target_text()}")
        elif kind == 2:
            zone.add(name, "TXT", self.ttl(), *[rdata.txt(rng) for _ in range(3)])
            zone.add(("sub", *name), "A", self.ttl(), rdata.a(rng))
        elif kind == 3:
            zone.add(("*", *name), "AAAA", self.ttl(), rdata.aaaa(rng))
        else:
            zone.add(name, "A", self.ttl(), rdata.a(rng))
            if rng.random() < 0.5:
                zone.add(name, "TXT", self.ttl(), rdata.txt(rng))

    def delegation(self) -> None:
        """A zone cut with name servers below it, beside it, in another delegation or outside."""
        rng, zone = self.rng, self.zone
        cut = self.fresh()
        siblings = list(zone.cuts)
        zone.cuts.append(cut)
        for _ in range(rng.choice((1, 1, 2, 3))):
            kind = rng.randrange(7)
            if kind <= 2:
                server = below(rng, cut, 1)
                if "NS" in zone.types(server) or "CNAME" in zone.types(server):
                    continue
                if kind <= 1:  # else the glue is missing
                    self._glue(server)
            elif kind == 3:
                server = cut
                self._glue(server)
            elif kind == 4 and siblings:
                server = ("ns", *rng.choice(siblings))
                if "NS" not in zone.types(server):
                    self._glue(server)
            elif kind == 5:
                server = (
                    rng.choice(self.others) if self.others and rng.random() < 0.5 else rng.choice(OUTSIDE)
                )
            else:
                server = ("ns1", *zone.origin)
            zone.add(cut, "NS", self.ttl(), text(server))
        if not zone.types(cut) & {"NS"}:
            zone.add(cut, "NS", self.ttl(), text(("ns1", *zone.origin)))
        if rng.random() < 0.5:
            zone.add(cut, "DS", self.ttl(), *[rdata.ds(rng) for _ in range(rng.choice((1, 2)))])
        if rng.random() < 0.3:
            zone.add(("occluded", *cut), "TXT", self.ttl(), rdata.txt(rng))
        if rng.random() < 0.2:  # a cut below the cut: only the topmost one counts
            nested = ("nested", *cut)
            zone.add(nested, "NS", self.ttl(), text(("ns", *nested)))
            self._glue(("ns", *nested))

    def _glue(self, server: Labels) -> None:
        self.zone.add(server, "A", self.ttl(), rdata.a(self.rng))
        if self.rng.random() < 0.4:
            self.zone.add(server, "AAAA", self.ttl(), rdata.aaaa(self.rng))

    def big_delegation(self) -> None:
        """A cut with so many servers that a small answer cannot hold all glue."""
        cut = self.fresh()
        self.zone.cuts.append(cut)
        for i in range(self.rng.randrange(8, 14)):
            server = (f"a-rather-long-server-name-{i}", *cut)
            self.zone.add(cut, "NS", 300, text(server))
            self.zone.add(server, "A", 300, rdata.a(self.rng))
            self.zone.add(server, "AAAA", 300, rdata.aaaa(self.rng))

    def dname(self) -> None:
        """A DNAME into the zone, into another one, outside, or into its own subtree (RFC 6672)."""
        name = self.fresh()
        target = below(self.rng, name, 1) if self.rng.random() < 0.1 else self.target()
        if self.rng.random() < 0.2:  # names below it soon become too long: YXDOMAIN
            target = ("t" * 63, "u" * 63, *(target if len(text(target)) < 60 else self.zone.origin))
        self.zone.dnames.append(name)
        self.zone.add(name, "DNAME", self.ttl(), text(target))
        if self.rng.random() < 0.5:
            self.zone.add(name, "TXT", self.ttl(), rdata.txt(self.rng))

    def cname(self) -> None:
        """One alias."""
        self.zone.add(self.free(), "CNAME", self.ttl(), self.target_text())

    def cname_chain(self) -> None:
        """Two to six aliases in a row, with some end: data, nothing, a loop."""
        rng = self.rng
        names = [self.free() for _ in range(rng.randrange(2, 7))]
        names = list({key(name): name for name in names}.values())
        end = names[0] if rng.random() < 0.2 else self.target()
        for name, following in zip(names, [*names[1:], end], strict=True):
            if not self.zone.types(name):
                self.zone.add(name, "CNAME", self.ttl(), text(following))

    def pointers(self) -> None:
        """MX, SRV, NAPTR, SVCB, HTTPS, PTR, RP, KX at one name: types with additional data and without."""
        rng, name = self.rng, self.place()
        for _ in range(rng.randrange(1, 5)):
            to = self.target_text()
            rtype, value = rng.choice((
                ("MX", f"{rng.randrange(100)} {to}"),
                ("SRV", f"0 {rng.randrange(100)} 443 {to}"),
                ("NAPTR", f'100 50 "{rng.choice("sau")}" "SIP+D2U" "" {to}'),
                ("SVCB", f"{rng.randrange(1, 9)} {to} alpn=h2 port=8443"),
                ("HTTPS", f"1 {to} ipv4hint=192.0.2.1"),
                ("PTR", to),
                ("AFSDB", f"1 {to}"),
                ("RP", f"{to} {text(('txt', *self.zone.origin))}"),
                ("KX", f"10 {to}"),
            ))  # fmt: skip
            self.zone.add(name, rtype, self.ttl(), value)

    def big_rrset(self) -> None:
        """An RRset that does not fit a UDP answer."""
        rng, name = self.rng, self.place()
        if rng.random() < 0.5:
            self.zone.add(name, "A", 300, *[rdata.a(rng) for _ in range(rng.randrange(25, 49))])
        else:
            self.zone.add(name, "TXT", 300, *[rdata.long_txt(rng) for _ in range(rng.randrange(3, 9))])

    def serve_child(self, label: str) -> Labels:
        """Delegate ``label.origin`` to servers with glue, and return its name."""
        cut = (label, *self.zone.origin)
        self.zone.cuts.append(cut)
        server = ("ns1", *cut)
        self.zone.add(cut, "NS", 300, text(server))
        self.zone.add(server, "A", 300, rdata.a(self.rng))
        if self.rng.random() < 0.6:
            self.zone.add(cut, "DS", 300, rdata.ds(self.rng))
        return cut

    def fill(self, motifs: int) -> ZoneText:
        """Add *motifs* random motifs and return the zone."""
        kinds: tuple[tuple[Callable[[], object], int], ...] = (
            (self.plain, 8), (self.host, 5), (self.empty_non_terminal, 4), (self.wildcard, 6),
            (self.delegation, 5), (self.big_delegation, 1), (self.dname, 3), (self.cname, 5),
            (self.cname_chain, 3), (self.pointers, 6), (self.big_rrset, 1),
        )  # fmt: skip
        makers, weights = [k for k, _ in kinds], [w for _, w in kinds]
        for make in self.rng.choices(makers, weights=weights, k=motifs):
            make()
        return self.zone
