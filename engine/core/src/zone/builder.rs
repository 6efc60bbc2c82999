//! From records in any order to a zone.
//!
//! Records are staged in a few large runs of octets, linked by number, and written out once, in canonical
//! order: names that are neighbours in the zone are neighbours in memory.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::denial::{self, Denial};
use super::hash::{HashIndex, NameHasher};
use super::order::Order;
use super::record::{NodeWriter, Record};
use super::store::{CHUNK, MAX_CHUNK, Store};
use super::{Data, NodeFlags, Zone};
use crate::name::{self, SortKey};
use crate::{rdata, rtype};

/// Why records do not make a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// An owner name that is not at or below the origin.
    OutOfZone,
    /// No SOA record at the apex.
    NoSoa,
    /// More octets than offsets of 32 bits can tell apart.
    TooLarge,
    /// More RRsets at one name than [`MAX_RRSETS`].
    TooManyRrsets,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfZone => "owner is not in the zone",
            Self::NoSoa => "the zone has no SOA record at its apex",
            Self::TooLarge => "the zone has more octets than one zone can have",
            Self::TooManyRrsets => return write!(f, "a name has more than {MAX_RRSETS} RRsets"),
        })
    }
}

impl std::error::Error for BuildError {}

const NONE: u32 = u32::MAX;
/// The most RRsets of one node, RRSIGs counted for each type that they cover: they are searched one by one.
/// `bindpy.zone.snapshot.MAX_RRSETS` is the same.
const MAX_RRSETS: usize = 8192;
/// A file of which more is taken for granted may be a sparse one.
const MAX_RESERVED: u64 = 1 << 28;
/// Octets of a zone file below which all of the zone is made room for at once: what that takes in vain is little.
const SMALL: u64 = 1 << 16;
/// Records of an RRset from which on a hash table finds duplicates.
const MANY: u32 = 16;
/// Where staging ends: offsets have 32 bits.
const MAX_STAGED: usize = (u32::MAX - (1 << 17)) as usize;

struct StagedNode {
    /// Where its name is, length first.
    name: u32,
    hash: u32,
    first: u32,
    last: u32,
}

struct StagedRrset {
    rtype: u16,
    covers: u16,
    ttl: u32,
    count: u32,
    first: u32,
    last: u32,
    next: u32,
}

/// Collects records and makes a [`Zone`] of them.
pub struct ZoneBuilder {
    origin: Box<[u8]>,
    key: Box<[u8]>,
    class: u16,
    hasher: NameHasher,
    names: Vec<u8>,
    nodes: Vec<StagedNode>,
    index: HashTable<u32>,
    rrsets: Vec<StagedRrset>,
    /// Of each record: where the next one of its RRset is (4 octets), the length (2), and the RDATA.
    records: Vec<u8>,
    large: HashTable<(u32, u32)>,
    large_hasher: RandomState,
    last_node: u32,
    rr_count: u64,
}

fn u32_at(octets: &[u8], at: u32) -> u32 {
    let at = at as usize;
    u32::from_le_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
}

impl ZoneBuilder {
    /// Begins the zone `origin`, a valid name.
    pub fn new(origin: &[u8], class: u16) -> Self {
        let mut builder = ZoneBuilder {
            origin: origin.into(),
            key: name::key(origin).into(),
            class,
            hasher: NameHasher::default(),
            names: Vec::new(),
            nodes: Vec::new(),
            index: HashTable::new(),
            rrsets: Vec::new(),
            records: Vec::new(),
            large: HashTable::new(),
            large_hasher: RandomState::default(),
            last_node: 0,
            rr_count: 0,
        };
        builder.new_node(origin, builder.hasher.hash(&name::key(origin)));
        builder
    }

    /// Makes room for a zone whose zone file has `octets`, or says so.
    pub fn reserve(&mut self, octets: u64) {
        let likely = octets.min(MAX_RESERVED) as usize / 4;
        self.records.reserve(likely);
        self.names.reserve(likely);
        if octets < SMALL {
            let lines = likely / 8;
            self.nodes.reserve(lines);
            self.rrsets.reserve(lines);
            let nodes = &self.nodes;
            self.index.reserve(lines, |&node| spread(nodes[node as usize].hash));
        }
    }

    /// The zone's name.
    pub fn origin(&self) -> &[u8] {
        &self.origin
    }

