//! The stages of an answer: which of referral, answer, alias, NODATA and NXDOMAIN it is, and what that takes.
//!
//! RFC 1034 section 4.3.2 with RFC 4592 (wildcards) and RFC 6672 section 3.2 (DNAME). Everything is decided
//! from one look-up: the closest encloser of the current name `sname`, and the facts on that node.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bumpalo::Bump;
use smallvec::SmallVec;

use super::additional::{add_additional, add_glue};
use super::beforehand::Beforehand;
use super::policy::{LocalNetwork, MinimalResponses, Transport, ViewPolicy};
use super::proofs::{Key, add_soa, deny_name, deny_type, deny_wildcard_type, prove_expansion};
use super::published::{Served, Unavailable, ZoneTable};
use super::query::{MIN_UDP, Query, Rcode};
use super::referrals::Cut;
use super::response::{Addition, Ede, Response};
use super::worker::Request;
use crate::name::{self, MAX_NAME};
use crate::rtype;
use crate::zone::{Node, Seek, Zone};

/// An alias chain is followed this many times, as by BIND 9.18; then the answer is what there is.
const MAX_CHAIN_STEPS: usize = 11;

/// What is put into positive answers besides the answer.
#[derive(Clone, Copy)]
pub struct Fill {
    /// The apex NS RRset.
    authority: bool,
    additional: bool,
    minimal_any: bool,
}

impl Fill {
    /// Returns how full the answer to `query` is to be, as BIND's `minimal-responses` says.
    pub fn of(policy: &ViewPolicy, query: &Query<'_>, transport: Transport) -> Self {
        let over_udp = transport == Transport::Udp;
        let is_any = query.qtype == rtype::ANY;
        let minimal_any = policy.minimal_any && over_udp && (is_any || query.qtype == rtype::RRSIG);
        let cramped = over_udp && query.edns.is_some_and(|edns| edns.payload <= MIN_UDP);
        let is_key =
            matches!(query.qtype, rtype::DS | rtype::CDS | rtype::KEY | rtype::DNSKEY | rtype::CDNSKEY);
        let (authority, additional) = if cramped || (minimal_any && is_any) || is_key {
            (false, false)
        } else if query.qtype == rtype::NS {
            (true, true)
        } else {
            let authority = match policy.minimal_responses {
                MinimalResponses::No => true,
                MinimalResponses::NoAuthRecursive => !query.recursion_desired(),
                MinimalResponses::Yes | MinimalResponses::NoAuth => false,
            };
            let minimal = policy.minimal_responses == MinimalResponses::Yes;
            (authority, !minimal && !is_any)
        };
        Self { authority, additional, minimal_any }
    }
}

/// Room for the key of a name.
pub type KeyBuffer = [u8; MAX_NAME];

/// Who asks, as the zones' ACLs see it.
pub struct Asker<'q> {
    pub request: &'q Request<'q>,
    pub local: &'q LocalNetwork,
    /// Set once it was looked at who asks.
    pub matters: Cell<bool>,
}

impl Asker<'_> {
    /// Returns whether they may ask for the data of `served`.
    #[inline]
    fn is_admitted(&self, served: &Served) -> bool {
        served.open || {
            self.matters.set(true);
            served.admits(&self.request.sender(), self.local)
        }
    }
}

/// Where the answer to a query of class IN begins: the name asked for, and the zone that it is in.
pub struct Start<'a> {
    zones: &'a ZoneTable,
    /// The name in lower case.
    key: &'a [u8],
    served: Option<&'a Served>,
    /// The look-up of the name in the zone, if there is one with data.
    seek: Option<Seek>,
}

