//! The thread of a `TcpService`: it waits for all listeners and connections (epoll).

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with, getsockname, sockopt};

use super::tcp::{Command, Shared, TakenBack};
use super::tcp_connection::{Connection, Desk, Next, READ};
use super::tcp_limits::{ConnectionTable, Room, TcpSettings, client_group};
use super::timers::Timers;
use super::upcalls::{Event, HandedOver, Upcalls};
use super::{SLICE, worker};
use crate::answer::{Answerer, Role, State, Worker};
use crate::fault::quietly;

const EXHAUSTED_PAUSE: Duration = Duration::from_millis(250);
/// How long clients have to take the answers that are due when their listener goes.
pub const FINISH_WITHIN: Duration = Duration::from_millis(500);
const EVENTS: usize = 256;
/// How many connections of one listener are taken before others have their turn.
const ACCEPTS_PER_TURN: usize = 64;

/// What the wake-up descriptor is called; listeners have numbers from 0, connections from `FIRST_CONNECTION`.
const WAKE: u64 = u64::MAX;
const FIRST_CONNECTION: u64 = 1 << 32;

struct Listener {
    socket: OwnedFd,
    bound: SocketAddr,
}

struct Client {
    connection: Connection,
    listener: u64,
}

pub struct TcpThread {
    shared: Arc<Shared>,
    poll: OwnedFd,
    answerer: Arc<Answerer>,
    worker: Worker,
    upcalls: Arc<Upcalls>,
    settings: TcpSettings,
    listeners: HashMap<u64, Listener>,
    next_listener: u64,
    /// Listeners pause until then: there were no more descriptors.
    accept_again: Option<Instant>,
    connections: HashMap<u64, Client>,
    next_connection: u64,
    table: ConnectionTable,
    timers: Timers,
    /// Connections that have more to be answered.
    ready: Vec<u64>,
    answer: Vec<u8>,
    buffer: Vec<u8>,
    stop_by: Option<Instant>,
}

