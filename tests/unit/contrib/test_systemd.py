"""The files for systemd: well-formed, true to the program, and as closed as they say."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from socket import AF_INET

import click
import pytest

from bindpy.cli.main import main
from bindpy.config.load import load_config
from bindpy.control.catalogue import find_verb
from bindpy.server.interfaces import listen_endpoints, scan_host

FOLDER = Path(__file__).parents[3] / "contrib" / "systemd"


class _Unit(configparser.RawConfigParser):
    """A unit file: names keep their case, and lists that are given in several lines are joined."""

    def __init__(self) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#", ";"), interpolation=None)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    unit = _Unit()
    unit.read(FOLDER / "bindpy.service")
    return unit["Service"]


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_its_commands_exist(service: configparser.SectionProxy) -> None:
    for setting in ("ExecStart", "ExecReload"):
        program, name, *arguments = shlex.split(service[setting])
        assert program == "/usr/bin/bindpy"
        command = main.get_command(click.Context(main), name)
        assert command is not None
        if isinstance(command, click.Group):
            assert find_verb(arguments.pop(0)) is not None
        else:
            command.make_parser(click.Context(command)).parse_args(list(arguments))


def test_it_runs_without_root_and_with_one_capability(service: configparser.SectionProxy) -> None:
    sysusers = (FOLDER / "bindpy.sysusers.conf").read_text()
    assert re.search(rf"^u {service['User']} ", sysusers, re.MULTILINE)
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"


def test_its_directories_are_those_of_tmpfiles(service: configparser.SectionProxy) -> None:
    lines = (FOLDER / "bindpy.tmpfiles.conf").read_text().splitlines()
    made = {line.split()[1]: line.split()[2] for line in lines if line.startswith("d ")}
    for kind, parent in (
        ("Runtime", "/run"),
        ("State", "/var/lib"),
        ("Logs", "/var/log"),
        ("Configuration", "/etc"),
    ):
        path = f"{parent}/{service[f'{kind}Directory']}"
        assert made.pop(path) == service[f"{kind}DirectoryMode"]
    assert made == {}


@pytest.mark.parametrize("name", ["bindpy.service", "bindpy.socket"])
def test_systemd_finds_nothing_wrong(tmp_path: Path, name: str) -> None:
    for file in FOLDER.glob("bindpy.s[eo]*"):
        text = file.read_text().replace("/usr/bin/bindpy", sys.executable)
        (tmp_path / file.name).write_text(text.replace("User=bindpy", "User=root"))
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", str(tmp_path / name)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_sockets_are_those_of_the_default_configuration() -> None:
    unit = (FOLDER / "bindpy.socket").read_text()
    config = load_config("named.conf", text="").config
    assert config is not None
    host = scan_host()
    endpoints = listen_endpoints(config.options.listen_on, replace(host, has_ipv6=True)).endpoints
    hosts = {one: one.address if one.family == AF_INET else f"[{one.address}]" for one in endpoints}
    wanted = {
        f"{kind}={hosts[endpoint]}:{endpoint.port}"
        for kind in ("ListenDatagram", "ListenStream")
        for endpoint in endpoints
    }
    assert {line for line in unit.splitlines() if line.startswith("Listen")} == wanted
    assert "BindIPv6Only=ipv6-only" in unit


def test_systemd_calls_it_well_protected(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            tool("systemd-analyze"),
            "security",
            "--offline=true",
            "--json=short",
            str(FOLDER / "bindpy.service"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    exposed = {one["name"]: float(one["exposure"]) for one in json.loads(done.stdout) if one["exposure"]}
    # A DNS server cannot do without the network; nothing else of weight is left.
    assert {name for name, weight in exposed.items() if weight >= 0.3} <= {
        "PrivateNetwork=",
        "RestrictAddressFamilies=~AF_(INET|INET6)",
    }


def test_the_user_and_the_directories_can_be_made(tmp_path: Path) -> None:
    for kind in ("sysusers", "tmpfiles"):
        folder = tmp_path / f"usr/lib/{kind}.d"
        folder.mkdir(parents=True)
        shutil.copy(FOLDER / f"bindpy.{kind}.conf", folder / "bindpy.conf")
    (tmp_path / "etc").mkdir()
    for command in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
        done = subprocess.run(
            [tool(command[0]), f"--root={tmp_path}", *command[1:]],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode and "not permitted" in done.stderr:
            pytest.skip("only root can give directories away")
        assert done.returncode == 0, done.stderr
    assert "bindpy:x:" in (tmp_path / "etc/passwd").read_text()
    assert (tmp_path / "run/bindpy").is_dir()