impl<'a> Start<'a> {
    /// Finds the zone of the name that `query` asks for. Its key is kept in `buffer`.
    ///
    /// What the query before this one has found may be known as `before`.
    pub fn new(
        zones: &'a ZoneTable,
        query: &Query<'_>,
        buffer: &'a mut KeyBuffer,
        before: Option<&Start<'a>>,
    ) -> Self {
        let qname = query.qname();
        let key = &mut buffer[..qname.len()];
        key.copy_from_slice(qname);
        key.make_ascii_lowercase();
        let key = &*key;
        let known =
            before.filter(|before| std::ptr::eq(before.zones, zones)).and_then(|before| before.served);
        let known = known.filter(|served| zones.is_plainly(served, key, query.labels, query.qtype));
        let served = known.or_else(|| zones.find(key, query.labels, query.qtype));
        let zone = served.and_then(|served| served.content.as_ref().ok());
        let seek = zone.map(|zone| Seek::new(zone, key).proving(query.dnssec_ok()));
        Self { zones, key, served, seek }
    }

    /// Returns where the queries for the zone are counted, if there is one with data.
    pub fn queries(&self) -> Option<&'a Arc<AtomicU64>> {
        self.served.filter(|served| served.content.is_ok()).map(|served| &served.queries)
    }

    /// Returns the zone cut that has been found, if it seems to be one.
    #[inline]
    pub fn likely_cut(&self, generation: u64, dnssec_ok: bool) -> Option<Cut> {
        let id = self.seek.as_ref()?.likely_cut()?;
        Some(Cut::new(generation, self.served?, id, dnssec_ok))
    }

    /// Takes a step of the look-up of the name, see [`Seek::step`].
    #[inline]
    pub fn step(&mut self) -> bool {
        match (self.served, &mut self.seek) {
            (Some(Served { content: Ok(zone), .. }), Some(seek)) => seek.step(zone, self.key),
            _ => false,
        }
    }
}

/// Collects the response to `query`, of class IN. Names that are made are kept in `arena`.
///
/// What is known `beforehand` is used where it is given: it is written as it is.
pub fn respond<'a>(
    start: &Start<'a>,
    query: &Query<'a>,
    fill: Fill,
    beforehand: Option<&Beforehand<'a>>,
    asker: &Asker<'_>,
    arena: &'a Bump,
    response: &mut Response<'a>,
) {
    let Some(served) = start.served else {
        response.refuse(Rcode::Refused, Some(Ede::NotAuthoritative));
        return;
    };
    served.count_query();
    if !asker.is_admitted(served) {
        response.refuse(Rcode::Refused, Some(Ede::Prohibited));
        return;
    }
    let zone = match &served.content {
        Ok(zone) => zone,
        Err(reason) => {
            let ede = match reason {
                Unavailable::Expired => Ede::InvalidData,
                Unavailable::NotReady => Ede::NotReady,
            };
            response.refuse(Rcode::ServFail, Some(ede));
            return;
        }
    };
    response.authoritative = true;
    response.origin = zone.origin();
    let seek = start.seek.unwrap_or_else(|| Seek::new(zone, start.key));
    let zones = start.zones;
    Walk { zones, query, response, fill, beforehand, asker, arena, served, zone }.run(start.key, seek);
}

/// One query's way through the zones: from its name, over aliases, to an end.
struct Walk<'a, 'w> {
    zones: &'a ZoneTable,
    query: &'w Query<'a>,
    response: &'w mut Response<'a>,
    fill: Fill,
    beforehand: Option<&'w Beforehand<'a>>,
    asker: &'w Asker<'w>,
    arena: &'a Bump,
    served: &'a Served,
    zone: &'a Zone,
}

impl<'a, 'w> Walk<'a, 'w> {
    fn run(&mut self, key: &[u8], seek: Seek) {
        let qname = self.query.qname();
        if let Some(target) = self.step(qname, key, seek) {
            self.follow(qname, target);
        }
        if self.fill.additional && !self.response.referral {
            add_additional(self.zone, self.response, self.arena);
        }
    }

