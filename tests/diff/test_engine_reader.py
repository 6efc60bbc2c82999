"""The Rust zone-file reader against Python's: the same records, and Python judges what is not plainly right.

Where Rust takes a file, Python takes it without a word about its text, and reads the same records in the same
order from the same files. Where checks would tell of an owner, Rust names it as a suspect. More random zones
with BINDPY_READER_ZONES=N, others with BINDPY_READER_SEED=N.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.zone import checks as zone_checks
from bindpy.zone import rdata, zonefile
from bindpy.zone.denial import Nsec3Chain, NsecChain
from bindpy.zone.digest import zone_digest
from bindpy.zone.lexer import Token
from bindpy.zone.names import from_text
from bindpy.zone.reader import read_zone_text
from bindpy.zone.records import IN
from bindpy.zone.snapshot import Node, NoSoaError, ZoneSnapshot
from bindpy.zone.writer import RdataText, dump
from tests.data.zones.corpus import zone_files
from tests.diff.test_checkzone import ORIGIN, _lines, _mutated_zone, _tangled_zone
from tests.generate.signing import Denial
from tests.generate.worlds import make_world
from tests.peers.process import ServedZone
from tests.property import test_fast_path as lines
from tests.support.engine import WORKSPACE, engine_example

ZONES = int(os.environ.get("BINDPY_READER_ZONES", "1500"))
FIRST_SEED = int(os.environ.get("BINDPY_READER_SEED", "0"))
DEFAULTS = ZoneChecks()
RARE = re.compile(
    rb"rare kind|quotes|second SOA|not end with a newline|RFC 1035|without a TTL|different TTLs"
)
"""Why Rust may leave a file alone that Python takes."""

_OTHER_TTL = re.compile(r"TTL \d+ differs from the RRset's other records; TTL set to prior TTL")


@dataclass(frozen=True, slots=True)
class Asked:
    """A zone file to be read."""

    origin: str
    path: str
    directory: str = ""
    checks: ZoneChecks = DEFAULTS

    def line(self) -> str:
        """Return the line that asks the program for it."""
        changed = []
        for field in fields(ZoneChecks):
            value = getattr(self.checks, field.name)
            if value != field.default:
                changed.append(f"{field.name}={value.value if isinstance(value, CheckMode) else value}")
        return f"{from_text(self.origin).hex()}\t{self.path}\t{self.directory}\t{' '.join(changed)}\n"


def _rust(asked: Sequence[Asked], cwd: Path, *arguments: str) -> list[list[bytes]]:
    """Return the lines that the program prints for each. RDATA of rare types is Python's affair."""
    program = subprocess.Popen(
        [engine_example("dump"), *arguments], cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with program:
        assert program.stdin is not None
        assert program.stdout is not None
        blocks = []
        for one in asked:
            program.stdin.write(one.line().encode("utf-8", "surrogateescape"))
            program.stdin.flush()
            block = []
            while line := program.stdout.readline().rstrip(b"\n"):
                if line.startswith(b"rare "):
                    program.stdin.write(_rare(line))
                    program.stdin.flush()
                elif line.startswith(b"text "):
                    program.stdin.write(_text(line, arguments[0]))
                    program.stdin.flush()
                else:
                    block.append(line)
            blocks.append(block)
        program.stdin.close()
        assert program.wait(timeout=60) == 0
    return blocks


def _rare(line: bytes) -> bytes:
    """Return the answer to a question about RDATA of a rare type."""
    _, rtype, origin, *words = line.decode().split(" ")
    tokens = [
        Token(bytes.fromhex(word[2:]).decode("latin-1"), 0, word[0] == "q", word[1] == "g") for word in words
    ]
    try:
        return rdata.rdata_from_tokens(int(rtype), tokens, bytes.fromhex(origin)).hex().encode() + b"\n"
    except rdata.RdataError:
        return b"wrong\n"


def _text(line: bytes, form: str) -> bytes:
    """Return the answer to a question about the text of RDATA of a rare type."""
    _, rtype, octets = line.decode().split(" ")
    write = RdataText(IN) if form == "dump" else zonefile.ReadableText(IN)
    return write(int(rtype), bytes.fromhex(octets)).encode() + b"\n"


def _records(zone: ZoneSnapshot) -> list[bytes]:
    return [
        f"{node.owner.hex()} {rrset.ttl} {rrset.rtype} {octets.hex()}".encode()
        for node in zone.sorted_nodes()
        for rrset in node.rrsets
        for octets in rrset.rdatas
    ]


def _judge(one: Asked, block: list[bytes]) -> bool:
    """Compare what Rust understood with what Python does; return whether Rust took the file."""
    text = read_zone_text(one.path, from_text(one.origin), directory=one.directory)
    if block[0].startswith(b"needs python: "):
        clean = not text.diagnostics and RARE.search(block[0]) is None
        assert not clean or b"no SOA record" in block[0], block
        return False
    warned = [line for line in block if line.startswith(b"ttl ")]
    found = [item for item in text.diagnostics if not _OTHER_TTL.match(item.message)]
    assert not found, [str(item) for item in found]
    assert len(warned) == len(text.diagnostics)
    names = [line for line in block if line.startswith(b"file ")]
    assert names == [b"file " + os.fsencode(name) for name in text.files]
    suspects = {bytes.fromhex(line.split(b" ")[1].decode()).lower() for line in block if _is_suspect(line)}
    whole = [line for line in block if line.startswith(b"suspect apex")]
    zone = text.builder.finish()
    records = [line for line in block if not line.startswith((b"file ", b"suspect ", b"ttl "))]
    assert records == _records(zone)
    run = zone_checks._Run(zone, one.checks, text.locate)
    run.records([(key, node) for key, node in zone.nodes.items() if key not in suspects])
    assert not run.findings.all(), "an owner that is no suspect"
    if not whole:
        run.apex()
    assert not run.findings.all(), "the apex is no suspect"
    return True


def _is_suspect(line: bytes) -> bool:
    return line.startswith(b"suspect ") and not line.startswith(b"suspect apex ")


def _compare(asked: Sequence[Asked], cwd: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Judge all; return how many Rust took."""
    monkeypatch.chdir(cwd)
    taken = 0
    for one, block in zip(asked, _rust(asked, cwd), strict=True):
        try:
            taken += _judge(one, block)
        except (AssertionError, NoSoaError) as e:
            octets = Path(one.directory, one.path).read_bytes()
            pytest.fail(f"{one.line()!r} {e!r}\n{octets[:4000]!r}\nRust: {block[:20]!r}")
    return taken


def test_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative file names, as named.conf has them; a few files are of rare kinds."""
    for kind in ("good", "warn", "bad"):
        files = zone_files(kind)
        asked = [Asked(file.origin, file.path.name) for file in files]
        taken = _compare(asked, files[0].path.parent, monkeypatch)
        if kind == "good":
            assert taken > len(files) * 3 // 4


def test_file_names_are_those_of_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    head = "$TTL 1\n@ SOA a b 1 2 3 4 5\n"
    (tmp_path / "zone").write_text(
        f"{head}@ NS ns.test.\n$INCLUDE sub/../sub/./one\n$INCLUDE sub//one x\n A 192.0.2.9\n"
    )
    (tmp_path / "sub" / "one").write_text("a A 192.0.2.1\n$TTL 7\n$INCLUDE sub/two\n TXT x\n")
    (tmp_path / "sub" / "two").write_text(" AAAA 2001:db8::7\n")
    (tmp_path / "self").write_text(head + "$INCLUDE ./self\n$INCLUDE self\n")
    (tmp_path / "none").write_text(head + "$INCLUDE nothing\n")
    (tmp_path / "directory").write_text(head + "$INCLUDE sub\n")
    paths = ["zone", "./zone", str(tmp_path / "zone"), f"/{tmp_path}/./zone", "sub/../zone", "self", "none"]
    directories = ["", ".", str(tmp_path), f"{tmp_path}/sub/../", "sub/.."]
    asked = [
        Asked("example.com", path, directory)
        for path in [*paths, "directory", "missing", "sub", ""]
        for directory in directories
        if not (path == "" and not directory)
    ]
    taken = _compare_existing(asked, tmp_path, monkeypatch)
    assert taken == 5 * len(directories)


def _compare_existing(asked: Sequence[Asked], cwd: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(cwd)
    return sum(_judge(one, block) for one, block in zip(asked, _rust(asked, cwd), strict=True))


def _write(
    zones: Sequence[tuple[str, bytes]], folder: Path, checks: Sequence[ZoneChecks] = ()
) -> list[Asked]:
    asked = []
    for i, (origin, text) in enumerate(zones):
        (folder / str(i)).write_bytes(text)
        asked.append(Asked(origin, str(i), checks=checks[i] if checks else DEFAULTS))
    return asked


def test_generated_worlds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = [
        Asked(zone.origin, str(zone.path))
        for seed in range(FIRST_SEED, FIRST_SEED + 10)
        for zone in make_world(seed).write(tmp_path)
    ]
    assert _compare(asked, tmp_path, monkeypatch) == len(asked)


def test_mutated_zones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fine, wrong = _lines("good", "warn"), _lines("bad")
    seeds = range(FIRST_SEED, FIRST_SEED + ZONES)
    asked = _write([(ORIGIN, _mutated_zone(random.Random(seed), fine, wrong)) for seed in seeds], tmp_path)
    assert _compare(asked, tmp_path, monkeypatch) > ZONES // 4


def _random_checks(rng: random.Random) -> ZoneChecks:
    if rng.random() < 0.3:
        return DEFAULTS
    modes = {
        name: rng.choice(list(CheckMode))
        for name in ("names", "mx", "mx_cname", "srv_cname", "dup_records", "spf", "ns")
    }
    flags = {name: rng.random() < 0.7 for name in ("integrity", "sibling", "wildcard", "primary")}
    return ZoneChecks(
        **modes,
        **flags,
        max_zone_ttl=rng.choice([None, None, 60, 3600]),
        max_records=rng.choice([0, 0, 5]),
        max_records_per_type=rng.choice([0, 1, 2, 100]),
        max_types_per_name=rng.choice([0, 1, 2, 100]),
    )


def test_tangled_zones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Well-formed records in each other's way: for the checks, in all their modes."""
    rngs = [random.Random(seed) for seed in range(FIRST_SEED, FIRST_SEED + 2 * ZONES)]
    zones = [(ORIGIN, _tangled_zone(rng)) for rng in rngs]
    asked = _write(zones, tmp_path, [_random_checks(rng) for rng in rngs])
    assert _compare(asked, tmp_path, monkeypatch) > ZONES


_GENERATE = [
    "$GENERATE 1-3 a$ A 192.0.2.$",
    "$GENERATE 0-300/100 ${0,3} 60 IN PTR b${-1}.$$.x",
    '$GENERATE 1-2 $ TXT "a $"',
    "$GENERATE 1-2 ${0,4,n} AAAA 2001:db8::${1,0,x}",
    '$GENERATE 1-3 x MX "$ m$"',
    "$GENERATE 3-1 a A 192.0.2.1",
    "$GENERATE 1-2 b$ IN 5 CNAME ${0,200}",
    "$GENERATE 1-2 \\$ A 192.0.2.$",
    "$GENERATE 254-257 q A 192.0.2.$",
]


def _line(rng: random.Random) -> str:
    if rng.random() < 0.15:
        return rng.choice([*lines.DIRECTIVES, *(line + "\n" for line in _GENERATE)])
    rtype, choices = rng.choice(lines.RDATAS)
    middle = [rng.choice(lines.TTLS), rng.choice(lines.CLASSES)]
    rng.shuffle(middle)
    words = [rng.choice(lines.OWNERS), *(word for word in middle if word), rtype, rng.choice(choices)]
    return rng.choice([" ", "\t", "  "]).join(words) + rng.choice(lines.TAILS[:7])


def test_lines_in_every_spelling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One or two lines of the table that the Python reader's two ways are compared with."""
    head = "$TTL 300\n@ SOA a b 1 2 3 4 5\n"
    zones = []
    for seed in range(FIRST_SEED, FIRST_SEED + 3 * ZONES):
        rng = random.Random(seed)
        body = "".join([_line(rng) for _ in range(rng.choice((1, 1, 2)))])
        zones.append(("example.", (head + body).encode("utf-8" if rng.random() < 0.5 else "latin-1")))
    asked = _write(zones, tmp_path)
    assert _compare(asked, tmp_path, monkeypatch) > ZONES // 3


def test_places_are_those_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all records that Rust reads: for the messages of checks."""
    files = zone_files("good", "warn")
    for kind in ("good", "warn"):
        asked = [Asked(file.origin, file.path.name) for file in files if file.kind == kind]
        folder = next(file.path.parent for file in files if file.kind == kind)
        monkeypatch.chdir(folder)
        found = _rust(asked, folder, "places")
        assert sum(map(bool, found)) > len(asked) // 2
        for one, block in zip(asked, found, strict=True):
            text = read_zone_text(one.path, from_text(one.origin))
            zone = text.builder.finish()
            expected = [
                f"{node.owner.lower().hex()} {rtype} {span.file} {span.line} {span.column}".encode()
                for node in zone.sorted_nodes()
                for rtype in sorted({rrset.rtype for rrset in node.rrsets})
                for span in text.locate(node.owner.lower(), rtype)
            ]
            assert not block or block == expected, one


@pytest.mark.parametrize("form", ["dump", "file"])
def test_text_is_that_of_python(form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = [
        Asked(zone.origin, str(zone.path))
        for seed in range(FIRST_SEED, FIRST_SEED + 5)
        for zone in make_world(seed).write(tmp_path)
    ]
    for denial in Denial:
        (folder := tmp_path / denial.name).mkdir()
        asked += [Asked(zone.origin, str(zone.path)) for zone in _signed(denial, folder)]
    asked += [Asked(file.origin, str(file.path)) for file in zone_files("good", "warn")]
    monkeypatch.chdir(zone_files("good")[0].path.parent)
    same = 0
    for one, block in zip(asked, _rust(asked, Path.cwd(), form), strict=True):
        if block[0].startswith(b"needs python: "):
            continue
        zone = read_zone_text(one.path, from_text(one.origin)).builder.finish()
        lines = dump(zone) if form == "dump" else zonefile.zone_file_text(zone)
        assert block == "".join(lines).encode().splitlines(), one
        same += 1
    assert same > len(asked) // 2


def test_digests_are_those_of_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = [Asked(zone.origin, str(zone.path)) for zone in make_world(FIRST_SEED).write(tmp_path)]
    monkeypatch.chdir(tmp_path)
    for one, block in zip(asked, _rust(asked, tmp_path, "digest"), strict=True):
        digest = zone_digest(read_zone_text(one.path, from_text(one.origin)).builder.finish())
        assert block == [f"{digest.value:032x} {digest.octets}".encode()]


def _fact(node: Node | None) -> str:
    return "-" if node is None else node.owner.hex()


def _facts(zone: ZoneSnapshot) -> list[bytes]:
    lines = []
    for node in zone.sorted_nodes():
        key, denial = node.owner.lower(), zone.denial
        covering: list[Node | None] = [
            denial.covering(key) if isinstance(denial, NsecChain) else None,
            denial.covering(key) if isinstance(denial, Nsec3Chain) else None,
        ]
        facts = [node, node.cut, node.dname, node.wildcard, node.nsec3, *covering]
        lines.append(" ".join([_fact(fact) for fact in facts]).encode())
    return lines


def test_facts_of_names_are_those_of_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Cuts, DNAMEs, wildcards, NSEC and NSEC3: what is known of each name when a zone is built."""
    asked = []
    for seed in range(FIRST_SEED, FIRST_SEED + 5):
        asked += [Asked(zone.origin, str(zone.path)) for zone in make_world(seed).write(tmp_path)]
    for denial in Denial:
        (folder := tmp_path / denial.name).mkdir()
        asked += [Asked(zone.origin, str(zone.path)) for zone in _signed(denial, folder)]
    tangled = [(ORIGIN, _tangled_zone(random.Random(seed))) for seed in range(FIRST_SEED, FIRST_SEED + ZONES)]
    asked += _write(tangled, tmp_path)
    monkeypatch.chdir(tmp_path)
    same = 0
    for one, block in zip(asked, _rust(asked, tmp_path, "facts"), strict=True):
        if block[0].startswith(b"needs python: "):
            continue
        assert block == _facts(read_zone_text(one.path, from_text(one.origin)).builder.finish()), one
        same += 1
    assert same > len(asked) // 2


def _signed(denial: Denial, folder: Path) -> list[ServedZone]:
    """Return signed zones; none where the tools for it are not there."""
    if shutil.which("dnssec-signzone") is None:
        return []
    return make_world(FIRST_SEED, denial).write(folder)


def test_types_are_those_of_python() -> None:
    source = (WORKSPACE / "core" / "src" / "read" / "types.rs").read_text()
    table = source[source.index("pub const MNEMONICS") : source.index("];")]
    known = {name: int(number) for name, number in re.findall(r'\("([A-Z0-9-]+)", (\d+)\)', table)}
    assert known == rdata._TYPES
