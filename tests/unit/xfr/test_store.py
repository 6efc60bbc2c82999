"""Zones as files: what is written, what is kept of the old file, and what is refused."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from bindpy import replacing
from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.diagnostics import Severity
from bindpy.engine import PYTHON_ZONES, Zones
from bindpy.files import FileStamp
from bindpy.xfr.store import StoreError, make_lasting, remove_stale, store_zone
from bindpy.zone import names
from bindpy.zone.load import load_zone_file
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.reader import read_zone_text
from bindpy.zone.records import RR
from bindpy.zone.snapshot import SnapshotBuilder, ZoneSnapshot, build_snapshot
from bindpy.zone.zonefile import zone_file_text
from tests.property import strategies
from tests.support.zones import zone_from_text

CHECKS = ZoneChecks(primary=False)
FROM = "192.0.2.1#53 by AXFR"


def reading(reader: Callable[..., LoadedZone]) -> Zones:
    """Return Python's way with zones, but for how files are read."""
    return replace(PYTHON_ZONES, read_file=reader)


def version(serial: int, text: str = "") -> ZoneSnapshot:
    return zone_from_text("example.", f"@ SOA ns host {serial} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n{text}")


ONE, TWO = version(1), version(2, "a 60 TXT a\n")


def put(zone: ZoneSnapshot, path: Path, checks: ZoneChecks = CHECKS) -> LoadedZone:
    return store_zone(zone, str(path), checks=checks, origin_of_data=FROM)


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_text_is_for_people(tmp_path: Path) -> None:
    zone = version(
        7,
        'www A 192.0.2.9\nwww A 192.0.2.8\nwww 60 AAAA 2001:db8::1\n*.a\\.b\\@ TXT "x;y"\nb.a CNAME www\n'
        "www RRSIG A 8 2 3600 20300101000000 20200101000000 1 example. AwEAAQ==\n",
    )
    put(zone, tmp_path / "zone")
    head, *lines = (tmp_path / "zone").read_text().split("$ORIGIN ")
    assert head.startswith("; Zone example.: serial 7, from 192.0.2.1#53 by AXFR,\n; written by bindpy ")
    assert all(line.startswith("; ") for line in head.splitlines())
    assert "".join(lines) == (
        "example.\n"
        "$TTL 3600\n"
        "@\tIN\tSOA\tns.example. host.example. 7 2 3 4 5\n"
        "\tIN\tNS\tns.example.\n"
        "b.a\tIN\tCNAME\twww.example.\n"
        '*.a\\.b\\@\tIN\tTXT\t"x;y"\n'
        "ns\tIN\tA\t192.0.2.1\n"
        "www\tIN\tA\t192.0.2.9\n"
        "\tIN\tA\t192.0.2.8\n"
        "\tIN\tRRSIG\tA 8 2 3600 20300101000000 20200101000000 1 example. AwEAAQ==\n"
        "\t60\tIN\tAAAA\t2001:db8::1\n"
    )


