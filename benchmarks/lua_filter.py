"""How fast records go through the Lua filter: records a second, on a zone of a million records.

    python -m benchmarks.lua_filter [--records N] [--seed N] [--transfer]

The records are those of the reader's benchmark (A, AAAA, CNAME, MX, NS, TXT, SRV, CAA, DS). Each of the three
forms of ``axfrfilter`` passes everything on, then the examples do their work. Measured is CPU time of this
process for the calls of the filter alone, record by record, as the engine written in Python has them. With
``--transfer`` whole answers to AXFR are read from messages in memory too, without a filter and with one, by
both engines; what the filter adds is what records cost that go through it by the message.
"""

from __future__ import annotations

import argparse
import gc
import resource
import struct
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.reader import ORIGIN, zone_lines
from bindpy.engine import Zones
from bindpy.filter.script import LuaFilter
from bindpy.native import EngineChoice, NoEngineError, choose_engine
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
MESSAGES_AT_ONCE = 16


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


def transferred(script: Path | None, answer: list[bytes], zones: Zones) -> float:
    """Return how many CPU seconds it takes to make a zone of the messages *answer*, nothing stored."""
    record_filter = LuaFilter(str(script), "192.0.2.1", APEX) if script is not None else None
    incoming = Incoming(APEX, zones=zones, record_filter=record_filter)
    gc.collect()
    gc.disable()
    began = cpu_s()
    for at in range(0, len(answer), MESSAGES_AT_ONCE):
        incoming.feed_all(answer[at : at + MESSAGES_AT_ONCE])
    incoming.result()
    took = cpu_s() - began
    gc.enable()
    return took


def show_transfers(count: int, answer: list[bytes], path: Path) -> None:
    """Print what whole transfers take with each engine; *path* is for scripts."""
    for choice in (EngineChoice.RUST, EngineChoice.PYTHON):
        try:
            engine = choose_engine(choice, lambda _query, error: print(error))
        except NoEngineError as error:
            print(error)
            continue
        without = transferred(None, answer, engine.zones)
        show(f"AXFR, {engine.name}, no filter", count, without)
        for what, script in PASSES.items():
            path.write_text(script + "\n")
            took = transferred(path, answer, engine.zones)
            show(f"AXFR, {choice.value}, {what}", count, took)
            show("… the filter alone", count, took - without)


def show(what: str, count: int, took_s: float) -> None:
    """Print one line."""
    print(f"| {what} | {took_s:.2f} | {count / took_s:,.0f} |", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transfer", action="store_true", help="read whole answers to AXFR, too")
    options = parser.parse_args()
    text = "".join(zone_lines(options.records, options.seed, signed=False)).encode()
    zone = read_zone_text("bench.db", APEX, text=text).builder.finish()
    records = list(zone.rrs())
    print(f"**{len(records):,} records through the Lua filter**\n")
    print("| | CPU s | records/s |\n| --- | ---: | ---: |")
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
            show_transfers(options.records, answer, path)


if __name__ == "__main__":
    main()
