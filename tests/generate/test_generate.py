"""The same seed gives the same zones and queries, the zones are good, and nothing is left out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dns.message
import pytest

from tests.generate.names import is_below, text
from tests.generate.signing import Denial
from tests.generate.worlds import make_world
from tests.peers.require import require_tool

SEEDS = range(8)


def test_a_seed_gives_the_same_world_every_time() -> None:
    first, second = make_world(7), make_world(7)
    assert [z.to_text() for z in first.zones] == [z.to_text() for z in second.zones]
    assert first.queries(200) == second.queries(200)
    assert [z.to_text() for z in make_world(8).zones] != [z.to_text() for z in first.zones]


@pytest.mark.parametrize("seed", SEEDS)
def test_named_checkzone_takes_every_zone(seed: int, tmp_path: Path) -> None:
    check = require_tool("named-checkzone")
    for zone in make_world(seed).write(tmp_path):
        done = subprocess.run(
            [check, "-k", "ignore", "-i", "none", zone.origin, str(zone.path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"seed {seed}: {done.stdout}"


@pytest.mark.parametrize("denial", Denial)
def test_dnssec_verify_takes_every_signed_zone(denial: Denial, tmp_path: Path) -> None:
    verify = require_tool("dnssec-verify")
    require_tool("dnssec-signzone")
    for zone in make_world(3, denial).write(tmp_path):
        done = subprocess.run(
            [verify, "-q", "-z", "-o", zone.origin, str(zone.path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_few_seeds_hold_everything_that_answers_must_cope_with() -> None:
    zones = [zone for seed in SEEDS for zone in make_world(seed).zones]
    rrsets = [rrset for zone in zones for rrset in zone.rrsets.values()]
    kinds = {
        "wildcard CNAME": any(r.owner[0] == "*" and r.rtype == "CNAME" for r in rrsets),
        "name below a wildcard": any("*" in r.owner[1:] for r in rrsets),
        "apex wildcard": any(("*", *zone.origin) == r.owner for zone in zones for r in zone.rrsets.values()),
        "signed delegation": any(r.rtype == "DS" for r in rrsets),
        "data below a cut": any(
            is_below(r.owner, c) for z in zones for c in z.cuts for r in z.rrsets.values()
        ),
        "cut below a cut": any(
            is_below(r.owner, c) and r.rtype == "NS" for z in zones for c in z.cuts for r in z.rrsets.values()
        ),
        "DNAME into itself": any(
            r.rtype == "DNAME" and r.rdatas[0].endswith("." + text(r.owner)) for r in rrsets
        ),
        "big RRset": any(len(r.rdatas) > 20 for r in rrsets),
        "escapes": any("\\" in label for r in rrsets for label in r.owner),
        "SVCB": any(r.rtype == "SVCB" for r in rrsets),
    }
    assert [kind for kind, there in kinds.items() if not there] == []


def test_queries_are_messages_with_all_the_variety() -> None:
    queries = make_world(1, Denial.NSEC).queries(800)
    for query in queries:
        message = dns.message.from_wire(query.wire())
        assert len(message.question) == 1
        assert (message.edns >= 0) is (query.edns is not None)
    assert {query.tcp for query in queries} == {True, False}
    assert {query.dnssec_ok for query in queries} == {True, False}
    assert {None, 512, 1232, 4096, 100} == {query.edns for query in queries}
    assert len({query.qtype for query in queries}) > 20
    assert any(query.qname != query.qname.lower() for query in queries)
