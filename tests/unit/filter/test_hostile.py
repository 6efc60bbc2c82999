"""No script takes for ever, takes all the memory, or reaches anything outside, however it tries."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bindpy.filter import sandbox
from bindpy.filter.script import FilterError, LuaFilter
from bindpy.zone import names
from bindpy.zone.records import RR, RRType
from tests.unit.filter.scripts import FORMS, ORIGIN, PEER, A, loaded, script

SLOWEST_S = 40
"""No script may hold a worker for longer over one record; most take a fraction of a second."""


@pytest.fixture(autouse=True)
def _one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five are more than tests need."""
    monkeypatch.setitem(sandbox._LIMITS, "call_s", 1)


def reason(folder: Path, body: str) -> str:
    """Return why a script whose function has *body* fails."""
    began = time.monotonic()
    with pytest.raises(FilterError) as raised:
        list(script(folder, f"{body} return -1, {{}}")(A))
    assert time.monotonic() - began < SLOWEST_S
    said = str(raised.value)
    assert "traceback" not in said.lower()
    assert "<python>" not in said
    assert len(said) < 1000
    return said


@pytest.mark.parametrize(
    "body",
    [
        "while true do end",
        "local i = 1 while i > 0 do i = i + 1 end",
        "while true do pcall(function() while true do end end) end",
        "xpcall(function() while true do end end, function() while true do end end)",
        "pcall(pcall, function() while true do end end)",
        "pcall(string.gsub, 'x', 'x', function() while true do end end)",
        "('x'):gsub('x', function() pcall(function() while true do end end) while true do end end)",
        "table.sort({3, 2, 1}, function() while true do end end)",
        "pcall(table.sort, {3, 2, 1}, function() while true do end end) while true do end",
        "string.find = function() while true do end end ('x'):find('y')",
        "local s = ('x'):rep(1e7) while true do s:reverse() end",
        "local s = ('x'):rep(1e7) local t = {} for i = 1, 1e5 do t[i] = s .. (i % 10) table.sort(t) end",
        "local t = {} for i = 1, 200000 do t[i] = 1 end while true do table.insert(t, 1, 1) end",
    ],
)
def test_endless_loops(tmp_path: Path, body: str) -> None:
    said = reason(tmp_path, body)
    assert "takes too long over one record" in said or "needs too much memory" in said


@pytest.mark.parametrize(
    "body",
    [
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1000) end",
        "local t = {} while true do t = {t} end",
        "('x'):rep(1e6):gsub('x', ('y'):rep(900))",
        "string.format(('%s'):rep(200), table.unpack((function() local t = {} local s = ('x'):rep(1e6) "
        "for i = 1, 200 do t[i] = s end return t end)()))",
        "local s = ('x'):rep(1e7) local t = {} for i = 1, 1000 do t[i] = s end table.concat(t)",
        "print(('xxxxxxxxxx'):rep(5e6) .. 'y')",
        "error(('xxxxxxxxxx'):rep(4e6) .. ('yyyyyyyyyy'):rep(4e6))",
        "local function f() return 1 + f() end f()",
    ],
)
def test_memory_bombs(tmp_path: Path, body: str) -> None:
    assert "needs too much memory" in reason(tmp_path, body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("local function f() while true do pcall(f) end end f()", "catches too many errors"),
        ("local s = 'x' while true do pcall(function() s = s .. s end) end", "catches too many errors"),
        ("while true do pcall(error) end", "catches too many errors"),
        ("while true do xpcall(error, function() end) end", "catches too many errors"),
        ("local function f() ('x'):gsub('x', f) end f()", "stack overflow"),
        ("print(table.unpack({}, 1, 1e8))", "too many results to unpack"),
        ("string.rep('', 1e18)", "string.rep: the result is too large"),
        ("string.rep('', '1e18')", "string.rep: the result is too large"),
        ("string.rep('x', 1e9)", "string.rep: the result is too large"),
        ("string.rep('', 1e9, 'xxxxxxxxxx')", "string.rep: the result is too large"),
        ("table.move({}, 1, math.maxinteger, 1)", "table.move: too many elements"),
        ("table.move({}, math.mininteger, math.maxinteger, 1)", "too many elements"),
        ("os.date(('%c'):rep(1e6))", "os.date: the format is too long"),
    ],
)
def test_what_C_functions_would_take_too_long_over(tmp_path: Path, body: str, said: str) -> None:
    assert said in reason(tmp_path, body)


