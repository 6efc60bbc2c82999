//! Referrals that were given before: what stands behind the question is the same for all names below a cut.
//!
//! A thread keeps them by the cut. What is published has changed where its generation has.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::published::Served;
use super::slots::Slots;
use super::tail::Tail;

/// How many referrals are kept.
const SLOTS: usize = 1 << 14;
/// So many octets behind the question of one are kept.
const ROOM: usize = 512;

/// The referrals of one thread.
pub struct Referrals {
    hasher: RandomState,
    given: Slots<Given>,
}

/// Which cut it is, while the same is published.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cut {
    generation: u64,
    /// Where the zone is.
    served: usize,
    /// The number of the node.
    id: u32,
    /// With what proves that the zone below is not signed, or with what it is signed with.
    dnssec_ok: bool,
}

struct Given {
    cut: Cut,
    tail: Tail,
}

impl Cut {
    /// Returns the cut with the number `id` in the zone `served`, of a state of that `generation`.
    #[inline]
    pub fn new(generation: u64, served: &Served, id: u32, dnssec_ok: bool) -> Self {
        Self { generation, served: std::ptr::from_ref(served).addr(), id, dnssec_ok }
    }
}

impl Default for Referrals {
    fn default() -> Self {
        Self { hasher: RandomState::default(), given: Slots::new(SLOTS) }
    }
}

impl Referrals {
    /// Has fetched what is known of referrals from `cut`, so that it is at hand.
    #[inline]
    pub fn fetch(&self, cut: Cut) {
        self.given.find(self.hasher.hash_one(cut));
    }

    /// Returns what stands behind the question of most referrals from `cut`, where that is known.
    #[inline]
    pub fn get(&self, cut: Cut) -> Option<&Tail> {
        let given = self.given.get(self.given.find(self.hasher.hash_one(cut))?)?;
        (given.cut == cut).then_some(&given.tail)
    }

    /// Keeps the records of `message`, a referral from `cut`, where there was one before, or there is room.
    ///
    /// They begin behind the question, of which the last `anchor_octets` of the name are the cut's. How many there are in
    /// the authority section, and in the additional one, says `records`.
    #[inline]
    pub fn keep(
        &mut self,
        (cut, anchor_octets): (Cut, usize),
        message: &[u8],
        question_end: usize,
        records: (u16, u16),
    ) {
        let hash = self.hasher.hash_one(cut);
        let anchor = &message[question_end - 4 - anchor_octets..question_end - 4];
        if (self.given.came(hash) || self.given.has_room(hash))
            && message.len() - question_end <= ROOM
            && let Some(tail) = Tail::of(message, question_end, anchor, message.len(), records)
        {
            self.given.put(hash, Given { cut, tail });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Unavailable;

    /// The question for x.d.test, and a record of d.test that points at n.d.test.
    const MESSAGE: &[u8] = b"\0\0\0\0\0\x01\0\0\0\x01\0\0\x01x\x01d\x04test\0\0\x01\0\x01\
        \xc0\x0e\0\x02\0\x01\0\0\0\x09\0\x04\x01n\xc0\x0e";
    const QUESTION_END: usize = 12 + 10 + 4;
    const ANCHOR: &[u8] = b"\x01d\x04test\0";

    #[test]
    fn what_was_given_fits_other_names() {
        let content = Err(Unavailable::NotReady);
        let served = Served::new(b"\x04test\0", content, Default::default(), Default::default());
        let mut referrals = Referrals::default();
        let cut = Cut::new(1, &served, 7, false);
        assert!(referrals.get(cut).is_none());
        referrals.keep((cut, ANCHOR.len()), MESSAGE, QUESTION_END, (1, 0));
        let tail = referrals.get(cut).unwrap();
        assert_eq!(tail.anchor_in(b"\x03www\x01d\x04test\0", ANCHOR), Some(16));
        assert_eq!(tail.anchor_in(ANCHOR, ANCHOR), Some(12));
        assert_eq!(tail.anchor_in(b"\x01x\x01n\x01d\x04test\0", ANCHOR), None, "shares n with it");
        assert_eq!(tail.anchor_in(b"\x01x\x01D\x04test\0", ANCHOR), None);
        let others = [(2, 7, false), (1, 8, false), (1, 7, true)];
        let known = |(generation, id, dnssec_ok)| {
            referrals.get(Cut::new(generation, &served, id, dnssec_ok)).is_some()
        };
        assert!(!others.into_iter().any(known));
    }

    #[test]
    fn long_ones_are_not_kept() {
        let served = Served::new(b"\0", Err(Unavailable::NotReady), Default::default(), Default::default());
        let mut referrals = Referrals::default();
        for (id, is_kept) in [(ROOM, true), (ROOM + 1, false)] {
            let cut = Cut::new(1, &served, id as u32, false);
            let rdata = vec![0; id - 12];
            let head = [&b"\xc0\x0e\0\x10\0\x01\0\0\0\x09"[..], &(rdata.len() as u16).to_be_bytes()].concat();
            let message = [&MESSAGE[..QUESTION_END], &head, &rdata].concat();
            referrals.keep((cut, ANCHOR.len()), &message, QUESTION_END, (1, 0));
            assert_eq!(referrals.get(cut).is_some(), is_kept);
        }
    }

    #[test]
    fn what_comes_once_pushes_nothing_out() {
        let served = Served::new(b"\0", Err(Unavailable::NotReady), Default::default(), Default::default());
        let mut referrals = Referrals::default();
        let cuts = |generation| (0..4 * SLOTS as u32).map(move |id| (generation, id));
        let cut = |(generation, id)| Cut::new(generation, &served, id, false);
        let keep = |referrals: &mut Referrals, cut| {
            referrals.keep((cut, ANCHOR.len()), MESSAGE, QUESTION_END, (1, 0));
        };
        cuts(1).for_each(|which| keep(&mut referrals, cut(which)));
        let known: Vec<_> = cuts(1).filter(|which| referrals.get(cut(*which)).is_some()).collect();
        assert!(known.len() > SLOTS / 2, "{} are kept", known.len());
        cuts(2).for_each(|which| keep(&mut referrals, cut(which)));
        let still = known.iter().filter(|which| referrals.get(cut(**which)).is_some()).count();
        assert!(still > known.len() * 9 / 10, "{still} of {} are left", known.len());
        for _ in 0..2 {
            keep(&mut referrals, cut((3, 1)));
        }
        assert!(referrals.get(cut((3, 1))).is_some(), "and what comes twice is kept");
    }
}
