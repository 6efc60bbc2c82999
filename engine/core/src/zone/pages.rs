//! Arrays in pages that versions of a zone share: a change copies the page that it touches, and the
//! page's group of pages.

use std::sync::Arc;

use bindpy_sys::prefetch;
use smallvec::SmallVec;

/// Pages in a group: what is copied beside a page when that changes.
const GROUP: usize = 64;

type Group<T> = Arc<[Arc<[T]>]>;

/// Numbered pages of any length.
#[derive(Clone)]
pub(crate) struct Pages<T> {
    /// In place where there is one, as in the zones of those who have very many.
    groups: SmallVec<[Group<T>; 1]>,
    count: usize,
}

impl<T: Clone> Pages<T> {
    pub fn from_pages(pages: impl Iterator<Item = Arc<[T]>>) -> Self {
        let mut groups = SmallVec::new();
        let mut group = Vec::with_capacity(GROUP);
        let mut count = 0;
        for page in pages {
            group.push(page);
            count += 1;
            if group.len() == GROUP {
                groups.push(group.drain(..).collect());
            }
        }
        if !group.is_empty() {
            groups.push(group.into());
        }
        groups.shrink_to_fit();
        Pages { groups, count }
    }

    #[inline]
    pub fn page(&self, number: usize) -> &[T] {
        &self.groups[number / GROUP][number % GROUP]
    }

    pub fn page_mut(&mut self, number: usize) -> &mut [T] {
        Arc::make_mut(&mut self.group_mut(number)[number % GROUP])
    }

    pub fn replace(&mut self, number: usize, page: Arc<[T]>) {
        self.group_mut(number)[number % GROUP] = page;
    }

    pub fn push(&mut self, page: Arc<[T]>) {
        if self.count.is_multiple_of(GROUP) {
            self.groups.push(Arc::new([page]));
        } else if let Some(last) = self.groups.last_mut() {
            *last = last.iter().cloned().chain([page]).collect();
        }
        self.count += 1;
    }

    /// Yields the numbers of pages that the two have not in common.
    pub fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        let groups = (0..self.groups.len().max(other.groups.len())).filter(|&number| {
            let (one, two) = (self.groups.get(number), other.groups.get(number));
            !one.zip(two).is_some_and(|(one, two)| Arc::ptr_eq(one, two))
        });
        groups.flat_map(move |group| {
            let size = |pages: &Self| pages.groups.get(group).map_or(0, |group| group.len());
            (0..size(self).max(size(other))).filter_map(move |at| {
                let page = |pages: &'a Self| pages.groups.get(group)?.get(at);
                let (one, two) = (page(self), page(other));
                let is_common = one.zip(two).is_some_and(|(one, two)| Arc::ptr_eq(one, two));
                (!is_common).then_some(group * GROUP + at)
            })
        })
    }

    fn group_mut(&mut self, number: usize) -> &mut [Arc<[T]>] {
        Arc::make_mut(&mut self.groups[number / GROUP])
    }
}

/// Values in a page of a [`PageVec`].
const PAGE: usize = 256;

/// A vector in pages.
#[derive(Clone)]
pub(crate) struct PageVec<T> {
    pages: Pages<T>,
    len: usize,
}

impl<T: Copy> PageVec<T> {
    pub fn from_slice(values: &[T]) -> Self {
        PageVec { pages: Pages::from_pages(values.chunks(PAGE).map(Arc::from)), len: values.len() }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn get(&self, index: usize) -> T {
        self.pages.page(index / PAGE)[index % PAGE]
    }

    /// Returns the indices of values in pages that the two have not in common, which nobody has changed in either since
    /// they parted; `None` where that is more than a quarter of them.
    pub fn not_shared(&self, other: &Self) -> Option<Vec<usize>> {
        let most = self.len.max(other.len);
        let pages = most.div_ceil(PAGE);
        let differing: Vec<usize> = self.pages.differing(&other.pages).take(pages / 4 + 1).collect();
        let index = |page: usize| (page * PAGE..(page + 1) * PAGE).take_while(|&index| index < most);
        (differing.len() <= pages / 4).then(|| differing.into_iter().flat_map(index).collect())
    }

    /// Has the value fetched, so that it is at hand.
    #[inline]
    pub fn fetch(&self, index: usize) {
        prefetch(&self.pages.page(index / PAGE)[index % PAGE]);
    }

    pub fn set(&mut self, index: usize, value: T) {
        self.pages.page_mut(index / PAGE)[index % PAGE] = value;
    }

    pub fn push(&mut self, value: T) {
        let (number, within) = (self.len / PAGE, self.len % PAGE);
        if within == 0 {
            self.pages.push(Arc::new([value]));
        } else if within < self.pages.page(number).len() {
            self.pages.page_mut(number)[within] = value;
        } else {
            // Pages grow by doubling: what lies past the length is not looked at.
            let page = self.pages.page(number);
            let spare = std::iter::repeat_n(value, within.min(PAGE - within));
            let grown = page.iter().copied().chain(spare).collect();
            self.pages.replace(number, grown);
        }
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_do_not_see_each_others_changes() {
        let mut vec: PageVec<u64> = PageVec::from_slice(&[]);
        for i in 0..40_000 {
            vec.push(i);
        }
        let old = vec.clone();
        vec.set(39_000, 7);
        vec.push(8);
        assert_eq!((old.get(39_000), old.len()), (39_000, 40_000));
        assert_eq!((vec.get(39_000), vec.get(40_000), vec.len()), (7, 8, 40_001));
        assert!((0..40_000).all(|i| old.get(i) == i as u64));
        assert!((0..39_000).all(|i| vec.get(i) == i as u64));
    }

    #[test]
    fn what_versions_share_is_known() {
        let old: PageVec<u64> = PageVec::from_slice(&(0..40_000).collect::<Vec<_>>());
        assert_eq!(old.not_shared(&old.clone()), Some(vec![]));
        let mut new = old.clone();
        new.set(300, 7);
        new.set(300, 300); // as it was, which is not for pages to know
        new.set(39_999, 7);
        new.push(8);
        let changed: Vec<usize> = (256..512).chain(39_936..40_001).collect();
        assert_eq!(old.not_shared(&new), Some(changed.clone()));
        assert_eq!(new.not_shared(&old), Some(changed));
        let other: PageVec<u64> = PageVec::from_slice(&(0..40_000).collect::<Vec<_>>());
        assert_eq!(old.not_shared(&other), None);
    }
}
