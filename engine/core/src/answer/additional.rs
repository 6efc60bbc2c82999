//! The additional section: what the names in the answer and authority sections point at.
//!
//! Only data of the zone that answered is added, as BIND does with `recursion no`: authoritative data for
//! targets of answers (wildcards included), and in referrals glue and nothing but glue.

use bumpalo::Bump;
use smallvec::SmallVec;

use super::proofs::Key;
use super::response::{Entry, Response};
use crate::name;
use crate::rtype;
use crate::zone::{Node, Rrset, Seek, Zone};

const ADDRESSES: &[u16] = &[rtype::A, rtype::AAAA];
const ROUTED: &[u16] = &[X25, ISDN, rtype::A, rtype::AAAA];
const LOCATORS: &[u16] = &[L64, L32];
const X25: u16 = 19;
const ISDN: u16 = 20;
const L32: u16 = 105;
const L64: u16 = 106;
const MAX_ALIASES: usize = 16;
/// A name of more octets has no room for a port and `_tcp` before it.
const MAX_SERVICE_NAME: usize = 240;

/// Adds what the RRsets of the answer and authority sections call for (RFC 1035 section 3.3 and others).
pub fn add_additional<'a>(zone: &'a Zone, response: &mut Response<'a>, arena: &'a Bump) {
    let answers = response.answer.len();
    for index in 0..answers + response.authority.len() {
        let entry = match index.checked_sub(answers) {
            None => &response.answer[index],
            Some(index) => &response.authority[index],
        };
        if is_pointing(entry.rtype) {
            let entry = entry.clone();
            add_for(zone, response, arena, &entry);
        }
    }
}

fn is_pointing(rtype: u16) -> bool {
    is_host(rtype) || matches!(rtype, rtype::RT | rtype::NAPTR | rtype::SVCB | rtype::HTTPS | rtype::LP)
}

/// Whether the RDATA of `rtype` holds the name of a host.
fn is_host(rtype: u16) -> bool {
    use rtype::{AFSDB, KX, MB, MD, MF, MX, NS, SRV};
    matches!(rtype, NS | MX | SRV | MB | MD | MF | AFSDB | KX)
}

fn add_for<'a>(zone: &'a Zone, response: &mut Response<'a>, arena: &'a Bump, entry: &Entry<'a>) {
    for rdata in entry.data.iter() {
        match entry.rtype {
            rtype::NAPTR => add_naptr(zone, response, rdata),
            rtype::RT => add(zone, response, target(entry.rtype, rdata), ROUTED),
            rtype::LP => add(zone, response, &rdata[2..], LOCATORS),
            rtype::SVCB | rtype::HTTPS => add_service(zone, response, entry, rdata),
            _ => {
                let host = target(entry.rtype, rdata);
                add(zone, response, host, ADDRESSES);
                match entry.rtype {
                    rtype::MX => add_tlsa(zone, response, arena, 25, host),
                    rtype::SRV => {
                        let port = u16::from_be_bytes([rdata[4], rdata[5]]);
                        add_tlsa(zone, response, arena, port, host);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Returns the name that `rdata` points at.
fn target(rtype: u16, rdata: &[u8]) -> &[u8] {
    use rtype::{AFSDB, HTTPS, KX, MX, RT, SRV, SVCB};
    let start = match rtype {
        MX | AFSDB | RT | KX | SVCB | HTTPS => 2,
        SRV => 6,
        _ => 0,
    };
    let end = name::end(rdata, start).expect("a zone's RDATA is well-formed");
    &rdata[start..end]
}

/// Adds the TLSA RRset of the service at `host` (RFC 7671: who connects will ask for it).
fn add_tlsa<'a>(zone: &'a Zone, response: &mut Response<'a>, arena: &'a Bump, port: u16, host: &[u8]) {
    if host == name::ROOT || host.len() > MAX_SERVICE_NAME {
        return;
    }
    let mut octets = [0; name::MAX_NAME];
    let digits = write_decimal(port, &mut octets[2..7]);
    octets[0] = digits as u8 + 1;
    octets[1] = b'_';
    let at = 2 + digits;
    octets[at..at + 5].copy_from_slice(b"\x04_tcp");
    let size = at + 5 + host.len();
    octets[at + 5..size].copy_from_slice(host);
    let name = &octets[..size];
    if let Some((owner, node)) = find(zone, name) {
        for rrset in node.rrsets().filter(|rrset| rrset.rtype() == rtype::TLSA) {
            let owner = owner.unwrap_or_else(|| arena.alloc_slice_copy(name));
            response.add_additional(owner, rrset);
        }
    }
}

/// Writes `number` to the beginning of `out`, which has room for it; returns the number of digits.
fn write_decimal(number: u16, out: &mut [u8]) -> usize {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = number;
    for place in out[..digits].iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    digits
}

/// Follows the terminal flags "S" and "A" (RFC 3403 section 4.1, RFC 2915 section 2).
fn add_naptr<'a>(zone: &'a Zone, response: &mut Response<'a>, rdata: &'a [u8]) {
    let mut at = 4;
    let flags = &rdata[at + 1..at + 1 + usize::from(rdata[at])];
    for _ in 0..3 {
        at += 1 + usize::from(rdata[at]); // flags, services, regexp
    }
    let name = &rdata[at..];
    if flags.eq_ignore_ascii_case(b"s") {
        for (owner, rrset) in found(zone, name, &[rtype::SRV]) {
            response.add_additional(owner, rrset);
            for service in rrset.rdatas() {
                add(zone, response, target(rtype::SRV, service), ADDRESSES);
            }
        }
    } else if flags.eq_ignore_ascii_case(b"a") {
        add(zone, response, name, ADDRESSES);
    }
}

/// Adds the addresses of a SVCB or HTTPS record, through aliases (RFC 9460 section 4.1).
fn add_service<'a>(zone: &'a Zone, response: &mut Response<'a>, entry: &Entry<'a>, rdata: &'a [u8]) {
    let rtype = entry.rtype;
    let mut name = target(rtype, rdata);
    let mut alias = rdata.starts_with(b"\0\0");
    if name == name::ROOT {
        if alias {
            return; // RFC 9460 section 2.5.1: the service does not exist
        }
        name = entry.owner;
    }
    for _ in 0..MAX_ALIASES {
        let mut following = None;
        let both = [rtype, rtype::CNAME];
        let rtypes = if alias { &both[..] } else { &both[1..] };
        for (owner, rrset) in found(zone, name, rtypes) {
            response.add_additional(owner, rrset);
            let first = rrset.first();
            if rrset.rtype() == rtype::CNAME {
                following = Some(first);
            } else {
                alias = first.starts_with(b"\0\0");
                following = Some(target(rtype, first));
            }
        }
        match following {
            Some(next) if next != name::ROOT && !next.eq_ignore_ascii_case(name) => name = next,
            _ => break,
        }
    }
    add(zone, response, name, ADDRESSES);
}

fn add<'a>(zone: &'a Zone, response: &mut Response<'a>, name: &'a [u8], rtypes: &[u16]) {
    let Some((owner, node)) = find(zone, name) else {
        return;
    };
    for rrset in node.rrsets() {
        if rtypes.contains(&rrset.rtype()) {
            response.add_additional(owner.unwrap_or(name), rrset);
        }
    }
}

/// Returns the authoritative RRsets of `rtypes` at `name`, or that a wildcard gives it.
fn found<'a>(zone: &'a Zone, name: &'a [u8], rtypes: &[u16]) -> SmallVec<[(&'a [u8], Rrset<'a>); 4]> {
    let Some((owner, node)) = find(zone, name) else {
        return SmallVec::new();
    };
    let owner = owner.unwrap_or(name);
    node.rrsets().filter(|rrset| rtypes.contains(&rrset.rtype())).map(|rrset| (owner, rrset)).collect()
}

