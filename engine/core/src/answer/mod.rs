//! From a query to a response: identical to the Python package `bindpy.answer`, octet by octet.
//!
//! [`Answerer`] holds what is published; each thread that answers has a [`Worker`] with the buffers that
//! queries reuse, so that a query costs no allocation. No sockets here: see [`crate::serve`].

mod acl;
mod additional;
mod answerer;
mod beforehand;
mod chaos;
mod counters;
mod denials;
mod dictionary;
mod message;
mod options;
mod order;
mod policy;
mod proofs;
mod published;
mod query;
mod recent;
mod referrals;
mod response;
mod slots;
mod soa;
mod stages;
mod tail;
mod worker;

pub use acl::{Match, MatchElement, MatchList, Sender};
pub use answerer::{Answerer, Publication};
pub use counters::{Counters, LATENCY_BUCKETS, QTYPES, RCODES, Role, Totals};
pub use policy::{
    AnswerPolicy, LocalNetwork, MinimalResponses, OrderRule, Outcome, RrsetOrder, Transport, ViewPolicy,
    ZonePolicy,
};
pub use published::{State, Unavailable, UnknownView};
pub use query::{HEADER, Rcode};
pub use worker::{Exchange, Fault, Request, Worker};
