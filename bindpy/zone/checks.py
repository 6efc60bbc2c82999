"""Zone checks: what BIND refuses or warns about once a zone's records have been read.

`check_zone` looks at a finished snapshot; `check_records` is the part that needs no other record's help
and so makes sense for a file that did not read whole. Both return findings and never raise.

What BIND 9.18's named does with a primary is what `ZoneChecks` has as its defaults. named-checkzone
differs in these, and `CHECKZONE_DEFAULTS` follows it: bad host names only warn (``-k warn``), and there is
no limit to the records of one RRset or the RRtypes of one owner. Its default ``-i full`` asks the DNS about
names elsewhere; here, as with ``-i local``, they are not looked up.

Fatal in BIND, and here: no SOA, no NS at the apex; an apex NS in the zone that has no address, is an alias
or lies below a DNAME; CNAME and other data; a second CNAME or DNAME; SOA below the apex; DS at the apex; NS
at a wildcard; NSEC3 owners that are no hash; CDS or CDNSKEY that no DNSKEY fits; no NSEC3PARAM with a known
hash; a TTL over max-zone-ttl; more records or types than allowed. Everything else warns unless its
`CheckMode` says ``fail``. Faults of delegations (missing glue and the like) always only warn, as in BIND.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.diagnostics import Diagnostic, Severity
from bindpy.zone import check_dnssec, check_duplicates, check_names
from bindpy.zone.check_findings import At, Findings, Locate
from bindpy.zone.check_targets import MAX_REMEMBERED, TargetChecks
from bindpy.zone.names import Key, is_wildcard, labels, to_text
from bindpy.zone.rdata import type_to_text
from bindpy.zone.records import IN, RRset, RRType, name_end
from bindpy.zone.snapshot import Node, ZoneSnapshot

CHECKZONE_DEFAULTS = ZoneChecks(names=CheckMode.WARN, max_records_per_type=0, max_types_per_name=0)
"""What named-checkzone checks unless told otherwise."""

_BESIDE_CNAME = frozenset({RRType.CNAME, RRType.RRSIG, RRType.NSEC, RRType.KEY, RRType.SIG, RRType.NSEC3})
"""What BIND lets stand beside a CNAME (RFC 2181 section 10.1, RFC 4034 section 3, RFC 3007 section 3.2.1)."""


def check_zone(zone: ZoneSnapshot, checks: ZoneChecks, locate: Locate) -> list[Diagnostic]:
    """Return everything that BIND would say about *zone*, worst and mildest mixed, in no special order.

    O(records). *locate* is asked for places only when something was found, so it may be slow. The zone is
    refused when any finding is an error.
    """
    run = _Run(zone, checks, locate)
    run.records(zone.nodes.items())
    run.apex()
    return run.findings.all()


def check_owners(
    zone: ZoneSnapshot, checks: ZoneChecks, locate: Locate, owners: Iterable[Key]
) -> list[Diagnostic]:
    """Return what `check_zone` does, where it is known that only *owners* and the apex may be at fault.

    *owners* come in the order in which the zone has its names.
    """
    run = _Run(zone, checks, locate)
    run.records((key, zone.nodes[key]) for key in owners)
    run.apex()
    return run.findings.all()


def check_changed(zone: ZoneSnapshot, checks: ZoneChecks, owners: Iterable[Key]) -> list[Diagnostic]:
    """Return what `check_zone` finds at those of *owners* that are there, and at the apex; without places."""
    return check_owners(zone, checks, lambda _key, _rtype: (), [key for key in owners if zone.nodes.get(key)])


def check_records(zone: ZoneSnapshot, checks: ZoneChecks, locate: Locate) -> list[Diagnostic]:
    """Return what is wrong with single owners of *zone*, of which records may be missing."""
    run = _Run(zone, checks, locate)
    run.targets = None
    run.records(zone.nodes.items())
    return run.findings.all()


class _Run:
    """One run over one zone. ``targets`` is None when other records' absence means nothing."""

    def __init__(self, zone: ZoneSnapshot, checks: ZoneChecks, locate: Locate) -> None:
        self.findings = Findings(locate)
        self.targets: TargetChecks | None = TargetChecks(zone, checks, self.findings)
        self._zone = zone
        self._checks = checks
        self._suffix = len(zone.key)
        self._zone_is_host = check_names.is_host_name(zone.key)
        self._max_ttl = checks.max_zone_ttl if checks.max_zone_ttl is not None else 1 << 32
        self._max_records = checks.max_records_per_type or 1 << 62
        self._max_types = checks.max_types_per_name or 1 << 62
        names_matter = checks.names is not CheckMode.IGNORE and zone.rdclass == IN
        self._host_owners = check_names.HOST_OWNER_TYPES if names_matter else frozenset()
        self._named_rdata = check_names.CHECKED_RDATA_TYPES if names_matter else frozenset()
        self._good_targets: set[bytes] = set()

    def records(self, items: Iterable[tuple[Key, Node]]) -> None:
        """Check each owner with its RRsets."""
        max_ttl, max_records, max_types = self._max_ttl, self._max_records, self._max_types
        host_owners, named_rdata, rules = self._host_owners, self._named_rdata, _RULES
        warn_wildcards = self._checks.wildcard
        for key, node in items:
            rrsets = node.rrsets
            if warn_wildcards and rrsets and key.find(b"\x01*", 1) > 0:
                self._inner_wildcard(key, node)
            checked_owner = False
            for rrset in rrsets:
                rtype = rrset.rtype
                if rrset.ttl > max_ttl or len(rrset.rdatas) > max_records:
                    self._limits(key, node, rrset)
                if rtype in host_owners and not checked_owner:
                    checked_owner = True
                    if not self._is_plain_host(key):
                        self._host_owner(key, node)
                if rtype in named_rdata:
                    self._names_in_rdata(key, rrset)
                if rtype in rules:
                    rules[rtype](self, key, node, rrset)
            if len(rrsets) > max_types:
                self._too_many_types(key, node)

    def apex(self) -> None:
        """Check what concerns the zone as a whole."""
        zone, checks = self._zone, self._checks
        soa = At(zone.key, RRType.SOA)
        ns = zone.apex.get(RRType.NS)
        if ns is None:
            self.findings.error("no NS", f"zone '{to_text(zone.origin)}' has no NS records", soa)
        elif self.targets is not None:
            self.targets.apex_ns(ns)
        if zone.rdclass == IN:
            check_dnssec.check_apex(zone, checks, self.findings)
        if checks.max_records and zone.rr_count > checks.max_records:
            message = f"zone has {zone.rr_count} records, max-records allows {checks.max_records}"
            self.findings.error("max-records", message, soa)

    # --- rules for all types ----------------------------------------------------------------------

    def _is_plain_host(self, key: Key) -> bool:
        """Return whether *key* is a host name; quick for the most usual one, a label before the apex."""
        before_apex = len(key) - self._suffix
        if not self._zone_is_host:
            return check_names.is_host_name(key)
        if key[0] + 1 == before_apex and key[1:before_apex].isalnum():
            return True
        return check_names.is_host_name(key, before_apex)

    def _host_owner(self, key: Key, node: Node) -> None:
        for rrset in node.rrsets:
            if rrset.rtype in self._host_owners and not check_names.is_good_owner(key, rrset.rtype):
                self.findings.by_mode(
                    self._checks.names,
                    "bad owner name",
                    f"'{to_text(node.owner)}': bad owner name (check-names) for {type_to_text(rrset.rtype)}",
                    At(key, rrset.rtype),
                    hint="host names have letters, digits and inner hyphens only (RFC 1123 section 2.1)",
                )

    def _inner_wildcard(self, key: Key, node: Node) -> None:
        if b"*" in labels(key)[1:]:
            self.findings.warning(
                "non-terminal wildcard",
                f"owner name '{to_text(node.owner)}' contains a non-terminal wildcard",
                At(key, node.rrsets[0].rtype),
                hint="only a leftmost asterisk label matches other names (RFC 4592 section 2.1.1)",
            )

    def _limits(self, key: Key, node: Node, rrset: RRset) -> None:
        what = f"'{to_text(node.owner)}': {type_to_text(rrset.rtype)}"
        if rrset.ttl > self._max_ttl:
            message = f"{what} TTL {rrset.ttl} exceeds configured max-zone-ttl {self._max_ttl}"
            self.findings.error("max-zone-ttl", message, At(key, rrset.rtype))
        count, most = len(rrset.rdatas), self._max_records
        if count > most:
            message = f"{what} has {count} records, max-records-per-type allows {most}"
            self.findings.error("max-records-per-type", message, At(key, rrset.rtype, most))

    def _too_many_types(self, key: Key, node: Node) -> None:
        count, most = len(node.rrsets), self._max_types
        message = f"'{to_text(node.owner)}' has {count} types, max-types-per-name allows {most}"
        self.findings.error("max-types-per-name", message, At(key, node.rrsets[most].rtype))

    def _names_in_rdata(self, key: Key, rrset: RRset) -> None:
        good = self._good_targets
        start = check_names.HOST_AT.get(rrset.rtype)
        for nth, rdata in enumerate(rrset.rdatas):
            if start is not None and rdata[start:] in good:
                continue
            bad = check_names.bad_name_in(rrset.rtype, rdata, key)
            if bad is None:
                # An alias of a service binding may point at any name: that one is not good elsewhere.
                is_host = start is not None and rdata[:start] != b"\0\0"
                if is_host and len(good) < MAX_REMEMBERED:
                    good.add(rdata[start:])
            else:
                self.findings.by_mode(
                    self._checks.names,
                    "bad name",
                    f"{type_to_text(rrset.rtype)} '{to_text(bad)}': bad name (check-names)",
                    At(key, rrset.rtype, nth),
                    hint="the name of a host is expected here (RFC 1123 section 2.1)",
                )

    # --- rules by type ----------------------------------------------------------------------------

    def _ns(self, key: Key, node: Node, rrset: RRset) -> None:
        if is_wildcard(key):
            message = f"'{to_text(node.owner)}': invalid NS owner name (wildcard)"
            hint = "a wildcard cannot be delegated (RFC 4592 section 4.2)"
            self.findings.error("NS at a wildcard", message, At(key, RRType.NS), hint=hint)
        elif self.targets is not None and node is not self._zone.apex:
            occluded = node.cut is not node or node.dname is not None
            self.targets.cut(key, node, rrset, occluded=occluded)

    def _mx(self, key: Key, node: Node, rrset: RRset) -> None:
        if self.targets is not None:
            self.targets.mx(key, node, rrset, occluded=_is_occluded(node))

    def _srv(self, key: Key, node: Node, rrset: RRset) -> None:
        if self.targets is not None and self._checks.integrity and not _is_occluded(node):
            self.targets.srv(key, node, rrset)

    def _cname(self, key: Key, node: Node, rrset: RRset) -> None:
        self._singleton(key, node, rrset)
        others = [rrset.rtype for rrset in node.rrsets if rrset.rtype not in _BESIDE_CNAME]
        if not others:
            return
        types = ["CNAME", *map(type_to_text, others)]
        listed = ", ".join(types[:-1]) + " and " + types[-1]
        self.findings.tell(
            "CNAME and other data",
            Severity.ERROR,
            f"'{to_text(node.owner)}' has {listed} records: CNAME and other data",
            At(key, others[0]),
            hint="a CNAME owner can have no other data",
            note=("the CNAME is here (RFC 1034 section 3.6.2)", At(key, RRType.CNAME)),
        )

    def _singleton(self, key: Key, node: Node, rrset: RRset) -> None:
        if len({rdata.lower() for rdata in rrset.rdatas}) < 2:
            return
        what = type_to_text(rrset.rtype)
        section = "RFC 2181 section 10.1" if rrset.rtype == RRType.CNAME else "RFC 6672 section 2.4"
        self.findings.tell(
            f"second {what}",
            Severity.ERROR,
            f"'{to_text(node.owner)}' has {len(rrset.rdatas)} {what} records, one is allowed",
            At(key, rrset.rtype, 1),
            note=(f"the first {what} is here ({section})", At(key, rrset.rtype)),
        )

    def _soa(self, key: Key, node: Node, rrset: RRset) -> None:
        if node is not self._zone.apex:
            message = f"'{to_text(node.owner)}': SOA record not at top of zone"
            self.findings.error("SOA below the apex", message, At(key, RRType.SOA))
        elif len({_fold_soa(rdata) for rdata in rrset.rdatas}) > 1:
            message = f"zone '{to_text(node.owner)}' has {len(rrset.rdatas)} SOA records"
            self.findings.error("two SOA", message, At(key, RRType.SOA, 1))

    def _ds(self, key: Key, node: Node, rrset: RRset) -> None:
        if node is self._zone.apex:
            self.findings.error(
                "DS at the apex",
                f"'{to_text(node.owner)}': DS record at top of zone",
                At(key, RRType.DS),
                hint="DS belongs to the parent zone (RFC 4035 section 2.4)",
            )
        elif self.targets is not None and self._checks.integrity and node.cut is node and node.dname is None:
            check_dnssec.check_ds(key, node.owner, rrset, self.findings)

    def _nsec3(self, key: Key, node: Node, _rrset: RRset) -> None:
        if is_wildcard(key):
            message = f"'{to_text(node.owner)}': invalid NSEC3 owner name (wildcard)"
            self.findings.error("NSEC3 owner", message, At(key, RRType.NSEC3))
        elif self._checks.names is not CheckMode.IGNORE and not check_names.is_nsec3_owner(key):
            self.findings.error(
                "NSEC3 owner",
                f"'{to_text(node.owner)}': bad owner name (check-names) for NSEC3",
                At(key, RRType.NSEC3),
                hint="the first label is a hash in base32hex (RFC 5155 section 3)",
            )

    def _spf(self, key: Key, node: Node, _rrset: RRset) -> None:
        checks = self._checks
        if checks.spf is CheckMode.IGNORE or self.targets is None or not checks.integrity:
            return
        if _is_occluded(node) or self._zone.rdclass != IN:
            return
        txt = node.get(RRType.TXT)
        if txt is None or not any(_is_spf(rdata) for rdata in txt.rdatas):
            self.findings.warning(
                "SPF without TXT",
                f"'{to_text(node.owner)}' found type SPF record but no SPF TXT record found",
                At(key, RRType.SPF),
                hint="add a matching TXT record (RFC 7208 section 3.1)",
            )

    def _old_dnssec(self, key: Key, _node: Node, rrset: RRset) -> None:
        what = type_to_text(rrset.rtype)
        message = f"old style DNSSEC zone detected: {what} records mean nothing to validators"
        self.findings.warning("old DNSSEC", message, At(key, rrset.rtype), hint="RFC 4034 replaced them")

    def _duplicates(self, key: Key, node: Node, rrset: RRset) -> None:
        if len(rrset.rdatas) < 2 or not check_duplicates.has_duplicates(rrset):
            return
        self.findings.by_mode(
            self._checks.dup_records,
            "identical records",
            f"'{to_text(node.owner)}': {type_to_text(rrset.rtype)} has semantically identical records",
            At(key, rrset.rtype, 1),
            hint="they differ only in the case of names",
        )