    /// Goes after an alias through the zones that we serve.
    fn follow(&mut self, qname: &'a [u8], mut target: &'a [u8]) {
        let mut visited: SmallVec<[&[u8]; MAX_CHAIN_STEPS + 1]> = SmallVec::new();
        visited.push(qname);
        loop {
            let known = visited.iter().any(|name| name.eq_ignore_ascii_case(target));
            if known || visited.len() > MAX_CHAIN_STEPS {
                return;
            }
            visited.push(target);
            let key = Key::of(target);
            let key = key.octets();
            let Some(served) = self.zones.find(key, name::label_count(key), self.query.qtype) else {
                return;
            };
            let Ok(zone) = &served.content else {
                return;
            };
            if !self.asker.is_admitted(served) {
                return;
            }
            self.served = served;
            self.zone = zone;
            match self.step(target, key, Seek::new(zone, key)) {
                Some(next) => target = next,
                None => return,
            }
        }
    }

    /// Answers for `sname` from its zone; returns the name to go on with, if it is an alias.
    fn step(&mut self, sname: &'a [u8], key: &[u8], seek: Seek) -> Option<&'a [u8]> {
        let zone = self.zone;
        let (encloser, next_closer) = seek.finish(zone, key);
        let flags = encloser.flags();
        if !flags.is_plain() || flags.has_dname() {
            let mut dname = encloser.dname();
            if dname.is_none() && next_closer.is_some() && flags.has_dname() {
                dname = Some(encloser);
            }
            let mut cut = encloser.cut();
            if flags.is_cut() && next_closer.is_none() && self.query.qtype == rtype::DS {
                cut = None; // the parent's side of a cut (RFC 4035 section 3.1.4.1)
            }
            if let Some(cut) = cut
                && dname.is_none_or(|dname| cut.owner().len() <= dname.owner().len())
            {
                // The topmost of the two is the end of the zone's authority; NS goes before a DNAME beside it.
                self.refer(cut);
                return None;
            }
            if let Some(dname) = dname {
                return self.substitute(sname, dname);
            }
        }
        let Some(next_closer) = next_closer else {
            return self.answer(encloser.owner(), encloser, true);
        };
        let next_closer = &key[next_closer..];
        if let Some(wildcard) = encloser.wildcard() {
            return self.expand(sname, key, encloser, wildcard, next_closer);
        }
        self.response.rcode = Rcode::NxDomain;
        if let Some(beforehand) = self.beforehand()
            && let Some(denier) = seek.denier(zone)
            && beforehand.deny(self.served, zone, denier, self.response)
        {
            return None;
        }
        add_soa(self.served, zone, self.response);
        if self.response.dnssec_ok {
            deny_name(zone, self.response, key, encloser, next_closer, seek.denier(zone));
        }
        None
    }

    /// Returns what is known of the answer before anything has been looked up: of nothing behind an alias.
    fn beforehand(&self) -> Option<&'w Beforehand<'a>> {
        self.beforehand.filter(|_| self.response.answer.is_empty())
    }

    /// Sends the client to the servers of the zone below `cut` (RFC 1034 section 4.3.2 step 3b).
    fn refer(&mut self, cut: Node<'a>) {
        let beforehand = self.beforehand();
        let response = &mut *self.response;
        response.referral = true;
        // Behind an alias AA stays: it is about the first owner name (RFC 1035 section 4.1.1).
        response.authoritative = !response.answer.is_empty();
        if beforehand.is_some_and(|beforehand| beforehand.refer(self.served, cut, response)) {
            return;
        }
        let delegation = cut.rrset(rtype::NS).expect("a cut has a NS RRset");
        response.add_authority(cut.owner(), delegation);
        if response.dnssec_ok {
            match cut.rrset(rtype::DS) {
                None => deny_type(self.zone, response, cut),
                // in an unsigned zone it is of no use, and no server sends it
                Some(signer) if signer.signatures().is_none() => {}
                Some(signer) => response.add_authority(cut.owner(), signer),
            }
        }
        add_glue(self.zone, response, cut, delegation);
    }

    /// Applies a DNAME: the record, the synthesised CNAME, and the new name (RFC 6672 section 3).
    fn substitute(&mut self, sname: &'a [u8], dname: Node<'a>) -> Option<&'a [u8]> {
        let response = &mut *self.response;
        let rrset = dname.rrset(rtype::DNAME).expect("a DNAME node has a DNAME RRset");
        response.add_answer(dname.owner(), rrset);
        let kept = &sname[..sname.len() - dname.owner().len()];
        let new = rrset.first();
        if kept.len() + new.len() > MAX_NAME {
            response.rcode = Rcode::YxDomain;
            return None;
        }
        let mut target = [0; MAX_NAME];
        let size = kept.len() + new.len();
        target[..kept.len()].copy_from_slice(kept);
        target[kept.len()..size].copy_from_slice(new);
        let target: &'a [u8] = self.arena.alloc_slice_copy(&target[..size]);
        response.add_answer(sname, Addition::one(rtype::CNAME, rrset.ttl(), target));
        if matches!(self.query.qtype, rtype::CNAME | rtype::ANY) {
            self.add_servers(); // the synthesised CNAME is what was asked for
            return None;
        }
        Some(target)
    }

