//! Checks of names that records point at: name servers, their glue, mail exchangers, services.

use std::net::Ipv6Addr;

use hashbrown::HashSet;

use super::{Checks, Mode};
use crate::name::{MAX_NAME, ROOT, is_subdomain, label_count, labels, parent};
use crate::rtype;
use crate::zone::{Node, Rrset, Zone};

/// What a look-up of an address in the zone comes to (RFC 1034 section 4.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Address,
    NoAddress,
    Alias,
    BelowDname,
    Delegated,
}

/// Looks for an A or AAAA RRset for `key`, which is at or below the apex. Wildcards apply.
fn find_address(zone: &Zone, key: &[u8]) -> Found {
    let mut encloser = key;
    let mut node = loop {
        if let Some(node) = zone.find(encloser) {
            break node;
        }
        match parent(encloser) {
            Some(above) => encloser = above,
            None => return Found::NoAddress,
        }
    };
    let is_itself = encloser.len() == key.len();
    let mut dname = node.dname();
    if dname.is_none() && !is_itself && node.flags().has_dname() {
        dname = Some(node);
    }
    match (node.cut(), dname) {
        (Some(cut), Some(dname)) if cut.owner().len() > dname.owner().len() => return Found::BelowDname,
        (Some(_), _) => return Found::Delegated,
        (None, Some(_)) => return Found::BelowDname,
        (None, None) => {}
    }
    if !is_itself {
        match node.wildcard() {
            Some(wildcard) => node = wildcard,
            None => return Found::NoAddress,
        }
    }
    at(node)
}

fn at(node: Node<'_>) -> Found {
    for rrset in node.rrsets() {
        match rrset.rtype() {
            rtype::A | rtype::AAAA => return Found::Address,
            rtype::CNAME => return Found::Alias,
            _ => {}
        }
    }
    Found::NoAddress
}

/// Targets that are remembered as good: many records share few of them.
const MAX_REMEMBERED: usize = 10_000;

/// The checks of one zone's targets.
pub struct Targets<'a> {
    zone: &'a Zone,
    checks: &'a Checks,
    fine: HashSet<Box<[u8]>, foldhash::fast::RandomState>,
}

impl<'a> Targets<'a> {
    pub fn new(zone: &'a Zone, checks: &'a Checks) -> Self {
        Targets { zone, checks, fine: HashSet::default() }
    }

    /// Returns whether nothing can be wrong with the target `name`: elsewhere, or with an address here.
    fn is_fine(&mut self, name: &[u8]) -> bool {
        if name == ROOT || self.fine.contains(name) {
            return true;
        }
        let mut lower = [0; MAX_NAME];
        let key = lowered(name, &mut lower);
        if looks_like_address(key, self.zone.key())
            || (is_subdomain(key, self.zone.key()) && find_address(self.zone, key) != Found::Address)
        {
            return false;
        }
        if self.fine.len() < MAX_REMEMBERED {
            self.fine.insert(name.into());
        }
        true
    }

    fn is_here(&self, key: &[u8]) -> bool {
        key != ROOT && is_subdomain(key, self.zone.key())
    }

    /// Whether something is wrong with the zone's own name servers: one in the zone must have an address there.
    pub fn apex_ns(&self, rrset: &Rrset<'_>) -> bool {
        rrset.rdatas().any(|name| {
            let mut lower = [0; MAX_NAME];
            let key = lowered(name, &mut lower);
            let is_address = self.checks.ns != Mode::Ignore && looks_like_address(key, self.zone.key());
            let is_told = |found| !matches!(found, Found::Address | Found::Delegated);
            is_address || (self.is_here(key) && is_told(find_address(self.zone, key)))
        })
    }

