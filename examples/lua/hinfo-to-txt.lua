-- HINFO records become TXT records, and TXT records at _tstamp.* say when they were fetched.
--
--     zone "example.com" {
--         type secondary; file "example.com.db"; primaries { 192.0.2.1; };
--         lua-axfr-script "hinfo-to-txt.lua";
--     };

local function begins_with(text, start)
    return text:sub(1, #start) == start
end

function axfrfilter(remoteip, zone, record)
    if record:qtype() == pdns.HINFO then
        return 0, {{qtype = pdns.TXT, ttl = 99, content = "no hardware information here"}}
    end
    if record:qtype() == pdns.TXT and begins_with(record:qname():toString(), "_tstamp.") then
        return 0, {{content = os.date("!fetched %Y-%m-%d %H:%M:%S UTC")}}
    end
    return pdns.PASS, {}
end
