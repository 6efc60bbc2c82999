"""Scripts for tests, in the three forms, and records to give them."""

from __future__ import annotations

from pathlib import Path

from bindpy.filter.script import LuaFilter
from bindpy.zone import names
from bindpy.zone.rdata import rdata_from_text, type_from_text
from bindpy.zone.records import RR

ORIGIN = names.from_text("example.")
PEER = "192.0.2.53"
FORMS = {
    3: "remoteip, zone, record",
    6: "remoteip, zone, qname, qtype, ttl, content",
    7: "remoteip, zone, qname, qtype, ttl, prio, content",
}


def record(owner: str, rtype: str, content: str, ttl: int = 300) -> RR:
    """Return a record from text; names are absolute."""
    number = type_from_text(rtype)
    assert number is not None
    return RR(names.from_text(owner), number, ttl, rdata_from_text(number, content, names.ROOT))


A = record("www.example.", "A", "192.0.2.1")
MX = record("example.", "MX", "7 mail.example.")
SRV = record("_sip._tcp.example.", "SRV", "1 2 5060 sip.example.")
SOA = record("example.", "SOA", "ns.example. host.example. 7 3600 900 604800 60")
TXT = record("_tstamp.example.", "TXT", '"old \\"value\\"" "two"')


def loaded(folder: Path, source: str) -> LuaFilter:
    """Return the filter that *source*, a whole script, makes."""
    path = folder / "f.lua"
    path.write_bytes(source.encode("latin-1"))
    return LuaFilter(str(path), PEER, ORIGIN)


def script(folder: Path, body: str, form: int = 7) -> LuaFilter:
    """Return the filter whose function has *body*."""
    return loaded(folder, f"function axfrfilter({FORMS[form]}) {body} end")
