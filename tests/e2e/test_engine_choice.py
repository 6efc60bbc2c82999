"""Which engine serves, as ``--engine``, BINDPY_ENGINE and what is installed have it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bindpy.native import EngineChoice
from tests.e2e.daemon import Daemon, options, zone_text
from tests.support.engines import usable_engines
from tests.support.ports import free_port

ZONE = 'zone "example.com" { type primary; file "a.db"; };\n'
NOT_INSTALLED = "import sys; sys.modules['bindpy_engine'] = None; from bindpy.cli.main import main; main()"
"""bindpy where the Rust engine cannot be imported."""


class WithoutRust(Daemon):
    """A server that cannot import the Rust engine."""

    program = ("-c", NOT_INSTALLED)


@contextmanager
def serving(folder: Path, kind: type[Daemon], *arguments: str) -> Iterator[Daemon]:
    server = kind(folder, free_port())
    (folder / "named.conf").write_text(options(server.port) + ZONE)
    (folder / "a.db").write_text(zone_text())
    server.start(*arguments)
    try:
        server.wait_for_log("running")
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("arguments", [(), ("--engine", "auto")], ids=["unsaid", "auto"])
def test_without_the_rust_engine_python_serves_and_says_so(
    tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BINDPY_ENGINE", raising=False)
    with serving(tmp_path, WithoutRust, *arguments) as server:
        assert ", pure-Python engine" in server.log
        assert server.addresses("www.example.com") == ["192.0.2.10"]


def test_the_rust_engine_that_is_not_there_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "named.conf").write_text(options(free_port()) + ZONE)
    (tmp_path / "a.db").write_text(zone_text())
    done = subprocess.run(
        [sys.executable, "-c", NOT_INSTALLED, "serve", "-c", "named.conf", "--engine", "rust"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "the Rust engine cannot be used" in done.stderr
    assert "next: make engine, or serve with --engine python" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("told", ["argument", "environment"])
@pytest.mark.parametrize(
    ("choice", "name"),
    [("python", ", pure-Python engine"), ("rust", ", Rust engine "), ("auto", ", Rust engine ")],
)
def test_the_choice_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, choice: str, name: str
) -> None:
    if choice != "python" and EngineChoice.RUST not in usable_engines():
        pytest.skip("the Rust engine is not installed")
    # What is said in the command line counts before what the environment says.
    monkeypatch.setenv("BINDPY_ENGINE", choice if told == "environment" else "python")
    with serving(tmp_path, Daemon, *(("--engine", choice) if told == "argument" else ())) as server:
        assert name in server.log
        assert server.addresses("www.example.com") == ["192.0.2.10"]
        assert len(server.ask("www.example.com", tcp=True).answer) == 1


@pytest.mark.parametrize("processors", [1, 3])
def test_there_are_udp_threads_for_so_many_processors(tmp_path: Path, processors: int) -> None:
    if EngineChoice.RUST not in usable_engines():
        pytest.skip("the Rust engine is not installed")
    with serving(tmp_path, Daemon, "--engine", "rust", "-n", str(processors)) as server:
        assert server.process is not None
        threads = Path(f"/proc/{server.process.pid}/task").glob("*/comm")
        assert [thread.read_text() for thread in threads].count(f"udp {server.port}\n") == processors
        assert server.addresses("www.example.com") == ["192.0.2.10"]
