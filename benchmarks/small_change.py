"""Ten records change in a zone of a million: how long until the new version is served.

    python -m benchmarks.small_change [--records N] [--changes N] [--servers NAME ...]

Three ways that a change comes: to a secondary by NOTIFY and IXFR; to a primary as a file written anew and
renamed into place, with the command that operators of that server give; and by ``bindpy zone add-record``.
How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.engines import SERVERS, is_installed
from benchmarks.propagation import serial_of
from bindpy.xfr.wire import read_message
from bindpy.zone import names
from bindpy.zone.records import RR, RRType
from tests.faults.primary import Action, FaultyPrimary
from tests.peers.client import soa_query
from tests.peers.process import Replication, ServedZone, ServerProcess
from tests.support.transfers import message

ORIGIN: Final = "million.test."
APEX: Final = names.from_text(ORIGIN)
CHANGED: Final = 10
DEADLINE_S: Final = 120.0
ASK_S: Final = 0.0005  # between questions; also the resolution of the result
REST_S: Final = 4.0  # between changes, so that each meets a server that has done with the one before
NOTIFY_FLAGS: Final = 0x2400  # opcode 4, AA


def zone_lines(records: int, serial: int) -> Iterator[str]:
    """Yield version *serial* of the zone; beside the serial, `CHANGED` addresses in the middle differ."""
    yield f"$TTL 3600\n@ SOA ns hostmaster {serial} 7200 3600 1209600 300\n"
    yield "@ NS ns\nns A 192.0.2.1\nmail A 192.0.2.2\n"
    hosts = (records - 4) // 4
    for number in range(hosts):
        if number == hosts // 2:
            yield from (f"changed{at} A 192.0.2.{serial % 256}\n" for at in range(CHANGED))
        yield f"host{number} A 10.{number >> 16}.{number >> 8 & 255}.{number & 255}\n"
        yield f'\tAAAA 2001:db8:{number >> 16:x}::{number & 0xFFFF:x}\n\tMX 10 mail\n\tTXT "host {number}"\n'


def soa(serial: int) -> RR:
    """Return the SOA of version *serial*."""
    mname, rname = names.from_text(f"ns.{ORIGIN}"), names.from_text(f"hostmaster.{ORIGIN}")
    times = struct.pack("!5I", serial, 7200, 3600, 1209600, 300)
    return RR(APEX, RRType.SOA, 3600, mname + rname + times)


def changed(serial: int) -> list[RR]:
    """Return the addresses of version *serial* that differ from those of the others."""
    owners = [names.from_text(f"changed{at}.{ORIGIN}") for at in range(CHANGED)]
    return [RR(owner, RRType.A, 3600, bytes((192, 0, 2, serial % 256))) for owner in owners]


class Primary:
    """A primary in a thread of its own, which answers SOA and IXFR from the version before ``serial``."""

    def __init__(self) -> None:
        self.serial = 1
        self._loop = asyncio.new_event_loop()
        self._primary = FaultyPrimary(self._answer)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._primary.__aenter__(), self._loop).result()
        self.address = (self._primary.remote.address, self._primary.remote.port)

    def _answer(self, packet: bytes, over_tcp: bool) -> Iterable[Action]:
        asked = read_message(packet)
        question, new = asked.question, soa(self.serial)
        if question is None:
            return []
        records = [new]
        if question.rtype == RRType.IXFR and over_tcp and self.serial > 1:
            before = self.serial - 1
            records = [new, soa(before), *changed(before), new, *changed(self.serial), new]
        name = (question.name, question.rtype, question.rdclass)
        return [message(records, message_id=asked.id, question=name)]

    def close(self) -> None:
        """Stop answering."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


