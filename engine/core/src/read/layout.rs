//! How the text of a zone's file falls into parts, so that an edit of a large one costs what it touches.
//!
//! A part is a run of whole entries. Its hash tells whether it is there again, and its state whether it means the same
//! again; of its records there are only the numbers of the nodes that own them.

use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::text::NameBuf;
use super::{State, Target};
use crate::zone::Zone;

/// Files of fewer octets are read whole: that takes milliseconds.
pub const LEAST_OCTETS: u64 = if cfg!(test) { 1 } else { 1 << 20 };
/// What a part has at least, unless what was read of the file at once ends with it.
const PART: usize = if cfg!(test) { 64 } else { 1 << 15 };
/// Octets by which a part is looked for.
pub const HEAD: usize = 32;

/// What the meaning of a part depends on, beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    origin: Box<[u8]>,
    owner: Option<Box<[u8]>>,
    default_ttl: Option<u32>,
}

impl Start {
    pub(super) fn of(state: &State) -> Self {
        let owner = state.node.map(|_| (*state.owner).into());
        Start { origin: (*state.origin).into(), owner, default_ttl: state.default_ttl }
    }

    /// Returns the state from which the part is read into `target`.
    pub(super) fn state(&self, target: &mut impl Target) -> Result<State, &'static str> {
        let mut state = State::new(&self.origin);
        state.default_ttl = self.default_ttl;
        if let Some(owner) = &self.owner {
            state.owner = NameBuf::new(owner);
            state.node = Some(target.node_of(owner)?);
        }
        Ok(state)
    }

    /// Whether a part that does not inherit means the same after both.
    pub fn leads_on_as(&self, other: &Start) -> bool {
        (&self.origin, self.default_ttl) == (&other.origin, other.default_ttl)
    }
}

/// One run of entries.
#[derive(Clone, Debug)]
pub struct Part {
    pub octets: usize,
    hash: u128,
    /// How it begins.
    pub head: [u8; HEAD],
    pub start: Start,
    /// Whether the owner before it matters: to a record of it, or to what comes after it.
    pub inherits: bool,
    /// The nodes that own its records, sorted.
    pub owners: Box<[u32]>,
}

impl Part {
    /// Whether `text` is the part's.
    pub fn is(&self, text: &[u8]) -> bool {
        text.len() == self.octets && hash(text) == self.hash
    }

    /// Returns the state from which the part is read into `target`: without an owner unless it inherits that, as the
    /// text before it may spell the owner in another way now, or have another one.
    pub(super) fn state(&self, target: &mut impl Target) -> Result<State, &'static str> {
        match self.inherits {
            true => self.start.state(target),
            false => Start { owner: None, ..self.start.clone() }.state(target),
        }
    }

    /// Returns the part as it is behind another text.
    pub fn begun(&self, start: Start) -> Part {
        Part { start, ..self.clone() }
    }
}

/// The hash of a text: whoever may write the zone's file gains nothing from a collision, and by accident there is none.
fn hash(text: &[u8]) -> u128 {
    static SEED: OnceLock<u64> = OnceLock::new();
    let seed = *SEED.get_or_init(|| std::hash::BuildHasher::hash_one(&RandomState::default(), 0u8));
    xxh3_128_with_seed(text, seed)
}

/// All parts of a file, in their order: a text that means the zone that has this.
#[derive(Debug)]
pub struct Layout {
    pub parts: Vec<Arc<Part>>,
    pub end: Start,
}

/// Makes parts while a text is read.
pub struct Recorder {
    parts: Vec<Part>,
    start: Option<Start>,
    at: usize,
    owners: Vec<u32>,
    has_owner: bool,
    inherits: bool,
}

impl Recorder {
    /// Begins where the text does.
    pub(super) fn new(state: &State) -> Self {
        Recorder {
            parts: Vec::new(),
            start: Some(Start::of(state)),
            at: 0,
            owners: Vec::new(),
            has_owner: false,
            inherits: false,
        }
    }

    /// Takes notice of a record of `node`; `inherits`: its line has no owner.
    pub fn record(&mut self, node: u32, inherits: bool) {
        self.inherits |= inherits && !self.has_owner;
        self.has_owner |= !inherits;
        if self.owners.last() != Some(&node) {
            self.owners.push(node);
        }
    }

    /// Takes notice that a line with an owner, or a directive, begins at `at` of the present piece of the text: parts
    /// had better begin there, as a part that inherits its owner is of use only behind the one before it.
    pub(super) fn owner_at(&mut self, text: &[u8], at: usize, state: &State) {
        if at - self.at >= PART {
            self.close(text, at, state);
        }
    }

    /// Takes notice that the piece ends, and its first `end` octets go.
    pub(super) fn piece(&mut self, text: &[u8], end: usize, state: &State) {
        if end > self.at {
            self.close(text, end, state);
        }
        self.at = 0;
    }

    fn close(&mut self, text: &[u8], end: usize, state: &State) {
        let text = &text[self.at..end];
        let mut head = [0; HEAD];
        let size = HEAD.min(text.len());
        head[..size].copy_from_slice(&text[..size]);
        self.owners.sort_unstable();
        self.owners.dedup();
        let next = Start::of(state);
        if let Some(start) = self.start.replace(next) {
            let owners = std::mem::take(&mut self.owners).into();
            // without an owner of its own it hands the one before it on
            let (octets, inherits) = (text.len(), self.inherits || !self.has_owner);
            self.parts.push(Part { octets, hash: hash(text), head, start, inherits, owners });
        }
        (self.at, self.has_owner, self.inherits) = (end, false, false);
    }

    /// Returns the parts and what comes after them, with nodes numbered by `number`.
    pub fn finish(self, number: impl Fn(u32) -> Option<u32>) -> Option<(Vec<Arc<Part>>, Start)> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for mut part in self.parts {
            part.owners = part.owners.iter().map(|&node| number(node)).collect::<Option<_>>()?;
            part.owners.sort_unstable();
            parts.push(Arc::new(part));
        }
        Some((parts, self.start?))
    }
}

impl Zone {
    /// Returns the zone with the layout of a text that means it.
    pub(super) fn laid_out(self, recorder: Recorder, number: impl Fn(u32) -> Option<u32>) -> Zone {
        match recorder.finish(number) {
            Some((parts, end)) => self.with_layout(Arc::new(Layout { parts, end })),
            None => self,
        }
    }
}
