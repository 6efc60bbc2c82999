"""A start imports what it needs and no more: that is the largest part of what it costs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("bindpy_engine", reason="the Python engine needs more")

NEVER_NEEDED = (
    *("dns.name", "dns.rdata", "dns.rdataset", "dns.tokenizer", "dns.tsig"),  # there is no RDATA for them
    *("ssl", "importlib.resources"),
    *("importlib.metadata", "email.message", "logging.config", "multiprocessing"),
    *("bindpy.zone.by_dnspython", "bindpy.cli.checkzone", "bindpy.cli.zone", "bindpy.edit"),
    *("pyparsing", "bindpy.config.grammar"),  # nothing is wrong with the configuration
    *("bindpy.control.verbs_files", "bindpy.control.verbs_status", "bindpy.control.stats"),
)
CODE = """
import atexit, sys
atexit.register(lambda: sys.stderr.write("loaded: " + " ".join(sys.modules) + "\\n"))
from bindpy.cli.main import main
main(["serve", "-c", "named.conf", "--engine", "rust"], prog_name="bindpy")
"""


def test_serving_a_zone_imports_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "named.conf").write_text(
        f'options {{ directory "{tmp_path}"; listen-on port 0 {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; '
        'pid-file none; };\ncontrols { };\nzone "example.com" { type primary; file "db"; };\n'
        'key k { algorithm hmac-sha256; secret "c2VjcmV0"; };\nacl us { 10/8; ! ::1; key k; };\n'
        'zone "example.net" { type secondary; primaries port 1 { 127.0.0.1 key k; }; };\n'
        'logging { channel c { file "log" versions 3 size 5m; severity info; }; category queries { c; }; };\n'
    )
    (tmp_path / "db").write_text(
        "$TTL 300\n@ SOA ns hostmaster 1 3600 900 604800 60\n@ NS ns\n@ MX 1 ns\n@ TXT text\nns A 127.0.0.1\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", CODE], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        try:
            lines = []
            for line in server.stderr:
                lines.append(line)
                if line.rstrip().endswith("running"):
                    break
            server.send_signal(signal.SIGTERM)
            lines += server.stderr
        finally:
            server.kill()
    assert any("all zones loaded (1 of 2 have data)" in line for line in lines), "".join(lines)
    loaded = set(lines[-1].removeprefix("loaded: ").split())
    assert "bindpy.app" in loaded, "".join(lines)
    assert sorted(loaded & set(NEVER_NEEDED)) == []
