//! Whether a thread lives and gets on, for a watchdog.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
const WAITING: u64 = 0;

/// How a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadState {
    /// Whether it has ended.
    pub ended: bool,
    /// How long it has been at what it does now; zero while it waits for something to do.
    pub busy_for: Duration,
}

/// Since when a thread has been busy. It alone writes, anybody reads.
#[derive(Default)]
pub struct Pulse(AtomicU64);

impl Pulse {
    /// Notes that the thread has something to do.
    pub fn begin(&self, now: Instant) {
        let millis = now.saturating_duration_since(*EPOCH).as_millis();
        self.0.store(u64::try_from(millis).unwrap_or(u64::MAX - 1) + 1, Ordering::Relaxed);
    }

    /// Notes that it waits.
    pub fn end(&self) {
        self.0.store(WAITING, Ordering::Relaxed);
    }

    /// Returns how long it has been busy.
    pub fn busy_for(&self) -> Duration {
        match self.0.load(Ordering::Relaxed) {
            WAITING => Duration::ZERO,
            since => EPOCH.elapsed().saturating_sub(Duration::from_millis(since - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_from_begin_to_end() {
        let pulse = Pulse::default();
        assert_eq!(pulse.busy_for(), Duration::ZERO);
        pulse.begin(Instant::now());
        std::thread::sleep(Duration::from_millis(3));
        assert!(pulse.busy_for() >= Duration::from_millis(2));
        pulse.end();
        assert_eq!(pulse.busy_for(), Duration::ZERO);
    }
}
