//! Zone checks as a question: where would Python's (`bindpy.zone.checks`) find anything in this zone?
//!
//! What that is, and how bad, is for Python to say: it looks at the owners that are suspects here. So a check
//! may suspect where there is nothing, at the price of time, and must never miss anything.

mod dnssec;
mod names;
mod targets;

use crate::rtype;
use crate::zone::{Node, Rrset, Zone};
use names::{is_good_owner, is_host_owner_type, is_nsec3_owner};
use targets::Targets;

/// What is made of a finding of some kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The zone is refused.
    Fail,
    /// It is told.
    Warn,
    /// It is not looked for.
    Ignore,
}

/// How strictly a zone's content is judged; see `bindpy.config.model.ZoneChecks`, field by field.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as there")]
pub struct Checks {
    pub names: Mode,
    pub mx: Mode,
    pub mx_cname: Mode,
    pub srv_cname: Mode,
    pub dup_records: Mode,
    pub spf: Mode,
    pub integrity: bool,
    pub sibling: bool,
    pub wildcard: bool,
    pub max_zone_ttl: Option<u32>,
    pub max_records: u64,
    pub max_records_per_type: u64,
    pub max_types_per_name: u64,
    pub ns: Mode,
    pub primary: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Checks {
            names: Mode::Fail,
            mx: Mode::Warn,
            mx_cname: Mode::Warn,
            srv_cname: Mode::Warn,
            dup_records: Mode::Warn,
            spf: Mode::Warn,
            integrity: true,
            sibling: true,
            wildcard: true,
            max_zone_ttl: None,
            max_records: 0,
            max_records_per_type: 100,
            max_types_per_name: 100,
            ns: Mode::Warn,
            primary: true,
        }
    }
}

/// Where there might be something to tell about a zone.
#[derive(Clone, Debug, Default)]
pub struct Suspects {
    /// Owners, each with what is thought of it.
    pub owners: Vec<(Box<[u8]>, &'static str)>,
    /// What is thought of the zone as a whole.
    pub apex: Option<&'static str>,
}

impl Suspects {
    /// Whether the zone is clean.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty() && self.apex.is_none()
    }
}

/// Looks at all of `zone`, a zone of class IN.
pub fn suspects(zone: &Zone, checks: &Checks) -> Suspects {
    let mut run = Run { zone, checks, targets: Targets::new(zone, checks) };
    let mut owners = Vec::new();
    for node in zone.nodes() {
        if let Some(thought) = run.node(node) {
            owners.push((node.owner().into(), thought));
        }
    }
    Suspects { owners, apex: run.apex() }
}

/// Whether nothing is to be told about `zone`, which is `clean`, a zone of which nothing was, but for the owners
/// `changed` (keys). O(their number), unless records elsewhere may point at what is no more.
pub fn is_clean_still(clean: &Zone, zone: &Zone, checks: &Checks, changed: &[Vec<u8>]) -> bool {
    if !changed.iter().all(|key| is_as_good_a_target(clean, zone, key)) {
        return suspects(zone, checks).is_empty();
    }
    let mut run = Run { zone, checks, targets: Targets::new(zone, checks) };
    let mut nodes = changed.iter().filter_map(|key| zone.find(key));
    nodes.all(|node| run.node(node).is_none()) && run.apex().is_none()
}

/// Whether records that point at `key` or below it are as well off in `zone` as they were in `before`.
fn is_as_good_a_target(before: &Zone, zone: &Zone, key: &[u8]) -> bool {
    let leads = |rrset: Rrset<'_>| match rrset.rtype() {
        rtype::A | rtype::AAAA => 1u8,
        rtype::CNAME => 2,
        rtype::NS => 4,
        rtype::DNAME => 8,
        _ => 0,
    };
    let kinds =
        |zone: &Zone| zone.find(key).map(|node| node.rrsets().map(leads).fold(0, std::ops::BitOr::bitor));
    match (kinds(before), kinds(zone)) {
        (Some(old), Some(new)) => old == new,
        // nothing was found there, and no wildcard made anything of it: what is there now can only help
        (None, Some(new)) => {
            new & !1 == 0 && !crate::name::is_wildcard(key) && !is_under_wildcard(before, key)
        }
        _ => false,
    }
}

/// Whether the closest name that there is above `key` has a wildcard below it.
fn is_under_wildcard(zone: &Zone, key: &[u8]) -> bool {
    let mut above = crate::name::parent(key);
    while let Some(name) = above {
        if let Some(node) = zone.find(name) {
            return node.flags().has_wildcard_child();
        }
        above = crate::name::parent(name);
    }
    false
}

struct Run<'a> {
    zone: &'a Zone,
    checks: &'a Checks,
    targets: Targets<'a>,
}