    /// The class.
    pub fn class(&self) -> u16 {
        self.class
    }

    /// The number of records so far.
    pub fn rr_count(&self) -> u64 {
        self.rr_count
    }

    /// Adds one record and returns its RRset's TTL.
    ///
    /// All records of an RRset have the first one's TTL (RFC 2181 section 5.2). A record that is there already
    /// is not added twice. `owner` is a valid name and `rdata` valid for `rtype`, uncompressed.
    pub fn add(&mut self, owner: &[u8], rtype: u16, ttl: u32, rdata: &[u8]) -> Result<u32, BuildError> {
        let node = self.node_of(owner)?;
        self.add_at(node, rtype, ttl, rdata)
    }

    /// Returns the number of the node `owner`, made where there is none, for [`Self::add_at`].
    pub fn node_of(&mut self, owner: &[u8]) -> Result<u32, BuildError> {
        if self.name(self.last_node) == owner {
            return Ok(self.last_node);
        }
        let mut lower = [0; name::MAX_NAME];
        let key = &mut lower[..owner.len()];
        key.copy_from_slice(owner);
        key.make_ascii_lowercase();
        let hash = self.hasher.hash(key);
        self.last_node = match self.find(hash, key) {
            Some(node) => node,
            None if !name::is_subdomain(key, &self.key) => return Err(BuildError::OutOfZone),
            None if self.names.len() > MAX_STAGED => return Err(BuildError::TooLarge),
            None => self.new_node(owner, hash),
        };
        Ok(self.last_node)
    }

    /// Whether a node has records.
    pub fn has_records(&self, node: u32) -> bool {
        self.nodes[node as usize].first != NONE
    }

    /// Whether a node's name was first written like this, letter case included.
    pub fn is_spelled(&self, node: u32, owner: &[u8]) -> bool {
        self.name(node) == owner
    }

    /// Returns the number of the node `key`, a name in lower case, if there is one; see [`Self::node_of`].
    pub fn number(&self, key: &[u8]) -> Option<u32> {
        self.find(self.hasher.hash(key), key)
    }

    /// Adds one record at a node, see [`Self::add`].
    pub fn add_at(&mut self, node: u32, rtype: u16, ttl: u32, rdata: &[u8]) -> Result<u32, BuildError> {
        if self.records.len() > MAX_STAGED {
            return Err(BuildError::TooLarge);
        }
        let covers = rdata::covers(rtype, rdata);
        let mut at = self.nodes[node as usize].first;
        let mut others = 0;
        while at != NONE {
            others += 1;
            let rrset = &self.rrsets[at as usize];
            if rrset.rtype == rtype && rrset.covers == covers {
                let ttl = rrset.ttl;
                if !self.is_known(at, rdata) {
                    let record = self.push_record(rdata);
                    let rrset = &mut self.rrsets[at as usize];
                    let last = rrset.last as usize;
                    self.records[last..last + 4].copy_from_slice(&record.to_le_bytes());
                    rrset.last = record;
                    rrset.count += 1;
                    self.note_large(at);
                }
                return Ok(ttl);
            }
            at = rrset.next;
        }
        if others >= MAX_RRSETS {
            return Err(BuildError::TooManyRrsets);
        }
        let record = self.push_record(rdata);
        let new = self.rrsets.len() as u32;
        let count = 1;
        self.rrsets.push(StagedRrset { rtype, covers, ttl, count, first: record, last: record, next: NONE });
        let node = &mut self.nodes[node as usize];
        match node.last {
            NONE => node.first = new,
            last => self.rrsets[last as usize].next = new,
        }
        node.last = new;
        Ok(ttl)
    }

