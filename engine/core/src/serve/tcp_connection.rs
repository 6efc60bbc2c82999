//! One TCP client: framing, pipelining, deadlines and back-pressure (RFC 7766).
//!
//! Exactly one deadline is in force at any time; when it passes, the connection is ended:
//!
//! | waiting for           | deadline                                                               |
//! | --------------------- | ---------------------------------------------------------------------- |
//! | the first message     | initial timeout                                                        |
//! | the next message      | idle timeout since the last one                                        |
//! | the rest of a message | idle timeout since its first octet, however it drips in                |
//! | the client to read    | idle timeout since the kernel took no more answers, however it drips   |
//!
//! A client whose answers are waiting is not read from. The first message that is not for us ends our part:
//! once all answers before it are with the kernel, the connection goes to the control plane with everything
//! that was not answered, and stays there. So answers and transfers never mix on one connection, and the
//! control plane has its own ways to go only as fast as a client reads.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::tcp_limits::TcpSettings;
use super::upcalls::Upcalls;
use crate::answer::{HEADER, Outcome, Request, State, Transport, Worker};

/// How many pipelined queries one client gets answered before others have their turn.
const MESSAGES_PER_TURN: usize = 64;
/// Unread answers of a client beyond this stop the reading of its queries.
const WRITE_HIGH: usize = 64 * 1024;
/// Octets read at once.
pub const READ: usize = 64 * 1024;

const NEXT_MESSAGE: &str = "its next message";

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for it to be readable.
    Read,
    /// Wait for it to be writable.
    Write,
    /// Give it another turn: it has more messages.
    Again,
    /// Hand it to the control plane.
    HandOver,
    /// Close it.
    Close,
}

/// What answering takes.
pub struct Desk<'d> {
    pub state: &'d State,
    pub worker: &'d mut Worker,
    pub upcalls: &'d Upcalls,
    pub settings: &'d TcpSettings,
    /// Reused for each answer.
    pub answer: &'d mut Vec<u8>,
    /// Reused for each read.
    pub buffer: &'d mut [u8],
    pub now: Instant,
}

pub struct Connection {
    pub socket: OwnedFd,
    pub client: SocketAddr,
    pub local: IpAddr,
    /// Read and not answered; whole messages only while they wait for their turn.
    pending: Vec<u8>,
    /// Answered and not written.
    unwritten: Vec<u8>,
    written: usize,
    /// The client shut down its side, or we are stopping: no more queries.
    ending: bool,
    /// The next message in `pending` is not ours.
    foreign: bool,
    pub deadline: Instant,
    pub waiting_for: &'static str,
    had_message: bool,
    part_since: Option<Instant>,
    /// What its readiness is watched for.
    pub watched: Next,
}

impl Connection {
    pub fn new(socket: OwnedFd, client: SocketAddr, local: IpAddr, deadline: Instant) -> Self {
        Self {
            socket,
            client,
            local,
            pending: Vec::new(),
            unwritten: Vec::new(),
            written: 0,
            ending: false,
            foreign: false,
            deadline,
            waiting_for: "its first message",
            had_message: false,
            part_since: None,
            watched: Next::Read,
        }
    }

    /// Returns a connection that had messages before.
    pub fn again(socket: OwnedFd, client: SocketAddr, local: IpAddr, deadline: Instant) -> Self {
        let new = Self::new(socket, client, local, deadline);
        Self { waiting_for: NEXT_MESSAGE, had_message: true, ..new }
    }

    /// Whether no request of it is being worked on and no answer waits to be read.
    pub fn is_idle(&self) -> bool {
        self.unwritten.is_empty() && !self.foreign
    }

    /// What was read and not answered, for whoever takes the connection over.
    pub fn into_unread(self) -> (OwnedFd, Vec<u8>) {
        (self.socket, self.pending)
    }

    /// Takes no more queries than those that are here.
    pub fn finish(&mut self) {
        self.ending = true;
    }

    /// Does all that can be done now.
    pub fn proceed(&mut self, desk: &mut Desk<'_>) -> Next {
        match self.try_proceed(desk) {
            Ok(next) => next,
            Err(_) => Next::Close, // whoever broke the connection knows
        }
    }

