//! What changed between two versions of a zone, and how to apply it (RFC 1995; see `bindpy.zone.diff`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::builder::{BuildError, ZoneBuilder, write_records};
use super::denial::{self, Denial};
use super::record::{Record, Rrset};
use super::{APEX, Data, Node, NodeFlags, Zone};
use crate::{name, rdata, rtype};

/// One record on its way somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rr {
    /// The owner, case kept.
    pub owner: Box<[u8]>,
    /// The type.
    pub rtype: u16,
    /// The TTL in seconds.
    pub ttl: u32,
    /// The RDATA in uncompressed wire form.
    pub rdata: Box<[u8]>,
}

/// The records to remove from one version of a zone and those to add to get the next.
///
/// The SOAs stand apart because IXFR uses them as marks; they are in neither list. A change of an RRset's TTL
/// removes and adds all of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The SOA that this starts from.
    pub old_soa: Rr,
    /// The SOA that this leads to.
    pub new_soa: Rr,
    /// What is in the old version only.
    pub removed: Vec<Rr>,
    /// What is in the new version only.
    pub added: Vec<Rr>,
}

/// Why a delta cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// The delta starts from another serial than the zone's.
    Serial {
        /// What it starts from.
        delta: u32,
        /// The zone's.
        zone: u32,
    },
    /// It removes a record of this type that is not there.
    NotThere(u16),
    /// It adds a record of this type that is there already.
    ThereAlready(u16),
    /// What comes out is no zone.
    Build(BuildError),
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { delta, zone } => {
                write!(f, "the delta starts from serial {delta}, the zone has {zone}")
            }
            Self::NotThere(rtype) => {
                write!(f, "the delta removes a record of type {rtype} that is not there")
            }
            Self::ThereAlready(rtype) => {
                write!(f, "the delta adds a record of type {rtype} that is there already")
            }
            Self::Build(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ApplyError {}

impl From<BuildError> for ApplyError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

impl Zone {
    /// Returns the SOA as a record.
    pub fn soa_record(&self) -> Rr {
        let soa = self.soa();
        Rr { owner: self.origin().into(), rtype: rtype::SOA, ttl: soa.ttl(), rdata: soa.first().into() }
    }

    /// Returns what leads from this version to `new`, another version of the zone.
    pub fn diff(&self, new: &Zone) -> Delta {
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        walk(self, new, |old, new| {
            match (old, new) {
                (Some(old), Some(new)) => diff_node(old, new, &mut removed, &mut added),
                (Some(old), None) => old.rrsets().for_each(|rrset| push(&mut removed, old, rrset, |_| true)),
                (None, Some(new)) => new.rrsets().for_each(|rrset| push(&mut added, new, rrset, |_| true)),
                (None, None) => {}
            }
            true
        });
        Delta { old_soa: self.soa_record(), new_soa: new.soa_record(), removed, added }
    }

    /// Returns whether `other` holds the same records, whatever their order and the case of owners.
    pub fn same_data(&self, other: &Zone) -> bool {
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        let head = |zone: &Zone| (zone.rr_count(), zone.class(), zone.node_count());
        let mut same = head(self) == head(other) && self.key() == other.key();
        if same {
            walk(self, other, |one, two| {
                same = matches!((one, two), (Some(one), Some(two)) if same_records(one, two));
                same
            });
        }
        same
    }

    /// Returns the zone after `deltas`, in their order. What they do not touch is shared.
    pub fn apply(&self, deltas: &[Delta]) -> Result<Zone, ApplyError> {
        self.apply_with(deltas, false)
    }

    /// Returns the zone after `deltas`, which may add what is there already if it is exactly that.
    pub fn apply_repeating(&self, deltas: &[Delta]) -> Result<Zone, ApplyError> {
        self.apply_with(deltas, true)
    }

    fn apply_with(&self, deltas: &[Delta], may_repeat: bool) -> Result<Zone, ApplyError> {
        let mut soa = self.soa_record();
        let mut touched = Touched { zone: self, nodes: HashMap::new() };
        for delta in deltas {
            let (zone, start) = (rdata::soa_serial(&soa.rdata), rdata::soa_serial(&delta.old_soa.rdata));
            if zone != start {
                return Err(ApplyError::Serial { delta: start, zone });
            }
            for rr in &delta.removed {
                if !touched.at(&rr.owner).remove(rr) {
                    return Err(ApplyError::NotThere(rr.rtype));
                }
            }
            for rr in &delta.added {
                let key = name::key(&rr.owner);
                if !name::is_subdomain(&key, self.key()) {
                    return Err(BuildError::OutOfZone.into());
                }
                let records = touched.at(&rr.owner);
                if may_repeat && records.has(rr) {
                    continue;
                }
                if !records.add(rr) {
                    return Err(ApplyError::ThereAlready(rr.rtype));
                }
            }
            soa = delta.new_soa.clone();
        }
        touched.at(self.origin()).records.insert(0, Some((rtype::SOA, soa.ttl, soa.rdata.clone())));
        let nodes = touched.nodes;
        let mut change = Change::new(&self.0);
        change.data.serial = rdata::soa_serial(&soa.rdata);
        change.place(nodes)?;
        let zone = Zone(Arc::new(change.data));
        if zone.0.denial == zone.0.choose_denial() { Ok(zone) } else { Ok(zone.rebuilt()?) }
    }

    /// Returns the zone with the records that `builder` has of the names `keys` in place of those that were there;
    /// `None` where its denial changes, or it has no SOA any more.
    pub(crate) fn with_owners(
        &self,
        keys: &[Vec<u8>],
        builder: &ZoneBuilder,
    ) -> Result<Option<Zone>, BuildError> {
        let mut touched = Touched { zone: self, nodes: HashMap::new() };
        for key in keys {
            let records = touched.at(key);
            records.places.clear();
            records.records.clear();
            if let Some(node) = builder.number(key) {
                records.owner = builder.name(node).into();
                let new = builder.records_of(node);
                records.records.extend(new.map(|(rtype, ttl, rdata)| Some((rtype, ttl, rdata.into()))));
            }
        }
        let nodes = touched.nodes;
        let mut change = Change::new(&self.0);
        change.place(nodes)?;
        let mut data = change.data;
        let Some(soa) = data.store.get(APEX).0.get(rtype::SOA) else { return Ok(None) };
        data.serial = rdata::soa_serial(soa.first());
        Ok((data.denial == data.choose_denial()).then(|| Zone(Arc::new(data))))
    }

    /// Returns the zone made anew of its records.
    fn rebuilt(&self) -> Result<Zone, BuildError> {
        let mut builder = ZoneBuilder::new(self.origin(), self.class());
        for node in self.nodes() {
            for rrset in node.rrsets() {
                for rdata in rrset.rdatas() {
                    builder.add(node.owner(), rrset.rtype(), rrset.ttl(), rdata)?;
                }
            }
        }
        builder.finish()
    }
}

/// Calls `visit` with the node of each name that is not the same in both versions, and maybe of others, in canonical
/// order, while that returns true. What the two share is passed over.
fn walk<'a>(old: &'a Zone, new: &'a Zone, mut visit: impl FnMut(Option<Node<'a>>, Option<Node<'a>>) -> bool) {
    let Some(ids) = old.0.store.maybe_changed(&new.0.store) else { return walk_all(old, new, visit) };
    let owner = |zone: &Zone, id| zone.0.store.get_if_used(id).map(|(record, _)| name::key(record.owner()));
    let mut keys: Vec<Vec<u8>> =
        ids.into_iter().flat_map(|id| [owner(old, id), owner(new, id)]).flatten().collect();
    keys.sort_unstable_by(|one, two| name::canonical_cmp(one, two));
    keys.dedup();
    for key in keys {
        if !visit(old.find(&key), new.find(&key)) {
            return;
        }
    }
}

