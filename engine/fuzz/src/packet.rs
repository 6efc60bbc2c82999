//! A packet to an answer: one that may be sent, whatever came.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;

use bindpy_core::answer::{Counters, Exchange, Outcome, Request, Transport, Worker};
use bindpy_core::rtype;

use crate::Input;
use crate::message::{self, HEADER, word};
use crate::world::{ANSWERER, BELOW, MAX_UDP, ORIGINS, OTHER_CLIENT, QTYPES};

const TCP: u8 = 1;
const OTHER_VIEW: u8 = 2;
const TO_BE_SIGNED: u8 = 4;
/// What a signature of an answer may take.
const SIGNATURE: usize = 120;
const QR: u16 = 0x8000;
const OPCODE_AND_RD: u16 = 0x7900;
const TC: u16 = 0x0200;
/// From the third time on an answer may be one that was kept.
const ROUNDS: usize = 3;

thread_local! {
    /// Answers all inputs one after the other, so that what one leaves behind shows in the next.
    static WORKER: RefCell<Worker> = RefCell::new(fresh_worker());
}

fn fresh_worker() -> Worker {
    let fault = Arc::new(|query: &[u8], words: &str| panic!("{words}: {query:02x?}"));
    Worker::new(Arc::new(Counters::default()), fault)
}

/// `data`: how it comes, and the packet.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    let how = input.octet();
    let packet = input.0;
    let client: IpAddr = if how & OTHER_VIEW != 0 { OTHER_CLIENT } else { [192, 0, 2, 99] }.into();
    let transport = if how & TCP != 0 { Transport::Tcp } else { Transport::Udp };
    let keys = ["key.".to_owned()];
    let (keys, reserved_octets) = if how & TO_BE_SIGNED != 0 { (&keys[..], SIGNATURE) } else { (&[][..], 0) };
    let request = Request { keys, reserved_octets, ..Request::plain(packet, client, client, transport) };
    let state = ANSWERER.state();
    let mut out = vec![1, 2, 3];
    let outcome = WORKER.with_borrow_mut(|worker| worker.answer(&state, &request, &mut out));
    let (mut alone, mut answers) = (Vec::new(), [const { Vec::new() }; 2 * ROUNDS]);
    assert_eq!(fresh_worker().answer(&state, &request, &mut alone), outcome);
    let mut worker = fresh_worker();
    for [first, second] in answers.as_chunks_mut().0 {
        let together = [first, second];
        let mut together = together.map(|answer| Exchange { request, answer, outcome: Outcome::Drop });
        worker.answer_all(&state, &mut together);
        assert!(together.iter().all(|one| one.outcome == outcome));
    }
    match outcome {
        Outcome::Answer => answer(&request, &out),
        Outcome::Drop => assert!(packet.len() < HEADER || packet[2] & 0x80 != 0, "a query is dropped"),
        Outcome::NotMine => assert!(is_for_the_control_plane(packet), "a plain query is passed on"),
    }
    // In the other view RDATAs take turns.
    if how & OTHER_VIEW == 0 {
        assert_eq!(out, alone, "what came before makes a difference");
        assert!(answers.iter().all(|answer| *answer == out), "together, or again, the answer is another one");
    }
}

/// Whether there is anything in `packet` that is no plain query: another opcode, a transfer, a signature.
fn is_for_the_control_plane(packet: &[u8]) -> bool {
    let opcode = packet[2] >> 3 & 0xF;
    let qtype = bindpy_core::name::end(packet, HEADER).and_then(|end| word(packet, end));
    let has_additional = packet[10..HEADER] != [0, 0];
    matches!(opcode, 4 | 5) || matches!(qtype, Some(rtype::AXFR | rtype::IXFR)) || has_additional
}

