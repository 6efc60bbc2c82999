//! Several threads look for the parts of a large text where they most likely are.
//!
//! Reading and hashing a text that is nearly as it was is all that reading it again takes, so it is shared out: the thread
//! that compares goes through the beginning of the text, others look at the rest meanwhile. They only say where they have
//! seen a part; what follows from that, and what became of parts that they have not seen, is for the one thread to find.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, Scope, ScopedJoinHandle, available_parallelism};

use super::layout::Part;

/// The most threads, the one that compares among them: reading is as fast as memory is with a few.
const MOST_THREADS: usize = 4;
/// What a thread has to look at, at least.
const LEAST_OCTETS: usize = if cfg!(test) { 512 } else { 1 << 22 };
/// What is read at once.
const RUN: usize = if cfg!(test) { 300 } else { 1 << 18 };
/// After so many parts in a row that are not where they were, a thread stops looking.
const MOST_MISSED: usize = 16;

/// Where parts have been seen, as far as that is known yet.
pub struct Ahead<'scope> {
    looks: Vec<Look<'scope>>,
}

struct Look<'scope> {
    parts: Range<usize>,
    thread: Option<ScopedJoinHandle<'scope, Vec<Option<u64>>>>,
    seen: Vec<Option<u64>>,
}

impl<'scope> Ahead<'scope> {
    /// Begins to look for `parts` in `file`, which has `octets`; `is_over` ends it early.
    pub fn begin<'env>(
        scope: &'scope Scope<'scope, 'env>,
        file: &'env File,
        parts: &'env [Arc<Part>],
        octets: u64,
        is_over: &'env AtomicBool,
    ) -> Self {
        let before: usize = parts.iter().map(|part| part.octets).sum();
        let moved = octets as i64 - before as i64;
        let mut looks = Vec::new();
        for (parts_seen, start) in shares(parts, before).into_iter().skip(1) {
            let range = parts_seen.clone();
            let work = move || Seeker { file, octets, is_over, moved }.look(&parts[range], start);
            let Ok(thread) = Builder::new().name("zone file".into()).spawn_scoped(scope, work) else { break };
            looks.push(Look { parts: parts_seen, thread: Some(thread), seen: Vec::new() });
        }
        Ahead { looks }
    }

    /// Returns where the part `number` has been seen, `None` where nobody knows.
    pub fn place_of(&mut self, number: usize) -> Option<u64> {
        let look = self.looks.iter_mut().find(|look| look.parts.contains(&number))?;
        if let Some(thread) = look.thread.take() {
            look.seen = thread.join().unwrap_or_default();
        }
        *look.seen.get(number - look.parts.start)?
    }
}

/// Returns the parts that each thread looks at, and where the first of them was.
fn shares(parts: &[Arc<Part>], octets: usize) -> Vec<(Range<usize>, u64)> {
    let processors = if cfg!(test) { 3 } else { available_parallelism().map_or(1, usize::from) };
    let count = processors.min(MOST_THREADS).min(octets / LEAST_OCTETS).max(1);
    let mut shares = vec![(0..parts.len(), 0)];
    let mut at = 0;
    for (number, part) in parts.iter().enumerate() {
        if at >= octets / count * shares.len() && shares.len() < count && at > 0 {
            shares.last_mut().expect("there is a first one").0.end = number;
            shares.push((number..parts.len(), at as u64));
        }
        at += part.octets;
    }
    shares
}

/// One thread's work.
struct Seeker<'a> {
    file: &'a File,
    octets: u64,
    is_over: &'a AtomicBool,
    /// By how much the text behind all edits has moved.
    moved: i64,
}

impl Seeker<'_> {
    /// Returns where each of `parts` is, the first of which was at `start`: where it was, or as far from the end.
    fn look(&self, parts: &[Arc<Part>], start: u64) -> Vec<Option<u64>> {
        let mut seen = Vec::with_capacity(parts.len());
        let mut text = Vec::new();
        let (mut by, mut at, mut missed) = (self.moved, start as i64, 0);
        while seen.len() < parts.len() && missed < MOST_MISSED && !self.is_over.load(Ordering::Relaxed) {
            let run = run_of(&parts[seen.len()..]);
            let first = by;
            let is_there = self.are_at(run, at + first, &mut text);
            for (part, is_there) in run.iter().zip(is_there) {
                let other = if first == 0 { self.moved } else { 0 };
                if is_there {
                    seen.push(Some((at + first) as u64));
                } else if other != first && self.are_at(std::slice::from_ref(part), at + other, &mut text)[0]
                {
                    seen.push(Some((at + other) as u64));
                    by = other;
                } else {
                    seen.push(None);
                }
                missed = if seen.last().is_some_and(Option::is_some) { 0 } else { missed + 1 };
                at += part.octets as i64;
            }
        }
        seen
    }

    /// Returns of each of `parts` whether it is in the text, if they are there one after the other from `at` on.
    fn are_at(&self, parts: &[Arc<Part>], at: i64, text: &mut Vec<u8>) -> Vec<bool> {
        let octets: usize = parts.iter().map(|part| part.octets).sum();
        text.resize(text.len().max(octets), 0);
        let is_read = at >= 0
            && at as u64 + octets as u64 <= self.octets
            && self.file.read_exact_at(&mut text[..octets], at as u64).is_ok();
        let mut from = 0;
        let is_there = |part: &Arc<Part>| {
            from += part.octets;
            is_read && part.is(&text[from - part.octets..from])
        };
        parts.iter().map(is_there).collect()
    }
}

/// Returns as many of `parts` as are read at once, one at least.
fn run_of(parts: &[Arc<Part>]) -> &[Arc<Part>] {
    let mut octets = 0;
    let fitting = parts.iter().take_while(|part| {
        octets += part.octets;
        octets <= RUN
    });
    &parts[..fitting.count().max(1)]
}
