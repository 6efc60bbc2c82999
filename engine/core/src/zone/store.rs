//! Where a zone's nodes lie: chunks of octets that versions share, and a table from numbers to places.
//!
//! Whoever changes a zone appends the nodes that change as a new chunk. Small chunks are joined and sparse
//! ones rewritten as they come up, each octet a logarithmic number of times, so that garbage and the number
//! of chunks stay bounded.

use std::sync::Arc;

use bindpy_sys::prefetch;
use smallvec::SmallVec;

use super::NodeFlags;
use super::pages::PageVec;
use super::record::Record;

/// What a zone is built of; a node that is larger has one of its own.
pub(crate) const CHUNK: usize = 1 << 20;
/// The most octets in a chunk; offsets have 32 bits.
pub(crate) const MAX_CHUNK: usize = 1 << 31;

/// What a processor's cache takes from memory at once.
const LINE: usize = 64;
/// So many of them are most nodes, or a zone cut with its glue behind it.
const LINES: usize = 4;

const FREE: u64 = 0xff_ffff;

/// Where a node is (24 bits of chunk, 32 of offset) and its flags, or the next number that is free.
#[derive(Clone, Copy)]
struct Entry(u64);

impl Entry {
    fn new(chunk: usize, at: usize, flags: NodeFlags) -> Self {
        Entry(u64::from(flags.0) << 56 | (chunk as u64) << 32 | at as u64)
    }

    #[inline]
    fn chunk(self) -> usize {
        (self.0 >> 32 & FREE) as usize
    }

    #[inline]
    fn at(self) -> usize {
        self.0 as u32 as usize
    }

    #[inline]
    fn flags(self) -> NodeFlags {
        NodeFlags((self.0 >> 56) as u8)
    }
}

#[derive(Clone)]
struct Chunk {
    octets: Arc<[u8]>,
    /// Octets of nodes that are still in use.
    live: usize,
}

/// The nodes of one version, by number.
#[derive(Clone)]
pub(crate) struct Store {
    /// In place where there is one, as in the zones of those who have very many.
    chunks: SmallVec<[Chunk; 1]>,
    table: PageVec<u64>,
    free: u32,
}

const NO_ID: u32 = u32::MAX;

impl Store {
    /// Makes the store of the nodes 0, 1, … given which chunk each is in, where, and its flags.
    pub fn bulk(chunks: Vec<Arc<[u8]>>, nodes: &[(u32, u32, NodeFlags)]) -> Self {
        let entries: Vec<u64> = nodes
            .iter()
            .map(|&(chunk, at, flags)| Entry::new(chunk as usize, at as usize, flags).0)
            .collect();
        let chunks = chunks.into_iter().map(|octets| Chunk { live: octets.len(), octets }).collect();
        Store { chunks, table: PageVec::from_slice(&entries), free: NO_ID }
    }

    #[inline]
    pub fn get(&self, id: u32) -> (Record<'_>, NodeFlags) {
        let entry = Entry(self.table.get(id as usize));
        (Record::at(&self.chunks[entry.chunk()].octets, entry.at()), entry.flags())
    }

    /// Returns a node by a number that may be nobody's.
    #[inline]
    pub fn get_if_used(&self, id: u32) -> Option<(Record<'_>, NodeFlags)> {
        let is_used =
            (id as usize) < self.table.len() && Entry(self.table.get(id as usize)).chunk() as u64 != FREE;
        is_used.then(|| self.get(id))
    }

    /// Has it fetched where the node is, so that it is at hand.
    #[inline]
    pub fn fetch_place(&self, id: u32) {
        self.table.fetch(id as usize);
    }

    /// Has the beginning of the node fetched, likewise, and returns its flags.
    #[inline]
    pub fn fetch_node(&self, id: u32) -> NodeFlags {
        let entry = Entry(self.table.get(id as usize));
        let node = &self.chunks[entry.chunk()].octets[entry.at()..];
        node.iter().step_by(LINE).take(LINES).for_each(prefetch);
        entry.flags()
    }

    /// Returns the numbers of all nodes that are not the same in `other`, and maybe of some that are; `None` where they
    /// are many. A place that neither has changed since they parted holds the same node in both: chunks with nodes that
    /// are in use stay as they are.
    pub fn maybe_changed(&self, other: &Store) -> Option<Vec<u32>> {
        let mut ids = self.table.not_shared(&other.table)?;
        ids.retain(|&id| {
            let place = |store: &Store| {
                let entry = (id < store.table.len()).then(|| Entry(store.table.get(id)))?;
                Some((store.chunks.get(entry.chunk())?.octets.as_ptr(), entry.at()))
            };
            let (one, two) = (place(self), place(other));
            one.is_none() || one != two
        });
        Some(ids.into_iter().map(|id| id as u32).collect())
    }

