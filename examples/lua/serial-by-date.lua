-- The zone is served with a serial that says when it was fetched: YYYYMMDDnn, nn being the hundredth of the
-- day (UTC), 00 to 99. It never goes down. Two versions fetched within the same 14 minutes have one serial,
-- and servers that transfer from this one take the second of them with the next version only.
--
-- Refreshes go by the primary's own serial, which bindpy remembers.

function axfrfilter(remoteip, zone, record)
    if record:qtype() ~= pdns.SOA then
        return pdns.PASS, {}
    end
    local now = os.time()
    local serial = os.date("!%Y%m%d", now) .. string.format("%02d", now % 86400 // 864)
    -- The content of a SOA: primary, mailbox, serial, refresh, retry, expire, minimum.
    local names, times = record:content():match("^(%S+ %S+) %d+ (.*)$")
    return 0, {{content = names .. " " .. serial .. " " .. times}}
end
