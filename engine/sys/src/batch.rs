//! Many datagrams by one system call, in and out.

use std::io;
use std::mem::zeroed;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::cmsg::{CONTROL_OCTETS, Control, LocalAddress};
use crate::sockaddr::RawAddress;

/// The largest datagram that is received.
pub const MAX_DATAGRAM_OCTETS: usize = 65_535;

// The slots' buffers begin at different places of a page, so that they do not compete for the same lines of
// the processor's cache. Pages that no datagram ever reached cost nothing.
const STRIDE: usize = 65_536 + 256;

// Each call prepares room for twice as many datagrams as the last one brought, and for no fewer than these: to
// prepare all of it for the few that mostly come would cost more than to answer them.
const LEAST_ROOM: usize = 8;

/// Buffers for up to a fixed number of datagrams and the answers to them.
pub struct DatagramBatch {
    received: Vec<u8>,
    sizes: Vec<usize>,
    peers: Vec<Peer>,
    answers: Vec<Vec<u8>>,
    wants_local: bool,
    /// How many datagrams the next call takes at most.
    room: usize,
    heads: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
}

#[derive(Clone, Copy)]
struct Peer {
    address: RawAddress,
    address_octets: usize,
    control: Control,
    control_octets: usize,
}

/// One datagram, and where the answer goes; an empty answer is not sent.
pub struct Slot<'a> {
    pub packet: &'a [u8],
    pub answer: &'a mut Vec<u8>,
    peer: &'a Peer,
}

impl Slot<'_> {
    /// Who sent it.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer.address.decode()
    }

    /// Where it was sent to, if the socket tells (`IP_PKTINFO`, `IPV6_RECVPKTINFO`).
    #[must_use]
    pub fn local(&self) -> Option<LocalAddress> {
        self.peer.control.decode(self.peer.control_octets)
    }
}

/// What became of the answers of a batch.
#[derive(Debug, Default)]
pub struct Sent {
    pub answers: usize,
    pub failures: usize,
    /// The slot of the last failure, and why.
    pub last_failure: Option<(usize, io::Error)>,
}

impl DatagramBatch {
    /// Make buffers for `slots` datagrams. `wants_local`: the socket gives their destinations.
    #[must_use]
    pub fn new(slots: usize, wants_local: bool) -> Self {
        let peer = Peer {
            address: RawAddress::EMPTY,
            address_octets: 0,
            control: Control::EMPTY,
            control_octets: 0,
        };
        // SAFETY: both structures are numbers and pointers, for which all zeros is a value.
        let (head, vector) = unsafe { (zeroed::<libc::mmsghdr>(), zeroed::<libc::iovec>()) };
        Self {
            received: vec![0; slots * STRIDE],
            sizes: vec![0; slots],
            peers: vec![peer; slots],
            answers: vec![Vec::with_capacity(2048); slots],
            wants_local,
            room: slots.min(LEAST_ROOM),
            heads: vec![head; slots],
            vectors: vec![vector; slots],
        }
    }