impl TcpThread {
    pub fn new(
        shared: Arc<Shared>,
        answerer: &Arc<Answerer>,
        upcalls: &Arc<Upcalls>,
        settings: TcpSettings,
    ) -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &shared.wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        Ok(Self {
            shared,
            poll,
            answerer: answerer.clone(),
            worker: worker(answerer, upcalls, Role::Tcp),
            upcalls: upcalls.clone(),
            settings,
            listeners: HashMap::new(),
            next_listener: 0,
            accept_again: None,
            connections: HashMap::new(),
            next_connection: FIRST_CONNECTION,
            table: ConnectionTable::default(),
            timers: Timers::default(),
            ready: Vec::new(),
            answer: Vec::new(),
            buffer: vec![0; READ],
            stop_by: None,
        })
    }

    /// Serves until it is told to stop; an error that ends it is passed up for each listener.
    pub fn run(&mut self) {
        bindpy_sys::block_signals();
        bindpy_sys::run_in_slices_of(SLICE);
        let ended = match quietly(|| self.serve()) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(words) => words,
        };
        let mut bound: Vec<SocketAddr> = self.listeners.values().map(|listener| listener.bound).collect();
        bound.sort();
        for bound in bound {
            self.upcalls.tell(Event::Ended(bound, ended.clone()));
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let answerer = self.answerer.clone();
        loop {
            events.clear();
            let timeout = self.timeout();
            self.shared.pulse.end();
            match epoll::wait(&self.poll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let now = Instant::now();
            self.shared.pulse.begin(now);
            let state = answerer.state();
            let waiting = std::mem::take(&mut self.ready);
            // What we were told before a client came holds for that client.
            if events.iter().any(|event| event.data.u64() == WAKE) {
                self.obey(now)?;
            }
            for event in &events {
                match event.data.u64() {
                    WAKE => {}
                    number @ FIRST_CONNECTION.. => self.proceed(number, &state, now)?,
                    listener => self.accept(listener, now)?,
                }
            }
            for number in waiting {
                self.proceed(number, &state, now)?;
            }
            drop(state);
            self.look_at_clock(now)?;
            self.shared.clients.store(self.table.len(), Ordering::Relaxed);
            self.shared.high_water.store(self.table.high_water(), Ordering::Relaxed);
            if let Some(stop_by) = self.stop_by
                && (self.connections.is_empty() || now >= stop_by)
            {
                return Ok(());
            }
        }
    }

    /// How long to wait for events; `None`: until there are some.
    fn timeout(&self) -> Option<Timespec> {
        if !self.ready.is_empty() {
            return Some(Timespec { tv_sec: 0, tv_nsec: 0 });
        }
        let times = [self.timers.next(), self.accept_again, self.stop_by];
        let left = times.into_iter().flatten().min()?.saturating_duration_since(Instant::now());
        Some(Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) })
    }

    // --- orders -----------------------------------------------------------------------------------

    fn obey(&mut self, now: Instant) -> io::Result<()> {
        let mut octets = [0; 8];
        match rustix::io::read(&self.shared.wake, &mut octets) {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let commands =
            std::mem::take(&mut *self.shared.commands.lock().unwrap_or_else(PoisonError::into_inner));
        for command in commands {
            match command {
                Command::Listen(socket, bound) => self.listen(socket, bound)?,
                Command::Unlisten(bound, done) => {
                    let numbers: Vec<u64> = self
                        .listeners
                        .iter()
                        .filter(|(_, listener)| listener.bound == bound)
                        .map(|(number, _)| *number)
                        .collect();
                    for number in numbers {
                        self.unlisten(number, now)?;
                    }
                    let _ = done.send(()); // whoever asked may have gone
                }
                Command::TakeBack(connection) => self.take_back(connection, now),
                Command::Settings(settings) => self.settings = settings,
                Command::Closed(number) => {
                    self.table.remove(number);
                }
                Command::Stop => {
                    for number in self.listeners.keys().copied().collect::<Vec<_>>() {
                        self.unlisten(number, now)?;
                    }
                    self.stop_by.get_or_insert(now + FINISH_WITHIN);
                }
            }
        }
        Ok(())
    }

    fn listen(&mut self, socket: OwnedFd, bound: SocketAddr) -> io::Result<()> {
        let number = self.next_listener;
        self.next_listener += 1;
        epoll::add(&self.poll, &socket, EventData::new_u64(number), EventFlags::IN)?;
        self.listeners.insert(number, Listener { socket, bound });
        Ok(())
    }

    fn unlisten(&mut self, number: u64, now: Instant) -> io::Result<()> {
        if let Some(listener) = self.listeners.remove(&number) {
            // Another process, or Python, may hold the socket open: then epoll would go on about it.
            epoll::delete(&self.poll, &listener.socket)?;
        }
        for (&its, client) in &mut self.connections {
            if client.listener == number {
                client.connection.finish();
                client.connection.deadline = now + FINISH_WITHIN;
                self.timers.set(client.connection.deadline, its);
                self.ready.push(its);
            }
        }
        Ok(())
    }

    // --- connections ------------------------------------------------------------------------------

    fn accept(&mut self, number: u64, now: Instant) -> io::Result<()> {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = self.listeners.get(&number) else {
                return Ok(());
            };
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match acceptfrom_with(&listener.socket, flags) {
                Ok((socket, client)) => {
                    let client = client.and_then(|client| SocketAddr::try_from(client).ok());
                    if let Some(client) = client {
                        let bound = listener.bound;
                        self.admit(socket, client, bound, number, now);
                    }
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                    return self.pause_accepting(error, now);
                }
                Err(error) if is_transient(error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn pause_accepting(&mut self, error: Errno, now: Instant) -> io::Result<()> {
        self.upcalls.tell(Event::TcpExhausted(error.into()));
        for (number, listener) in &self.listeners {
            epoll::modify(&self.poll, &listener.socket, EventData::new_u64(*number), EventFlags::empty())?;
        }
        self.accept_again = Some(now + EXHAUSTED_PAUSE);
        Ok(())
    }

    fn admit(&mut self, socket: OwnedFd, client: SocketAddr, bound: SocketAddr, listener: u64, now: Instant) {
        let group = client_group(client.ip());
        loop {
            let connections = &self.connections;
            let is_idle = |number| connections.get(&number).is_some_and(|client| client.connection.is_idle());
            match self.table.room(group, &self.settings, is_idle) {
                Room::Free => break,
                Room::After(victim) => self.forget(victim),
                Room::None(reason) => {
                    self.worker.counters().tcp_refused.count();
                    self.upcalls.tell(Event::TcpRefused(client, reason));
                    // A reset tells the client at once.
                    let _ = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
                    return;
                }
            }
        }
        let local = if bound.ip().is_unspecified() {
            getsockname(&socket).ok().and_then(|own| SocketAddr::try_from(own).ok())
        } else {
            Some(bound)
        };
        let Some(local) = local else {
            return; // the client is gone already
        };
        // Answers go out at once; where this fails the connection is gone, which the next call says, too.
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        let number = self.next_connection;
        self.next_connection += 1;
        if let Err(error) = epoll::add(&self.poll, &socket, EventData::new_u64(number), EventFlags::IN) {
            // Memory, or `fs.epoll.max_user_watches`: it ends, and nothing else does.
            self.worker.counters().tcp_refused.count();
            self.upcalls.tell(Event::TcpRefused(client, error.to_string()));
            return;
        }
        let deadline = now + self.settings.initial_timeout;
        let connection = Connection::new(socket, client, local.ip(), deadline);
        self.timers.set(deadline, number);
        self.table.add(number, group);
        self.connections.insert(number, Client { connection, listener });
        self.worker.counters().tcp_accepted.count();
    }

    fn take_back(&mut self, back: TakenBack, now: Instant) {
        let TakenBack { number, socket, client, local, listener } = back;
        let found = self.listeners.iter().find(|(_, one)| one.bound == listener).map(|(number, _)| *number);
        let Some(listener) = found else {
            self.table.remove(number); // it has gone meanwhile, and so does the connection
            return;
        };
        if epoll::add(&self.poll, &socket, EventData::new_u64(number), EventFlags::IN).is_err() {
            self.table.remove(number); // likewise, and its client asked all that it wanted
            return;
        }
        let deadline = now + self.settings.idle_timeout;
        self.connections.insert(
            number,
            Client { connection: Connection::again(socket, client, local, deadline), listener },
        );
        self.timers.set(deadline, number);
        self.table.touch(number);
    }

    /// Lets a connection do what it can, and sees to what comes next.
    fn proceed(&mut self, number: u64, state: &State, now: Instant) -> io::Result<()> {
        let Some(client) = self.connections.get_mut(&number) else {
            return Ok(());
        };
        let connection = &mut client.connection;
        let messages = self.worker.counters().tcp_messages.get();
        let mut desk = Desk {
            state,
            worker: &mut self.worker,
            upcalls: &self.upcalls,
            settings: &self.settings,
            answer: &mut self.answer,
            buffer: &mut self.buffer,
            now,
        };
        let deadline = connection.deadline;
        let next = connection.proceed(&mut desk);
        if self.worker.counters().tcp_messages.get() != messages {
            self.table.touch(number);
        }
        match next {
            Next::Close => {
                self.forget(number);
                return Ok(());
            }
            Next::HandOver => return self.hand_over(number),
            Next::Again => self.ready.push(number),
            Next::Read | Next::Write => {
                if connection.watched != next {
                    let flags = if next == Next::Write { EventFlags::OUT } else { EventFlags::IN };
                    epoll::modify(&self.poll, &connection.socket, EventData::new_u64(number), flags)?;
                    connection.watched = next;
                }
            }
        }
        if connection.deadline < deadline {
            self.timers.set(connection.deadline, number);
        }
        Ok(())
    }

    fn hand_over(&mut self, number: u64) -> io::Result<()> {
        if let Some(Client { connection, listener }) = self.connections.remove(&number) {
            epoll::delete(&self.poll, connection.socket.as_fd())?;
            self.worker.counters().tcp_handed_over.count();
            let (client, local) = (connection.client, connection.local);
            let (socket, unread) = connection.into_unread();
            let is_taken = self.listeners.get(&listener).is_some_and(|listener| {
                let listener = listener.bound;
                self.upcalls.hand_over(HandedOver { socket, client, local, listener, unread, number })
            });
            if !is_taken {
                // The listener has gone, and requests that begin now would be cancelled at once; or nobody takes any.
                self.table.remove(number);
            }
        }
        Ok(())
    }

    /// Closes a connection.
    fn forget(&mut self, number: u64) {
        self.connections.remove(&number);
        self.table.remove(number);
    }

    fn look_at_clock(&mut self, now: Instant) -> io::Result<()> {
        if self.accept_again.is_some_and(|time| time <= now) {
            self.accept_again = None;
            for (number, listener) in &self.listeners {
                epoll::modify(&self.poll, &listener.socket, EventData::new_u64(*number), EventFlags::IN)?;
            }
        }
        while let Some(number) = self.timers.take_due(now) {
            let Some(client) = self.connections.get(&number) else {
                continue;
            };
            let connection = &client.connection;
            if connection.deadline > now {
                self.timers.set(connection.deadline, number);
                continue;
            }
            self.worker.counters().tcp_expired.count();
            self.upcalls.tell(Event::TcpExpired(connection.client, connection.waiting_for));
            self.forget(number);
        }
        Ok(())
    }
}

/// Whether accept(2) failed because of the new connection, not of the listener.
fn is_transient(error: Errno) -> bool {
    matches!(
        error,
        Errno::INTR
            | Errno::CONNABORTED
            | Errno::PERM
            | Errno::PROTO
            | Errno::NETDOWN
            | Errno::NOPROTOOPT
            | Errno::HOSTDOWN
            | Errno::NONET
            | Errno::HOSTUNREACH
            | Errno::OPNOTSUPP
            | Errno::NETUNREACH
    )
}
