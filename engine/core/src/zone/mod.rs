//! One version of one zone, immutable and shared: nodes by name and in canonical order, and what answering
//! needs to know about each of them without searching.
//!
//! A [`Zone`] is made by a [`ZoneBuilder`], or from another version by [`Zone::apply`], and is never
//! changed. A clone of it is a reference; versions share what did not change between them: a change of k
//! records in a zone of n costs about k·log n.

mod builder;
mod delta;
mod denial;
mod digest;
mod hash;
mod order;
mod pages;
mod record;
mod seek;
mod store;

pub use builder::{BuildError, ZoneBuilder};
pub use delta::{ApplyError, Delta, Rr};
pub use denial::{Denial, MAX_NSEC3_ITERATIONS, Nsec3Params};
pub use digest::ZoneDigest;
pub use record::{Rdatas, Rrset, Rrsets};
pub use seek::{SEEK_STEPS, Seek};

use std::sync::{Arc, OnceLock};

use crate::name::{self, MAX_NAME, SortKey};
use crate::read::Layout;
use crate::rtype;
use hash::HashIndex;
use order::{Names, Order};
use record::Record;
use store::Store;

/// What is known of a node's place in the zone.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeFlags(u8);

impl NodeFlags {
    const CUT: u8 = 1;
    const BELOW_CUT: u8 = 2;
    const BELOW_DNAME: u8 = 4;
    const WILDCARD_CHILD: u8 = 8;
    const NSEC3_ONLY: u8 = 16;
    const DNAME: u8 = 32;

    /// Works out the flags of a node, but [`Self::WILDCARD_CHILD`], given its parent's (`None` at the apex),
    /// whether it owns an NSEC3 of the zone's chain, and its types.
    fn new(above: Option<Self>, in_chain: bool, types: impl Iterator<Item = u16> + Clone) -> Self {
        let mut flags = 0;
        if types.clone().any(|rtype| rtype == rtype::DNAME) {
            flags |= Self::DNAME;
        }
        if let Some(above) = above {
            if above.0 & (Self::DNAME | Self::BELOW_DNAME) != 0 {
                flags |= Self::BELOW_DNAME;
            }
            if above.0 & (Self::CUT | Self::BELOW_CUT) != 0 {
                flags |= Self::BELOW_CUT;
            } else if types.clone().any(|rtype| rtype == rtype::NS) {
                flags |= Self::CUT;
            }
        }
        if in_chain && types.clone().all(|rtype| matches!(rtype, rtype::NSEC3 | rtype::RRSIG)) {
            flags |= Self::NSEC3_ONLY;
            flags &= !Self::BELOW_DNAME; // nothing is looked up here
        }
        NodeFlags(flags)
    }

    /// What the flags of the names below depend on: a cut and a DNAME, here or above.
    fn passed_down(self) -> (bool, bool) {
        (self.0 & (Self::CUT | Self::BELOW_CUT) != 0, self.0 & (Self::DNAME | Self::BELOW_DNAME) != 0)
    }

    /// A zone cut: NS records not at the apex, and no cut above. What is below is occluded.
    #[inline]
    pub fn is_cut(self) -> bool {
        self.0 & Self::CUT != 0
    }

    /// There is a zone cut above; [`Node::cut`] says which.
    #[inline]
    pub fn is_below_cut(self) -> bool {
        self.0 & Self::BELOW_CUT != 0
    }

    /// There is a DNAME above; [`Node::dname`] says where.
    #[inline]
    pub fn is_below_dname(self) -> bool {
        self.0 & Self::BELOW_DNAME != 0
    }

    /// There is a DNAME here.
    #[inline]
    pub fn has_dname(self) -> bool {
        self.0 & Self::DNAME != 0
    }

    /// Names below are synthesised from the child `*`, see [`Node::wildcard`].
    #[inline]
    pub fn has_wildcard_child(self) -> bool {
        self.0 & Self::WILDCARD_CHILD != 0
    }

