//! Nodes in canonical order (RFC 4034 section 6.1): a B-tree of their numbers whose pages versions share.
//!
//! Names themselves are not in it. A page knows what the sort keys of all its names begin with, and of each
//! name the eight octets that follow: a search seldom has to look at names at all.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use smallvec::SmallVec;

use crate::name::SortKey;

/// The most entries of a page.
const MAX: usize = 128;
/// A page with fewer is joined with its neighbour.
const MIN: usize = 32;
/// Entries of a page that is made with many at once: some room is left.
const BULK: usize = 112;

/// Whose names are in the tree.
pub(crate) trait Names {
    /// The sort key of the node `id`, without the zone's own name.
    fn sort_key(&self, id: u32) -> SortKey;
}

#[derive(Clone)]
struct Page {
    /// In the page itself, where it is short: each search looks at it.
    prefix: SmallVec<[u8; 16]>,
    heads: Vec<u64>,
    /// Of a leaf its nodes, of an inner page the first node of each child.
    ids: Vec<u32>,
    /// Empty for a leaf.
    children: Vec<Arc<Page>>,
}

/// The ordered index.
#[derive(Clone)]
pub(crate) struct Order {
    root: Arc<Page>,
}

fn head(key: &[u8], skip: usize) -> u64 {
    let rest = &key[skip..];
    match rest.first_chunk::<8>() {
        Some(octets) => u64::from_be_bytes(*octets),
        None => {
            let mut octets = [0; 8];
            octets[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(octets)
        }
    }
}

fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(l, r)| l == r).count()
}

impl Page {
    /// Makes a page of sorted entries; their number is not 0.
    fn new(ids: Vec<u32>, children: Vec<Arc<Page>>, names: &impl Names) -> Self {
        let mut page = Page { prefix: SmallVec::new(), heads: Vec::new(), ids, children };
        page.measure(names);
        page
    }

    /// Works out anew what the names begin with.
    fn measure(&mut self, names: &impl Names) {
        let (Some(&first), Some(&last)) = (self.ids.first(), self.ids.last()) else {
            self.prefix.clear();
            self.heads.clear();
            return;
        };
        let first = names.sort_key(first);
        let common = common_prefix(&first, &names.sort_key(last));
        self.prefix = SmallVec::from_slice(&first[..common]);
        self.heads.clear();
        self.heads.extend(self.ids.iter().map(|&id| head(&names.sort_key(id), common)));
    }

    /// Returns how many entries sort before `key`, or at it where `or_equal`.
    fn rank(&self, key: &[u8], or_equal: bool, names: &impl Names) -> usize {
        let skip = self.prefix.len();
        if !key.starts_with(&self.prefix) {
            return if *key < *self.prefix { 0 } else { self.ids.len() };
        }
        let wanted = head(key, skip);
        let low = self.heads.partition_point(|&h| h < wanted);
        let same = self.heads[low..].iter().take_while(|&&h| h == wanted).count();
        let before = |&id: &u32| match (*names.sort_key(id)).cmp(key) {
            Ordering::Less => true,
            Ordering::Equal => or_equal,
            Ordering::Greater => false,
        };
        low + self.ids[low..low + same].partition_point(before)
    }

    /// Puts an entry in at `at`.
    fn put(&mut self, at: usize, id: u32, key: &[u8], child: Option<Arc<Page>>, names: &impl Names) {
        self.ids.insert(at, id);
        if let Some(child) = child {
            self.children.insert(at, child);
        }
        if key.starts_with(&self.prefix) && !self.heads.is_empty() {
            self.heads.insert(at, head(key, self.prefix.len()));
        } else {
            self.measure(names);
        }
    }

    fn take(&mut self, at: usize) {
        self.ids.remove(at);
        self.heads.remove(at);
        if !self.children.is_empty() {
            self.children.remove(at);
        }
    }

    /// Takes over the first node of the child `at`, which may have changed.
    fn refresh(&mut self, at: usize, names: &impl Names) {
        let id = self.children[at].ids[0];
        if self.ids[at] != id {
            self.ids[at] = id;
            let key = names.sort_key(id);
            if key.starts_with(&self.prefix) {
                self.heads[at] = head(&key, self.prefix.len());
            } else {
                self.measure(names);
            }
        }
    }

