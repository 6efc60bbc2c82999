"""Each peer can be started, serves over UDP and TCP, ends when told, and says why when it cannot start."""

from __future__ import annotations

from pathlib import Path

import dns.message
import dns.rcode
import psutil
import pytest

from tests.peers.client import exchange_tcp, exchange_udp, soa_query
from tests.peers.process import PeerError, ServedZone
from tests.peers.require import REQUIRE_VARIABLE, require_tool
from tests.peers.servers import PEERS, Named

ZONE = """\
$TTL 300
@ SOA ns hostmaster 7 2 3 4 5
@ NS ns
ns A 127.0.0.1
"""


@pytest.fixture
def zone(tmp_path: Path) -> ServedZone:
    path = tmp_path / "small.zone"
    path.write_text(ZONE)
    return ServedZone("small.test.", path)


@pytest.mark.parametrize("name", PEERS)
def test_peer_serves_a_zone_and_leaves_nothing_behind(name: str, zone: ServedZone) -> None:
    require_tool(PEERS[name].binary)
    queries = [soa_query(zone.origin)] * 100
    with PEERS[name]([zone]) as server:
        process, directory = psutil.Process(server.pid), server.directory
        family = [process, *process.children(recursive=True)]
        answers = exchange_udp(server.address, queries) + exchange_tcp(server.address, queries)
    for answer in answers:
        assert answer is not None
        message = dns.message.from_wire(answer)
        assert message.rcode() is dns.rcode.NOERROR
        assert message.answer[0][0].serial == 7
    psutil.wait_procs(family, timeout=5)
    assert [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert not directory.exists()


def test_a_zone_that_does_not_load_is_named_with_the_log(tmp_path: Path) -> None:
    require_tool(Named.binary)
    path = tmp_path / "bad.zone"
    path.write_text("@ SOA ns\n")
    server = Named([ServedZone("bad.test.", path)], extra="nonsense yes;")
    with pytest.raises(PeerError, match="unknown option 'nonsense'"):
        server.start()
    with pytest.raises(PeerError, match="not running"):
        _ = server.pid


@pytest.mark.parametrize(
    ("required", "outcome"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)]
)
def test_missing_peer_is_a_skip_and_in_ci_a_failure(
    required: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REQUIRE_VARIABLE, required)
    with pytest.raises(outcome, match="no-such-server is not installed"):
        require_tool("no-such-server")