    /// The owner of NSEC3 records of the zone's chain and nothing else: as a name it does not exist
    /// (RFC 5155 section 7.2.8).
    #[inline]
    pub fn is_nsec3_only(self) -> bool {
        self.0 & Self::NSEC3_ONLY != 0
    }

    /// Nothing but data to be answered with: neither at nor below a cut, nor below a DNAME.
    #[inline]
    pub fn is_plain(self) -> bool {
        self.0 & (Self::CUT | Self::BELOW_CUT | Self::BELOW_DNAME) == 0
    }
}

/// One version of one zone. See the module.
#[derive(Clone)]
pub struct Zone(Arc<Data>);

#[derive(Clone)]
struct Data {
    origin: Box<[u8]>,
    key: Box<[u8]>,
    class: u16,
    serial: u32,
    rr_count: u64,
    store: Store,
    index: HashIndex,
    order: Order,
    denial: Denial,
    /// The owners of the chain's NSEC or NSEC3 records.
    chain: Order,
    /// What denies the apex's wildcard, once somebody has asked. Of a version in the making it is not there.
    apex_denial: OnceLock<ApexDenial>,
    /// How a text that means this zone falls into parts.
    layout: Option<Arc<Layout>>,
}

/// Most names that do not exist would be right below the apex: what proves that there is no wildcard either is the
/// same for all of them.
#[derive(Clone, Copy)]
struct ApexDenial {
    /// The owner of the NSEC3 that matches the apex.
    apex: Option<u32>,
    /// The owner of the NSEC or NSEC3 that covers, or matches, the asterisk label below the apex.
    wildcard: Option<u32>,
}

/// So many nodes behind one are looked at for names below it.
const NEAR: u32 = 4;

/// The number of the apex: it is the first node of every zone, and stays.
const APEX: u32 = 0;

impl Data {
    /// Begins a zone of nodes that are in no order yet.
    fn new(origin: Box<[u8]>, key: Box<[u8]>, class: u16, store: Store, index: HashIndex) -> Self {
        let denial = Denial::None;
        let (order, chain) = (Order::empty(), Order::empty());
        let apex_denial = OnceLock::new();
        let layout = None;
        Data {
            origin,
            key,
            class,
            serial: 0,
            rr_count: 0,
            store,
            index,
            order,
            denial,
            chain,
            apex_denial,
            layout,
        }
    }

    #[inline]
    fn find(&self, key: &[u8]) -> Option<u32> {
        self.look_up(self.index.hash(key), key).map(|(id, ..)| id)
    }

    #[inline]
    fn look_up(&self, hash: u32, key: &[u8]) -> Option<(u32, Record<'_>, NodeFlags)> {
        self.index.find(hash, |id| {
            let (record, flags) = self.store.get(id);
            record.owner().eq_ignore_ascii_case(key).then_some((id, record, flags))
        })
    }

    /// Makes the chain's index of nodes in canonical order.
    fn bulk_chain(&self, ids: &[u32]) -> Order {
        let owners: Vec<u32> = ids.iter().copied().filter(|&id| self.is_in_chain(id)).collect();
        Order::bulk(&owners, self)
    }

    /// Whether the node owns a record of the chain that denials are proved with.
    fn is_in_chain(&self, id: u32) -> bool {
        let (record, _) = self.store.get(id);
        match self.denial {
            Denial::None => false,
            Denial::Nsec => record.get(rtype::NSEC).is_some(),
            Denial::Nsec3(_) => record
                .get(rtype::NSEC3)
                .is_some_and(|rrset| self.denial.has_in_chain(record.owner(), self.key.len(), rrset.first())),
        }
    }

    /// Returns the last node of the chain at or before `key`, a name in the zone.
    fn last_in_chain(&self, key: &[u8]) -> Option<u32> {
        self.chain.at_or_before(&self.place(key), self)
    }

    /// Returns the node of a chain of NSEC3 records that matches `hash`, or covers it.
    fn covering_in_chain(&self, hash: &[u8; denial::HASH]) -> Option<u32> {
        let place = SortKey::of_digits(&denial::digits(hash));
        self.chain.at_or_before(&place, self).or_else(|| self.chain.last())
    }

