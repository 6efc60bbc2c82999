//! One version of one zone, immutable and shared: nodes by name and in canonical order, and what answering
//! needs to know about each of them without searching.
//!
//! A [`Zone`] is made by a [`ZoneBuilder`], or from another version by [`Zone::apply`], and is never
//! changed. A clone of it is a reference; versions share what did not change between them.

mod builder;
mod record;

pub use builder::{BuildError, ZoneBuilder};
pub use record::{Rdatas, Rrset, Rrsets};

use std::collections::HashMap;
use std::sync::Arc;

use crate::{name, rtype};
use record::Record;

/// What is known of a node's place in the zone.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeFlags(u8);

impl NodeFlags {
    const CUT: u8 = 1;
    const BELOW_CUT: u8 = 2;
    const BELOW_DNAME: u8 = 4;
    const WILDCARD_CHILD: u8 = 8;
    const NSEC3_ONLY: u8 = 16;

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

struct Data {
    origin: Box<[u8]>,
    key: Box<[u8]>,
    class: u16,
    serial: u32,
    rr_count: u64,
    apex: u32,
    chunk: Vec<u8>,
    table: Vec<(u32, NodeFlags)>,
    order: Vec<u32>,
    hash: HashMap<Box<[u8]>, u32>,
    denial: Denial,
}

/// How the zone proves that something does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It does not.
    None,
    /// By NSEC records (RFC 4034).
    Nsec,
    /// By a chain of NSEC3 records (RFC 5155).
    Nsec3(Nsec3Params),
}

/// What NSEC3 hashes are made with (RFC 5155 section 4); the algorithm is SHA-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nsec3Params {
    /// Additional times that the hash is applied.
    pub iterations: u16,
    /// Appended to what is hashed.
    pub salt: Box<[u8]>,
}

impl Nsec3Params {
    /// Returns the hashed owner name of `key` (RFC 5155 section 5).
    pub fn hash(&self, key: &[u8]) -> [u8; 20] {
        use sha1::{Digest, Sha1};
        let mut digest: [u8; 20] = Sha1::new().chain_update(key).chain_update(&self.salt).finalize().into();
        for _ in 0..self.iterations {
            digest = Sha1::new().chain_update(digest).chain_update(&self.salt).finalize().into();
        }
        digest
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
        self.0.order.len()
    }

    /// The node at the zone's name.
    #[inline]
    pub fn apex(&self) -> Node<'_> {
        self.node(self.0.apex)
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
        self.0.hash.get(key).map(|&id| self.node(id))
    }

    /// Returns the RRset stored at `key` (no wildcard, no cut applied). For RRSIG see [`Node::rrsets`].
    pub fn get(&self, key: &[u8], rtype: u16) -> Option<Rrset<'_>> {
        self.find(key)?.rrset(rtype)
    }

    /// Returns the last node in canonical order that is at or before `key`, a name in the zone.
    pub fn predecessor(&self, key: &[u8]) -> Node<'_> {
        let after =
            self.0.order.partition_point(|&id| name::canonical_cmp(self.node(id).owner(), key).is_le());
        self.node(self.0.order[after - 1])
    }

    /// Returns the owner of the NSEC that covers `key`, or that matches it; `None` unless [`Denial::Nsec`].
    pub fn nsec_covering(&self, key: &[u8]) -> Option<Node<'_>> {
        if self.0.denial != Denial::Nsec {
            return None;
        }
        let after =
            self.0.order.partition_point(|&id| name::canonical_cmp(self.node(id).owner(), key).is_le());
        let covering = |&&id: &&u32| self.node(id).rrset(rtype::NSEC).is_some();
        self.0.order[..after].iter().rev().find(covering).map(|&id| self.node(id))
    }

    /// Returns the owner of the NSEC3 that covers `hash`, or that matches it; `None` unless
    /// [`Denial::Nsec3`].
    pub fn nsec3_covering(&self, hash: &[u8; 20]) -> Option<Node<'_>> {
        let _ = hash;
        None
    }

    /// Yields all nodes in canonical order (RFC 4034 section 6.1), the apex first.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.0.order.iter().map(|&id| self.node(id))
    }

    #[inline]
    fn node(&self, id: u32) -> Node<'_> {
        let (at, flags) = self.0.table[id as usize];
        Node { zone: self, id, flags, record: Record::at(&self.0.chunk, at as usize) }
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
        self.id == self.zone.0.apex
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

    /// The owner of the NSEC3 that matches this name: `None` without one (Opt-Out, occluded names).
    pub fn nsec3(&self) -> Option<Node<'z>> {
        None
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
            key.drain(..1 + key[0] as usize);
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
