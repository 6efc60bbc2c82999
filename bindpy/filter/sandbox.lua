-- The sandbox of a script: what it can reach, what it may take, and how Python calls it.
--
-- The script's globals are a table of its own that holds what is listed further down and nothing else; the one
-- object of Python's in this runtime, is_abandoned, is out of its reach. Memory is bounded by the allocator, time by a hook that comes by every
-- few hundred instructions. A script can catch the error of a hook; therefore the hook, once a limit was
-- passed, stops the script at each of its instructions, so that whatever catches the error fails at its next
-- step. C functions run without the hook: those that could take longer than the memory that they use would
-- let them are guarded, or left out. Coroutines are left out because each would have a hook of its own,
-- metatables because they can tell C functions of tables that never end, and run at odd times.

local limits, types, cost_of, is_abandoned = ...

local sethook, getinfo, getmetatable, setmetatable = debug.sethook, debug.getinfo, getmetatable, setmetatable
local load, clock, date, time = load, os.clock, os.date, os.time
local error, type, tostring, tonumber, select = error, type, tostring, tonumber, select
local pairs, ipairs, real_pcall = pairs, ipairs, pcall
local math_type, tointeger = math.type, math.tointeger
local find, gsub, sub, rep, lower = string.find, string.gsub, string.sub, string.rep, string.lower
local gmatch, match, read = string.gmatch, string.match, string.unpack
local concat, move, sort, unpack = table.concat, table.move, table.sort, table.unpack

local SOURCE = "=SCRIPT"  -- no other chunk has this name: scripts cannot load any
local STRIDE = 500  -- instructions between two looks at the limits

-- Time -----------------------------------------------------------------------------------------------------

local why  -- the limit that was passed
local records = 0
local call_ticks, call_s, call_began = 0, 0, 0
local all_ticks, all_s = 0, 0
local last  -- what the clock said when it was last looked at in this call
local asked  -- and when it was last asked whether anybody still waits

local function stop()
    if getinfo(2, "S").source == SOURCE then error(why, 0) end
end

-- The line of the script that is being run, as "SCRIPT:LINE: ".
local function place()
    local level = 2
    while true do
        local info = getinfo(level, "Sl")
        if not info then return "" end
        if info.source == SOURCE then return info.short_src .. ":" .. info.currentline .. ": " end
        level = level + 1
    end
end

-- An error of a function of ours, as if the line of the script that called it had made it.
local function fail(message)
    error(place() .. message, 0)
end

local function halt(reason)
    why = place() .. reason
    sethook(stop, "", 1)
end

local function over(what)
    halt("the script takes too long over " .. what)
end

-- The clock is that of the process, which other threads wind up too: a call has only taken as long as it says
-- where as much time has gone by.
local function look()
    if why then return end
    local now = clock()
    if last then
        call_s, all_s = call_s + (now - last), all_s + (now - last)
    else
        call_began, asked = time(), now
    end
    last = now
    if now - asked > limits.unasked_s then
        asked = now
        if is_abandoned() then return halt("the transfer was given up") end
    end
    if call_s > limits.call_s and time() - call_began >= limits.call_s then
        over("one record")
    elseif all_s > limits.transfer_s + records * limits.record_s then
        over("this transfer")
    end
end

local function tick()
    call_ticks, all_ticks = call_ticks + 1, all_ticks + 1
    look()
    if why then return end
    if call_ticks * STRIDE > limits.call_instructions then
        over("one record")
    elseif all_ticks * STRIDE > limits.transfer_instructions + records * limits.record_instructions then
        over("this transfer")
    end
end

-- Errors ---------------------------------------------------------------------------------------------------

local caught = 0
local thrown_at = ""  -- where the script called error() with something that says no place

local function throw(fault, level)
    thrown_at = type(fault) ~= "string" and place() or ""
    if level ~= 0 then level = (tointeger(level) or 1) + 1 end
    error(fault, level)
end

local function reason_of(fault)
    if why then return why end
    if fault == "not enough memory" then return "the script needs too much memory" end
    if type(fault) == "string" then return sub(fault, 1, limits.log_octets) end
    if type(fault) == "number" then return thrown_at .. tostring(fault) end
    if fault == nil then return thrown_at .. "error() was called without a text" end
    return thrown_at .. "error() was called with a " .. type(fault)
end

-- A tick that finds the stack full fails before it can count, and is an error like any other. So errors are
-- counted where they are caught, without calling anything.
local function after(ok, ...)
    if not ok then
        caught = caught + 1
        if not why and caught > limits.caught then
            why = "the script catches too many errors over one record"
        end
        if why then error(why, 0) end
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

