//! Answers over UDP that were given before and are asked for again: most of what a server is asked is a few names.
//!
//! They are kept by the octets of the query behind its ID, which the answer depends on and nothing else: those are not
//! kept to which it matters who asks, or how often. What is published has changed where its generation has. A query is
//! kept when it comes for the second time, so that names without end that are asked once push nothing out.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use foldhash::fast::RandomState;

use super::query::Rcode;
use super::slots::Slots;

/// How many answers are kept.
const SLOTS: usize = 1 << 12;
/// So many octets of a query and its answer, their IDs not counted, are kept.
const ROOM: usize = 480;
/// Where a message goes on behind its ID.
const ID: usize = 2;

/// The answers of one thread.
pub struct Recent {
    hasher: RandomState,
    given: Slots<Given>,
}

/// Where a query is in a [`Recent`], or would be.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    hash: u64,
    slot: Option<u16>,
}

/// What is counted when an answer is given.
#[derive(Clone)]
pub struct Kind {
    pub qtype: u16,
    pub rcode: Rcode,
    pub truncated: bool,
    /// How many queries the zone was asked.
    pub queries: Arc<AtomicU64>,
}

/// An answer.
struct Given {
    generation: u64,
    query_octets: u16,
    octets_in_all: u16,
    /// The query, and the answer behind it.
    octets: [u8; ROOM],
    kind: Kind,
}

impl Default for Recent {
    fn default() -> Self {
        Self { hasher: RandomState::default(), given: Slots::new(SLOTS) }
    }
}

impl Mark {
    /// Whether there seems to be an answer.
    #[inline]
    pub fn is_known(self) -> bool {
        self.slot.is_some()
    }
}

impl Recent {
    /// Looks for `packet`, which has a header, and has what seems to be its answer fetched, so that it is at hand.
    #[inline]
    pub fn mark(&self, packet: &[u8]) -> Mark {
        let hash = self.hasher.hash_one(&packet[ID..]);
        Mark { hash, slot: self.given.find(hash) }
    }

    /// Writes the answer to `packet` to `out` and returns of what kind it is, where it is still the answer. Where not,
    /// it is forgotten.
    #[inline]
    pub fn answer(&mut self, mark: Mark, generation: u64, packet: &[u8], out: &mut Vec<u8>) -> Option<&Kind> {
        let slot = mark.slot?;
        let is_it = |given: &&Given| {
            given.generation == generation && given.octets[..usize::from(given.query_octets)] == packet[ID..]
        };
        if self.given.get(slot).filter(is_it).is_none() {
            self.given.forget(mark.hash, slot);
            return None;
        }
        let given = self.given.get(slot)?;
        out.extend_from_slice(&packet[..ID]);
        out.extend_from_slice(
            &given.octets[usize::from(given.query_octets)..usize::from(given.octets_in_all)],
        );
        Some(&given.kind)
    }

    /// Keeps `answer`, to `packet`, where it has come before. `kind` is asked for only then.
    #[inline]
    pub fn keep(
        &mut self,
        mark: Mark,
        generation: u64,
        packet: &[u8],
        answer: &[u8],
        kind: impl FnOnce() -> Kind,
    ) {
        if !self.given.came(mark.hash) {
            return;
        }
        let (query, answer) = (&packet[ID..], &answer[ID..]);
        let octets_in_all = query.len() + answer.len();
        if octets_in_all > ROOM {
            return;
        }
        let mut octets = [0; ROOM];
        octets[..query.len()].copy_from_slice(query);
        octets[query.len()..octets_in_all].copy_from_slice(answer);
        let (query_octets, octets_in_all) = (query.len() as u16, octets_in_all as u16);
        self.given.put(mark.hash, Given { generation, query_octets, octets_in_all, octets, kind: kind() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(qtype: u16) -> Kind {
        Kind { qtype, rcode: Rcode::NoError, truncated: false, queries: Arc::default() }
    }

    fn ask(recent: &mut Recent, generation: u64, packet: &[u8]) -> Option<(Vec<u8>, u16)> {
        let mut out = Vec::new();
        let mark = recent.mark(packet);
        let qtype = recent.answer(mark, generation, packet, &mut out).map(|kind| kind.qtype);
        qtype.map(|qtype| (out, qtype))
    }

    #[test]
    fn what_came_twice_is_kept_until_there_is_something_new() {
        let mut recent = Recent::default();
        let packet = |id: u8| [id, id, 1, 0, 7, 7];
        for (round, known) in [None, None, Some((vec![2, 2, 9], 16))].into_iter().enumerate() {
            let packet = packet(round as u8);
            assert_eq!(ask(&mut recent, 1, &packet), known);
            if known.is_none() {
                recent.keep(recent.mark(&packet), 1, &packet, &[5, 5, 9], || kind(16));
            }
        }
        assert_eq!(ask(&mut recent, 1, &[0, 0, 1, 0, 7]), None);
        assert_eq!(ask(&mut recent, 2, &packet(1)), None);
        assert!(!recent.mark(&packet(1)).is_known(), "it is forgotten");
        recent.keep(recent.mark(&packet(1)), 2, &packet(1), &[5, 5, 8], || kind(1));
        assert_eq!(ask(&mut recent, 2, &packet(3)), Some((vec![3, 3, 8], 1)), "and kept anew at once");
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let mut recent = Recent::default();
        for (octets, is_kept) in [(ROOM, true), (ROOM + 1, false)] {
            let packet = [1; 30];
            let answer = vec![octets as u8; octets - 28 + ID];
            for _ in 0..2 {
                let mark = recent.mark(&packet);
                recent.keep(mark, octets as u64, &packet, &answer, || kind(1));
            }
            assert_eq!(ask(&mut recent, octets as u64, &packet).is_some(), is_kept);
        }
    }

    #[test]
    fn many_push_out_others_and_never_answer_for_them() {
        let mut recent = Recent::default();
        let packet = |number: u32| [&[0, 0][..], &number.to_be_bytes()].concat();
        for number in 0..4 * SLOTS as u32 {
            let packet = packet(number);
            for _ in 0..2 {
                let mark = recent.mark(&packet);
                recent.keep(mark, 1, &packet, &packet, || kind(1));
            }
        }
        let known = (0..4 * SLOTS as u32).filter_map(|number| {
            let packet = packet(number);
            ask(&mut recent, 1, &packet).inspect(|(answer, _)| assert_eq!(*answer, packet))
        });
        assert!((SLOTS / 2..=SLOTS).contains(&known.count()));
    }
}