fn when(found: bool, what: &'static str) -> Option<&'static str> {
    found.then_some(what)
}

impl Run<'_> {
    fn node(&mut self, node: Node<'_>) -> Option<&'static str> {
        if node.is_empty_non_terminal() {
            return None;
        }
        let checks = self.checks;
        let mut lower = [0; crate::name::MAX_NAME];
        let key = &mut lower[..node.owner().len()];
        key.copy_from_slice(node.owner());
        key.make_ascii_lowercase();
        let key = &*key;
        if checks.wildcard && crate::name::labels(key).skip(1).any(|label| label == b"*") {
            return Some("a non-terminal wildcard");
        }
        let mut types = 0;
        for rrset in node.rrsets() {
            types += 1;
            if checks.max_zone_ttl.is_some_and(|most| rrset.ttl() > most) {
                return Some("max-zone-ttl");
            }
            if checks.max_records_per_type > 0 && rrset.len() as u64 > checks.max_records_per_type {
                return Some("max-records-per-type");
            }
            if checks.names != Mode::Ignore {
                let rtype = rrset.rtype();
                if is_host_owner_type(rtype) && !is_good_owner(key, rtype) {
                    return Some("check-names: an owner");
                }
                if names::has_bad_name(rtype, &rrset, key) {
                    return Some("check-names: a name in RDATA");
                }
            }
            if let Some(found) = self.rrset(key, node, &rrset) {
                return Some(found);
            }
        }
        when(checks.max_types_per_name > 0 && types > checks.max_types_per_name, "max-types-per-name")
    }

    fn rrset(&mut self, key: &[u8], node: Node<'_>, rrset: &Rrset<'_>) -> Option<&'static str> {
        let checks = self.checks;
        let wildcard = crate::name::is_wildcard(key);
        match rrset.rtype() {
            rtype::A | rtype::AAAA | rtype::TXT | rtype::RRSIG | rtype::DNSKEY => None,
            rtype::NS if wildcard => Some("NS at a wildcard"),
            rtype::NS if node.is_apex() => None,
            rtype::NS => self.targets.cut(key, node, rrset),
            rtype::MX => self.targets.mx(node, rrset),
            rtype::SRV => when(node.flags().is_plain() && self.targets.srv(rrset), "SRV target"),
            rtype::CNAME => {
                let beside = |rtype| {
                    use rtype::{CNAME, KEY, NSEC, NSEC3, RRSIG, SIG};
                    matches!(rtype, CNAME | RRSIG | NSEC | KEY | SIG | NSEC3)
                };
                let alone = rrset.len() == 1 && node.rrsets().all(|rrset| beside(rrset.rtype()));
                when(!alone, "CNAME and other data, or a second CNAME")
            }
            rtype::DNAME => when(rrset.len() > 1, "a second DNAME"),
            rtype::SOA => when(!node.is_apex() || rrset.len() > 1, "SOA below the apex, or two"),
            rtype::DS if node.is_apex() => Some("DS at the apex"),
            rtype::DS => {
                let looked_at = checks.integrity && node.flags().is_cut() && !node.flags().is_below_dname();
                when(looked_at && dnssec::has_retired_ds(rrset), "a deprecated DS")
            }
            rtype::NSEC3 => {
                let bad = wildcard || (checks.names != Mode::Ignore && !is_nsec3_owner(key));
                when(bad, "an NSEC3 owner that is no hash")
            }
            rtype::SPF => when(self.lacks_spf_txt(node), "SPF without TXT"),
            rtype::SIG | rtype::NXT => Some("old DNSSEC"),
            // names in which case counts in DNSSEC
            rtype::NSEC | rtype::LP | rtype::HIP | rtype::IPSECKEY | rtype::AMTRELAY => {
                when(checks.dup_records != Mode::Ignore && rrset.len() > 1, "identical records")
            }
            _ => None,
        }
    }

    fn lacks_spf_txt(&self, node: Node<'_>) -> bool {
        if self.checks.spf == Mode::Ignore || !self.checks.integrity || !node.flags().is_plain() {
            return false;
        }
        let is_spf = |rdata: &[u8]| match rdata {
            [size, text @ ..] => text.starts_with(b"v=spf1") && (*size == 6 || text.get(6) == Some(&b' ')),
            [] => false,
        };
        !node.rrset(rtype::TXT).is_some_and(|txt| txt.rdatas().any(is_spf))
    }

    fn apex(&mut self) -> Option<&'static str> {
        let apex = self.zone.apex();
        let Some(ns) = apex.rrset(rtype::NS) else { return Some("no NS") };
        if self.checks.max_records > 0 && self.zone.rr_count() > self.checks.max_records {
            return Some("max-records");
        }
        when(self.targets.apex_ns(&ns), "an apex NS").or_else(|| dnssec::apex(apex))
    }
}
