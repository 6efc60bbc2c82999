"""How long after a zone file was edited the new data is answered, with ``bindpy serve`` as it is run.

    python -m benchmarks.edit_latency            # about a minute
    python -m benchmarks.edit_latency --edits 20 # a smoke run

How it is measured: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import dns.message

from benchmarks.engines import get_ready
from benchmarks.program import BenchmarkError, run, tied

ORIGIN: Final = "example.com"
DEADLINE_S: Final = 10.0
REST_S: Final = 0.05  # between edits, so that each meets an idle server
ASK_S: Final = 0.0005  # between questions; also the resolution of the result


def zone_text(serial: int, records: int) -> str:
    """Return a zone of *records* records, with the serial in the address of ``www``."""
    lines = [
        "$TTL 300",
        f"@ SOA ns hostmaster {serial} 3600 900 604800 60",
        "@ NS ns",
        "ns A 192.0.2.1",
        f"www A {address(serial)}",
    ]
    lines += [f"host{number} A 10.0.{number // 256}.{number % 256}" for number in range(records - 4)]
    return "\n".join(lines) + "\n"


def address(serial: int) -> str:
    """Return the address that ``www`` has in version *serial*."""
    return f"192.1.{serial // 256}.{serial % 256}"


def renamed(path: Path, text: str) -> float:
    """Write a temporary file and rename it into place; return when it was there."""
    fresh = path.with_name("fresh")
    fresh.write_text(text)
    fresh.replace(path)
    return time.perf_counter()


def in_place(path: Path, text: str) -> float:
    """Truncate, write and close."""
    path.write_text(text)
    return time.perf_counter()


def backed_up(path: Path, text: str) -> float:
    """Rename the old file away, write a new one, remove the old one: as vim does."""
    backup = path.rename(f"{path}~")
    path.write_text(text)
    done = time.perf_counter()
    backup.unlink()
    return done


STYLES: Final[dict[str, Callable[[Path, str], float]]] = {
    "renamed into place": renamed,
    "written in place and closed": in_place,
    "old one renamed, new one written": backed_up,
}


class Client:
    """Asks for ``www`` again and again."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(0.2)
        self._query = dns.message.make_query(f"www.{ORIGIN}", "A").to_wire()

    def wait_for(self, wanted: str) -> float:
        """Wait until the answer ends with the address *wanted*; return when it did."""
        octets = socket.inet_aton(wanted)
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            try:
                self._socket.send(self._query)
                if octets in self._socket.recv(4096):
                    return time.perf_counter()
            except (TimeoutError, ConnectionRefusedError):
                pass
            time.sleep(ASK_S)
        raise BenchmarkError(f"{wanted} was not served within {DEADLINE_S} s")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def measure(folder: Path, port: int, records: int, edits: int) -> None:
    """Edit in every style and print a table of the delays."""
    path = folder / "zone.db"
    client = Client(port)
    serial = 1
    client.wait_for(address(serial))
    print(f"**Edit to answer, a zone of {records:,} records, {edits} edits of each kind**\n")
    print("| | p50 ms | p99 ms | worst ms |\n| --- | ---: | ---: | ---: |")
    for style, edit in STYLES.items():
        delays = []
        for _ in range(edits):
            serial += 1
            done = edit(path, zone_text(serial, records))
            delays.append((client.wait_for(address(serial)) - done) * 1000)
            time.sleep(REST_S)
        p99 = statistics.quantiles(delays, n=100, method="inclusive")[98]
        print(
            f"| {style} | {statistics.median(delays):.1f} | {p99:.1f} | {max(delays):.1f} |",
            flush=True,
        )
    client.close()


def main() -> int:
    """Run the server, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--edits", type=int, default=200)
    options = parser.parse_args()
    get_ready()
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        folder = Path(name)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        (folder / "zone.db").write_text(zone_text(1, options.records))
        (folder / "named.conf").write_text(
            f'options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; '
            "listen-on-v6 { none; }; pid-file none; };\n"
            "controls { };\n"
            "logging { category default { null; }; };\n"
            f'zone "{ORIGIN}" {{ type primary; file "zone.db"; }};\n'
        )
        server = subprocess.Popen(
            tied([sys.executable, "-m", "bindpy.cli.main", "serve", "-c", str(folder / "named.conf")])
        )
        try:
            measure(folder, port, options.records, options.edits)
        finally:
            server.terminate()
            server.wait(DEADLINE_S)
    return 0


if __name__ == "__main__":
    run(main)
