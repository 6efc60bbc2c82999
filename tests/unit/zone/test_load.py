"""From a file on disk to a zone or to the reasons why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindpy.config.model import ZoneChecks
from bindpy.diagnostics import Severity
from bindpy.files import FileStamp
from bindpy.zone.load import load_zone_file, load_zone_octets
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.names import from_text
from bindpy.zone.records import IN
from tests.support.users import without_root

ORIGIN = from_text("example.com")
GOOD = "$TTL 60\n@ SOA ns1 h 7 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"


def load(path: Path, **kwargs: str) -> LoadedZone:
    return load_zone_file(str(path), ORIGIN, IN, ZoneChecks(), **kwargs)


def messages(loaded: LoadedZone) -> list[str]:
    return [str(item) for item in loaded.diagnostics]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db.example"


def test_good(path: Path) -> None:
    path.write_text(GOOD)
    loaded = load(path)
    assert loaded.zone is not None
    assert (loaded.zone.serial, loaded.zone.rr_count, loaded.diagnostics) == (7, 3, ())
    assert loaded.files == (str(path),)
    assert loaded.stamps == (FileStamp.of(str(path)),)
    assert not loaded.is_outdated()


def test_missing(path: Path) -> None:
    loaded = load(path)
    assert loaded.zone is None
    assert loaded.is_missing
    (found,) = messages(loaded)
    assert found.startswith(f"{path}: error: ")
    assert found.endswith(": No such file or directory; create it, or correct its name")


@pytest.mark.parametrize("kind", ["directory", "fifo", "loop", "below a file"])
def test_no_regular_file(kind: str, path: Path) -> None:
    match kind:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path.name)
        case _:
            path.write_text(GOOD)
            path /= "x"
    loaded = load(path)
    assert loaded.zone is None
    (found,) = loaded.diagnostics
    assert found.severity is Severity.ERROR
    assert found.span is not None
    assert found.span.file == str(path)


def test_unreadable(path: Path) -> None:
    path.write_text(GOOD)
    path.chmod(0)
    with without_root():
        assert messages(load(path))[0].endswith(
            ": Permission denied; give the user that reads it the right to"
        )


def test_empty(path: Path) -> None:
    path.write_bytes(b"")
    (found,) = load(path).diagnostics
    assert found.message == "zone 'example.com.' has no SOA record"


def test_binary(path: Path) -> None:
    path.write_bytes(b"\x7fELF\x02\x01\x01\0" + os.urandom(4096))
    loaded = load(path)
    assert loaded.zone is None
    assert loaded.diagnostics


def test_findings_are_in_the_order_of_the_text(path: Path) -> None:
    path.write_text(GOOD + "@ MX 0 nowhere\nx A 1.2.3\nw CNAME a\nw TXT x\nl TXT x")
    loaded = load(path)
    places = [item.span.line for item in loaded.diagnostics if item.span]
    # The MX is not judged: what it points at may stand on the line that was not understood.
    assert places == [6, 8, 9]
    assert loaded.zone is None


def test_included_files_come_after_the_file_that_includes_them(path: Path, tmp_path: Path) -> None:
    (tmp_path / "a.inc").write_text("a MX 0 nowhere\n")
    path.write_text(f"{GOOD}$INCLUDE a.inc\n$INCLUDE missing.inc\nb MX 0 nowhere\n")
    loaded = load(Path("db.example"), directory=str(tmp_path))
    inc, missing = str(tmp_path / "a.inc"), str(tmp_path / "missing.inc")
    assert loaded.files == (str(path), inc, missing)
    assert loaded.stamps == (FileStamp.of(str(path)), FileStamp.of(inc), None)
    assert [item.span.file for item in loaded.diagnostics if item.span] == [str(path)]
    path.write_text(f"{GOOD}$INCLUDE a.inc\nb MX 0 nowhere\n")
    loaded = load(path, directory=str(tmp_path))
    assert loaded.zone is not None
    assert [(item.span.file, item.span.line) for item in loaded.diagnostics if item.span] == [
        (str(path), 6),
        (inc, 1),
    ]


def test_a_later_write_shows(path: Path, tmp_path: Path) -> None:
    (tmp_path / "a.inc").write_text("a TXT x\n")
    path.write_text(f"{GOOD}$INCLUDE a.inc\n")
    loaded = load(path, directory=str(tmp_path))
    assert not loaded.is_outdated()
    (tmp_path / "a.inc").write_text("a TXT longer\n")
    assert loaded.is_outdated()
    loaded = load(path, directory=str(tmp_path))
    path.replace(tmp_path / "other")
    assert loaded.is_outdated()


def test_octets_in_memory() -> None:
    loaded = load_zone_octets("-", GOOD.encode() + b"x A 1\n", ORIGIN, IN, ZoneChecks())
    assert loaded.zone is None
    assert messages(loaded)[0].startswith("-:5:5: error: ")


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.binary(max_size=300), st.booleans())
def test_no_octets_raise(path: Path, octets: bytes, after_good: bool) -> None:
    path.write_bytes((GOOD.encode() if after_good else b"") + octets)
    loaded = load(path)
    assert (loaded.zone is None) == any(item.severity is Severity.ERROR for item in loaded.diagnostics)


_TYPES = "A NS CNAME DNAME MX SRV SOA DS NSEC3 CDS CDNSKEY DNSKEY NSEC3PARAM SPF TXT RRSIG"
_OTHERS = '@ a b *.a x.*.a IN CH 60 0 1 192.0.2.1 ns1 00 aa ( ) ; 1-3 $ . " \\# \\. $TTL $ORIGIN $GENERATE'
_WORDS = st.sampled_from([*_TYPES.split(), *_OTHERS.split(), "", "\n"])


@settings(max_examples=300, deadline=None)
@given(st.lists(_WORDS, max_size=40))
def test_no_words_raise(words: list[str]) -> None:
    text = GOOD + " ".join(words).replace("\n ", "\n") + "\n"
    loaded = load_zone_octets("db", text.encode(), ORIGIN, IN, ZoneChecks())
    assert (loaded.zone is None) == any(item.severity is Severity.ERROR for item in loaded.diagnostics)
