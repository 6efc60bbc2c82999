//! Proofs that something does not exist: how the zone's NSEC or NSEC3 chain is recognised and hashed.

use sha1::{Digest, Sha1};

use crate::name::{self, MAX_NAME};

/// Chains with more iterations are not used: each denied name would cost that many hashes, three times
/// (RFC 9276).
pub const MAX_NSEC3_ITERATIONS: u16 = 150;

const SHA1: u8 = 1;
pub(super) const HASH: usize = 20;
/// Digits of a hash in base32hex.
const DIGITS: usize = 32;

/// How a zone proves that something does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It does not.
    None,
    /// By NSEC records (RFC 4034).
    Nsec,
    /// By a chain of NSEC3 records (RFC 5155).
    Nsec3(Nsec3Params),
}

/// What NSEC3 hashes are made with (RFC 5155 section 4); the algorithm is SHA-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nsec3Params {
    /// Additional times that the hash is applied.
    pub iterations: u16,
    /// Appended to what is hashed.
    pub salt: Box<[u8]>,
}

impl Nsec3Params {
    /// Returns the parameters that NSEC3PARAM RDATA announces, `None` where they cannot be used.
    fn usable(rdata: &[u8]) -> Option<Self> {
        let [algorithm, flags, high, low, salt_octets, salt @ ..] = rdata else { return None };
        let iterations = u16::from_be_bytes([*high, *low]);
        // RFC 5155 section 4.1.2: a NSEC3PARAM with any flag set is to be ignored.
        let usable = *algorithm == SHA1 && *flags == 0 && iterations <= MAX_NSEC3_ITERATIONS;
        (usable && salt.len() == *salt_octets as usize).then(|| Nsec3Params { iterations, salt: salt.into() })
    }

    /// Returns the hashed owner name of `key` (RFC 5155 section 5).
    pub fn hash(&self, key: &[u8]) -> [u8; HASH] {
        let digest = |octets: &[u8]| Sha1::new().chain_update(octets).chain_update(&self.salt).finalize();
        let mut hash = digest(key);
        for _ in 0..self.iterations {
            hash = digest(&hash);
        }
        hash.into()
    }

    /// Whether NSEC3 RDATA has these parameters; the flags, which hold Opt-Out, aside.
    pub(super) fn fits(&self, rdata: &[u8]) -> bool {
        let [_, _, high, low, salt_octets, rest @ ..] = rdata else { return false };
        u16::from_be_bytes([*high, *low]) == self.iterations
            && *salt_octets as usize == self.salt.len()
            && rest.starts_with(&self.salt)
    }
}

impl Denial {
    /// Whether an owner of NSEC3 `rdata` is part of the zone's chain. `apex_octets` is the size of the zone's
    /// name.
    pub(super) fn has_in_chain(&self, owner: &[u8], apex_octets: usize, rdata: &[u8]) -> bool {
        match self {
            Denial::Nsec3(params) => is_hashed(owner, apex_octets) && params.fits(rdata),
            _ => false,
        }
    }
}

/// Returns how the zone `apex` (a key) denies, given whether it has an NSEC there, the NSEC3PARAM RDATAs there
/// and a way to look up the first NSEC3 RDATA at an owner.
pub(super) fn choose<'a>(
    apex: &[u8],
    has_nsec: bool,
    params: impl Iterator<Item = &'a [u8]>,
    nsec3_at: impl Fn(&[u8]) -> Option<&'a [u8]>,
) -> Denial {
    if has_nsec {
        return Denial::Nsec;
    }
    for params in params.filter_map(Nsec3Params::usable) {
        let mut owner = [0; MAX_NAME];
        let owner = hashed_owner(&params.hash(apex), apex, &mut owner);
        if owner.and_then(&nsec3_at).is_some_and(|rdata| params.fits(rdata)) {
            return Denial::Nsec3(params);
        }
    }
    Denial::None
}

/// Returns the digits of `hash` in base32hex, in lower case.
pub(super) fn digits(hash: &[u8; HASH]) -> [u8; DIGITS] {
    let mut out = [0; DIGITS];
    for (five, digits) in hash.chunks_exact(5).zip(out.chunks_exact_mut(8)) {
        let bits = five.iter().fold(0u64, |bits, &octet| bits << 8 | u64::from(octet));
        for (i, digit) in digits.iter_mut().enumerate() {
            *digit = b"0123456789abcdefghijklmnopqrstuv"[(bits >> (35 - 5 * i)) as usize & 31];
        }
    }
    out
}

/// Writes the name of the NSEC3 for `hash` in the zone `apex` (a key); `None` where that is too long.
pub(super) fn hashed_owner<'a>(
    hash: &[u8; HASH],
    apex: &[u8],
    out: &'a mut [u8; MAX_NAME],
) -> Option<&'a [u8]> {
    let size = 1 + DIGITS + apex.len();
    let owner = out.get_mut(..size)?;
    owner[0] = DIGITS as u8;
    owner[1..=DIGITS].copy_from_slice(&digits(hash));
    owner[1 + DIGITS..].copy_from_slice(apex);
    Some(owner)
}

/// Whether `owner` is a hash directly below the apex (RFC 5155 section 3).
fn is_hashed(owner: &[u8], apex_octets: usize) -> bool {
    owner.len() == 1 + DIGITS + apex_octets
        && owner[0] as usize == DIGITS
        && owner[1..=DIGITS].iter().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'v' | b'A'..=b'V'))
        && name::end(owner, 0) == Some(owner.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_rfc_5155_appendix_a() {
        let params = Nsec3Params::usable(b"\x01\0\0\x0c\x04\xaa\xbb\xcc\xdd").unwrap();
        let mut out = [0; MAX_NAME];
        let owner = hashed_owner(&params.hash(b"\x07example\0"), b"\x07example\0", &mut out).unwrap();
        assert_eq!(owner, b"\x200p9mhaveqvm6t7vbl5lop2u3t2rp3tom\x07example\0");
        assert!(is_hashed(owner, 9));
        assert!(Nsec3Params::usable(b"\x01\x01\0\x0c\0").is_none());
        assert!(Nsec3Params::usable(b"\x01\0\0\xff\0").is_none());
    }
}
