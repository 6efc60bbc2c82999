-- A TXT record at _fetched.ZONE tells when, and from where, the zone was fetched:
--
--     $ dig +short TXT _fetched.example.com
--     "2026-11-22 06:30:00 UTC from 192.0.2.1"

function axfrfilter(remoteip, zone, record)
    if record:qtype() ~= pdns.SOA then  -- there is one, and it comes first
        return pdns.PASS, {}
    end
    local name = zone == "." and "_fetched." or "_fetched." .. zone
    local text = os.date("!%Y-%m-%d %H:%M:%S UTC from ") .. remoteip
    return 1, {{qname = name, qtype = pdns.TXT, ttl = 60, content = text}}
end
