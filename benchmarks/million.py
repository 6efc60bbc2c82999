"""One zone of a million records: start, memory, transfers out and in, each server in turn.

python -m benchmarks.million [--records N] [--servers NAME ...] [--rounds N]
"""

from __future__ import annotations

import argparse
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

from benchmarks.engines import SERVERS, is_installed
from benchmarks.load import cpu_seconds
from benchmarks.reader import ORIGIN, zone_lines
from tests.peers.process import Replication, ServedZone, ServerProcess, free_port

SEED = 20261122
RECORDS = 1_000_000
RECEIVE_OCTETS = 1 << 20
SOA_END = struct.pack("!5I", 2026112201, 7200, 3600, 1209600, 300)
"""What the SOA of the zone ends with, and so the last message of a transfer."""


@dataclass(slots=True)
class Figures:
    """What was measured of one server, one value for each round."""

    start_s: list[float] = field(default_factory=list)
    start_cpu_s: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    axfr_out_s: list[float] = field(default_factory=list)
    axfr_out_cpu_s: list[float] = field(default_factory=list)
    axfr_in_s: list[float] = field(default_factory=list)
    axfr_in_cpu_s: list[float] = field(default_factory=list)


def memory_mib(server: ServerProcess) -> float:
    """Return the memory of all processes of *server*, what they share counted once."""
    first = psutil.Process(server.pid)
    processes = [first, *first.children(recursive=True)]
    return sum(process.memory_full_info().pss for process in processes) / (1 << 20)


def transfer(server: ServerProcess) -> tuple[float, int]:
    """Fetch the zone by AXFR as fast as it comes; return the seconds, and the records that came."""
    query = dns.message.make_query(ORIGIN, "AXFR", use_edns=None).to_wire()
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
                done = records > 1 and buffer[end - len(SOA_END) : end] == SOA_END
                at = end
            del buffer[:at]
        return time.monotonic() - started, records


def measure_primary(name: str, zone: ServedZone, figures: Figures) -> None:
    """Start the server *name* on the zone file, and fetch the zone from it."""
    server = SERVERS[name]([zone])
    started = time.monotonic()
    with server:
        figures.start_s.append(time.monotonic() - started)
        figures.start_cpu_s.append(cpu_seconds(server))
        figures.memory_mib.append(memory_mib(server))
        cpu = cpu_seconds(server)
        seconds, records = transfer(server)
        figures.axfr_out_s.append(seconds)
        figures.axfr_out_cpu_s.append(cpu_seconds(server) - cpu)
        told = f"start {figures.start_s[-1]:.2f} s, AXFR out {seconds:.2f} s of {records} records"
        print(f"{name}: {told}", file=sys.stderr)


def measure_secondary(name: str, primary: ServerProcess, folder: Path, figures: Figures) -> None:
    """Start the server *name* as a secondary without data, and wait until it answers."""
    file = folder / f"{name}-copy.db"
    file.unlink(missing_ok=True)
    copy = ServedZone(ORIGIN, file, Replication(primary=primary.address))
    server = SERVERS[name]([copy])
    with server:
        figures.axfr_in_s.append(_until_answered(server))
        figures.axfr_in_cpu_s.append(cpu_seconds(server))
    print(f"{name}: AXFR in {figures.axfr_in_s[-1]:.2f} s", file=sys.stderr)


def _until_answered(server: ServerProcess) -> float:
    """`ServerProcess.start` has waited for it: return how long the process has been there."""
    return time.time() - psutil.Process(server.pid).create_time()


def table(results: dict[str, Figures]) -> str:
    """Return the medians as a markdown table."""
    lines = [
        "| | start s (CPU) | memory MiB | AXFR out s (CPU) | AXFR in s (CPU) |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, found in results.items():
        cells = [
            _cell(found.start_s, found.start_cpu_s),
            _cell(found.memory_mib, digits=0),
            _cell(found.axfr_out_s, found.axfr_out_cpu_s),
            _cell(found.axfr_in_s, found.axfr_in_cpu_s),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float], cpu: Sequence[float] = (), digits: int = 2) -> str:
    if not values:
        return ""
    text = f"{statistics.median(values):.{digits}f}"
    return f"{text} ({statistics.median(cpu):.2f})" if cpu else text


def main() -> int:
    """Measure and print the table as markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS), metavar="NAME")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    names = [name for name in arguments.servers if is_installed(name)]
    results = {name: Figures() for name in names}
    with tempfile.TemporaryDirectory(prefix="bindpy-million-") as folder:
        file = Path(folder, "zone.db")
        with file.open("w") as out:
            out.writelines(zone_lines(arguments.records, SEED, signed=False))
        primary_zone = ServedZone(ORIGIN, file, Replication())
        for _ in range(arguments.rounds):
            for name in names:
                measure_primary(name, primary_zone, results[name])
        with SERVERS["nsd"]([primary_zone], port=free_port()) as primary:
            for _ in range(arguments.rounds):
                for name in names:
                    measure_secondary(name, primary, Path(folder), results[name])
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
