//! A digest of a zone's records that does not depend on their order; the same as `bindpy.zone.digest`'s.

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest};

use super::Zone;
use crate::name::MAX_NAME;

/// Type, class, TTL and RDLENGTH of a record in wire form.
const FIXED_OCTETS: u64 = 10;

/// The sum of the records' hashes modulo 2^128, and their size in wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneDigest {
    /// The sum.
    pub value: u128,
    /// The octets.
    pub octets: u64,
}

impl Zone {
    /// Returns the digest of the zone's data.
    pub fn digest(&self) -> ZoneDigest {
        let mut digest = ZoneDigest { value: 0, octets: 0 };
        for node in self.nodes() {
            let mut lower = [0; MAX_NAME];
            let key = &mut lower[..node.owner().len()];
            key.copy_from_slice(node.owner());
            key.make_ascii_lowercase();
            for rrset in node.rrsets() {
                let head = Blake2b::<U16>::new()
                    .chain_update(&*key)
                    .chain_update(rrset.rtype().to_be_bytes())
                    .chain_update(rrset.ttl().to_be_bytes());
                for rdata in rrset.rdatas() {
                    let hash: [u8; 16] = head.clone().chain_update(rdata).finalize().into();
                    digest.value = digest.value.wrapping_add(u128::from_be_bytes(hash));
                    digest.octets += key.len() as u64 + FIXED_OCTETS + rdata.len() as u64;
                }
            }
        }
        digest
    }
}
