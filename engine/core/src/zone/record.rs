//! How a node lies in memory: one run of octets that holds the owner and all of its RRsets.
//!
//! ```text
//! u32 octets in all | u32 node's number | u16 RRsets | u8 labels | u8 octets of the owner | owner
//! 20 octets: the owner's NSEC3 hash, where the highest bit of the labels' octet is set
//! for each RRset:
//!   u16 type | u16 type covered (RRSIG) | u32 TTL | u32 RDATAs | u32 octets of them | u32 place of its RRSIGs
//!   for each RDATA: u16 octets | RDATA in uncompressed wire form
//! ```
//!
//! Numbers are little-endian and not aligned. RRSIGs form one RRset for each type that they cover, because
//! each has that type's TTL (RFC 4034 section 3); an RRset that is signed knows where in the node that is.

use bumpalo::Bump;

use crate::{name, rtype};

const NODE_HEAD: usize = 12;
const RRSET_HEAD: usize = 20;
const MAX_NODE: usize = 1 << 30;
const MAX_RRSETS: usize = u16::MAX as usize;
const HASH: usize = 20;
const HASHED: u8 = 0x80;

#[inline]
fn u16_at(octets: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(octets[at..at + 2].try_into().expect("two octets"))
}

#[inline]
fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(octets[at..at + 4].try_into().expect("four octets"))
}

/// Writes nodes at the end of `out`, RRset by RRset.
pub(crate) struct NodeWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    rrsets: usize,
}

impl<'a> NodeWriter<'a> {
    /// Begins a node.
    pub fn new(out: &'a mut Vec<u8>, id: u32, owner: &[u8], hash: Option<&[u8; HASH]>) -> Self {
        let start = out.len();
        out.extend_from_slice(&0u32.to_le_bytes());
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&0u16.to_le_bytes());
        let hashed = if hash.is_some() { HASHED } else { 0 };
        out.push(name::label_count(owner) as u8 | hashed);
        out.push(owner.len() as u8);
        out.extend_from_slice(owner);
        out.extend_from_slice(hash.map_or(&[], |hash| hash));
        NodeWriter { out, start, rrsets: 0 }
    }

    /// Begins an RRset; its RDATAs follow by [`Self::rdata`].
    pub fn rrset(&mut self, rtype: u16, covers: u16, ttl: u32) -> RrsetWriter<'_> {
        self.rrsets += 1;
        let head = self.out.len();
        self.out.extend_from_slice(&rtype.to_le_bytes());
        self.out.extend_from_slice(&covers.to_le_bytes());
        self.out.extend_from_slice(&ttl.to_le_bytes());
        self.out.extend_from_slice(&[0; 12]);
        RrsetWriter { out: self.out, head, count: 0 }
    }

    /// Ends the node and returns where it begins and how many octets it has; `None` if that is too much.
    pub fn finish(self) -> Option<(usize, usize)> {
        let size = self.out.len() - self.start;
        if size > MAX_NODE || self.rrsets > MAX_RRSETS {
            return None;
        }
        let node = &mut self.out[self.start..];
        node[..4].copy_from_slice(&(size as u32).to_le_bytes());
        node[8..10].copy_from_slice(&(self.rrsets as u16).to_le_bytes());
        link_signatures(node);
        Some((self.start, size))
    }
}

/// Takes the RDATAs of one RRset; see [`NodeWriter::rrset`].
pub(crate) struct RrsetWriter<'a> {
    out: &'a mut Vec<u8>,
    head: usize,
    count: u32,
}

impl RrsetWriter<'_> {
    /// Adds one RDATA, of at most 65535 octets.
    pub fn rdata(&mut self, rdata: &[u8]) {
        self.count += 1;
        self.out.extend_from_slice(&(rdata.len() as u16).to_le_bytes());
        self.out.extend_from_slice(rdata);
    }

    /// Ends the RRset.
    pub fn finish(self) {
        let body = self.out.len() - self.head - RRSET_HEAD;
        self.out[self.head + 8..self.head + 12].copy_from_slice(&self.count.to_le_bytes());
        self.out[self.head + 12..self.head + 16].copy_from_slice(&(body as u32).to_le_bytes());
    }
}

/// Tells every RRset of `node` where its RRSIGs are.
fn link_signatures(node: &mut [u8]) {
    let first = Record(node).first_rrset();
    let mut signatures = first;
    while signatures < node.len() {
        let next = signatures + RRSET_HEAD + u32_at(node, signatures + 12) as usize;
        if u16_at(node, signatures) == rtype::RRSIG {
            let covers = u16_at(node, signatures + 2);
            let mut at = first;
            while at < node.len() {
                if u16_at(node, at) == covers && covers != rtype::RRSIG {
                    node[at + 16..at + 20].copy_from_slice(&(signatures as u32).to_le_bytes());
                    break;
                }
                at += RRSET_HEAD + u32_at(node, at + 12) as usize;
            }
        }
        signatures = next;
    }
}

/// A node's octets, read.
#[derive(Clone, Copy)]
pub(crate) struct Record<'z>(pub &'z [u8]);

impl<'z> Record<'z> {
    /// The node that begins at `at` of `chunk`.
    pub fn at(chunk: &'z [u8], at: usize) -> Self {
        let size = u32_at(chunk, at) as usize;
        Record(&chunk[at..at + size])
    }

    pub fn id(self) -> u32 {
        u32_at(self.0, 4)
    }

