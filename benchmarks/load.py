"""Zones, query files and runs of dnsperf for the benchmarks; everything from one seed."""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.program import BenchmarkError
from benchmarks.usage import cpu_seconds
from tests.generate.names import labels
from tests.generate.signing import Denial, sign
from tests.generate.zones import ZoneText
from tests.peers.process import ServedZone, ServerProcess

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
PLAIN, NSEC_ZONE, NSEC3_ZONE = "bench.test.", "nsec.test.", "nsec3.test."


@dataclass(frozen=True, slots=True)
class Scale:
    """How big a benchmark is: in one run of one case so many queries, or as many as ``seconds`` allow."""

    names: int
    delegations: int
    signed_names: int
    queries: int
    seconds: int


FULL = Scale(names=100_000, delegations=10_000, signed_names=20_000, queries=100_000, seconds=2)
QUICK = Scale(names=5_000, delegations=500, signed_names=1_000, queries=10_000, seconds=1)


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load: what is asked, over what, and the rcode that the answers must have."""

    title: str
    queries: Path
    rcode: str
    dnssec_ok: bool = False
    tcp: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run's outcome. ``cpu_us`` is CPU microseconds of all the server's processes for each answer."""

    cpu_us: float
    lost: int


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(ALPHABET, k=rng.randrange(6, 14)))


def _zone(
    rng: random.Random, origin: str, names: int, delegations: int
) -> tuple[ZoneText, list[str], list[str]]:
    top = labels(origin)
    zone = ZoneText(top)
    zone.add(top, "SOA", 3600, f"ns1.{origin} hostmaster.{origin} 1 3600 600 86400 300")
    zone.add(top, "NS", 3600, f"ns1.{origin}", f"ns2.{origin}")
    zone.add(("ns1", *top), "A", 3600, "192.0.2.1")
    zone.add(("ns2", *top), "A", 3600, "192.0.2.2")
    hosts, cuts = set[str](), set[str]()
    while len(hosts) < names:
        hosts.add(_word(rng))
    while len(cuts) < delegations:
        cuts.add(f"d-{_word(rng)}")
    for host in sorted(hosts):
        zone.add((host, *top), "A", 300, f"192.0.2.{rng.randrange(256)}")
    for cut in sorted(cuts):
        zone.add((cut, *top), "NS", 3600, f"ns1.{cut}.{origin}", f"ns2.{cut}.{origin}")
        zone.add(("ns1", cut, *top), "A", 3600, "198.51.100.1")
        zone.add(("ns2", cut, *top), "A", 3600, "198.51.100.2")
    return zone, sorted(hosts), sorted(cuts)


def prepare(directory: Path, scale: Scale, seed: int) -> tuple[list[ServedZone], list[Case]]:
    """Write zones and query files into *directory*; return what is served and what is asked."""
    rng = random.Random(seed)
    plain, hosts, cuts = _zone(rng, PLAIN, scale.names, scale.delegations)
    path = directory / "bench.zone"
    path.write_text(plain.to_text())
    served = [ServedZone(PLAIN, path)]
    for origin, denial in ((NSEC_ZONE, Denial.NSEC), (NSEC3_ZONE, Denial.NSEC3)):
        zone, _, _ = _zone(rng, origin, scale.signed_names, 0)
        served.append(ServedZone(origin, sign(zone, denial, directory)))

    def write(name: str, questions: list[str]) -> Path:
        target = directory / f"{name}.queries"
        target.write_text("".join(f"{question} A\n" for question in questions))
        return target

    count = scale.queries
    hot = rng.sample(hosts, 1000)
    hot_file = write("hot", [f"{rng.choice(hot)}.{PLAIN}" for _ in range(count)])
    random_file = write("random", [f"{rng.choice(hosts)}.{PLAIN}" for _ in range(count)])
    missing = write("nxdomain", [f"x-{_word(rng)}.{PLAIN}" for _ in range(count)])
    referral = write("referral", [f"www.{rng.choice(cuts)}.{PLAIN}" for _ in range(count)])
    nsec = write("nsec", [f"x-{_word(rng)}.{NSEC_ZONE}" for _ in range(count)])
    nsec3 = write("nsec3", [f"x-{_word(rng)}.{NSEC3_ZONE}" for _ in range(count)])
    kinds = (
        Case("hot 1,000 names", hot_file, "NOERROR"),
        Case(f"{scale.names:,} random", random_file, "NOERROR"),
        Case("NXDOMAIN", missing, "NXDOMAIN"),
        Case("referral", referral, "NOERROR"),
        Case("NSEC, DO", nsec, "NXDOMAIN", dnssec_ok=True),
        Case("NSEC3, DO", nsec3, "NXDOMAIN", dnssec_ok=True),
    )
    return served, [*kinds, *(replace(kind, tcp=True) for kind in kinds)]


def run(server: ServerProcess, case: Case, seconds: int, *, check_rcode: bool = True) -> Run:
    """Ask the case's queries once, at most for *seconds*, as fast as the server answers.

    Raises `BenchmarkError` when the answers do not have the case's rcode: then the numbers mean nothing.
    """
    command = [
        "dnsperf", "-s", server.address[0], "-p", str(server.port), "-d", str(case.queries), "-n", "1",
        "-l", str(seconds), "-c", "8", "-q", "100", "-T", "1", "-t", "2", "-S", "0",
        *(["-D"] if case.dnssec_ok else []), *(["-m", "tcp"] if case.tcp else []),
    ]  # fmt: skip
    before = cpu_seconds(server)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
    used = cpu_seconds(server) - before
    completed = _number(done, r"Queries completed:\s+(\d+)")
    lost = _number(done, r"Queries lost:\s+(\d+)")
    if completed == 0:
        raise BenchmarkError(f"{server.name} answers nothing for '{case.title}'")
    if check_rcode:
        right = re.search(rf"{case.rcode} (\d+)", done.stdout)
        if right is None or int(right.group(1)) < 0.99 * completed:
            raise BenchmarkError(f"{server.name}, '{case.title}': not {case.rcode}:\n{done.stdout}")
    return Run(used * 1e6 / completed, int(lost))


def _number(done: subprocess.CompletedProcess[str], pattern: str) -> float:
    found = re.search(pattern, done.stdout)
    if found is None:
        raise BenchmarkError(f"dnsperf failed:\n{done.stdout}{done.stderr}")
    return float(found.group(1))