def wait_for(server: ServerProcess, serial: int) -> float:
    """Ask until *server* has *serial*; return when it had."""
    deadline = time.monotonic() + DEADLINE_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(server.address)
        sock.settimeout(1)
        while time.monotonic() < deadline:
            sock.send(soa_query(ORIGIN))
            try:
                if serial_of(sock.recv(4096)) == serial:
                    return time.perf_counter()
            except TimeoutError:
                pass
            time.sleep(ASK_S)
    raise SystemExit(f"{server.name} does not serve serial {serial}:\n{server.log_text()[-3000:]}")


@contextmanager
def serving(name: str, path: Path, how: Replication) -> Iterator[ServerProcess]:
    """Run the server *name* with the zone in *path*."""
    with SERVERS[name]([ServedZone(ORIGIN, path, how)]) as server:
        wait_for(server, 1)
        time.sleep(REST_S)
        yield server


def by_ixfr(name: str, path: Path, changes: int) -> list[float]:
    """Return the milliseconds from each NOTIFY until the secondary serves what it told of."""
    primary = Primary()
    delays = []
    with serving(name, path, Replication(primary=primary.address)) as server:
        for serial in range(2, changes + 2):
            primary.serial = serial
            notify = message([soa(serial)], message_id=serial, flags=NOTIFY_FLAGS, question=(APEX, 6, 1))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                started = time.perf_counter()
                sock.sendto(notify, server.address)
                delays.append((wait_for(server, serial) - started) * 1000)
            time.sleep(REST_S)
    primary.close()
    return delays


def by_file(name: str, path: Path, records: int, changes: int) -> list[float]:
    """Return the milliseconds from each new file, and the command, until its version is served."""
    delays = []
    with serving(name, path, Replication()) as server:
        for serial in range(2, changes + 2):
            fresh = path.with_suffix(".new")
            with fresh.open("w") as file:
                file.writelines(zone_lines(records, serial))
            started = time.perf_counter()
            fresh.replace(path)
            commands = [
                subprocess.Popen(one, stdout=subprocess.DEVNULL) for one in server.edit_commands(ORIGIN)
            ]
            delays.append((wait_for(server, serial) - started) * 1000)
            if any(command.wait() for command in commands):
                raise SystemExit(f"{name}: the command after the edit failed")
            time.sleep(REST_S)
    return delays


def by_tool(name: str, path: Path, changes: int) -> list[float]:
    """Return the milliseconds from the start of each ``bindpy zone add-record`` until it is served."""
    delays = []
    with serving(name, path, Replication()) as server:
        for serial in range(2, changes + 2):
            data = [f"192.0.2.{serial + at}" for at in range(CHANGED)]
            conf = str(server.directory / "named.conf")
            command = [sys.executable, "-m", "bindpy.cli.main", "zone", "add-record", "-y", "-c", conf]
            started = time.perf_counter()
            subprocess.run([*command, ORIGIN, f"tool{serial}", "A", *data], check=True, capture_output=True)
            delays.append((wait_for(server, serial) - started) * 1000)
    return delays


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every server that is installed and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=7)
    parser.add_argument("--servers", nargs="+", default=[one for one in SERVERS if one != "pdns"])
    options = parser.parse_args(arguments)
    ways: dict[str, Callable[[str, Path], list[float]]] = {
        "IXFR to a secondary": lambda name, path: by_ixfr(name, path, options.changes),
        "file renamed into place": lambda name, path: by_file(name, path, options.records, options.changes),
        "bindpy zone add-record": lambda name, path: by_tool(name, path, 1),
    }
    print("| 10 records of a million change | server | p50 ms | worst ms |\n| --- | --- | ---: | ---: |")
    for way, measure in ways.items():
        for name in filter(is_installed, options.servers):
            if measure is ways["bindpy zone add-record"] and not name.startswith("bindpy"):
                continue
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "zone.db"
                with path.open("w") as file:
                    file.writelines(zone_lines(options.records, 1))
                delays = measure(name, path)
            print(f"| {way} | {name} | {statistics.median(delays):.1f} | {max(delays):.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
