//! The SOA record of negative answers, compressed beforehand.
//!
//! In nearly all of them it is the first record, and its names end in pointers to the same places: into the zone's name
//! in the question, or into each other. Only where these are in the message differs.

use super::dictionary::{POINTER, Place};
use super::message::compress_soa;
use super::query::HEADER;
use super::tail::label_above;
use crate::name;

/// The RDATA of a zone's SOA as it stands behind a question for a name of the zone.
pub struct CompressedSoa {
    octets: Vec<u8>,
    /// Where in `octets` pointers are, and what they point at.
    pointers: Vec<(usize, Target)>,
    /// Where names stand, their offsets counted from where the RDATA begins.
    places: Vec<Place>,
    /// The labels, with their length octets, that names in it have right above the zone's name: with one of them there,
    /// a question may hold more of these names than that.
    labels: Vec<Box<[u8]>>,
}

/// What a pointer points at: so many octets behind the beginning of the zone's name, or of the RDATA.
#[derive(Clone, Copy)]
enum Target {
    Zone(usize),
    Rdata(usize),
}

impl CompressedSoa {
    /// Compresses `rdata`, of the SOA of the zone `origin`.
    pub fn new(origin: &[u8], rdata: &[u8]) -> Self {
        let (octets, start, mut places) = compress_soa(origin, rdata);
        for place in &mut places {
            place.offset -= start as u16;
        }
        let (mut pointers, mut at) = (Vec::new(), 0);
        for _ in 0..2 {
            while octets[at] != 0 && octets[at] < 0xC0 {
                at += 1 + usize::from(octets[at]);
            }
            if octets[at] == 0 {
                at += 1;
                continue;
            }
            let place = usize::from(u16::from_be_bytes([octets[at], octets[at + 1]]) & !POINTER);
            let target =
                place.checked_sub(start).map_or(Target::Zone(place.wrapping_sub(HEADER)), Target::Rdata);
            pointers.push((at, target));
            at += 2;
        }
        let mut labels = Vec::new();
        let mut rest = rdata;
        for _ in 0..2 {
            let (name, behind) = rest.split_at(name::end(rest, 0).expect("a zone's RDATA is well-formed"));
            labels.extend(label_above(name, origin).map(Box::from));
            rest = behind;
        }
        Self { octets, pointers, places, labels }
    }

    /// Returns whether it is what compression makes right behind a question for `qname`, which ends in `origin`, the
    /// name of the zone: not where that question may hold more of its names.
    #[inline]
    pub fn fits_behind(&self, qname: &[u8], origin: &[u8]) -> bool {
        let shares = |label: &[u8]| self.labels.iter().any(|known| **known == *label);
        !label_above(qname, origin).is_some_and(shares)
    }

    /// Returns the number of its octets.
    pub fn size(&self) -> usize {
        self.octets.len()
    }

    /// Writes it to the end of `out`, a message in which the zone's name stands at `zone`.
    pub fn write(&self, out: &mut Vec<u8>, zone: u16) {
        let start = out.len();
        out.extend_from_slice(&self.octets);
        for &(at, target) in &self.pointers {
            let place = match target {
                Target::Zone(behind) => usize::from(zone) + behind,
                Target::Rdata(behind) => start + behind,
            };
            out[start + at..start + at + 2].copy_from_slice(&(POINTER | place as u16).to_be_bytes());
        }
    }

    /// Yields where names stand in a message in which this begins at `start`.
    pub fn places(&self, start: usize) -> impl Iterator<Item = Place> {
        self.places.iter().copied().map(move |mut place| {
            place.offset += start as u16;
            place
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::dictionary::Names;
    use super::super::message::{Extras, encode};
    use super::super::query::parse;
    use super::super::response::{Data, Entry, Response};
    use super::*;
    use crate::rtype;

    const ORIGIN: &[u8] = b"\x01z\x04test\0";

    fn entry<'a>(owner: &'a [u8], rtype: u16, data: Data<'a>) -> Entry<'a> {
        Entry { owner, rtype, ttl: 5, data }
    }

    /// Returns a negative answer with proofs whose names can be pointed from into the SOA.
    fn message(qname: &[u8], before: Option<&[u8]>, soa: Data<'_>, limit: usize) -> Vec<u8> {
        let (mut out, mut names) = (Vec::new(), Names::default());
        let packet = [&[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], qname, &[0, 1, 0, 1]].concat();
        let query = parse(&packet).unwrap();
        let mut response = Response::new(true);
        response.origin = ORIGIN;
        response.answer.extend(before.map(|target| entry(qname, rtype::CNAME, Data::One(target))));
        response.authority.push(entry(ORIGIN, rtype::SOA, soa));
        for owner in
            [&b"\x03ns1\x01z\x04test\0"[..], b"\x01x\x04host\x01z\x04test\0", b"\x04MAIL\x01z\x04test\0"]
        {
            response.authority.push(entry(owner, rtype::NSEC, Data::One(b"\0\0\x01\x40")));
        }
        let extras = Extras { edns_octets: 1232, nsid: None };
        encode(&query, &response, limit, &extras, &mut names, &mut out);
        drop(response); // what it borrows of `out`
        out
    }

    #[test]
    fn compressed_beforehand_or_then_it_is_the_same() {
        let primaries: [&[u8]; 5] = [
            b"\x03ns1\x01z\x04test\0",
            ORIGIN,
            b"\0",
            b"\x03ns1\x05other\x04test\0",
            b"\x03ns1\x01Z\x04test\0",
        ];
        let mailboxes: [&[u8]; 4] =
            [b"\x04host\x01z\x04test\0", b"\x01h\x03ns1\x01z\x04test\0", b"\0", b"\x04host\x03net\0"];
        let qnames: [&[u8]; 7] = [
            ORIGIN,
            b"\x01x\x01z\x04test\0",
            b"\x03ns1\x01z\x04test\0",
            b"\x01h\x03ns1\x01z\x04test\0",
            b"\x03NS1\x01z\x04test\0",
            b"\x01x\x04host\x01z\x04test\0",
            b"\x01x\x01z\x04TEST\0",
        ];
        for (primary, mailbox) in
            primaries.iter().flat_map(|one| mailboxes.iter().map(move |other| (one, other)))
        {
            let rdata = [primary, *mailbox, &[7; 20]].concat();
            let soa = CompressedSoa::new(ORIGIN, &rdata);
            for qname in qnames {
                for (before, limit) in [(None, 512), (Some(ORIGIN), 512), (None, 60), (None, 90)] {
                    let prepared = message(qname, before, Data::Soa(&rdata, &soa), limit);
                    let plain = message(qname, before, Data::One(&rdata), limit);
                    assert_eq!(prepared, plain, "{rdata:?} behind {qname:?}");
                }
            }
        }
    }
}
