"""The Lua side of the filter: what a script can reach, and what stops it when it takes too long.

Nothing of Python is in the runtime, and the script's globals are a table of their own that holds only what is
listed here. Time is bounded from inside by an instruction hook. The error of a hook can be caught with
``pcall``; therefore the hook, once it has fired, fires again at every instruction, so that whatever catches
the error fails at its next step, up to the outermost caller. Coroutines have hooks of their own, and so are
left out. C functions run without the hook, hence those whose time is not bounded by the memory that they
use are guarded: ``string.rep``, ``table.move``, and patterns that could backtrack for long. Metatables are
left out, too: with them a C function can be told of tables that never end.
"""

from __future__ import annotations

from typing import Any

from lupa import lua54

MAX_MEMORY_OCTETS = 64 << 20
"""What one runtime may allocate, that is one transfer."""
MAX_CALL_INSTRUCTIONS = 10_000_000
MAX_CALL_S = 5
"""What one call may take; seconds are those of the process's CPU, counted while instructions are."""
MAX_TRANSFER_S = 60
MAX_RECORD_S = 0.001
"""What all calls of one transfer may take in CPU time: the one, and the other for each record. Calls of
fewer than 1,000 instructions are not measured."""
MAX_CAUGHT_ERRORS = 1000
"""How many errors a script may catch over one record."""
MAX_ROWS = 1000
"""How many records a script may put in place of one."""
MAX_LOG_LINES = 100
MAX_LOG_OCTETS = 400
"""How much a script may write to the log in one transfer: lines, and octets of each."""

LuaError = lua54.LuaError
LuaMemoryError = lua54.LuaMemoryError

