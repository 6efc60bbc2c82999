"""docs/control.md: its tour is run as it stands, and its configurations are good."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from bindpy.config.build_options import DEFAULT_CONTROL_PORT
from bindpy.config.load import load_config
from bindpy.control.rndc_channel import ChannelLimits
from bindpy.control.rndc_codec import MAX_REPLY_OCTETS, MAX_REQUEST_OCTETS
from bindpy.control.rndc_keyfile import KEY_FILES
from tests.e2e.test_readme import DEADLINE_S, PROJECT, console_steps, promised, run, with_ports
from tests.peers.require import require_tool
from tests.support.ports import free_port

DOCUMENT = (PROJECT / "docs/control.md").read_text()
CONFIGURATIONS = re.findall(r"^```named.conf\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
ZONE = "$TTL 300\n@ SOA ns hostmaster 1 3600 900 604800 60\n@ NS ns\nns A 127.0.0.1\n"


def test_the_tour(tmp_path: Path) -> None:
    require_tool("rndc")
    ports = {told: str(free_port()) for told in ("5300", "1953")}
    (tmp_path / "named.conf").write_text(with_ports(CONFIGURATIONS[0], ports))
    (tmp_path / "example.com.db").write_text(ZONE)
    steps = console_steps(DOCUMENT)
    assert len(steps) >= 10
    try:
        for step in steps:
            wanted = promised(tuple(with_ports(line, ports) for line in step.output))
            deadline = time.monotonic() + DEADLINE_S
            output = run(step, tmp_path, ports)
            while not wanted.fullmatch(output) and step.command.endswith(("status", "server.log")):
                assert time.monotonic() < deadline, f"$ {step.command}\n{output}\n{server_log(tmp_path)}"
                time.sleep(0.05)
                output = run(step, tmp_path, ports)
            assert wanted.fullmatch(output), f"$ {step.command}\n{output}\n{server_log(tmp_path)}"
        until_stopped(tmp_path)
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((tmp_path / "server.pid").read_text()), signal.SIGTERM)


def server_log(folder: Path) -> str:
    return (folder / "server.log").read_text()


def until_stopped(folder: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while (folder / "server.pid").exists():
        assert time.monotonic() < deadline, server_log(folder)
        time.sleep(0.05)
    assert "Traceback" not in server_log(folder)


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_the_configurations_are_good(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rndc.key").write_text('key "rndc-key" { algorithm hmac-sha256; secret "c2VjcmV0"; };\n')
    Path("named.conf").write_text(text)
    result = load_config("named.conf")
    assert result.config is not None, result.diagnostics
    assert result.config.controls
    checked = subprocess.run(
        [require_tool("named-checkconf"), "named.conf"], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_the_limits_are_those_of_the_program() -> None:
    limits = ChannelLimits()
    assert f"more than {limits.connections} connections" in DOCUMENT
    assert DOCUMENT.count(f"within {limits.patience_s:g} s") == 2
    assert f"longer than {MAX_REQUEST_OCTETS:,} octets" in DOCUMENT
    assert f"({MAX_REPLY_OCTETS >> 20} MiB)" in DOCUMENT
    assert f"port {DEFAULT_CONTROL_PORT}, with the key" in DOCUMENT
    assert all(f"`{path}`" in DOCUMENT for path in KEY_FILES)