    /// Splits a page that is too full and returns its upper half.
    fn split(&mut self, names: &impl Names) -> Option<Page> {
        if self.ids.len() <= MAX {
            return None;
        }
        let middle = self.ids.len() / 2;
        let children = if self.children.is_empty() { Vec::new() } else { self.children.split_off(middle) };
        let upper = Page::new(self.ids.split_off(middle), children, names);
        self.measure(names);
        Some(upper)
    }

    fn insert(&mut self, id: u32, key: &[u8], names: &impl Names) -> Option<Page> {
        let rank = self.rank(key, false, names);
        if self.children.is_empty() {
            self.put(rank, id, key, None, names);
        } else {
            let at = rank.saturating_sub(1);
            let upper = Arc::make_mut(&mut self.children[at]).insert(id, key, names);
            self.refresh(at, names);
            if let Some(upper) = upper {
                let first = upper.ids[0];
                let key = names.sort_key(first);
                self.put(at + 1, first, &key, Some(Arc::new(upper)), names);
            }
        }
        self.split(names)
    }

    fn remove(&mut self, key: &[u8], names: &impl Names) {
        let rank = self.rank(key, true, names);
        let Some(at) = rank.checked_sub(1) else { return };
        if self.children.is_empty() {
            self.take(at);
            return;
        }
        let child = Arc::make_mut(&mut self.children[at]);
        child.remove(key, names);
        if child.ids.is_empty() {
            self.take(at);
            return;
        }
        let small = child.ids.len() < MIN;
        self.refresh(at, names);
        if small && self.children.len() > 1 {
            self.join(at.min(self.children.len() - 2), names);
        }
    }

    /// Joins the children `at` and `at + 1` if together they fit a page.
    fn join(&mut self, at: usize, names: &impl Names) {
        if self.children[at].ids.len() + self.children[at + 1].ids.len() > BULK {
            return;
        }
        let right = self.children[at + 1].clone();
        self.take(at + 1);
        let left = Arc::make_mut(&mut self.children[at]);
        left.ids.extend_from_slice(&right.ids);
        left.children.extend_from_slice(&right.children);
        left.measure(names);
    }
}

/// One for all zones without a chain, which most are.
static NOTHING: LazyLock<Arc<Page>> = LazyLock::new(|| {
    let (prefix, heads, ids, children) = (SmallVec::new(), Vec::new(), Vec::new(), Vec::new());
    Arc::new(Page { prefix, heads, ids, children })
});

impl Order {
    /// The index of nothing.
    pub fn empty() -> Self {
        Order { root: NOTHING.clone() }
    }

    /// Makes the index of `ids`, which are in canonical order.
    pub fn bulk(ids: &[u32], names: &impl Names) -> Self {
        let mut level: Vec<Arc<Page>> =
            ids.chunks(BULK).map(|ids| Arc::new(Page::new(ids.to_vec(), Vec::new(), names))).collect();
        while level.len() > 1 {
            level = level
                .chunks(BULK)
                .map(|pages| {
                    let firsts = pages.iter().map(|page| page.ids[0]).collect();
                    Arc::new(Page::new(firsts, pages.to_vec(), names))
                })
                .collect();
        }
        level.pop().map_or_else(Order::empty, |root| Order { root })
    }

    /// Adds the node `id`, whose name is not in it.
    pub fn insert(&mut self, id: u32, names: &impl Names) {
        let key = names.sort_key(id);
        let root = Arc::make_mut(&mut self.root);
        if let Some(upper) = root.insert(id, &key, names) {
            let firsts = vec![root.ids[0], upper.ids[0]];
            let children = vec![self.root.clone(), Arc::new(upper)];
            self.root = Arc::new(Page::new(firsts, children, names));
        }
    }

