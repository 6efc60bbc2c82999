"""Lua scripts between real primaries and us."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, daemon, wait_until
from tests.e2e.test_secondary import (
    NEW,
    OLD,
    QUICK,
    WWW,
    BindPrimary,
    folder,
    primary_conf,
    secondary_conf,
    zone_text,
)
from tests.peers.process import ServedZone
from tests.peers.require import require_peer
from tests.support.ports import free_port

EXAMPLES = Path(__file__).parents[2] / "examples" / "lua"
SERIAL_AND_ADDRESS = """
function axfrfilter(ip, zone, record)
    if record:qtype() == pdns.SOA then
        return 0, {{content = record:content():gsub("^(%S+ %S+) %d+", "%1 2030010101")}}
    end
    if record:content() == "192.0.2.10" then
        return 0, {{content = "192.0.2.99"}}
    end
    return pdns.PASS, {}
end
"""
FAILS = "function axfrfilter(ip, zone, record)\n    error('no more')\nend\n"

# What the documentation of PowerDNS shows, as its users write it: globals, and a function defined last.
BODY = """
    if {qtype} == pdns.HINFO then
        answer = {{}}
        answer[1] = {{ qname = {qname}, qtype = pdns.TXT, ttl = 99, content = "Hello there!" }}
        return 0, answer
    end
    if {qtype} == pdns.TXT and string.starts({qname}, "_tstamp.") then
        answer = {{}}
        answer[1] = {{ qname = {qname}, qtype = {qtype}, ttl = {ttl}, content = os.date("Ver %Y%m%d-%H:%M") }}
        return 0, answer
    end
    answer = {{}}
    return pdns.PASS, answer
end

function string.starts(s, start)
    return s.sub(s, 1, s.len(start)) == start