/// Does that for all names.
fn walk_all<'a>(
    old: &'a Zone,
    new: &'a Zone,
    mut visit: impl FnMut(Option<Node<'a>>, Option<Node<'a>>) -> bool,
) {
    let (mut olds, mut news) = (old.nodes(), new.nodes());
    let (mut one, mut two) = (olds.next(), news.next());
    while one.is_some() || two.is_some() {
        let order = match (&one, &two) {
            (Some(old), Some(new)) if old.owner().eq_ignore_ascii_case(new.owner()) => {
                std::cmp::Ordering::Equal
            }
            (Some(old), Some(new)) => name::canonical_cmp(old.owner(), new.owner()),
            (Some(_), None) => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        };
        let go_on = match order {
            std::cmp::Ordering::Less => visit(one, None),
            std::cmp::Ordering::Equal => visit(one, two),
            std::cmp::Ordering::Greater => visit(None, two),
        };
        if !go_on {
            return;
        }
        if order.is_le() {
            one = olds.next();
        }
        if order.is_ge() {
            two = news.next();
        }
    }
}

fn push(out: &mut Vec<Rr>, node: Node<'_>, rrset: Rrset<'_>, mut wanted: impl FnMut(&[u8]) -> bool) {
    if rrset.rtype() == rtype::SOA {
        return;
    }
    let rrs = rrset.rdatas().filter(|rdata| wanted(rdata)).map(|rdata| Rr {
        owner: node.owner().into(),
        rtype: rrset.rtype(),
        ttl: rrset.ttl(),
        rdata: rdata.into(),
    });
    out.extend(rrs);
}