_BOOTSTRAP = rb"""
local limits, types = ...
local sethook, getinfo, load, clock = debug.sethook, debug.getinfo, load, os.clock
local error, type, tostring, select, pairs, setmetatable = error, type, tostring, select, pairs, setmetatable
local math_type, tointeger = math.type, math.tointeger
local find, gsub, sub, rep, lower = string.find, string.gsub, string.sub, string.rep, string.lower
local gmatch, match = string.gmatch, string.match
local concat, move, unpack = table.concat, table.move, table.unpack

-- Time ------------------------------------------------------------------------------------------------

local ticks, last, call_s, total_s, records, why = 0, 0, 0, 0, 0, nil

local function stop()
    error(why, 0)
end

local function tick()
    ticks = ticks + 1
    local now = clock()
    if ticks > 1 then
        call_s, total_s = call_s + (now - last), total_s + (now - last)
    end
    last = now
    local over
    if ticks > limits.ticks or call_s > limits.call_s then
        over = "takes too long over one record"
    elseif total_s > limits.transfer_s + records * limits.record_s then
        over = "takes too long over this transfer"
    end
    if over then
        local where = getinfo(2, "Sl")
        local known = where and where.currentline > 0
        why = (known and where.short_src .. ":" .. where.currentline .. ": " or "") .. "the script " .. over
        sethook(stop, "", 1)
        stop()
    end
end

local function begin()
    ticks, call_s = 0, 0
end

-- A tick that finds the stack full fails before it can count, and is an error like any other. So errors are
-- counted where they are caught, without calling anything.
local caught = 0
local real_pcall = pcall

local function after(ok, ...)
    if not ok then
        caught = caught + 1
        if why or caught > limits.caught then
            why = why or "the script catches too many errors over one record"
            error(why, 0)
        end
    end
    return ok, ...
end

local function pcall(...)
    return after(real_pcall(...))
end

local function handled(handler, ok, ...)
    if ok then return ok, ... end
    return ok, handler(...)
end

local function xpcall(f, handler, ...)
    return handled(handler, pcall(f, ...))
end

-- Patterns: refuse those that may backtrack for long ----------------------------------------------------

local costs, cached = {}, 0

local function class_of(item)
    if #item == 1 and find(item, "[^%w.]") then
        return "^%" .. item .. "$"
    end
    return "^" .. item .. "$"
end

local function disjoint(one, other)
    one, other = class_of(one), class_of(other)
    for octet = 0, 255 do
        local c = string.char(octet)
        if find(c, one) and find(c, other) then
            return false
        end
    end
    return true
end

-- The items of a pattern as {text or false, quantifier}; nil where it is malformed.
local function items_of(p)
    local items, i = {}, 1
    local anchored = sub(p, 1, 1) == "^"
    if anchored then i = 2 end
    while i <= #p do
        local c, text, width = sub(p, i, i), nil, 1
        if c == "$" and i == #p then
            items[#items + 1] = {false, ""}
            break
        elseif c == "(" or c == ")" then
            i = i + 1
        else
            text = c
            if c == "%" then
                local d = sub(p, i + 1, i + 1)
                if d == "" then return nil end
                width, text = 2, sub(p, i, i + 1)
                if d == "b" then width, text = 4, false end
                if d == "f" or find(d, "%d") then text = false end
            elseif c == "[" then
                local j = i + 1
                if sub(p, j, j) == "^" then j = j + 1 end
                repeat
                    if j > #p then return nil end
                    if sub(p, j, j) == "%" then j = j + 1 end
                    j = j + 1
                until sub(p, j, j) == "]"
                width, text = j - i + 1, sub(p, i, j)
            end
            i = i + width
            local q = sub(p, i, i)
            if text and q ~= "" and find(q, "[*+?-]") then
                i = i + 1
            else
                q = text and "" or "b"
            end
            items[#items + 1] = {text, q}
        end
    end
    return items, anchored
end

-- How often a match may begin anew, as {exponent of the subject's length, factor}.
local function cost_of(p)
    local known = costs[p]
    if known then return known end
    local items, anchored = items_of(p)
    local exponent, factor = anchored and 0 or 1, 1
    for i, item in ipairs(items or {}) do
        local text, q = item[1], item[2]
        local next = items[i + 1]
        if q == "b" then
            exponent = exponent + 1
        elseif q ~= "" and next then
            local certain = next[1] and (next[2] == "" or next[2] == "+") and disjoint(text, next[1])
            if not certain then
                if q == "?" then factor = factor * 2 else exponent = exponent + 1 end
            end
        elseif q ~= "" and not next then
            exponent = exponent + (anchored and 0 or 1)
        end
    end
    if cached >= 1000 then costs, cached = {}, 0 end
    cached = cached + 1
    local cost = {exponent, factor}
    costs[p] = cost
    return cost
end

local function guarded(name, f)
    return function(s, p, ...)
        if type(s) == "number" then s = tostring(s) end
        if type(p) == "number" then p = tostring(p) end
        if type(s) == "string" and type(p) == "string" then
            if #p > 1000 then
                error("string." .. name .. ": the pattern is too long", 2)
            end
            local plain = name == "find" and select(2, ...)
            if not plain then
                local cost = cost_of(p)
                if (#s + 1) ^ cost[1] * cost[2] > 1e8 then
                    error("string." .. name .. ": the pattern may take too long on so long a string", 2)
                end
            end
        end
        return f(s, p, ...)
    end
end

string.find = guarded("find", find)
string.match = guarded("match", match)
string.gmatch = guarded("gmatch", gmatch)
string.gsub = guarded("gsub", gsub)
string.rep = function(s, n, separator)
    local size = #tostring(s) + #tostring(separator or "")
    local count = tointeger(n)
    if count and count > 0 and (count > 1e7 or size * count > limits.memory) then
        error("string.rep: the result is too large", 2)
    end
    return rep(s, n, separator)
end
string.dump = nil
table.move = function(from, first, last, to, into)
    local count = tointeger(last) and tointeger(first) and last - first
    if not count or count > 1e6 or count < -1e6 then
        error("table.move: too many elements", 2)
    end
    return move(from, first, last, to, into)
end

-- Log -------------------------------------------------------------------------------------------------

local lines = {}

local function log(...)
    if #lines > limits.log_lines then return end
    if #lines == limits.log_lines then
        lines[#lines + 1] = "(the script has written more than is logged)"
        return
    end
    local parts = {}
    for i = 1, select("#", ...) do
        parts[i] = sub(tostring((select(i, ...))), 1, limits.log_octets)
    end
    lines[#lines + 1] = sub(concat(parts, " "), 1, limits.log_octets)
end

local function logged()
    local text = concat(lines, "\n")
    lines = {}
    return text
end

-- Names and records as objects --------------------------------------------------------------------------

local name_methods = {}
local name_meta = {__index = name_methods}
local texts = setmetatable({}, {__mode = "k"})

local function new_name(text)
    if type(text) ~= "string" then error("newDN: a name is a string", 2) end
    if sub(text, -1) ~= "." then text = text .. "." end
    local name = setmetatable({}, name_meta)
    texts[name] = text
    return name
end

local function text_of(value)
    return texts[value] or error("this is not a name", 3)
end

function name_methods:toString() return text_of(self) end
function name_methods:toStringNoDot() return (gsub(text_of(self), "(.)%.$", "%1")) end
function name_methods:equal(other)
    if type(other) == "string" then other = new_name(other) end
    return lower(text_of(self)) == lower(text_of(other))
end
function name_methods:isPartOf(other)
    local ours, theirs = lower(text_of(self)), lower(text_of(other))
    return theirs == "." or ours == theirs or sub(ours, -#theirs - 1) == "." .. theirs
end
name_meta.__eq = name_methods.equal
name_meta.__tostring = text_of

local record_methods = {}
local record_meta = {__index = record_methods}
local fields = setmetatable({}, {__mode = "k"})

local function field_of(record, which)
    local own = fields[record] or error("this is not a record; write record:method()", 3)
    return own[which]
end

function record_methods:qname()
    return new_name(field_of(self, 1))
end
function record_methods:wildcardName()
    return new_name((gsub(field_of(self, 1), "^[^.]*%.", "*.")))
end
function record_methods:qtype() return field_of(self, 2) end
function record_methods:ttl() return field_of(self, 3) end
function record_methods:content() return field_of(self, 4) end
function record_methods:qclass() return field_of(self, 5) end
function record_methods:toString()
    local own = fields[self] or error("this is not a record", 2)
    return own[1] .. "|" .. own[2] .. "|" .. own[3] .. "|" .. own[4]
end

local function new_record(...)
    local record = setmetatable({}, record_meta)
    fields[record] = {...}
    return record
end

-- What the script sees ----------------------------------------------------------------------------------

local pdns = {PASS = -1, DROP = -2}
for name, number in pairs(types) do pdns[name] = number end

local env = {
    assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall,
    print = log, pdnslog = log, rawequal = rawequal, rawget = rawget, rawlen = rawlen, rawset = rawset,
    select = select, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack, xpcall = xpcall,
    math = math, string = string, table = table, newDN = new_name, pdns = pdns, _VERSION = _VERSION,
    os = {clock = os.clock, date = os.date, difftime = os.difftime, time = os.time},
}
env._G = env

-- What Python calls ---------------------------------------------------------------------------------------

local function open(source)
    local chunk, fault = load(source, "=SCRIPT", "t", env)
    if not chunk then error(fault, 0) end
    begin()
    chunk()
    local f = env.axfrfilter
    if type(f) ~= "function" then return -1 end
    local info = getinfo(f, "u")
    return info.isvararg and -2 or info.nparams
end

local function number(value, what)
    local given = type(value) == "string" and tonumber(value) or value
    local whole = math_type(given) and tointeger(given)
    if not whole then error("a record's " .. what .. " is a whole number, not " .. type(value), 0) end
    return whole
end

-- The answer as numbers and strings: the code, then for each row qname, qtype, ttl, content and prio.
local function judged(code, rows)
    if code == -1 then return -1 end
    if math_type(code) and tointeger(code) then code = tointeger(code) end
    if code == -1 or code == -2 then return code end
    if code ~= 0 and code ~= 1 then
        local plain = type(code) == "number" or type(code) == "string"
        local said = plain and sub(tostring(code), 1, 50) or type(code)
        error("cannot understand the return code " .. said .. "; it is 0, 1, pdns.PASS or pdns.DROP", 0)
    end
    if type(rows) ~= "table" then
        error("returned " .. code .. " with " .. type(rows) .. ", not a table of records", 0)
    end
    local flat, n, count = {}, 0, 0
    for key, row in pairs(rows) do
        count = count + 1
        if not math_type(key) then error("the table of records has a key that is no number", 0) end
        if type(row) ~= "table" then error("a record is a table, not " .. type(row), 0) end
    end
    if count > limits.rows then error("returned more than " .. limits.rows .. " records", 0) end
    if count ~= #rows then error("the table of records has gaps", 0) end
    for i = 1, count do
        local row = rows[i]
        local qname, content = texts[row.qname] or row.qname, row.content
        if qname ~= nil and type(qname) ~= "string" then
            error("a record's qname is a string, not " .. type(qname), 0)
        end
        if type(content) == "number" then content = tostring(content) end
        if content ~= nil and type(content) ~= "string" then
            error("a record's content is a string, not " .. type(content), 0)
        end
        flat[n + 1] = qname or false
        flat[n + 2] = row.qtype ~= nil and number(row.qtype, "qtype") or false
        flat[n + 3] = row.ttl ~= nil and number(row.ttl, "ttl") or false
        flat[n + 4] = content or false
        flat[n + 5] = row.prio ~= nil and number(row.prio, "prio") or false
        n = n + 5
    end
    return code, unpack(flat, 1, n)
end

local filter

local function call(...)
    ticks, call_s, caught, records = 0, 0, 0, records + 1
    return judged(filter(...))
end

local function call_with_record(remoteip, zone, ...)
    ticks, call_s, caught, records = 0, 0, 0, records + 1
    return judged(filter(remoteip, zone, new_record(...)))
end

local function chosen(parameters)
    filter = env.axfrfilter
    return parameters == 3 and call_with_record or call
end

sethook(tick, "", 1000)
return open, chosen, logged
"""


