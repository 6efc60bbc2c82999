"""A Lua script between a primary and us."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.daemon import daemon
from tests.e2e.test_secondary import NEW, OLD, QUICK, WWW, folder, primary_conf, secondary_conf, zone_text
from tests.peers.process import free_port

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


def test_a_script_rewrites_the_serial_and_a_failing_one_leaves_the_old_zone(tmp_path: Path) -> None:
    port = free_port()
    with daemon(
        folder(tmp_path, "primary"), primary_conf(port), {"example.db": zone_text(1, OLD)}
    ) as primary:
        conf = secondary_conf(primary.port, more=QUICK + ' lua-axfr-script "f.lua";')
        files = {"f.lua": SERIAL_AND_ADDRESS}
        with daemon(folder(tmp_path, "secondary"), conf, files, port=port) as secondary:
            secondary.wait_for_address(WWW, "192.0.2.99")
            secondary.wait_for_log("transferred serial 2030010101")
            (secondary.folder / "f.lua").write_text(FAILS)
            (primary.folder / "example.db").write_text(zone_text(2, NEW))
            secondary.wait_for_log("f.lua:2: no more")
            secondary.wait_for_address(WWW, "192.0.2.99")
            (secondary.folder / "f.lua").unlink()
            (primary.folder / "example.db").write_text(zone_text(3, NEW))
            secondary.wait_for_log("the script cannot be read")
            secondary.wait_for_address(WWW, "192.0.2.99")
            (secondary.folder / "f.lua").write_text(SERIAL_AND_ADDRESS)
            (primary.folder / "example.db").write_text(zone_text(4, NEW))
            secondary.wait_for_address(WWW, NEW)
