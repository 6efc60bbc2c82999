//! Deadlines of many things, of which most are moved long before they pass.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Wakes things by their numbers. A thing is looked at no later than at the earliest time set for it, and then
/// may set another: so to move a deadline to a later time costs nothing.
#[derive(Default)]
pub struct Timers {
    times: BinaryHeap<Reverse<(Instant, u64)>>,
}

impl Timers {
    /// Sees to it that `number` is looked at, at `time`.
    pub fn set(&mut self, time: Instant, number: u64) {
        self.times.push(Reverse((time, number)));
    }

    /// Returns the earliest time.
    pub fn next(&self) -> Option<Instant> {
        self.times.peek().map(|Reverse((time, _))| *time)
    }

    /// Takes out one number whose time has come.
    pub fn take_due(&mut self, now: Instant) -> Option<u64> {
        let Reverse((time, _)) = self.times.peek()?;
        if *time > now {
            return None;
        }
        self.times.pop().map(|Reverse((_, number))| number)
    }
}
