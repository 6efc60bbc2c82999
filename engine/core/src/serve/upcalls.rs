//! What the threads that serve pass up: requests for the control plane, a copy of each query for the query
//! log, and news for the server's log.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, Weak};

use bindpy_sys::LocalAddress;
use rustix::event::{EventfdFlags, eventfd};
use rustix::net::getsockname;

use crate::answer::Transport;

/// How many datagrams wait for the control plane.
const REQUESTS: usize = 256;
/// How many copies of queries wait for the query log.
const TAPPED: usize = 4096;
/// How many news wait for the server's log.
const EVENTS: usize = 256;
/// How many connections wait to be taken over. Quotas hold them, too, so this is not the limit that counts.
const HANDED_OVER: usize = 65_536;

/// A datagram that the control plane answers.
pub struct ControlRequest {
    /// The message.
    pub packet: Vec<u8>,
    /// Who sent it.
    pub client: SocketAddr,
    /// The address of ours that it came to.
    pub local: IpAddr,
    pub(super) socket: Weak<OwnedFd>,
    pub(super) leave_from: Option<LocalAddress>,
}

impl ControlRequest {
    /// Returns the port of ours that it came to; 0 once the service has been stopped.
    pub fn port(&self) -> u16 {
        let bound = self.socket.upgrade().and_then(|socket| getsockname(&socket).ok());
        bound.and_then(|own| SocketAddr::try_from(own).ok()).map_or(0, |own| own.port())
    }

    /// Sends a reply, without waiting for room, from the address that was asked. Once the service has been
    /// stopped this does nothing.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn reply(&self, message: &[u8]) -> io::Result<()> {
        match self.socket.upgrade() {
            Some(socket) => {
                bindpy_sys::send_one(socket.as_fd(), message, &self.client, self.leave_from.as_ref())
            }
            None => Ok(()),
        }
    }
}

/// A copy of a message, for the query log.
pub struct Tapped {
    /// The message.
    pub packet: Vec<u8>,
    /// Who sent it.
    pub client: SocketAddr,
    /// The address of ours that it came to.
    pub local: IpAddr,
    /// How it came.
    pub transport: Transport,
}

/// A TCP connection that asked for something the control plane has to answer. From now on it is the control
/// plane's, with all that comes on it.
pub struct HandedOver {
    /// The connection, in non-blocking mode; all answers so far are in the kernel's hands.
    pub socket: OwnedFd,
    /// Whose it is.
    pub client: SocketAddr,
    /// The address of ours that it came to.
    pub local: IpAddr,
    /// The address of the listener that it came through.
    pub listener: SocketAddr,
    /// What has been read and not answered: it begins with the length of the message that is not ours.
    pub unread: Vec<u8>,
    /// To be given to `TcpService::closed` when the connection has ended, so that it is no longer counted; or with
    /// the connection to `TcpService::take_back`.
    pub number: u64,
}

/// News for the server's log.
#[derive(Debug)]
pub enum Event {
    /// A query hit a fault of ours: the message, and the fault's words.
    Fault(Vec<u8>, String),
    /// A UDP socket that is bound to this address gave an error.
    ReceiveError(SocketAddr, io::Error),
    /// An answer to this client was not taken by the kernel.
    SendError(SocketAddr, io::Error),
    /// A TCP connection of this client was refused, and why.
    TcpRefused(SocketAddr, String),
    /// Accepting TCP connections failed for want of descriptors or memory; it is tried again soon.
    TcpExhausted(io::Error),
    /// A TCP connection of this client was ended while waiting for this.
    TcpExpired(SocketAddr, &'static str),
    /// The thread that served this address has ended by an error.
    Ended(SocketAddr, String),
}

/// Everything that was waiting.
#[derive(Default)]
pub struct Taken {
    /// For the control plane.
    pub requests: Vec<ControlRequest>,
    /// For the query log.
    pub tapped: Vec<Tapped>,
    /// For the server's log.
    pub events: Vec<Event>,
    /// For the control plane.
    pub handed_over: Vec<HandedOver>,
}

/// How much found no room in its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Datagrams for the control plane.
    pub requests: u64,
    /// Copies for the query log.
    pub tapped: u64,
    /// News.
    pub events: u64,
}

/// The queues. Any thread puts in, one takes out.
pub struct Upcalls {
    requests: Bounded<ControlRequest>,
    tapped: Bounded<Tapped>,
    events: Bounded<Event>,
    handed_over: Bounded<HandedOver>,
    tapping: AtomicBool,
    wake: OwnedFd,
    woken: AtomicBool,
}

