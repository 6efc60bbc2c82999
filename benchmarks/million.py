"""One zone of a million records: start, memory, transfers out and in, each server in turn.

    python -m benchmarks.million            # some minutes
    python -m benchmarks.million --quick    # a smoke run: 20,000 records

How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import base64
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Final

import dns.message

from benchmarks.bigzone import FIRST_SERIAL, RECORDS, BigZone
from benchmarks.engines import SERVERS, get_ready, installed_of, is_installed
from benchmarks.program import BenchmarkError, attempt, options, rounds_of, run, scratch, shown, turns
from benchmarks.reader import ORIGIN
from benchmarks.tables import Column, Table
from benchmarks.usage import cpu_seconds, memory_mib, peak_mib, settle
from bindpy.config.model import TsigKey
from bindpy.diagnostics import SourceSpan
from bindpy.tsig import sign
from tests.peers.process import Key, Replication, ServedZone, ServerProcess
from tests.peers.servers import Bindpy

PRIMARY: Final = "nsd"  # from which all transfers in come
QUICK_RECORDS: Final = 20_000
RECEIVE_OCTETS: Final = 1 << 20
SOA_END: Final = struct.pack("!5I", FIRST_SERIAL, 7200, 3600, 1209600, 300)
"""What the SOA of the zone ends with, and so the last message of a transfer, its signature aside."""
SIGNATURE_OCTETS: Final = 200
"""More than a signature adds to a message."""
KEY: Final = Key("bench", "hmac-sha256", base64.b64encode(bytes(range(32))).decode())
FILTER: Final = "function axfrfilter(remoteip, zone, record) return pdns.PASS, {} end\n"

START: Final = (
    Column("first answer s", 2, against_peers=True),
    Column("CPU s", 2),
    Column("memory MiB", 0, against_peers=True),
    Column("peak MiB", 0, against_peers=True),
)
TRANSFERS: Final = (
    Column("AXFR out s", 2, against_peers=True),
    Column("out, CPU s", 2),
    Column("AXFR in s", 2, against_peers=True),
    Column("in, CPU s", 2),
    Column("in, peak MiB", 0, against_peers=True),
    Column("in, filtered s", 2),
    Column("filtered, CPU s", 2),
)


def transfer(server: ServerProcess, key: Key | None) -> tuple[float, int]:
    """Fetch the zone by AXFR as fast as it comes; return the seconds, and the records that came."""
    query = dns.message.make_query(ORIGIN, "AXFR", use_edns=None).to_wire()
    if key is not None:
        secret = base64.b64decode(key.secret)
        tsig_key = TsigKey(f"{key.name}.", key.algorithm, secret, SourceSpan("benchmark"))
        query = sign(query, tsig_key, int(time.time())).wire
    room = SIGNATURE_OCTETS if key is not None else len(SOA_END)
    records = 0
    with socket.create_connection(server.address, timeout=60) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        started = time.monotonic()
        sock.sendall(struct.pack("!H", len(query)) + query)
        buffer = bytearray()
        done = False
        while not done:
            octets = sock.recv(RECEIVE_OCTETS)
            if not octets:
                raise BenchmarkError(f"{server.name} ended the transfer after {records} records")
            buffer += octets
            at = 0
            while len(buffer) - at >= 2:
                end = at + 2 + (buffer[at] << 8 | buffer[at + 1])
                if end > len(buffer):
                    break
                if buffer[at + 5] & 0x0F:
                    raise BenchmarkError(f"{server.name} refuses the transfer: rcode {buffer[at + 5] & 15}")
                records += buffer[at + 8] << 8 | buffer[at + 9]
                done = records > 1 and SOA_END in buffer[end - room : end]
                at = end
            del buffer[:at]
        return time.monotonic() - started, records


def measure_primary(name: str, zone: ServedZone, start: Table, transfers: Table) -> None:
    """Start the server *name* on the zone file, and fetch the zone from it."""
    assert zone.replication is not None
    server = SERVERS[name]([zone])
    started = time.monotonic()
    with server:
        start.add(name, "first answer s", time.monotonic() - started)
        start.add(name, "CPU s", cpu_seconds(server))
        settle(server)
        start.add(name, "memory MiB", memory_mib(server))
        start.add(name, "peak MiB", peak_mib(server))
        with attempt(name, transfers):
            cpu = cpu_seconds(server)
            seconds, records = transfer(server, zone.replication.key)
            transfers.add(name, "AXFR out s", seconds)
            transfers.add(name, "out, CPU s", cpu_seconds(server) - cpu)
            print(f"{name}: AXFR out {seconds:.2f} s of {records} records", file=sys.stderr, flush=True)


def measure_secondary(name: str, primary: ServerProcess, folder: Path, key: Key | None, table: Table) -> None:
    """Start the server *name* as a secondary without data, and wait until it answers."""
    file = folder / f"{name}-copy.db"
    file.unlink(missing_ok=True)
    copy = ServedZone(ORIGIN, file, Replication(primary=primary.address, key=key))
    started = time.monotonic()
    with SERVERS[name]([copy]) as server:
        table.add(name, "AXFR in s", time.monotonic() - started)
        table.add(name, "in, CPU s", cpu_seconds(server))
        table.add(name, "in, peak MiB", peak_mib(server))
    if issubclass(SERVERS[name], Bindpy):
        file.unlink()
        script = folder / "filter.lua"
        script.write_text(FILTER)
        started = time.monotonic()
        with SERVERS[name]([copy], extra=f'lua-axfr-script "{script}";') as server:
            table.add(name, "in, filtered s", time.monotonic() - started)
            table.add(name, "filtered, CPU s", cpu_seconds(server))
    print(f"{name}: AXFR in done", file=sys.stderr, flush=True)


def main() -> int:
    """Measure and print the tables as markdown."""
    parser = options(__doc__, rounds=3, servers=list(SERVERS))
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--signed", action="store_true", help=f"sign all transfers ({KEY.algorithm})")
    chosen = parser.parse_args()
    records, rounds = (QUICK_RECORDS, 1) if chosen.quick else (chosen.records, chosen.rounds)
    names = installed_of(chosen.servers)
    key = KEY if chosen.signed else None
    get_ready()
    signed = ", signed" if chosen.signed else ""
    how_often = rounds_of(rounds)
    start = Table(f"(c) Start with a zone of {records:,} records, {how_often}", START, names)
    transfers = Table(f"(d) Transfers of {records:,} records{signed}, {how_often}", TRANSFERS, names)
    with scratch(chosen.folder) as folder, scratch() as copies:
        zone = ServedZone(ORIGIN, BigZone(folder, records).path, Replication(key=key))
        with shown(start, transfers):
            for name in turns(names, rounds, start):
                with attempt(name, start):
                    measure_primary(name, zone, start, transfers)
            if not is_installed(PRIMARY):
                transfers.remark("NSD, the primary of transfers in, is not installed.")
                return 0
            with SERVERS[PRIMARY]([zone]) as primary:
                for name in turns(names, rounds, transfers):
                    with attempt(name, transfers):
                        measure_secondary(name, primary, copies, key, transfers)
    return int(bool(start.failures or transfers.failures))


if __name__ == "__main__":
    run(main)
