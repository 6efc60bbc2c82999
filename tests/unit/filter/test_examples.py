"""The scripts in examples/lua do what they say."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from bindpy.filter.script import LuaFilter
from bindpy.zone import names
from bindpy.zone.records import RR, RRType, Soa
from tests.unit.filter.scripts import ORIGIN, PEER, SOA, TXT, A, record

EXAMPLES = Path(__file__).parents[3] / "examples" / "lua"


def example(name: str, origin: bytes = ORIGIN) -> LuaFilter:
    return LuaFilter(str(EXAMPLES / f"{name}.lua"), PEER, origin)


def test_there_are_no_others() -> None:
    assert {path.stem for path in EXAMPLES.iterdir()} == {
        "hinfo-to-txt",
        "consistent-ns",
        "serial-by-date",
        "timestamp",
    }


def test_hinfo_to_txt() -> None:
    lua = example("hinfo-to-txt")
    made = record("h.example.", "TXT", '"no hardware information here"', ttl=99)
    assert list(lua(record("h.example.", "HINFO", '"PDP-11" "UNIX"'))) == [made]
    (stamped,) = lua(TXT)
    assert (stamped.owner, stamped.rtype, stamped.ttl) == (TXT.owner, TXT.rtype, TXT.ttl)
    assert re.fullmatch(rb".fetched \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", stamped.rdata)
    other = TXT._replace(owner=names.from_text("x.example."))
    assert [list(lua(rr)) for rr in (A, SOA, other)] == [[A], [SOA], [other]]


def test_consistent_ns() -> None:
    lua = example("consistent-ns")
    ours = [record("example.", "NS", f"ns{n}.example.net.", ttl=86400) for n in (1, 2)]
    assert list(lua(SOA)) == [SOA, *ours]
    assert list(lua(record("EXAMPLE.", "NS", "ns.example."))) == []
    delegation = record("sub.example.", "NS", "ns.sub.example.")
    assert [list(lua(rr)) for rr in (delegation, A)] == [[delegation], [A]]


def test_serial_by_date() -> None:
    lua = example("serial-by-date")
    before = time.time()
    (made,) = lua(SOA)
    after = time.time()
    old, new = Soa.from_rdata(SOA.rdata), Soa.from_rdata(made.rdata)
    assert new.serial in {
        int(time.strftime("%Y%m%d", time.gmtime(now)) + f"{int(now) % 86400 // 864:02d}")
        for now in (before, after)
    }
    assert (new.mname, new.rname, new.refresh, new.retry) == (old.mname, old.rname, old.refresh, old.retry)
    assert (new.expire, new.minimum, made.ttl, made.owner) == (old.expire, old.minimum, SOA.ttl, SOA.owner)
    assert list(lua(A)) == [A]


@pytest.mark.parametrize(("origin", "at"), [("example.", "_fetched.example."), (".", "_fetched.")])
def test_timestamp(origin: str, at: str) -> None:
    apex = names.from_text(origin)
    soa = SOA._replace(owner=apex)
    lua = example("timestamp", apex)
    kept, made = lua(soa)
    assert (kept, made.owner, made.rtype, made.ttl) == (soa, names.from_text(at), RRType.TXT, 60)
    assert re.fullmatch(rb".\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC from 192\.0\.2\.53", made.rdata)
    rr = RR(names.from_text("x", apex), RRType.A, 60, bytes(4))
    assert list(lua(rr)) == [rr]
