//! A small zone that is served, and messages for it.
#![allow(dead_code, reason = "each test program uses a part")]

use std::sync::Arc;

use bindpy_core::answer::{AnswerPolicy, Answerer, ZonePolicy};
use bindpy_core::rtype;
use bindpy_core::serve::{Taken, Upcalls};
use bindpy_core::zone::ZoneBuilder;

pub const ORIGIN: &[u8] = b"\x07example\0";
pub const WWW: &[u8] = b"\x03www\x07example\0";

pub const NOTIFY: u16 = 0x2400;

pub fn answerer() -> Arc<Answerer> {
    let mut builder = ZoneBuilder::new(ORIGIN, rtype::IN);
    let soa = [ORIGIN, ORIGIN, &[0; 20]].concat();
    builder.add(ORIGIN, rtype::SOA, 60, &soa).unwrap();
    builder.add(ORIGIN, rtype::NS, 60, WWW).unwrap();
    builder.add(WWW, rtype::A, 60, &[192, 0, 2, 1]).unwrap();
    for number in 0..200u8 {
        let txt = [&[251], &[number; 251][..]].concat();
        builder.add(b"\x03big\x07example\0", rtype::TXT, 60, &txt).unwrap();
    }
    let fault = Arc::new(|_: &[u8], words: &str| panic!("{words}"));
    let answerer = Answerer::new(AnswerPolicy::default(), fault);
    answerer.publish("_default", builder.finish().unwrap(), Arc::new(ZonePolicy::default())).unwrap();
    Arc::new(answerer)
}

/// Returns a message with one question.
pub fn message(id: u16, flags: u16, name: &[u8], qtype: u16) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [id, flags, 1, 0, 0, 0] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    out.extend_from_slice(name);
    out.extend_from_slice(&qtype.to_be_bytes());
    out.extend_from_slice(&rtype::IN.to_be_bytes());
    out
}

/// Returns ID, RCODE and number of records in the answer section.
pub fn read(response: &[u8]) -> (u16, u8, u16) {
    let word = |at: usize| u16::from_be_bytes([response[at], response[at + 1]]);
    assert!(response[2] & 0x80 != 0, "a response");
    (word(0), response[3] & 0xF, word(6))
}

/// Waits until something was passed up, and takes it.
pub fn wait_for(upcalls: &Upcalls) -> Taken {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let seconds = Timespec { tv_sec: 10, tv_nsec: 0 };
    let descriptor = upcalls.descriptor();
    let waiting = PollFd::new(&descriptor, PollFlags::IN);
    assert!(poll(&mut [waiting], Some(&seconds)).unwrap() > 0, "nothing was passed up in ten seconds");
    upcalls.take()
}
