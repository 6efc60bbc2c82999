-- How many steps matching a pattern may take, at worst. string.find and its kin are C functions, which no
-- instruction hook reaches, and a pattern such as ".-.-.-x" backtracks for hours over a short string.
--
-- The chunk returns a function: cost(pattern, is_anchored) gives an exponent e and a factor f, so that no
-- match of it over n octets takes more than about f * (n + 1) ^ e steps; nil for a malformed pattern.

local find, sub, char = string.find, string.sub, string.char
local ipairs, max = ipairs, math.max

-- The item's class as a pattern for one octet.
local function class_of(item)
    if #item == 1 and find(item, "[^%w.]") then
        return "^%" .. item .. "$"
    end
    return "^" .. item .. "$"
end

local function are_disjoint(one, other)
    one, other = class_of(one), class_of(other)
    for octet = 0, 255 do
        local c = char(octet)
        if find(c, one) and find(c, other) then
            return false
        end
    end
    return true
end

-- The end of the set that begins at i, nil where there is none.
local function set_end(p, i)
    local j = i + 1
    if sub(p, j, j) == "^" then j = j + 1 end
    repeat
        if j > #p then return nil end
        if sub(p, j, j) == "%" then j = j + 1 end
        j = j + 1
    until sub(p, j, j) == "]"
    return j
end

-- The items of a pattern from octet i on, each {class, quantifier}. The class is false for what stands for more or
-- less than one octet ("%b()", "%f[set]", "%1", and "$" at the end); the quantifier of the first three is "b".
local function items_of(p, i)
    local items = {}
    while i <= #p do
        local c = sub(p, i, i)
        if c == "$" and i == #p then
            items[#items + 1] = {false, ""}
            i = i + 1
        elseif c == "(" or c == ")" then
            i = i + 1
        else
            local class, width = c, 1
            if c == "%" then
                local d = sub(p, i + 1, i + 1)
                if d == "" then return nil end
                class, width = c .. d, 2
                if d == "b" then width = 4 end
                if find(d, "[bf%d]") then class = false end
            elseif c == "[" then
                local last = set_end(p, i)
                if not last then return nil end
                class, width = sub(p, i, last), last - i + 1
            end
            i = i + width
            local q = sub(p, i, i)
            if not class then
                q = "b"
            elseif q ~= "" and find(q, "[*+?-]") then
                i = i + 1
            else
                q = ""
            end
            items[#items + 1] = {class, q}
        end
    end
    return items
end

return function(p, is_anchored)
    local items = items_of(p, is_anchored and 2 or 1)
    if not items then return nil end
    -- An attempt begins at one octet or at each. `entries` is the exponent of how often an item is come to.
    local entries, factor = is_anchored and 0 or 1, #items + 1
    local work = entries
    for i, item in ipairs(items) do
        local class, q, next = item[1], item[2], items[i + 1]
        if q == "b" then
            work = max(work, entries + 1)  -- it reads on, in one way only
        elseif q ~= "" and next then
            -- Where what follows cannot be part of what is repeated, there is only one place to go on from.
            local certain = next[1] and (next[2] == "" or next[2] == "+") and are_disjoint(class, next[1])
            if q == "?" then
                if not certain then factor = factor * 2 end
            else
                work = max(work, entries + 1)
                if not certain then entries = entries + 1 end
            end
        end
        -- A repetition at the very end fails at once or ends the attempt, and takes what it has read with it.
        work = max(work, entries)
    end
    return work, factor
end
