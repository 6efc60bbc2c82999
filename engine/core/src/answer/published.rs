//! What is served: the views, and in each the zones. Immutable; a change makes a new [`State`] that shares
//! all but the way to what changed.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use foldhash::quality::FixedState;
use imbl::GenericHashMap;
use imbl::shared_ptr::DefaultSharedPtr;

use super::acl::Sender;
use super::chaos::ChaosZones;
use super::denials::Denials;
use super::policy::{AnswerPolicy, LocalNetwork, ViewPolicy, ZonePolicy};
use super::soa::CompressedSoa;
use crate::name::{self, MAX_LABELS};
use crate::rtype;
use crate::zone::Zone;

/// Why a zone of ours has no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// It has not been loaded, or cannot be.
    NotReady,
    /// Its primaries have not been heard of for too long; clients are told (RFC 8914).
    Expired,
}

/// The policy has no view of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownView;

impl std::fmt::Display for UnknownView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the policy has no view of that name")
    }
}

impl std::error::Error for UnknownView {}

/// One zone of one view.
pub struct Served {
    pub key: Box<[u8]>,
    /// The number of labels of its name.
    labels: u8,
    pub content: Result<Zone, Unavailable>,
    pub policy: Arc<ZonePolicy>,
    /// Everybody may ask.
    pub open: bool,
    /// The TTL of the SOA of negative answers, and of its signatures: at most the SOA's MINIMUM field
    /// (RFC 2308 sections 3 and 5).
    pub negative_ttl: u32,
    pub negative_signatures_ttl: u32,
    /// That SOA, once it was asked for: of most of very many zones it never is.
    soa: OnceLock<Box<CompressedSoa>>,
    /// What its signed denials have in common, likewise.
    denials: OnceLock<Option<Box<Denials>>>,
    /// How many queries it was the zone of.
    pub queries: Arc<AtomicU64>,
}

impl Served {
    pub fn new(
        origin: &[u8],
        content: Result<Zone, Unavailable>,
        policy: Arc<ZonePolicy>,
        queries: Arc<AtomicU64>,
    ) -> Self {
        let (mut negative_ttl, mut negative_signatures_ttl) = (0, 0);
        if let Ok(zone) = &content {
            let soa = zone.soa();
            let minimum = soa.first().last_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
            negative_ttl = soa.ttl().min(minimum);
            negative_signatures_ttl = soa.signatures().map_or(0, |sigs| sigs.ttl().min(negative_ttl));
        }
        let open = policy.allow_query.matches_all() && policy.allow_query_on.matches_all();
        let key: Box<[u8]> = name::key(origin).into();
        let labels = name::label_count(&key) as u8;
        Self {
            key,
            labels,
            content,
            policy,
            open,
            negative_ttl,
            negative_signatures_ttl,
            soa: OnceLock::new(),
            denials: OnceLock::new(),
            queries,
        }
    }

    /// Returns the RDATA of the SOA of `zone`, which is the zone served, compressed beforehand.
    pub fn compressed_soa(&self, zone: &Zone) -> &CompressedSoa {
        self.soa.get_or_init(|| Box::new(CompressedSoa::new(zone.origin(), zone.soa().first())))
    }

    /// Returns what the signed denials of `zone`, which is the zone served, have in common, if anything.
    pub fn denials(&self, zone: &Zone) -> Option<&Denials> {
        self.denials.get_or_init(|| Denials::new(self, zone).map(Box::new)).as_deref()
    }

    /// Returns whether `sender` may ask for the zone's data.
    pub fn admits(&self, sender: &Sender<'_>, local: &LocalNetwork) -> bool {
        self.policy.allow_query.matches(sender.client, sender.keys, local)
            && self.policy.allow_query_on.matches(sender.local, sender.keys, local)
    }

    pub fn count_query(&self) {
        self.queries.fetch_add(1, Ordering::Relaxed);
    }
}

/// A zone by its name. A change copies the way to it, and with it its neighbours: that counts references, and
/// allocates nothing.
#[derive(Clone)]
struct ByKey(Arc<Served>);

impl Borrow<[u8]> for ByKey {
    fn borrow(&self) -> &[u8] {
        &self.0.key
    }
}

impl Hash for ByKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for ByKey {}

/// A set, of which one can ask for what is in it. Unlike that of `std`, its `insert` replaces the key as well.
type Zones = GenericHashMap<ByKey, (), FixedState, DefaultSharedPtr>;

