//! The system calls that no safe crate offers: batches of datagrams (`recvmmsg`, `sendmmsg`) with the address
//! that each came to, descriptors that another language hands in, and how a thread is scheduled; and an instruction
//! that none does.
//!
//! This is the one crate of the engine that may say `unsafe`. What keeps it sound is local: every pointer that
//! a call gets is made in the function that makes the call, from buffers that this crate owns and that outlive
//! it; the kernel is told their true sizes; and what it wrote is read as octets, never as structures.

mod batch;
mod cmsg;
mod prefetch;
mod slice;
mod sockaddr;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

pub use batch::{DatagramBatch, MAX_DATAGRAM_OCTETS, Sent, Slot, send_one};
pub use cmsg::LocalAddress;
pub use prefetch::prefetch;
pub use slice::run_in_slices_of;

/// Return a descriptor of our own for what `fd` refers to; closed on `exec`, as all of Rust's are.
///
/// # Errors
/// `EBADF` where `fd` is not open, `EMFILE` where there are too many.
pub fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl takes any number; one that is no descriptor is EBADF. The new descriptor is nobody else's, so
    // that it may be owned and closed.
    unsafe {
        let copy = libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0);
        if copy < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(copy))
    }
}

/// Shut down the reading side of a socket: whoever waits in `recvmmsg` on it wakes up, also on a UDP socket,
/// for which Linux says `ENOTCONN` all the same.
pub fn wake_readers(socket: BorrowedFd<'_>) {
    // SAFETY: no memory is passed, and the descriptor is open for as long as it is borrowed.
    unsafe {
        libc::shutdown(socket.as_raw_fd(), libc::SHUT_RD);
    }
}

/// Let no signal be delivered to the calling thread: they are the main thread's.
pub fn block_signals() {
    // SAFETY: the set is a local that sigfillset fills before anything reads it; where the old mask goes may be
    // null. Both calls fail for arguments that are not given here only.
    unsafe {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
    }
}
