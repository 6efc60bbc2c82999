//! What will be answered, before it is octets: the three sections as lists of RRsets.
//!
//! Collecting and encoding are apart, so that duplicates are dropped in one place and truncation is decided
//! in one place ([`super::message`]).

use smallvec::SmallVec;

use super::query::Rcode;
use super::referrals::Cut;
use super::soa::CompressedSoa;
use super::tail::Fitted;
use crate::rtype;
use crate::zone::{Rdatas, Rrset};

/// One RRset of the response. The octets are the zone's, the query's or the arena's.
#[derive(Clone)]
pub struct Entry<'a> {
    pub owner: &'a [u8],
    pub rtype: u16,
    pub ttl: u32,
    pub data: Data<'a>,
}

/// The RDATAs of an entry.
#[derive(Clone)]
pub enum Data<'a> {
    Rrset(Rdatas<'a>),
    One(&'a [u8]),
    /// Of the zone's SOA, and the same compressed.
    Soa(&'a [u8], &'a CompressedSoa),
}

impl<'a> Data<'a> {
    /// Yields the RDATAs in the zone's order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (many, one) = match self {
            Self::Rrset(rdatas) => (Some(rdatas.clone()), None),
            Self::One(rdata) | Self::Soa(rdata, _) => (None, Some(*rdata)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Whether there are several.
    pub fn is_many(&self) -> bool {
        match self {
            Self::Rrset(rdatas) => rdatas.clone().nth(1).is_some(),
            Self::One(_) | Self::Soa(..) => false,
        }
    }
}

/// One RRset to be put into a section, with what signs it.
#[derive(Clone)]
pub struct Addition<'a> {
    pub rtype: u16,
    pub ttl: u32,
    pub data: Data<'a>,
    pub signatures: Option<Rrset<'a>>,
}

impl<'a> From<Rrset<'a>> for Addition<'a> {
    fn from(rrset: Rrset<'a>) -> Self {
        Self {
            rtype: rrset.rtype(),
            ttl: rrset.ttl(),
            data: Data::Rrset(rrset.rdatas()),
            signatures: rrset.signatures(),
        }
    }
}

impl<'a> Addition<'a> {
    /// Returns an unsigned RRset of one record.
    pub fn one(rtype: u16, ttl: u32, rdata: &'a [u8]) -> Self {
        Self { rtype, ttl, data: Data::One(rdata), signatures: None }
    }
}

/// Extended DNS Error codes (RFC 8914 section 4) that are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Ede {
    NotReady = 14,
    Prohibited = 18,
    NotAuthoritative = 20,
    InvalidData = 24,
}

pub type Section<'a> = SmallVec<[Entry<'a>; 8]>;

/// One response being collected.
pub struct Response<'a> {
    pub dnssec_ok: bool,
    pub rcode: Rcode,
    pub authoritative: bool,
    pub ede: Option<Ede>,
    pub answer: Section<'a>,
    pub authority: Section<'a>,
    pub additional: Section<'a>,
    /// The authority section sends the client elsewhere.
    pub referral: bool,
    /// The name of the zone that most names in the response are in; empty where there is none.
    pub origin: &'a [u8],
    /// So many leading RRsets of `additional` are the glue without which the response is of no use (RFC 9471).
    pub required: usize,
    /// What stands in place of the sections, where that is known beforehand.
    pub tail: Option<Fitted<'a>>,
    /// The cut that this is a referral from, if that is not known beforehand and no alias is before it; and of how many
    /// octets its name is, with which the name asked for ends.
    pub cut: Option<(Cut, usize)>,
    present: SmallVec<[Present<'a>; 16]>,
}

/// An RRset that the response has; `mark` is the same for the same owner and type.
#[derive(Clone, Copy)]
struct Present<'a> {
    mark: u64,
    owner: &'a [u8],
}