impl Upcalls {
    /// Returns empty queues.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            requests: Bounded::new(REQUESTS),
            tapped: Bounded::new(TAPPED),
            events: Bounded::new(EVENTS),
            handed_over: Bounded::new(HANDED_OVER),
            tapping: AtomicBool::new(false),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            woken: AtomicBool::new(false),
        })
    }

    /// What becomes readable when something is waiting; `take` makes it unreadable again.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Takes out all that is waiting.
    pub fn take(&self) -> Taken {
        let mut octets = [0; 8];
        // "Would block" is no error here: somebody may ask without having been woken.
        let _ = rustix::io::read(&self.wake, &mut octets);
        // Before the queues are emptied: what is put in from here on wakes again.
        self.woken.store(false, Ordering::SeqCst);
        Taken {
            requests: self.requests.drain(),
            tapped: self.tapped.drain(),
            events: self.events.drain(),
            handed_over: self.handed_over.drain(),
        }
    }

    /// How much was lost so far.
    pub fn lost(&self) -> Lost {
        Lost {
            requests: self.requests.lost.load(Ordering::Relaxed),
            tapped: self.tapped.lost.load(Ordering::Relaxed),
            events: self.events.lost.load(Ordering::Relaxed),
        }
    }

    /// Begins or ends the copying of each query.
    pub fn set_tapping(&self, tapping: bool) {
        self.tapping.store(tapping, Ordering::Relaxed);
    }

    /// Whether each query is to be copied.
    #[inline]
    pub(super) fn is_tapping(&self) -> bool {
        self.tapping.load(Ordering::Relaxed)
    }

    pub(super) fn tap(&self, packet: &[u8], client: SocketAddr, local: IpAddr, transport: Transport) {
        let copy = || Tapped { packet: packet.to_vec(), client, local, transport };
        self.put(&self.tapped, copy);
    }

    /// Passes a request up; `make` is called only where there is room.
    pub(super) fn request(&self, make: impl FnOnce() -> ControlRequest) -> bool {
        self.put(&self.requests, make)
    }

    /// Passes a connection up; closes it where there is no room.
    pub(super) fn hand_over(&self, connection: HandedOver) -> bool {
        self.put(&self.handed_over, || connection)
    }

    /// Passes news up. Not only for the services: whoever finds a fault tells it here.
    pub fn tell(&self, event: Event) {
        self.put(&self.events, || event);
    }

    fn put<T>(&self, queue: &Bounded<T>, make: impl FnOnce() -> T) -> bool {
        let taken = queue.put(make);
        if taken && !self.woken.swap(true, Ordering::SeqCst) {
            // The counter of an eventfd is full after 2^64 - 2 of these.
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
        taken
    }
}

/// A queue that never holds more than so many.
struct Bounded<T> {
    items: Mutex<VecDeque<T>>,
    waiting: AtomicUsize,
    limit: usize,
    lost: AtomicU64,
}

impl<T> Bounded<T> {
    fn new(limit: usize) -> Self {
        Self {
            items: Mutex::new(VecDeque::new()),
            waiting: AtomicUsize::new(0),
            limit,
            lost: AtomicU64::new(0),
        }
    }

    fn put(&self, make: impl FnOnce() -> T) -> bool {
        // A full queue is seen without its lock, and nothing is copied for it.
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.limit {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let item = make();
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
        true
    }

    fn drain(&self) -> Vec<T> {
        let taken = std::mem::take(&mut *self.items.lock().unwrap_or_else(PoisonError::into_inner));
        self.waiting.fetch_sub(taken.len(), Ordering::Relaxed);
        taken.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(upcalls: &Upcalls) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&upcalls.descriptor(), PollFlags::IN)], Some(&now)).unwrap() > 0
    }

    fn request() -> ControlRequest {
        let client = "192.0.2.1:53".parse().unwrap();
        let local = "192.0.2.2".parse().unwrap();
        ControlRequest { packet: vec![], client, local, socket: Weak::new(), leave_from: None }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_not_made() {
        let upcalls = Upcalls::new().unwrap();
        for _ in 0..REQUESTS {
            assert!(upcalls.request(request));
        }
        assert!(!upcalls.request(|| unreachable!("there is no room")));
        assert_eq!(upcalls.lost(), Lost { requests: 1, ..Lost::default() });
        assert_eq!(upcalls.take().requests.len(), REQUESTS);
        assert!(upcalls.request(request));
    }

    #[test]
    fn the_descriptor_is_readable_while_something_waits() {
        let upcalls = Upcalls::new().unwrap();
        assert!(!is_readable(&upcalls));
        upcalls.request(request);
        upcalls.request(request);
        assert!(is_readable(&upcalls));
        assert_eq!(upcalls.take().requests.len(), 2);
        assert!(!is_readable(&upcalls));
        upcalls.tell(Event::Fault(vec![], String::new()));
        assert!(is_readable(&upcalls));
    }
}