@pytest.mark.parametrize(
    "match",
    [
        "('a'):rep(100000):find('.-.-.-.-b')",
        "('a'):rep(40000):find('a*b')",
        "('a'):rep(100):match('a*a*a*a*a*a*a*a*b')",
        "('a'):rep(100):match('^' .. ('a?'):rep(50) .. ('a'):rep(50) .. 'b')",
        "('a'):rep(30000):find('.-.-.-b%')",
        "('a'):rep(30000):find('.-.-.-b[x')",
        "('('):rep(100000):find('%b()')",
        "('a'):rep(100000):find('(a*)%1b')",
        "('^'):rep(100000):gmatch('^.-.-x')()",
        "('a'):rep(1e7):find(('a'):rep(1e6) .. 'b', 1, true)",
        "('a'):rep(100000):gsub('(b*)', ('%1'):rep(100000))",
        "('a'):rep(5000):find(('a'):rep(1001))",
    ],
)
def test_patterns_that_backtrack_for_long(tmp_path: Path, match: str) -> None:
    began = time.process_time()
    said = reason(tmp_path, match)
    assert "may take too long" in said or "malformed pattern" in said or "pattern is too long" in said
    assert time.process_time() - began < 1, "it was not matched at all"


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ("('ns.example. h.example. 1 2 3'):match('^%S+ %S+ (%d+) (%d+) (%d+)$')", "1"),
        ("(('x'):rep(50000) .. '.'):match('^x+%.')", "x" * 50000 + "."),
        ("('x '):rep(50000):gsub(' ', '')", "x" * 50000),
        ("('x'):rep(50000):match('x+')", "x" * 50000),
        ("('a,b;c'):gsub('[,;]', {[','] = '1', [';'] = '2'})", "a1b2c"),
        ("('x^y'):gmatch('^y')()", "^y"),
        ("('THE (quick) fox'):find('%((%a+)%)')", "5"),
        ("('a.b'):find('.', 1, true)", "2"),
        ("('key = value'):match('^%s*(%S+)%s*=%s*(.-)%s*$')", "key"),
        ("(12345):rep(2):gsub(3, 'x')", "12x4512x45"),
        ("('f(a(b)c)d'):match('%b()')", "(a(b)c)"),
        ("('THE fox'):find('%f[%a]%a+%f[%A]', 2)", "5"),
        ("('a]b'):match('[]]')", "]"),
        ("('a-b'):match('[^%]a]')", "-"),
        ("string.find('abc', 'c', -1)", "3"),
    ],
)
def test_everyday_patterns_are_free(tmp_path: Path, match: str, found: str) -> None:
    body = f"local first = {match} return 0, {{{{qtype = pdns.TXT, content = tostring(first)}}}}"
    (made,) = script(tmp_path, body.replace("(12345)", "('12345')"))(A)
    strings, at = b"", 0
    while at < len(made.rdata):
        strings += made.rdata[at + 1 : at + 1 + made.rdata[at]]
        at += 1 + made.rdata[at]
    assert strings.decode() == found


@pytest.mark.parametrize(
    "what",
    [
        "os.execute", "os.exit", "os.remove", "os.rename", "os.getenv", "os.setlocale", "os.tmpname",
        "io.open", "io.popen", "require", "load", "loadstring", "loadfile", "dofile", "debug.sethook",
        "debug.getinfo",
        "python.eval", "python.builtins", "coroutine.create", "coroutine.wrap", "setmetatable",
        "getmetatable",
        "package.loadlib", "string.dump", "string.pack", "collectgarbage", "warn", "utf8.char",
    ],
)  # fmt: skip
def test_what_is_not_there(tmp_path: Path, what: str) -> None:
    library, _, name = what.rpartition(".")
    assert "attempt to" in reason(tmp_path, f"{what}()")
    if library:
        body = f"for k, v in pairs({library} or {{}}) do if k == '{name}' then error('there') end end"
        assert list(script(tmp_path, f"{body} return -1")(A)) == [A]


def test_the_globals_are_these_and_no_others(tmp_path: Path) -> None:
    body = """local seen = {}
        local function walk(t, name)
            for k, v in pairs(t) do
                if type(v) == 'userdata' or type(v) == 'thread' then error(name .. k) end
                if type(v) == 'table' and not seen[v] then seen[v] = true walk(v, name .. k .. '.') end
            end
        end
        walk(_G, '')
        local names = {} for k in pairs(_G) do names[#names + 1] = k end table.sort(names)
        print(table.concat(names, ' ')) return -1"""
    lua = script(tmp_path, body)
    assert list(lua(A)) == [A]
    assert lua.log_lines() == [
        "_G _VERSION assert axfrfilter error ipairs math newDN next os pairs pcall pdns pdnslog print "
        "rawequal rawget rawlen rawset select string table tonumber tostring type unpack xpcall"
    ]