    /// Returns the sort key of `name`, which is in the zone.
    fn place(&self, name: &[u8]) -> SortKey {
        SortKey::new(name, name.len() - self.key.len())
    }
}

impl Names for Data {
    fn sort_key(&self, id: u32) -> SortKey {
        self.place(self.store.get(id).0.owner())
    }
}

impl Zone {
    /// The zone's name, case kept.
    #[inline]
    pub fn origin(&self) -> &[u8] {
        &self.0.origin
    }

    /// The zone's name in lower case.
    #[inline]
    pub fn key(&self) -> &[u8] {
        &self.0.key
    }

    /// The class.
    #[inline]
    pub fn class(&self) -> u16 {
        self.0.class
    }

    /// The serial of the SOA.
    #[inline]
    pub fn serial(&self) -> u32 {
        self.0.serial
    }

    /// The number of records.
    #[inline]
    pub fn rr_count(&self) -> u64 {
        self.0.rr_count
    }

    /// The number of names, empty non-terminals included.
    #[inline]
    pub fn node_count(&self) -> usize {
        self.0.index.len()
    }

    /// The node at the zone's name.
    #[inline]
    pub fn apex(&self) -> Node<'_> {
        self.node(APEX)
    }

    /// The SOA RRset.
    pub fn soa(&self) -> Rrset<'_> {
        self.apex().rrset(rtype::SOA).expect("a zone has a SOA")
    }

    /// How the zone denies.
    #[inline]
    pub fn denial(&self) -> &Denial {
        &self.0.denial
    }

    /// Returns the node of the name `key` (in lower case), empty non-terminals and occluded names included.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<Node<'_>> {
        self.find_by(self.0.index.hash(key), key)
    }

    /// Returns the node of the name `key`, whose hash is known.
    #[inline]
    fn find_by(&self, hash: u32, key: &[u8]) -> Option<Node<'_>> {
        self.0.look_up(hash, key).map(|(id, record, flags)| Node { zone: self, id, flags, record })
    }

    /// Returns the RRset stored at `key` (no wildcard, no cut applied). For RRSIG see [`Node::rrsets`].
    pub fn get(&self, key: &[u8], rtype: u16) -> Option<Rrset<'_>> {
        self.find(key)?.rrset(rtype)
    }

    /// Returns the last node in canonical order that is at or before `key`, a name in the zone.
    pub fn predecessor(&self, key: &[u8]) -> Node<'_> {
        self.node(self.0.order.at_or_before(&self.0.place(key), &*self.0).unwrap_or(APEX))
    }

    /// Returns the owner of the NSEC that covers `key`, a name in the zone, or that matches it; `None` unless
    /// [`Denial::Nsec`].
    pub fn nsec_covering(&self, key: &[u8]) -> Option<Node<'_>> {
        if self.0.denial != Denial::Nsec {
            return None;
        }
        self.0.last_in_chain(key).map(|id| self.node(id))
    }

    /// Returns the owner of the NSEC3 that covers `hash`, or that matches it; `None` unless
    /// [`Denial::Nsec3`].
    pub fn nsec3_covering(&self, hash: &[u8; 20]) -> Option<Node<'_>> {
        if !matches!(self.0.denial, Denial::Nsec3(_)) {
            return None;
        }
        self.0.covering_in_chain(hash).map(|id| self.node(id))
    }

    /// Returns the number of the node that [`Self::nsec_covering`] finds for `key`, or [`Self::nsec3_covering`] for
    /// the hash of `next_closer`, where a name right below the apex is to be denied, and there is no more to it.
    fn denier_below_apex(&self, key: &[u8], next_closer: &[u8]) -> Option<u32> {
        let flags = self.apex().flags();
        if flags.has_wildcard_child() || flags.has_dname() {
            return None;
        }
        match &self.0.denial {
            Denial::None => None,
            Denial::Nsec => self.0.last_in_chain(key),
            Denial::Nsec3(params) => self.0.covering_in_chain(&params.hash(next_closer)),
        }
    }

    /// Returns the owner of the NSEC or NSEC3 that covers the asterisk label below the apex, or that matches it.
    pub fn denying_apex_wildcard(&self) -> Option<Node<'_>> {
        self.apex_denial().wildcard.map(|id| self.node(id))
    }

    fn apex_denial(&self) -> ApexDenial {
        *self.0.apex_denial.get_or_init(|| {
            let wildcard = [b"\x01*", self.key()].concat();
            let (apex, wildcard) = match &self.0.denial {
                Denial::None => (None, None),
                Denial::Nsec => (None, self.nsec_covering(&wildcard)),
                Denial::Nsec3(params) => (
                    self.nsec3_matching(&params.hash(self.key())),
                    self.nsec3_covering(&params.hash(&wildcard)),
                ),
            };
            ApexDenial { apex: apex.map(|node| node.id), wildcard: wildcard.map(|node| node.id) }
        })
    }

    /// Returns the owner of the NSEC3 that matches `hash`; `None` without one, or unless [`Denial::Nsec3`].
    pub fn nsec3_matching(&self, hash: &[u8; 20]) -> Option<Node<'_>> {
        let Denial::Nsec3(params) = &self.0.denial else { return None };
        let mut owner = [0; MAX_NAME];
        let owner = self.find(denial::hashed_owner(hash, &self.0.key, &mut owner)?)?;
        owner.rrset(rtype::NSEC3).is_some_and(|rrset| params.fits(rrset.first())).then_some(owner)
    }

    /// Yields all nodes in canonical order (RFC 4034 section 6.1), the apex first.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.0.order.iter().map(|id| self.node(id))
    }

    /// Yields the nodes after `key`, a name in the zone, in canonical order.
    pub fn nodes_after(&self, key: &[u8]) -> impl Iterator<Item = Node<'_>> {
        self.0.order.after(&self.0.place(key), &*self.0).map(|id| self.node(id))
    }

    /// Octets that nodes take, garbage that waits for its chunk to be rewritten included.
    pub fn octets(&self) -> usize {
        self.0.store.octets()
    }

    /// The number of chunks that nodes lie in.
    pub fn chunk_count(&self) -> usize {
        self.0.store.chunk_count()
    }

    /// Returns the zone with `layout`.
    pub(crate) fn with_layout(self, layout: Arc<Layout>) -> Zone {
        let mut data = Arc::unwrap_or_clone(self.0);
        data.layout = Some(layout);
        Zone(Arc::new(data))
    }

    /// Whether [`crate::read::read_again`] can tell what an edit of its file changes.
    pub fn is_laid_out(&self) -> bool {
        self.0.layout.is_some()
    }

    /// Whether the two are one version.
    pub fn is(&self, other: &Zone) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How a text that means this zone falls into parts, where that is known.
    pub(crate) fn layout(&self) -> Option<&Layout> {
        self.0.layout.as_deref()
    }

    /// Returns the node with a number.
    #[inline]
    pub(crate) fn node(&self, id: u32) -> Node<'_> {
        let (record, flags) = self.0.store.get(id);
        Node { zone: self, id, flags, record }
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origin = name::to_text(self.origin());
        write!(f, "Zone({origin} serial {}, {} records)", self.serial(), self.rr_count())
    }
}

