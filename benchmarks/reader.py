"""How fast zone files are read: records per CPU second, bindpy's reader against dnspython's, in one process.

    python benchmarks/reader.py [--records N] [--seed N] [--signed] [--keep FILE]

The zone is made from a seed: what a hosting zone holds (A, AAAA, CNAME, MX, NS, TXT, SRV, CAA, DS), and with
``--signed`` RRSIG and NSEC for every name too, in the form that dnssec-signzone writes.
"""

from __future__ import annotations

import argparse
import base64
import gc
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.zone

from bindpy.zone import names
from bindpy.zone.reader import read_zone_text

ORIGIN = "bench.example."


def zone_lines(count: int, seed: int, *, signed: bool) -> Iterator[str]:
    """Yield the lines of a zone of about *count* records, the same for the same *seed*."""
    rng = random.Random(seed)
    yield f"$TTL 3600\n$ORIGIN {ORIGIN}\n"
    yield "@ IN SOA ns1 hostmaster (\n\t2026112201 ; serial\n\t7200 3600 1209600 300 )\n"
    yield "\tNS ns1\n\tNS ns2\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n\tAAAA 2001:db8::2\n"
    done = 6
    number = 0
    while done < count:
        owner = f"host-{number}" if number % 7 else f"host-{number}.{ORIGIN}"
        number += 1
        lines, types = _one_owner(rng, owner, number)
        if signed:
            lines.append(f"\t\t3600\tNSEC\thost-{number}.{ORIGIN} {types} RRSIG NSEC\n")
            for rtype in (*types.split(), "NSEC"):
                signature = base64.b64encode(rng.randbytes(64)).decode()
                lines.append(
                    f"\t\t3600\tRRSIG\t{rtype} 13 3 3600 (\n\t\t\t\t\t20361101000000 20261122020431 53584"
                    f" {ORIGIN}\n\t\t\t\t\t{signature[:56]}\n\t\t\t\t\t{signature[56:]} )\n"
                )
        done += len(lines)
        yield "".join(lines)


def _one_owner(rng: random.Random, owner: str, number: int) -> tuple[list[str], str]:
    """Return an owner's lines and its types."""
    address = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"
    kind = rng.randrange(20)
    if kind < 9:
        lines, types = [f"{owner}\tIN A\t{address}\n"], "A"
    elif kind < 13:
        aaaa = f"2001:db8:{rng.randrange(65536):x}::{rng.randrange(65536):x}"
        lines, types = [f"{owner}\t300\tIN\tA\t{address}\n", f"\tAAAA\t{aaaa}\n"], "A AAAA"
    elif kind < 15:
        lines, types = [f"{owner}\tCNAME\thost-{rng.randrange(number)}\n"], "CNAME"
    elif kind < 16:
        mx = [f"{owner}\tMX\t10 mail{rng.randrange(5)}\n", "\tMX\t20 backup.mail.example.\n"]
        lines, types = [*mx, f'\tTXT\t"v=spf1 ip4:{address} -all"\n'], "MX TXT"
    elif kind < 17:
        srv = f"_sip._tcp.{owner}\tSRV\t10 {rng.randrange(100)} 5060 host-{rng.randrange(number)}\n"
        lines, types = [srv], "SRV"
    elif kind < 18:
        caa = f'{owner}\tCAA\t0 issue "ca{rng.randrange(50)}.example"\n'
        lines, types = [caa, f"\tA\t{address}\n"], "A CAA"
    else:
        lines = [f"{owner}\tNS\tns{i}.hoster{rng.randrange(100)}.example.\n" for i in (1, 2)]
        types = "NS"
        if kind == 19:
            lines.append(f"\tDS\t{rng.randrange(65536)} 13 2 {rng.randbytes(32).hex().upper()}\n")
            types = "NS DS"
    return lines, types


def _timed(label: str, read: Callable[[], int]) -> float:
    gc.collect()
    started = time.process_time()
    records = read()
    spent = time.process_time() - started
    print(f"| {label} | {records:,} | {spent:.2f} | {records / spent:,.0f} |", flush=True)
    return records / spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--signed", action="store_true", help="add RRSIG and NSEC records")
    parser.add_argument("--keep", type=Path, help="write the zone to this file and leave it there")
    arguments = parser.parse_args()
    origin = names.from_text(ORIGIN)

    with tempfile.TemporaryDirectory() as scratch:
        path = arguments.keep or Path(scratch) / "bench.zone"
        with path.open("w") as f:
            f.writelines(zone_lines(arguments.records, arguments.seed, signed=arguments.signed))

        def ours() -> int:
            text = read_zone_text(str(path), origin)
            if text.has_errors:
                raise SystemExit(str(text.diagnostics[0]))
            return text.builder.rr_count

        def ours_to_snapshot() -> int:
            return read_zone_text(str(path), origin).builder.finish().rr_count

        def dnspython() -> int:
            zone = dns.zone.from_file(str(path), ORIGIN, relativize=False)
            return sum(1 for _ in zone.iterate_rdatas())

        mib = path.stat().st_size / 2**20
        print(f"**Reading a zone file of {mib:.1f} MiB, seed {arguments.seed}**\n")
        print("| | records | CPU s | records/s |\n| --- | ---: | ---: | ---: |")
        rate = _timed("bindpy, records", ours)
        whole = _timed("bindpy, finished snapshot", ours_to_snapshot)
        base = _timed("dnspython dns.zone.from_file", dnspython)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        ratios = f"{rate / base:.1f}, to the snapshot {whole / base:.1f}"
        print(f"\nbindpy / dnspython: {ratios}; peak {peak_mib:.0f} MiB\n")


if __name__ == "__main__":
    main()
