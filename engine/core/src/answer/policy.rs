//! What shapes answers besides the zones' data, as plain values.

use std::net::IpAddr;

use super::acl::MatchList;
use crate::name;

/// How a query came. Answers over TCP are never truncated (RFC 7766).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram each.
    Udp,
    /// Messages of up to 65,535 octets.
    Tcp,
}

/// What became of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The response was written.
    Answer,
    /// Send nothing: not a query, or an answer would do harm.
    Drop,
    /// NOTIFY, UPDATE, transfers, TSIG: the control plane's.
    NotMine,
}

/// How full positive answers are made (BIND's `minimal-responses`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinimalResponses {
    /// Authority and additional section.
    No,
    /// Nothing but the answer.
    Yes,
    /// No authority section.
    NoAuth,
    /// No authority section where recursion is desired.
    #[default]
    NoAuthRecursive,
}

/// In which order the RDATAs of an answer's RRsets stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RrsetOrder {
    /// As in the zone file.
    #[default]
    None,
    /// Each answer begins one further on.
    Cyclic,
    /// Any order.
    Random,
}

/// Which RRsets stand in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRule {
    /// Their order.
    pub order: RrsetOrder,
    /// Their type; `None`: all.
    pub rtype: Option<u16>,
    /// Their owner in lower case; where that is a wildcard, those below its parent. `None`: all.
    pub name: Option<Box<[u8]>>,
}

impl OrderRule {
    /// Returns whether the rule is for RRsets of `owner`, in lower case, and `rtype`.
    pub fn matches(&self, owner: &[u8], rtype: u16) -> bool {
        self.rtype.is_none_or(|wanted| wanted == rtype)
            && self.name.as_deref().is_none_or(|name| match name::parent(name) {
                Some(above) if name::is_wildcard(name) => {
                    owner.len() > above.len() && name::is_subdomain(owner, above)
                }
                _ => owner == name,
            })
    }
}

/// Who may ask for a zone's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZonePolicy {
    /// By the client's address and keys.
    pub allow_query: MatchList,
    /// By the address of ours that was asked.
    pub allow_query_on: MatchList,
}

impl Default for ZonePolicy {
    fn default() -> Self {
        Self { allow_query: MatchList::any(), allow_query_on: MatchList::any() }
    }
}

/// Which clients a view serves, and how. Views are tried in order; the first match serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewPolicy {
    /// Its name.
    pub name: String,
    /// By the client's address and keys.
    pub match_clients: MatchList,
    /// By the address of ours that was asked.
    pub match_destinations: MatchList,
    /// Only queries that desire recursion.
    pub match_recursive_only: bool,
    /// How full its answers are.
    pub minimal_responses: MinimalResponses,
    /// Whether ANY over UDP is answered with one RRset (RFC 8482).
    pub minimal_any: bool,
    /// The order of RDATAs: that of the first rule which is for the RRset, and of the zone file where none is.
    pub rrset_order: Vec<OrderRule>,
}

impl ViewPolicy {
    /// Returns a view of that name for everybody.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            match_clients: MatchList::any(),
            match_destinations: MatchList::any(),
            match_recursive_only: false,
            minimal_responses: MinimalResponses::default(),
            minimal_any: false,
            rrset_order: Vec::new(),
        }
    }
}

/// All that shapes answers besides the zones' data.
#[derive(Clone, Debug)]
pub struct AnswerPolicy {
    /// In the order in which they are tried.
    pub views: Vec<ViewPolicy>,
    /// The most octets of an answer over UDP.
    pub max_udp_size: u16,
    /// The payload size that we advertise.
    pub edns_udp_size: u16,
    /// The text of `version.bind`; `None`: the name is refused. So with the next two.
    pub version: Option<String>,
    /// The text of `hostname.bind`.
    pub hostname: Option<String>,
    /// The text of `id.server`, and the identity for NSID (RFC 5001).
    pub server_id: Option<String>,
    /// Whose queries are dropped.
    pub blackhole: MatchList,
    /// This host's addresses.
    pub local: LocalNetwork,
}

impl Default for AnswerPolicy {
    fn default() -> Self {
        Self {
            views: vec![ViewPolicy::named("_default")],
            max_udp_size: 1232,
            edns_udp_size: 1232,
            version: None,
            hostname: None,
            server_id: None,
            blackhole: MatchList::default(),
            local: LocalNetwork::default(),
        }
    }
}

/// This host's interface addresses, for `localhost` and `localnets` in address match lists.
#[derive(Clone, Debug, Default)]
pub struct LocalNetwork {
    /// The addresses.
    pub hosts: Vec<IpAddr>,
    /// The networks that they are in: address and length of the prefix.
    pub nets: Vec<(IpAddr, u8)>,
}