def test_result_is_what_a_start_would_load(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    stored = put(TWO, path)
    assert stored.zone is not None
    assert stored.zone.same_data(TWO)
    assert (stored.files, stored.stamps) == ((str(path),), (FileStamp.of(str(path)),))
    assert not stored.is_outdated()
    again = load_zone_file(str(path), TWO.origin, 1, CHECKS)
    assert again.zone is not None
    assert again.zone.same_data(TWO)
    assert again.stamps == stored.stamps
    assert names_in(tmp_path) == {"zone"}


def test_warnings_name_the_file_and_not_the_temporary_one(tmp_path: Path) -> None:
    zone = version(1, "bad_name A 192.0.2.1\n")
    stored = put(zone, tmp_path / "zone", replace(CHECKS, names=CheckMode.WARN))
    [warning] = [item for item in stored.diagnostics if "bad_name" in item.message]
    assert warning.severity is Severity.WARNING
    assert warning.span is not None
    assert warning.span.file == str(tmp_path / "zone")


def test_old_file_is_replaced_and_its_mode_kept(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    put(ONE, path)
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o640)
    inode = path.stat().st_ino
    put(TWO, path)
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_ino != inode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    put(ONE, path)
    os.chown(path, 1234, 5678)
    put(TWO, path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


def test_owner_that_may_not_be_kept_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def refuse(_: int, uid: int, gid: int) -> None:
        asked.append((uid, gid))
        raise PermissionError(errno.EPERM, "no")

    put(ONE, tmp_path / "zone")
    monkeypatch.setattr(os, "fchown", refuse)
    put(TWO, tmp_path / "zone")
    assert asked == [
        (os.getuid(), (tmp_path / "zone").stat().st_gid),
        (-1, (tmp_path / "zone").stat().st_gid),
    ]


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/zone")
    stored = put(ONE, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "zone").is_file()
    assert stored.files == (str(tmp_path / "link"),)
    assert not stored.is_outdated()


def test_long_file_names(tmp_path: Path) -> None:
    path = tmp_path / ("z" * 255)
    put(ONE, path)
    assert names_in(tmp_path) == {path.name}


def test_zone_that_would_not_load_is_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    put(ONE, path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"the zone cannot be used: .*CNAME"):
        put(version(2, "a CNAME ns\na TXT x\n"), path)
    assert path.read_bytes() == before
    assert names_in(tmp_path) == {"zone"}


def test_what_reads_differently_is_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    put(ONE, path)
    before = path.read_bytes()

    def forgetful(name: str, *_: object) -> LoadedZone:
        return replace(load_zone_file(name, TWO.origin, 1, CHECKS), zone=ONE)

    with pytest.raises(StoreError, match="reads differently; the file is left as it was"):
        store_zone(
            TWO,
            str(path),
            checks=CHECKS,
            origin_of_data=FROM,
            zones=reading(forgetful),
        )
    assert path.read_bytes() == before
    assert names_in(tmp_path) == {"zone"}


def test_comment_cannot_bring_records_in(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    store_zone(ONE, str(path), checks=CHECKS, origin_of_data="x\ny A 192.0.2.66\n\u00e9")
    assert load_zone_file(str(path), ONE.origin, 1, CHECKS).zone is not None
    assert path.read_text().splitlines()[0] == r"; Zone example.: serial 1, from x?y A 192.0.2.66?\233,"


@pytest.mark.parametrize("place", ["directory", "fifo"])
def test_what_is_no_file_is_left_alone(tmp_path: Path, place: str) -> None:
    path = tmp_path / "zone"
    if place == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(StoreError, match="is not a regular file"):
        put(ONE, path)
    assert names_in(tmp_path) == {"zone"}


def test_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"cannot write into the directory .*No such file.*make the directory"
    ):
        put(ONE, tmp_path / "none" / "zone")


@pytest.mark.parametrize(
    ("step", "number", "reason"),
    [
        ("fsync", errno.EIO, "Input/output error; the disk does not work"),
        ("fsync", errno.ENOSPC, "No space left on device; the disk is full: make room"),
        ("fsync", errno.EDQUOT, "quota.*raise it or make room"),
    ],
)
def test_failing_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, reason: str
) -> None:
    path = tmp_path / "zone"
    put(ONE, path)
    before = path.read_bytes()

    def fail(_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(StoreError, match=f"cannot write {path}: .*{reason}"):
            put(TWO, path)
    assert path.read_bytes() == before
    assert names_in(tmp_path) == {"zone"}
    put(TWO, path)


def test_order_of_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole and on the disk before it has the name; the name on the disk when that is asked for."""
    steps: list[str] = []
    real_fsync, real_rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        steps.append("fsync " + Path(f"/proc/self/fd/{descriptor}").readlink().name.split(".bindpy-")[0])
        real_fsync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return real_rename(self, target)

    def reader(name: str, *arguments: object) -> LoadedZone:
        steps.append("read back")
        return load_zone_file(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    store_zone(
        ONE,
        str(tmp_path / "zone"),
        checks=CHECKS,
        origin_of_data=FROM,
        zones=reading(reader),
    )
    assert steps == ["fsync .zone", "read back", "rename"]
    make_lasting(str(tmp_path / "zone"))
    assert steps[3:] == [f"fsync {tmp_path.name}"]


def test_a_directory_that_cannot_be_flushed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match=f"cannot flush the directory {tmp_path}: .*the disk does not work"):
        make_lasting(str(tmp_path / "zone"))


# --- what interrupted stores leave ------------------------------------------------------------------


def test_stale_files_are_removed_and_nothing_else(tmp_path: Path) -> None:
    stale = [".zone.bindpy-0123456789ab", ".a.b.bindpy-ffffffffffff"]
    others = [
        "zone",
        ".zone.swp",
        ".zone.bindpy-short",
        "zone.bindpy-0123456789ab",
        ".zone.bindpy-0123456789ab.jnl",
    ]
    for name in stale + others:
        (tmp_path / name).write_text("x")
    (tmp_path / ".dir.bindpy-0123456789ab").mkdir()
    os.mkfifo(tmp_path / ".fifo.bindpy-0123456789ab")
    (tmp_path / ".link.bindpy-0123456789ab").symlink_to("zone")
    removed = remove_stale([str(tmp_path), str(tmp_path / "none")])
    assert sorted(removed) == sorted(str(tmp_path / name) for name in stale)
    left = {".dir.bindpy-0123456789ab", ".fifo.bindpy-0123456789ab", ".link.bindpy-0123456789ab", *others}
    assert names_in(tmp_path) == left


def test_file_that_somebody_is_writing_stays(tmp_path: Path) -> None:
    path = tmp_path / ".zone.bindpy-0123456789ab"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert remove_stale([str(tmp_path)]) == []
    assert remove_stale([str(tmp_path)]) == [str(path)]


def test_store_locks_what_it_writes(tmp_path: Path) -> None:
    def reader(name: str, *arguments: object) -> LoadedZone:
        assert remove_stale([str(tmp_path)]) == []
        return load_zone_file(name, *arguments)  # type: ignore[arg-type]

    store_zone(
        ONE,
        str(tmp_path / "zone"),
        checks=CHECKS,
        origin_of_data=FROM,
        zones=reading(reader),
    )


def test_temporary_names_are_those_that_are_removed() -> None:
    for name in ("zone", "z" * 255, "\u00e4" * 127, "new\nline"):
        temporary = replacing.temporary_name(name)
        assert replacing.TEMPORARY.fullmatch(temporary)
        assert len(os.fsencode(temporary)) <= 255


# --- any zone ---------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.zone_records())
def test_any_zone_reads_back(records: list[RR]) -> None:
    """Read without checks: what they think of such zones is not the matter here."""
    zone = build_snapshot(strategies.ORIGIN, records)
    text = "".join(zone_file_text(zone, ("comment",))).encode("ascii")
    read = read_zone_text("zone", zone.origin, zone.rdclass, text=text)
    assert not read.has_errors, read.diagnostics
    assert read.builder.finish().same_data(zone)


def test_root_zone() -> None:
    soa = RR(names.ROOT, 6, 60, b"\0\0" + bytes(20))
    zone = build_snapshot(names.ROOT, [soa, RR(names.from_text("com."), 2, 60, names.from_text("a.b."))])
    assert list(zone_file_text(zone))[1:] == ["@\tIN\tSOA\t. . 0 0 0 0 0\n", "com\tIN\tNS\ta.b.\n"]


def test_speed_is_enough_for_big_zones() -> None:
    builder = SnapshotBuilder(ONE.origin)
    builder.add(ONE.origin, 6, 60, b"\0\0" + bytes(20))
    for i in range(20_000):
        builder.add(names.from_text(f"h{i}.example."), 1, 60, i.to_bytes(4))
        builder.add(names.from_text(f"h{i}.example."), 16, 60, b"\4text")
    zone = builder.finish()

    def rates() -> Iterator[float]:
        for _ in range(5):  # the best of several: the machine has other work too
            begin = time.process_time()
            lines = sum(1 for _ in zone_file_text(zone))
            yield lines / (time.process_time() - begin)

    assert max(rates()) > 50_000


def test_raw_format_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    stored = store_zone(version(7), str(path), checks=CHECKS, origin_of_data="a primary", raw=True)
    assert path.read_bytes().startswith(b"\0\0\0\2\0\0\0\1")
    assert stored.zone is not None
    assert stored.zone.same_data(version(7))
    assert not stored.is_outdated()
