"""Checks of the DNSSEC records at a signed zone's apex and of the DS records that it publishes."""

from __future__ import annotations

from collections.abc import Iterator, Set

from bindpy.config.model import ZoneChecks
from bindpy.diagnostics import Severity
from bindpy.zone.check_findings import At, Findings
from bindpy.zone.names import Key, Name, to_text
from bindpy.zone.records import RRset, RRType
from bindpy.zone.snapshot import ZoneSnapshot

_RETIRED_ALGORITHMS = {1: "RSAMD5", 3: "DSA", 5: "RSASHA1", 6: "NSEC3DSA", 7: "NSEC3RSASHA1", 12: "ECCGOST"}
"""Algorithms that must not or should not sign any more (RFC 8624 section 3.1 and its successors)."""
_RETIRED_DIGESTS = {1: "SHA-1", 3: "GOST"}
_RETIRED_DS_ALGORITHMS = {1: "RSAMD5", 3: "DSA", 5: "RSASHA1", 6: "NSEC3DSA", 7: "NSEC3RSASHA1"}
_RSA_ALGORITHMS = {1: "RSAMD5", 5: "RSASHA1", 7: "NSEC3RSASHA1", 8: "RSASHA256", 10: "RSASHA512"}
_RSA_EXPONENT_3 = b"\x01\x03"  # RFC 3110 section 2: its length, then itself

MAX_NSEC3_ITERATIONS = 150
"""More than this, and validators treat the zone as unsigned (RFC 9276 section 3.2)."""
_SHA1 = 1  # the only NSEC3 hash (RFC 5155 section 11)

_DELETE_CDS = bytes.fromhex("00000000 00")  # RFC 8078 section 4
_DELETE_CDNSKEY = bytes.fromhex("00000300 00")
_ALGORITHM_AT = {RRType.CDS: 2, RRType.CDNSKEY: 3}


def check_apex(zone: ZoneSnapshot, checks: ZoneChecks, findings: Findings) -> None:
    """Check DNSKEY, NSEC3PARAM, CDS and CDNSKEY at the apex."""
    keys = zone.apex.get(RRType.DNSKEY)
    algorithms = {rdata[3] for rdata in keys.rdatas} if keys is not None else set()
    if keys is not None:
        _keys(zone.key, keys, algorithms, findings)
    chains = zone.apex.get(RRType.NSEC3PARAM)
    if chains is not None:
        _nsec3params(zone.key, chains, findings)
    severity = Severity.ERROR if checks.primary else Severity.WARNING
    for rtype in (RRType.CDS, RRType.CDNSKEY):
        wishes = zone.apex.get(rtype)
        if wishes is not None:
            for message, nth in _bad_wishes(rtype, wishes, algorithms):
                findings.tell(f"bad {rtype.name}", severity, message, At(zone.key, rtype, nth))
            if rtype == RRType.CDS:
                _digests("CDS", At(zone.key, rtype), wishes, findings)


def _keys(key: Key, keys: RRset, algorithms: Set[int], findings: Findings) -> None:
    for nth, rdata in enumerate(keys.rdatas):
        algorithm = rdata[3]
        retired = _RETIRED_ALGORITHMS.get(algorithm)
        if retired is not None:
            message = f"DNSKEY of the deprecated algorithm {algorithm} ({retired})"
            findings.warning("deprecated DNSKEY", message, At(key, RRType.DNSKEY, nth))
        elif algorithm in _RSA_ALGORITHMS and rdata[4:6] == _RSA_EXPONENT_3:
            message = f"weak {_RSA_ALGORITHMS[algorithm]} ({algorithm}) key: its public exponent is 3"
            findings.warning("weak DNSKEY", message, At(key, RRType.DNSKEY, nth))
    if all(algorithm in _RETIRED_ALGORITHMS for algorithm in algorithms):
        findings.warning(
            "deprecated DNSKEY algorithms",
            "the algorithms of all DNSKEY records are deprecated: validators may treat the zone as unsigned",
            At(key, RRType.DNSKEY),
            hint="roll over to algorithm 13 (ECDSAP256SHA256)",
        )


def _nsec3params(key: Key, chains: RRset, findings: Findings) -> None:
    usable = any(rdata[0] == _SHA1 for rdata in chains.rdatas)
    severity = Severity.WARNING if usable else Severity.ERROR
    for nth, rdata in enumerate(chains.rdatas):
        iterations = int.from_bytes(rdata[2:4], "big")
        if rdata[0] != _SHA1:
            message = f"NSEC3PARAM with the unknown hash algorithm {rdata[0]}"
            findings.tell("NSEC3 hash", severity, message, At(key, RRType.NSEC3PARAM, nth))
        elif iterations > MAX_NSEC3_ITERATIONS:
            message = f"NSEC3PARAM with {iterations} iterations, over {MAX_NSEC3_ITERATIONS}"
            hint = "use 0 (RFC 9276 section 3.1)"
            findings.warning("NSEC3 iterations", message, At(key, RRType.NSEC3PARAM, nth), hint=hint)


def _bad_wishes(rtype: RRType, wishes: RRset, algorithms: Set[int]) -> Iterator[tuple[str, int]]:
    """Yield why the parent could not do what CDS or CDNSKEY asks for (RFC 7344 section 4.1), and where."""
    delete = _DELETE_CDS if rtype == RRType.CDS else _DELETE_CDNSKEY
    for nth, rdata in enumerate(wishes.rdatas):
        algorithm = rdata[_ALGORITHM_AT[rtype]]
        if rdata == delete:
            if len(wishes.rdatas) > 1:
                yield f"{rtype.name} asks for deletion beside other {rtype.name} records", nth
        elif algorithm not in algorithms:
            yield f"{rtype.name} of algorithm {algorithm}, but the zone has no DNSKEY of that algorithm", nth


def _digests(what: str, at: At, digests: RRset, findings: Findings) -> None:
    for nth, rdata in enumerate(digests.rdatas):
        retired = _RETIRED_DIGESTS.get(rdata[3])
        if retired is not None:
            message = f"{what} of the deprecated digest type {rdata[3]} ({retired})"
            findings.warning("deprecated digest", message, at._replace(nth=nth))


def check_ds(key: Key, owner: Name, digests: RRset, findings: Findings) -> None:
    """Check the DS RRset of a delegation."""
    what = f"'{to_text(owner)}': DS"
    _digests(what, At(key, RRType.DS), digests, findings)
    for nth, rdata in enumerate(digests.rdatas):
        retired = _RETIRED_DS_ALGORITHMS.get(rdata[2])
        if retired is not None:
            message = f"{what} of the deprecated algorithm {rdata[2]} ({retired})"
            findings.warning("deprecated DS", message, At(key, RRType.DS, nth))
