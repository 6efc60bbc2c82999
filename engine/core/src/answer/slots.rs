//! What one thread keeps of its answers: a table by hash with room for so many, which makes room for others.
//!
//! Who keeps something when it comes for the second time sees to it that what comes once, without end, pushes nothing out.

use bindpy_sys::prefetch;

/// In how many places something may be.
const WAYS: usize = 4;

/// Values by hash. Others may have the same: whoever asks looks whether it is theirs.
pub struct Slots<T> {
    /// For each slot some bits of the hash, never 0 where there is a value.
    tags: Vec<u32>,
    /// The same of what came once.
    seen: Vec<u32>,
    values: Vec<Option<Box<T>>>,
    slots: usize,
}

#[inline]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}

impl<T> Slots<T> {
    /// Returns a table of so many `slots`, at most 65,536 and divisible by four. They take no memory before there is
    /// something to keep.
    pub fn new(slots: usize) -> Self {
        Self { tags: Vec::new(), seen: Vec::new(), values: Vec::new(), slots }
    }

    /// The first of the places where it may be.
    #[inline]
    fn first(&self, hash: u64) -> usize {
        hash as usize % self.slots / WAYS * WAYS
    }

    /// Returns where there seems to be a value for `hash`, and has it fetched, so that it is at hand.
    #[inline]
    pub fn find(&self, hash: u64) -> Option<u16> {
        let first = self.first(hash);
        let way = self.tags.get(first..first + WAYS)?.iter().position(|known| *known == tag(hash))?;
        self.values[first + way].iter().for_each(|value| prefetch(&**value));
        Some((first + way) as u16)
    }

    /// Returns the value at `slot`.
    #[inline]
    pub fn get(&self, slot: u16) -> Option<&T> {
        self.values[usize::from(slot)].as_deref()
    }

    /// Notes that something with `hash` came; returns whether it has before.
    #[inline]
    pub fn came(&mut self, hash: u64) -> bool {
        if self.seen.is_empty() {
            self.seen = vec![0; self.slots];
            self.tags = vec![0; self.slots];
            self.values.resize_with(self.slots, || None);
        }
        let seen = &mut self.seen[hash as usize % self.slots];
        *seen == tag(hash) || {
            *seen = tag(hash);
            false
        }
    }

    /// Returns whether a value for `hash` would push no other one out. Something has come.
    #[inline]
    pub fn has_room(&self, hash: u64) -> bool {
        let first = self.first(hash);
        self.tags[first..first + WAYS].contains(&0)
    }

    /// Forgets the value for `hash` at `slot`; when it comes again it has come before.
    pub fn forget(&mut self, hash: u64, slot: u16) {
        self.tags[usize::from(slot)] = 0;
        self.came(hash);
    }

    /// Keeps `value`, for `hash`, which has come.
    pub fn put(&mut self, hash: u64, value: T) {
        let first = self.first(hash);
        let ways = &self.tags[first..first + WAYS];
        let free = ways.iter().position(|known| *known == 0 || *known == tag(hash));
        let slot = first + free.unwrap_or((hash >> 24) as usize % WAYS);
        self.tags[slot] = tag(hash);
        self.values[slot] = Some(Box::new(value));
    }
}
