//! One query: from its octets to those of the response, with buffers that are used again.

use std::net::IpAddr;
use std::sync::Arc;

use bumpalo::Bump;

use super::acl::Sender;
use super::counters::Counters;
use super::message::{Extras, Names, Ordering, encode, encode_refusal};
use super::policy::{Outcome, RrsetOrder, Transport};
use super::published::{Claim, State};
use super::query::{HEADER, MIN_UDP, Other, Query, Rcode, Refusal, parse, word};
use super::response::Response;
use super::stages::{Asker, Fill, respond};
use crate::fault::catch;
use crate::rtype;

const MAX_TCP_OCTETS: usize = 65535;

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
}

/// What a thread needs to answer queries.
pub struct Worker {
    arena: Bump,
    names: Names,
    turns: u64,
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
            turns: 0,
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
        self.counters.count_message(request.transport);
        let outcome = catch(|| self.try_answer(state, request, out)).unwrap_or_else(|words| {
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

    fn try_answer(&mut self, state: &State, request: &Request<'_>, out: &mut Vec<u8>) -> Outcome {
        out.clear();
        let packet = request.packet;
        if packet.len() < HEADER {
            return Outcome::Drop;
        }
        let sender = Sender::new(request.client, request.local, request.keys);
        let claim = state.claim(&sender, packet[2] & 1 != 0);
        if matches!(claim, Claim::Blackholed) {
            return Outcome::Drop;
        }
        match parse(packet) {
            Ok(query) => {
                self.look_up(state, request, sender, &claim, &query, out);
                Outcome::Answer
            }
            Err(Other::Refused(refusal)) => {
                self.counters.count_rcode(refusal.rcode);
                encode_refusal(packet, &refusal, state.policy.edns_udp_size, out);
                Outcome::Answer
            }
            Err(Other::Outcome(outcome)) => outcome,
        }
    }

    fn look_up(
        &mut self,
        state: &State,
        request: &Request<'_>,
        sender: Sender<'_>,
        claim: &Claim<'_>,
        query: &Query<'_>,
        out: &mut Vec<u8>,
    ) {
        self.counters.count_qtype(query.qtype);
        #[cfg(test)]
        assert!(query.qtype != self.panics_at, "as the test wants it");
        self.arena.reset();
        let policy = &state.policy;
        let mut order = RrsetOrder::None;
        let mut response = Response::new(query.dnssec_ok());
        match claim {
            Claim::View(_) if query.qclass == rtype::CHAOS => state.chaos.respond(query, &mut response),
            Claim::View(view) if matches!(query.qclass, rtype::IN | rtype::ANY_CLASS) => {
                order = view.policy.rrset_order;
                let fill = Fill::of(&view.policy, query, request.transport);
                let asker = Asker { sender, local: &policy.local };
                respond(&view.zones, query, fill, &asker, &self.arena, &mut response);
            }
            _ => response.refuse(Rcode::Refused, None),
        }
        let limit = match request.transport {
            Transport::Udp => usize::from(query.payload().min(policy.max_udp_size.max(MIN_UDP))),
            Transport::Tcp => MAX_TCP_OCTETS,
        };
        let limit = limit.saturating_sub(request.reserved_octets);
        let nsid = policy.server_id.as_ref().map(String::as_bytes);
        let extras = Extras { edns_octets: policy.edns_udp_size, nsid };
        let mut ordering = Ordering { order, turns: &mut self.turns };
        let written = encode(query, &response, limit, &extras, &mut ordering, &mut self.names, out);
        self.counters.count_rcode(response.rcode);
        if written.truncated && request.transport == Transport::Udp {
            self.counters.truncated.count();
        }
    }
}