    /// Returns the names that have records, as they were written first, and their nodes' numbers.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (&[u8], u32)> {
        (0..self.nodes.len() as u32)
            .filter(|&node| self.has_records(node))
            .map(|node| (self.name(node), node))
    }

    /// Returns type, TTL and RDATA of the records of a node.
    pub(crate) fn records_of(&self, node: u32) -> impl Iterator<Item = (u16, u32, &[u8])> {
        let rrsets = self.staged_rrsets(node);
        rrsets.flat_map(|rrset| self.staged_rdatas(rrset).map(|rdata| (rrset.rtype, rrset.ttl, rdata)))
    }

    /// Returns the name of a node.
    pub(crate) fn name(&self, node: u32) -> &[u8] {
        let at = self.nodes[node as usize].name as usize;
        &self.names[at + 1..at + 1 + self.names[at] as usize]
    }

    fn find(&self, hash: u32, key: &[u8]) -> Option<u32> {
        let is_it =
            |&node: &u32| self.nodes[node as usize].hash == hash && self.name(node).eq_ignore_ascii_case(key);
        self.index.find(spread(hash), is_it).copied()
    }

    fn new_node(&mut self, owner: &[u8], hash: u32) -> u32 {
        let name = self.names.len() as u32;
        self.names.push(owner.len() as u8);
        self.names.extend_from_slice(owner);
        let node = self.nodes.len() as u32;
        self.nodes.push(StagedNode { name, hash, first: NONE, last: NONE });
        let nodes = &self.nodes;
        self.index.insert_unique(spread(hash), node, |&node| spread(nodes[node as usize].hash));
        node
    }

    fn push_record(&mut self, rdata: &[u8]) -> u32 {
        let at = self.records.len() as u32;
        self.records.extend_from_slice(&NONE.to_le_bytes());
        self.records.extend_from_slice(&(rdata.len() as u16).to_le_bytes());
        self.records.extend_from_slice(rdata);
        self.rr_count += 1;
        at
    }

    fn staged_rdata(&self, at: u32) -> &[u8] {
        let at = at as usize;
        let size = u16::from_le_bytes([self.records[at + 4], self.records[at + 5]]) as usize;
        &self.records[at + 6..at + 6 + size]
    }

    fn staged_rdatas(&self, rrset: &StagedRrset) -> impl Iterator<Item = &[u8]> {
        let mut at = rrset.first;
        std::iter::from_fn(move || {
            if at == NONE {
                return None;
            }
            let rdata = self.staged_rdata(at);
            at = u32_at(&self.records, at);
            Some(rdata)
        })
    }

    /// Returns whether the RRset has `rdata` already.
    fn is_known(&self, rrset: u32, rdata: &[u8]) -> bool {
        let StagedRrset { rtype, count, .. } = self.rrsets[rrset as usize];
        if count < MANY {
            let mut known = self.staged_rdatas(&self.rrsets[rrset as usize]);
            return known.any(|known| rdata::same(rtype, known, rdata));
        }
        let is_it =
            |&(which, at): &(u32, u32)| which == rrset && rdata::same(rtype, self.staged_rdata(at), rdata);
        self.large.find(self.large_hash(rrset, rdata), is_it).is_some()
    }

    /// Takes the RRset's last record, or all when they become many, into the table of large RRsets.
    fn note_large(&mut self, rrset: u32) {
        let StagedRrset { count, first, last, .. } = self.rrsets[rrset as usize];
        if count < MANY {
            return;
        }
        let mut at = if count == MANY { first } else { last };
        while at != NONE {
            let hash = self.large_hash(rrset, self.staged_rdata(at));
            let mut large = std::mem::take(&mut self.large);
            large.insert_unique(hash, (rrset, at), |&(rrset, at)| {
                self.large_hash(rrset, self.staged_rdata(at))
            });
            self.large = large;
            at = u32_at(&self.records, at);
        }
    }

    fn large_hash(&self, rrset: u32, rdata: &[u8]) -> u64 {
        let rtype = self.rrsets[rrset as usize].rtype;
        let (head, names) = rdata.split_at(rdata::folded_from(rtype, rdata));
        if names.is_empty() {
            self.large_hasher.hash_one((rrset, head, names))
        } else {
            self.large_hasher.hash_one((rrset, head, &names.to_ascii_lowercase()[..]))
        }
    }

    /// Returns the zone.
    pub fn finish(self) -> Result<Zone, BuildError> {
        Ok(self.finish_placed(false)?.0)
    }

    /// Returns the zone and, where they are `wanted`, the numbers that its nodes have there by their numbers here.
    pub(crate) fn finish_placed(mut self, wanted: bool) -> Result<(Zone, Vec<u32>), BuildError> {
        let soa = self.staged_rrset(0, rtype::SOA).ok_or(BuildError::NoSoa)?;
        let serial = rdata::soa_serial(self.staged_rdata(soa.first));
        self.index_parents();
        let order = self.canonical_order();
        let denial = self.denial();
        let mut numbers = Vec::new();
        if wanted {
            numbers = vec![0; order.len()];
            (0..).zip(&order).for_each(|(number, &node)| numbers[node as usize] = number);
        }
        let octets = self.names.len() + self.records.len() + 16 * self.rrsets.len();
        let mut layout = Layout::new(self.key.len(), octets.min(CHUNK), order.len());
        let mut hashes = Vec::with_capacity(order.len());
        for &node in &order {
            hashes.push(self.nodes[node as usize].hash);
            self.write_node(node, &denial, &mut layout)?;
        }
        let Layout { chunks, chunk, places, .. } = layout;
        let chunks = chunks.into_iter().chain([chunk.into()]).collect();
        let index = HashIndex::bulk(self.hasher, &hashes);
        drop((order, hashes, self.names, self.nodes, self.index, self.rrsets, self.records));
        let store = Store::bulk(chunks, &places);
        let mut data = Data::new(self.origin, self.key, self.class, store, index);
        let ids: Vec<u32> = (0..places.len() as u32).collect();
        data.order = Order::bulk(&ids, &data);
        data.serial = serial;
        data.rr_count = self.rr_count;
        data.denial = denial;
        data.chain = data.bulk_chain(&ids);
        Ok((Zone(Arc::new(data)), numbers))
    }

    /// Makes the empty non-terminals (RFC 4592 section 2.2.2).
    fn index_parents(&mut self) {
        let apex = self.key.len();
        for node in 0..self.nodes.len() as u32 {
            let mut lower = [0; name::MAX_NAME];
            let owner = self.name(node);
            let size = owner.len();
            lower[..size].copy_from_slice(owner);
            lower[..size].make_ascii_lowercase();
            let mut at = 0;
            while size - at > apex {
                at += 1 + lower[at] as usize;
                let hash = self.hasher.hash(&lower[at..size]);
                if size - at == apex || self.find(hash, &lower[at..size]).is_some() {
                    break;
                }
                let owner: Vec<u8> = self.name(node)[at..].into();
                self.new_node(&owner, hash);
            }
        }
    }

    /// Returns the nodes in canonical order.
    fn canonical_order(&self) -> Vec<u32> {
        let apex = self.key.len();
        let sort_key = |node: u32| {
            let name = self.name(node);
            SortKey::new(name, name.len() - apex)
        };
        let mut order: Vec<(u128, u32)> = (0..self.nodes.len() as u32)
            .map(|node| {
                let key = sort_key(node);
                let mut head = [0; 16];
                let size = key.len().min(16);
                head[..size].copy_from_slice(&key[..size]);
                (u128::from_be_bytes(head), node)
            })
            .collect();
        // A stable sort takes advantage of runs: zone files are often in order already.
        order.sort_by(|left, right| {
            left.0.cmp(&right.0).then_with(|| sort_key(left.1).cmp(&sort_key(right.1)))
        });
        order.into_iter().map(|(_, node)| node).collect()
    }

    fn staged_rrset(&self, node: u32, rtype: u16) -> Option<&StagedRrset> {
        self.staged_rrsets(node).find(|rrset| rrset.rtype == rtype)
    }

    fn staged_rrsets(&self, node: u32) -> impl Iterator<Item = &StagedRrset> + Clone {
        let mut at = self.nodes[node as usize].first;
        std::iter::from_fn(move || {
            let rrset = self.rrsets.get(at as usize)?;
            at = rrset.next;
            Some(rrset)
        })
    }

    fn denial(&self) -> Denial {
        let has_nsec = self.staged_rrset(0, rtype::NSEC).is_some();
        let params: Vec<&[u8]> = match self.staged_rrset(0, rtype::NSEC3PARAM) {
            Some(rrset) => self.staged_rdatas(rrset).collect(),
            None => Vec::new(),
        };
        denial::choose(&self.key, has_nsec, params.into_iter(), |owner| {
            let node = self.find(self.hasher.hash(owner), owner)?;
            Some(self.staged_rdata(self.staged_rrset(node, rtype::NSEC3)?.first))
        })
    }

    /// Writes one node, the next in canonical order.
    fn write_node(&self, node: u32, denial: &Denial, layout: &mut Layout) -> Result<(), BuildError> {
        let owner = self.name(node);
        let owner = if node == 0 { &self.origin } else { owner };
        let types = || self.staged_rrsets(node).map(|rrset| rrset.rtype);
        let nsec3 = self.staged_rrset(node, rtype::NSEC3).map(|rrset| self.staged_rdata(rrset.first));
        let in_chain = nsec3.is_some_and(|rdata| denial.has_in_chain(owner, self.key.len(), rdata));
        let flags = layout.flags(owner, in_chain, types());
        let hash = match denial {
            Denial::Nsec3(params) if !flags.is_nsec3_only() && !flags.is_below_cut() => {
                Some(params.hash(&name::key(owner)))
            }
            _ => None,
        };
        let id = layout.places.len() as u32;
        let mut writer = NodeWriter::new(&mut layout.chunk, id, owner, hash.as_ref());
        for rrset in self.staged_rrsets(node) {
            let mut out = writer.rrset(rrset.rtype, rrset.covers, rrset.ttl);
            for rdata in self.staged_rdatas(rrset) {
                out.rdata(rdata);
            }
            out.finish();
        }
        let (at, size) = writer.finish().ok_or(BuildError::TooLarge)?;
        if at + size > MAX_CHUNK {
            return Err(BuildError::TooLarge);
        }
        layout.places.push((layout.chunks.len() as u32, at as u32, flags));
        if layout.chunk.len() >= CHUNK {
            layout.chunks.push(layout.chunk.as_slice().into());
            layout.chunk.clear();
        }
        Ok(())
    }
}

