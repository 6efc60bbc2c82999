//! One query: from its octets to those of the response, with buffers that are used again.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bumpalo::Bump;
use smallvec::SmallVec;

use super::acl::Sender;
use super::beforehand::Beforehand;
use super::counters::Counters;
use super::dictionary::Names;
use super::message::{Extras, encode, encode_refusal};
use super::order::Turns;
use super::policy::{Outcome, Transport};
use super::published::{Claim, State};
use super::query::{HEADER, MIN_UDP, Other, Query, Rcode, Refusal, parse, word};
use super::recent::{Kind, Mark, Recent};
use super::referrals::{Cut, Referrals};
use super::response::Response;
use super::stages::{Asker, Fill, KeyBuffer, Start, respond};
use crate::fault::catch;
use crate::name::MAX_NAME;
use crate::rtype;
use crate::zone::SEEK_STEPS;

const MAX_TCP_OCTETS: usize = 65535;

/// So many look-ups are prepared together: about as many as a core waits for memory at a time.
const TOGETHER: usize = 16;

/// Told of a query that could not be answered because of a fault of ours, and what the fault says.
pub type Fault = Arc<dyn Fn(&[u8], &str) + Send + Sync>;

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'q> {
    /// Its octets.
    pub packet: &'q [u8],
    /// Who sent it.
    pub client: IpAddr,
    /// The address of ours that it came to.
    pub local: IpAddr,
    /// How it came.
    pub transport: Transport,
    /// The keys that it was signed with; the signature has been taken off.
    pub keys: &'q [String],
    /// The response leaves so many octets of the message free, for its own signature.
    pub reserved_octets: usize,
}

impl<'q> Request<'q> {
    /// Returns an unsigned request.
    pub fn plain(packet: &'q [u8], client: IpAddr, local: IpAddr, transport: Transport) -> Self {
        Self { packet, client, local, transport, keys: &[], reserved_octets: 0 }
    }

    /// Returns whether its answer is the same for all who send these octets, so that it may be a recent one.
    #[inline]
    fn may_be_recent(&self, state: &State) -> bool {
        state.is_for_everybody()
            && self.transport == Transport::Udp
            && self.packet.len() > HEADER
            && self.keys.is_empty()
            && self.reserved_octets == 0
    }

    /// Returns who sent it, as address match lists see it.
    pub(super) fn sender(&self) -> Sender<'q> {
        Sender::new(self.client, self.local, self.keys)
    }
}

/// A request, where its response goes, and what became of it.
pub struct Exchange<'q> {
    /// The request.
    pub request: Request<'q>,
    /// The response; empty unless the outcome is an answer.
    pub answer: &'q mut Vec<u8>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a thread needs to answer queries.
pub struct Worker {
    arena: Bump,
    names: Names,
    turns: Turns,
    recent: Recent,
    referrals: Referrals,
    counters: Arc<Counters>,
    fault: Fault,
    #[cfg(test)]
    pub(crate) panics_at: u16,
}

impl Worker {
    /// Returns a worker that counts in `counters`, which no other one has.
    pub fn new(counters: Arc<Counters>, fault: Fault) -> Self {
        Self {
            arena: Bump::new(),
            names: Names::default(),
            turns: Turns::default(),
            recent: Recent::default(),
            referrals: Referrals::default(),
            counters,
            fault,
            #[cfg(test)]
            panics_at: 0,
        }
    }

    /// Its counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Writes the response to `request` to `out`, which is empty unless the outcome is an answer.
    ///
    /// Never panics: where something below does, that is told and counted, and the answer is SERVFAIL.
    pub fn answer(&mut self, state: &State, request: &Request<'_>, out: &mut Vec<u8>) -> Outcome {
        self.guarded(request, out, |worker, out| {
            let mut key = [0; MAX_NAME];
            let begun = Begun::new(state, request, &mut key, None, None);
            worker.finish(state, request, &begun, out)
        })
    }