    /// Removes the node `id`, whose name is in it.
    pub fn remove(&mut self, id: u32, names: &impl Names) {
        let key = names.sort_key(id);
        let root = Arc::make_mut(&mut self.root);
        root.remove(&key, names);
        while self.root.children.len() == 1 {
            self.root = self.root.children[0].clone();
        }
    }

    /// Returns the last node at or before `key`.
    pub fn at_or_before(&self, key: &[u8], names: &impl Names) -> Option<u32> {
        let mut page = &*self.root;
        loop {
            let at = page.rank(key, true, names).checked_sub(1)?;
            match page.children.get(at) {
                Some(child) => page = child,
                None => return Some(page.ids[at]),
            }
        }
    }

    /// Returns the last node of all.
    pub fn last(&self) -> Option<u32> {
        let mut page = &*self.root;
        while let Some(child) = page.children.last() {
            page = child;
        }
        page.ids.last().copied()
    }

    /// Yields all nodes.
    pub fn iter(&self) -> OrderIter<'_> {
        OrderIter { path: vec![(&self.root, 0)] }
    }

    /// Yields the nodes after `key`.
    pub fn after(&self, key: &[u8], names: &impl Names) -> OrderIter<'_> {
        let mut path = Vec::new();
        let mut page = &*self.root;
        loop {
            let rank = page.rank(key, true, names);
            match page.children.get(rank.saturating_sub(1)) {
                Some(child) => {
                    path.push((page, rank.max(1)));
                    page = child;
                }
                None => {
                    path.push((page, rank));
                    return OrderIter { path };
                }
            }
        }
    }
}

/// Goes through an [`Order`]: the pages from the root down, each with the number of its next entry.
pub(crate) struct OrderIter<'a> {
    path: Vec<(&'a Page, usize)>,
}

impl Iterator for OrderIter<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        loop {
            let (page, at) = self.path.last_mut()?;
            if *at >= page.ids.len() {
                self.path.pop();
                continue;
            }
            *at += 1;
            match page.children.get(*at - 1) {
                Some(child) => self.path.push((child, 0)),
                None => return Some(page.ids[*at - 1]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    struct Given(Vec<Vec<u8>>);

    impl Names for Given {
        fn sort_key(&self, id: u32) -> SortKey {
            let name = &self.0[id as usize];
            SortKey::new(name, name.len() - 1)
        }
    }

    fn one_label(number: u32) -> Vec<u8> {
        let text = format!("a-long-beginning-{:x}", number.wrapping_mul(0x9e37_79b1) >> 12);
        let mut name = vec![text.len() as u8];
        name.extend_from_slice(text.as_bytes());
        name.push(0);
        name
    }

    proptest! {
        #[test]
        fn it_does_what_a_sorted_map_does(
            bulk in 0u32..600,
            steps in proptest::collection::vec((any::<bool>(), 0u32..1200), 0..1500),
        ) {
            let names = Given((0..1200).map(one_label).collect());
            let mut model = BTreeMap::new();
            let key = |id: u32| names.sort_key(id).to_vec();
            for id in 0..bulk {
                model.insert(key(id), id);
            }
            let ids: Vec<u32> = model.values().copied().collect();
            let mut order = Order::bulk(&ids, &names);
            let first = order.clone();
            for (add, id) in steps {
                match (add, model.contains_key(&key(id))) {
                    (true, false) => {
                        model.insert(key(id), id);
                        order.insert(id, &names);
                    }
                    (false, true) => {
                        let gone = model.remove(&key(id)).unwrap();
                        order.remove(gone, &names);
                    }
                    _ => {}
                }
            }
            prop_assert!(order.iter().eq(model.values().copied()));
            prop_assert!(first.iter().eq(ids.iter().copied()));
            prop_assert_eq!(order.last(), model.values().next_back().copied());
            for id in (0..1200).step_by(7) {
                let before = model.range(..=key(id)).next_back().map(|(_, &id)| id);
                prop_assert_eq!(order.at_or_before(&key(id), &names), before);
                let after = model.range((std::ops::Bound::Excluded(key(id)), std::ops::Bound::Unbounded));
                prop_assert!(order.after(&key(id), &names).eq(after.map(|(_, &id)| id)));
            }
        }
    }
}