    /// Answers from the source of synthesis, `encloser`'s `wildcard` (RFC 4592 section 3.3.2).
    fn expand(
        &mut self,
        sname: &'a [u8],
        key: &[u8],
        encloser: Node<'a>,
        wildcard: Node<'a>,
        next_closer: &[u8],
    ) -> Option<&'a [u8]> {
        let had = self.response.answer.len();
        let target = self.answer(sname, wildcard, false);
        let response = &mut *self.response;
        if response.dnssec_ok {
            if response.answer.len() > had {
                prove_expansion(self.zone, response, key, next_closer);
            } else {
                deny_wildcard_type(self.zone, response, key, encloser, wildcard, next_closer);
            }
        }
        target
    }

    /// Answers with `node`'s data under the name `owner`; returns an alias's target.
    ///
    /// `denies`: whether the proof of a NODATA answer is to be added here.
    fn answer(&mut self, owner: &'a [u8], node: Node<'a>, denies: bool) -> Option<&'a [u8]> {
        let qtype = self.query.qtype;
        let found = if matches!(qtype, rtype::ANY | rtype::RRSIG) {
            self.add_any(owner, node)
        } else if let Some(rrset) = node.rrset(qtype) {
            self.response.add_answer(owner, rrset);
            true
        } else if let Some(alias) = node.rrset(rtype::CNAME)
            && !may_stand_beside_cname(qtype)
        {
            self.response.add_answer(owner, alias);
            return Some(alias.first());
        } else {
            false
        };
        if found {
            self.add_servers();
        } else {
            add_soa(self.served, self.zone, self.response);
            if denies && self.response.dnssec_ok {
                deny_type(self.zone, self.response, node);
            }
        }
        None
    }

    /// Adds all RRsets, or all RRSIGs, of `node`, or of all the first alone (RFC 8482 section 4.1).
    fn add_any(&mut self, owner: &'a [u8], node: Node<'a>) -> bool {
        let response = &mut *self.response;
        let only_signatures = self.query.qtype == rtype::RRSIG;
        let mut added = false;
        for rrset in node.rrsets() {
            if rrset.rtype() == rtype::RRSIG {
                let comes_along = response.dnssec_ok && node.rrset(rrset.covers()).is_some();
                if comes_along && !only_signatures {
                    continue; // with DO a signature comes with what it covers
                }
                response.add_signatures(owner, rrset);
            } else if only_signatures {
                continue;
            } else {
                response.add_answer(owner, rrset);
            }
            added = true;
            if self.fill.minimal_any {
                break;
            }
        }
        added
    }

    /// Puts the zone's NS RRset beside a positive answer, where the policy has it.
    fn add_servers(&mut self) {
        if self.fill.authority
            && let Some(servers) = self.zone.apex().rrset(rtype::NS)
        {
            self.response.add_authority(self.zone.origin(), servers);
        }
    }
}

/// Whether asking for this type at a CNAME is not asking for its target (RFC 4035 section 2.5).
fn may_stand_beside_cname(rtype: u16) -> bool {
    matches!(rtype, rtype::SIG | rtype::KEY | rtype::NXT | rtype::NSEC)
}
