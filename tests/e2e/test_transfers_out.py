"""Transfers out of a running server, asked for by dig and kdig; signed queries."""

from __future__ import annotations

import base64
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.rcode
import pytest

from tests.e2e.daemon import Daemon, daemon, zone_text
from tests.peers.require import require_tool

SECRET = base64.b64encode(b"0123456789abcdef").decode()
ALGORITHMS = ("hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
HOSTS = 3000
CONF = (
    "".join(f'key k-{name} {{ algorithm {name}; secret "{SECRET}"; }};\n' for name in ALGORITHMS)
    + f'key short {{ algorithm hmac-sha256-128; secret "{SECRET}"; }};\n'
    + 'zone example { type primary; file "small.db"; allow-transfer { 127.0.0.1; }; };\n'
    + 'zone big { type primary; file "big.db"; allow-transfer { '
    + "".join(f"key k-{name}; " for name in ALGORITHMS)
    + "key short; }; };\n"
    + 'zone shut { type primary; file "small.db"; allow-query { key short; }; };\n'
)
BIG = zone_text() + "".join(f"h{number} IN A 192.0.2.7\nh{number} IN MX 10 www\n" for number in range(HOSTS))
BIG_RECORDS = 2 * HOSTS + 5  # the zone, and the SOA once more


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("transfers")
    with daemon(folder, CONF, {"small.db": zone_text(7), "big.db": BIG}) as running:
        yield running


def dig(server: Daemon, *arguments: str, binary: str = "dig") -> list[str]:
    """Return the records that *binary* prints, and ``;``-lines."""
    command = [require_tool(binary), "@127.0.0.1", "-p", str(server.port), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line]


def records(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines if not line.startswith(";") and "TSIG" not in line]


def test_axfr_over_tcp(server: Daemon) -> None:
    got = records(dig(server, "example", "AXFR"))
    assert [(rr[0], rr[3]) for rr in got] == [
        ("example.", "SOA"),
        ("example.", "NS"),
        ("ns.example.", "A"),
        ("www.example.", "A"),
        ("example.", "SOA"),
    ]
    server.wait_for_log("transfer of 'example/IN': AXFR ended: 1 messages, 5 records")


def test_ixfr_of_an_old_version_and_of_the_current_one(server: Daemon) -> None:
    assert len(records(dig(server, "example", "IXFR=6"))) == 5
    assert len(records(dig(server, "example", "IXFR=7"))) == 1
    assert len(records(dig(server, "+notcp", "example", "IXFR=7"))) == 1


def test_axfr_over_udp_is_refused(server: Daemon) -> None:
    assert dns.rcode.to_text(server.ask("example", "AXFR").rcode()) == "FORMERR"
    server.wait_for_log("bad zone transfer request: 'example/IN': attempted AXFR over UDP (FORMERR)")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("binary", ["dig", "kdig"])
def test_signed_axfr_in_many_messages(server: Daemon, algorithm: str, binary: str) -> None:
    lines = dig(server, "-y", f"{algorithm}:k-{algorithm}:{SECRET}", "big", "AXFR", binary=binary)
    got = records(lines)
    assert len(got) == BIG_RECORDS
    assert got[0] == got[-1]
    assert {tuple(rr[:1] + rr[3:]) for rr in got} >= {("h2999.big.", "MX", "10", "www.big.")}
    assert not any("fail" in line.lower() or "not be validated" in line for line in lines if line[0] == ";")
    assert sum("TSIG" in line and not line.startswith(";") for line in lines) > (1 if binary == "dig" else 0)


def test_a_truncated_form(server: Daemon) -> None:
    lines = dig(server, "-y", f"hmac-sha256-128:short:{SECRET}", "big", "AXFR")
    assert len(records(lines)) == BIG_RECORDS
    assert any("hmac-sha256. " in line and " 300 16 " in line for line in lines)


def test_without_the_key_there_is_nothing(server: Daemon) -> None:
    lines = dig(server, "big", "AXFR")
    assert records(lines) == []
    assert "; Transfer failed." in lines
    server.wait_for_log("zone transfer 'big/AXFR/IN' denied: allow-transfer of the zone does not match")


def test_what_a_wrong_key_is_told(server: Daemon) -> None:
    other = base64.b64encode(b"another secret").decode()
    for key, error in (
        (f"hmac-sha256:k-hmac-sha256:{other}", "BADSIG"),
        (f"hmac-sha256:unknown:{SECRET}", "BADKEY"),
        (f"hmac-sha512:k-hmac-sha256:{SECRET}", "BADKEY"),
    ):
        lines = dig(server, "-y", key, "www.example", "A")
        assert any(line.startswith(";;") and "NOTAUTH" in line for line in lines), lines
        assert any("TSIG" in line and error in line for line in lines), lines
        server.wait_for_log(f"tsig verify failure ({error})")
    assert SECRET not in server.log


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_a_key_opens_allow_query_and_the_answer_is_signed(server: Daemon, transport: str) -> None:
    for binary in ("dig", "kdig"):
        lines = dig(server, transport, "-y", f"hmac-sha256-128:short:{SECRET}", "www.shut", "A")
        assert [rr[4] for rr in records(lines)] == ["192.0.2.10"], (binary, lines)
        assert not any("not be validated" in line for line in lines), lines
    assert any("REFUSED" in line for line in dig(server, transport, "www.shut", "A"))


def test_keys_and_access_change_at_reload(tmp_path: Path) -> None:
    conf = f'key a {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'
    conf += 'zone example { type primary; file "small.db"; allow-transfer { key a; }; };\n'
    with daemon(tmp_path, conf, {"small.db": zone_text()}) as server:
        assert len(records(dig(server, "-y", f"hmac-sha256:a:{SECRET}", "example", "AXFR"))) == 5
        path = tmp_path / "named.conf"
        path.write_text(path.read_text().replace("key a", "key b"))
        server.signal(signal.SIGHUP)
        server.wait_for_log("reloading finished")
        assert records(dig(server, "-y", f"hmac-sha256:a:{SECRET}", "example", "AXFR")) == []
        assert len(records(dig(server, "-y", f"hmac-sha256:b:{SECRET}", "example", "AXFR"))) == 5


def test_ixfr_after_edits(tmp_path: Path) -> None:
    conf = 'zone example { type primary; file "small.db"; allow-transfer { any; }; };\n'
    filler = "".join(f"h{number} IN A 192.0.2.7\n" for number in range(50))
    with daemon(tmp_path, conf, {"small.db": zone_text() + filler}) as server:
        for serial in (2, 3):
            address = f"192.0.2.{100 + serial}"
            (tmp_path / "small.db").write_text(zone_text(serial, address) + filler)
            server.wait_for_address("www.example", address)
        for transport in ("+tcp", "+notcp"):
            got = records(dig(server, transport, "example", "IXFR=1"))
            serials = [rr[6] for rr in got if rr[3] == "SOA"]
            addresses = [rr[4] for rr in got if rr[3] == "A"]
            assert serials == ["3", "1", "3", "3"], (transport, got)
            assert addresses == ["192.0.2.10", "192.0.2.103"]
        assert "IXFR started (serial 1 -> 3)" in server.log
        assert len(records(dig(server, "example", "IXFR=0"))) == 50 + 5
