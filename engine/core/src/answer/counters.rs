//! What has been answered, in numbers: one set per thread, which alone writes it, summed when read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::policy::Transport;
use super::query::Rcode;

/// Whose counters they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A thread's that serves UDP.
    Udp,
    /// The thread's that serves TCP.
    Tcp,
    /// Whoever else asks: the control plane.
    Control,
}

/// Types below this number less one are counted each for itself, the others together in the last place.
pub const QTYPES: usize = 264;
/// RCODEs are counted by their number.
pub const RCODES: usize = 17;
/// Bucket *i* counts what took less than 2^*i* microseconds and no less than the one before it; the last one
/// counts all that took longer.
pub const LATENCY_BUCKETS: usize = 20;

/// Declares the single counters: the fields of [`Counters`] and [`Totals`] that are no arrays.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters of one thread.
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
            qtypes: [Counter; QTYPES],
            rcodes: [Counter; RCODES],
            latencies: [Counter; LATENCY_BUCKETS],
        }

        /// Sums of [`Counters`].
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
            /// Queries that were looked up, by type.
            pub qtypes: [u64; QTYPES],
            /// Responses, by RCODE.
            pub rcodes: [u64; RCODES],
            /// Messages over sockets by the time from their arrival in this process until they were dealt
            /// with; those that came together count with the time that all of them took.
            pub latencies: [u64; LATENCY_BUCKETS],
        }

        impl Default for Counters {
            fn default() -> Self {
                Self {
                    $($name: Counter::default(),)*
                    qtypes: [const { Counter::new() }; QTYPES],
                    rcodes: [const { Counter::new() }; RCODES],
                    latencies: [const { Counter::new() }; LATENCY_BUCKETS],
                }
            }
        }

        impl Default for Totals {
            fn default() -> Self {
                Self {
                    $($name: 0,)*
                    qtypes: [0; QTYPES],
                    rcodes: [0; RCODES],
                    latencies: [0; LATENCY_BUCKETS],
                }
            }
        }

        impl Totals {
            /// Adds the counters of a thread.
            pub fn add(&mut self, counters: &Counters) {
                $(self.$name += counters.$name.get();)*
                add_all(&mut self.qtypes, &counters.qtypes);
                add_all(&mut self.rcodes, &counters.rcodes);
                add_all(&mut self.latencies, &counters.latencies);
            }

            /// The single counters with their names.
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

counters! {
    /// Messages over UDP.
    udp_messages,
    /// Messages over TCP.
    tcp_messages,
    /// Responses over UDP that were given before, and again as they were.
    recent,
    /// Responses over UDP with TC set.
    truncated,
    /// Messages that were not answered.
    dropped,
    /// Messages for the control plane.
    control_requests,
    /// Messages that hit a fault of ours, answered SERVFAIL.
    faults,
    /// Errors of a UDP socket while receiving.
    receive_errors,
    /// Responses that the kernel did not take.
    send_errors,
    /// TCP connections taken.
    tcp_accepted,
    /// TCP connections refused because there were too many.
    tcp_refused,
    /// TCP connections ended for having been quiet, or slow, for too long.
    tcp_expired,
    /// TCP connections handed to the control plane.
    tcp_handed_over,
}

/// A number that one thread writes and all may read.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds one. Not for two threads: one of them would be lost.
    #[inline]
    pub fn count(&self) {
        self.add(1);
    }

    /// Adds `number`, likewise.
    #[inline]
    pub fn add(&self, number: u64) {
        self.0.store(self.get().wrapping_add(number), Ordering::Relaxed);
    }

    /// Returns the number.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// Counts a message.
    #[inline]
    pub fn count_message(&self, transport: Transport) {
        match transport {
            Transport::Udp => self.udp_messages.count(),
            Transport::Tcp => self.tcp_messages.count(),
        }
    }

    /// Counts a query that is looked up.
    #[inline]
    pub fn count_qtype(&self, qtype: u16) {
        self.qtypes[usize::from(qtype).min(QTYPES - 1)].count();
    }

    /// Counts a response.
    #[inline]
    pub fn count_rcode(&self, rcode: Rcode) {
        self.rcodes[rcode as usize].count();
    }

    /// Counts `messages` that took `time`.
    #[inline]
    pub fn count_latency(&self, messages: usize, time: Duration) {
        let bits = u128::BITS - time.as_micros().leading_zeros();
        self.latencies[(bits as usize).min(LATENCY_BUCKETS - 1)].add(messages as u64);
    }
}

fn add_all<const N: usize>(totals: &mut [u64; N], counters: &[Counter; N]) {
    for (total, counter) in totals.iter_mut().zip(counters) {
        *total += counter.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_fall_into_powers_of_two() {
        let counters = Counters::default();
        for micros in [0, 1, 2, 3, 4, 1000, u64::MAX] {
            counters.count_latency(1, Duration::from_micros(micros));
        }
        let mut totals = Totals::default();
        totals.add(&counters);
        let mut expected = [0; LATENCY_BUCKETS];
        for bucket in [0, 1, 2, 2, 3, 10, LATENCY_BUCKETS - 1] {
            expected[bucket] += 1;
        }
        assert_eq!(totals.latencies, expected);
    }

    #[test]
    fn rare_types_share_a_place() {
        let counters = Counters::default();
        for qtype in [1, 257, 4711, 65535] {
            counters.count_qtype(qtype);
        }
        let mut totals = Totals::default();
        totals.add(&counters);
        assert_eq!((totals.qtypes[1], totals.qtypes[257], totals.qtypes[QTYPES - 1]), (1, 1, 2));
    }
}