    /// Answers requests that came together, each as [`Self::answer`] does, but faster than one by one.
    pub fn answer_all(&mut self, state: &State, exchanges: &mut [Exchange<'_>]) {
        for exchanges in exchanges.chunks_mut(TOGETHER) {
            let mut keys = [[0; MAX_NAME]; TOGETHER];
            let mut keys = keys.iter_mut();
            let mut begun = SmallVec::<[Begun<'_>; TOGETHER]>::new();
            let (recent, referrals) = (&self.recent, &self.referrals);
            let prepared = catch(|| {
                let mut before = None;
                for (exchange, key) in exchanges.iter().zip(&mut keys) {
                    let mark =
                        exchange.request.may_be_recent(state).then(|| recent.mark(exchange.request.packet));
                    let known = before.and_then(|at: usize| begun[at].start());
                    let next = Begun::new(state, &exchange.request, key, known, mark);
                    if next.start().is_some() {
                        before = Some(begun.len());
                    }
                    begun.push(next);
                }
                for _ in 0..SEEK_STEPS {
                    if !begun.iter_mut().fold(false, |more, begun| begun.step() | more) {
                        break;
                    }
                }
                begun.iter().filter_map(|begun| begun.likely_cut(state)).for_each(|cut| referrals.fetch(cut));
            });
            if prepared.is_err() {
                begun.clear(); // whose fault it was will be seen
            }
            for (index, Exchange { request, answer, outcome }) in exchanges.iter_mut().enumerate() {
                *outcome = match begun.get(index) {
                    Some(begun) => self.guarded(request, answer, |worker, answer| {
                        worker.finish(state, request, begun, answer)
                    }),
                    None => self.answer(state, request, answer),
                };
            }
        }
    }

    /// Counts a request and what `answer` makes of it, also where that panics.
    fn guarded(
        &mut self,
        request: &Request<'_>,
        out: &mut Vec<u8>,
        answer: impl FnOnce(&mut Self, &mut Vec<u8>) -> Outcome,
    ) -> Outcome {
        self.counters.count_message(request.transport);
        out.clear();
        let outcome = catch(|| answer(self, out)).unwrap_or_else(|words| {
            self.counters.faults.count();
            (self.fault)(request.packet, &words);
            self.arena = Bump::new();
            self.names = Names::default();
            let flags = word(request.packet, 2);
            encode_refusal(request.packet, &Refusal::bare(Rcode::ServFail, flags), 0, out);
            self.counters.count_rcode(Rcode::ServFail);
            Outcome::Answer
        });
        match outcome {
            Outcome::Answer => {}
            Outcome::Drop => self.counters.dropped.count(),
            Outcome::NotMine => self.counters.control_requests.count(),
        }
        outcome
    }

    /// Answers a request that was begun with the same state.
    fn finish<'a>(
        &mut self,
        state: &State,
        request: &Request<'a>,
        begun: &Begun<'a>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        match begun {
            Begun::Recent(mark) => self.give_again(state, request, *mark, out),
            Begun::Query { query, claim, start, mark } => {
                self.look_up(state, request, query, claim, start.as_ref(), *mark, out);
                Outcome::Answer
            }
            Begun::Refused(refusal) => {
                self.counters.count_rcode(refusal.rcode);
                encode_refusal(request.packet, refusal, state.policy.edns_udp_size, out);
                Outcome::Answer
            }
            Begun::Ended(outcome) => *outcome,
        }
    }

    /// Answers a request as it was answered before, where that is still right.
    #[inline]
    fn give_again(&mut self, state: &State, request: &Request<'_>, mark: Mark, out: &mut Vec<u8>) -> Outcome {
        let Some(kind) = self.recent.answer(mark, state.generation, request.packet, out) else {
            let mut key = [0; MAX_NAME];
            let begun = Begun::new(state, request, &mut key, None, None);
            return self.finish(state, request, &begun, out);
        };
        let counters = &self.counters;
        kind.queries.fetch_add(1, Ordering::Relaxed);
        counters.recent.count();
        counters.count_qtype(kind.qtype);
        counters.count_rcode(kind.rcode);
        if kind.truncated {
            counters.truncated.count();
        }
        Outcome::Answer
    }

