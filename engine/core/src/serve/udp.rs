//! Queries over UDP: for each socket a thread that takes what has come, answers it, and sends the answers.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bindpy_sys::{DatagramBatch, Sent, Slot};
use smallvec::SmallVec;

use super::pulse::{Pulse, ThreadState};
use super::upcalls::{ControlRequest, Event, Upcalls};
use super::{SLICE, STOP_WITHIN, join_all, worker};
use crate::answer::{Answerer, Exchange, Outcome, Request, Role, Transport, Worker};
use crate::fault::quietly;

/// Source ports that no resolver has: echo, daytime, chargen, time, kpasswd; answering them makes loops.
pub const NEVER_ANSWERED_PORTS: [u16; 6] = [0, 7, 13, 19, 37, 464];

/// How many datagrams are taken at once. More of them make no system call cheaper, and let the first wait.
const BATCH: usize = 64;
const ERROR_PAUSE: Duration = Duration::from_millis(50);

/// A bound socket to be served.
pub struct UdpSocket {
    /// The socket, in blocking mode. One that is bound to all addresses has `IP_PKTINFO` or
    /// `IPV6_RECVPKTINFO` set.
    pub socket: OwnedFd,
    /// What it is bound to.
    pub bound: SocketAddr,
    /// Another process has the socket as well and goes on using it: it is not shut down when its thread is to end.
    /// Its `SO_RCVTIMEO` says how often the thread looks whether it is to.
    pub is_shared: bool,
}

/// The threads that serve some sockets; they end, and the sockets are closed, when it is stopped or dropped.
pub struct UdpService {
    sockets: Vec<(Arc<OwnedFd>, bool)>,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    pulses: Vec<Arc<Pulse>>,
}

impl UdpService {
    /// Starts a thread for each socket.
    ///
    /// # Errors
    /// When there are no more threads to be had; then none runs.
    pub fn start(
        answerer: &Arc<Answerer>,
        upcalls: &Arc<Upcalls>,
        sockets: Vec<UdpSocket>,
    ) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let mut service = Self { sockets: Vec::new(), stopping, threads: Vec::new(), pulses: Vec::new() };
        for UdpSocket { socket, bound, is_shared } in sockets {
            let socket = Arc::new(socket);
            let pulse = Arc::new(Pulse::default());
            service.sockets.push((socket.clone(), is_shared));
            service.pulses.push(pulse.clone());
            let mut thread = UdpThread {
                socket,
                bound,
                answerer: answerer.clone(),
                worker: worker(answerer, upcalls, Role::Udp),
                is_shared,
                pulse,
                upcalls: upcalls.clone(),
                stopping: service.stopping.clone(),
            };
            let named = thread::Builder::new().name(format!("udp {}", bound.port()));
            service.threads.push(named.spawn(move || thread.run())?);
        }
        Ok(service)
    }

    /// How the threads are.
    pub fn threads(&self) -> Vec<ThreadState> {
        let threads = self.threads.iter().zip(&self.pulses);
        threads
            .map(|(thread, pulse)| ThreadState { ended: thread.is_finished(), busy_for: pulse.busy_for() })
            .collect()
    }

    /// Tells the threads to end.
    pub fn request_stop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        for (socket, is_shared) in self.sockets.drain(..) {
            if !is_shared {
                bindpy_sys::wake_readers(socket.as_fd());
            }
        }
    }

    /// Ends the threads and closes the sockets; returns whether all ended in time.
    pub fn stop(&mut self) -> bool {
        self.request_stop();
        join_all(&mut self.threads, STOP_WITHIN)
    }
}

impl Drop for UdpService {
    fn drop(&mut self) {
        self.stop();
    }
}

struct UdpThread {
    socket: Arc<OwnedFd>,
    bound: SocketAddr,
    is_shared: bool,
    answerer: Arc<Answerer>,
    worker: Worker,
    upcalls: Arc<Upcalls>,
    stopping: Arc<AtomicBool>,
    pulse: Arc<Pulse>,
}

impl UdpThread {
    fn run(&mut self) {
        bindpy_sys::block_signals();
        bindpy_sys::run_in_slices_of(SLICE);
        // What a query makes panic is caught where it is answered; this is for all else.
        if let Err(words) = quietly(|| self.serve()) {
            self.upcalls.tell(Event::Ended(self.bound, words));
        }
    }

    fn serve(&mut self) {
        let mut batch = DatagramBatch::new(BATCH, self.bound.ip().is_unspecified());
        while !self.stopping.load(Ordering::Relaxed) {
            match batch.receive(self.socket.as_fd()) {
                Ok(count) => self.answer(&mut batch, count),
                Err(error) => self.receive_failed(error),
            }
        }
    }

    /// Answers a batch of `count` datagrams.
    fn answer(&mut self, batch: &mut DatagramBatch, count: usize) {
        let began = Instant::now();
        self.pulse.begin(began);
        self.write_answers(batch, count);
        let sent = batch.send(self.socket.as_fd(), count);
        let counters = self.worker.counters();
        counters.count_latency(count, began.elapsed());
        if sent.failures > 0 {
            self.send_failed(batch, sent);
        }
        self.pulse.end();
    }