fn matching<'a>(node: Node<'a>, rrset: Rrset<'_>) -> Option<Rrset<'a>> {
    node.rrsets().find(|other| (other.rtype(), other.covers()) == (rrset.rtype(), rrset.covers()))
}

fn diff_node(old: Node<'_>, new: Node<'_>, removed: &mut Vec<Rr>, added: &mut Vec<Rr>) {
    if old.record.body() == new.record.body() {
        return;
    }
    for (from, to, out) in [(old, new, removed), (new, old, added)] {
        for rrset in from.rrsets() {
            match matching(to, rrset) {
                Some(other) if other.ttl() == rrset.ttl() => {
                    let stays: BTreeSet<&[u8]> = other.rdatas().collect();
                    push(out, from, rrset, |rdata| !stays.contains(rdata));
                }
                _ => push(out, from, rrset, |_| true),
            }
        }
    }
}

fn same_records(one: Node<'_>, two: Node<'_>) -> bool {
    if one.record.body() == two.record.body() {
        return true;
    }
    one.rrsets().count() == two.rrsets().count()
        && one.rrsets().all(|rrset| {
            matching(two, rrset).is_some_and(|other| {
                let sorted = |rrset: Rrset<'_>| rrset.rdatas().map(Vec::from).collect::<BTreeSet<_>>();
                other.ttl() == rrset.ttl() && other.len() == rrset.len() && sorted(other) == sorted(rrset)
            })
        })
}

/// Type, TTL and RDATA of a record whose owner is known; `None` once it is removed.
type OwnedRecord = Option<(u16, u32, Box<[u8]>)>;

/// The records of one owner, in their order, while deltas are followed. The SOA is not among them.
struct Records {
    owner: Box<[u8]>,
    records: Vec<OwnedRecord>,
    places: HashMap<(u16, Box<[u8]>), usize>,
    was: usize,
}

impl Records {
    fn remove(&mut self, rr: &Rr) -> bool {
        match self.places.remove(&(rr.rtype, rr.rdata.clone())) {
            Some(at) => self.records[at].take().is_some(),
            None => false,
        }
    }

    fn has(&self, rr: &Rr) -> bool {
        let place = self.places.get(&(rr.rtype, rr.rdata.clone()));
        place.is_some_and(|&place| self.records[place].as_ref().is_some_and(|record| record.1 == rr.ttl))
    }

    fn add(&mut self, rr: &Rr) -> bool {
        let known = self.places.insert((rr.rtype, rr.rdata.clone()), self.records.len());
        if self.records.iter().all(Option::is_none) {
            self.owner = rr.owner.clone();
        }
        self.records.push(Some((rr.rtype, rr.ttl, rr.rdata.clone())));
        known.is_none()
    }
}

struct Touched<'a> {
    zone: &'a Zone,
    nodes: HashMap<Vec<u8>, Records>,
}

impl Touched<'_> {
    fn at(&mut self, owner: &[u8]) -> &mut Records {
        let zone = self.zone;
        self.nodes.entry(name::key(owner)).or_insert_with_key(|key| {
            let node = zone.find(key);
            let (mut records, mut places, mut was) = (Vec::new(), HashMap::new(), 0);
            for rrset in node.iter().flat_map(Node::rrsets) {
                was += rrset.len();
                for rdata in rrset.rdatas().filter(|_| rrset.rtype() != rtype::SOA) {
                    places.insert((rrset.rtype(), rdata.into()), records.len());
                    records.push(Some((rrset.rtype(), rrset.ttl(), rdata.into())));
                }
            }
            let owner = node.map_or(owner, |node| node.owner()).into();
            Records { owner, records, places, was }
        })
    }
}

