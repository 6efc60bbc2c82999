"""Disks that are full or forbidden, and writers that die: never a torn file, never an older one."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import resource
import select
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bindpy.config.model import ZoneChecks
from bindpy.xfr.store import StoreError, remove_stale, store_zone
from bindpy.zone.load import load_zone_file
from bindpy.zone.snapshot import ZoneSnapshot
from tests.support.engines import make_engine, zone_of
from tests.support.zones import zone_from_text

pytestmark = pytest.mark.usefixtures("engine")

CHECKS = ZoneChecks(primary=False)
FROM = "192.0.2.1#53 by AXFR"
HOSTS = 400
KILLS = 60
LONGEST_LIFE_S = 0.25
SEED = int(os.environ.get("BINDPY_FAULTS_SEED", "20261122"))
NOBODY = 65534

_fork = multiprocessing.get_context("fork")


def version(serial: int) -> ZoneSnapshot:
    """Return a zone whose every record tells its serial: a mixture of two would show."""
    hosts = "".join(f"h{i} TXT {serial}\n" for i in range(HOSTS))
    return zone_from_text("example.", f"@ SOA ns host {serial} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n{hosts}")


def put(serial: int, path: Path) -> None:
    engine = make_engine()
    zone = zone_of(engine, version(serial))
    store_zone(zone, str(path), checks=CHECKS, origin_of_data=FROM, zones=engine.zones)


def whole_serial(path: Path) -> int:
    """Return the serial of the zone in *path*, all of it from that version."""
    loaded = load_zone_file(str(path), version(1).origin, 1, CHECKS)
    assert loaded.zone is not None, loaded.diagnostics
    assert loaded.zone.same_data(version(loaded.zone.serial))
    return loaded.zone.serial


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def in_child(function: Callable[[], None]) -> str:
    """Return what `StoreError` *function* ends with in a process of its own, "" for none."""
    ours, theirs = _fork.Pipe(duplex=False)

    def run() -> None:
        try:
            function()
        except StoreError as e:
            theirs.send(str(e))
        else:
            theirs.send("")

    child = _fork.Process(target=run)
    child.start()
    theirs.close()
    try:
        assert ours.poll(30), "the child says nothing"
        text = ours.recv()
    finally:
        child.join(10)
        ours.close()
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("octets", [0, 1, 1000, 5000])
def test_file_that_may_not_grow(tmp_path: Path, octets: int) -> None:
    path = tmp_path / "zone"
    put(1, path)
    assert path.stat().st_size > 5000

    def store() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))
        put(2, path)

    text = in_child(store)
    assert text == (
        f"cannot write {path}: File too large; the file is larger than this process may write (ulimit -f)"
    )
    assert whole_serial(path) == 1
    assert names_in(tmp_path) == {"zone"}
    put(2, path)
    assert whole_serial(path) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write says ENOSPC, as on a disk that is full."""
    path = tmp_path / "zone"
    put(1, path)
    real_open = os.open

    def open_full(name: Path, flags: int, *rest: int) -> int:
        descriptor = real_open(name, flags, *rest)
        if flags & os.O_CREAT:
            full = real_open("/dev/full", os.O_WRONLY)
            os.dup2(full, descriptor)
            os.close(full)
        return descriptor

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_full)
        with pytest.raises(
            StoreError, match=f"cannot write {path}: No space left on device; the disk is full"
        ):
            put(2, path)
    assert whole_serial(path) == 1
    assert names_in(tmp_path) == {"zone"}
    put(2, path)
    assert whole_serial(path) == 2


def test_directory_that_may_not_be_written() -> None:
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        path = Path(outer) / "zones" / "zone"
        path.parent.mkdir()
        put(1, path)
        path.parent.chmod(0o555)

        def store() -> None:
            if os.geteuid() == 0:  # to root nothing is forbidden
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            put(2, path)

        text = in_child(store)
        path.parent.chmod(0o755)
        assert text == (
            f"cannot write into the directory {path.parent}: Permission denied; "
            "let the user that bindpy runs as write into the directory"
        )
        assert whole_serial(path) == 1
        assert names_in(path.parent) == {"zone"}


def _store_for_ever(path: Path, first: int, done: int) -> None:
    for serial in itertools.count(first):
        put(serial, path)
        os.write(done, b"%d\n" % serial)


def test_kill_at_random_moments(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    put(1, path)
    rng = random.Random(SEED)
    serial, left_over = 1, 0
    for number in range(KILLS):
        told_at, tells = os.pipe()
        child = _fork.Process(target=_store_for_ever, args=(path, serial + 1, tells))
        child.start()
        os.close(tells)
        _wait(told_at, rng.uniform(0, LONGEST_LIFE_S))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        child.close()
        told = _last_number(told_at)
        os.close(told_at)
        context = f"seed {SEED}, kill {number}"
        now = whole_serial(path)
        assert now >= max(serial, told), f"{context}: an older zone than before"
        left_over += len(names_in(tmp_path)) - 1
        remove_stale([str(tmp_path)])
        assert names_in(tmp_path) == {"zone"}, context
        serial = now
    assert serial > 1, "nothing was ever stored: the children live too short"
    assert left_over, "no child was killed while it wrote: they live too long"


def _wait(descriptor: int, seconds: float) -> None:
    """Let *seconds* pass, or all the time that the other end of *descriptor* lives."""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(descriptor, select.POLLHUP)  # POLLHUP alone: what is written does not count
    poll.poll(max(0, deadline - time.monotonic()) * 1000)


def _last_number(descriptor: int) -> int:
    """Return the last whole line that was written to the pipe, as a number; 0 where there is none."""
    with os.fdopen(os.dup(descriptor), "rb") as pipe:
        lines = pipe.read().split(b"\n")[:-1]
    return int(lines[-1]) if lines else 0