def new_sandbox(types: dict[str, int]) -> tuple[Any, Any, Any]:
    """Return three Lua functions of a fresh runtime; *types* are the numbers that ``pdns`` holds by name.

    ``open(source)`` runs a script and returns how many parameters its ``axfrfilter`` has, -1 where there is
    no such function and -2 where their number is open; ``chosen(parameters)`` returns the function
    that calls it; ``logged()`` returns and forgets what was printed. Strings are octets as Latin-1.
    """
    lua = lua54.LuaRuntime(
        register_eval=False,
        register_builtins=False,
        encoding="latin-1",
        source_encoding="latin-1",
        max_memory=MAX_MEMORY_OCTETS,
    )
    limits = {
        "ticks": MAX_CALL_INSTRUCTIONS // 1000,
        "call_s": MAX_CALL_S,
        "transfer_s": MAX_TRANSFER_S,
        "record_s": MAX_RECORD_S,
        "caught": MAX_CAUGHT_ERRORS,
        "rows": MAX_ROWS,
        "memory": MAX_MEMORY_OCTETS,
        "log_lines": MAX_LOG_LINES,
        "log_octets": MAX_LOG_OCTETS,
    }
    functions: tuple[Any, Any, Any] = lua.execute(_BOOTSTRAP, lua.table_from(limits), lua.table_from(types))
    return functions
