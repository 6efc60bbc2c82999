//! What the store itself has to know of RDATA; all of it is valid uncompressed wire form.

use crate::name::{self, MAX_NAME};
use crate::rtype;

/// Returns the type that RRSIG RDATA covers (RFC 4034 section 3.1.1), 0 for every other type.
#[inline]
pub fn covers(rtype: u16, rdata: &[u8]) -> u16 {
    match (rtype, rdata) {
        (rtype::RRSIG, [high, low, ..]) => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}

/// Returns from which octet on `rdata` is names whose case does not matter (RFC 4343), its length if none.
pub fn folded_from(rtype: u16, rdata: &[u8]) -> usize {
    match rtype {
        rtype::NS | rtype::CNAME | rtype::PTR | rtype::DNAME | rtype::MB | rtype::MG | rtype::MR => 0,
        rtype::RP | rtype::MINFO => 0,
        rtype::MX | rtype::AFSDB | rtype::RT | rtype::KX | rtype::PX => rdata.len().min(2),
        rtype::SRV => rdata.len().min(6),
        rtype::NAPTR => {
            let mut at = 4;
            for _ in 0..3 {
                // flags, services, expression
                at += 1 + rdata.get(at).copied().unwrap_or(0) as usize;
            }
            at.min(rdata.len())
        }
        _ => rdata.len(),
    }
}

/// Returns whether two RDATAs of one RRset are the same record.
pub fn same(rtype: u16, left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let from = folded_from(rtype, left);
    left[..from] == right[..from] && left[from..].eq_ignore_ascii_case(&right[from..])
}

/// Returns the serial in SOA RDATA: the first of the five numbers that it ends with.
pub fn soa_serial(rdata: &[u8]) -> u32 {
    let numbers =
        rdata.last_chunk::<20>().map_or(&[0; 4], |numbers| numbers.first_chunk().unwrap_or(&[0; 4]));
    u32::from_be_bytes(*numbers)
}

/// Returns whether `octets` are valid RDATA of class IN without compressed names: what `bindpy.zone.rdata` takes of
/// the usual types. `None` where it has to say.
pub fn is_valid(rtype: u16, octets: &[u8]) -> Option<bool> {
    Some(match rtype {
        rtype::NS | rtype::CNAME | rtype::PTR => plain_name_end(octets, 0) == Some(octets.len()),
        rtype::MX => plain_name_end(octets, 2) == Some(octets.len()),
        rtype::SRV => plain_name_end(octets, 6) == Some(octets.len()),
        rtype::SOA => {
            let rname = plain_name_end(octets, 0)?;
            plain_name_end(octets, rname) == octets.len().checked_sub(20)
        }
        rtype::A => octets.len() == 4,
        rtype::AAAA => octets.len() == 16,
        rtype::TXT => is_strings(octets),
        rtype::DNAME => plain_name_end(octets, 0) == Some(octets.len()),
        rtype::DS => {
            let digest = match octets.get(3) {
                Some(1) => 20,
                Some(2) => 32,
                Some(4) => 48,
                _ => return None,
            };
            octets.len() == 4 + digest
        }
        rtype::DNSKEY => octets.len() > 4,
        rtype::RRSIG => plain_name_end(octets, 18).is_some_and(|signer| {
            signer < octets.len() && name::label_count(&octets[18..signer]) <= octets[3] as usize
        }),
        rtype::NSEC => {
            let bitmap = plain_name_end(octets, 0)?;
            bitmap < octets.len() && is_bitmap(&octets[bitmap..])
        }
        rtype::NSEC3 => {
            let hash_at = 5 + *octets.get(4)? as usize;
            let hash = *octets.get(hash_at)? as usize;
            let right = hash > 0 && (octets[0] != 1 || hash == 20);
            right && is_bitmap(octets.get(hash_at + 1 + hash..)?)
        }
        rtype::TLSA | rtype::SMIMEA => octets.len() > 3,
        rtype::CAA => {
            let tag = *octets.get(1)? as usize;
            tag > 0 && octets.get(2..2 + tag)?.iter().all(u8::is_ascii_alphanumeric)
        }
        _ => return None,
    })
}

/// Returns where the name at `at` ends, which may not be compressed.
fn plain_name_end(octets: &[u8], at: usize) -> Option<usize> {
    name::end(octets, at).filter(|end| end - at <= MAX_NAME)
}

fn is_strings(octets: &[u8]) -> bool {
    let mut at = 0;
    while at < octets.len() {
        at += 1 + octets[at] as usize;
    }
    at == octets.len() && at > 0
}

/// Whether `octets` are type bit maps (RFC 4034 section 4.1.2), or none.
fn is_bitmap(mut octets: &[u8]) -> bool {
    let mut last_window = None;
    while let [window, size, rest @ ..] = octets {
        let Some((bits, rest)) = rest.split_at_checked(*size as usize) else { return false };
        if last_window.is_some_and(|last| *window <= last) || !(1..=32).contains(size) || bits.ends_with(&[0])
        {
            return false;
        }
        last_window = Some(*window);
        octets = rest;
    }
    octets.is_empty()
}
