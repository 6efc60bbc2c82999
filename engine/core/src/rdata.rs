//! What the store itself has to know of RDATA; all of it is valid uncompressed wire form.

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