    /// Wait for a datagram and take it and those that are there already; returns their number.
    ///
    /// 0 when a signal came. After `wake_readers` every datagram is empty.
    ///
    /// # Errors
    /// What `recvmmsg` says.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let room = self.room;
        let buffers = self.received.chunks_exact_mut(STRIDE).take(room);
        let slots = self.heads[..room].iter_mut().zip(&mut self.vectors).zip(buffers).zip(&mut self.peers);
        for (((head, vector), buffer), peer) in slots {
            vector.iov_base = buffer.as_mut_ptr().cast();
            vector.iov_len = MAX_DATAGRAM_OCTETS;
            let message = &mut head.msg_hdr;
            message.msg_name = peer.address.0.as_mut_ptr().cast();
            message.msg_namelen = size_of::<RawAddress>() as libc::socklen_t;
            message.msg_iov = ptr::from_mut(vector);
            message.msg_iovlen = 1;
            message.msg_flags = 0;
            if self.wants_local {
                message.msg_control = peer.control.0.as_mut_ptr().cast();
                message.msg_controllen = CONTROL_OCTETS as _;
            } else {
                message.msg_control = ptr::null_mut();
                message.msg_controllen = 0;
            }
        }
        // SAFETY: each of the first `room` heads points at a vector, an address and a control buffer of its own,
        // made from exclusive borrows above, with their true sizes; none of them is touched before the call
        // returns. The kernel writes no head behind these. No time limit: that pointer may be null.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.heads.as_mut_ptr(),
                room as libc::c_uint,
                libc::MSG_WAITFORONE as _,
                ptr::null_mut(),
            )
        };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(0) } else { Err(error) };
        }
        let count = count as usize;
        self.room = (2 * count).max(LEAST_ROOM).min(self.heads.len());
        for index in 0..count {
            let head = &self.heads[index];
            self.sizes[index] = (head.msg_len as usize).min(MAX_DATAGRAM_OCTETS);
            let peer = &mut self.peers[index];
            peer.address_octets = (head.msg_hdr.msg_namelen as usize).min(size_of::<RawAddress>());
            #[allow(clippy::unnecessary_cast, reason = "the type differs between C libraries")]
            let control_octets = head.msg_hdr.msg_controllen as usize;
            peer.control_octets = control_octets.min(CONTROL_OCTETS);
            self.answers[index].clear();
        }
        Ok(count)
    }

    /// Yield the first `count` datagrams, no more than `receive` returned.
    pub fn slots(&mut self, count: usize) -> impl Iterator<Item = Slot<'_>> {
        let packets =
            self.received.chunks_exact(STRIDE).zip(&self.sizes).map(|(buffer, &size)| &buffer[..size]);
        let slots = packets.zip(&mut self.answers).zip(&self.peers).take(count);
        slots.map(|((packet, answer), peer)| Slot { packet, answer, peer })
    }

    /// Who sent datagram `index`.
    #[must_use]
    pub fn peer(&self, index: usize) -> SocketAddr {
        self.peers[index].address.decode()
    }

    /// Send the answers to the first `count` datagrams, each to whoever sent the datagram, from where it came to.
    ///
    /// One that the kernel does not take is given up, and the others go out.
    pub fn send(&mut self, socket: BorrowedFd<'_>, count: usize) -> Sent {
        let mut due = 0;
        // By iterators, as in `receive`: indexing would borrow all peers anew each time, and end what the pointers
        // to those before may be used for.
        let mut heads = self.heads.iter_mut().zip(&mut self.vectors);
        for (answer, peer) in self.answers.iter().zip(&mut self.peers).take(count) {
            if answer.is_empty() {
                continue;
            }
            let Some((head, vector)) = heads.next() else { break };
            peer.control_octets = match peer.control.decode(peer.control_octets) {
                Some(local) => peer.control.encode(&local),
                None => 0,
            };
            vector.iov_base = answer.as_ptr().cast_mut().cast();
            vector.iov_len = answer.len();
            let message = &mut head.msg_hdr;
            message.msg_name = peer.address.0.as_mut_ptr().cast();
            message.msg_namelen = peer.address_octets as libc::socklen_t;
            message.msg_iov = ptr::from_mut(vector);
            message.msg_iovlen = 1;
            message.msg_flags = 0;
            message.msg_controllen = peer.control_octets as _;
            message.msg_control = match peer.control_octets {
                0 => ptr::null_mut(),
                _ => peer.control.0.as_mut_ptr().cast(),
            };
            due += 1;
        }
        let mut sent = Sent::default();
        let mut at = 0;
        while at < due {
            // SAFETY: `at` is below `due`, which is at most the number of heads. Those from `at` to `due` were filled
            // above and point at answers, addresses and control buffers that nothing touches until this function
            // returns; the kernel only reads what they point at, and writes how much it sent into the heads.
            let taken = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.heads.as_mut_ptr().add(at),
                    (due - at) as libc::c_uint,
                    0,
                )
            };
            if taken > 0 {
                at += taken as usize;
                sent.answers += taken as usize;
                continue;
            }
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            sent.failures += 1;
            sent.last_failure = self.slot_of(at, count).map(|slot| (slot, error));
            at += 1;
        }
        sent
    }

    /// Return the slot of the `nth` answer that is due.
    fn slot_of(&self, nth: usize, count: usize) -> Option<usize> {
        (0..count).filter(|&index| !self.answers[index].is_empty()).nth(nth)
    }
}