def test_a_script_cannot_loosen_its_guards(tmp_path: Path) -> None:
    body = """string.char = function() return '' end string.sub = string.char string.find = nil
        type = function() return 'x' end tostring = type error = type pcall = type pairs = type select = type
        math.type = type math.tointeger = type math.max = type table.unpack = type
        os.clock = type os.time = type
        local x = ('a'):rep(100000):gsub('a*a*a*b', '')"""
    assert "may take too long" in reason(tmp_path, body)
    assert "takes too long" in reason(tmp_path, "os.clock = function() return 0 end while true do end")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("error()", "f.lua:1: error() was called without a text"),
        ("error(nil, 2)", "error() was called without a text"),
        ("error({})", "f.lua:1: error() was called with a table"),
        ("error(print)", "f.lua:1: error() was called with a function"),
        ("error(5)", "f.lua:1: 5"),
        ("error('x', 0)", "f.lua: x"),
        ("error('two\\nlines')", "f.lua:1: two?lines"),
        ("error(record)", "error() was called without a text"),
        ("assert(false)", "assertion failed!"),
        ("assert(nil, {})", "error() was called with a table"),
        ("assert(false, 'said so')", "f.lua:1: said so"),
        ("local x = nil x.y = 1", "f.lua:1: attempt to index a nil value (local 'x')"),
        ("nothing()", "f.lua:1: attempt to call a nil value (global 'nothing')"),
        ("string.find()", "f.lua:1: bad argument #1 to 'find' (string expected, got nil)"),
        ("error('\255')", "f.lua:1: ?"),
    ],
)
def test_errors_say_where_and_why(tmp_path: Path, body: str, said: str) -> None:
    assert said in reason(tmp_path, body)


# --- the transfer as a whole --------------------------------------------------------------------------


def passed(lua: LuaFilter, most: int) -> int:
    """Return how many records go through before the filter fails, or *most*."""
    for number in range(most):
        try:
            lua(A)
        except FilterError:
            return number
    return most


def test_what_is_caught_in_one_record_does_not_count_in_the_next(tmp_path: Path) -> None:
    lua = script(tmp_path, "for i = 1, 900 do pcall(error) end return -1")
    assert all(list(lua(A)) == [A] for _ in range(10))


def test_the_budget_of_the_transfer_grows_with_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sandbox._LIMITS, "transfer_instructions", 1_000_000)
    lua = script(tmp_path, "for i = 1, 10000 do end return -1")
    for _ in range(300):
        lua(A)
    lua = script(tmp_path, "for i = 1, 100000 do end return -1")
    assert passed(lua, 300) < 200
    with pytest.raises(FilterError, match="takes too long over this transfer"):
        lua(A)  # once and for all


def test_the_records_put_in_are_bounded(tmp_path: Path) -> None:
    body = "local t = {} for i = 1, 1000 do t[i] = {ttl = i} end return 1, t"
    lua = script(tmp_path, body)
    assert passed(lua, 1000) == 101
    with pytest.raises(FilterError, match="the script puts in too many records"):
        lua(A)


def test_floods_of_prints_are_bounded(tmp_path: Path) -> None:
    body = "for i = 1, 50 do print(('x'):rep(100000), 'y\\n\\27[2J') end pdnslog('z') return -1"
    lua = script(tmp_path, body)
    for _ in range(100):
        lua(A)
    lines = lua.log_lines()
    assert len(lines) == 101
    assert lines[-1] == "(the script has written more than is logged)"
    assert max(len(line) for line in lines) == 400
    assert all(line.isprintable() for line in lines)
    other = script(tmp_path, "print('a', 'y\\n\\27[2J') print(table.unpack({}, 1, 5000)) return -1")
    other(A)
    assert other.log_lines()[0] == "a y ?[2J"


def test_what_was_printed_before_a_failure_is_there(tmp_path: Path) -> None:
    for body in ("error('x')", "while true do end", "local s = 'x' while true do s = s .. s end", "return 7"):
        lua = script(tmp_path, f"print('before') do {body} end")
        with pytest.raises(FilterError):
            lua(A)
        assert lua.log_lines() == ["before"]


def test_an_error_in_record_500000(tmp_path: Path) -> None:
    body = "n = n + 1 if n == 500000 then error('enough') end return -1"
    source = f"n = 0 function axfrfilter({FORMS[7]}) {body} end"
    lua = loaded(tmp_path, source)
    rdata = bytes([192, 0, 2, 1])
    for number in range(1, 500_000):
        rr = RR(b"\x07%07d" % number + ORIGIN, RRType.A, 300, rdata)
        assert lua(rr) == (rr,)
    last = RR(names.from_text("last.example."), RRType.A, 300, rdata)
    with pytest.raises(FilterError, match=r"f\.lua:1: enough \(at the record last\.example\. A\)"):
        lua(last)


@pytest.mark.parametrize(
    "body",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local s = ('x'):rep(1e6) while true do s:reverse() end",
    ],
)
def test_a_script_that_nobody_waits_for_is_halted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setitem(sandbox._LIMITS, "call_instructions", 10**15)
    monkeypatch.setitem(sandbox._LIMITS, "transfer_instructions", 10**15)
    monkeypatch.setitem(sandbox._LIMITS, "call_s", 1000)
    asked: list[float] = []

    def is_abandoned() -> bool:
        asked.append(time.process_time())
        return len(asked) == 3

    (tmp_path / "f.lua").write_text(f"function axfrfilter({FORMS[3]}) {body} end")
    lua = LuaFilter(str(tmp_path / "f.lua"), PEER, ORIGIN, is_abandoned=is_abandoned)
    with pytest.raises(FilterError, match="the transfer was given up"):
        lua(A)
    assert len(asked) == 3
    assert asked[2] - asked[0] > 0.3, "not asked all the time"
