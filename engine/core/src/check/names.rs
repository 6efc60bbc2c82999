//! What `check-names` asks of names: host names and mail addresses (RFC 952, RFC 1123 section 2.1).

use crate::name::{self, is_subdomain, is_wildcard, labels};
use crate::rtype;
use crate::zone::Rrset;

/// Whether owners of `rtype` must be host names.
pub fn is_host_owner_type(rtype: u16) -> bool {
    matches!(rtype, rtype::A | rtype::AAAA | rtype::MX | rtype::WKS | rtype::A6)
}

fn is_host_label(label: &[u8]) -> bool {
    let (Some(first), Some(last)) = (label.first(), label.last()) else { return false };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && label.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-')
}

/// Whether all labels are letters, digits and inner hyphens, or there are none.
pub fn is_host_name(name: &[u8]) -> bool {
    labels(name).all(is_host_label)
}

/// Whether `name` is a mail address: a printable local part before a host name, or the root.
fn is_mailbox(name: &[u8]) -> bool {
    match labels(name).next() {
        None => true,
        Some(local) => {
            local.iter().all(|octet| (0x21..=0x7e).contains(octet)) && is_host_name(&name[1 + local.len()..])
        }
    }
}

/// Whether `key` may own an RRset of `rtype`, one that [`is_host_owner_type`] knows.
///
/// Addresses may also stand at `gc._msdcs` (Active Directory), and A records at and below `_spf`, `_spf_rate`
/// and `_spf_verify` (the targets of SPF's macros).
pub fn is_good_owner(key: &[u8], rtype: u16) -> bool {
    if is_host_name(if is_wildcard(key) { &key[2..] } else { key }) {
        return true;
    }
    if !matches!(rtype, rtype::A | rtype::AAAA) {
        return false;
    }
    let is_spf = |label: &[u8]| matches!(label, b"_spf" | b"_spf_rate" | b"_spf_verify");
    key.starts_with(b"\x02gc\x06_msdcs") || (rtype == rtype::A && labels(key).any(is_spf))
}

/// Whether the leftmost label is unpadded base32hex of whole octets (RFC 5155 section 3).
pub fn is_nsec3_owner(key: &[u8]) -> bool {
    let Some(label) = labels(key).next() else { return false };
    let digit = |octet: u8| char::from(octet).to_digit(32);
    let unused_bits = 5 * label.len() % 8;
    let last = label.last().and_then(|&octet| digit(octet)).unwrap_or(1);
    label.iter().all(|&octet| digit(octet).is_some())
        && unused_bits < 5
        && last & ((1 << unused_bits) - 1) == 0
}

fn is_reverse(key: &[u8]) -> bool {
    let trees: [&[u8]; 3] = [b"\x07in-addr\x04arpa\0", b"\x03ip6\x04arpa\0", b"\x03ip6\x03int\0"];
    trees.iter().any(|tree| is_subdomain(key, tree))
}

/// Whether a name in an RRset at `owner`, a key, is not the host name or mail address that it should be.
pub fn has_bad_name(rtype: u16, rrset: &Rrset<'_>, owner: &[u8]) -> bool {
    let first_name_at = match rtype {
        rtype::NS | rtype::SOA | rtype::RP | rtype::MINFO => 0,
        rtype::PTR if is_reverse(owner) => 0,
        rtype::MX | rtype::RT | rtype::AFSDB | rtype::SVCB | rtype::HTTPS => 2,
        rtype::SRV => 6,
        rtype::A6 => return true, // far too rare to be looked at here
        _ => return false,
    };
    !rrset.rdatas().all(|rdata| {
        let Some(end) = name::end(rdata, first_name_at) else { return false };
        let first = &rdata[first_name_at..end];
        let second = || name::end(rdata, end).is_some_and(|second| is_mailbox(&rdata[end..second]));
        match rtype {
            rtype::SOA => is_host_name(first) && second(),
            rtype::RP => is_mailbox(first),
            rtype::MINFO => is_mailbox(first) && second(),
            // an alias may point at any name
            rtype::SVCB | rtype::HTTPS if rdata.starts_with(b"\0\0") => true,
            _ => is_host_name(first),
        }
    })
}
