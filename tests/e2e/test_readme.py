"""Every ``console`` block of the README and the documents is run as it stands, in a copy of the examples."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.require import require_tool
from tests.support.ports import free_port

PROJECT = Path(__file__).parents[2]
DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a console block and the output that the README promises."""

    command: str
    output: tuple[str, ...]


def console_steps(markdown: str) -> list[Step]:
    """Return the steps of all ``console`` blocks, in order."""
    steps: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *output = part.rstrip("\n").split("\n")
            steps.append(Step(command, tuple(output)))
    return steps


def promised(output: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern for *output*: ``...`` is anything, runs of blanks are equal."""
    text = "\n".join(" ".join(line.split()) for line in output)
    return re.compile(re.escape(text).replace(r"\.\.\.", r"[\s\S]*"))


def blanks_folded(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


Ports = dict[str, str]
"""The ports that the README has, and those that stand for them here."""


def with_ports(text: str, ports: Ports) -> str:
    for told, used in ports.items():
        text = text.replace(told, used)
    return text


@pytest.fixture
def example(tmp_path: Path) -> Iterator[tuple[Path, Ports]]:
    """The example, served as ``make run`` serves it, on a port of its own."""
    for tool in ("dig", "named"):
        require_tool(tool)
    ports = {told: str(free_port()) for told in map(str, range(5300, 5307))}
    for folder in ("examples", "zones"):
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns(".bindpy-state"))
    for conf in (tmp_path / "examples").rglob("*.conf"):
        conf.write_text(with_ports(conf.read_text(), ports))
    log = tmp_path / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "bindpy.cli.main", "serve", "-c", "examples/named.conf"],
            cwd=tmp_path,
            stderr=out,
            stdout=out,
        )
    try:
        deadline = time.monotonic() + DEADLINE_S
        while "running" not in log.read_text():
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield tmp_path, ports
    finally:
        end_started(tmp_path)
        server.terminate()
        assert server.wait(DEADLINE_S) == 0, log.read_text()
        assert "Traceback" not in log.read_text()


def end_started(folder: Path) -> None:
    """End the servers that a failed step left behind, by their pid files."""
    for pid_file in (folder / "examples").rglob("server.pid"):
        with suppress(ProcessLookupError):
            os.kill(int(pid_file.read_text()), signal.SIGTERM)


def run(step: Step, folder: Path, ports: Ports) -> str:
    binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
    done = subprocess.run(
        ["bash", "-c", with_ports(step.command, ports)],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PATH": binaries},
    )
    return blanks_folded(done.stdout + done.stderr)


@pytest.mark.parametrize(
    ("document", "at_least"),
    [
        ("README.md", 16),
        ("docs/autoprimary.md", 10),
        ("docs/ctl.md", 9),
        ("docs/lua.md", 9),
        ("docs/zones.md", 18),
    ],
)
def test_a_document_does_what_it_says(example: tuple[Path, Ports], document: str, at_least: int) -> None:
    folder, ports = example
    steps = console_steps((PROJECT / document).read_text())
    assert len(steps) >= at_least
    for step in steps:
        wanted = promised(tuple(with_ports(line, ports) for line in step.output))
        deadline = time.monotonic() + DEADLINE_S
        output = run(step, folder, ports)
        # Only what looks may be done again: an edit takes a moment to be served.
        while not wanted.fullmatch(output) and step.command.startswith(("dig", "grep")):
            assert time.monotonic() < deadline, f"$ {step.command}\n{output}\n{logs(folder)}"
            time.sleep(0.05)
            output = run(step, folder, ports)
        assert wanted.fullmatch(output), f"$ {step.command}\n{output}\n{document} says:\n" + "\n".join(
            step.output
        )


def logs(folder: Path) -> str:
    return "\n".join(f"{log.name}:\n{log.read_text()}" for log in folder.glob("*.log"))


def test_make_run_serves_the_port_that_the_readme_asks() -> None:
    readme = (PROJECT / "README.md").read_text()
    conf = (PROJECT / "examples/named.conf").read_text()
    assert set(re.findall(r"port (\d+)", conf)) == {"5300"}
    assert "-p 5300" in readme
    assert "CONF   ?= examples/named.conf" in (PROJECT / "Makefile").read_text()


def test_a_promise_can_be_broken() -> None:
    assert promised(("a ... c",)).fullmatch("a b c")
    assert not promised(("a ... c",)).fullmatch("a b d")
    assert console_steps("```console\n$ echo x\nx\n```\n") == [Step("echo x", ("x",))]
