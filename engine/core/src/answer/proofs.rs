//! Denials of existence for clients that set DO: which NSEC or NSEC3 records a response needs.
//!
//! RFC 4035 section 3.1.3 for NSEC, RFC 5155 section 7.2 for NSEC3. Each function adds to the authority
//! section, and does nothing for a zone without a usable chain. In NSEC3 an *encloser* may itself have no
//! matching record, because of Opt-Out: then the closest one above it that has is proven instead.

use smallvec::SmallVec;

use super::published::Served;
use super::response::{Data, Entry, Response};
use crate::name::MAX_NAME;
use crate::rtype;
use crate::zone::{Denial, Node, Nsec3Params, Zone};

/// A name in lower case, on the stack; with room for an asterisk label before a name of full length.
pub struct Key(SmallVec<[u8; MAX_NAME + 2]>);

impl Key {
    /// Returns the key of `name`.
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        let mut key = SmallVec::from_slice(name);
        key.make_ascii_lowercase();
        Self(key)
    }

    /// Returns the key of the asterisk label below `name`.
    fn of_wildcard_below(name: &[u8]) -> Self {
        let mut key = SmallVec::from_slice(b"\x01*");
        key.extend_from_slice(name);
        key.make_ascii_lowercase();
        Self(key)
    }

    #[inline]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

/// Proves that `key` does not exist, and that no wildcard would have matched it.
///
/// The owner of the NSEC that covers `key`, or of the NSEC3 that covers `next_closer`, may be known as `denier`.
pub fn deny_name<'a>(
    zone: &'a Zone,
    response: &mut Response<'a>,
    key: &[u8],
    encloser: Node<'a>,
    next_closer: &[u8],
    denier: Option<Node<'a>>,
) {
    match zone.denial() {
        Denial::None => {}
        Denial::Nsec => {
            add(response, denier.or_else(|| zone.nsec_covering(key)), rtype::NSEC);
            if encloser.is_apex() {
                add(response, zone.denying_apex_wildcard(), rtype::NSEC);
            } else {
                add_nsec_covering(zone, response, Key::of_wildcard_below(encloser.owner()).octets());
            }
        }
        Denial::Nsec3(params) => {
            let proven = prove_encloser(zone, params, response, encloser, Some(next_closer), denier);
            if proven.is_apex() {
                add(response, zone.denying_apex_wildcard(), rtype::NSEC3);
            } else {
                let wildcard = Key::of_wildcard_below(proven.owner());
                add_nsec3_covering(zone, params, response, wildcard.octets());
            }
        }
    }
}

/// Proves that the existing `node`, perhaps an empty non-terminal, has no RRset of the type asked for.
pub fn deny_type<'a>(zone: &'a Zone, response: &mut Response<'a>, node: Node<'a>) {
    match zone.denial() {
        Denial::None => {}
        Denial::Nsec if node.rrset(rtype::NSEC).is_some() => add(response, Some(node), rtype::NSEC),
        Denial::Nsec => add_nsec_covering(zone, response, Key::of(node.owner()).octets()),
        Denial::Nsec3(params) => {
            if let Some(owner) = node.nsec3() {
                add(response, Some(owner), rtype::NSEC3);
            } else {
                prove_encloser(zone, params, response, node, None, None);
            }
        }
    }
}

/// Proves that `key` does not exist and that `wildcard`, the child of `encloser`, has no RRset of the type.
pub fn deny_wildcard_type<'a>(
    zone: &'a Zone,
    response: &mut Response<'a>,
    key: &[u8],
    encloser: Node<'a>,
    wildcard: Node<'a>,
    next_closer: &[u8],
) {
    match zone.denial() {
        Denial::None => {}
        Denial::Nsec => {
            add_nsec_covering(zone, response, key);
            deny_type(zone, response, wildcard);
        }
        Denial::Nsec3(params) => {
            prove_encloser(zone, params, response, encloser, Some(next_closer), None);
            add(response, wildcard.nsec3(), rtype::NSEC3);
        }
    }
}

/// Proves that the wildcard which answered was the closest match for `key`.
pub fn prove_expansion<'a>(zone: &'a Zone, response: &mut Response<'a>, key: &[u8], next_closer: &[u8]) {
    match zone.denial() {
        Denial::None => {}
        Denial::Nsec => add_nsec_covering(zone, response, key),
        Denial::Nsec3(params) => add_nsec3_covering(zone, params, response, next_closer),
    }
}

/// Proves the closest provable encloser at or above `encloser` (RFC 5155 section 7.2.1); returns it.
///
/// `denier` is the owner of the NSEC3 that covers `next_closer`, where that is known.
fn prove_encloser<'a>(
    zone: &'a Zone,
    params: &Nsec3Params,
    response: &mut Response<'a>,
    encloser: Node<'a>,
    next_closer: Option<&[u8]>,
    denier: Option<Node<'a>>,
) -> Node<'a> {
    let mut node = encloser;
    let mut matching = node.nsec3();
    let mut climbed = None;
    while matching.is_none() && !node.is_apex() {
        let key = Key::of(node.owner());
        let above = key.octets().get(1 + usize::from(key.octets()[0])..);
        node = above.and_then(|above| zone.find(above)).expect("all names up to the apex exist");
        matching = node.nsec3();
        climbed = Some(key);
    }
    add(response, matching, rtype::NSEC3);
    match (&climbed, next_closer) {
        (Some(climbed), _) => add_nsec3_covering(zone, params, response, climbed.octets()),
        (None, Some(_)) if denier.is_some() => add(response, denier, rtype::NSEC3),
        (None, Some(next_closer)) => add_nsec3_covering(zone, params, response, next_closer),
        (None, None) => {}
    }
    node
}

fn add_nsec_covering<'a>(zone: &'a Zone, response: &mut Response<'a>, key: &[u8]) {
    add(response, zone.nsec_covering(key), rtype::NSEC);
}

fn add_nsec3_covering<'a>(zone: &'a Zone, params: &Nsec3Params, response: &mut Response<'a>, key: &[u8]) {
    add(response, zone.nsec3_covering(&params.hash(key)), rtype::NSEC3);
}

/// Puts the SOA of `zone`, which is the zone served, into the authority section (RFC 2308 section 3).
pub fn add_soa<'a>(served: &'a Served, zone: &'a Zone, response: &mut Response<'a>) {
    let (owner, soa) = (zone.origin(), zone.soa());
    let data = Data::Soa(soa.first(), served.compressed_soa(zone));
    response.authority.push(Entry { owner, rtype: rtype::SOA, ttl: served.negative_ttl, data });
    if let Some(signatures) = soa.signatures()
        && response.dnssec_ok
    {
        let data = Data::Rrset(signatures.rdatas());
        let ttl = served.negative_signatures_ttl;
        response.authority.push(Entry { owner, rtype: rtype::RRSIG, ttl, data });
    }
}

/// Puts the NSEC or NSEC3 of `owner` into the authority section, if there is one.
pub fn add<'a>(response: &mut Response<'a>, owner: Option<Node<'a>>, rtype: u16) {
    if let Some(owner) = owner
        && let Some(rrset) = owner.rrset(rtype)
    {
        response.add_authority(owner.owner(), rrset);
    }
}