/// One owner name of a zone, or an empty non-terminal (no RRsets).
#[derive(Clone, Copy)]
pub struct Node<'z> {
    zone: &'z Zone,
    id: u32,
    flags: NodeFlags,
    record: Record<'z>,
}

impl<'z> Node<'z> {
    /// A number that no other node of this zone's version has, from 0 to a little over the number of nodes.
    #[inline]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The name, case kept.
    #[inline]
    pub fn owner(&self) -> &'z [u8] {
        self.record.owner()
    }

    /// The number of labels of the name, the root label not counted.
    #[inline]
    pub fn label_count(&self) -> usize {
        self.record.label_count()
    }

    /// What is known of its place in the zone.
    #[inline]
    pub fn flags(&self) -> NodeFlags {
        self.flags
    }

    /// Whether this is the zone's own name.
    #[inline]
    pub fn is_apex(&self) -> bool {
        self.id == APEX
    }

    /// Whether nothing is stored here: the name exists because of names below it (RFC 4592 section 2.2.2).
    #[inline]
    pub fn is_empty_non_terminal(&self) -> bool {
        self.record.rrset_count() == 0
    }

    /// The RRsets; RRSIGs are RRsets of their own, one for each type covered.
    #[inline]
    pub fn rrsets(&self) -> Rrsets<'z> {
        self.record.rrsets()
    }

    /// The RRset of `rtype` here. For RRSIG, which has several, see [`Self::rrsets`].
    #[inline]
    pub fn rrset(&self, rtype: u16) -> Option<Rrset<'z>> {
        self.record.get(rtype)
    }

    /// Returns the node of `key`, a name below this one.
    ///
    /// In a zone that was loaded whole, the nodes below a node have the numbers that follow its own and lie behind it:
    /// the first few are looked at before the index is asked.
    pub fn below(&self, key: &[u8]) -> Option<Node<'z>> {
        let zone = self.zone;
        let near = (self.id + 1..self.id.saturating_add(NEAR)).find_map(|id| {
            let (record, flags) = zone.0.store.get_if_used(id)?;
            record.owner().eq_ignore_ascii_case(key).then_some(Node { zone, id, flags, record })
        });
        near.or_else(|| zone.find(key))
    }

    /// The topmost cut at or above this node: a delegation's NS RRset, never the apex.
    pub fn cut(&self) -> Option<Node<'z>> {
        if self.flags.is_cut() {
            return Some(*self);
        }
        if !self.flags.is_below_cut() {
            return None;
        }
        self.ancestors().find(|node| node.flags.is_cut())
    }

    /// The topmost node above this one with a DNAME.
    pub fn dname(&self) -> Option<Node<'z>> {
        if !self.flags.is_below_dname() {
            return None;
        }
        self.ancestors().find(|node| !node.flags.is_below_dname())
    }

    /// The child `*` where names are synthesised from it: not at or below a cut or a DNAME.
    pub fn wildcard(&self) -> Option<Node<'z>> {
        if !self.flags.has_wildcard_child() {
            return None;
        }
        let mut key = [0u8; name::MAX_NAME + 2];
        let size = self.owner().len() + 2;
        key[..2].copy_from_slice(b"\x01*");
        key[2..size].copy_from_slice(self.owner());
        key[..size].make_ascii_lowercase();
        self.zone.find(&key[..size])
    }

    /// The owner of the NSEC3 that matches this name: `None` without one (Opt-Out, occluded names). Of an owner
    /// of nothing but NSEC3 records it is that owner itself.
    pub fn nsec3(&self) -> Option<Node<'z>> {
        let Denial::Nsec3(params) = &self.zone.0.denial else { return None };
        if self.is_apex() {
            return self.zone.apex_denial().apex.map(|id| self.zone.node(id));
        }
        if self.flags.is_nsec3_only() {
            return Some(*self);
        }
        if self.flags.is_below_cut() {
            return None;
        }
        match self.record.hash() {
            Some(hash) => self.zone.nsec3_matching(hash),
            None => self.zone.nsec3_matching(&params.hash(&name::key(self.owner()))),
        }
    }

    /// Yields the nodes above, from the parent to the apex.
    fn ancestors(&self) -> impl Iterator<Item = Node<'z>> {
        let zone = self.zone;
        let mut key = name::key(self.owner());
        let apex = zone.key().len();
        std::iter::from_fn(move || {
            if key.len() <= apex {
                return None;
            }
            key.drain(..=key[0] as usize);
            zone.find(&key)
        })
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let types: Vec<u16> = self.rrsets().map(|rrset| rrset.rtype()).collect();
        write!(f, "Node({}, {types:?})", name::to_text(self.owner()))
    }
}
