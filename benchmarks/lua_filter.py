"""How fast records go through the Lua filter: records a second, on a zone of a million records.

    python -m benchmarks.lua_filter [--records N] [--seed N] [--transfer]

The records are those of the reader's benchmark (A, AAAA, CNAME, MX, NS, TXT, SRV, CAA, DS). Each of the three
forms of ``axfrfilter`` passes everything on, then the examples do their work. Measured is CPU time of this
process for the calls of the filter alone. With ``--transfer`` whole answers to AXFR are read from messages
in memory too, without a filter and with one.
"""

from __future__ import annotations

import argparse
import gc
import resource
import struct
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.reader import ORIGIN, zone_lines
from bindpy.filter.script import LuaFilter
from bindpy.xfr.incoming import Incoming
from bindpy.zone import names
from bindpy.zone.diff import soa_record
from bindpy.zone.reader import read_zone_text
from bindpy.zone.records import RR

APEX = names.from_text(ORIGIN)
PASSES = {
    "pass, 7 arguments": "function axfrfilter(a, b, c, d, e, f, g) return pdns.PASS, {} end",
    "pass, 6 arguments": "function axfrfilter(a, b, c, d, e, f) return pdns.PASS, {} end",
    "pass, record object": "function axfrfilter(a, b, record) return pdns.PASS, {} end",
    "replaced by themselves": "function axfrfilter(a, b, r) return 0, {{content = r:content()}} end",
}
EXAMPLES = Path(__file__).parents[1] / "examples" / "lua"
RECORDS_A_MESSAGE = 300


def cpu_s() -> float:
    """Return the CPU time of this process, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def through_filter(script: Path, records: list[RR]) -> float:
    """Return how many CPU seconds *records* take through *script*."""
    lua = LuaFilter(str(script), "192.0.2.1", APEX)
    gc.collect()
    gc.disable()
    began = cpu_s()
    for rr in records:
        for _ in lua(rr):
            pass
    took = cpu_s() - began
    gc.enable()
    return took


def messages(records: Iterable[RR]) -> Iterator[bytes]:
    """Yield *records* as the messages of an answer with the ID 0."""
    batch: list[bytes] = []
    for rr in records:
        batch.append(rr.owner + struct.pack("!HHIH", rr.rtype, 1, rr.ttl, len(rr.rdata)) + rr.rdata)
        if len(batch) == RECORDS_A_MESSAGE:
            yield struct.pack("!6H", 0, 0x8400, 0, len(batch), 0, 0) + b"".join(batch)
            batch = []
    if batch:
        yield struct.pack("!6H", 0, 0x8400, 0, len(batch), 0, 0) + b"".join(batch)


def transferred(script: Path | None, answer: list[bytes]) -> float:
    """Return how many CPU seconds it takes to make a zone of the messages *answer*, nothing stored."""
    record_filter = LuaFilter(str(script), "192.0.2.1", APEX) if script is not None else None
    incoming = Incoming(APEX, record_filter=record_filter)
    gc.collect()
    gc.disable()
    began = cpu_s()
    for message in answer:
        incoming.feed(message)
    incoming.result()
    took = cpu_s() - began
    gc.enable()
    return took


def show(what: str, count: int, took_s: float) -> None:
    """Print one line."""
    print(f"{what:40} {took_s:8.2f} s {count / took_s:12,.0f} records/s", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transfer", action="store_true", help="read whole answers to AXFR, too")
    options = parser.parse_args()
    began = time.monotonic()
    text = "".join(zone_lines(options.records, options.seed, signed=False)).encode()
    zone = read_zone_text("bench.db", APEX, text=text).builder.finish()
    records = list(zone.rrs())
    print(f"{len(records):,} records of {ORIGIN} made in {time.monotonic() - began:.0f} s\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.lua"
        for what, script in PASSES.items():
            path.write_text(script + "\n")
            show(what, len(records), through_filter(path, records))
        for example in sorted(EXAMPLES.iterdir()):
            show(f"examples/lua/{example.name}", len(records), through_filter(example, records))
        if options.transfer:
            answer = list(messages([*records, soa_record(zone)]))
            del records, zone
            print()
            show("AXFR, no filter", options.records, transferred(None, answer))
            path.write_text(PASSES["pass, record object"])
            show("AXFR, pass, record object", options.records, transferred(path, answer))


if __name__ == "__main__":
    main()
