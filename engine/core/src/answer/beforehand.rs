//! Answers that are known up to the name asked for: referrals from a cut, and signed denials right below an apex.

use super::message::Extras;
use super::published::Served;
use super::query::Query;
use super::referrals::{Cut, Referrals};
use super::response::Response;
use super::tail::Fitted;
use crate::zone::{Node, Zone};

/// What is known to a thread before it answers `query`, whose name is the first that it looks up.
pub struct Beforehand<'a> {
    pub query: &'a Query<'a>,
    pub referrals: &'a Referrals,
    pub generation: u64,
    /// The most octets of the message.
    pub limit: usize,
    pub extras: &'a Extras<'a>,
}

impl<'a> Beforehand<'a> {
    /// Returns how many octets the answer may have behind the question.
    fn room(&self) -> usize {
        self.extras.room_in(self.limit, self.query)
    }

    /// Makes `response` the referral from `cut`, of the zone `served`, if that is known; returns whether it is.
    pub fn refer(&self, served: &Served, cut: Node<'_>, response: &mut Response<'a>) -> bool {
        let (qname, owner) = (self.query.qname(), cut.owner());
        if !qname.ends_with(owner) {
            return false; // another case
        }
        let same = Cut::new(self.generation, served, cut.id(), response.dnssec_ok);
        let Some(tail) = self.referrals.get(same) else {
            response.cut = Some((same, owner.len()));
            return false;
        };
        let anchor = tail.anchor_in(qname, owner);
        response.tail = anchor.and_then(|anchor| Fitted::new(tail, anchor, None, self.room()));
        response.tail.is_some()
    }

    /// Makes `response` the signed denial of a name which would be right below the apex of `zone`, and which `denier`
    /// denies, if that is known; returns whether it is.
    pub fn deny(
        &self,
        served: &'a Served,
        zone: &'a Zone,
        denier: Node<'a>,
        response: &mut Response<'a>,
    ) -> bool {
        if response.dnssec_ok
            && let Some(denials) = served.denials(zone)
        {
            response.tail = denials.of(zone, self.query.qname(), denier, self.room());
        }
        response.tail.is_some()
    }
}