impl Data {
    /// Returns how the zone denies, by its records.
    fn choose_denial(&self) -> Denial {
        let apex = self.store.get(APEX).0;
        let params = apex.get(rtype::NSEC3PARAM).map(|rrset| rrset.rdatas());
        denial::choose(&self.key, apex.get(rtype::NSEC).is_some(), params.into_iter().flatten(), |owner| {
            Some(self.store.get(self.find(owner)?).0.get(rtype::NSEC3)?.first())
        })
    }
}

/// A new version while it is made.
struct Change {
    data: Data,
    /// Nodes whose flags may change, by their sort keys: parents before children.
    unsure: BTreeMap<Vec<u8>, u32>,
}

impl Change {
    fn new(base: &Data) -> Self {
        let data = Data { apex_denial: OnceLock::new(), layout: None, ..base.clone() };
        Change { data, unsure: BTreeMap::new() }
    }

    /// Puts `nodes`, by their keys, in place of what was there.
    fn place(&mut self, nodes: HashMap<Vec<u8>, Records>) -> Result<(), BuildError> {
        let mut octets = Vec::new();
        let mut new = Vec::new();
        let mut emptied = BTreeMap::new();
        let mut in_chain = Vec::new();
        let mut nodes: Vec<(Vec<u8>, Records)> = nodes.into_iter().collect();
        nodes.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        for (key, node) in &nodes {
            let id = self.data.find(key);
            let records = node.records.iter().flatten().map(|(rtype, ttl, rdata)| (*rtype, *ttl, &**rdata));
            if records.clone().next().is_none() {
                self.data.rr_count -= node.was as u64;
                if let Some(id) = id {
                    emptied.insert(self.data.place(key).to_vec(), id);
                }
                continue;
            }
            let id = match id {
                Some(id) => {
                    in_chain.push((id, self.data.is_in_chain(id)));
                    id
                }
                None => {
                    let id = self.data.store.take_id();
                    new.push((key.clone(), id));
                    in_chain.push((id, false));
                    id
                }
            };
            let count = self.write(&mut octets, id, &node.owner, records)?;
            self.data.rr_count = self.data.rr_count + count - node.was as u64;
        }
        self.data.store.append(octets);
        self.remove(emptied);
        let parents = self.add_parents(&mut new)?;
        self.data.store.append(parents);
        for (key, id) in &new {
            self.insert(key, *id);
        }
        for (id, was) in in_chain {
            self.unsure.insert(self.data.place(self.data.store.get(id).0.owner()).to_vec(), id);
            let is = self.data.is_in_chain(id);
            self.update_chain(id, was, is);
        }
        self.update_flags();
        self.data.store.tidy();
        Ok(())
    }

    fn write<'a>(
        &self,
        out: &mut Vec<u8>,
        id: u32,
        owner: &[u8],
        records: impl Iterator<Item = (u16, u32, &'a [u8])>,
    ) -> Result<u64, BuildError> {
        let hash = match &self.data.denial {
            Denial::Nsec3(params) => Some(params.hash(&name::key(owner))),
            _ => None,
        };
        let owner = if id == APEX { &self.data.origin } else { owner };
        write_records(out, id, owner, hash.as_ref(), records)
    }

    fn update_chain(&mut self, id: u32, was: bool, is: bool) {
        let mut chain = std::mem::replace(&mut self.data.chain, super::Order::empty());
        match (was, is) {
            (true, false) => chain.remove(id, &self.data),
            (false, true) => chain.insert(id, &self.data),
            _ => {}
        }
        self.data.chain = chain;
    }