    /// Writes the answers to `count` datagrams, and passes up what is not for us to answer.
    fn write_answers(&mut self, batch: &mut DatagramBatch, count: usize) {
        let tapping = self.upcalls.is_tapping();
        let mut slots: SmallVec<[(Slot<'_>, SocketAddr); BATCH]> = SmallVec::new();
        for slot in batch.slots(count) {
            if slot.packet.is_empty() {
                continue; // woken up to stop, or an empty datagram
            }
            let client = slot.peer();
            if NEVER_ANSWERED_PORTS.contains(&client.port()) {
                self.worker.counters().dropped.count();
                continue;
            }
            slots.push((slot, client));
        }
        let mut exchanges: SmallVec<[Exchange<'_>; BATCH]> = SmallVec::new();
        for (slot, client) in &mut slots {
            let local = slot.local().map_or(self.bound.ip(), |local| local.address);
            if tapping {
                self.upcalls.tap(slot.packet, *client, local, Transport::Udp);
            }
            let request = Request::plain(slot.packet, client.ip(), local, Transport::Udp);
            exchanges.push(Exchange { request, answer: slot.answer, outcome: Outcome::Drop });
        }
        self.worker.answer_all(&self.answerer.state(), &mut exchanges);
        let not_mine = |exchange: &Exchange<'_>| exchange.outcome == Outcome::NotMine;
        let requests: SmallVec<[usize; 1]> =
            (0..exchanges.len()).filter(|&index| not_mine(&exchanges[index])).collect();
        drop(exchanges); // what it borrows of `slots`
        for index in requests {
            let (slot, client) = &slots[index];
            let leave_from = slot.local();
            self.upcalls.request(|| ControlRequest {
                packet: slot.packet.to_vec(),
                client: *client,
                local: leave_from.map_or(self.bound.ip(), |local| local.address),
                socket: Arc::downgrade(&self.socket),
                leave_from,
            });
        }
    }

    /// Counts answers that the kernel did not take: no route, a firewall rule, a full buffer.
    fn send_failed(&self, batch: &DatagramBatch, sent: Sent) {
        self.worker.counters().send_errors.add(sent.failures as u64);
        if let Some((slot, error)) = sent.last_failure {
            self.upcalls.tell(Event::SendError(batch.peer(slot), error));
        }
    }

    /// Counts an error of the socket. It is one packet's trouble, such as `ENOMEM`: serving goes on.
    fn receive_failed(&self, error: io::Error) {
        let nothing_came = self.is_shared && error.kind() == io::ErrorKind::WouldBlock;
        if nothing_came || self.stopping.load(Ordering::Relaxed) {
            return;
        }
        self.worker.counters().receive_errors.count();
        self.upcalls.tell(Event::ReceiveError(self.bound, error));
        thread::sleep(ERROR_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::net;

    use super::*;
    use crate::answer::{AnswerPolicy, Totals};
    use crate::rtype;

    fn query(qtype: u16) -> Vec<u8> {
        let mut out = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        out.extend_from_slice(&qtype.to_be_bytes());
        out.extend_from_slice(&rtype::IN.to_be_bytes());
        out
    }

    #[test]
    fn a_panic_costs_one_query_and_is_passed_up() {
        let fault = Arc::new(|_: &[u8], _: &str| panic!("threads that serve do not call"));
        let answerer = Arc::new(Answerer::new(AnswerPolicy::default(), fault));
        let upcalls = Arc::new(Upcalls::new().unwrap());
        let ours = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let bound = ours.local_addr().unwrap();
        let client = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(bound).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut worker = worker(&answerer, &upcalls, Role::Udp);
        worker.panics_at = rtype::TXT;
        let pulse = Arc::new(Pulse::default());
        let mut thread = UdpThread {
            socket: Arc::new(ours.into()),
            bound,
            is_shared: false,
            answerer: answerer.clone(),
            worker,
            upcalls: upcalls.clone(),
            stopping: Arc::default(),
            pulse: pulse.clone(),
        };
        let mut batch = DatagramBatch::new(BATCH, false);
        for (qtype, rcode) in [(rtype::TXT, 2), (rtype::SOA, 5)] {
            client.send(&query(qtype)).unwrap();
            let count = batch.receive(thread.socket.as_fd()).unwrap();
            thread.answer(&mut batch, count);
            let mut answer = [0; 100];
            assert!(client.recv(&mut answer).unwrap() >= 12);
            assert_eq!(answer[3] & 0xF, rcode);
        }
        let mut events = upcalls.take().events;
        let Some(Event::Fault(packet, words)) = events.pop() else {
            panic!("a fault is told");
        };
        assert_eq!((packet, &*words, events.len()), (query(rtype::TXT), "as the test wants it", 0));
        let totals = answerer.totals_of(Role::Udp);
        assert_eq!((totals.faults, totals.udp_messages), (1, 2));
        assert_eq!(answerer.totals_of(Role::Tcp), Totals::default());
        assert_eq!(pulse.busy_for(), Duration::ZERO);
    }

    #[test]
    fn threads_tell_how_they_are() {
        let answerer = Arc::new(Answerer::new(AnswerPolicy::default(), Arc::new(|_: &[u8], _: &str| ())));
        let upcalls = Arc::new(Upcalls::new().unwrap());
        let socket = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let bound = socket.local_addr().unwrap();
        let socket = UdpSocket { socket: socket.into(), bound, is_shared: false };
        let mut service = UdpService::start(&answerer, &upcalls, vec![socket]).unwrap();
        assert_eq!(service.threads(), [ThreadState { ended: false, busy_for: Duration::ZERO }]);
        service.request_stop();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !service.threads()[0].ended {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
        assert!(service.stop());
        assert!(upcalls.take().events.is_empty(), "it was told to");
    }
}
