"""Checks of names that records point at: name servers, their glue, mail exchangers, services.

A target inside the zone must have an address there; one elsewhere is not looked up (``local`` mode).
"""

from __future__ import annotations

import enum
import re
from ipaddress import IPv6Address

from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.diagnostics import Severity
from bindpy.zone.check_findings import At, Findings
from bindpy.zone.names import ROOT, Key, Name, is_subdomain, labels, parent, to_text
from bindpy.zone.records import RRset, RRType
from bindpy.zone.snapshot import Node, ZoneSnapshot


class Found(enum.Enum):
    """What a look-up of an address in the zone comes to (RFC 1034 section 4.3.2)."""

    ADDRESS = "address"
    NO_ADDRESS = "no address"
    ALIAS = "alias"
    BELOW_DNAME = "below a DNAME"
    DELEGATED = "delegated"


def find_address(zone: ZoneSnapshot, key: Key) -> tuple[Found, Node]:
    """Look for an A or AAAA RRset for *key*, which is at or below the apex.

    Wildcards apply. Returns the node that decided as well: the DNAME's owner, the cut, the alias or the
    closest encloser.
    """
    nodes = zone.nodes
    encloser = key
    while (node := nodes.get(encloser)) is None:
        encloser = parent(encloser)
    dname = node.dname
    if dname is None and encloser is not key and node.get(RRType.DNAME) is not None:
        dname = node
    cut = node.cut
    if cut is not None and (dname is None or len(cut.owner) <= len(dname.owner)):
        return Found.DELEGATED, cut
    if dname is not None:
        return Found.BELOW_DNAME, dname
    if encloser is not key:
        if node.wildcard is None:
            return Found.NO_ADDRESS, node
        node = node.wildcard
    return _at(node), node


def _at(node: Node) -> Found:
    for rrset in node.rrsets:
        if rrset.rtype in (RRType.A, RRType.AAAA):
            return Found.ADDRESS
        if rrset.rtype == RRType.CNAME:
            return Found.ALIAS
    return Found.NO_ADDRESS


MAX_REMEMBERED = 10_000
"""Targets that are remembered as good: many records share few of them."""


