//! The signed denial of names right below a zone's apex: most of it is the same for all of them.
//!
//! That is the SOA, for NSEC3 what matches the apex, and what denies the apex's wildcard. What denies the name itself
//! stands between.

use smallvec::SmallVec;

use super::message::write_behind;
use super::proofs::{add, add_soa};
use super::published::Served;
use super::query::HEADER;
use super::response::Response;
use super::tail::{Between, Fitted, Tail};
use crate::rtype;
use crate::zone::{Denial, Node, Zone};

/// What the denials of a zone have in common.
pub struct Denials {
    tail: Tail,
    /// NSEC or NSEC3.
    rtype: u16,
    /// The numbers of the nodes that own those which are in the tail.
    owners: SmallVec<[u32; 2]>,
}

impl Denials {
    /// Returns those of `zone`, which is the zone served; `None` where it has no chain, or its names are odd.
    pub fn new(served: &Served, zone: &Zone) -> Option<Self> {
        let (rtype, matching) = match zone.denial() {
            Denial::None => return None,
            Denial::Nsec => (rtype::NSEC, None),
            Denial::Nsec3(_) => (rtype::NSEC3, Some(zone.apex().nsec3()?)),
        };
        let wildcard = zone.denying_apex_wildcard()?;
        let origin = zone.origin();
        let mut response = Response::new(true);
        add_soa(served, zone, &mut response);
        add(&mut response, matching, rtype);
        let before = response.authority.len();
        add(&mut response, Some(wildcard), rtype);
        let (front, _) = write_behind(origin, &response.authority[..before]);
        let (whole, records) = write_behind(origin, &response.authority);
        let question_end = HEADER + origin.len() + 4;
        let tail = Tail::of(&whole, question_end, origin, front.len(), (records, 0))?;
        let owners = matching.iter().chain([&wildcard]).map(Node::id).collect();
        Some(Self { tail, rtype, owners })
    }

    /// Returns what denies `qname`, whose closest encloser is the apex of `zone`, which these are of, by records of the
    /// node `denier`; `None` where that is not so easy, or has more than `room` octets.
    #[inline]
    pub fn of<'a>(
        &'a self,
        zone: &'a Zone,
        qname: &[u8],
        denier: Node<'a>,
        room: usize,
    ) -> Option<Fitted<'a>> {
        if self.owners.contains(&denier.id()) {
            return None;
        }
        let origin = zone.origin();
        let anchor = self.tail.anchor_in(qname, origin)?;
        let between = Between::of(denier, self.rtype, origin, qname, &self.tail)?;
        Fitted::new(&self.tail, anchor, Some(between), room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::ZoneBuilder;

    const ORIGIN: &[u8] = b"\x04Test\0";

    fn below(labels: &[u8]) -> Vec<u8> {
        [labels, ORIGIN].concat()
    }

    #[test]
    fn most_names_are_denied_by_what_is_known_but_for_one_record() {
        let mut builder = ZoneBuilder::new(ORIGIN, rtype::IN);
        let soa = [&below(b"\x02ns")[..], &below(b"\x01h"), &[0; 20]].concat();
        builder.add(ORIGIN, rtype::SOA, 60, &soa).unwrap();
        for labels in [&b""[..], b"\x01m", b"\x02ns", b"\x01x\x01p", b"\x01Q"] {
            builder.add(&below(labels), rtype::NSEC, 60, &below(b"\0\x01\x40")).unwrap();
        }
        let served =
            Served::new(ORIGIN, Ok(builder.finish().unwrap()), Default::default(), Default::default());
        let zone = served.content.as_ref().unwrap();
        let denials = served.denials(zone).unwrap();
        let octets = |qname: &[u8], room: usize| {
            let denier = zone.nsec_covering(&qname.to_ascii_lowercase())?;
            let mut out = Vec::new();
            denials.of(zone, qname, denier, room)?.write(&mut out);
            Some(out.len())
        };
        let most = octets(&below(b"\x02m1"), 1000).unwrap();
        assert_eq!(octets(&below(b"\x02m1"), most), Some(most));
        assert_eq!(octets(&below(b"\x02m1"), most - 1), None);
        assert_eq!(octets(&below(b"\x01a\x01z"), 1000), Some(most), "by Q");
        assert_eq!(octets(&below(b"\x02a1"), 1000), None, "by what is there already");
        assert_eq!(octets(&below(b"\x02o1"), 1000), None, "by ns, which is in the SOA");
        assert_eq!(octets(&below(b"\x01z\x01h"), 1000), None, "h is in the SOA");
        assert_eq!(octets(&below(b"\x01z\x01p"), 1000), None, "p is where that NSEC is");
        assert_eq!(octets(b"\x02m1\x04test\0", 1000), None, "in another case");
    }
}