# Of functions, not of methods bound to a run: a run and its zone are freed by counting references.
_RULES: dict[int, Callable[[_Run, Key, Node, RRset], None]] = {
    RRType.NS: _Run._ns,
    RRType.MX: _Run._mx,
    RRType.SRV: _Run._srv,
    RRType.CNAME: _Run._cname,
    RRType.DNAME: _Run._singleton,
    RRType.SOA: _Run._soa,
    RRType.DS: _Run._ds,
    RRType.NSEC3: _Run._nsec3,
    RRType.SPF: _Run._spf,
    RRType.SIG: _Run._old_dnssec,
    RRType.NXT: _Run._old_dnssec,
    **dict.fromkeys(check_duplicates.TYPES, _Run._duplicates),
}


def _is_occluded(node: Node) -> bool:
    """Return whether resolvers are sent elsewhere for the data here: at or below a cut, or below a DNAME."""
    return node.cut is not None or node.dname is not None


def _is_spf(rdata: bytes) -> bool:
    """Return whether TXT *rdata* is an SPF record (RFC 7208 section 4.5)."""
    return rdata[1:7] == b"v=spf1" and (rdata[0] == 6 or rdata[7:8] == b" ")


def _fold_soa(rdata: bytes) -> bytes:
    end = name_end(rdata, name_end(rdata, 0))
    return rdata[:end].lower() + rdata[end:]
