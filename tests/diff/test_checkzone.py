"""`bindpy checkzone` against `named-checkzone -i local`: the same verdict, the same records.

The wording of messages is ours. Random zones come from a seed, so that a failure can be run again; more
of them with BINDPY_CHECKZONE_ZONES=N, others with BINDPY_CHECKZONE_SEED=N.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner

from bindpy.cli.checkzone import command
from bindpy.zone.names import from_text
from bindpy.zone.reader import read_zone_text
from tests.data.zones.corpus import ZoneFile, zone_files
from tests.peers.require import require_tool

RANDOM_ZONES = int(os.environ.get("BINDPY_CHECKZONE_ZONES", "400"))
FIRST_SEED = int(os.environ.get("BINDPY_CHECKZONE_SEED", "0"))
BATCHES = 4
ORIGIN = "example.com"
HEAD = [
    b"$TTL 3600",
    b"@ SOA ns1 hostmaster 1 3600 900 604800 300",
    b"@ NS ns1",
    b"ns1 A 192.0.2.1",
]

# What we judge otherwise than BIND 9.18 on purpose: a regexp of the line that makes the difference, and why.
ACCEPTED = [
    (r"\bGPOS\b", "BIND takes any strings; RFC 1712 section 3 wants numbers"),
    (
        r"\bEUI(?:48|64)\b",
        "BIND takes groups of one digit and ignores what follows; RFC 7043 wants two digits",
    ),
    (r"\bSSHFP\b", "BIND takes a type of 0 without a fingerprint"),
    (
        r"\b(?:C?DNSKEY|KEY|RKEY)[ \t]+[^ \t]*[^0-9 \t]",
        "BIND takes flags by names from RFC 2535, RFC 4034 has none",
    ),
    (r"\bTYPE[+\-]", "BIND takes a sign before the number"),
    (r"^\$GENERATE[ \t]+[0-9/-]+[^0-9/ \t-]", "BIND ignores what follows the range"),
    (r"^\$GENERATE.*,[A-Z]\}", "BIND takes the base of the expression before when it does not know one"),
]
_ACCEPTED = [re.compile(regexp.encode(), re.IGNORECASE) for regexp, _ in ACCEPTED]


def _named_checkzone(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    tool = require_tool("named-checkzone")
    return subprocess.run(
        [tool, "-i", "local", *arguments], cwd=cwd, capture_output=True, check=False, timeout=60
    )


@pytest.mark.parametrize("file", zone_files(), ids=str)
def test_verdict_on_the_corpus(file: ZoneFile) -> None:
    theirs = _named_checkzone(file.path.parent, *file.options, file.origin, file.path.name)
    assert (theirs.returncode != 0) == (file.kind == "bad"), theirs.stdout.decode("latin-1")


# --- the dump --------------------------------------------------------------------------------------------


_Record: TypeAlias = tuple[bytes, int, int, bytes]
"""Owner's key, RRtype, TTL, RDATA."""


def _records(dump: str) -> Counter[_Record]:
    """Read a dump back; both sides' dumps go through the same reader."""
    text = read_zone_text("dump", from_text(dump.split(maxsplit=1)[0]), text=dump.encode("latin-1"))
    assert not text.diagnostics
    return Counter(
        (key, rrset.rtype, rrset.ttl, rdata) for key, rrset in text.builder.rrsets() for rdata in rrset.rdatas
    )


def _lowered(records: Counter[_Record]) -> Counter[_Record]:
    return Counter({(key, rtype, ttl, rdata.lower()): n for (key, rtype, ttl, rdata), n in records.items()})


SPELT_TWICE = {"cname-same-twice", "dname-same-twice", "duplicates-case", "soa-twice-same"}
"""Of records that differ in the case of names only, BIND keeps the last spelling and we keep the first."""


@pytest.mark.parametrize("file", zone_files("good", "warn"), ids=str)
def test_dump_has_the_same_records(file: ZoneFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.path.parent)
    arguments = [*file.options, "-D", file.origin, file.path.name]
    theirs = _named_checkzone(file.path.parent, *arguments)
    ours = CliRunner().invoke(command, arguments)
    assert ours.exit_code == 0
    expected, found = _records(theirs.stdout.decode("latin-1")), _records(ours.stdout)
    if file.path.stem in SPELT_TWICE:
        assert _lowered(found) == _lowered(expected)
    else:
        assert found == expected


