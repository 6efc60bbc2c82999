"""The index of a zone's denials: which record matches or covers a name."""

from __future__ import annotations

import base64

import dns.dnssec
import dns.name
import pytest

from bindpy.zone import names
from bindpy.zone.denial import MAX_NSEC3_ITERATIONS, Nsec3Chain, NsecChain
from tests.support.signed import SALT, nsec3_hash, signed
from tests.support.zones import zone_from_text

ZONE = """
@        300 SOA  ns1 h 1 2 3 4 300
@        300 NS   ns1
ns1      300 A    192.0.2.1
a.b      300 A    192.0.2.2
cut      300 NS   ns.cut
ns.cut   300 A    192.0.2.3
"""


def _key(text: str) -> bytes:
    return names.from_text(text).lower()


def test_an_unsigned_zone_has_none() -> None:
    zone = zone_from_text("example.", ZONE)
    assert zone.denial is None
    assert all(node.nsec3 is None for node in zone.nodes.values())


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("example.", "example."),
        ("0.example.", "example."),
        ("a.b.example.", "a.b.example."),
        ("b.example.", "example."),
        ("z.b.example.", "a.b.example."),
        ("x.cut.example.", "cut.example."),
        ("ns1.example.", "ns1.example."),
        ("zzz.example.", "ns1.example."),
        ("\\255.example.", "ns1.example."),
        ("*.example.", "example."),
    ],
)
def test_nsec_covers_or_matches_in_canonical_order(name: str, owner: str) -> None:
    chain = zone_from_text("example.", signed("example.", ZONE)).denial
    assert isinstance(chain, NsecChain)
    assert names.to_text(chain.covering(_key(name)).owner) == owner


@pytest.mark.parametrize("opt_out", [False, True])
def test_nsec3_nodes_know_their_record(opt_out: bool) -> None:
    zone = zone_from_text("example.", signed("example.", ZONE, nsec3=True, opt_out=opt_out))
    assert isinstance(zone.denial, Nsec3Chain)
    for name in ("example.", "ns1.example.", "a.b.example.", "b.example."):
        record = zone.nodes[_key(name)].nsec3
        assert record is not None
        assert record.owner[1:33].decode().upper() == nsec3_hash(dns.name.from_text(name))
    assert (zone.nodes[_key("cut.example.")].nsec3 is None) == opt_out
    assert zone.nodes[_key("ns.cut.example.")].nsec3 is None, "below a cut nothing is proven"


def test_nsec3_hashes_are_those_of_the_rfc() -> None:
    chain = Nsec3Chain(bytes.fromhex(SALT), 12, {})
    for name in ("example.", "a.example.", "*.w.example.", "."):
        mine = dns.dnssec.nsec3_hash(name, SALT, 12, 1)
        assert base64.b32hexencode(chain.hash(_key(name))).decode() == mine


def test_nsec3_covering_wraps_round() -> None:
    zone = zone_from_text("example.", signed("example.", ZONE, nsec3=True))
    chain = zone.denial
    assert isinstance(chain, Nsec3Chain)
    owners = sorted(node.owner[1:33].upper() for node in zone.nodes.values() if node.nsec3 is node)
    seen = set()
    for number in range(200):
        name = f"n{number}.example."
        digest = nsec3_hash(dns.name.from_text(name)).encode()
        below = [owner for owner in owners if owner <= digest]
        expected = below[-1] if below else owners[-1]
        assert chain.covering(_key(name)).owner[1:33].upper() == expected
        seen.add(bool(below))
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("NSEC3PARAM 1 0 2", "NSEC3PARAM 2 0 2"),
        ("NSEC3PARAM 1 0 2", "NSEC3PARAM 1 1 2"),
        ("NSEC3PARAM 1 0 2", f"NSEC3PARAM 1 0 {MAX_NSEC3_ITERATIONS + 1}"),
        ("NSEC3PARAM 1 0 2 AABBCCDD", "NSEC3PARAM 1 0 2 EE"),
    ],
)
def test_parameters_that_cannot_be_used(old: str, new: str) -> None:
    text = signed("example.", ZONE, nsec3=True)
    assert old in text
    assert zone_from_text("example.", text.replace(old, new)).denial is None


def test_an_owner_of_nsec3_that_is_no_hash_is_left_alone() -> None:
    text = signed("example.", ZONE, nsec3=True) + f"odd.example. 300 NSEC3 1 0 2 {SALT} {'0' * 32} A\n"
    zone = zone_from_text("example.", text)
    assert zone.denial is not None
    odd = zone.nodes[_key("odd.example.")]
    assert odd.nsec3 is not odd
