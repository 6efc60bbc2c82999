"""A primary and its secondary, started together, and the questions that tests have about the two."""

from __future__ import annotations

import base64
import dataclasses
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import dns.message
import dns.name
import dns.query
import dns.rdata
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.zone

from tests.interop.edited import MOTIFS, EditedZone
from tests.peers.client import Address, exchange_udp, soa_query
from tests.peers.process import Key, Replication, ServedZone, ServerProcess
from tests.peers.require import require_peer
from tests.peers.servers import PEERS, Bindpy
from tests.support.ports import LOOPBACK, free_port

ALGORITHMS = ("hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
KEYS: dict[str, Key | None] = {"plain": None} | {
    name: Key(f"{name}-key", name, base64.b64encode(name.encode() * 3).decode()) for name in ALGORITHMS
}
"""What the zones of a link are called → the key of their transfers."""

DEADLINE_S = 25.0

SERVERS: dict[str, type[ServerProcess]] = {**PEERS, Bindpy.name: Bindpy}

PAIRS = [
    *(("bindpy", name) for name in PEERS),
    *((name, "bindpy") for name in PEERS),
    ("bindpy", "bindpy"),
]
"""Names of a primary and a secondary: bindpy beside everybody, on either side."""

PRIMARY_EXTRA = {"named": "notify-delay 0;", "bindpy": "notify-delay 0;"}
"""By default named tells of a change 5 s later, and bindpy tells of a zone at most every 5 s."""

MakeZone: TypeAlias = Callable[[str, Path], "EditedZone | FixedZone"]
"""Makes the zone of an origin and writes its file."""

Contents: TypeAlias = frozenset[tuple[str, str, int, bytes]]
"""Records as (owner, type, TTL, canonical RDATA)."""


@dataclasses.dataclass(frozen=True, slots=True)
class FixedZone:
    """A zone whose file stays as it is."""

    origin: str
    path: Path
    serial: int


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """The running servers, and each zone's file on the primary."""

    primary: ServerProcess
    secondary: ServerProcess
    zones: Sequence[EditedZone | FixedZone]
    keys: Mapping[str, Key | None]

    def logs(self) -> str:
        """Return the output of both servers, for a failure's message."""
        return "".join(
            f"\n--- {role} {server.name}\n{server.log_text()[-6000:]}"
            for role, server in (("primary", self.primary), ("secondary", self.secondary))
        )

    def wait_for_serials(self) -> None:
        """Wait until the secondary has the serial of each zone's file."""
        wanted = {zone.origin: zone.serial for zone in self.zones}

        def missing() -> dict[str, tuple[int, int | None]]:
            have = serials(self.secondary.address, list(wanted))
            return {o: (serial, have[o]) for o, serial in wanted.items() if have[o] != serial}

        wait_for(lambda: not missing(), lambda: f"(wanted, there): {missing()}{self.logs()}")

    def assert_same_zones(self) -> None:
        """Both servers have the same records, all of them, in every zone."""
        for zone in self.zones:
            key = self.keys[zone.origin]
            at_primary = contents(self.primary.address, zone.origin, key)
            at_secondary = contents(self.secondary.address, zone.origin, key)
            lost, gained = sorted(at_primary - at_secondary), sorted(at_secondary - at_primary)
            assert (lost, gained) == ([], []), f"{zone.origin}: lost {lost}, gained {gained}{self.logs()}"

    def ixfrs(self, zone: EditedZone | FixedZone) -> int:
        """Return how many IXFRs of *zone* a primary that logs as BIND does has sent.

        An answer in the style of AXFR is not counted.
        """
        return self.primary.log_text().count(f"transfer of '{zone.origin[:-1]}/IN': IXFR ended")

    def edit(self, zone: EditedZone | FixedZone) -> int:
        """Edit *zone* at random, and say so to the primary if it needs to be told; return the serial."""
        assert isinstance(zone, EditedZone)
        serial = zone.edit()
        self.primary.tell_of_edit(zone.origin)
        return serial


def wait_for(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Poll *condition*; fail with *what* says when it does not come true in time."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DEADLINE_S:.0f} s: {what()}")
        time.sleep(0.01)  # the pause between two polls


def serials(address: Address, origins: Sequence[str]) -> dict[str, int | None]:
    """Return the serial that *address* answers for each of *origins*; None for another answer."""
    replies = exchange_udp(address, [soa_query(origin) for origin in origins], timeout_s=0.3, attempts=2)
    found: dict[str, int | None] = dict.fromkeys(origins)
    for origin, reply in zip(origins, replies, strict=True):
        if reply is not None:
            for rrset in dns.message.from_wire(reply).answer:
                if rrset.rdtype == dns.rdatatype.SOA:
                    found[origin] = rrset[0].serial
    return found


def contents(address: Address, origin: str, key: Key | None) -> Contents:
    """Transfer *origin* from *address* and return its records."""
    query = dns.message.make_query(origin, "AXFR", flags=0)
    if key is not None:
        algorithm = dns.name.from_text(
            "hmac-md5.sig-alg.reg.int" if key.algorithm == "hmac-md5" else key.algorithm
        )
        query.use_tsig(dns.tsigkeyring.from_text({key.name: (algorithm.to_text(), key.secret)}), key.name)
    zone = dns.zone.Zone(origin, relativize=False)
    dns.query.inbound_xfr(address[0], zone, query, port=address[1], timeout=5, lifetime=20)
    return frozenset(
        (owner.canonicalize().to_text(), dns.rdatatype.to_text(rdata.rdtype), ttl, _comparable(rdata))
        for owner, ttl, rdata in zone.iterate_rdatas()
    )


def _comparable(rdata: dns.rdata.Rdata) -> bytes:
    """Return canonical RDATA. The target of SVCB and HTTPS keeps its case there, but not in NSD."""
    octets = rdata.to_digestable()
    return octets.lower() if rdata.rdtype in (dns.rdatatype.SVCB, dns.rdatatype.HTTPS) else octets


@contextmanager
def linked(
    primary: str, secondary: str, folder: Path, zones: Mapping[str, Key | None], make: MakeZone
) -> Iterator[Link]:
    """Run *primary* and *secondary* (names in `SERVERS`); *make* makes each of *zones*, names and their keys.

    Zone files are in *folder*, the secondary's in ``copies`` there.
    """
    for name in {primary, secondary} & PEERS.keys():
        require_peer(name)
    ports = (free_port(), free_port())
    (folder / "copies").mkdir()
    made, at_primary, at_secondary, keys = [], [], [], {}
    for name, key in zones.items():
        zone = make(f"{name}.test.", folder / f"{name}.zone")
        made.append(zone)
        keys[zone.origin] = key
        there = Replication(notify=((LOOPBACK, ports[1]),), key=key)
        at_primary.append(ServedZone(zone.origin, zone.path, there))
        here = Replication(primary=(LOOPBACK, ports[0]), key=key)
        at_secondary.append(ServedZone(zone.origin, folder / "copies" / f"{name}.zone", here))
    with (
        SERVERS[primary](at_primary, port=ports[0], extra=PRIMARY_EXTRA.get(primary, "")) as first,
        SERVERS[secondary](at_secondary, port=ports[1]) as second,
    ):
        yield Link(first, second, made, keys)


def random_zones(seed: object, servers: Collection[str], motifs: int = MOTIFS) -> MakeZone:
    """Return a maker of random zones that *servers* can all hold."""
    return partial(_random_zone, f"{seed} {sorted(servers)}", "pdns" in servers, motifs)


def _random_zone(seed: str, for_pdns: bool, motifs: int, origin: str, path: Path) -> EditedZone:
    return EditedZone(seed, origin, path, for_pdns=for_pdns, motifs=motifs)