@pytest.mark.parametrize("file", zone_files("good", "warn"), ids=str)
def test_named_checkzone_takes_our_dump(
    file: ZoneFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(file.path.parent)
    output = tmp_path / "dump"
    assert (
        CliRunner().invoke(command, [*file.options, "-o", str(output), file.origin, file.path.name]).exit_code
        == 0
    )
    theirs = _named_checkzone(tmp_path, *file.options, file.origin, "dump")
    assert theirs.returncode == 0, theirs.stdout


# --- random zones ----------------------------------------------------------------------------------------


def _lines(*kinds: str) -> list[bytes]:
    """Return the corpus' lines, those left out that would read other files."""
    found = set()
    for file in zone_files(*kinds):
        for line in file.path.read_bytes().replace(b"\r\n", b"\n").split(b"\n"):
            if line and not line.startswith(b";") and b"$INCLUDE" not in line.upper():
                found.add(line)
    return sorted(found)


_MARKS = b' .@*\\"();$#-_:\t0123456789abcxyzABC'


def _mutated(rng: random.Random, line: bytes, others: list[bytes]) -> bytes:
    """Return *line* with one octet or one word changed."""
    at = rng.randrange(len(line))
    words = line.split(b" ")
    word = rng.randrange(len(words))
    match rng.randrange(9):
        case 0:
            return line[:at] + line[at + 1 :]
        case 1:
            return line[:at] + bytes([rng.choice(_MARKS)]) + line[at + 1 :]
        case 2:
            return line[:at] + bytes([rng.choice(_MARKS)]) + line[at:]
        case 3:
            words[word] = rng.choice(words)
        case 4:
            del words[word]
        case 5:
            words[word] = rng.choice(rng.choice(others).split(b" "))
        case 6:
            return line[:at]
        case 7:
            return line.swapcase()
        case _:
            return line[:at] + bytes([rng.randrange(256)]) + line[at + 1 :]
    return b" ".join(words)


def _mutated_zone(rng: random.Random, fine: list[bytes], wrong: list[bytes]) -> bytes:
    """Return a zone of the corpus' lines, of which some are spoilt: for the reader."""
    lines = list(HEAD)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        line = rng.choice(fine)
        kind = rng.random()
        if kind < 0.4:
            line = _mutated(rng, line, fine)
        elif kind < 0.43:
            line = rng.choice(wrong)
        lines.append(line)
    if rng.random() < 0.1:
        at = rng.randrange(len(HEAD))
        lines[at] = _mutated(rng, lines[at], fine)
    return b"\n".join(lines) + b"\n"


_BELOW = "a b c.a d.c.a * *.a b.*.a sub Sub ns.sub x.ns.sub *.sub e A a_b -x gc._msdcs _spf q._spf 192.0.2.1"
_NAMES = ["@", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", *_BELOW.split(" ")]
_ELSEWHERE = ["example.net.", ".", "192.0.2.7.", "2001:db8::1.", "x_y.net.", "*.net."]
_TARGETS = [*_NAMES, "ns1", "ns1", *_ELSEWHERE]
_SHA1 = "0" * 40
_RDATA = {
    "A": "192.0.2.1 192.0.2.2",
    "AAAA": "2001:db8::1 2001:db8::2",
    "SPF": "v=spf1",
    "TXT": "v=spf1 other",
    "DNSKEY": "256~3~5~AwEA 256~3~8~AwEA 257~3~13~AwEA",
    "DS": f"1~5~1~{_SHA1} 1~8~1~{_SHA1}",
    "CDS": f"1~8~1~{_SHA1} 1~13~1~{_SHA1} 0~0~0~00",
    "CDNSKEY": "257~3~8~AAAA 257~3~13~AAAA 0~3~0~AA==",
    "NSEC3": "1~0~0~-~0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM~A",
    "NSEC3PARAM": "1~0~0~- 1~0~151~- 2~0~0~-",
    "KEY": "256~3~8~AAAA",
    "RRSIG": "A~8~3~3600~20300101000000~20200101000000~1~@~AAAA",
    "SOA": "ns1~hostmaster~1~3600~900~604800~300 ns1~h~2~3~4~5~6",
}
_WITH_TARGET = {
    "NS": "{}", "CNAME": "{}", "DNAME": "{}", "PTR": "{}", "MX": "10 {}", "SRV": "0 0 0 {}", "NSEC": "{} A",
    "LP": "10 {}", "AFSDB": "1 {}", "RP": "{} {}", "MINFO": "{} {}", "HTTPS": "1 {}", "SVCB": "0 {}",
}  # fmt: skip
_OFTEN = ["A", "A", "A", "NS", "NS", "NS", "CNAME", "CNAME", "DNAME", "MX", "MX", "SRV", "SRV"]
_TYPES = [*_RDATA, *_WITH_TARGET, *_OFTEN]
_MODES = ["fail", "warn", "ignore"]


def _record(rng: random.Random) -> str:
    owner = "@" if rng.random() < 0.1 else rng.choice(_NAMES)
    rtype = rng.choice(_TYPES)
    if rtype in _RDATA:
        rdata = rng.choice(_RDATA[rtype].split()).replace("~", " ")
    else:
        rdata = _WITH_TARGET[rtype].format(rng.choice(_TARGETS), rng.choice(_TARGETS))
    return f"{owner} {rng.choice(('', '', '60 '))}{rtype} {rdata}"


def _tangled_zone(rng: random.Random) -> bytes:
    """Return a zone of well-formed records of few names, in each other's way: for the checks."""
    return b"\n".join([*HEAD, *(_record(rng).encode() for _ in range(rng.choice((1, 2, 2, 3, 4, 6)))), b""])


def _options(rng: random.Random) -> list[str]:
    options = []
    for option in ("-k", "-n", "-m", "-M", "-S", "-r"):
        if rng.random() < 0.25:
            options += [option, rng.choice(_MODES)]
    for option, value in (
        ("-T", "ignore"),
        ("-W", "ignore"),
        ("-i", "none"),
        ("-i", "local-sibling"),
        ("-l", "100"),
    ):
        if rng.random() < 0.1:
            options += [option, value]
    return options


_Zone: TypeAlias = tuple[int, bytes, list[str]]
"""Seed, text, options."""


def _compare(zones: Iterable[_Zone], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge zones by both; fail with all on which the verdicts differ."""
    monkeypatch.chdir(tmp_path)
    different, good, count = [], 0, 0
    for seed, text, options in zones:
        Path("zone").write_bytes(text)
        ours = CliRunner().invoke(command, [*options, ORIGIN, "zone"])
        assert ours.exit_code in (0, 1), (seed, ours.output, ours.exception)
        theirs = _named_checkzone(tmp_path, *options, ORIGIN, "zone")
        count += 1
        good += theirs.returncode == 0
        accepted = any(regexp.search(line) for regexp in _ACCEPTED for line in text.split(b"\n"))
        if theirs.returncode != ours.exit_code and not accepted:
            said = theirs.stdout.decode("latin-1")
            different.append(f"seed {seed} {options}: {text!r}\nnamed-checkzone: {said}\nours: {ours.output}")
    assert not different, "\n\n".join(different)
    assert count // 10 < good < count - count // 10  # the mixture still tests both verdicts


@pytest.mark.parametrize("batch", range(BATCHES))
def test_verdict_on_mutated_zones(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fine, wrong = _lines("good", "warn"), _lines("bad")
    seeds = range(FIRST_SEED + batch, FIRST_SEED + RANDOM_ZONES, BATCHES)
    zones = ((seed, _mutated_zone(random.Random(seed), fine, wrong), []) for seed in seeds)
    _compare(zones, tmp_path, monkeypatch)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_verdict_on_tangled_zones(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rngs = (
        (seed, random.Random(seed)) for seed in range(FIRST_SEED + batch, FIRST_SEED + RANDOM_ZONES, BATCHES)
    )
    zones = ((seed, _tangled_zone(rng), _options(rng)) for seed, rng in rngs)
    _compare(zones, tmp_path, monkeypatch)
