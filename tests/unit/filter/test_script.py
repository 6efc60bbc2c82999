"""The Lua filter: what scripts may say, what they cannot reach, and that none takes for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.filter.script import FilterError, LuaFilter
from bindpy.zone import names
from bindpy.zone.records import RR, RRType

ORIGIN = names.from_text("example.")
A = RR(names.from_text("www.example."), RRType.A, 300, bytes([192, 0, 2, 1]))
MX = RR(names.from_text("example."), RRType.MX, 300, b"\x00\x07\x04mail\x07example\x00")


def loaded(tmp_path: Path, source: str) -> LuaFilter:
    path = tmp_path / "f.lua"
    path.write_text(source)
    return LuaFilter(str(path), "192.0.2.53", ORIGIN)


def seven(tmp_path: Path, body: str) -> LuaFilter:
    return loaded(
        tmp_path, f"function axfrfilter(remoteip, zone, qname, qtype, ttl, prio, content) {body} end"
    )


def test_the_three_signatures(tmp_path: Path) -> None:
    script = seven(tmp_path, "print(remoteip, zone, qname, qtype, ttl, prio, content) return pdns.PASS, {}")
    assert list(script(MX)) == [MX]
    assert script.log_lines() == ["192.0.2.53 example example 15 300 7 mail.example."]
    script = loaded(tmp_path, "function axfrfilter(a, b, c, d, e, f) print(a, b, c, d, e, f) return -1 end")
    assert list(script(MX)) == [MX]
    assert script.log_lines() == ["192.0.2.53 example. example. 15 300 7 mail.example."]
    script = loaded(
        tmp_path,
        "function axfrfilter(a, b, r) print(a, b, r:qname():toString(), r:qtype(), r:ttl(), r:content(), "
        "r:qname() == newDN('EXAMPLE'), r:qname():isPartOf(newDN('test'))) return -1, {} end",
    )
    assert list(script(MX)) == [MX]
    assert script.log_lines() == ["192.0.2.53 example. example. 15 300 7 mail.example. true false"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("pdns.PASS, {}", [A]),
        ("pdns.DROP, {}", []),
        ("0, {}", []),
        ("1, {}", [A]),
        ("0, {{content = '192.0.2.2'}}", [A._replace(rdata=bytes([192, 0, 2, 2]))]),
        ("1, {{ttl = 5}}", [A, A._replace(ttl=5)]),
        ("0, {{qtype = pdns.TXT, content = 'Hello Ahu!'}}", [A._replace(rtype=16, rdata=b"\nHello Ahu!")]),
        ("0, {{qname = 'example', qtype = pdns.MX, prio = 7, content = 'mail.example'}}", [MX]),
        ("1, {{qname = 'www.test'}}", [A]),
    ],
)
def test_return_codes(tmp_path: Path, answer: str, expected: list[RR]) -> None:
    assert list(seven(tmp_path, f"return {answer}")(A)) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return 7, {}", "cannot understand the return code 7"),
        ("return 'x'", "cannot understand the return code x"),
        ("return 0", "not a table"),
        ("return 0, {{content = 'x'}}", "bad content 'x'"),
        ("return 0, {{ttl = -1}}", "whose ttl, -1"),
        ("return 0, {{qtype = 252}}", "is no type of data"),
        ("return 0, {{qname = '..'}}", "bad qname"),
        ("error('boom')", "f.lua:1: boom"),
        ("while true do end", "takes too long"),
        ("while true do pcall(function() while true do end end) end", "takes too long"),
        ("local function f() while true do pcall(f) end end f()", "catches too many errors"),
        ("xpcall(function() while true do end end, function() while true do end end)", "takes too long"),
        ("local s = 'x' while true do s = s .. s end", "too much memory"),
        ("local s = 'x' while true do pcall(function() s = s .. s end) end", "catches too many errors"),
        ("local t = {} while true do t[#t + 1] = ('x'):rep(1000) end", "too much memory"),
        ("string.rep('', 1e18)", "too large"),
        ("string.rep('x', 1e9)", "too large"),
        ("table.move({}, 1, math.maxinteger, 1)", "too many elements"),
        ("local s = ('a'):rep(100000) s:find('.-.-.-.-b')", "may take too long"),
        *[
            (f"{name}()", "attempt to")
            for name in (
                "os.execute", "os.exit", "os.remove", "os.rename", "os.getenv", "io.open", "require", "load",
                "dofile", "debug.sethook", "python.eval", "coroutine.create", "setmetatable", "getmetatable",
                "package.loadlib", "string.dump", "collectgarbage",
            )
        ],
    ],
)  # fmt: skip
def test_what_fails(tmp_path: Path, body: str, reason: str) -> None:
    with pytest.raises(FilterError) as raised:
        list(seven(tmp_path, body if body.startswith("return") else f"{body} return -1, {{}}")(A))
    assert reason in str(raised.value)
    assert str(tmp_path / "f.lua") in str(raised.value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("\nx = = 1", "f.lua:2: unexpected symbol"),
        ("y = 1", "has no function axfrfilter"),
        ("function axfrfilter() end", "has 0 parameters"),
        ("function axfrfilter(...) end", "any number of parameters"),
        ("while true do end", "takes too long"),
    ],
)
def test_what_is_not_begun_with(tmp_path: Path, source: str, reason: str) -> None:
    with pytest.raises(FilterError) as raised:
        loaded(tmp_path, source)
    assert reason in str(raised.value)


def test_a_pattern_that_cannot_backtrack_is_free(tmp_path: Path) -> None:
    words = "('ns.example. host.example. 1 2 3 4 5'):match('^(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%d+)$')"
    script = seven(tmp_path, f"print({words}) return -1, {{}}")
    assert list(script(A)) == [A]
    assert script.log_lines() == ["ns.example. host.example. 1 2 3 4 5"]