    /// Takes the nodes out, by their sort keys, that have no records left, and the empty non-terminals above
    /// that they were for; those with names below become empty non-terminals.
    fn remove(&mut self, mut emptied: BTreeMap<Vec<u8>, u32>) {
        let mut empty = Vec::new();
        while let Some((place, id)) = emptied.pop_last() {
            let owner: Vec<u8> = self.data.store.get(id).0.owner().into();
            if self.data.is_in_chain(id) {
                self.update_chain(id, true, false);
            }
            let mut after = self.data.order.after(&place, &self.data);
            let below = after.next().map(|id| self.data.store.get(id).0.owner());
            let key = name::key(&owner);
            if below.is_some_and(|below| name::is_subdomain(&name::key(below), &key)) {
                // its records go away with the next chunk
                empty.push((id, owner));
                self.unsure.insert(place, id);
                continue;
            }
            let mut order = std::mem::replace(&mut self.data.order, super::Order::empty());
            order.remove(id, &self.data);
            self.data.order = order;
            let hash = self.data.index.hash(&key);
            self.data.index.remove(hash, id);
            self.unsure.remove(&place);
            self.data.store.free(id);
            let above = &key[1 + key[0] as usize..];
            let Some(parent) = self.data.find(above) else { continue };
            let record = self.data.store.get(parent).0;
            let place = self.data.place(record.owner()).to_vec();
            if record.rrset_count() == 0 {
                emptied.insert(place, parent);
            } else {
                self.unsure.insert(place, parent);
            }
        }
        let mut octets = Vec::new();
        for (id, owner) in empty {
            // an empty node is never too large
            let _ = self.write(&mut octets, id, &owner, std::iter::empty());
        }
        self.data.store.append(octets);
    }

    /// Makes the empty non-terminals above `new` nodes.
    fn add_parents(&mut self, new: &mut Vec<(Vec<u8>, u32)>) -> Result<Vec<u8>, BuildError> {
        let mut octets = Vec::new();
        let mut known: BTreeSet<Vec<u8>> = new.iter().map(|(key, _)| key.clone()).collect();
        for at in 0..new.len() {
            let mut key = new[at].0.clone();
            loop {
                key.drain(..=key[0] as usize);
                if let Some(parent) = self.data.find(&key) {
                    let place = self.data.place(&key).to_vec();
                    self.unsure.insert(place, parent);
                    break;
                }
                if !known.insert(key.clone()) {
                    break;
                }
                let id = self.data.store.take_id();
                self.write(&mut octets, id, &key, std::iter::empty())?;
                new.push((key.clone(), id));
            }
        }
        Ok(octets)
    }

    fn insert(&mut self, key: &[u8], id: u32) {
        let mut order = std::mem::replace(&mut self.data.order, super::Order::empty());
        order.insert(id, &self.data);
        self.data.order = order;
        let hash = self.data.index.hash(key);
        self.data.index.insert(hash, id);
        self.unsure.insert(self.data.place(key).to_vec(), id);
    }

    /// Works out the flags of the nodes that are unsure, and of those below where that matters.
    fn update_flags(&mut self) {
        while let Some((place, id)) = self.unsure.pop_first() {
            let old = self.data.store.flags(id);
            let flags = self.flags(id);
            if flags == old {
                continue;
            }
            self.data.store.set_flags(id, flags);
            if flags.passed_down() == old.passed_down() {
                continue;
            }
            let key = name::key(self.data.store.get(id).0.owner());
            let below = |id: &u32| name::is_subdomain(&name::key(self.data.store.get(*id).0.owner()), &key);
            let ids: Vec<u32> = self.data.order.after(&place, &self.data).take_while(below).collect();
            for id in ids {
                self.unsure.insert(self.data.place(self.data.store.get(id).0.owner()).to_vec(), id);
            }
        }
    }

    fn flags(&self, id: u32) -> NodeFlags {
        let record: Record<'_> = self.data.store.get(id).0;
        let key = name::key(record.owner());
        let above = match id {
            APEX => None,
            _ => self.data.find(&key[1 + key[0] as usize..]).map(|above| self.data.store.flags(above)),
        };
        let nsec3 = record.get(rtype::NSEC3);
        let apex = self.data.key.len();
        let in_chain = nsec3.is_some_and(|rrset| self.data.denial.has_in_chain(&key, apex, rrset.first()));
        let mut flags = NodeFlags::new(above, in_chain, record.rrsets().map(|rrset| rrset.rtype()));
        if flags.passed_down() == (false, false) {
            let child = [b"\x01*", &key[..]].concat();
            if self.data.find(&child).is_some() {
                flags.0 |= NodeFlags::WILDCARD_CHILD;
            }
        }
        flags
    }
}
