//! Serving: threads that answer queries on sockets, and what they pass up to the control plane.
//!
//! * [`UdpService`]: a thread for each socket, batches of datagrams.
//! * [`TcpService`]: one thread for all connections, with pipelining, deadlines and quotas.
//! * [`Upcalls`]: bounded queues of what is not for these threads to do, and one descriptor that becomes
//!   readable when something is in them. What does not fit is dropped and counted: a flood of such messages
//!   costs a thread that answers no more than looking at a number.
//!
//! Sockets come bound, with their options set, by whoever owns the configuration.

mod pulse;
mod tcp;
mod tcp_connection;
mod tcp_limits;
mod tcp_thread;
mod timers;
mod udp;
mod upcalls;

pub use pulse::ThreadState;
pub use tcp::TcpService;
pub use tcp_limits::TcpSettings;
pub use udp::{NEVER_ANSWERED_PORTS, UdpService, UdpSocket};
pub use upcalls::{ControlRequest, Event, HandedOver, Lost, Taken, Tapped, Upcalls};

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::answer::{Answerer, Role, Worker};

/// How long a thread that answers runs at a time where others want its processor, zone files that are being read among
/// them: as long as some batches of queries take.
const SLICE: Duration = Duration::from_micros(200);
/// How long the end of a thread is waited for.
const STOP_WITHIN: Duration = Duration::from_millis(500);
const STOP_STEP: Duration = Duration::from_micros(500);

/// Returns a worker for a thread of ours: it tells faults like all other news, never by a call.
fn worker(answerer: &Answerer, upcalls: &Arc<Upcalls>, role: Role) -> Worker {
    let upcalls = upcalls.clone();
    let fault = move |packet: &[u8], words: &str| {
        upcalls.tell(Event::Fault(packet.to_vec(), words.to_owned()));
    };
    answerer.worker_for(role, Arc::new(fault))
}

/// Waits for threads that were told to end; returns whether all did so in time.
fn join_all(threads: &mut Vec<JoinHandle<()>>, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < deadline {
        std::thread::sleep(STOP_STEP);
    }
    let (ended, running): (Vec<_>, Vec<_>) = threads.drain(..).partition(JoinHandle::is_finished);
    for thread in ended {
        // What a thread panicked with was passed up by itself.
        let _ = thread.join();
    }
    running.is_empty()
}