/// Returns the node with the authoritative data of `name`, and the owner name to use where it is not `name`
/// itself: that is for names that a wildcard makes.
fn find<'a>(zone: &'a Zone, name: &[u8]) -> Option<(Option<&'a [u8]>, Node<'a>)> {
    let key = Key::of(name);
    let key = key.octets();
    let (owner, node) = match zone.find(key) {
        Some(node) => (Some(node.owner()), node),
        None if name::is_subdomain(key, zone.key()) => {
            let (encloser, next_closer) = Seek::new(zone, key).finish(zone, key);
            next_closer?;
            let node = encloser.wildcard()?;
            if encloser.rrset(rtype::DNAME).is_some() {
                return None;
            }
            (None, node)
        }
        None => return None,
    };
    node.flags().is_plain().then_some((owner, node))
}

/// Adds the glue of a referral; that of in-domain name servers is required (RFC 9471 section 3).
pub fn add_glue<'a>(zone: &'a Zone, response: &mut Response<'a>, cut: Node<'a>, delegation: Rrset<'a>) {
    let mut sibling: SmallVec<[Node<'a>; 8]> = SmallVec::new();
    let apex = Key::of(cut.owner());
    for server in delegation.rdatas() {
        let key = Key::of(server);
        // `cut` is the topmost cut above all that is below it.
        let is_below = name::is_subdomain(key.octets(), apex.octets());
        let node = if is_below { cut.below(key.octets()) } else { zone.find(key.octets()) };
        let Some(node) = node else {
            continue;
        };
        if !(node.flags().is_cut() || node.flags().is_below_cut()) {
            continue; // authoritative data of ours
        }
        if is_below {
            add_addresses(response, node);
        } else {
            sibling.push(node);
        }
    }
    response.required = response.additional.len();
    for node in sibling {
        add_addresses(response, node);
    }
}

fn add_addresses<'a>(response: &mut Response<'a>, node: Node<'a>) {
    for rrset in node.rrsets().filter(|rrset| ADDRESSES.contains(&rrset.rtype())) {
        response.add_additional(node.owner(), rrset);
    }
}

#[cfg(test)]
mod tests {
    use super::write_decimal;

    #[test]
    fn ports_in_decimal() {
        for port in [0, 7, 25, 443, 5353, 65535] {
            let mut out = [0; 5];
            let digits = write_decimal(port, &mut out);
            assert_eq!(out[..digits], *port.to_string().as_bytes());
        }
    }
}