    fn first_rrset(self) -> usize {
        NODE_HEAD + self.0[11] as usize + if self.0[10] & HASHED == 0 { 0 } else { HASH }
    }

    /// The octets of all RRsets: where they are the same, so are the RRsets.
    pub fn body(self) -> &'z [u8] {
        &self.0[self.first_rrset()..]
    }

    /// The owner's NSEC3 hash, where it was worked out beforehand.
    pub fn hash(self) -> Option<&'z [u8; HASH]> {
        if self.0[10] & HASHED == 0 { None } else { self.0[NODE_HEAD + self.0[11] as usize..].first_chunk() }
    }

    pub fn owner(self) -> &'z [u8] {
        &self.0[NODE_HEAD..NODE_HEAD + self.0[11] as usize]
    }

    pub fn label_count(self) -> usize {
        (self.0[10] & !HASHED) as usize
    }

    pub fn rrset_count(self) -> usize {
        u16_at(self.0, 8) as usize
    }

    pub fn rrsets(self) -> Rrsets<'z> {
        Rrsets { node: self.0, at: self.first_rrset() }
    }

    pub fn get(self, rtype: u16) -> Option<Rrset<'z>> {
        let rtype = rtype.to_le_bytes();
        let mut at = self.first_rrset();
        loop {
            let [first, second, .., a, b, c, d, _, _, _, _] =
                self.0.get(at..)?.first_chunk::<RRSET_HEAD>()?;
            if [*first, *second] == rtype {
                return Some(Rrset { node: self.0, at });
            }
            at += RRSET_HEAD + u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        }
    }
}

/// One RRset of a node.
#[derive(Clone, Copy)]
pub struct Rrset<'z> {
    node: &'z [u8],
    at: usize,
}

impl<'z> Rrset<'z> {
    /// The type; RRSIG for an RRset of signatures.
    #[inline]
    pub fn rtype(&self) -> u16 {
        u16_at(self.node, self.at)
    }

    /// The type that an RRset of RRSIGs covers, 0 for every other RRset.
    #[inline]
    pub fn covers(&self) -> u16 {
        u16_at(self.node, self.at + 2)
    }

    /// The TTL in seconds.
    #[inline]
    pub fn ttl(&self) -> u32 {
        u32_at(self.node, self.at + 4)
    }

    /// The number of RDATAs, at least 1.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "an RRset is never empty")]
    pub fn len(&self) -> usize {
        u32_at(self.node, self.at + 8) as usize
    }

    /// The octets of all RDATAs, each with its length (two octets) before it.
    #[inline]
    pub fn body_len(&self) -> usize {
        u32_at(self.node, self.at + 12) as usize
    }

    /// The RDATAs in uncompressed wire form, in the zone file's order, without duplicates.
    #[inline]
    pub fn rdatas(&self) -> Rdatas<'z> {
        let start = self.at + RRSET_HEAD;
        Rdatas { octets: &self.node[start..start + self.body_len()] }
    }

    /// The first RDATA.
    #[inline]
    pub fn first(&self) -> &'z [u8] {
        let start = self.at + RRSET_HEAD;
        &self.node[start + 2..start + 2 + u16_at(self.node, start) as usize]
    }

    /// The RRSIGs that cover this RRset (RFC 4035 section 2.2), with their own TTL.
    #[inline]
    pub fn signatures(&self) -> Option<Rrset<'z>> {
        match u32_at(self.node, self.at + 16) {
            0 => None,
            at => Some(Rrset { node: self.node, at: at as usize }),
        }
    }
}

impl std::fmt::Debug for Rrset<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rrset(type={}, ttl={}, {} rdatas)", self.rtype(), self.ttl(), self.len())
    }
}

/// Goes through the RRsets of a node.
#[derive(Clone)]
pub struct Rrsets<'z> {
    node: &'z [u8],
    at: usize,
}

impl<'z> Iterator for Rrsets<'z> {
    type Item = Rrset<'z>;

    #[inline]
    fn next(&mut self) -> Option<Rrset<'z>> {
        if self.at >= self.node.len() {
            return None;
        }
        let rrset = Rrset { node: self.node, at: self.at };
        self.at += RRSET_HEAD + rrset.body_len();
        Some(rrset)
    }
}

/// Goes through the RDATAs of an RRset.
#[derive(Clone)]
pub struct Rdatas<'z> {
    octets: &'z [u8],
}

impl<'z> Rdatas<'z> {
    /// Returns copies of `rdatas` in their order.
    pub(crate) fn gathered(rdatas: &[&[u8]], arena: &'z Bump) -> Self {
        let octets = rdatas.iter().map(|rdata| 2 + rdata.len()).sum();
        let copy = arena.alloc_slice_fill_copy(octets, 0);
        let mut at = 0;
        for rdata in rdatas {
            copy[at..at + 2].copy_from_slice(&(rdata.len() as u16).to_le_bytes());
            copy[at + 2..at + 2 + rdata.len()].copy_from_slice(rdata);
            at += 2 + rdata.len();
        }
        Self { octets: copy }
    }
}

impl<'z> Iterator for Rdatas<'z> {
    type Item = &'z [u8];

    #[inline]
    fn next(&mut self) -> Option<&'z [u8]> {
        let (head, rest) = self.octets.split_at_checked(2)?;
        let (rdata, rest) = rest.split_at(u16_at(head, 0) as usize);
        self.octets = rest;
        Some(rdata)
    }
}