    #[inline]
    #[expect(clippy::too_many_arguments, reason = "what was begun, and where it goes")]
    fn look_up<'a>(
        &mut self,
        state: &'a State,
        request: &Request<'_>,
        query: &Query<'a>,
        claim: &Claim<'a>,
        start: Option<&Start<'a>>,
        mark: Option<Mark>,
        out: &mut Vec<u8>,
    ) {
        self.counters.count_qtype(query.qtype);
        #[cfg(test)]
        assert!(query.qtype != self.panics_at, "as the test wants it");
        self.arena.reset();
        let policy = &state.policy;
        let limit = match request.transport {
            Transport::Udp => usize::from(query.payload().min(policy.max_udp_size.max(MIN_UDP))),
            Transport::Tcp => MAX_TCP_OCTETS,
        };
        let limit = limit.saturating_sub(request.reserved_octets);
        let nsid = policy.server_id.as_ref().map(String::as_bytes);
        let extras = Extras { edns_octets: policy.edns_udp_size, nsid };
        let mut response = Response::new(query.dnssec_ok());
        let mut lasting = None;
        match (claim, start) {
            (Claim::View(_), None) if query.qclass == rtype::CHAOS => {
                state.chaos.respond(query, &mut response)
            }
            (Claim::View(view), Some(start)) => {
                let fill = Fill::of(&view.policy, query, request.transport);
                let asker = Asker { request, local: &policy.local, matters: Cell::new(false) };
                let is_ordered = !view.policy.rrset_order.is_empty();
                let (referrals, generation) = (&self.referrals, state.generation);
                let beforehand = Beforehand { query, referrals, generation, limit, extras: &extras };
                let beforehand = Some(&beforehand).filter(|_| !is_ordered);
                respond(start, query, fill, beforehand, &asker, &self.arena, &mut response);
                if is_ordered {
                    self.turns.arrange(&view.policy.rrset_order, &self.arena, &mut response);
                } else if !asker.matters.get() {
                    lasting = mark.zip(start.queries());
                }
            }
            _ => response.refuse(Rcode::Refused, None),
        }
        let written = encode(query, &response, limit, &extras, &mut self.names, out);
        let rcode = response.rcode;
        let cut = response.cut.filter(|_| written.whole);
        drop(response); // what it borrows of `out`
        self.counters.count_rcode(rcode);
        let truncated = written.truncated && request.transport == Transport::Udp;
        if truncated {
            self.counters.truncated.count();
        }
        if let Some(cut) = cut {
            let records = (written.authorities, written.additionals);
            self.referrals.keep(cut, &out[..written.end], query.question_end, records);
        }
        if let Some((mark, queries)) = lasting {
            let qtype = query.qtype;
            let kind = || Kind { qtype, rcode, truncated, queries: queries.clone() };
            self.recent.keep(mark, state.generation, request.packet, out, kind);
        }
    }
}

/// A request that was read, and whose zone was found.
enum Begun<'a> {
    /// A query to be looked up; `start` is there where a view has zones for it.
    ///
    /// Its answer may be kept where there is a `mark`.
    Query { query: Query<'a>, claim: Claim<'a>, start: Option<Start<'a>>, mark: Option<Mark> },
    /// A query that seems to have been answered before.
    Recent(Mark),
    /// To be answered with an RCODE.
    Refused(Refusal),
    /// Not to be answered, or not here.
    Ended(Outcome),
}

impl<'a> Begun<'a> {
    fn new(
        state: &'a State,
        request: &Request<'a>,
        key: &'a mut KeyBuffer,
        before: Option<&Start<'a>>,
        mark: Option<Mark>,
    ) -> Self {
        if let Some(mark) = mark.filter(|mark| mark.is_known()) {
            return Self::Recent(mark);
        }
        let packet = request.packet;
        if packet.len() < HEADER {
            return Self::Ended(Outcome::Drop);
        }
        let claim = state.claim(|| request.sender(), packet[2] & 1 != 0);
        if matches!(claim, Claim::Blackholed) {
            return Self::Ended(Outcome::Drop);
        }
        let query = match parse(packet) {
            Ok(query) => query,
            Err(Other::Refused(refusal)) => return Self::Refused(refusal),
            Err(Other::Outcome(outcome)) => return Self::Ended(outcome),
        };
        let start = match claim {
            Claim::View(view) if matches!(query.qclass, rtype::IN | rtype::ANY_CLASS) => {
                Some(Start::new(&view.zones, &query, key, before))
            }
            _ => None,
        };
        Self::Query { query, claim, start, mark }
    }

    fn start(&self) -> Option<&Start<'a>> {
        match self {
            Self::Query { start, .. } => start.as_ref(),
            _ => None,
        }
    }

    /// Returns the zone cut that the answer seems to be a referral from.
    #[inline]
    fn likely_cut(&self, state: &State) -> Option<Cut> {
        match self {
            Self::Query { query, start: Some(start), .. } => {
                start.likely_cut(state.generation, query.dnssec_ok())
            }
            _ => None,
        }
    }

    /// Takes a step of the look-up.
    #[inline]
    fn step(&mut self) -> bool {
        match self {
            Self::Query { start: Some(start), .. } => start.step(),
            _ => false,
        }
    }
}
