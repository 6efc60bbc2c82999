"""bindpy in the middle: a secondary of one server that is the primary of the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.edited import EditedZone
from tests.interop.links import KEYS, PRIMARY_EXTRA, SERVERS, contents, serials, wait_for
from tests.peers.process import Replication, ServedZone
from tests.peers.require import require_peer
from tests.peers.servers import PEERS, Bindpy
from tests.support.ports import LOOPBACK, free_port

ORIGIN = "chain.test."
EDITS = 3


@pytest.mark.parametrize(("first", "last"), [("named", "knot"), ("knot", "nsd"), ("bindpy", "named")])
def test_edits_go_through_bindpy_to_the_next_server(first: str, last: str, tmp_path: Path) -> None:
    """Each link has a key of its own; what came in by IXFR goes out by IXFR."""
    for name in {first, last} & PEERS.keys():
        require_peer(name)
    ports = [free_port(), free_port(), free_port()]
    inward, outward = KEYS["hmac-sha256"], KEYS["hmac-sha512"]
    zone = EditedZone("chain", ORIGIN, tmp_path / "first.zone", motifs=60)
    at_first = ServedZone(ORIGIN, zone.path, Replication(notify=((LOOPBACK, ports[1]),), key=inward))
    at_last = ServedZone(ORIGIN, tmp_path / "last.zone", Replication((LOOPBACK, ports[1]), key=outward))
    middle = Replication(
        (LOOPBACK, ports[0]), notify=((LOOPBACK, ports[2]),), key=inward, key_of_secondaries=outward
    )
    with (
        SERVERS[first]([at_first], port=ports[0], extra=PRIMARY_EXTRA.get(first, "")) as primary,
        Bindpy(
            [ServedZone(ORIGIN, tmp_path / "middle.zone", middle)], port=ports[1], extra="notify-delay 0;"
        ) as between,
        SERVERS[last]([at_last], port=ports[2]) as end,
    ):
        for _ in range(EDITS):
            zone.edit()
            primary.tell_of_edit(ORIGIN)
            wait_for(
                lambda: serials(end.address, [ORIGIN])[ORIGIN] == zone.serial,
                lambda: "\n---\n".join(server.log_text()[-5000:] for server in (primary, between, end)),
            )
        assert contents(end.address, ORIGIN, outward) == contents(primary.address, ORIGIN, inward)
        log = between.log_text()
        assert log.count(f"transfer of '{ORIGIN[:-1]}/IN': IXFR ended") >= EDITS, log