-- Functions of Lua's libraries that need a guard -----------------------------------------------------------

-- What `real_pcall` of the library's function *name* came to. Its own errors name no line, because it was not
-- called by the script itself.
local function returned(name, ok, ...)
    if why then error(why, 0) end
    if ok then return ... end
    local fault = ...
    if type(fault) == "string" and fault ~= "not enough memory" and not find(fault, "^SCRIPT:") then
        fault = gsub(fault, '^%[string "[^"\n]*"%]:%d+: ', "")  -- a function of ours that it called
        fail((gsub(fault, "'%?'", "'" .. name .. "'")))
    end
    error(fault, 0)
end

-- The same for one that may have taken long.
local function looked_after(...)
    look()
    return returned(...)
end

local known = {[true] = {}, [false] = {}}
local known_count = 0

local function known_cost(p, is_anchored)
    local cost = known[is_anchored][p]
    if cost == nil then
        if known_count >= 1000 then known, known_count = {[true] = {}, [false] = {}}, 0 end
        known_count = known_count + 1
        local exponent, factor = cost_of(p, is_anchored)
        cost = exponent and {exponent, factor} or false
        known[is_anchored][p] = cost
    end
    return cost
end

local function guarded(name, f)
    local called = "string." .. name
    return function(s, p, third, fourth)
        if type(s) == "number" then s = tostring(s) end
        if type(p) == "number" then p = tostring(p) end
        if type(s) ~= "string" or type(p) ~= "string" then
            return returned(name, real_pcall(f, s, p, third, fourth))
        end
        local steps
        if name == "find" and fourth then
            steps = (#s + 1.0) * #p
        elseif #p > 1000 then
            fail(called .. ": the pattern is too long")
        else
            local cost = known_cost(p, name ~= "gmatch" and sub(p, 1, 1) == "^")
            if not cost then fail(called .. ": malformed pattern") end
            steps = (#s + 1.0) ^ cost[1] * cost[2]
            if name == "gsub" and type(third) == "string" then steps = steps + (#s + 1.0) * #third end
        end
        if steps > limits.steps then
            fail(called .. ": the pattern may take too long on so long a string")
        elseif steps > limits.steps / 1000 then
            look()
            return looked_after(name, real_pcall(f, s, p, third, fourth))
        end
        return returned(name, real_pcall(f, s, p, third, fourth))
    end
end

string.find, string.match = guarded("find", find), guarded("match", match)
string.gmatch, string.gsub = guarded("gmatch", gmatch), guarded("gsub", gsub)
string.rep = function(s, n, separator)
    if type(n) == "string" then n = tonumber(n) end
    local size = #tostring(s) + #tostring(separator or "")
    local count = tointeger(n)
    if count and count > 0 and (count > 1e7 or size * count > limits.memory) then
        fail("string.rep: the result is too large")
    end
    return returned("rep", real_pcall(rep, s, n, separator))
end
string.dump, string.pack, string.packsize, string.unpack = nil, nil, nil, nil

table.move = function(from, first, final, to, into)
    local count = tointeger(final) and tointeger(first) and final - first
    if not count or count > 1e6 or count < -1e6 then
        fail("table.move: too many elements")
    end
    return returned("move", real_pcall(move, from, first, final, to, into or from))
end
table.sort = function(list, is_less)
    -- The hook sees comparisons that are made by a function of Lua's.
    return returned("sort", real_pcall(sort, list, is_less or function(a, b)
        if why then error(why, 0) end
        return a < b
    end))
end

local function guarded_date(format, ...)
    if type(format) == "string" and #format > 200 then fail("os.date: the format is too long") end
    return returned("date", real_pcall(date, format, ...))
end

-- Log ------------------------------------------------------------------------------------------------------

local lines, written = {}, 0

local function write(line)
    if written > limits.log_lines then return end
    written = written + 1
    if written > limits.log_lines then line = "(the script has written more than is logged)" end
    lines[#lines + 1] = gsub(sub(line, 1, limits.log_octets), "\n", " ")
end

local function log(...)
    local parts, count = {}, select("#", ...)
    for i = 1, count < 20 and count or 20 do
        parts[i] = sub(tostring((select(i, ...))), 1, limits.log_octets)
    end
    write(concat(parts, " "))
end

local function log_with_level(text)
    write(tostring(text))
end

local function logged()
    local text = concat(lines, "\n")
    lines = {}
    return text
end

-- Names and records as objects -----------------------------------------------------------------------------

local name_methods, record_methods = {}, {}
local name_meta, record_meta = {__index = name_methods}, {__index = record_methods}

local function new_name(text)
    if type(text) ~= "string" then fail("newDN: a name is a string") end
    if sub(text, -1) ~= "." then text = text .. "." end
    return setmetatable({text}, name_meta)
end

-- The text of a name object, nil for anything else.
local function name_text(value)
    if type(value) ~= "table" or getmetatable(value) ~= name_meta then return nil end
    return type(value[1]) == "string" and value[1] or nil
end

local function text_of(value)
    return name_text(value) or fail("this is not a name; write name:method()")
end

-- Where the labels after the first begin.
local function after_label(text)
    local i = 1
    while i < #text do
        local c = sub(text, i, i)
        if c == "." then return i + 1 end
        i = i + (c == "\\" and 2 or 1)
    end
    return #text + 1
end

function name_methods:toString() return text_of(self) end
function name_methods:toStringNoDot()
    local text = text_of(self)
    return text == "." and text or sub(text, 1, -2)
end
function name_methods:equal(other)
    if type(other) == "string" then other = new_name(other) end
    return lower(text_of(self)) == lower(text_of(other))
end
function name_methods:isPartOf(other)
    local ours, theirs = lower(text_of(self)), lower(text_of(other))
    if theirs == "." then return true end
    while #ours > #theirs do
        ours = sub(ours, after_label(ours))
    end
    return ours == theirs
end
name_meta.__eq = name_methods.equal
name_meta.__tostring = name_methods.toString

local function record(self)
    if type(self) ~= "table" or getmetatable(self) ~= record_meta then
        fail("this is not a record; write record:method()")
    end
    return self
end

function record_methods:qname() return new_name(record(self)[1]) end
function record_methods:wildcardName()
    local text = record(self)[1]
    return new_name("*." .. sub(text, after_label(text)))
end
function record_methods:qtype() return record(self)[2] end
function record_methods:ttl() return record(self)[3] end
function record_methods:content() return record(self)[4] end
function record_methods:qclass() return record(self)[5] end
function record_methods:toString()
    local own = record(self)
    return own[1] .. "|" .. own[2] .. "|" .. own[3] .. "|" .. own[4]
end
record_meta.__tostring = record_methods.toString

-- What the script sees -------------------------------------------------------------------------------------

local pdns = {
    PASS = -1, DROP = -2,
    loglevels = {
        None = 0, Alert = 1, Critical = 2, Error = 3, Warning = 4, Notice = 5, Info = 6, Debug = 7, All = 9,
    },
}
for name, number in pairs(types) do pdns[name] = number end

local env = {
    assert = assert, error = throw, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall, print = log,
    pdnslog = log_with_level, rawequal = rawequal, rawget = rawget, rawlen = rawlen, rawset = rawset,
    select = select, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack, xpcall = xpcall,
    math = math, string = string, table = table, newDN = new_name, pdns = pdns, _VERSION = _VERSION,
    os = {clock = clock, date = guarded_date, difftime = os.difftime, time = time},
}
env._G = env

-- What the script answered ---------------------------------------------------------------------------------

local made = 0  -- records that the script has put in

local function number(value, what)
    local given = type(value) == "string" and tonumber(value) or value
    local whole = math_type(given) and tointeger(given)
    if not whole then
        local said = type(value) == "number" and tostring(value) or type(value)
        error("a record's " .. what .. " is a whole number, not " .. said, 0)
    end
    return whole
end

local function text(value, what)
    if type(value) == "number" then return tostring(value) end
    if type(value) ~= "string" then error("a record's " .. what .. " is a string, not " .. type(value), 0) end
    return value
end

-- How many rows there are in a table that holds nothing else.
local function row_count(rows)
    local count = 0
    for key, row in pairs(rows) do
        count = count + 1
        if count > limits.rows then error("returned more than " .. limits.rows .. " records", 0) end
        if not math_type(key) then error("the table of records has a key that is no number", 0) end
        if type(row) ~= "table" then error("a record is a table, not " .. type(row), 0) end
    end
    if count ~= #rows then error("the table of records has gaps", 0) end
    made = made + count
    if made > limits.made + records * limits.made_for_record then
        error("the script puts in too many records", 0)
    end
    return count
end

-- The answer as numbers and strings: -1 keep, -2 drop, else 0 or 1 and for each row qname, qtype, ttl, content
-- and prio, each false where the row does not say.
local function judged(code, rows)
    if code == -1 then return -1 end
    if code == -2 then return -2 end
    if code ~= 0 and code ~= 1 then
        local is_plain = type(code) == "number" or type(code) == "string"
        local said = is_plain and sub(tostring(code), 1, 50) or type(code)
        error("cannot understand the return code " .. said .. "; it is 0, 1, pdns.PASS or pdns.DROP", 0)
    end
    code = code == 1 and 1 or 0
    if type(rows) ~= "table" then
        error("returned " .. code .. " with " .. type(rows) .. ", not a table of records", 0)
    end
    local count = row_count(rows)
    if count == 0 then return code == 1 and -1 or -2 end
    local flat, n = {}, 0
    for i = 1, count do
        local row = rows[i]
        local qname = row.qname
        flat[n + 1] = qname ~= nil and (name_text(qname) or text(qname, "qname"))
        flat[n + 2] = row.qtype ~= nil and number(row.qtype, "qtype")
        flat[n + 3] = row.ttl ~= nil and number(row.ttl, "ttl")
        flat[n + 4] = row.content ~= nil and text(row.content, "content")
        flat[n + 5] = row.prio ~= nil and number(row.prio, "prio")
        n = n + 5
    end
    return code, unpack(flat, 1, n)
end

-- What Python calls ----------------------------------------------------------------------------------------

local filter

local function begin()
    call_ticks, call_s, caught, last, thrown_at = 0, 0, 0, nil, ""
end

-- What `real_pcall` came to: the answer, or false and the reason.
local function ended(ok, ...)
    if ok and not why then return ... end
    sethook(tick, "", STRIDE)
    return false, reason_of((...))
end

-- The same, with 10 taken from the code where there are lines for the log.
local function marked(code, ...)
    if code and lines[1] then return code - 10, ... end
    return code, ...
end

local function judge(...)
    return judged(filter(...))
end

local function judge_record(remoteip, zone, ...)
    return judged(filter(remoteip, zone, setmetatable({...}, record_meta)))
end

local function call(...)
    begin()
    records = records + 1
    return marked(ended(real_pcall(judge, ...)))
end

local function call_with_record(...)
    begin()
    records = records + 1
    return marked(ended(real_pcall(judge_record, ...)))
end

-- Many records at a time, `shown` one after the other as "<s2I2I4I4s4": owner, type, TTL, priority, content.
local SHOWN = "<s2I2I4I4s4"
local AT_ONCE = 50  -- records after which Python's other threads get a chance

local shown, place_in_shown, number_of
local address, zone_name, class
local judge_shown
local judge_shown_to = {
    [3] = function(qname, qtype, ttl, prio, content)
        return judged(filter(address, zone_name, setmetatable({qname, qtype, ttl, content, class}, record_meta)))
    end,
    [6] = function(qname, qtype, ttl, prio, content)
        return judged(filter(address, zone_name, qname, qtype, ttl, content))
    end,
    [7] = function(qname, qtype, ttl, prio, content)
        return judged(filter(address, zone_name, qname, qtype, ttl, prio, content))
    end,
}

local judge_next

-- Goes on while records are kept; returns the number of the last one, from 0, and the answer about it.
local function go_on(code, ...)
    if code ~= -1 or number_of % AT_ONCE == AT_ONCE - 1 then return number_of, code, ... end
    return judge_next()
end

judge_next = function()
    if place_in_shown > #shown then return end
    local qname, qtype, ttl, prio, content
    qname, qtype, ttl, prio, content, place_in_shown = read(SHOWN, shown, place_in_shown)
    number_of = number_of + 1
    begin()
    records = records + 1
    return go_on(marked(ended(real_pcall(judge_shown, qname, qtype, ttl, prio, content))))
end

local function judge_all(remoteip, zone, rdclass, records_shown)
    address, zone_name, class = remoteip, zone, rdclass
    shown, place_in_shown, number_of = records_shown, 1, -1
    return judge_next()
end

local function reached()
    return number_of
end

-- Run the script; return how many parameters its function has, -1 for no function, -2 for any number of them.
local function run(source)
    local chunk, fault = load(source, SOURCE, "t", env)
    if not chunk then error(fault, 0) end
    chunk()
    filter = env.axfrfilter
    if type(filter) ~= "function" then return -1 end
    local info = getinfo(filter, "u")
    judge_shown = judge_shown_to[info.nparams]
    return info.isvararg and -2 or info.nparams
end

local function open(source)
    begin()
    return ended(real_pcall(run, source))
end

sethook(tick, "", STRIDE)
return open, call, call_with_record, judge_all, judge_next, reached, logged