/// The index of staged nodes wants 64 bits, with some in the highest seven.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// Places nodes one after the other in canonical order.
struct Layout {
    chunks: Vec<Arc<[u8]>>,
    chunk: Vec<u8>,
    places: Vec<(u32, u32, NodeFlags)>,
    /// The names from the apex down to the last one: their octets and numbers.
    path: Vec<(usize, u32)>,
    apex_octets: usize,
}

impl Layout {
    fn new(apex_octets: usize, octets: usize, nodes: usize) -> Self {
        let (chunks, chunk, places) = (Vec::new(), Vec::with_capacity(octets), Vec::with_capacity(nodes));
        Layout { chunks, chunk, places, path: Vec::new(), apex_octets }
    }

    /// Returns the flags of the node that comes next. Parents have been before their children.
    fn flags(&mut self, owner: &[u8], in_chain: bool, types: impl Iterator<Item = u16> + Clone) -> NodeFlags {
        let id = self.places.len() as u32;
        if owner.len() == self.apex_octets {
            self.path.push((owner.len(), id));
            return NodeFlags::new(None, in_chain, types);
        }
        let above_octets = owner.len() - 1 - owner[0] as usize;
        while self.path.last().is_some_and(|&(octets, _)| octets > above_octets) {
            self.path.pop();
        }
        let above = self.path[self.path.len() - 1].1 as usize;
        self.path.push((owner.len(), id));
        let flags = NodeFlags::new(Some(self.places[above].2), in_chain, types);
        if name::is_wildcard(owner) && !flags.is_below_cut() && !flags.is_below_dname() {
            self.places[above].2.0 |= NodeFlags::WILDCARD_CHILD;
        }
        flags
    }
}

/// Makes the octets of one node of records that need not be grouped.
pub(super) fn write_records<'a>(
    out: &mut Vec<u8>,
    id: u32,
    owner: &[u8],
    hash: Option<&[u8; 20]>,
    records: impl Iterator<Item = (u16, u32, &'a [u8])>,
) -> Result<u64, BuildError> {
    let mut builder = ZoneBuilder::new(owner, rtype::IN);
    for (rtype, ttl, rdata) in records {
        builder.add_at(0, rtype, ttl, rdata)?;
    }
    let mut writer = NodeWriter::new(out, id, owner, hash);
    for rrset in builder.staged_rrsets(0) {
        let mut set = writer.rrset(rrset.rtype, rrset.covers, rrset.ttl);
        for rdata in builder.staged_rdatas(rrset) {
            set.rdata(rdata);
        }
        set.finish();
    }
    let (at, size) = writer.finish().ok_or(BuildError::TooLarge)?;
    debug_assert_eq!(Record::at(out, at).0.len(), size);
    if at + size > MAX_CHUNK { Err(BuildError::TooLarge) } else { Ok(builder.rr_count) }
}
