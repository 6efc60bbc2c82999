"""A ``native`` zone is served and followed as its file changes, tells nobody, and is told nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import dns.message
import dns.opcode
import dns.query
import dns.rcode

from tests.e2e.daemon import daemon, zone_text

CONF = """\
zone native.test { type native; file "native.db"; };
zone told.test { type primary; file "told.db"; };
"""


def notify(zone: str) -> dns.message.Message:
    message = dns.message.make_query(zone, "SOA", flags=0)
    message.set_opcode(dns.opcode.NOTIFY)
    return message


def test_native_zones_neither_notify_nor_take_notify(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        options = (
            f"notify explicit; notify-delay 0; also-notify {{ 127.0.0.1 port {listener.getsockname()[1]}; }};"
        )
        with daemon(
            tmp_path, CONF, {"native.db": zone_text(1), "told.db": zone_text(1)}, extra=options
        ) as server:
            (tmp_path / "native.db").write_text(zone_text(2, "192.0.2.22"))
            server.wait_for_address("www.native.test", "192.0.2.22")
            (tmp_path / "told.db").write_text(zone_text(2, "192.0.2.22"))
            told: list[tuple[str, int]] = []
            while ("told.test.", 2) not in told:
                packet, sender = listener.recvfrom(4096)
                message = dns.message.from_wire(packet)
                told.append((message.question[0].name.to_text(), message.answer[0][0].serial))
                listener.sendto(dns.message.make_response(message).to_wire(), sender)
            assert {name for name, _ in told} == {"told.test."}

            reply = dns.query.udp(notify("native.test"), "127.0.0.1", port=server.port, timeout=5)
            assert (reply.opcode(), reply.rcode()) == (dns.opcode.NOTIFY, dns.rcode.REFUSED)
            server.wait_for_log("refused notify for zone 'native.test'")
