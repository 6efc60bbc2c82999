"""Edits of a running server's zones become deltas that IXFR is answered from, over restarts too."""

from __future__ import annotations

from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import dns.rrset

from tests.e2e.daemon import Daemon, daemon, wait_until, zone_text

CONF = 'zone "example.com" { type primary; file "example.com.zone"; allow-transfer { any; }; };\n'
FILES: dict[str, str | bytes] = {"example.com.zone": zone_text()}
STATE = 'state-directory "state"; notify no;'


def ixfr(server: Daemon, serial: int) -> list[str]:
    """Return the records that IXFR from *serial* is answered with, SOAs as "SOA SERIAL"."""
    query = dns.message.make_query("example.com.", "IXFR")
    soa = f"example.com. 0 IN SOA . . {serial} 0 0 0 0"
    query.authority.append(dns.rrset.from_text(*soa.split(None, 4)))
    reply = dns.query.tcp(query, "127.0.0.1", port=server.port, timeout=5, one_rr_per_rrset=True)
    found = []
    for rrset in reply.answer:
        is_soa = rrset.rdtype == dns.rdatatype.SOA
        found.append(f"SOA {rrset[0].serial}" if is_soa else f"{rrset.name.labels[0].decode()} {rrset[0]}")
    return found


def edit(server: Daemon, serial: int, address: str) -> None:
    fresh = server.folder / "fresh"
    fresh.write_text(zone_text(serial, address))
    fresh.rename(server.folder / "example.com.zone")


def restart(server: Daemon, *, edited: tuple[int, str] | None = None) -> None:
    count = server.log.count("running")
    server.stop()
    if edited is not None:
        edit(server, *edited)
    server.start()
    server.wait_for_log("running", count + 1)


CONDENSED = ["SOA 3", "SOA 1", "www 192.0.2.10", "SOA 3", "www 192.0.2.12", "SOA 3"]


def test_deltas_are_condensed_and_survive_a_restart(tmp_path: Path) -> None:
    with daemon(tmp_path, CONF, FILES, extra=STATE) as server:
        for serial, address in ((2, "192.0.2.11"), (3, "192.0.2.12")):
            edit(server, serial, address)
            server.wait_for_address("www.example.com", address)
        assert ixfr(server, 1) == CONDENSED
        assert ixfr(server, 3) == ["SOA 3"]
        restart(server)
        assert ixfr(server, 1) == CONDENSED
        assert (tmp_path / "state" / "state.db").exists()


def test_deltas_that_do_not_lead_to_the_file_are_never_sent(tmp_path: Path) -> None:
    with daemon(tmp_path, CONF, FILES, extra=STATE) as server:
        edit(server, 2, "192.0.2.11")
        server.wait_for_address("www.example.com", "192.0.2.11")
        restart(server, edited=(2, "192.0.2.99"))  # the same serial, other data
        server.wait_for_log("does not lead to the zone file")
        whole = ixfr(server, 1)
        assert whole[0] == whole[-1] == "SOA 2"
        assert "www 192.0.2.99" in whole
        assert "www 192.0.2.10" not in whole


def test_without_its_database_the_server_serves_and_learns_again(tmp_path: Path) -> None:
    with daemon(tmp_path, CONF, FILES, extra=STATE) as server:
        server.stop()
        (tmp_path / "state" / "state.db").write_bytes(b"no database at all " * 500)
        server.start()
        server.wait_for_log("beginning anew")
        server.wait_for_address("www.example.com", "192.0.2.10")
        edit(server, 2, "192.0.2.11")
        server.wait_for_address("www.example.com", "192.0.2.11")
        wait_until(lambda: len(ixfr(server, 1)) == 6, lambda: f"{ixfr(server, 1)}")
