//! Address match lists at work: does a client match, the first element that matches decides.

use std::net::{IpAddr, Ipv6Addr};

use super::policy::LocalNetwork;

/// One element of an address match list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchElement {
    /// Whether a match says "no".
    pub negated: bool,
    /// What it matches.
    pub what: Match,
}

/// What an element matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// An address or prefix: the address and the length of the prefix.
    Network(IpAddr, u8),
    /// A request signed with that TSIG key; the lower-cased absolute text of its name.
    Key(String),
    /// A list in braces, or a named one.
    Nested(MatchList),
    /// Everybody; the word `none` is its negation.
    Any,
    /// This host's addresses.
    Localhost,
    /// The networks that this host is in.
    Localnets,
}

/// An address match list; an empty one matches nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchList(pub Vec<MatchElement>);

/// Who sends a request and where to, as far as address match lists look at it.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The client's address; an IPv4-mapped one is its IPv4 address.
    pub client: IpAddr,
    /// The address of ours that was asked, likewise.
    pub local: IpAddr,
    /// The names of the keys that the request was signed with.
    pub keys: &'a [String],
}

impl<'a> Sender<'a> {
    /// Returns the sender for addresses as sockets give them.
    pub fn new(client: IpAddr, local: IpAddr, keys: &'a [String]) -> Self {
        Self { client: client.to_canonical(), local: local.to_canonical(), keys }
    }
}

impl MatchList {
    /// Returns the list that matches everybody.
    pub fn any() -> Self {
        let what = Match::Any;
        Self(vec![MatchElement { negated: false, what }])
    }

    /// Returns whether every request matches, whoever sends it.
    pub fn matches_all(&self) -> bool {
        matches!(self.0.first(), Some(first) if first.what == Match::Any && !first.negated)
    }

    /// Returns whether it is plain that no request ever matches.
    pub fn matches_none(&self) -> bool {
        self.0.first().is_none_or(|first| first.what == Match::Any && first.negated)
    }

    /// Returns whether the list lets `address` pass, for a request signed with `keys`.
    pub fn matches(&self, address: IpAddr, keys: &[String], local: &LocalNetwork) -> bool {
        self.decide(address, keys, local) == Some(true)
    }

    /// Returns what the first matching element says, `None` when none matches.
    ///
    /// As in BIND, a nested list that says "no" is no match, whatever the sign before it:
    /// `!{ !10/8; any; }` does not let 10/8 pass.
    fn decide(&self, address: IpAddr, keys: &[String], local: &LocalNetwork) -> Option<bool> {
        let hit = self.0.iter().find(|element| match &element.what {
            Match::Network(network, length) => is_in(address, *network, *length),
            Match::Key(name) => keys.contains(name),
            Match::Nested(list) => list.matches(address, keys, local),
            Match::Any => true,
            Match::Localhost => local.hosts.contains(&address),
            Match::Localnets => local.nets.iter().any(|(network, length)| is_in(address, *network, *length)),
        })?;
        Some(!hit.negated)
    }
}

fn is_in(address: IpAddr, network: IpAddr, length: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differs = address.to_bits() ^ network.to_bits();
            length == 0 || differs.leading_zeros() >= u32::from(length)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differs = Ipv6Addr::to_bits(address) ^ Ipv6Addr::to_bits(network);
            length == 0 || differs.leading_zeros() >= u32::from(length)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(what: Match) -> MatchElement {
        MatchElement { negated: false, what }
    }

    fn not(what: Match) -> MatchElement {
        MatchElement { negated: true, what }
    }

    fn network(text: &str) -> Match {
        let (address, length) = text.split_once('/').unwrap();
        Match::Network(address.parse().unwrap(), length.parse().unwrap())
    }

    fn matches(list: &MatchList, address: &str, keys: &[&str]) -> bool {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let local = LocalNetwork {
            hosts: vec!["192.0.2.1".parse().unwrap()],
            nets: vec![("192.0.2.0".parse().unwrap(), 24)],
        };
        let address: IpAddr = address.parse().unwrap();
        list.matches(address.to_canonical(), &keys, &local)
    }

    #[test]
    fn first_match_decides() {
        let list = MatchList(vec![not(network("10.1.0.0/16")), element(network("10.0.0.0/8"))]);
        assert!(matches(&list, "10.2.0.1", &[]));
        assert!(!matches(&list, "10.1.0.1", &[]));
        assert!(!matches(&list, "192.0.2.1", &[]));
        assert!(matches(&list, "::ffff:10.2.0.1", &[]));
        assert!(!matches(&list, "2001:db8::1", &[]));
    }

    #[test]
    fn a_nested_no_is_no_match() {
        let inner = MatchList(vec![not(network("10.0.0.0/8")), element(Match::Any)]);
        let list = MatchList(vec![not(Match::Nested(inner)), element(Match::Any)]);
        assert!(matches(&list, "10.0.0.1", &[]));
        assert!(!matches(&list, "192.0.2.1", &[]));
    }

    #[test]
    fn keys_and_builtins() {
        let list = MatchList(vec![element(Match::Key("k.".into()))]);
        assert!(matches(&list, "192.0.2.1", &["k."]));
        assert!(!matches(&list, "192.0.2.1", &[]));
        assert!(matches(&MatchList(vec![element(Match::Localhost)]), "192.0.2.1", &[]));
        let nets = MatchList(vec![element(Match::Localnets)]);
        assert!(matches(&nets, "192.0.2.77", &[]));
        assert!(!matches(&nets, "198.51.100.1", &[]));
        assert!(MatchList::any().matches_all());
        assert!(MatchList::default().matches_none());
        assert!(MatchList(vec![not(Match::Any)]).matches_none());
    }

    #[test]
    fn prefixes_of_all_lengths() {
        assert!(matches(&MatchList(vec![element(network("0.0.0.0/0"))]), "192.0.2.1", &[]));
        let six = MatchList(vec![element(network("2001:db8::/33"))]);
        assert!(matches(&six, "2001:db8:7fff::1", &[]));
        assert!(!matches(&six, "2001:db8:8000::1", &[]));
        assert!(!matches(&MatchList(vec![element(network("::/0"))]), "192.0.2.1", &[]));
    }
}