/// Zones by name. A copy costs next to nothing, and a change of a copy the way to what changed.
#[derive(Clone)]
pub struct ZoneTable {
    zones: Zones,
    /// How many zones have names of so many labels.
    by_labels: Arc<[u32; MAX_LABELS + 1]>,
    /// The numbers of labels that there are: others need not be looked for.
    present: u128,
}

impl Default for ZoneTable {
    fn default() -> Self {
        let zones = Zones::with_hasher(FixedState::default());
        Self { zones, by_labels: Arc::new([0; MAX_LABELS + 1]), present: 0 }
    }
}

impl ZoneTable {
    pub fn get(&self, key: &[u8]) -> Option<&Arc<Served>> {
        self.zones.get_key_value(key).map(|(zone, ())| &zone.0)
    }

    pub fn len(&self) -> usize {
        self.zones.len()
    }

    /// Serves `content` at `origin`, with the counters of what was there.
    pub fn put(&mut self, origin: &[u8], content: Result<Zone, Unavailable>, policy: Arc<ZonePolicy>) {
        let known = self.get(&name::key(origin));
        let queries = known.map_or_else(Arc::default, |known| known.queries.clone());
        self.insert(Served::new(origin, content, policy, queries));
    }

    fn insert(&mut self, served: Served) {
        let labels = name::label_count(&served.key);
        if self.zones.insert(ByKey(Arc::new(served)), ()).is_none() {
            Arc::make_mut(&mut self.by_labels)[labels] += 1;
            self.present |= 1 << labels;
        }
    }

    pub fn remove(&mut self, key: &[u8]) {
        if self.zones.remove(key).is_some() {
            let labels = name::label_count(key);
            let count = &mut Arc::make_mut(&mut self.by_labels)[labels];
            *count -= 1;
            if *count == 0 {
                self.present &= !(1 << labels);
            }
        }
    }

    /// Returns the zone of `key`, of so many `labels`, or of its closest ancestor (RFC 1034 section 4.3.2 step 2).
    fn longest_match(&self, mut key: &[u8], mut labels: usize) -> Option<&Served> {
        loop {
            if self.present >> labels & 1 != 0
                && let Some(served) = self.get(key)
            {
                return Some(served);
            }
            key = name::parent(key)?;
            labels -= 1;
        }
    }

    /// Returns the closest zone of `key`, which has so many `labels`; for DS at an apex the parent's zone, where it
    /// is served.
    ///
    /// RFC 4035 section 3.1.4.1: the parent answers for DS, and the child must where the parent is not here.
    pub fn find(&self, key: &[u8], labels: usize, qtype: u16) -> Option<&Served> {
        let served = self.longest_match(key, labels)?;
        if qtype == rtype::DS
            && *key == *served.key
            && let Some(above) = name::parent(key)
        {
            return self.longest_match(above, labels - 1).or(Some(served));
        }
        Some(served)
    }

    /// Returns whether it is plain that [`Self::find`] would return `served`, one of these zones: that takes less than
    /// to find it.
    #[inline]
    pub fn is_plainly(&self, served: &Served, key: &[u8], labels: usize, qtype: u16) -> bool {
        // Zones of more labels, up to those that the name has, are closer to it.
        let its_labels = usize::from(served.labels);
        let closer = (self.present & (u128::MAX >> (MAX_LABELS - labels))) >> its_labels >> 1;
        closer == 0 && labels >= its_labels && qtype != rtype::DS && {
            let above = (0..labels - its_labels).fold(0, |at, _| at + 1 + usize::from(key[at]));
            key[above..] == *served.key
        }
    }
}

/// A view at work.
#[derive(Clone)]
pub struct View {
    pub policy: Arc<ViewPolicy>,
    pub zones: ZoneTable,
}

impl View {
    fn is_for_everybody(&self) -> bool {
        let policy = &self.policy;
        policy.match_clients.matches_all()
            && policy.match_destinations.matches_all()
            && !policy.match_recursive_only
    }

    /// Returns whether queries of `sender` are this view's.
    fn serves(&self, sender: &Sender<'_>, recursion_desired: bool, local: &LocalNetwork) -> bool {
        let policy = &self.policy;
        (recursion_desired || !policy.match_recursive_only)
            && policy.match_clients.matches(sender.client, sender.keys, local)
            && policy.match_destinations.matches(sender.local, sender.keys, local)
    }
}

