//! Checks of the DNSSEC records at a signed zone's apex and of the DS records that it publishes.

use crate::rtype;
use crate::zone::{MAX_NSEC3_ITERATIONS, Node, Rrset};

fn is_retired_algorithm(algorithm: u8) -> bool {
    matches!(algorithm, 1 | 3 | 5 | 6 | 7 | 12)
}

fn is_retired_digest(digest: u8) -> bool {
    matches!(digest, 1 | 3)
}

/// Whether a DS RRset has a digest type or an algorithm that is not used any more.
pub fn has_retired_ds(rrset: &Rrset<'_>) -> bool {
    rrset.rdatas().any(|rdata| is_retired_digest(at(rdata, 3)) || is_retired_algorithm(at(rdata, 2)))
}

fn at(rdata: &[u8], at: usize) -> u8 {
    rdata.get(at).copied().unwrap_or(0)
}

/// Looks at DNSKEY, NSEC3PARAM, CDS and CDNSKEY at the apex.
pub fn apex(apex: Node<'_>) -> Option<&'static str> {
    let mut algorithms = [false; 256];
    for rdata in apex.rrset(rtype::DNSKEY).iter().flat_map(Rrset::rdatas) {
        let algorithm = at(rdata, 3);
        algorithms[algorithm as usize] = true;
        let is_rsa = matches!(algorithm, 8 | 10);
        if is_retired_algorithm(algorithm) || (is_rsa && rdata.get(4..6) == Some(b"\x01\x03")) {
            return Some("a deprecated or weak DNSKEY");
        }
    }
    for rdata in apex.rrset(rtype::NSEC3PARAM).iter().flat_map(Rrset::rdatas) {
        let iterations = u16::from_be_bytes([at(rdata, 2), at(rdata, 3)]);
        if at(rdata, 0) != 1 || iterations > MAX_NSEC3_ITERATIONS {
            return Some("NSEC3PARAM");
        }
    }
    for (rtype, algorithm_at, delete) in
        [(rtype::CDS, 2, b"\0\0\0\0\0"), (rtype::CDNSKEY, 3, b"\0\0\x03\0\0")]
    {
        let Some(wishes) = apex.rrset(rtype) else { continue };
        for rdata in wishes.rdatas() {
            let fits = match rdata == delete {
                true => wishes.len() == 1,
                false => algorithms[at(rdata, algorithm_at) as usize],
            };
            if !fits || (rtype == rtype::CDS && is_retired_digest(at(rdata, 3))) {
                return Some("CDS or CDNSKEY");
            }
        }
    }
    None
}