    pub fn flags(&self, id: u32) -> NodeFlags {
        Entry(self.table.get(id as usize)).flags()
    }

    pub fn set_flags(&mut self, id: u32, flags: NodeFlags) {
        let entry = Entry(self.table.get(id as usize));
        self.table.set(id as usize, Entry::new(entry.chunk(), entry.at(), flags).0);
    }

    /// Octets of chunks, garbage included.
    pub fn octets(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.octets.len()).sum()
    }

    /// The number of chunks.
    pub fn chunk_count(&self) -> usize {
        self.chunks.iter().filter(|chunk| !chunk.octets.is_empty()).count()
    }

    /// Takes a number for a new node, which [`Self::append`] has to place.
    pub fn take_id(&mut self) -> u32 {
        if self.free == NO_ID {
            self.table.push(FREE << 32 | u64::from(NO_ID));
            return self.table.len() as u32 - 1;
        }
        let id = self.free;
        self.free = self.table.get(id as usize) as u32;
        id
    }

    /// Gives the number of a node back.
    pub fn free(&mut self, id: u32) {
        self.forget(id);
        self.table.set(id as usize, FREE << 32 | u64::from(self.free));
        self.free = id;
    }

    fn forget(&mut self, id: u32) {
        let entry = Entry(self.table.get(id as usize));
        if entry.chunk() as u64 == FREE {
            return;
        }
        let size = self.get(id).0.0.len();
        let chunk = &mut self.chunks[entry.chunk()];
        chunk.live -= size;
        if chunk.live == 0 {
            chunk.octets = Arc::new([]);
        }
    }

    /// Adds `octets`, nodes one after the other, each in place of the one with its number.
    pub fn append(&mut self, octets: Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        let slot = self.chunks.iter().position(|chunk| chunk.octets.is_empty());
        let slot = slot.unwrap_or_else(|| {
            self.chunks.push(Chunk { octets: Arc::new([]), live: 0 });
            self.chunks.len() - 1
        });
        for (at, record) in records(&octets) {
            let id = record.id();
            let old = Entry(self.table.get(id as usize));
            let flags = if old.chunk() as u64 == FREE { NodeFlags::default() } else { old.flags() };
            self.forget(id);
            self.table.set(id as usize, Entry::new(slot, at, flags).0);
        }
        self.chunks[slot] = Chunk { live: octets.len(), octets: octets.into() };
    }

    /// Joins chunks that are small beside what was appended after them, and rewrites those that are mostly
    /// garbage.
    pub fn tidy(&mut self) {
        loop {
            let mut sizes: Vec<(usize, usize)> = self
                .chunks
                .iter()
                .enumerate()
                .filter(|(_, chunk)| !chunk.octets.is_empty())
                .map(|(number, chunk)| (chunk.live, number))
                .collect();
            sizes.sort_unstable();
            let sparse = sizes.iter().position(|&(live, number)| live * 2 < self.chunks[number].octets.len());
            let similar =
                sizes.windows(2).position(|pair| pair[1].0 < CHUNK / 4 && pair[1].0 <= pair[0].0 * 2);
            let which = match (similar, sparse) {
                (Some(at), _) => vec![sizes[at].1, sizes[at + 1].1],
                (None, Some(at)) => vec![sizes[at].1],
                (None, None) => return,
            };
            self.rewrite(&which);
        }
    }

    /// Copies what is in use in the chunks `which` into a new one.
    fn rewrite(&mut self, which: &[usize]) {
        let mut octets = Vec::new();
        for &number in which {
            for (at, record) in records(&self.chunks[number].octets) {
                let entry = Entry(self.table.get(record.id() as usize));
                if (entry.chunk(), entry.at()) == (number, at) {
                    octets.extend_from_slice(record.0);
                }
            }
        }
        self.append(octets);
    }
}

/// Yields the nodes that lie one after the other in `octets`, with their places.
fn records(octets: &[u8]) -> impl Iterator<Item = (usize, Record<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let record = (start < octets.len()).then(|| Record::at(octets, start))?;
        at += record.0.len();
        Some((start, record))
    })
}
