"""Edits of a running server's zone files by the tools that people use: each is served, no half file ever."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.daemon import daemon, zone_text

ZONE = 'zone "example.com" { type primary; file "zones/a.db"; };\n'
WWW = "www.example.com"
OLD, NEW = "192.0.2.10", "192.0.2.77"


def tool(*words: str) -> None:
    """Run a tool in batch mode; skip the test where it is not installed."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    environment = {**os.environ, "TERM": "dumb"}
    subprocess.run(
        words, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, env=environment
    )


def vim(path: Path, *options: str) -> None:
    tool(
        "vim",
        "-u",
        "NONE",
        "-es",
        *options,
        "-c",
        f"%s/{OLD}/{NEW}/",
        "-c",
        "%s/ 1 / 2 /",
        "-c",
        "wq",
        str(path),
    )


def with_ed(path: Path) -> None:
    if shutil.which("ed") is None:
        pytest.skip("ed is not installed")
    commands = f",s/{OLD}/{NEW}/\nw\nq\n"
    subprocess.run(["ed", "-s", str(path)], input=commands, check=True, text=True, timeout=30)


def copied(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(zone_text(2, NEW))
    tool("cp", str(fresh), str(path))


def moved(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(zone_text(2, NEW))
    tool("mv", str(fresh), str(path))


def installed(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(zone_text(2, NEW))
    tool("install", "-m", "644", str(fresh), str(path))


def hard_linked(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(zone_text(2, NEW))
    tool("ln", "-f", str(fresh), str(path))


def sym_linked(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(zone_text(2, NEW))
    tool("ln", "-sfn", "fresh", str(path))


def directory_swapped(path: Path) -> None:
    fresh = path.parent.with_name("fresh")
    fresh.mkdir()
    (fresh / path.name).write_text(zone_text(2, NEW))
    path.parent.rename(path.parent.with_name("old"))
    fresh.rename(path.parent)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda path: tool("sed", "-i", f"s/{OLD}/{NEW}/", str(path)), id="sed -i"),
        pytest.param(lambda path: tool("sed", "-i.bak", f"s/{OLD}/{NEW}/", str(path)), id="sed -i.bak"),
        pytest.param(lambda path: tool("perl", "-pi", "-e", f"s/{OLD}/{NEW}/", str(path)), id="perl -pi"),
        pytest.param(vim, id="vim"),
        pytest.param(
            lambda path: vim(path, "--cmd", "set backup backupcopy=no"), id="vim, rename and create"
        ),
        pytest.param(lambda path: vim(path, "--cmd", "set backupcopy=yes"), id="vim, in place"),
        pytest.param(with_ed, id="ed"),
        pytest.param(copied, id="cp"),
        pytest.param(moved, id="mv"),
        pytest.param(installed, id="install"),
        pytest.param(hard_linked, id="ln -f"),
        pytest.param(sym_linked, id="ln -sfn"),
        pytest.param(directory_swapped, id="another directory"),
    ],
)
def test_edits(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    (tmp_path / "zones").mkdir()
    with daemon(tmp_path, ZONE, {"zones/a.db": zone_text()}) as server:
        server.wait_for_address(WWW, OLD)
        edit(tmp_path / "zones/a.db")
        server.wait_for_address(WWW, NEW)
        # What is new is watched as what was there before.
        fresh = tmp_path / "zones/again"
        fresh.write_text(zone_text(3, "192.0.2.99"))
        fresh.replace(tmp_path / "zones/a.db")
        server.wait_for_address(WWW, "192.0.2.99")
        assert "error" not in server.log


def test_a_kubernetes_volume(tmp_path: Path) -> None:
    volume = tmp_path / "zones"
    (volume / "..1").mkdir(parents=True)
    (volume / "..data").symlink_to("..1")
    (volume / "..1/a.db").write_text(zone_text())
    (volume / "a.db").symlink_to("..data/a.db")
    with daemon(tmp_path, ZONE, {}) as server:
        server.wait_for_address(WWW, OLD)
        for number in range(2, 5):
            fresh = volume / f"..{number}"
            fresh.mkdir()
            (fresh / "a.db").write_text(zone_text(number, f"192.0.2.{number}"))
            (volume / "..data_tmp").symlink_to(fresh.name)
            (volume / "..data_tmp").replace(volume / "..data")
            shutil.rmtree(volume / f"..{number - 1}")
            server.wait_for_address(WWW, f"192.0.2.{number}")
        assert "error" not in server.log


def test_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "zones").mkdir()
    zone = zone_text().replace(f"www IN A {OLD}\n", "$INCLUDE more/hosts\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more/hosts").write_text(f"www A {OLD}\n")
    with daemon(tmp_path, ZONE, {"zones/a.db": zone}) as server:
        server.wait_for_address(WWW, OLD)
        (tmp_path / "more/hosts").write_text(f"www A {NEW}\n")
        server.wait_for_address(WWW, NEW)


def test_a_file_that_is_written_slowly_is_never_read_in_part(tmp_path: Path) -> None:
    """Every part is a good zone by itself, so that only the answers could tell."""
    (tmp_path / "zones").mkdir()
    with daemon(tmp_path, ZONE, {"zones/a.db": zone_text()}) as server:
        server.wait_for_address(WWW, OLD)
        with (tmp_path / "zones/a.db").open("w") as file:
            for line in zone_text(2, NEW).splitlines(keepends=True):
                file.write(line)
                file.flush()
                # A dozen answers: time in which the server could notice the part, and must not.
                for _ in range(12):
                    assert server.addresses(WWW) == [OLD]
        server.wait_for_address(WWW, NEW)
        server.wait_for_log("loaded serial 2")
        assert server.log.count("loaded serial 2") == 1
        assert "error" not in server.log
