//! Whatever the octets, there is an answer that may be sent, or silence.

use std::net::IpAddr;
use std::sync::Arc;

use bindpy_core::answer::{AnswerPolicy, Answerer, Outcome, Request, Transport, ZonePolicy};
use bindpy_core::name;
use bindpy_core::rtype;
use bindpy_core::zone::ZoneBuilder;
use proptest::collection::vec;
use proptest::prelude::*;

const APEX: &[u8] = b"\x07example\0";

fn answerer() -> Answerer {
    let mut builder = ZoneBuilder::new(APEX, rtype::IN);
    let below = |labels: &[u8]| [labels, APEX].concat();
    let mut add = |labels: &[u8], rtype: u16, rdata: &[u8]| {
        builder.add(&below(labels), rtype, 60, rdata).unwrap();
    };
    add(b"", rtype::SOA, &[APEX, APEX, &[0; 20]].concat());
    add(b"", rtype::NS, &below(b"\x01a"));
    add(b"", rtype::MX, &[&[0, 1], &below(b"\x01a")[..]].concat());
    add(b"\x01a", rtype::A, &[192, 0, 2, 1]);
    add(b"\x01a", rtype::TXT, &[255; 256]);
    add(b"\x01*\x01b", rtype::SRV, &[&[0, 0, 0, 0, 0, 53], &below(b"\x01a")[..]].concat());
    add(b"\x01c", rtype::CNAME, &below(b"\x01c"));
    add(b"\x01d", rtype::DNAME, &below(b"\x01b"));
    add(b"\x01e", rtype::DNAME, &below(b"\x01e\x01e"));
    add(b"\x01f", rtype::NS, &below(b"\x01a\x01f"));
    add(b"\x01a\x01f", rtype::AAAA, &[1; 16]);
    let fault = Arc::new(|query: &[u8], words: &str| panic!("{words}: {query:02x?}"));
    let answerer = Answerer::new(AnswerPolicy::default(), fault);
    answerer.publish("_default", builder.finish().unwrap(), Arc::new(ZonePolicy::default())).unwrap();
    answerer
}

/// Reads `message` as a response, whole, and returns how many octets it has.
fn read(message: &[u8]) -> Option<usize> {
    let word = |at: usize| Some(usize::from(u16::from_be_bytes(*message.get(at..)?.first_chunk()?)));
    let mut at = 12;
    for _ in 0..word(4)? {
        at = name_end(message, at)? + 4;
    }
    for _ in 0..word(6)? + word(8)? + word(10)? {
        at = name_end(message, at)? + 10;
        at += word(at - 2)?;
    }
    (at <= message.len()).then_some(at)
}

/// Returns where the name at `at` ends, having followed its pointers, which all go backwards.
fn name_end(message: &[u8], mut at: usize) -> Option<usize> {
    let mut end = None;
    let mut size = 0;
    loop {
        match *message.get(at)? {
            0 => return Some(end.unwrap_or(at + 1)),
            high @ 0xC0.. => {
                let target = usize::from(high & 0x3F) << 8 | usize::from(*message.get(at + 1)?);
                end = end.or(Some(at + 2));
                if target >= at {
                    return None;
                }
                at = target;
            }
            octets => {
                size += 1 + usize::from(octets);
                at += 1 + usize::from(octets);
                if usize::from(octets) > name::MAX_LABEL || size >= name::MAX_NAME {
                    return None;
                }
            }
        }
    }
}

fn check(answerer: &Answerer, packet: &[u8]) -> std::result::Result<(), TestCaseError> {
    let mut worker = answerer.worker();
    let mut out = Vec::new();
    let client: IpAddr = "192.0.2.53".parse().unwrap();
    for (transport, limit) in [(Transport::Udp, 1232), (Transport::Tcp, 65535)] {
        let request = Request::plain(packet, client, client, transport);
        match worker.answer(&answerer.state(), &request, &mut out) {
            Outcome::Answer => {
                prop_assert!(out.len() <= limit);
                prop_assert_eq!(read(&out), Some(out.len()), "{:02x?}", &out);
                prop_assert_eq!(&out[..2], &packet[..2]);
                prop_assert!(out[2] & 0x80 != 0);
            }
            Outcome::Drop => prop_assert!(packet.len() < 12 || packet[2] & 0x80 != 0),
            Outcome::NotMine => {}
        }
    }
    Ok(())
}

fn labels() -> impl Strategy<Value = Vec<u8>> {
    let label = prop_oneof![
        4 => "[a-f*]".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 1..63),
    ];
    vec(label, 0..5).prop_map(|labels| {
        let mut name = Vec::new();
        for label in labels {
            name.push(label.len() as u8);
            name.extend(label);
        }
        name
    })
}

fn qtype() -> impl Strategy<Value = u16> {
    prop_oneof![any::<u16>(), 1u16..60, Just(rtype::ANY), Just(rtype::SRV), Just(rtype::MX)]
}

proptest! {
    #[test]
    fn any_octets(packet in vec(any::<u8>(), 0..600)) {
        check(&answerer(), &packet)?;
    }

    #[test]
    fn any_question_with_any_records_behind(
        flags in any::<u16>(),
        counts in any::<[u8; 3]>(),
        name in labels(),
        qtype in qtype(),
        qclass in prop_oneof![8 => Just(1u16), 1 => Just(3), 1 => Just(255), 1 => any::<u16>()],
        payload in any::<u16>(),
        ttl in any::<u32>(),
        tail in vec(any::<u8>(), 0..40),
        whole in any::<bool>(),
    ) {
        let mut packet = vec![0x12, 0x34];
        // Mostly queries: the opcode is 0 three times of four.
        let flags = if flags & 3 == 0 { flags } else { flags & 0x07FF };
        packet.extend(flags.to_be_bytes());
        packet.extend([0, 1]);
        let counts = if whole { [0, 0, 1] } else { counts.map(|count| count % 3) };
        for count in counts {
            packet.extend([0, count]);
        }
        packet.extend(name);
        packet.extend(APEX);
        packet.extend(qtype.to_be_bytes());
        packet.extend(qclass.to_be_bytes());
        packet.extend([0, 0, 41]);
        packet.extend(payload.to_be_bytes());
        packet.extend(if whole { ttl & 0xFF00_FFFF } else { ttl }.to_be_bytes());
        let options = if whole { &[][..] } else { &tail[..] };
        packet.extend((options.len() as u16).to_be_bytes());
        packet.extend(options);
        check(&answerer(), &packet)?;
    }
}
