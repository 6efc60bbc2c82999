//! Zones out in messages and in again; messages of any octets.

use bindpy_core::name;
use bindpy_core::rtype::{A, AXFR, CNAME, IN, MX, NS, RRSIG, SOA, TXT};
use bindpy_core::xfr::{Expected, NoRareWire, Packing, ZoneMessages};
use bindpy_core::zone::{Rr, Zone, ZoneBuilder};
use proptest::prelude::*;

const ORIGIN: &[u8] = b"\x07Example\0";
const EXPECTED: Expected = Expected { id: 0x1234, qtype: AXFR, max_records: 0 };

fn soa() -> Vec<u8> {
    [&b"\x02ns\x07Example\0\x01h\x03net\0"[..], &[0, 0, 0, 1], &[0; 16]].concat()
}

fn record() -> impl Strategy<Value = (Vec<u8>, u16, Vec<u8>)> {
    let label =
        prop::sample::select(vec![&b"a"[..], b"B", b"*", b"\0", b"www", b"long-label-of-some-octets"]);
    let name = prop::collection::vec(label, 0..4).prop_map(|labels| {
        labels.iter().flat_map(|label| [&[label.len() as u8], *label].concat()).collect::<Vec<u8>>()
    });
    let origins = prop::sample::select(vec![ORIGIN, b"\x07example\0", b"\0", b"\x03net\0"]);
    let target = (name.clone(), origins).prop_map(|(labels, origin)| [&labels[..], origin].concat());
    let data = (prop::sample::select(vec![A, NS, CNAME, MX, TXT, RRSIG]), target, any::<u8>(), 0usize..300);
    let case = prop::sample::select(vec![ORIGIN, b"\x07example\0"]);
    (name, case, data).prop_map(|(labels, origin, (rtype, target, n, size))| {
        let rdata = match rtype {
            A => vec![192, 0, 2, n],
            NS | CNAME => target,
            MX => [&[0, n], &target[..]].concat(),
            TXT => vec![n.max(1) - 1; 1].into_iter().chain(vec![b'x'; n.max(1) as usize - 1]).collect(),
            _ => [&[0, 1, 13, 9][..], &[0; 14], &target, &vec![n; size + 1]].concat(),
        };
        ([&labels[..], origin].concat(), rtype, rdata)
    })
}

fn zone(records: &[(Vec<u8>, u16, Vec<u8>)]) -> Zone {
    let mut builder = ZoneBuilder::new(ORIGIN, IN);
    builder.add(ORIGIN, SOA, 60, &soa()).unwrap();
    for (owner, rtype, rdata) in records {
        builder.add(owner, *rtype, 300, rdata).unwrap();
    }
    builder.finish().unwrap()
}

fn packing(limit: usize, one_answer: bool) -> Packing {
    let question = [ORIGIN, &AXFR.to_be_bytes(), &IN.to_be_bytes()].concat();
    Packing { id: 0x1234, flags: 0x8400, question, opt: Vec::new(), limit, most: 65535, one_answer }
}

/// Reads a name in the plainest way.
fn read_name(message: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let (mut name, mut end) = (Vec::new(), None);
    loop {
        let size = message[at] as usize;
        if size >= 0xc0 {
            end = end.or(Some(at + 2));
            at = (size & 0x3f) << 8 | message[at + 1] as usize;
            continue;
        }
        name.extend_from_slice(&message[at..=at + size]);
        at += 1 + size;
        if size == 0 {
            return (name, end.unwrap_or(at));
        }
    }
}

/// Reads all records of a message in the plainest way.
fn read_records(message: &[u8]) -> Vec<Rr> {
    let two = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let (_, mut at) = read_name(message, 12);
    at += 4;
    let mut records = Vec::new();
    for _ in 0..two(6) {
        let (owner, fixed) = read_name(message, at);
        let (rtype, ttl, size) = (two(fixed), u32::from(two(fixed + 6)), two(fixed + 8) as usize);
        at = fixed + 10 + size;
        let start = fixed + 10;
        let rdata = match rtype {
            NS | CNAME => read_name(message, start).0,
            MX => [&message[start..start + 2], &read_name(message, start + 2).0].concat(),
            SOA => {
                let (first, second) = read_name(message, start);
                let (second, numbers) = read_name(message, second);
                [&first, &second, &message[numbers..at]].concat()
            }
            _ => message[start..at].to_vec(),
        };
        records.push(Rr { owner: owner.into(), rtype, ttl, rdata: rdata.into() });
    }
    assert_eq!(at, message.len());
    records
}

