//! Queries over TCP: one thread waits for all listeners and connections (epoll).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, eventfd};

use super::pulse::{Pulse, ThreadState};
use super::tcp_limits::TcpSettings;
use super::tcp_thread::{FINISH_WITHIN, TcpThread};
use super::upcalls::Upcalls;
use super::{STOP_WITHIN, join_all};
use crate::answer::Answerer;

/// What the thread is told to do.
pub(super) enum Command {
    Listen(OwnedFd, SocketAddr),
    Unlisten(SocketAddr, mpsc::Sender<()>),
    Settings(TcpSettings),
    Closed(u64),
    TakeBack(TakenBack),
    Stop,
}

/// The thread that serves TCP. It begins without listeners; it ends when it is stopped or dropped.
pub struct TcpService {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the service and its thread have in common.
pub(super) struct Shared {
    pub commands: Mutex<Vec<Command>>,
    /// Readable while there are commands.
    pub wake: OwnedFd,
    pub clients: AtomicUsize,
    pub high_water: AtomicUsize,
    pub pulse: Pulse,
}

/// A connection that the control plane is done with.
pub(super) struct TakenBack {
    pub number: u64,
    pub socket: OwnedFd,
    pub client: SocketAddr,
    pub local: IpAddr,
    pub listener: SocketAddr,
}

impl TcpService {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there are no more descriptors or threads to be had.
    pub fn start(
        answerer: &Arc<Answerer>,
        upcalls: &Arc<Upcalls>,
        settings: TcpSettings,
    ) -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared {
            commands: Mutex::default(),
            wake,
            clients: AtomicUsize::new(0),
            high_water: AtomicUsize::new(0),
            pulse: Pulse::default(),
        });
        let mut thread = TcpThread::new(shared.clone(), answerer, upcalls, settings)?;
        let running = thread::Builder::new().name("tcp".to_owned()).spawn(move || thread.run())?;
        Ok(Self { shared, threads: vec![running] })
    }

    /// Accepts connections on `socket`, which listens on `bound` and does not block.
    pub fn listen(&self, socket: OwnedFd, bound: SocketAddr) {
        self.command(Command::Listen(socket, bound));
    }

    /// Accepts no more connections on `bound`; those that came through it have half a second to take the answers
    /// that are due. Returns whether the listening socket is closed, for which it waits as long.
    pub fn unlisten(&self, bound: SocketAddr) -> bool {
        let (done, is_done) = mpsc::channel();
        self.command(Command::Unlisten(bound, done));
        is_done.recv_timeout(STOP_WITHIN).is_ok()
    }

    /// Sets other limits, for what comes from now on.
    pub fn set_settings(&self, settings: TcpSettings) {
        self.command(Command::Settings(settings));
    }

    /// Tells that a connection that was handed over has ended.
    pub fn closed(&self, number: u64) {
        self.command(Command::Closed(number));
    }

    /// Takes a connection back that was handed over and is done with: nothing of what came on it waits, and all
    /// that was written is with the kernel.
    pub fn take_back(
        &self,
        number: u64,
        socket: OwnedFd,
        client: SocketAddr,
        local: IpAddr,
        listener: SocketAddr,
    ) {
        self.command(Command::TakeBack(TakenBack { number, socket, client, local, listener }));
    }

    /// The number of connections, those handed over included.
    pub fn clients(&self) -> usize {
        self.shared.clients.load(Ordering::Relaxed)
    }

    /// The most connections that there have been.
    pub fn high_water(&self) -> usize {
        self.shared.high_water.load(Ordering::Relaxed)
    }

    /// How the thread is.
    pub fn threads(&self) -> Vec<ThreadState> {
        let busy_for = self.shared.pulse.busy_for();
        self.threads.iter().map(|thread| ThreadState { ended: thread.is_finished(), busy_for }).collect()
    }

    /// Tells the thread to end. Clients have half a second to take the answers that are due.
    pub fn request_stop(&self) {
        self.command(Command::Stop);
    }

    /// Ends the thread; returns whether it ended in time.
    pub fn stop(&mut self) -> bool {
        self.request_stop();
        join_all(&mut self.threads, FINISH_WITHIN + STOP_WITHIN)
    }

    fn command(&self, command: Command) {
        self.shared.commands.lock().unwrap_or_else(PoisonError::into_inner).push(command);
        // The counter of an eventfd is full after 2^64 - 2 of these.
        let _ = rustix::io::write(&self.shared.wake, &1u64.to_ne_bytes());
    }
}

impl Drop for TcpService {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.stop();
        }
    }
}
