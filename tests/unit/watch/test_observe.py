"""What a file looks like from outside."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from bindpy.files import FileStamp
from bindpy.watch.observe import observe, open_for_writing, stamp_of


def test_a_file_is_known_to_be_open_for_writing(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("x")
    before = open_for_writing(str(path))
    if before is None:
        pytest.skip("no leases on this file system")
    assert before is False
    with path.open("a"):
        assert open_for_writing(str(path)) is True
    with path.open():
        assert open_for_writing(str(path)) is False, "a reader is no writer"


def test_the_lease_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("x")
    open_for_writing(str(path))
    # With a lease left behind, this would be EWOULDBLOCK.
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


def test_without_the_right_to_a_lease_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "zone"
    path.write_text("x")

    def refuse(descriptor: int, command: int, argument: int) -> int:
        raise PermissionError(errno.EACCES, "not the owner")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    assert open_for_writing(str(path)) is None


@pytest.mark.parametrize("name", ["missing", "missing/deeper", "nul\0", "x" * 5000])
def test_what_cannot_be_there_is_not_there(tmp_path: Path, name: str) -> None:
    path = f"{tmp_path}/{name}"
    assert stamp_of(path) is None
    assert observe(path) == (None, None, False)
    assert open_for_writing(str(tmp_path / "missing")) is None


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    seen = observe(str(path))
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert seen.stamp is not None
    assert seen.open_for_writing is None


def test_a_fresh_stamp_is_racy_and_an_old_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "zone"
    path.write_text("x")
    changed_ns = path.stat().st_ctime_ns
    monkeypatch.setattr("bindpy.watch.observe.time.time_ns", lambda: changed_ns + 1_000_000)
    assert observe(str(path)).racy
    monkeypatch.setattr("bindpy.watch.observe.time.time_ns", lambda: changed_ns + 1_000_000_000)
    assert observe(str(path)) == (FileStamp.of(str(path)), open_for_writing(str(path)), False)


def test_a_stamp_has_its_fields_and_differs_in_each() -> None:
    fields = [1, 10, 100, -5, 7 * 10**18]
    stamp = FileStamp(*fields)
    assert (stamp.size, stamp.mtime_ns, stamp.ctime_ns) == (100, -5, 7 * 10**18)
    assert stamp == FileStamp(*fields)
    assert repr(stamp) == f"FileStamp{tuple(fields)}"
    for at in range(len(fields)):
        others = [value + (number == at) for number, value in enumerate(fields)]
        assert FileStamp(*others) != stamp


def test_a_time_beyond_what_a_stamp_holds_is_the_last_one() -> None:
    assert FileStamp(1, 2, 3, 1 << 63, 4) == FileStamp(1, 2, 3, (1 << 63) - 1, 4)
