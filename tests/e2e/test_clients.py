"""The example as other people's tools see it: dig, kdig and delv."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.rdatatype
import pytest

from tests.e2e.daemon import Daemon
from tests.peers.require import require_tool
from tests.support.ports import free_port

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """`examples/named.conf`, on IPv4 and on a port of its own."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(PROJECT / "zones", folder / "zones")
    port = free_port()
    conf = (PROJECT / "examples/named.conf").read_text().replace("5300", str(port))
    (folder / "named.conf").write_text(re.sub("listen-on-v6 .*", "listen-on-v6 { none; };", conf))
    server = Daemon(folder, port)
    server.start()
    try:
        server.wait_for_log("running")
        yield server
    finally:
        server.stop()


def run(tool: str, server: Daemon, *arguments: str) -> str:
    done = subprocess.run(
        [require_tool(tool), "@127.0.0.1", "-p", str(server.port), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("tool", ["dig", "kdig"])
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_dig_and_kdig(example: Daemon, tool: str, transport: str) -> None:
    output = run(tool, example, transport, "www.example.com", "AAAA")
    assert "status: NOERROR" in output
    assert re.search(r"www\.example\.com\.\s+3600\s+IN\s+CNAME\s+example\.com\.", output)
    assert "2001:db8::10" in output
    assert "WARNING: Message parser" not in output


@pytest.mark.parametrize("tool", ["dig", "kdig"])
def test_signatures_come_when_asked_for(example: Daemon, tool: str) -> None:
    assert "RRSIG" in run(tool, example, "+dnssec", "www.signed.example")
    assert "RRSIG" not in run(tool, example, "www.signed.example")
    denied = run(tool, example, "+dnssec", "none.signed.example")
    assert "NXDOMAIN" in denied
    assert denied.count("NSEC3") >= 3


@pytest.mark.parametrize("tool", ["dig", "kdig"])
def test_a_reverse_zone(example: Daemon, tool: str) -> None:
    assert "host-1.lab.example.com." in run(tool, example, "-x", "192.0.2.101")
    assert "example.com." in run(tool, example, "-x", "2001:db8::10")


def test_chaos_version(example: Daemon) -> None:
    assert '"bindpy"' in run("dig", example, "version.bind", "CH", "TXT")


@pytest.mark.parametrize(
    ("name", "rtype", "verdict"),
    [
        ("www.signed.example", "A", "fully validated"),
        ("anything.wild.signed.example", "TXT", "fully validated"),
        ("none.signed.example", "A", "negative response, fully validated"),
        ("www.signed.example", "MX", "negative response, fully validated"),
        ("unsigned.signed.example", "DS", "negative response, fully validated"),
    ],
)
def test_delv_validates_the_signed_example(
    example: Daemon, tmp_path: Path, name: str, rtype: str, verdict: str
) -> None:
    keys = [
        rdata
        for rrset in example.ask("signed.example", "DNSKEY").answer
        for rdata in rrset
        if rdata.rdtype == dns.rdatatype.DNSKEY and rdata.flags == 257
    ]
    assert len(keys) == 1
    flags, protocol, algorithm, key = keys[0].to_text(chunksize=0).split(" ", 3)
    (tmp_path / "anchor").write_text(
        f'trust-anchors {{ signed.example. static-key {flags} {protocol} {algorithm} "{key}"; }};\n'
    )
    output = run("delv", example, "-a", str(tmp_path / "anchor"), "+root=signed.example", name, rtype)
    assert f"; {verdict}" in output
