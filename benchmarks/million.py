"""One zone of a million records: start, memory, transfers out and in, each server in turn.

python -m benchmarks.million [--records N] [--servers NAME ...] [--rounds N] [--signed] [--quick]
"""

from __future__ import annotations

import argparse
import base64
import resource
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dns.message
import psutil

from benchmarks.engines import SERVERS, compile_bindpy, is_installed
from benchmarks.load import cpu_seconds
from benchmarks.reader import ORIGIN, zone_lines
from bindpy.config.model import TsigKey
from bindpy.diagnostics import SourceSpan
from bindpy.tsig import sign
from tests.peers.process import Key, Replication, ServedZone, ServerProcess, free_port
from tests.peers.servers import Bindpy

SEED = 20261122
RECORDS = 1_000_000
QUICK_RECORDS = 20_000
RECEIVE_OCTETS = 1 << 20
SOA_END = struct.pack("!5I", 2026112201, 7200, 3600, 1209600, 300)
"""What the SOA of the zone ends with, and so the last message of a transfer, its signature aside."""
SIGNATURE_OCTETS = 200
"""More than a signature adds to a message."""
KEY = Key("bench", "hmac-sha256", base64.b64encode(bytes(range(32))).decode())
FILTER = "function axfrfilter(remoteip, zone, record) return pdns.PASS, {} end\n"


@dataclass(slots=True)
class Figures:
    """What was measured of one server, one value for each round."""

    start_s: list[float] = field(default_factory=list)
    start_cpu_s: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)
    axfr_out_s: list[float] = field(default_factory=list)
    axfr_out_cpu_s: list[float] = field(default_factory=list)
    axfr_in_s: list[float] = field(default_factory=list)
    axfr_in_cpu_s: list[float] = field(default_factory=list)
    axfr_in_peak_mib: list[float] = field(default_factory=list)
    filtered_s: list[float] = field(default_factory=list)
    filtered_cpu_s: list[float] = field(default_factory=list)


def memory_mib(server: ServerProcess) -> float:
    """Return the memory of all processes of *server*, what they share counted once."""
    first = psutil.Process(server.pid)
    processes = [first, *first.children(recursive=True)]
    return sum(process.memory_full_info().pss for process in processes) / (1 << 20)


def peak_mib(server: ServerProcess) -> float:
    """Return the most memory that any one process of *server* has had so far."""
    first = psutil.Process(server.pid)
    most_kib = 0
    for process in (first, *first.children(recursive=True)):
        status = Path(f"/proc/{process.pid}/status").read_text()
        most_kib = max(most_kib, int(status.partition("VmHWM:")[2].split()[0]))
    return most_kib / 1024


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
                raise RuntimeError(f"{server.name} ended the transfer after {records} records")
            buffer += octets
            at = 0
            while len(buffer) - at >= 2:
                end = at + 2 + (buffer[at] << 8 | buffer[at + 1])
                if end > len(buffer):
                    break
                if buffer[at + 5] & 0x0F:
                    raise RuntimeError(f"{server.name} refuses the transfer: rcode {buffer[at + 5] & 15}")
                records += buffer[at + 8] << 8 | buffer[at + 9]
                done = records > 1 and SOA_END in buffer[end - room : end]
                at = end
            del buffer[:at]
        return time.monotonic() - started, records


def measure_primary(name: str, zone: ServedZone, figures: Figures) -> None:
    """Start the server *name* on the zone file, and fetch the zone from it."""
    assert zone.replication is not None
    server = SERVERS[name]([zone])
    started = time.monotonic()
    with server:
        figures.start_s.append(time.monotonic() - started)
        figures.start_cpu_s.append(cpu_seconds(server))
        figures.memory_mib.append(memory_mib(server))
        figures.peak_mib.append(peak_mib(server))
        cpu = cpu_seconds(server)
        seconds, records = transfer(server, zone.replication.key)
        figures.axfr_out_s.append(seconds)
        figures.axfr_out_cpu_s.append(cpu_seconds(server) - cpu)
        told = f"start {figures.start_s[-1]:.2f} s, AXFR out {seconds:.2f} s of {records} records"
        print(f"{name}: {told}", file=sys.stderr)


def measure_secondary(
    name: str, primary: ServerProcess, folder: Path, figures: Figures, key: Key | None
) -> None:
    """Start the server *name* as a secondary without data, and wait until it answers."""
    file = folder / f"{name}-copy.db"
    file.unlink(missing_ok=True)
    copy = ServedZone(ORIGIN, file, Replication(primary=primary.address, key=key))
    server = SERVERS[name]([copy])
    with server:
        figures.axfr_in_s.append(_until_answered(server))
        figures.axfr_in_cpu_s.append(cpu_seconds(server))
        figures.axfr_in_peak_mib.append(peak_mib(server))
    print(f"{name}: AXFR in {figures.axfr_in_s[-1]:.2f} s", file=sys.stderr)
    if not issubclass(SERVERS[name], Bindpy):
        return
    file.unlink()
    script = folder / "filter.lua"
    script.write_text(FILTER)
    with SERVERS[name]([copy], extra=f'lua-axfr-script "{script}";') as server:
        figures.filtered_s.append(_until_answered(server))
        figures.filtered_cpu_s.append(cpu_seconds(server))
    print(f"{name}: AXFR in with the filter {figures.filtered_s[-1]:.2f} s", file=sys.stderr)


def _until_answered(server: ServerProcess) -> float:
    """`ServerProcess.start` has waited for it: return how long the process has been there."""
    return time.time() - psutil.Process(server.pid).create_time()


def table(results: dict[str, Figures]) -> str:
    """Return the medians as a markdown table."""
    lines = [
        "| | start s (CPU) | memory MiB (peak) | AXFR out s (CPU) | AXFR in s (CPU) | peak MiB | filtered |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, found in results.items():
        cells = [
            _cell(found.start_s, found.start_cpu_s),
            _cell(found.memory_mib, found.peak_mib, digits=0),
            _cell(found.axfr_out_s, found.axfr_out_cpu_s),
            _cell(found.axfr_in_s, found.axfr_in_cpu_s),
            _cell(found.axfr_in_peak_mib, digits=0),
            _cell(found.filtered_s, found.filtered_cpu_s),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float], also: Sequence[float] = (), digits: int = 2) -> str:
    if not values:
        return ""
    text = f"{statistics.median(values):.{digits}f}"
    return f"{text} ({statistics.median(also):.{digits}f})" if also else text


def main() -> int:
    """Measure and print the table as markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--signed", action="store_true", help=f"sign all transfers ({KEY.algorithm})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RECORDS} records, one round")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS), metavar="NAME")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.records, arguments.rounds = QUICK_RECORDS, 1
    key = KEY if arguments.signed else None
    compile_bindpy()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    names = [name for name in arguments.servers if is_installed(name)]
    results = {name: Figures() for name in names}
    with tempfile.TemporaryDirectory(prefix="bindpy-million-") as folder:
        file = Path(folder, "zone.db")
        with file.open("w") as out:
            out.writelines(zone_lines(arguments.records, SEED, signed=False))
        primary_zone = ServedZone(ORIGIN, file, Replication(key=key))
        for _ in range(arguments.rounds):
            for name in names:
                measure_primary(name, primary_zone, results[name])
        with SERVERS["nsd"]([primary_zone], port=free_port()) as primary:
            for _ in range(arguments.rounds):
                for name in names:
                    measure_secondary(name, primary, Path(folder), results[name], key)
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