end
"""
PLAIN = {"qname": "qname", "qtype": "qtype", "ttl": "ttl"}
OBJECT = {"qname": "record:qname():toString()", "qtype": "record:qtype()", "ttl": "record:ttl()"}
FORMS = {
    "three": "function axfrfilter(remoteip, zone, record)" + BODY.format(**OBJECT),
    "six": "function axfrfilter(remoteip, zone, qname, qtype, ttl, content)" + BODY.format(**PLAIN),
    "seven": "function axfrfilter(remoteip, zone, qname, qtype, ttl, prio, content)" + BODY.format(**PLAIN),
}
MORE = """\
host IN HINFO "PDP-11" "UNIX"
_tstamp.a IN TXT "old"
_tstamp IN TXT "old" "value"
@ IN TXT "_tstamp"
@ IN MX 10 mail
_sip._tcp IN SRV 1 2 5060 www
"""


def texts(server: Daemon, name: str) -> list[str]:
    return [rdata.to_text() for rrset in server.ask(name, "TXT").answer for rdata in rrset]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("peer", ["bindpy", "named"])
def test_the_documented_script_works_in_each_form(tmp_path: Path, peer: str, form: str) -> None:
    port = free_port()
    zone = zone_text(1, OLD) + MORE
    if peer == "named":
        require_peer("named")
        (tmp_path / "example.db").write_text(zone)
        with BindPrimary(
            [ServedZone("example.com.", tmp_path / "example.db")], "", "127.0.0.1", port
        ) as bind:
            check_documented(tmp_path, bind.port, port, form)
    else:
        with daemon(folder(tmp_path, "primary"), primary_conf(port), {"example.db": zone}) as primary:
            check_documented(tmp_path, primary.port, port, form)


def check_documented(tmp_path: Path, primary_port: int, port: int, form: str) -> None:
    conf = secondary_conf(primary_port, more='lua-axfr-script "f.lua";')
    with daemon(folder(tmp_path, "secondary"), conf, {"f.lua": FORMS[form]}, port=port) as secondary:
        secondary.wait_for_address(WWW, OLD)
        answer = secondary.ask("host.example.com", "TXT")
        assert [rrset.to_text() for rrset in answer.answer] == ['host.example.com. 99 IN TXT "Hello there!"']
        assert secondary.ask("host.example.com", "HINFO").answer == []
        for name in ("_tstamp.example.com", "_tstamp.a.example.com"):
            (stamp,) = texts(secondary, name)
            assert re.fullmatch(r'"Ver \d{8}-\d\d:\d\d"', stamp), stamp
        assert texts(secondary, "example.com") == ['"_tstamp"']
        (mx,) = secondary.ask("example.com", "MX").answer
        assert mx.to_text() == "example.com. 300 IN MX 10 mail.example.com."
        (srv,) = secondary.ask("_sip._tcp.example.com", "SRV").answer
        assert srv.to_text().endswith("SRV 1 2 5060 www.example.com.")
        (soa,) = secondary.ask("example.com", "SOA").answer
        assert soa[0].serial == 1


def test_the_examples_between_bind_and_us(tmp_path: Path) -> None:
    """Each in a zone of its own."""
    require_peer("named")
    scripts = {path.stem: path.read_text() for path in sorted(EXAMPLES.iterdir())}
    file = tmp_path / "example.db"
    file.write_text(zone_text(5, OLD) + MORE)
    port = free_port()
    zones = [ServedZone(f"{stem}.example.", file) for stem in scripts]
    with BindPrimary(zones, "", "127.0.0.1", port) as bind:
        conf = "".join(
            f'zone "{stem}.example" {{ type secondary; file "{stem}.db"; '
            f'primaries {{ 127.0.0.1 port {bind.port}; }}; lua-axfr-script "{stem}.lua"; }};\n'
            for stem in scripts
        )
        files: dict[str, str | bytes] = {f"{stem}.lua": text for stem, text in scripts.items()}
        with daemon(folder(tmp_path, "secondary"), conf, files, port=port) as secondary:
            for stem in scripts:
                secondary.wait_for_address(f"www.{stem}.example", OLD)
            assert texts(secondary, "host.hinfo-to-txt.example") == ['"no hardware information here"']
            assert texts(secondary, "_tstamp.hinfo-to-txt.example")[0].startswith('"fetched 20')
            (ns,) = secondary.ask("consistent-ns.example", "NS").answer
            assert sorted(ns.to_text().split("\n")) == [
                "consistent-ns.example. 86400 IN NS ns1.example.net.",
                "consistent-ns.example. 86400 IN NS ns2.example.net.",
            ]
            (stamp,) = texts(secondary, "_fetched.timestamp.example")
            assert re.fullmatch(r'"20[\d :-]+ UTC from 127\.0\.0\.1"', stamp)
            (soa,) = secondary.ask("serial-by-date.example", "SOA").answer
            assert 2026_00_00_00 < soa[0].serial < 2100_00_00_00
            secondary.wait_for_log("(5 at the primary)")


def test_a_rewritten_serial_costs_no_transfer_at_refreshes_and_restarts(tmp_path: Path) -> None:
    port = free_port()
    text = zone_text(1, OLD, "1 1 604800")
    with daemon(folder(tmp_path, "primary"), primary_conf(port), {"example.db": text}) as primary:
        script = (EXAMPLES / "serial-by-date.lua").read_text()
        conf = secondary_conf(primary.port, more=QUICK + ' lua-axfr-script "f.lua";')
        with daemon(folder(tmp_path, "secondary"), conf, {"f.lua": script}, port=port) as secondary:
            secondary.wait_for_address(WWW, OLD)
            asked = primary.log.count("AXFR started")
            assert asked == 1
            secondary.stop()
            written = (secondary.folder / "copy.db").stat()
            secondary.start()
            secondary.wait_for_log("running", 2)
            (primary.folder / "example.db").write_text(zone_text(2, NEW, "1 1 604800"))
            secondary.wait_for_address(WWW, NEW)
            secondary.wait_for_log("(2 at the primary)")
            assert primary.log.count("AXFR started") == 2, primary.log
            assert (secondary.folder / "copy.db").stat().st_ino != written.st_ino


def zonestatus(server: Daemon) -> str:
    command = [sys.executable, "-m", "bindpy.cli.main", "zonestatus", "-c", "named.conf", "example.com"]
    done = subprocess.run(command, cwd=server.folder, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout + done.stderr


def test_a_failing_script_leaves_the_old_zone(tmp_path: Path) -> None:
    port = free_port()
    with daemon(
        folder(tmp_path, "primary"), primary_conf(port), {"example.db": zone_text(1, OLD)}
    ) as primary:
        conf = secondary_conf(primary.port, more=QUICK + ' lua-axfr-script "f.lua";')
        files: dict[str, str | bytes] = {"f.lua": SERIAL_AND_ADDRESS}
        with daemon(folder(tmp_path, "secondary"), conf, files, port=port) as secondary:
            secondary.wait_for_address(WWW, "192.0.2.99")
            secondary.wait_for_log("transferred serial 2030010101 (1 at the primary)")
            (secondary.folder / "f.lua").write_text(FAILS)
            (primary.folder / "example.db").write_text(zone_text(2, NEW))
            secondary.wait_for_log("f.lua:2: no more")
            secondary.wait_for_address(WWW, "192.0.2.99")
            wait_until(lambda: "f.lua:2: no more" in zonestatus(secondary), lambda: zonestatus(secondary))
            (secondary.folder / "f.lua").unlink()
            (primary.folder / "example.db").write_text(zone_text(3, NEW))
            secondary.wait_for_log("the script cannot be read")
            secondary.wait_for_address(WWW, "192.0.2.99")
            (secondary.folder / "f.lua").write_text(SERIAL_AND_ADDRESS)
            (primary.folder / "example.db").write_text(zone_text(4, NEW))
            secondary.wait_for_address(WWW, NEW)
            assert "Traceback" not in secondary.log


@pytest.mark.parametrize("where", ["load", "record"])
def test_a_server_stops_soon_though_a_script_is_running(tmp_path: Path, where: str) -> None:
    port = free_port()
    busy = "function loop() local s = ('x'):rep(1e6) while true do pcall(s.reverse, s) end end "
    busy += "function axfrfilter(a, b, c) loop() end " + ("loop()" if where == "load" else "")
    with daemon(
        folder(tmp_path, "primary"), primary_conf(port), {"example.db": zone_text(1, OLD)}
    ) as primary:
        conf = secondary_conf(primary.port, more='lua-axfr-script "f.lua";')
        with daemon(folder(tmp_path, "secondary"), conf, {"f.lua": busy}, port=port) as secondary:
            if where == "record":
                secondary.wait_for_log("connected using")
            began = time.monotonic()
            secondary.stop()
            assert time.monotonic() - began < 8
