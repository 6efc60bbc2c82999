"""``bindpy zone`` beside a running server: what it writes is served without another command."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.daemon import daemon, wait_until, zone_text

ZONE = 'zone "example.com" { type primary; file "a.db"; };\n'


def zone_tool(folder: Path, command: str, *words: str) -> str:
    """Run ``bindpy zone`` as a process and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "bindpy.cli.main", "zone", command, "-c", "named.conf", *words],
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_changes_are_served(tmp_path: Path) -> None:
    with daemon(tmp_path, ZONE, {"a.db": zone_text()}) as server:
        zone_tool(tmp_path, "add-record", "--yes", "example.com", "new", "A", "192.0.2.5")
        server.wait_for_address("new.example.com", "192.0.2.5")
        zone_tool(tmp_path, "replace", "--yes", "example.com", "new", "A", "192.0.2.6")
        server.wait_for_address("new.example.com", "192.0.2.6")
        zone_tool(tmp_path, "delete-record", "--yes", "example.com", "new")
        wait_until(lambda: server.rcode("new.example.com") == "NXDOMAIN", lambda: server.log)
        zone_tool(tmp_path, "increase-serial", "--yes", "example.com")
        server.wait_for_log("loaded serial 5")
        assert "reload failed" not in server.log
        assert server.addresses("www.example.com") == ["192.0.2.10"]


def test_a_created_zone_is_served_after_hup(tmp_path: Path) -> None:
    with daemon(tmp_path, ZONE, {"a.db": zone_text()}) as server:
        zone_tool(tmp_path, "create", "--yes", "new.example", "--ns", "ns1=192.0.2.1")
        server.signal(signal.SIGHUP)
        server.wait_for_address("ns1.new.example", "192.0.2.1")
        zone_tool(tmp_path, "add-record", "--yes", "new.example", "www", "A", "192.0.2.2")
        server.wait_for_address("www.new.example", "192.0.2.2")
