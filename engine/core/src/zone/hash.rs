//! Names by their hash: linear hashing (Litwin 1980), one page for each bucket.
//!
//! The table grows by one bucket at a time, so no insertion ever pays for all. An entry is 32 bits of the
//! name's hash, whose low bits choose the bucket, and the node's number. The hash is keyed anew for each zone
//! that is built, so that names cannot be chosen to fall into one bucket.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use bindpy_sys::prefetch;
use foldhash::fast::RandomState;

use super::pages::Pages;

/// Entries in a bucket, on average, at which another bucket is made.
const MAX_LOAD: usize = 16;
const BULK_LOAD: usize = 12;

/// Makes the hashes of one index.
#[derive(Clone, Default)]
pub(crate) struct NameHasher(RandomState);

impl NameHasher {
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u32 {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        (hasher.finish() >> 32) as u32
    }
}

#[derive(Clone)]
pub(crate) struct HashIndex {
    hasher: NameHasher,
    pages: Pages<u64>,
    buckets: usize,
    len: usize,
}

fn entry(hash: u32, id: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(id)
}

/// The bucket of `hash` where there are `buckets`.
#[inline]
fn bucket_of(hash: u32, buckets: usize) -> usize {
    let mask = buckets.next_power_of_two() - 1;
    let bucket = hash as usize & mask;
    if bucket < buckets { bucket } else { bucket & (mask >> 1) }
}

impl HashIndex {
    /// Makes the index of the nodes 0, 1, …, given their hashes.
    pub fn bulk(hasher: NameHasher, hashes: &[u32]) -> Self {
        let buckets = (hashes.len() / BULK_LOAD).max(1);
        let mut ends = vec![0u32; buckets + 1];
        for &hash in hashes {
            ends[bucket_of(hash, buckets) + 1] += 1;
        }
        for i in 0..buckets {
            ends[i + 1] += ends[i];
        }
        let mut sorted = vec![0u64; hashes.len()];
        for (id, &hash) in hashes.iter().enumerate() {
            let end = &mut ends[bucket_of(hash, buckets)];
            sorted[*end as usize] = entry(hash, id as u32);
            *end += 1;
        }
        // each bucket's end is now where the next one's beginning was
        let mut start = 0;
        let pages = ends[..buckets].iter().map(|&end| {
            let page = Arc::from(&sorted[start..end as usize]);
            start = end as usize;
            page
        });
        HashIndex { hasher, pages: Pages::from_pages(pages), buckets, len: hashes.len() }
    }

    #[inline]
    pub fn hash(&self, key: &[u8]) -> u32 {
        self.hasher.hash(key)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns what `look` makes of the node with `hash` that it recognises.
    #[inline]
    pub fn find<T>(&self, hash: u32, mut look: impl FnMut(u32) -> Option<T>) -> Option<T> {
        let page = self.pages.page(bucket_of(hash, self.buckets));
        page.iter().filter(|&&e| (e >> 32) as u32 == hash).find_map(|&e| look(e as u32))
    }

    /// Returns the first node with `hash`.
    #[inline]
    pub fn first(&self, hash: u32) -> Option<u32> {
        let page = self.pages.page(bucket_of(hash, self.buckets));
        page.iter().find(|&&e| (e >> 32) as u32 == hash).map(|&e| e as u32)
    }

    /// Has the entries of nodes with `hash` fetched, so that they are at hand.
    #[inline]
    pub fn fetch(&self, hash: u32) {
        let page = self.pages.page(bucket_of(hash, self.buckets));
        page.first().into_iter().chain(page.last()).for_each(prefetch);
    }

    /// Adds the node `id`, which is not in it.
    pub fn insert(&mut self, hash: u32, id: u32) {
        let bucket = bucket_of(hash, self.buckets);
        let page = self.pages.page(bucket);
        self.pages.replace(bucket, page.iter().copied().chain([entry(hash, id)]).collect());
        self.len += 1;
        if self.len > self.buckets * MAX_LOAD {
            self.split();
        }
    }

    /// Removes the node `id`, which is in it.
    pub fn remove(&mut self, hash: u32, id: u32) {
        let bucket = bucket_of(hash, self.buckets);
        let gone = entry(hash, id);
        let page = self.pages.page(bucket).iter().copied().filter(|&e| e != gone).collect();
        self.pages.replace(bucket, page);
        self.len -= 1;
    }

    /// Makes one more bucket, of entries from the one that they were in until now.
    fn split(&mut self) {
        let buckets = self.buckets + 1;
        let from = self.buckets & (buckets.next_power_of_two() / 2 - 1);
        let (stay, go): (Vec<u64>, Vec<u64>) =
            self.pages.page(from).iter().partition(|&&e| bucket_of((e >> 32) as u32, buckets) == from);
        self.pages.replace(from, stay.into());
        self.pages.push(go.into());
        self.buckets = buckets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_found_while_it_grows_and_shrinks() {
        let hash = |id: u32| id.wrapping_mul(0x9e37_79b1);
        let first: Vec<u32> = (0..100).map(hash).collect();
        let mut index = HashIndex::bulk(NameHasher::default(), &first);
        for id in 100..20_000 {
            index.insert(hash(id), id);
        }
        assert_eq!((index.len(), index.buckets), (20_000, 20_000usize.div_ceil(MAX_LOAD)));
        for id in (0..20_000).filter(|id| id % 3 == 0) {
            index.remove(hash(id), id);
        }
        for id in 0..20_000 {
            let found = index.find(hash(id), |found| (found == id).then_some(()));
            assert_eq!(found.is_some(), id % 3 != 0);
        }
    }
}
