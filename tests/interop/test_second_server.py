"""The PowerDNS tutorial's scenario, with named.conf in its place: a zone gets a second name server.

The zone's file gets a second NS record and a higher serial. Its primary sees the edit, finds the new server's
address in the zone, and tells it; the second server fetches the zone. No command is given to either. As NS
records have no ports, the second server needs port 53, of a loopback address of its own.
"""

from __future__ import annotations

import random
import socket
import time
from pathlib import Path

import pytest

from tests.interop.links import SERVERS, contents, serials, wait_for
from tests.peers.process import Replication, ServedZone
from tests.peers.require import require_peer
from tests.peers.servers import PEERS
from tests.support.ports import LOOPBACK, free_port

ORIGIN = "tutorial.test."
ZONE = """\
$TTL 300
@ SOA ns1 hostmaster 2026112201 3600 600 86400 300
@ NS ns1
ns1 A 127.0.0.1
www A 192.0.2.80
"""
EXTRA = {"pdns": "bind-check-interval=1"}
"""PowerDNS looks for edits only when it is told to."""


@pytest.fixture
def second_host() -> str:
    """A loopback address whose port 53 is free and ours to take."""
    for _ in range(20):
        host = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind((host, 53))
        except OSError as error:
            reason = error.strerror
        else:
            return host
    pytest.skip(f"port 53 of a loopback address cannot be had: {reason}")


@pytest.mark.parametrize(("first", "second"), [("bindpy", "bindpy"), ("bindpy", "pdns"), ("pdns", "bindpy")])
def test_a_second_ns_record_reaches_the_second_server_by_itself(
    first: str, second: str, second_host: str, tmp_path: Path
) -> None:
    for name in {first, second} & PEERS.keys():
        require_peer(name)
    path = tmp_path / "tutorial.zone"
    path.write_text(ZONE)
    port = free_port()
    here = ServedZone(ORIGIN, path, Replication(notify_name_servers=True))
    there = ServedZone(ORIGIN, tmp_path / "copy.zone", Replication(primary=(LOOPBACK, port)))
    with (
        SERVERS[first]([here], port=port, extra=EXTRA.get(first, "")) as primary,
        SERVERS[second]([there], port=53, host=second_host) as secondary,
    ):
        if first == "pdns":  # which sees no edit in the second of the file's last change
            wait_for(lambda: time.time() > int(path.stat().st_ctime) + 1.1, lambda: "the clock stands still")
        path.write_text(ZONE.replace("2026112201", "2026112202") + f"@ NS ns2\nns2 A {second_host}\n")
        wait_for(
            lambda: serials(secondary.address, [ORIGIN]) == {ORIGIN: 2026112202},
            lambda: f"primary:\n{primary.log_text()}\nsecondary:\n{secondary.log_text()}",
        )
        copy = contents(secondary.address, ORIGIN, None)
        assert copy == contents(primary.address, ORIGIN, None)
        assert [rr[:2] for rr in copy].count((ORIGIN, "NS")) == 2