fn all_records(zone: &Zone) -> Vec<Rr> {
    let mut out = vec![zone.soa_record()];
    for node in zone.nodes() {
        for rrset in node.rrsets().filter(|rrset| rrset.rtype() != SOA) {
            for rdata in rrset.rdatas() {
                let (owner, ttl) = (node.owner().into(), rrset.ttl());
                out.push(Rr { owner, rtype: rrset.rtype(), ttl, rdata: rdata.into() });
            }
        }
    }
    out.push(zone.soa_record());
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_out_comes_in(
        records in prop::collection::vec(record(), 0..80),
        limit in prop::sample::select(vec![100usize, 600, 4096, 65535]),
        one_answer in any::<bool>(),
    ) {
        let zone = zone(&records);
        let messages: Vec<_> =
            ZoneMessages::new(zone.clone(), packing(limit, one_answer)).map(Result::unwrap).collect();
        let mut found = Vec::new();
        let mut builder = ZoneBuilder::new(ORIGIN, IN);
        for packed in &messages {
            let records = read_records(&packed.message);
            prop_assert_eq!(records.len(), packed.records);
            prop_assert!(packed.message.len() <= limit || packed.records == 1);
            prop_assert!(packed.records == 1 || !one_answer);
            let has_soa = records.iter().any(|rr| rr.rtype == SOA);
            let taken = builder.take_message(&packed.message, &EXPECTED, &mut NoRareWire);
            prop_assert_eq!(taken, (!has_soa).then_some(records.len()));
            if has_soa {
                for rr in &records {
                    builder.add(&rr.owner, rr.rtype, rr.ttl, &rr.rdata).unwrap();
                }
            }
            found.extend(records);
        }
        prop_assert_eq!(found, all_records(&zone));
        prop_assert!(builder.finish().unwrap().same_data(&zone));
    }

    #[test]
    fn any_octets_are_taken_whole_or_not_at_all(
        records in prop::collection::vec(record(), 1..20),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let zone = zone(&records);
        let messages: Vec<_> = ZoneMessages::new(zone, packing(200, false)).map(Result::unwrap).collect();
        for packed in messages {
            let mut message = packed.message;
            for (at, octet) in &changes {
                let at = at.index(message.len());
                message[at] = *octet;
            }
            let mut builder = ZoneBuilder::new(ORIGIN, IN);
            let taken = builder.take_message(&message, &EXPECTED, &mut NoRareWire);
            prop_assert!(taken.is_some() || builder.rr_count() == 0);
            message.truncate(cut.index(message.len()));
            prop_assert_eq!(builder.take_message(&message, &EXPECTED, &mut NoRareWire), None);
        }
    }
}

#[test]
fn messages_with_anything_else_are_left_alone() {
    let zone = zone(&[(ORIGIN.to_vec(), A, vec![1, 2, 3, 4]), (ORIGIN.to_vec(), A, vec![1, 2, 3, 5])]);
    let messages: Vec<_> = ZoneMessages::new(zone, packing(100, true)).map(Result::unwrap).collect();
    assert_eq!(messages.len(), 4);
    let take = |message: &[u8], expected: &Expected| {
        ZoneBuilder::new(ORIGIN, IN).take_message(message, expected, &mut NoRareWire)
    };
    let good = &messages[1].message;
    assert_eq!(take(good, &EXPECTED), Some(1));
    assert_eq!(take(&messages[0].message, &EXPECTED), None);
    assert_eq!(take(good, &Expected { id: 1, ..EXPECTED }), None);
    assert_eq!(take(good, &Expected { qtype: 251, ..EXPECTED }), None);
    let mut builder = ZoneBuilder::new(ORIGIN, IN);
    let most_1 = Expected { max_records: 1, ..EXPECTED };
    assert_eq!(builder.take_message(good, &most_1, &mut NoRareWire), Some(1));
    assert_eq!(builder.take_message(&messages[2].message, &most_1, &mut NoRareWire), None);
    for (at, octet) in [(2, 0x04), (2, 0x86), (3, 5), (5, 2), (9, 1), (11, 1), (13, b'f')] {
        let mut message = good.clone();
        message[at] = octet;
        assert_eq!(take(&message, &EXPECTED), None, "octet {at}");
    }
    assert_eq!(take(&[&good[..], &[0]].concat(), &EXPECTED), None);
    let other = ZoneBuilder::new(b"\x03net\0", IN).take_message(good, &EXPECTED, &mut NoRareWire);
    assert_eq!(other, None);
    assert_eq!(name::label_count(ORIGIN), 1);
}

#[test]
fn a_record_that_fits_no_message_is_an_error() {
    let strings = [&[255u8][..], &[b'x'; 255]].concat().repeat(255);
    let zone = zone(&[(ORIGIN.to_vec(), TXT, strings)]);
    let mut messages = ZoneMessages::new(zone.clone(), packing(512, false));
    assert_eq!(messages.next().unwrap().unwrap().records, 1);
    assert_eq!(messages.next().unwrap().unwrap().records, 1);
    let mut small = packing(512, false);
    small.most = 1000;
    let mut messages = ZoneMessages::new(zone, small);
    assert!(messages.next().unwrap().is_ok());
    let error = messages.next().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the record 'Example.' of type 16 with 65280 octets of data does not fit a message"
    );
    assert!(messages.next().is_none());
}