impl<'a> Response<'a> {
    pub fn new(dnssec_ok: bool) -> Self {
        Self {
            dnssec_ok,
            rcode: Rcode::NoError,
            authoritative: false,
            ede: None,
            answer: SmallVec::new(),
            authority: SmallVec::new(),
            additional: SmallVec::new(),
            referral: false,
            origin: &[],
            required: 0,
            tail: None,
            cut: None,
            present: SmallVec::new(),
        }
    }

    /// Makes this an answer without data: `rcode`, and why.
    pub fn refuse(&mut self, rcode: Rcode, ede: Option<Ede>) {
        self.rcode = rcode;
        self.ede = ede;
    }

    /// Puts an RRset into the answer section, unless the response has it.
    pub fn add_answer(&mut self, owner: &'a [u8], addition: impl Into<Addition<'a>>) {
        let addition = addition.into();
        if self.is_new(owner, addition.rtype) {
            append(&mut self.answer, self.dnssec_ok, owner, addition);
        }
    }

    /// Puts an RRset into the authority section, unless the response has it.
    pub fn add_authority(&mut self, owner: &'a [u8], addition: impl Into<Addition<'a>>) {
        let addition = addition.into();
        if self.is_new(owner, addition.rtype) {
            append(&mut self.authority, self.dnssec_ok, owner, addition);
        }
    }

    /// Puts an RRset into the additional section, unless the response has it.
    pub fn add_additional(&mut self, owner: &'a [u8], addition: impl Into<Addition<'a>>) {
        let addition = addition.into();
        if self.is_new(owner, addition.rtype) {
            append(&mut self.additional, self.dnssec_ok, owner, addition);
        }
    }

    /// Puts signatures into the answer section as data, without what they cover.
    pub fn add_signatures(&mut self, owner: &'a [u8], signatures: Rrset<'a>) {
        append(&mut self.answer, false, owner, signatures.into());
    }

    fn is_new(&mut self, owner: &'a [u8], rtype: u16) -> bool {
        let mark = mark(owner, rtype);
        let has = |known: &Present<'a>| known.mark == mark && known.owner.eq_ignore_ascii_case(owner);
        if self.present.iter().any(has) {
            return false;
        }
        self.present.push(Present { mark, owner });
        true
    }
}

fn append<'a>(section: &mut Section<'a>, dnssec_ok: bool, owner: &'a [u8], addition: Addition<'a>) {
    let Addition { rtype, ttl, data, signatures } = addition;
    section.push(Entry { owner, rtype, ttl, data });
    if let Some(signatures) = signatures
        && dnssec_ok
    {
        let data = Data::Rrset(signatures.rdatas());
        section.push(Entry { owner, rtype: rtype::RRSIG, ttl: signatures.ttl(), data });
    }
}

/// The type in the lowest 16 bits, and above it what the owner's first octets and its size make, whatever the case: 0x20,
/// in which capitals differ from small letters, is set in each octet. That others fall together is checked for.
#[inline]
fn mark(owner: &[u8], rtype: u16) -> u64 {
    const CASE: u64 = 0x2020_2020_2020_2020;
    let first = match owner.first_chunk() {
        Some(first) => u64::from_le_bytes(*first),
        None => owner.iter().fold(0, |octets, octet| octets << 8 | u64::from(*octet)),
    };
    let mixed = ((first | CASE) ^ (owner.len() as u64) << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed & !0xFFFF | u64::from(rtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rrset_is_there_once_whatever_the_case() {
        let mut response = Response::new(true);
        response.add_answer(b"\x03Www\x07example\0", Addition::one(rtype::A, 1, b"1234"));
        response.add_authority(b"\x03www\x07EXAMPLE\0", Addition::one(rtype::A, 1, b"1234"));
        response.add_additional(b"\x03www\x07EXAMPLE\0", Addition::one(rtype::AAAA, 1, b"1234"));
        response.add_additional(b"\x03wwx\x07EXAMPLE\0", Addition::one(rtype::A, 1, b"1234"));
        assert_eq!((response.answer.len(), response.authority.len(), response.additional.len()), (1, 0, 2));
    }
}
