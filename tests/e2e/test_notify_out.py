"""An edit reaches other servers because they are told of it: their SOA timers are far too long to see it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.rdatatype
import dns.tsigkeyring
import pytest

from tests.e2e.daemon import Daemon, daemon, options, wait_until, zone_text
from tests.peers.client import Address, exchange_udp, soa_query
from tests.peers.process import ServedZone, ServerProcess, installed
from tests.peers.require import require_peer
from tests.peers.servers import Knot, Named, Nsd
from tests.support.ports import LOOPBACK

SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
KEY = f'key "between" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'
KEYRING = dns.tsigkeyring.from_text({"between": ("hmac-sha256", SECRET)})
NEVER = "notify-delay 0; allow-transfer { 127.0.0.1; };"


def conf(more: str = "", outside: str = "") -> str:
    """Return the zone statement, with *more* in it, after *outside*."""
    return KEY + outside + f'zone "example.com" {{ type primary; file "example.db"; {NEVER} {more} }};\n'


class Listener:
    """A socket that is told of changes and acknowledges as the test says."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((LOOPBACK, 0))
        self._sock.settimeout(10)
        self.port: int = self._sock.getsockname()[1]

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def next(self, *, answer: bool = True) -> dns.message.Message:
        """Wait for the next NOTIFY and acknowledge it if *answer*."""
        octets, sender = self._sock.recvfrom(65535)
        message = dns.message.from_wire(octets, keyring=KEYRING)
        assert message.opcode() == dns.opcode.NOTIFY
        if answer:
            response = dns.message.make_response(message)
            response.flags |= dns.flags.AA
            self._sock.sendto(response.to_wire(), sender)
        return message

    def is_quiet(self) -> bool:
        """Return whether nothing has come that was not taken."""
        self._sock.settimeout(0)
        try:
            self._sock.recvfrom(65535)
        except BlockingIOError:
            return True
        finally:
            self._sock.settimeout(10)
        return False


def serial_in(message: dns.message.Message) -> int:
    """Return the serial that a NOTIFY carries."""
    (rrset,) = message.answer
    assert rrset.rdtype == dns.rdatatype.SOA
    serial: int = rrset[0].serial
    return serial


def edit(server: Daemon, serial: int, address: str = "192.0.2.77") -> None:
    """Edit the zone as an editor does that writes in place."""
    (server.folder / "example.db").write_text(zone_text(serial, address))


def test_a_start_an_edit_and_a_restart(tmp_path: Path) -> None:
    with Listener() as listener:
        text = conf(f"also-notify {{ {LOOPBACK} port {listener.port}; }};")
        acknowledged = f"zone example.com/IN: notify to {LOOPBACK}#{listener.port}: acknowledged (serial "
        with daemon(tmp_path, text, {"example.db": zone_text(1)}) as server:
            first = listener.next()
            assert (serial_in(first), first.had_tsig, bool(first.flags & dns.flags.AA)) == (1, False, True)
            server.wait_for_log(acknowledged + "1)")
            edit(server, 2)
            assert serial_in(listener.next()) == 2
            server.wait_for_log(acknowledged + "2)")
            assert "zone example.com/IN: sending notifies (serial 2)" in server.log
            edit(server, 2, "192.0.2.78")
            server.wait_for_address("www.example.com", "192.0.2.78")
        with daemon(tmp_path, text, {"example.db": zone_text(2)}) as server:
            edit(server, 3)
            assert serial_in(listener.next()) == 3, "who has acknowledged serial 2 is not told of it again"
            server.wait_for_log(acknowledged + "3)")
        assert listener.is_quiet()


@pytest.mark.parametrize(
    ("entry", "outside"),
    [(' key "between"', ""), ("", f'server {LOOPBACK} {{ keys "between"; }};\n')],
    ids=["also-notify", "server"],
)
def test_signed_with_the_key_for_the_target(tmp_path: Path, entry: str, outside: str) -> None:
    with Listener() as listener:
        text = conf(f"also-notify {{ {LOOPBACK} port {listener.port}{entry}; }};", outside)
        with daemon(tmp_path, text, {"example.db": zone_text(1)}) as server:
            assert listener.next().keyname is not None
            server.wait_for_log("acknowledged (serial 1)")