class TargetChecks:
    """The checks of one zone's targets. Findings go to *findings*."""

    def __init__(self, zone: ZoneSnapshot, checks: ZoneChecks, findings: Findings) -> None:
        self._zone = zone
        self._checks = checks
        self._findings = findings
        self._fine: set[Name] = {ROOT}

    def _is_fine(self, name: Name) -> bool:
        """Return whether nothing can be wrong with the target *name*: elsewhere, or with an address here."""
        if name in self._fine:
            return True
        key = name.lower()
        if looks_like_address(key, self._zone.key):
            return False
        if is_subdomain(key, self._zone.key) and find_address(self._zone, key)[0] is not Found.ADDRESS:
            return False
        if len(self._fine) < MAX_REMEMBERED:
            self._fine.add(name)
        return True

    def _is_here(self, name: Name) -> bool:
        return name != ROOT and is_subdomain(name.lower(), self._zone.key)

    # --- NS ---------------------------------------------------------------------------------------

    def apex_ns(self, rrset: RRset) -> None:
        """Check the zone's own name servers: one in the zone must have an address there."""
        severity = Severity.ERROR if self._checks.primary else Severity.WARNING
        for nth, name in enumerate(rrset.rdatas):
            at = At(self._zone.key, RRType.NS, nth)
            self._ns_is_no_address(at, name)
            if self._is_here(name):
                found, node = find_address(self._zone, name.lower())
                self._tell(severity, f"NS {_quoted(name)}", at, found, node)

    def cut(self, key: Key, node: Node, rrset: RRset, *, occluded: bool) -> None:
        """Check a delegation: glue where resolvers need it (RFC 1034 section 4.2.1), no aliases."""
        for nth, name in enumerate(rrset.rdatas):
            if not self._is_fine(name):
                at = At(key, RRType.NS, nth)
                self._ns_is_no_address(at, name)
                if self._checks.integrity and not occluded and self._is_here(name):
                    self._glue(at, node, name)

    def _glue(self, at: At, cut: Node, name: Name) -> None:
        target_key = name.lower()
        found, node = find_address(self._zone, target_key)
        if found is not Found.DELEGATED:
            what = f"delegation of {_quoted(cut.owner)}: NS {_quoted(name)}"
            self._tell(Severity.WARNING, what, at, found, node)
            return
        glue = self._zone.nodes.get(target_key)
        if glue is not None and _at(glue) is Found.ADDRESS:
            return
        if is_subdomain(target_key, at.key):
            problem = "is below the cut and has no REQUIRED GLUE address records (A or AAAA)"
        elif self._checks.sibling:
            problem = "is in another delegated zone and has no SIBLING GLUE address records (A or AAAA)"
        else:
            return
        message = f"delegation of {_quoted(cut.owner)}: NS {_quoted(name)} {problem}"
        self._findings.warning("missing glue", message, at, hint="add its address to this zone as glue")

    def _ns_is_no_address(self, at: At, name: Name) -> None:
        if looks_like_address(name.lower(), self._zone.key):
            message = f"NS {_quoted(name)} appears to be an address; NS holds the name of a host"
            self._findings.by_mode(self._checks.ns, "NS is an address", message, at)

    # --- MX and SRV -------------------------------------------------------------------------------

    def mx(self, key: Key, node: Node, rrset: RRset, *, occluded: bool) -> None:
        """Check mail exchangers (RFC 5321 section 5.1): names with addresses, no aliases."""
        checks = self._checks
        for nth, rdata in enumerate(rrset.rdatas):
            name = rdata[2:]
            if self._is_fine(name):
                continue
            at = At(key, RRType.MX, nth)
            if looks_like_address(name.lower(), self._zone.key):
                message = f"MX {_quoted(name)} appears to be an address; MX holds the name of a host"
                self._findings.by_mode(checks.mx, "MX is an address", message, at)
            if checks.integrity and not occluded:
                missing = Severity.ERROR if checks.mx is CheckMode.FAIL else Severity.WARNING
                self._service(at, node.owner, name, missing, checks.mx_cname)

    def srv(self, key: Key, node: Node, rrset: RRset) -> None:
        """Check service targets (RFC 2782): names with addresses, no aliases."""
        for nth, rdata in enumerate(rrset.rdatas):
            name = rdata[6:]
            if not self._is_fine(name):
                at = At(key, RRType.SRV, nth)
                self._service(at, node.owner, name, Severity.WARNING, self._checks.srv_cname)

    def _service(self, at: At, owner: Name, name: Name, missing: Severity, alias: CheckMode) -> None:
        if not self._is_here(name):
            return
        found, node = find_address(self._zone, name.lower())
        if found in (Found.ALIAS, Found.BELOW_DNAME):
            if alias is CheckMode.IGNORE:
                return
            missing = Severity.ERROR if alias is CheckMode.FAIL else Severity.WARNING
        self._tell(missing, f"{_quoted(owner)}: {RRType(at.rtype).name} {_quoted(name)}", at, found, node)

    # --- what to say ------------------------------------------------------------------------------

    def _tell(self, severity: Severity, what: str, at: At, found: Found, node: Node) -> None:
        """Tell what is wrong with a target, if anything is. *node* decided the look-up."""
        problem = _PROBLEMS.get(found)
        if problem is None:
            return
        note = None
        if found is Found.ALIAS:
            section = "RFC 2782" if at.rtype == RRType.SRV else "RFC 2181 section 10.3"
            note = (f"the CNAME is here ({section})", At(node.owner.lower(), RRType.CNAME))
        elif found is Found.BELOW_DNAME:
            problem = f"{problem} {_quoted(node.owner)} (illegal)"
            note = ("the DNAME is here (RFC 6672 section 2.4)", At(node.owner.lower(), RRType.DNAME))
        rule = f"{RRType(at.rtype).name} target: {found.value}"
        self._findings.tell(rule, severity, f"{what} {problem}", at, note=note)


_PROBLEMS = {
    Found.NO_ADDRESS: "has no address records (A or AAAA)",
    Found.ALIAS: "is a CNAME (illegal)",
    Found.BELOW_DNAME: "is below a DNAME",
}


_V4_LABEL = re.compile(rb"0|[1-9][0-9]{0,2}").fullmatch
_V6_LABEL = re.compile(rb"[0-9a-f:]*:[0-9a-f:.]*").fullmatch


def looks_like_address(key: Key, zone_key: Key) -> bool:
    """Return whether *key* is what an address becomes when it is written where a name belongs.

    That is ``192.0.2.1`` or ``2001:db8::1``, alone or, where the final dot was forgotten, below the apex.
    """
    if not (key[0] <= 3 and key[1:2].isdigit()) and b":" not in key:
        return False
    parts = labels(key)
    if parts and is_subdomain(key, zone_key):
        parts = parts[: len(parts) - len(labels(zone_key))]
    if len(parts) == 4:
        return all(_V4_LABEL(part) is not None and int(part) <= 255 for part in parts)
    return len(parts) == 1 and _V6_LABEL(parts[0]) is not None and _is_v6(parts[0])


def _is_v6(text: bytes) -> bool:
    try:
        IPv6Address(text.decode("ascii"))
    except ValueError:
        return False
    return True


def _quoted(name: Name) -> str:
    return f"'{to_text(name)}'"