/// All that a query is answered from; a query sees one of these.
#[derive(Clone)]
pub struct State {
    pub(super) policy: Arc<AnswerPolicy>,
    pub(super) views: Vec<View>,
    pub(super) chaos: Arc<ChaosZones>,
    /// No other state of the same answerer has this number.
    pub(super) generation: u64,
    /// Neither views nor `blackhole` tell clients apart: the first view serves them all.
    everybody: bool,
}

/// Whose a query is.
pub enum Claim<'a> {
    /// It is to be dropped.
    Blackholed,
    /// No view's.
    Nobody,
    /// That view's.
    View(&'a View),
}

impl State {
    /// Returns the state for `policy` with the zones of `old`, where its views are still there.
    pub(super) fn configured(policy: AnswerPolicy, old: &[View]) -> Self {
        let zones_of = |name: &str| {
            let known = old.iter().find(|view| view.policy.name == name);
            known.map_or_else(ZoneTable::default, |view| view.zones.clone())
        };
        let views: Vec<View> = policy
            .views
            .iter()
            .map(|view| View { policy: Arc::new(view.clone()), zones: zones_of(&view.name) })
            .collect();
        let everybody = views.first().is_some_and(View::is_for_everybody) && policy.blackhole.matches_none();
        let chaos = Arc::new(ChaosZones::new(&policy));
        Self { policy: Arc::new(policy), views, chaos, generation: 0, everybody }
    }

    /// Whether it matters to no view who asks.
    #[inline]
    pub(super) fn is_for_everybody(&self) -> bool {
        self.everybody
    }

    /// Returns the zones of `view`, to be changed.
    pub(super) fn zones_of(&mut self, view: &str) -> Result<&mut ZoneTable, UnknownView> {
        let found = self.views.iter_mut().find(|known| known.policy.name == view);
        found.map(|known| &mut known.zones).ok_or(UnknownView)
    }

    /// Returns whose a query of `sender` is, who is not looked at where all are treated alike.
    #[inline]
    pub(super) fn claim<'s>(
        &self,
        sender: impl FnOnce() -> Sender<'s>,
        recursion_desired: bool,
    ) -> Claim<'_> {
        if self.everybody {
            return Claim::View(&self.views[0]);
        }
        let sender = &sender();
        let local = &self.policy.local;
        if self.policy.blackhole.matches(sender.client, sender.keys, local) {
            return Claim::Blackholed;
        }
        let serving = self.views.iter().find(|view| view.serves(sender, recursion_desired, local));
        serving.map_or(Claim::Nobody, Claim::View)
    }

    /// Returns the name of the view that serves such requests, `None` where none does.
    #[must_use]
    pub fn view_of(
        &self,
        client: IpAddr,
        local: IpAddr,
        recursion_desired: bool,
        keys: &[String],
    ) -> Option<&str> {
        match self.claim(|| Sender::new(client, local, keys), recursion_desired) {
            Claim::View(view) => Some(&view.policy.name),
            Claim::Nobody | Claim::Blackholed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_plainly_the_closest_only_where_it_is() {
        let origins: [&[u8]; 4] =
            [b"\x04test\0", b"\x01a\x04test\0", b"\x01c\x01b\x01a\x04test\0", b"\x03org\0"];
        let longest = [b"\x01x".repeat(MAX_LABELS - 1), b"\x01y\0".to_vec()].concat();
        let names: [&[u8]; 8] = [
            b"\0",
            b"\x04test\0",
            b"\x01a\x04test\0",
            b"\x01b\x01a\x04test\0",
            b"\x01d\x01c\x01b\x01a\x04test\0",
            b"\x01b\x04test\0",
            b"\x03\x01a\x04\x04test\0",
            &longest,
        ];
        for served in 1..1 << origins.len() {
            let mut zones = ZoneTable::default();
            for (_, origin) in origins.iter().enumerate().filter(|(number, _)| served >> number & 1 != 0) {
                zones.put(origin, Err(Unavailable::NotReady), Arc::default());
            }
            let known: Vec<&Arc<Served>> = origins.iter().filter_map(|origin| zones.get(origin)).collect();
            let mut plain = 0;
            for (name, qtype) in names.iter().flat_map(|name| [(name, rtype::A), (name, rtype::DS)]) {
                let labels = name::label_count(name);
                let found = zones.find(name, labels, qtype).map(|served| &served.key);
                for served in known.iter().filter(|served| zones.is_plainly(served, name, labels, qtype)) {
                    assert_eq!(found, Some(&served.key), "{name:?}");
                    plain += 1;
                }
            }
            assert!(plain > 0 || known.iter().all(|served| *served.key == *origins[3]));
        }
    }
}