def test_a_lost_notify_is_sent_again(tmp_path: Path) -> None:
    with Listener() as listener:
        text = conf(f"also-notify {{ {LOOPBACK} port {listener.port}; }};")
        with daemon(tmp_path, text, {"example.db": zone_text(1)}) as server:
            assert serial_in(listener.next(answer=False)) == 1
            assert serial_in(listener.next()) == 1
            server.wait_for_log("acknowledged (serial 1)")


# --- real secondaries -----------------------------------------------------------------------------


class NamedSecondary(Named):
    """BIND with example.com from *primary_port*, refreshed once a day at most."""

    primary_port = 0

    def configure(self, directory: Path) -> list[str]:
        zones, self.zones = self.zones, ()
        command = super().configure(directory)
        self.zones = zones
        with (directory / "named.conf").open("a") as out:
            out.write(
                'zone "example.com" { type secondary; file "copy.db"; masterfile-format text; '
                f"primaries {{ {LOOPBACK} port {self.primary_port}; }}; }};\n"
            )
        return command


class NsdSecondary(Nsd):
    """The same with NSD."""

    primary_port = 0

    def configure(self, directory: Path) -> list[str]:
        command = super().configure(directory)
        with (directory / "nsd.conf").open("a") as out:
            at = f"{LOOPBACK}@{self.primary_port}"
            out.write(f"  request-xfr: AXFR {at} NOKEY\n  allow-notify: {LOOPBACK} NOKEY\n")
        return command


class KnotSecondary(ServerProcess):
    """The same with Knot."""

    name = "knot"
    binary = Knot.binary
    primary_port = 0

    def configure(self, directory: Path) -> list[str]:
        path = directory / "knot.conf"
        path.write_text(f"""\
server:
    rundir: "{directory}"
    listen: {LOOPBACK}@{self.port}
database:
    storage: "{directory}"
log:
  - target: stderr
    any: info
remote:
  - id: primary
    address: {LOOPBACK}@{self.primary_port}
acl:
  - id: told
    address: {LOOPBACK}
    action: notify
zone:
  - domain: example.com.
    storage: "{directory}"
    master: primary
    acl: told
""")
        return [installed(self.binary) or self.binary, "-c", str(path)]


SECONDARIES: dict[str, type[NamedSecondary] | type[NsdSecondary] | type[KnotSecondary]] = {
    "named": NamedSecondary,
    "nsd": NsdSecondary,
    "knot": KnotSecondary,
}


@contextmanager
def secondary(name: str, server: Daemon) -> Iterator[ServerProcess]:
    """The server *name* as a secondary that has fetched the zone."""
    require_peer(name)
    kind = SECONDARIES[name]
    process = kind([ServedZone("example.com.", server.folder / "copy.db")])
    process.primary_port = server.port
    with process:
        yield process


def serial_at(address: Address) -> int | None:
    """Return the serial that is served at *address*."""
    (reply,) = exchange_udp(address, [soa_query("example.com.")], timeout_s=0.3, attempts=2)
    answer = dns.message.from_wire(reply).answer if reply is not None else []
    return answer[0][0].serial if answer else None


@pytest.mark.parametrize("name", sorted(SECONDARIES))
def test_an_edit_arrives_at_a_secondary_that_is_told(tmp_path: Path, name: str) -> None:
    require_peer(name)
    with (
        daemon(tmp_path, conf(), {"example.db": zone_text(1)}) as server,
        secondary(name, server) as peer,
    ):
        assert serial_at(peer.address) == 1
        edit(server, 2)
        server.wait_for_log("loaded serial 2")
        assert serial_at(peer.address) == 1
        also = f"also-notify {{ {LOOPBACK} port {peer.port}; }};"
        (tmp_path / "named.conf").write_text(options(server.port) + conf(also))
        server.signal(signal.SIGHUP)
        for serial in (2, 3, 4):
            if serial > 2:
                edit(server, serial)
            wait_until(
                lambda serial=serial: serial_at(peer.address) == serial,
                lambda: f"{server.log}\n--- {name}\n{peer.log_text()[-4000:]}",
            )
            server.wait_for_log(f"acknowledged (serial {serial})")