/// Send one datagram without waiting for room; from `local`, where that is given.
///
/// # Errors
/// What `sendmsg` says.
pub fn send_one(
    socket: BorrowedFd<'_>,
    message: &[u8],
    peer: &SocketAddr,
    local: Option<&LocalAddress>,
) -> io::Result<()> {
    let (mut address, octets) = RawAddress::encode(peer);
    let mut control = Control::EMPTY;
    let control_octets = local.map_or(0, |local| control.encode(local));
    let mut vector = libc::iovec { iov_base: message.as_ptr().cast_mut().cast(), iov_len: message.len() };
    // SAFETY: the head points at locals of this function and at `message`, with their true sizes; the kernel
    // only reads them, and only during the call.
    let sent = unsafe {
        let mut head = zeroed::<libc::msghdr>();
        head.msg_name = address.0.as_mut_ptr().cast();
        head.msg_namelen = octets as libc::socklen_t;
        head.msg_iov = &raw mut vector;
        head.msg_iovlen = 1;
        if control_octets > 0 {
            head.msg_control = control.0.as_mut_ptr().cast();
            head.msg_controllen = control_octets as _;
        }
        libc::sendmsg(socket.as_raw_fd(), &raw const head, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;

    fn exchange(server: &UdpSocket, client: &UdpSocket, batch: &mut DatagramBatch, words: &[&[u8]]) -> usize {
        for word in words {
            client.send(word).unwrap();
        }
        let mut received = 0;
        while received < words.len() {
            let count = batch.receive(server.as_fd()).unwrap();
            for (index, slot) in batch.slots(count).enumerate() {
                assert_eq!(slot.packet, words[received + index]);
                assert_eq!(slot.peer(), client.local_addr().unwrap());
                let packet = slot.packet.to_vec();
                slot.answer.extend_from_slice(&packet);
            }
            let sent = batch.send(server.as_fd(), count);
            assert_eq!((sent.answers, sent.failures), (count, 0));
            received += count;
        }
        received
    }

    fn sockets(server: &str, asked: &str) -> (UdpSocket, UdpSocket) {
        let server = UdpSocket::bind(server).unwrap();
        let client = UdpSocket::bind((asked, 0)).unwrap();
        client.connect((asked, server.local_addr().unwrap().port())).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        (server, client)
    }

    #[test]
    fn batches_go_back_to_where_they_came_from() {
        let (server, client) = sockets("127.0.0.1:0", "127.0.0.1");
        let mut batch = DatagramBatch::new(3, false);
        let long = vec![b'x'; 3000];
        let words: [&[u8]; 5] = [b"one", b"two", b"three", &long, b"five"];
        assert_eq!(exchange(&server, &client, &mut batch, &words), 5);
        let mut buffer = [0; 4000];
        for word in words {
            let size = client.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..size], word);
        }
    }

    #[test]
    fn answers_leave_from_the_address_that_was_asked() {
        for (bound, asked, level, option) in [
            ("0.0.0.0:0", "127.0.0.9", libc::IPPROTO_IP, libc::IP_PKTINFO),
            ("[::]:0", "::1", libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        ] {
            let (server, client) = sockets(bound, asked);
            let on = 1i32;
            // SAFETY: the option's value is a local, and its size is given.
            let failed = unsafe {
                let value: *const i32 = &raw const on;
                libc::setsockopt(server.as_raw_fd(), level, option, value.cast(), size_of::<i32>() as _)
            };
            assert_eq!(failed, 0);
            let mut batch = DatagramBatch::new(2, true);
            client.send(b"query").unwrap();
            assert_eq!(batch.receive(server.as_fd()).unwrap(), 1);
            let slot = batch.slots(1).next().unwrap();
            let local = slot.local().unwrap();
            assert_eq!(local.address.to_string(), asked);
            slot.answer.extend_from_slice(b"answer");
            assert_eq!(batch.send(server.as_fd(), 1).answers, 1);
            send_one(server.as_fd(), b"later", &client.local_addr().unwrap(), Some(&local)).unwrap();
            let mut buffer = [0; 100];
            // The client is connected: from another address nothing would come.
            assert_eq!(client.recv(&mut buffer).unwrap(), 6);
            assert_eq!(client.recv(&mut buffer).unwrap(), 5);
        }
    }

    #[test]
    fn one_that_cannot_be_sent_does_not_stop_the_others() {
        let (server, client) = sockets("127.0.0.1:0", "127.0.0.1");
        let mut batch = DatagramBatch::new(3, false);
        for _ in 0..3 {
            client.send(b"query").unwrap();
        }
        let mut received = 0;
        while received < 3 {
            let count = batch.receive(server.as_fd()).unwrap();
            for (index, slot) in batch.slots(count).enumerate() {
                slot.answer.resize(if received + index == 1 { 70_000 } else { 5 }, 0);
            }
            let sent = batch.send(server.as_fd(), count);
            let bad = 1usize.checked_sub(received).filter(|place| *place < count);
            assert_eq!(sent.failures, usize::from(bad.is_some()));
            assert_eq!(sent.last_failure.map(|(slot, _)| slot), bad);
            received += count;
        }
        let mut buffer = [0; 100];
        for _ in 0..2 {
            assert_eq!(client.recv(&mut buffer).unwrap(), 5);
        }
    }

    #[test]
    fn whoever_waits_is_woken() {
        let (server, _client) = sockets("127.0.0.1:0", "127.0.0.1");
        let reader = server.try_clone().unwrap();
        let waiting = std::thread::spawn(move || {
            let mut batch = DatagramBatch::new(2, false);
            let count = batch.receive(reader.as_fd()).unwrap();
            batch.slots(count).all(|slot| slot.packet.is_empty())
        });
        while !waiting.is_finished() {
            crate::wake_readers(server.as_fd());
            std::thread::yield_now();
        }
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn descriptors_are_duplicated_or_refused() {
        let (server, client) = sockets("127.0.0.1:0", "127.0.0.1");
        let copy = UdpSocket::from(crate::duplicate(server.as_raw_fd()).unwrap());
        drop(server);
        client.send(b"query").unwrap();
        assert_eq!(copy.recv(&mut [0; 10]).unwrap(), 5);
        assert_eq!(crate::duplicate(-1).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
