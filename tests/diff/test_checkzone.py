"""`bindpy checkzone` against `named-checkzone -i local`: the same verdict, the same records.

The wording of messages is ours. Random zones come from a seed, so that a failure can be run again; more
of them with BINDPY_CHECKZONE_ZONES=N.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from bindpy.cli.checkzone import command
from bindpy.zone.checks import CHECKZONE_DEFAULTS
from bindpy.zone.load import load_zone_octets
from bindpy.zone.names import from_text
from bindpy.zone.reader import read_zone_text
from bindpy.zone.records import IN
from tests.data.zones.corpus import ZoneFile, zone_files
from tests.peers.require import require_tool

RANDOM_ZONES = int(os.environ.get("BINDPY_CHECKZONE_ZONES", "400"))
BATCHES = 4
ORIGIN = "example.com"
HEAD = [
    b"$TTL 3600",
    b"@ SOA ns1 hostmaster 1 3600 900 604800 300",
    b"@ NS ns1",
    b"ns1 A 192.0.2.1",
]

# What we judge otherwise than BIND 9.18 on purpose: a regexp of the line that makes the difference, and why.
ACCEPTED: list[tuple[str, str]] = []
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


def _records(dump: str) -> Counter[tuple[bytes, int, int, bytes]]:
    """Read a dump back; both sides' dumps go through the same reader."""
    text = read_zone_text("dump", from_text(dump.split(maxsplit=1)[0]), text=dump.encode("latin-1"))
    assert not text.diagnostics
    return Counter(
        (key, rrset.rtype, rrset.ttl, rdata) for key, rrset in text.builder.rrsets() for rdata in rrset.rdatas
    )


OTHER_TTL = {"ttl-mismatch-apart"}
"""Where records of one RRset do not stand together, BIND takes the last TTL in silence, we take the first."""


@pytest.mark.parametrize("file", zone_files("good", "warn"), ids=str)
def test_dump_has_the_same_records(file: ZoneFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.path.parent)
    arguments = [*file.options, "-D", file.origin, file.path.name]
    theirs = _named_checkzone(file.path.parent, *arguments)
    ours = CliRunner().invoke(command, arguments)
    assert ours.exit_code == 0
    expected, found = _records(theirs.stdout.decode("latin-1")), _records(ours.stdout)
    if file.path.stem in OTHER_TTL:
        assert {(key, rtype, rdata) for key, rtype, _, rdata in found} == {
            (key, rtype, rdata) for key, rtype, _, rdata in expected
        }
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


def _lines(kinds: Iterable[str]) -> list[bytes]:
    """Return the corpus' lines, those left out that would read other files or be slow."""
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


def _random_zone(seed: int, fine: list[bytes], wrong: list[bytes]) -> bytes:
    rng = random.Random(seed)
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
        at = rng.randrange(len(lines))
        lines[at] = _mutated(rng, lines[at], fine) if lines[at] else lines[at]
    return b"\n".join(lines) + b"\n"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_verdict_on_random_zones(batch: int, tmp_path: Path) -> None:
    fine, wrong = _lines(("good", "warn")), _lines(("bad",))
    path = tmp_path / "zone"
    different, good = [], 0
    count = RANDOM_ZONES // BATCHES
    for seed in range(batch * count, (batch + 1) * count):
        text = _random_zone(seed, fine, wrong)
        path.write_bytes(text)
        loaded = load_zone_octets(str(path), text, from_text(ORIGIN), IN, CHECKZONE_DEFAULTS)
        theirs = _named_checkzone(tmp_path, ORIGIN, "zone")
        good += theirs.returncode == 0
        accepted = any(regexp.search(line) for regexp in _ACCEPTED for line in text.split(b"\n"))
        if (theirs.returncode == 0) != (loaded.zone is not None) and not accepted:
            ours = "; ".join(map(str, loaded.diagnostics))
            different.append(f"seed {seed}: {text!r}\n  named-checkzone: {theirs.stdout!r}\n  ours: {ours}")
    assert not different, "\n".join(different)
    assert count // 10 < good < count - count // 10  # the mixture still tests both verdicts
