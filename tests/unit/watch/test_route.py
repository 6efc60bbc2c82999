"""What lies on the way to a directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.watch.mounts import MountTable, parse_mountinfo
from bindpy.watch.route import Turn, find_route


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def test_plain_directories(root: Path) -> None:
    (root / "a/b").mkdir(parents=True)
    route = find_route(f"{root}//a/./b/")
    assert (route.real, route.turns, route.problem) == (str(root / "a/b"), (), "")
    assert str(root / "a") in route.passed
    assert route.real not in route.passed


def test_links_relative_and_absolute(root: Path) -> None:
    (root / "v1/zones").mkdir(parents=True)
    (root / "..data").symlink_to("v1")
    (root / "etc").mkdir()
    (root / "etc/zones").symlink_to(root / "..data/zones")
    route = find_route(str(root / "etc/zones"))
    assert route.real == str(root / "v1/zones")
    assert route.turns == (
        Turn(str(root / "etc"), "zones", str(root / "..data/zones")),
        Turn(str(root), "..data", "v1"),
    )


def test_dot_dot_after_a_link_is_where_the_link_leads(root: Path) -> None:
    (root / "deep/down").mkdir(parents=True)
    (root / "deep/zones").mkdir()
    (root / "zones").mkdir()
    (root / "link").symlink_to("deep/down")
    assert find_route(str(root / "link/../zones")).real == str(root / "deep/zones")


def test_the_first_missing_part_is_the_turn(root: Path) -> None:
    (root / "a").mkdir()
    route = find_route(str(root / "a/b/c"))
    assert (route.real, route.problem) == (None, "")
    assert route.turns == (Turn(str(root / "a"), "b", None),)


def test_a_dangling_link_turns_at_the_link_and_at_what_is_missing(root: Path) -> None:
    (root / "link").symlink_to("nowhere")
    route = find_route(str(root / "link"))
    assert route.real is None
    assert route.turns == (Turn(str(root), "link", "nowhere"), Turn(str(root), "nowhere", None))


def test_a_file_in_the_place_of_a_directory(root: Path) -> None:
    (root / "a").touch()
    route = find_route(str(root / "a/b"))
    assert (route.real, route.problem) == (None, "")
    assert route.turns == (Turn(str(root), "a", None),)


def test_a_loop_of_links_ends(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    route = find_route(str(root / "a/x"))
    assert route.real is None
    assert "symbolic links" in route.problem


def test_a_nul_is_no_path(root: Path) -> None:
    assert find_route(f"{root}/a\0b").problem


def test_mountinfo() -> None:
    text = (
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw\n"
        "30 27 0:40 / /mnt/my\\040zones rw - nfs4 server:/zones rw\n"
        "31 27 0:41 / /mnt/over rw - ext4 /dev/vdb rw\n"
        "32 31 0:42 / /mnt/over rw - fuse.sshfs host: rw\n"
        "nonsense\n"
    )
    assert parse_mountinfo(text) == {
        "/proc": "proc",
        "/": "ext4",
        "/mnt/my zones": "nfs4",
        "/mnt/over": "fuse.sshfs",
    }


@pytest.mark.parametrize(
    ("directory", "kind"),
    [("/mnt/nfs/a/b", "nfs4"), ("/mnt/nfs", "nfs4"), ("/mnt/nfs2", None), ("/mnt", None), ("/", None)],
)
def test_a_directory_is_on_the_nearest_mount_above(tmp_path: Path, directory: str, kind: str | None) -> None:
    info = tmp_path / "mountinfo"
    info.write_text("1 1 0:1 / / rw - overlay overlay rw\n2 1 0:2 / /mnt/nfs rw - nfs4 x:/ rw\n")
    assert MountTable(str(info)).remote_type(directory) == kind


def test_without_mountinfo_nothing_is_remote(tmp_path: Path) -> None:
    assert MountTable(str(tmp_path / "none")).remote_type("/anywhere") is None