    fn try_proceed(&mut self, desk: &mut Desk<'_>) -> io::Result<Next> {
        if !self.unwritten.is_empty() && !self.write(desk)? {
            return Ok(Next::Write);
        }
        let mut more = self.answer_pending(desk)?;
        while !(more || self.foreign || self.ending) && self.unwritten.is_empty() {
            let count = match recv(&self.socket, &mut *desk.buffer, RecvFlags::empty()) {
                Ok((count, _)) => count,
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if count == 0 {
                self.ending = true;
                break;
            }
            more = self.take(desk, count)?;
            if count < desk.buffer.len() {
                break; // that was all; whatever came since makes the socket readable again
            }
        }
        Ok(self.next(desk, more))
    }

    /// Decides what to wait for, and until when.
    fn next(&mut self, desk: &Desk<'_>, more: bool) -> Next {
        let idle_deadline = desk.now + desk.settings.idle_timeout;
        if !self.unwritten.is_empty() {
            // `write` has set the deadline.
            return Next::Write;
        }
        if self.foreign {
            return Next::HandOver;
        }
        if more {
            return Next::Again;
        }
        if self.ending {
            return Next::Close;
        }
        if self.pending.is_empty() {
            self.part_since = None;
            if self.had_message {
                (self.deadline, self.waiting_for) = (idle_deadline, NEXT_MESSAGE);
            }
        } else {
            let since = *self.part_since.get_or_insert(desk.now);
            self.deadline = since + desk.settings.idle_timeout;
            self.waiting_for = "the rest of a message";
        }
        Next::Read
    }

    /// Answers from the `count` octets that are in the buffer, behind what was pending; returns whether more
    /// could be answered at once.
    fn take(&mut self, desk: &mut Desk<'_>, count: usize) -> io::Result<bool> {
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(&desk.buffer[..count]);
            return self.answer_pending(desk);
        }
        // Nearly always whole messages come, and need not be copied.
        let buffer = std::mem::take(&mut desk.buffer);
        let answered = self.answer_messages(desk, &buffer[..count]);
        if let Ok((used, _)) = answered {
            self.pending.extend_from_slice(&buffer[used..count]);
        }
        desk.buffer = buffer;
        answered.map(|(_, more)| more)
    }

    fn answer_pending(&mut self, desk: &mut Desk<'_>) -> io::Result<bool> {
        if self.pending.is_empty() || self.foreign {
            return Ok(false);
        }
        let pending = std::mem::take(&mut self.pending);
        let (used, more) = self.answer_messages(desk, &pending)?;
        if used < pending.len() {
            self.pending = pending;
            self.pending.drain(..used);
        }
        Ok(more)
    }

    /// Answers at most `MESSAGES_PER_TURN` messages of `octets`, and writes the answers; returns how many octets
    /// were used, and whether more could be answered at once.
    fn answer_messages(&mut self, desk: &mut Desk<'_>, octets: &[u8]) -> io::Result<(usize, bool)> {
        let mut at = 0;
        let mut count = 0;
        while count < MESSAGES_PER_TURN && self.unwritten.len() < WRITE_HIGH {
            let Some(message) = whole_message(&octets[at..]) else {
                break;
            };
            if message.len() < HEADER {
                return Err(io::ErrorKind::InvalidData.into()); // whatever this client speaks, it is not DNS
            }
            let request = Request::plain(message, self.client.ip(), self.local, Transport::Tcp);
            let outcome = desk.worker.answer(desk.state, &request, desk.answer);
            if outcome == Outcome::NotMine {
                self.foreign = true;
                break;
            }
            if desk.upcalls.is_tapping() {
                desk.upcalls.tap(message, self.client, self.local, Transport::Tcp);
            }
            if outcome == Outcome::Answer {
                self.unwritten.extend_from_slice(&(desk.answer.len() as u16).to_be_bytes());
                self.unwritten.extend_from_slice(desk.answer);
            }
            at += 2 + message.len();
            count += 1;
        }
        if count > 0 {
            self.had_message = true;
            self.part_since = None;
            desk.worker.counters().count_latency(count, desk.now.elapsed());
        }
        let taken = self.unwritten.is_empty() || self.write(desk)?;
        let stopped_early = count == MESSAGES_PER_TURN || (taken && whole_message(&octets[at..]).is_some());
        Ok((at, stopped_early && !self.foreign))
    }

    /// Writes what waits to be written; returns whether the kernel took all of it.
    fn write(&mut self, desk: &Desk<'_>) -> io::Result<bool> {
        while self.written < self.unwritten.len() {
            match send(&self.socket, &self.unwritten[self.written..], SendFlags::NOSIGNAL) {
                Ok(count) => self.written += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    if self.watched != Next::Write {
                        self.deadline = desk.now + desk.settings.idle_timeout;
                        self.waiting_for = "it to read its answers";
                    }
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.written = 0;
        self.unwritten.clear();
        if self.unwritten.capacity() > WRITE_HIGH {
            self.unwritten = Vec::new(); // an idle client costs no buffer
        }
        Ok(true)
    }
}

/// Returns the message that `octets`, which begin with its length, hold whole.
fn whole_message(octets: &[u8]) -> Option<&[u8]> {
    let (size, rest) = octets.split_first_chunk()?;
    rest.get(..usize::from(u16::from_be_bytes(*size)))
}