    /// Looks at a delegation: glue where resolvers need it (RFC 1034 section 4.2.1), no aliases.
    pub fn cut(&mut self, cut_key: &[u8], node: Node<'_>, rrset: &Rrset<'_>) -> Option<&'static str> {
        let occluded = !node.flags().is_cut() || node.flags().is_below_dname();
        for name in rrset.rdatas() {
            if self.is_fine(name) {
                continue;
            }
            let mut lower = [0; MAX_NAME];
            let key = lowered(name, &mut lower);
            if self.checks.ns != Mode::Ignore && looks_like_address(key, self.zone.key()) {
                return Some("NS is an address");
            }
            if self.checks.integrity && !occluded && self.is_here(key) && self.lacks_glue(cut_key, key) {
                return Some("an NS without an address");
            }
        }
        None
    }

    fn lacks_glue(&self, cut: &[u8], key: &[u8]) -> bool {
        if find_address(self.zone, key) != Found::Delegated {
            return true; // an address would have been fine
        }
        let has_glue = self.zone.find(key).is_some_and(|glue| at(glue) == Found::Address);
        !has_glue && (is_subdomain(key, cut) || self.checks.sibling)
    }

    /// Looks at mail exchangers (RFC 5321 section 5.1): names with addresses, no aliases.
    pub fn mx(&mut self, node: Node<'_>, rrset: &Rrset<'_>) -> Option<&'static str> {
        let checks = self.checks;
        for name in rrset.rdatas().filter_map(|rdata| rdata.get(2..)) {
            if self.is_fine(name) {
                continue;
            }
            let mut lower = [0; MAX_NAME];
            let key = lowered(name, &mut lower);
            let is_address = checks.mx != Mode::Ignore && looks_like_address(key, self.zone.key());
            let looked_up = checks.integrity && node.flags().is_plain();
            if is_address || (looked_up && self.is_bad_service(key, checks.mx_cname)) {
                return Some("MX target");
            }
        }
        None
    }

    /// Whether something is wrong with service targets (RFC 2782): names with addresses, no aliases.
    pub fn srv(&mut self, rrset: &Rrset<'_>) -> bool {
        let alias = self.checks.srv_cname;
        self.checks.integrity
            && rrset.rdatas().filter_map(|rdata| rdata.get(6..)).any(|name| {
                let mut lower = [0; MAX_NAME];
                !self.is_fine(name) && self.is_bad_service(lowered(name, &mut lower), alias)
            })
    }

    fn is_bad_service(&self, key: &[u8], alias: Mode) -> bool {
        if !self.is_here(key) {
            return false;
        }
        match find_address(self.zone, key) {
            Found::Alias | Found::BelowDname => alias != Mode::Ignore,
            Found::NoAddress => true,
            Found::Address | Found::Delegated => false,
        }
    }
}

fn lowered<'b>(name: &[u8], out: &'b mut [u8; MAX_NAME]) -> &'b [u8] {
    let key = &mut out[..name.len()];
    key.copy_from_slice(name);
    key.make_ascii_lowercase();
    key
}

/// Whether `key` is what an address becomes when it is written where a name belongs: `192.0.2.1` or
/// `2001:db8::1`, alone or, where the final dot was forgotten, below the apex.
fn looks_like_address(key: &[u8], zone_key: &[u8]) -> bool {
    let starts_like_v4 = key[0] <= 3 && key.get(1).is_some_and(u8::is_ascii_digit);
    if !starts_like_v4 && !key.contains(&b':') {
        return false;
    }
    let mut count = label_count(key);
    if is_subdomain(key, zone_key) {
        count -= label_count(zone_key);
    }
    let mut parts = labels(key).take(count);
    match count {
        4 => parts.all(|part| {
            let number = std::str::from_utf8(part).ok().filter(|_| part.iter().all(u8::is_ascii_digit));
            let is_plain = part.len() == 1 || part[0] != b'0';
            is_plain && number.is_some_and(|number| number.parse::<u8>().is_ok())
        }),
        1 => parts.all(|part| {
            let text = std::str::from_utf8(part).unwrap_or_default();
            text.contains(':') && text.parse::<Ipv6Addr>().is_ok()
        }),
        _ => false,
    }
}
