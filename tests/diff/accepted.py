"""The differences between the peers that we decide by an RFC, each with its heading in the documentation.

docs/differences-from-bind.md says for every ``anchor`` what each server does, what bindpy does, and why.
"""

from __future__ import annotations

import dns.flags
import dns.rcode

from tests.diff.judge import VOTERS, Case, Rule, chain_end
from tests.diff.replies import ANY, DS, NSEC, NSEC3, RRSIG, SOA

DATA = ("rcode", "flags", "answer", "authority", "negative TTL")
KNOT_CHAIN_STEPS = 5
OUR_CHAIN_STEPS = 12


def _asks_cd(case: Case) -> bool:
    return bool(case.query.flags & dns.flags.CD)


def _named_sets_ad(case: Case) -> bool:
    return bool(case.peers["named"].flags & dns.flags.AD)


def _loops(case: Case) -> bool:
    return case.peers["named"].rcode == dns.rcode.SERVFAIL


def _knot_fails(case: Case) -> bool:
    return case.peers["knot"].rcode == dns.rcode.SERVFAIL


def _asks_soa(case: Case) -> bool:
    return case.query.qtype == SOA


def _asks_any(case: Case) -> bool:
    return case.query.qtype == ANY


def _asks_rrsig(case: Case) -> bool:
    return case.query.qtype == RRSIG


def _asks_nsec3(case: Case) -> bool:
    return case.query.qtype == NSEC3


def _always(_: Case) -> bool:
    return True


def _long_chain(case: Case) -> bool:
    return chain_end(case.peers["nsd"], case.qname)[1] >= KNOT_CHAIN_STEPS


def _leaves_zone(case: Case) -> bool:
    """The chain leads into another zone that is served, where `named` and `knotd` stop."""
    end, steps = chain_end(case.peers["named"], case.qname)
    zone = case.facts.zone_of(end)
    return steps > 0 and zone is not None and zone != case.facts.zone_of(case.qname)


def _stops_at_dname(case: Case) -> bool:
    """`nsd` applies one DNAME: the chain ends below another one, or below the same one again."""
    return case.facts.below_dname(chain_end(case.peers["nsd"], case.qname)[0])


def _empty_wildcard(case: Case) -> bool:
    """The wildcard that matches is an empty non-terminal, and `nsd` proves that with one more NSEC."""
    nsd, end = case.peers["nsd"], chain_end(case.peers["nsd"], case.qname)[0]
    more = {r.covers for r in nsd.authority - case.peers["named"].authority}
    return nsd.rcode == dns.rcode.NOERROR and more == {NSEC} and case.facts.below_empty_wildcard(end)


def _ds_through_alias(case: Case) -> bool:
    """A CNAME leads to the apex of a zone, and the DS records are in the parent zone."""
    end, steps = chain_end(case.peers["named"], case.qname)
    return case.query.qtype == DS and steps > 0 and end in case.facts.origins


def _endless_chain(case: Case) -> bool:
    return chain_end(case.peers["nsd"], case.qname)[1] >= OUR_CHAIN_STEPS


def _parents_data(case: Case) -> bool:
    """The name that a chain ends at is in a child zone, and the parent zone has data there, such as glue."""
    return chain_end(case.peers["nsd"], case.qname)[0] in case.facts.in_parent


def _one_nsec_too_many(case: Case) -> bool:
    return _leaves_zone(case) and bool({NSEC, NSEC3} & {r.covers for r in case.peers["nsd"].authority})


RULES: tuple[Rule, ...] = (
    Rule("the-cd-bit-is-copied", ("nsd", "knot"), ("CD",), _asks_cd),
    Rule("the-ad-bit-is-never-set", ("named",), ("AD",), _named_sets_ad),
    Rule("loops-of-aliases", ("named",), ("rcode",), _loops),
    Rule("loops-of-aliases", ("knot",), DATA, _knot_fails),
    Rule("soa-ttl-in-negative-answers-to-soa-queries", ("named",), ("negative TTL",), _asks_soa),
    Rule("any", ("nsd", "knot"), DATA, _asks_any),
    Rule("rrsig", ("knot",), ("answer", "authority"), _asks_rrsig),
    Rule("long-chains", ("knot",), DATA, _long_chain),
    Rule("long-chains", ("nsd",), DATA, _endless_chain),
    Rule("dname-after-dname", ("nsd",), DATA, _stops_at_dname),
    Rule("ds-through-an-alias", VOTERS, DATA, _ds_through_alias),
    Rule("wildcards-that-are-empty-non-terminals", ("named", "knot"), ("authority",), _empty_wildcard),
    Rule("superfluous-nsec", ("nsd",), ("authority",), _one_nsec_too_many),
    Rule("names-that-only-the-parent-zone-has", ("nsd",), DATA, _parents_data),
    Rule("chains-across-zones", ("named", "knot"), DATA, _leaves_zone),
    Rule("apex-ns-in-positive-answers", ("nsd", "knot"), ("courtesy NS",), _always),
    Rule("additional-data", ("nsd", "knot"), ("additional",), _always),
    Rule("aliases-asked-for-nsec3", ("nsd",), DATA, _asks_nsec3),
)
