//! What an AXFR costs, without a network: `transfer ORIGIN FILE` (the origin in hexadecimal wire form) reads a zone,
//! makes its text, the messages, and a zone of them again, and prints times.

use std::time::Instant;

use bindpy_core::check::Checks;
use bindpy_core::read::{NoRareRdata, read_zone};
use bindpy_core::rtype::{AXFR, IN, SOA};
use bindpy_core::write::{GenericText, ZoneText};
use bindpy_core::xfr::{Expected, NoRareWire, Packing, ZoneMessages};
use bindpy_core::zone::ZoneBuilder;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or("0"), 16).unwrap_or(0);
    let origin: Vec<u8> = arguments[1].as_bytes().chunks(2).map(octet).collect();
    let loaded = read_zone(arguments[2].as_bytes(), &origin, b"", &Checks::default(), &mut NoRareRdata);
    let zone = match loaded {
        Ok(loaded) => loaded.zone,
        Err(refusal) => return println!("{refusal:?}"),
    };
    let question = [&origin[..], &AXFR.to_be_bytes(), &IN.to_be_bytes()].concat();
    let packing = Packing {
        id: 1,
        flags: 0x8400,
        question,
        opt: Vec::new(),
        limit: 65535,
        most: 65535,
        one_answer: false,
    };
    let start = Instant::now();
    let (mut text, mut written, mut piece) = (ZoneText::file(zone.clone()), 0, Vec::new());
    while text.write(&mut piece, &mut GenericText) {
        written += piece.len();
        piece.clear();
    }
    println!("text: {:?}, {written} octets", start.elapsed());
    let start = Instant::now();
    let mut messages = Vec::new();
    for packed in ZoneMessages::new(zone.clone(), packing) {
        match packed {
            Ok(packed) => messages.push(packed),
            Err(error) => return println!("{error}"),
        }
    }
    let octets: usize = messages.iter().map(|packed| packed.message.len()).sum();
    println!("out: {:?}, {} messages, {octets} octets", start.elapsed(), messages.len());
    let start = Instant::now();
    let mut builder = ZoneBuilder::new(&origin, IN);
    let soa = zone.soa();
    if let Err(error) = builder.add(&origin, SOA, soa.ttl(), soa.first()) {
        return println!("{error}");
    }
    let expected = Expected { id: 1, qtype: AXFR, max_records: 0 };
    let taken: usize = messages
        .iter()
        .filter_map(|packed| builder.take_message(&packed.message, &expected, &mut NoRareWire))
        .sum();
    println!("in: {:?}, {taken} records of messages without a SOA", start.elapsed());
    let built = builder.finish();
    println!("built: {:?}, {built:?}", start.elapsed());
}
