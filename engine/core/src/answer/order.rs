//! The order of an answer's RDATAs that `rrset-order` asks for, where it asks for any.

use bumpalo::Bump;
use smallvec::SmallVec;

use super::policy::{OrderRule, RrsetOrder};
use super::response::{Data, Response};
use crate::rtype;
use crate::zone::Rdatas;

const COUNTERS: usize = 256;

/// Orders RRsets, and counts how often, so that each begins one further on the next time.
///
/// Few counters do for all RRsets: a name's RRsets of different types, which clients ask for in turns, have
/// different ones, mostly.
pub struct Turns([u64; COUNTERS]);

impl Default for Turns {
    fn default() -> Self {
        Self([0; COUNTERS])
    }
}

impl Turns {
    /// Puts the RDATAs of each RRset of `response` into the order of the first of `rules` that is for it.
    ///
    /// Signatures and the additional section stay as they are, as with BIND.
    pub fn arrange<'a>(&mut self, rules: &[OrderRule], arena: &'a Bump, response: &mut Response<'a>) {
        for entry in response.answer.iter_mut().chain(&mut response.authority) {
            if entry.rtype == rtype::RRSIG || !entry.data.is_many() {
                continue;
            }
            let key = arena.alloc_slice_copy(entry.owner);
            key.make_ascii_lowercase();
            let rule = rules.iter().find(|rule| rule.matches(key, entry.rtype));
            let order = rule.map_or(RrsetOrder::None, |rule| rule.order);
            if order == RrsetOrder::None {
                continue;
            }
            let mut rdatas: SmallVec<[&[u8]; 16]> = entry.data.iter().collect();
            let turn = self.next(key, entry.rtype);
            if order == RrsetOrder::Cyclic {
                let start = turn % rdatas.len() as u64;
                rdatas.rotate_left(start as usize);
            } else {
                shuffle(&mut rdatas, turn);
            }
            entry.data = Data::Rrset(Rdatas::gathered(&rdatas, arena));
        }
    }

    fn next(&mut self, key: &[u8], rtype: u16) -> u64 {
        let sum: usize = key.iter().map(|octet| usize::from(*octet)).sum();
        let counter = &mut self.0[(sum + usize::from(rtype)) % COUNTERS];
        let turn = *counter;
        *counter = turn.wrapping_add(1);
        turn
    }
}

fn shuffle(rdatas: &mut [&[u8]], seed: u64) {
    let mut random = seed;
    for last in (1..rdatas.len()).rev() {
        rdatas.swap(last, (split_mix(&mut random) % (last as u64 + 1)) as usize);
    }
}

/// The next number of the sequence SplitMix64.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
