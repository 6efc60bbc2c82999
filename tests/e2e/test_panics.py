"""Faults in the Rust engine: a real panic costs the one query, or file, that it came from, and is told.

The server is as it always is, but for two things that Python tells the engine, which takes them on trust:
what RDATA of a CNAME in generic form means (here: a name that ends in the middle, on which answering comes to
grief), and of which zone it is to read a file (here, in a folder "bad": one whose name is longer than any).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import pytest

from bindpy.native import EngineChoice
from tests.e2e.daemon import Daemon, options, wait_until, zone_text
from tests.e2e.test_verbs import tell
from tests.support.engines import usable_engines
from tests.support.ports import free_port

POISON = """\
import bindpy_engine
import bindpy.native.reading as reading
from bindpy.cli.main import main

sound_rdata = reading._rare_rdata
sound_reading, sound_reading_of_many = bindpy_engine.read_zone, bindpy_engine.read_zones

def rare_rdata(rtype, words, origin):
    return b"\\5ab" if rtype == 5 else sound_rdata(rtype, words, origin)

def told(path, origin):
    return path, origin[:-1] * 40 + b"\\0" if b"bad/" in path else origin

def read_zone(path, origin, *rest):
    return sound_reading(*told(path, origin), *rest)

def read_zones(zones, *rest):
    return sound_reading_of_many([told(*zone) for zone in zones], *rest)

reading._rare_rdata, bindpy_engine.read_zone, bindpy_engine.read_zones = rare_rdata, read_zone, read_zones
main()
"""
SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
CONF = f"""\
key "k" {{ algorithm hmac-sha256; secret "{SECRET}"; }};
zone "a.example" {{ type primary; file "a.db"; }};
zone "b.example" {{ type primary; file "bad/b.db"; }};
"""
GENERIC_CNAME = "bad CNAME \\# 1 00\n"
MANY = 400
"""More queries than there are threads, and than lines can be logged in the time that a test may take."""
FAULT = "a query could not be answered because of a fault in bindpy; please report it with this packet: "


class Poisoned(Daemon):
    """A server whose engine can be made to panic."""

    program = ("-c", POISON)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Poisoned]:
    if EngineChoice.RUST not in usable_engines():
        pytest.skip("the Rust engine is not installed")
    server = Poisoned(tmp_path, free_port())
    (tmp_path / "named.conf").write_text(options(server.port, 'control-socket "c.sock";') + CONF)
    (tmp_path / "a.db").write_text(zone_text() + GENERIC_CNAME)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "b.db").write_text(zone_text())
    server.start("--engine", "rust")
    try:
        server.wait_for_log("running")
        yield server
    finally:
        server.kill()


def query(rtype: str = "CNAME") -> dns.message.QueryMessage:
    return dns.message.make_query("bad.a.example", rtype)


def faults(server: Poisoned) -> list[str]:
    """Return the packets that were logged with what the engine said, in hexadecimal."""
    told = r"([0-9a-f]*): EngineFaultError: .*, at core/src/answer/.*\.rs:\d+:\d+\n"
    return re.findall(re.escape(FAULT) + told, server.log)


def test_a_panic_costs_one_query(server: Poisoned) -> None:
    where = ("127.0.0.1", 5.0, server.port)
    asked = [query() for _ in range(3)]
    asked[2].use_tsig(dns.tsigkeyring.from_text({"k.": SECRET}), algorithm=dns.tsig.HMAC_SHA256)
    sent = [message.to_wire() for message in asked]
    answers = [
        dns.query.udp(asked[0], *where),
        dns.query.tcp(asked[1], *where),
        dns.query.udp(asked[2], *where),
    ]
    assert [dns.rcode.to_text(answer.rcode()) for answer in answers] == ["SERVFAIL"] * 3
    wait_until(lambda: len(faults(server)) == 3, lambda: server.log)
    assert faults(server)[:2] == [packet.hex() for packet in sent[:2]]
    # The signature has been taken off, which is what was asked.
    assert dns.message.from_wire(bytes.fromhex(faults(server)[2])).question == asked[2].question
    assert tell(server, "stats -show").data["queries"]["faults"] == 3
    assert "panicked" not in server.log


def test_a_panic_ends_no_connection_and_no_thread(server: Poisoned) -> None:
    good = dns.message.make_query("www.a.example", "A")
    with dns.query.socket_factory(2, 1, 0) as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", server.port))
        for message, rcode in [(query(), "SERVFAIL"), (good, "NOERROR"), (query(), "SERVFAIL")]:
            dns.query.send_tcp(sock, message)
            assert dns.rcode.to_text(dns.query.receive_tcp(sock)[0].rcode()) == rcode
    for _ in range(MANY):
        assert server.ask("bad.a.example", "CNAME").rcode() == dns.rcode.SERVFAIL
    assert server.addresses("www.a.example") == ["192.0.2.10"]
    assert tell(server, "stats -show").data["queries"]["faults"] == MANY + 2
    assert server.log.count(FAULT) < MANY, "who finds such a packet does not fill the disk"


def test_a_panic_costs_one_reading(server: Poisoned) -> None:
    # Python has read the file, and its zone is served like the other.
    assert server.addresses("www.b.example") == ["192.0.2.10"]
    told = "bad/b.db: fault in bindpy's Rust engine; please report it; read by Python: FaultError: "
    assert server.log.count(told) == 1
    assert re.search(re.escape(told) + r"range end index .*, at core/src/read/.*\.rs:\d+", server.log)
    for serial, folder in [(2, "bad/b"), (2, "a"), (3, "bad/b")]:
        text = zone_text(serial, f"192.0.2.{serial * 10}")
        (server.folder / f"{folder}.db").write_text(text)
        server.wait_for_address(f"www.{folder[-1]}.example", f"192.0.2.{serial * 10}")
    assert server.log.count(told) == 3
    assert "panicked" not in server.log
