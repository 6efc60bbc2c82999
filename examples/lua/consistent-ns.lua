-- Every zone that is fetched has the same NS records at its apex, whatever its primary says. Delegations
-- inside the zones stay as they are. Fits well in `options`, for all secondary zones:
--
--     options { lua-axfr-script "consistent-ns.lua"; };

local servers = {"ns1.example.net.", "ns2.example.net."}
local ttl = 86400

function axfrfilter(remoteip, zone, record)
    local at_apex = record:qname() == newDN(zone)
    if at_apex and record:qtype() == pdns.NS then
        return pdns.DROP, {}
    end
    if at_apex and record:qtype() == pdns.SOA then  -- there is one, and it comes first
        local rows = {}
        for i, server in ipairs(servers) do
            rows[i] = {qtype = pdns.NS, ttl = ttl, content = server}
        end
        return 1, rows
    end
    return pdns.PASS, {}
end
