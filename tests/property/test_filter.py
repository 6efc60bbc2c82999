"""The boundary of the Lua filter: whatever a script says, records of the zone come back, or an error."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindpy.filter.script import FilterError, LuaFilter
from bindpy.zone import names
from bindpy.zone.names import is_subdomain
from bindpy.zone.rdata import check_rdata, is_meta_type
from bindpy.zone.records import RR, RRType
from tests.unit.filter.scripts import FORMS, MX, ORIGIN, SOA, SRV, TXT, A, record

LONG_S = 20
OTHERS = [
    record("example.", "NS", "ns.example."),
    record("x.example.", "AAAA", "2001:db8::1"),
    record("x.example.", "CAA", '0 issue "ca.example"'),
    record("x.example.", "HINFO", '"a b" "c"'),
    record("x.example.", "TYPE65400", r"\# 3 010203"),
    record("x.example.", "DS", "1 13 2 " + "ab" * 32),
    record("x.example.", "SVCB", "1 svc.example. alpn=h2"),
    record("x.example.", "NAPTR", '1 2 "u" "E2U+sip" "!^.*$!sip:x@example!" .'),
]
RECORDS = st.sampled_from([A, MX, SRV, TXT, SOA, *OTHERS])


def filter_of(source: str) -> LuaFilter:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.lua"
        path.write_bytes(source.encode("latin-1"))
        return LuaFilter(str(path), "192.0.2.53", ORIGIN)


def lua_string(value: bytes) -> str:
    return '"' + "".join(f"\\{octet:03d}" for octet in value) + '"'


SCALARS = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(lambda n: "math.mininteger" if n == -(2**63) else str(n)),
    st.integers(-3, 300).map(str),
    st.sampled_from(
        ["nil", "true", "false", "0/0", "1/0", "-0.0", "1e300", "{}", "print", "qname", "content"]
    ),
    st.binary(max_size=40).map(lua_string),
    st.text("abc.\\@$\"'() ;0123456789-_*", max_size=30).map(lambda text: lua_string(text.encode())),
    st.sampled_from([b"example", b"x.example.", b"EXAMPLE", b"..", b"\\999.example", b"x.test"]).map(
        lua_string
    ),
    st.sampled_from([b"192.0.2.1", b"10 mail.example", b'"', b'"a" "b"', b"\\# 4 01020304"]).map(lua_string),
)
ROWS = st.dictionaries(st.sampled_from(["qname", "qtype", "ttl", "content", "prio", "place"]), SCALARS).map(
    lambda row: "{" + ", ".join(f"{key} = {value}" for key, value in row.items()) + "}"
)
TABLES = st.lists(st.one_of(ROWS, SCALARS), max_size=4).map(lambda rows: "{" + ", ".join(rows) + "}")
CODES = st.one_of(st.sampled_from(["0", "1", "-1", "pdns.PASS", "pdns.DROP"]), SCALARS)


def check(made: Iterable[RR], rr: RR) -> None:
    for one in made:
        assert is_subdomain(one.owner.lower(), ORIGIN)
        assert 0 <= one.ttl < 2**31
        assert not is_meta_type(one.rtype)
        assert check_rdata(one.rtype, one.rdata) is None
    soas = [one for one in made if one.rtype == RRType.SOA]
    assert [one.owner.lower() for one in soas] == ([ORIGIN] if rr.rtype == RRType.SOA else [])


def outcome(lua: LuaFilter, rr: RR) -> list[RR] | str:
    """Return what the filter makes of *rr*, or why it fails."""
    try:
        return list(lua(rr))
    except FilterError as error:
        return str(error)


@given(RECORDS, st.sampled_from([6, 7]), CODES, st.one_of(TABLES, SCALARS))
def test_whatever_a_script_returns(rr: RR, form: int, code: str, rows: str) -> None:
    got = outcome(filter_of(f"function axfrfilter({FORMS[form]}) return {code}, {rows} end"), rr)
    if isinstance(got, str):
        assert len(got) < 1200
        assert got.isprintable()
    else:
        check(got, rr)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode())))
def test_whatever_a_script_is(source: bytes) -> None:
    with pytest.raises(FilterError) as raised:  # nothing random is an axfrfilter
        filter_of(source.decode("latin-1"))
    assert str(raised.value).isprintable()


@given(st.sampled_from([A, MX, SRV, *OTHERS]), st.sampled_from([3, 6, 7]), st.binary(max_size=20))
def test_what_is_given_means_what_was_there(rr: RR, form: int, label: bytes) -> None:
    rr = rr._replace(owner=names.from_labels([label or b"x", b"example"]))
    content = "record:content()" if form == 3 else "content"
    qname = "record:qname():toString()" if form == 3 else "qname"
    answer = f"{{{{qname = {qname}, content = ' ' .. {content} .. ' ', ttl = 300}}}}"
    lua = filter_of(f"function axfrfilter({FORMS[form]}) return 0, {answer} end")
    assert list(lua(rr)) == [rr]


ITEMS = st.tuples(
    st.sampled_from(["a", ".", "%a", "[ab]", "[^b]", "b", "%W", "x"]),
    st.sampled_from(["", "*", "+", "-", "?"]),
)
PATTERNS = st.tuples(
    st.sampled_from(["", "^"]),
    st.lists(st.one_of(ITEMS.map("".join), st.sampled_from(["%bax", "%f[%a]", "()", "(a*)%1"])), max_size=8),
    st.sampled_from(["", "$"]),
).map(lambda parts: parts[0] + "".join(parts[1]) + parts[2])


@given(PATTERNS, st.sampled_from(["find", "match", "gmatch", "gsub"]), st.sampled_from([0, 10, 300, 5000]))
def test_no_pattern_takes_long(pattern: str, function: str, size: int) -> None:
    arguments = lua_string(pattern.encode()) + (", ''" if function == "gsub" else "")
    call = f"subject:{function}({arguments})"
    call = f"for _ in {call} do end" if function == "gmatch" else f"local _ = {call}"
    lua = filter_of(f"local subject = ('a'):rep({size}) function axfrfilter({FORMS[3]}) {call} return -1 end")
    began = time.process_time()
    got = outcome(lua, A)
    assert time.process_time() - began < LONG_S
    assert got == [A] or any(why in got for why in ("take too long", "takes too long", "pattern"))