fn answer(request: &Request<'_>, out: &[u8]) {
    let packet = request.packet;
    let message = message::read(out).unwrap_or_else(|| panic!("cannot be read: {out:02x?}"));
    let flags = word(packet, 2).expect("a header");
    assert_eq!(Some(message.id), word(packet, 0));
    assert_eq!(message.flags & (QR | OPCODE_AND_RD), QR | flags & OPCODE_AND_RD);
    assert!(out.len() <= limit(request), "too long: {}", out.len());
    let [answer, authority, additional] = &message.sections;
    let is_truncated = message.flags & TC != 0;
    assert!(!is_truncated || request.transport == Transport::Udp);
    match &message.questions[..] {
        [] => {
            let upper = additional.iter().map(|rr| rr.ttl >> 24).max();
            assert!(message.flags & 0xF != 0 || upper > Some(0), "without a question nothing is right");
            assert!(answer.is_empty() && authority.is_empty());
        }
        [question] => {
            assert_eq!(out.get(HEADER..HEADER + question.len()), packet.get(HEADER..HEADER + question.len()));
            let qname = &question[..question.len() - 4];
            if let Some(first) = answer.first() {
                assert!(first.owner.eq_ignore_ascii_case(qname) || first.rtype == rtype::DNAME);
            }
        }
        more => panic!("{} questions", more.len()),
    }
    let opts = additional.iter().filter(|rr| rr.rtype == rtype::OPT).count();
    let asked_with_opt = packet[10..HEADER] != [0, 0];
    assert!(opts <= usize::from(asked_with_opt), "an OPT record that was not asked for, or two");
    let all = [answer, authority, additional].into_iter().flatten();
    // Signatures that were asked for may stand once more beside what they sign, as with BIND.
    let mut records: Vec<_> = all.filter(|rr| rr.rtype != rtype::RRSIG).collect();
    let count = records.len();
    records.sort();
    records.dedup();
    assert_eq!(records.len(), count, "a record twice");
}

/// Returns the most octets that the answer may have.
fn limit(request: &Request<'_>) -> usize {
    let most = match request.transport {
        Transport::Tcp => 65535,
        Transport::Udp if request.packet[10..HEADER] == [0, 0] => 512,
        Transport::Udp => usize::from(MAX_UDP),
    };
    most - request.reserved_octets
}

/// Queries for what is there and what is not, in all ways in which they come.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![], vec![0; 13]];
    for (number, below) in BELOW.iter().enumerate() {
        for (turn, origin) in ORIGINS.iter().enumerate() {
            let how = ((number + turn) % 8) as u8;
            let qtype = QTYPES[(number * 3 + turn) % QTYPES.len()];
            let class = if origin.len() == 1 && qtype == 16 { rtype::CHAOS } else { rtype::IN };
            let with_opt = number % 3 != 0;
            let head = [how, 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(with_opt)];
            let question = [below, *origin, &qtype.to_be_bytes(), &class.to_be_bytes()].concat();
            let opt = [0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 4, 0, 3, 0, 0];
            seeds.push([&head[..], &question, if with_opt { &opt } else { &[] }].concat());
        }
    }
    for (qname, qtype) in [(&b"\x07version\x04bind\0"[..], 16u16), (b"\x02id\x06server\0", 16), (b"\0", 252)]
    {
        let class = if qtype == 16 { [0, 3] } else { [0, 1] };
        seeds.push(
            [&[1, 9, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], qname, &qtype.to_be_bytes(), &class].concat(),
        );
    }
    // A NOTIFY, and a query with a signature behind it.
    seeds.push(b"\0\x01\x02\x20\0\0\x01\0\0\0\0\0\0\x07example\0\0\x06\0\x01".to_vec());
    let tsig = b"\x03key\0\0\xfa\0\xff\0\0\0\0\0\x02ab";
    let signed = b"\0\x01\x02\0\0\0\x01\0\0\0\0\0\x01\x07example\0\0\x06\0\x01";
    seeds.push([&signed[..], tsig].concat());
    seeds
}
