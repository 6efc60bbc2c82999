"""Zones fetched from the servers of others: AXFR plain and with every TSIG algorithm, IXFR after updates."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import Sequence
from pathlib import Path

import dns.query
import dns.rcode
import dns.update
import pytest

from bindpy.config.model import RemoteServer, TransferSettings, TsigKey, ZoneChecks
from bindpy.diagnostics import SourceSpan
from bindpy.xfr.client import query, transfer
from bindpy.xfr.failure import Stage, XferFailure
from bindpy.xfr.incoming import Incoming, Style
from bindpy.xfr.store import store_zone
from bindpy.xfr.wire import Question, build_query
from bindpy.zone import names
from bindpy.zone.records import RRType, Soa
from bindpy.zone.snapshot import ZoneSnapshot
from tests.peers.process import ServedZone, ServerProcess
from tests.peers.require import require_peer, require_tool
from tests.peers.servers import Knot, Named, Nsd, Pdns
from tests.support.transfers import IXFR
from tests.support.zones import zone_from_text

ORIGIN = names.from_text("fetched.test.")
ALGORITHMS = ("hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
KEYS = {
    algorithm: TsigKey(f"{algorithm}.key.", algorithm, algorithm.encode() * 4, SourceSpan("test"))
    for algorithm in ALGORITHMS
}
ZONE_TEXT = """\
@ 300 SOA ns.fetched.test. hostmaster.fetched.test. 100 3600 600 86400 300
@ NS ns
@ NS ns.elsewhere.test.
@ MX 10 mail
@ TXT "one" "two; \\"three\\""
@ CAA 0 issue "ca.test"
ns A 127.0.0.1
ns 60 AAAA ::1
mail A 192.0.2.25
*.wild CNAME mail
_sip._tcp SRV 1 2 5060 mail
sub NS ns.sub
ns.sub A 192.0.2.53
a.very.deep.name TXT deep
""" + "".join(f"host{i} A 10.0.{i // 256}.{i % 256}\nhost{i} TXT text{i}\n" for i in range(3000))


def _secret(key: TsigKey) -> str:
    return base64.b64encode(key.secret).decode()


class KeyedNamed(Named):
    """*extra* as for `Named`."""

    def configure(self, directory: Path) -> list[str]:
        self.extra = "allow-transfer { 127.0.0.1; }; allow-update { 127.0.0.1; };"
        command = super().configure(directory)
        with (directory / "named.conf").open("a") as conf:
            for key in KEYS.values():
                conf.write(f'key "{key.name}" {{ algorithm {key.algorithm}; secret "{_secret(key)}"; }};\n')
        return command


class KeyedNsd(Nsd):
    def configure(self, directory: Path) -> list[str]:
        command = super().configure(directory)
        with (directory / "nsd.conf").open("a") as conf:
            conf.write("  provide-xfr: 127.0.0.1 NOKEY\n")
            for key in KEYS.values():
                conf.write(f"  provide-xfr: 127.0.0.1 {key.name}\n")
            for key in KEYS.values():
                conf.write(
                    f"key:\n  name: {key.name}\n  algorithm: {key.algorithm}\n  secret: {_secret(key)}\n"
                )
        return command


class KeyedKnot(Knot):
    def configure(self, directory: Path) -> list[str]:
        command = super().configure(directory)
        path = directory / "knot.conf"
        keys = "".join(
            f"  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: {_secret(key)}\n"
            for key in KEYS.values()
        )
        ids = ", ".join(key.name for key in KEYS.values())
        text = path.read_text().replace("journal-content: none", "journal-content: changes")
        text = text.replace(
            "template:\n",
            f"key:\n{keys}acl:\n  - id: plain\n    address: 127.0.0.1\n    action: [transfer, update]\n"
            f"  - id: keyed\n    key: [{ids}]\n    action: transfer\ntemplate:\n",
        )
        path.write_text(text + "    acl: [plain, keyed]\n")
        return command


class KeyedPdns(Pdns):
    def configure(self, directory: Path) -> list[str]:
        database = directory / "dnssec.sqlite"
        self.extra = f"allow-axfr-ips=127.0.0.0/8\nbind-dnssec-db={database}\n"
        command = super().configure(directory)
        util = [require_tool("pdnsutil"), f"--config-dir={directory}"]
        _run([*util, "create-bind-db", str(database)])
        for key in KEYS.values():
            _run([*util, "import-tsig-key", key.name, key.algorithm, _secret(key)])
        _run(
            [
                *util,
                "set-meta",
                self.zones[0].origin,
                "TSIG-ALLOW-AXFR",
                *[k.name[:-1] for k in KEYS.values()],
            ]
        )
        return command


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert not done.returncode, f"{command}: {done.stdout}{done.stderr}"


PRIMARIES: dict[str, type[ServerProcess]] = {
    "named": KeyedNamed, "nsd": KeyedNsd, "knot": KeyedKnot, "pdns": KeyedPdns
}  # fmt: skip


@pytest.fixture
def zone(tmp_path: Path) -> ServedZone:
    directory = tmp_path / "primary"
    directory.mkdir()
    (directory / "zone").write_text(f"$TTL 3600\n{ZONE_TEXT}")
    return ServedZone("fetched.test.", directory / "zone")


EXPECTED = zone_from_text("fetched.test.", ZONE_TEXT)


def fetch(server: ServerProcess, incoming: Incoming, key: TsigKey | None = None) -> ZoneSnapshot:
    remote = RemoteServer(server.address[0], server.port)
    return asyncio.run(transfer(remote, incoming, key=key, settings=TransferSettings()))


@pytest.mark.parametrize("name", PRIMARIES)
def test_fetch_with_each_key_and_store(name: str, zone: ServedZone, tmp_path: Path) -> None:
    require_peer(name)
    with PRIMARIES[name]([zone]) as server:
        for key in (None, *KEYS.values()):
            incoming = Incoming(ORIGIN)
            fetched = fetch(server, incoming, key)
            assert fetched.same_data(EXPECTED), key
            assert incoming.style is Style.WHOLE
            assert incoming.progress.records == EXPECTED.rr_count + 1
        remote = RemoteServer(server.address[0], server.port)
        asked = build_query(Question(ORIGIN, int(RRType.SOA), 1), edns_payload_octets=1232, expire=True)
        for key in (None, KEYS["hmac-sha256"]):
            answer = asyncio.run(query(remote, asked, key=key))
            assert [Soa.from_rdata(rr[4]).serial for rr in answer.answer] == [100]
        stranger = TsigKey("nobody.", "hmac-sha256", b"0123456789abcdef", SourceSpan("test"))
        with pytest.raises(XferFailure) as caught:
            fetch(server, Incoming(ORIGIN), stranger)
        assert caught.value.stage in (Stage.TSIG, Stage.ANSWER)
        with pytest.raises(XferFailure) as caught:
            fetch(server, Incoming(names.from_text("elsewhere.test.")))
        assert caught.value.stage is Stage.ANSWER
    stored = store_zone(
        fetched, str(tmp_path / "copy"), checks=ZoneChecks(primary=False), origin_of_data=name
    )
    assert stored.zone is not None
    assert stored.zone.same_data(EXPECTED)


@pytest.mark.parametrize("name", ["named", "knot"])
def test_fetch_what_changed(name: str, zone: ServedZone) -> None:
    require_peer(name)
    with PRIMARIES[name]([zone]) as server:
        have = fetch(server, Incoming(ORIGIN))
        incoming = Incoming(ORIGIN, kind=IXFR, base=have)
        assert fetch(server, incoming) is have
        assert incoming.style is Style.CURRENT
        for round_number in range(3):
            update = dns.update.UpdateMessage("fetched.test.")
            update.add(f"new{round_number}", 60, "A", "192.0.2.200")
            update.delete(f"host{round_number}")
            update.replace("mail", 120, "A", f"192.0.2.{100 + round_number}")
            answer = dns.query.udp(update, server.address[0], port=server.port, timeout=10)
            assert answer.rcode() is dns.rcode.NOERROR
        for key in (None, KEYS["hmac-sha512"]):
            incoming = Incoming(ORIGIN, kind=IXFR, base=have)
            now = fetch(server, incoming, key)
            assert incoming.style is Style.DELTAS
            assert next(delta.old_serial for delta in incoming.deltas) == 100
            assert now.serial == 103
            assert now.same_data(fetch(server, Incoming(ORIGIN)))
        assert have.same_data(EXPECTED)
